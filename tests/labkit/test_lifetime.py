"""A lab that nobody can reach is freed; one that is on the screen, or that has a name, lives on."""

import gc
import tracemalloc
import weakref

import comm
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from jupyter_client.manager import start_new_kernel
from notebook_shell import NO_HISTORY

from dcviz import labs
from dcviz.labkit.base import RunButton
from dcviz.labs import Prediction, Progress

SMALL = {"fc1": np.random.default_rng(0).normal(0, 0.1, (30, 20)).astype(np.float32)}


@pytest.fixture(scope="module", autouse=True)
def _earlier_tests():
    """What they left stays: the collector, called a hundred times here, need not look at it."""
    gc.collect()
    gc.freeze()


def small_lab():
    return labs.PruningLab("mine", weights=SMALL)


def held():
    """What ipywidgets and the list of comms hold."""
    gc.collect()
    return len(_instances), len(comm.get_comm_manager().comms)


@pytest.mark.parametrize("name", labs.ALL)
def test_a_lab_is_freed(name):
    before = held()
    for close in (False, True):
        lab = getattr(labs, name)()
        assert len(_instances) > before[0] + 10
        if close:
            lab.close()
            assert len(_instances) == before[0]
        reference = weakref.ref(lab)
        del lab
        assert held() == before
        assert reference() is None


class HeavyLab(labs.GradientLab):
    """Holds a megabyte."""

    def build(self):
        self.heavy = np.zeros(125_000)
        return super().build()


def test_thirty_labs_take_no_more_memory_than_one():
    HeavyLab()
    gc.collect()
    tracemalloc.start()
    try:
        HeavyLab()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(30):
            HeavyLab()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_refused_lab_is_freed():
    before = held()
    with pytest.raises(ValueError, match="seven"):
        type("Bad", (labs.GradientLab,), {"update": lambda self: (_ for _ in ()).throw(ValueError("seven"))})()
    assert held() == before


@pytest.mark.parametrize("make", [lambda: Prediction("How many?", low=0, high=9), Progress])
def test_predictions_and_progress_are_freed(make):
    before = held()
    widget = make()
    assert held()[0] > before[0]
    del widget
    assert held() == before


def test_a_part_that_somebody_has_keeps_its_lab_alive():
    view = small_lab().view
    gc.collect()
    view.threshold = 0.1
    assert view.exact[0] == 0.1  # the lab answered


def test_the_browser_still_reaches_a_lab():
    lab = small_lab()
    message = {
        "content": {"data": {"method": "update", "state": {"threshold": 0.125}, "buffer_paths": []}},
        "buffers": [],
    }
    lab.view.comm.handle_msg(message)
    assert lab.threshold == 0.125
    state = type(lab).get_manager_state()["state"]  # what a page that is opened anew asks for
    assert state[lab.view.model_id]["state"]["threshold"] == 0.125


def test_closing_stops_the_run_that_goes_on():
    seen = []

    def work(progress):
        while True:
            progress(0.5)
            seen.append(1)

    run = RunButton("go", work)
    run.start()
    run.close()
    assert run.wait(120)


