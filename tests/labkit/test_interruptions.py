"""Stop, interrupt, restart, errors, two labs on one net, hours of play: a lab stays whole and goes on."""

import queue
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from notebook_shell import NO_HISTORY
from test_all_labs import lab  # noqa: F401  (a fixture: one lab of each kind, made once)

from dcviz.chapters.ch02_pruning.pruning_lab import PruningLab
from dcviz.chapters.ch02_pruning.retraining_lab import RetrainingLab
from dcviz.chapters.ch05_trained_quantization.finetune_lab import FinetuneLab
from dcviz.chapters.ch09_other_roads import temperature_lab
from dcviz.chapters.ch09_other_roads.temperature_lab import TemperatureLab
from dcviz.chapters.ch12_today import bits_lab
from dcviz.chapters.ch12_today.bits_lab import BitsLab
from dcviz.errors import Stopped
from dcviz.labkit.controls import RunButton
from dcviz.nets import datasets, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import lesson, shipped

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import slider_memory


class Kernel:
    """A real IPython kernel; ``run(code)`` gives (what it printed, name of the error or '')."""

    def __init__(self, manager):
        self.manager = manager
        self.client = manager.client()
        self.connect()

    def connect(self):
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)

    def run(self, code, interrupt_at=None):
        request, text, error = self.client.execute(textwrap.dedent(code)), "", ""
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=120)
            except queue.Empty:
                raise AssertionError(f"no answer to {code!r}; so far {text!r}") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                text += content["text"]
                if interrupt_at and interrupt_at in text:
                    self.manager.interrupt_kernel()
                    interrupt_at = None
            elif message["msg_type"] == "error":
                error = content["ename"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return text, error


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(120, cwd=str(Path(__file__).parents[2]), extra_arguments=[NO_HISTORY])
    client.stop_channels()
    yield Kernel(manager)
    manager.shutdown_kernel(now=True)


START = """
    from dcviz.labs import RetrainingLab, recreate
    lab = RetrainingLab(epochs=20.0)
    shoot = lab._push
    def push(film):
        shoot(film)
        print("picture", len(film.steps), flush=True)
    lab._push = push
"""
WHOLE = """
    film = lab.film
    assert not lab.run.running and not lab.run.button.disabled and lab.run.halt.disabled
    assert lab.error == ""
    assert 0 < len(film.steps) == len(film.errors) == len(film.counts) == len(film.inside)
    assert film.steps[-1] < film.total
    assert f"<b>{film.steps[-1]:,}</b> of {film.total:,} retraining steps" in lab.caption.value
    assert list(lab.lines[-1].get_data()[1]) == film.errors
    lab.moment = 0
    assert "<b>0</b> of" in lab.caption.value
    lab.epochs, lab.moment, lab._push = 0.1, 24, shoot
    assert 0 < lab.retrain() < 100 and lab.error == "" and not lab.run.running
    print("whole", len(lab.runs))
"""


def test_interrupting_the_kernel_leaves_a_lab_that_goes_on(kernel):
    assert kernel.run(START) == ("", "")
    said, error = kernel.run("lab.retrain()", interrupt_at="picture 2")
    assert error == "KeyboardInterrupt"
    assert "picture 2" in said
    assert kernel.run(WHOLE) == ("whole 2\n", "")


def test_an_interrupt_does_not_reach_a_run_of_the_button_and_stop_ends_it(kernel):
    kernel.run(START)
    begin = "import time\nlab.run.button.click()\nwhile not lab.film: time.sleep(0.01)\nprint('begun', flush=True)\n"
    _, error = kernel.run(begin + "time.sleep(60)", interrupt_at="begun")
    assert error == "KeyboardInterrupt"
    said, error = kernel.run("print(lab.run.running)\nlab.run.halt.click()\nprint(lab.run.wait(120))")
    assert error == ""
    assert [line for line in said.splitlines() if "picture" not in line] == ["True", "True"]
    assert kernel.run(WHOLE) == ("whole 2\n", "")


def test_after_a_restart_the_deep_link_gives_the_lab_back(kernel):
    kernel.run(START + "    lab.density = 0.05\n    lab.run.start()\n")
    link = kernel.run("print(lab)")[0].splitlines()[-1]
    assert link.startswith("RetrainingLab(")
    kernel.client.stop_channels()
    kernel.manager.restart_kernel(now=True)
    kernel.client = kernel.manager.client()
    kernel.connect()
    assert kernel.run("lab")[1] == "NameError"
    code = f"""
        from dcviz.labs import recreate
        lab = recreate({link!r})
        assert repr(lab) == {link!r} and lab.film is None and "Not retrained yet" in lab.caption.value
        lab.epochs = 0.1
        print(0 < lab.retrain() < 100, lab.error)
    """
    assert kernel.run(code) == ("True \n", "")


def test_a_callback_that_raises_shows_its_message_and_the_lab_goes_on(lab, monkeypatch):  # noqa: F811
    caption, name = lab.caption.value, lab.state_names[-1]
    change = traitlets.Bunch(name=name, old=getattr(lab, name), new=getattr(lab, name), owner=lab, type="change")

    def fail():
        raise ValueError("<fell & over>")

    with monkeypatch.context() as patch:
        patch.setattr(lab, "update", fail)
        lab._changed(change)
    assert lab.error == "ValueError: <fell & over>"
    assert "&lt;fell &amp; over&gt;" in lab.alert.value
    lab._changed(change)
    assert lab.error == lab.alert.value == ""
    assert lab.caption.value == caption


def test_two_labs_on_one_net_do_not_disturb_each_other():
    net = shipped.dense("lenet-300-100")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    first, second = PruningLab(net, threshold=0.03), PruningLab(net, threshold=0.03)
    caption, link = second.caption.value, repr(second)
    first.threshold = 0.2
    first.layer = "fc2"
    first.threshold = 10.0
    assert first.error == ""
    assert (second.caption.value, repr(second)) == (caption, link)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_two_runs_at_once_give_what_each_gives_alone():
    alone = RetrainingLab(epochs=0.2)
    alone.retrain()
    torch.set_num_threads(2)  # each run asks for one thread and gives the others back
    labs = [RetrainingLab(epochs=0.2), RetrainingLab(epochs=0.2)]
    for each in labs:
        each.run.start()
    assert all(each.run.wait(120) for each in labs)
    for each in labs:
        assert each.error == ""
        assert each.film.errors == alone.film.errors
        for now, then in zip(each.film.counts, alone.film.counts, strict=True):
            assert all(np.array_equal(now[layer], then[layer]) for layer in then)


def test_a_run_is_of_the_settings_at_its_start_whatever_moves_meanwhile(monkeypatch):
    lab, asked = TemperatureLab(missing="3"), []  # noqa: F811
    monkeypatch.setattr(temperature_lab, "_taught", lambda _, missing, report: asked.append(missing) or moved(lab, "7"))
    assert lab._teach(lambda *_: None)[0][1] == "3"
    assert asked == ["3", "3"]

    lab = BitsLab(bits=8)
    monkeypatch.setattr(bits_lab.transformer, "language_model", lambda: setattr(lab, "bits", 4))
    monkeypatch.setattr(bits_lab.sharing, "share_net", lambda net, bits, *rest: asked.append(bits) or stop())
    with pytest.raises(Stopped):
        lab._work(lambda *_: None)
    assert asked[-1] == 8

    lab, share = FinetuneLab(epochs=1.0), lesson.share
    monkeypatch.setattr(lesson, "share", lambda *of: setattr(lab, "epochs", 5.0) or share(*of))
    monkeypatch.setattr(training, "fit", lambda net, data, schedule, **_: asked.append(schedule.epochs) or stop())
    with pytest.raises(Stopped):
        lab._train(lambda *_: None)
    assert asked[-1] == 1.0


def moved(lab, missing):  # noqa: F811
    lab.missing = missing


def stop():
    raise Stopped


def test_waiting_for_a_run_waits_for_what_its_end_begins():
    gate, done = threading.Event(), []
    run = RunButton("go", lambda progress: gate.wait(10) and done.append(1))
    again = iter([True])
    run.observe(lambda change: change["new"] or (next(again, False) and run.start()), "running")
    run.start()
    gate.set()
    assert run.wait(10)
    assert done == [1, 1]


def test_other_codes_end_a_fine_tuning_and_are_on_show():
    lab = FinetuneLab(bits=4, epochs=1.0)  # noqa: F811
    show = lab._show

    def meddle():
        show()
        if len(lab.steps) == 3:
            lab.bits = 2

    lab._show = meddle
    lab.run.start(wait=True)
    assert lab.run.message.value == "stopped"
    assert lab.error == ""
    assert len(lab.steps) == len(lab.path) == 1
    assert lab.before[lab.layer].size == 4
    assert "share <b>4</b> values" in lab.caption.value
    lab._show = show
    lab.epochs = 0.25
    assert lab.train() < 90
    assert len(lab.steps) == len(lab.path) == len(lab.errors)
    rate = lab.learning_rate
    lab.learning_rate = rate / 10
    assert f"learning rate {rate:.3g} " in lab.caption.value, "the caption tells how the run was made"


def test_stopping_a_fine_tuning_leaves_the_numbers_of_its_last_look():
    lab = FinetuneLab(bits=4, epochs=1.0)  # noqa: F811
    show = lab._show
    lab._show = lambda: (show(), lab.run.stop() if len(lab.steps) == 3 else None)
    lab.run.start(wait=True)
    assert lab.run.message.value == "stopped"
    assert f"After {lab.steps[-1]} steps" in lab.caption.value
    assert f"fine-tuned <b>{lab.errors[-1]:.1f}%</b>" in lab.caption.value


def test_a_stop_leaves_net_and_constraint_consistent():
    from dcviz.pipeline.retraining import Masked

    net = shipped.dense("lenet-300-100")
    masks = {"fc1": np.abs(net.fc1.weight.detach().numpy()) > 0.05}
    steps = []
    schedule = Schedule(epochs=1, batch_size=64)
    training.fit(
        net,
        datasets.digits().train,
        schedule,
        constraint=Masked(net, masks),
        report=lambda done, *_: steps.append(done),
        stop=lambda: len(steps) == 5,
    )
    assert len(steps) == 5
    assert not net.training
    assert np.array_equal(net.fc1.weight.detach().numpy() != 0, masks["fc1"])


@pytest.mark.parametrize("name", ["PruningLab", "RelativeIndexLab"])
def test_playing_leaves_no_objects_behind(name):
    """The long run, 10,000 events, is tests/benchmarks/slider_memory.py."""
    from dcviz import labs

    grown, objects, _ = slider_memory.play(getattr(labs, name)(), 200)
    assert objects < 90, "less than one object for two events"
    assert grown < 16 << 20