def execute(client, code, cell, tab=None):
    """Run a cell as JupyterLab does, with its id, perhaps in another tab; what it printed."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = client.session.msg("execute_request", content, metadata={"cellId": cell})
    message["header"]["session"] = tab or message["header"]["session"]
    client.shell_channel.send(message)
    text = ""
    while True:
        answer = client.get_iopub_msg(timeout=120)
        if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if answer["msg_type"] == "error":
            raise AssertionError("\n".join(answer["content"]["traceback"]))
        if answer["msg_type"] == "stream":
            text += answer["content"]["text"]
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return text.strip()


COUNT = "gc.collect(); print(len(_instances))"


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(120, "python3", extra_arguments=[NO_HISTORY])
    try:
        execute(
            client,
            "import gc, weakref, numpy as np\nfrom dcviz import labs\n"
            "from IPython.display import display\nfrom ipywidgets.widgets.widget import _instances",
            "first",
        )
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_cell_that_is_run_again_frees_its_earlier_lab(kernel):
    for _ in range(4):
        execute(kernel, "labs.GradientLab()", "again")
    after_four = int(execute(kernel, COUNT, "count"))
    for _ in range(3):
        execute(kernel, "labs.GradientLab()", "again")
    assert int(execute(kernel, COUNT, "count")) == after_four
    for _ in range(2):
        execute(kernel, "for _ in range(3): display(labs.GradientLab())", "three")
    three = int(execute(kernel, COUNT, "count"))
    execute(kernel, "for _ in range(3): display(labs.GradientLab())", "three")
    assert int(execute(kernel, COUNT, "count")) == three


def test_what_is_on_the_screen_or_has_a_name_lives_on(kernel):
    execute(kernel, "shown = weakref.ref(labs.GradientLab()); shown() is None or display(shown())", "gone at once")
    execute(kernel, "lab = labs.GradientLab(); shown = weakref.ref(lab); display(lab); del lab", "shows")
    execute(kernel, "named = labs.GradientLab(); named", "names")
    execute(kernel, "labs.GradientLab()", "names")
    execute(kernel, "labs.GradientLab()", "another cell")
    alive = "gc.collect(); print(shown() is not None, named.comm is not None)"
    assert execute(kernel, alive, "look") == "True True"
    execute(kernel, "shown().learning_rate = 0.5", "move")
    execute(kernel, "labs.GradientLab()", "shows")
    assert execute(kernel, alive, "look") == "False True"


def test_a_cell_run_in_another_tab_leaves_the_first_tab_its_lab_which_says_so(kernel):
    says = "print(*('Not in step' in one().alert.value if one() else 'gone' for one in (first, second)))"
    execute(kernel, "first = weakref.ref(lab := labs.GradientLab()); display(lab); del lab", "both")
    execute(kernel, "second = weakref.ref(lab := labs.GradientLab()); display(lab); del lab", "both", tab="another")
    assert execute(kernel, f"gc.collect(); {says}", "look") == "True False"
    execute(kernel, "first().reduce = 'mean'", "move")
    assert execute(kernel, says, "look") == "True False", "it says so for as long as it is shown"
    execute(kernel, "labs.GradientLab()", "both")  # the first tab's output is replaced, the second's is the older now
    assert execute(kernel, f"gc.collect(); {says}", "look") == "gone True"
    execute(kernel, "second().close()", "closes")
    assert execute(kernel, f"gc.collect(); {says}", "look") == "gone gone"


BUSY = """
import itertools, time
from dcviz.labkit.base import RunButton
class Busy(labs.GradientLab):
    def build(self):
        self.run = RunButton("go", lambda progress: [progress(0) or time.sleep(0.01) for _ in itertools.count()])
        return [*super().build(), self.run]
lab = Busy()
lab.run.start()
lab
"""


def test_a_run_stops_when_no_cell_shows_its_lab_any_more(kernel):
    execute(kernel, BUSY, "busy")
    execute(kernel, "run = lab.run; lab", "also")
    execute(kernel, "labs.GradientLab()", "also")
    assert execute(kernel, "print(run.wait(0.1))", "look") == "False", "the first cell shows it"
    execute(kernel, "labs.GradientLab()", "busy", tab="another")
    assert execute(kernel, "print(run.wait(60), run.message.value)", "look") == "True stopped"


def test_a_lab_whose_cell_was_run_again_draws_for_no_page_until_it_is_shown_again(kernel):
    """What its page had asked for came after that run, and was drawn and filmed."""
    make = "lab = labs.PruningLab('mine', weights={'all': np.eye(30)}); lab"
    films = "print(old.film.repeated)"
    execute(kernel, make, "thrice")
    execute(kernel, "old = lab", "names")
    execute(kernel, make, "thrice")
    before = execute(kernel, films, "look")
    execute(kernel, "old.caption.room = [700, 200, 14, 1.5]", "the page's word")
    assert execute(kernel, films, "look") == before
    assert int(execute(kernel, f"display(old); {films}", "shows").splitlines()[-1]) == int(before) + 1
    execute(kernel, "old.caption.room = [500, 200, 14, 1.5]", "the page's word")
    assert int(execute(kernel, films, "look")) == int(before) + 2


def test_a_closed_lab_leaves_the_history_of_outputs(kernel):
    execute(kernel, "lab = labs.GradientLab(); lab", "to be closed")
    execute(kernel, "1; 2", "other")
    assert execute(kernel, "print(any(v is lab for v in Out.values()))", "look") == "True"
    execute(kernel, "lab.close()", "closes")
    assert execute(kernel, "print(any(v is lab for v in Out.values()))", "look") == "False"
