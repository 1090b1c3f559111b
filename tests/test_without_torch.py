"""A machine without torch: all that needs none opens, the rest says what is missing and how to get it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import notebook_shell
import numpy as np
import pytest

import dcviz.nets.schedules as schedules
import dcviz.pipeline.stages as stages
from dcviz import labs, without_torch
from dcviz.errors import NetError
from dcviz.files import ROOT
from dcviz.nets import datasets, machine, novels, products, training, transformer
from dcviz.pipeline import retraining, shipped

NO_TORCH = """
import sys
class Blind:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] == "torch" else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Blind(finder) for finder in sys.meta_path]
"""
OPEN = """
import json
from dcviz import labs
from dcviz.errors import TorchMissing
opened, said = [], {}
for name in labs.ALL:
    try:
        lab = getattr(labs, name)()
        assert lab.png().startswith(b"\\x89PNG") and lab.error == "" and lab.caption.value, name
        opened.append(name)
    except TorchMissing as error:
        said[name] = str(error)
print(json.dumps([opened, said]))
"""
GROUND_FLOOR = """
import numpy as np
from dcviz import archive, ideas
from dcviz.ideas import huffman, kmeans, pruning, relative_index
from dcviz.nets import datasets, machine
from dcviz.pipeline import shipped
from dcviz.classroom import editions, progress
stored = shipped.compressed("lenet-5")
assert archive.save("copy.dcz", stored) == shipped.compressed_path("lenet-5").stat().st_size
assert len(datasets.digits().train) == 4000
assert "no torch" in machine.facts()["software"]
assert progress.chapters()
from dcviz.__main__ import main
assert main(["inspect", "copy.dcz"]) == 0
assert main(["edition", "student", "out", "--only", "02", "--no-run"]) == 0
print("STATUS", main(["reproduce", "lenet-5", "--quick", "--out", "out"]))
"""


def run(code, folder):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", NO_TORCH + code], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_half_of_the_labs_open_and_the_others_say_what_they_need(tmp_path):
    opened, said = json.loads(run(OPEN, tmp_path).stdout)
    assert {*opened, *said} == set(labs.ALL)
    assert len(opened) >= len(labs.ALL) / 2, said
    for text in said.values():
        assert "needs torch, which is not installed" in text
        assert without_torch.HOW in text


def test_ideas_files_and_commands_go_on(tmp_path):
    done = run(GROUND_FLOOR, tmp_path)
    assert done.stdout.splitlines()[-1] == "STATUS 1"
    assert done.stderr.splitlines()[-1].startswith("dcviz: ")
    assert without_torch.HOW in done.stderr


UP_TO_THE_FIRST_LAB = """
import sys
from notebook_shell import notebook_shell
from dcviz.classroom import editions
from dcviz.labkit.base import Lab

for path in editions.sources():
    with notebook_shell() as shell:
        for kind, text, _ in editions.cells_of(path.read_text("utf-8"), "student"):
            done = shell.run_cell(text) if kind == "code" else None
            if done is not None:
                done.raise_error()
                if isinstance(done.result, Lab):
                    break
        else:
            sys.exit(f"no lab in {path.stem}")
    late = {"torch", "scipy", "numba", "seaborn", "sklearn", *["pandas"] * (path.stem < "12")}  # it has a table before
    early = late & set(sys.modules)
    assert not early, (path.stem, early)
from dcviz.labs import EnergyLab, IndexBitsLab
EnergyLab(), IndexBitsLab()
assert "torch" not in sys.modules
"""


def test_first_labs_are_on_the_page_before_torch_is_imported(tmp_path):
    """The import takes longer than all the rest: a number before that is a record, or NumPy's."""
    folders = os.pathsep.join([str(ROOT), str(Path(notebook_shell.__file__).parent)])
    env = {**os.environ, "PYTHONPATH": folders, "IPYTHONDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", UP_TO_THE_FIRST_LAB], cwd=tmp_path, env=env, check=True)


def test_a_machine_without_a_driver_has_no_gpu_and_torch_is_not_asked(monkeypatch):
    monkeypatch.setattr(machine, "DRIVERS", ())
    monkeypatch.delitem(sys.modules, "torch")
    assert machine.gpu_name() == ""
    assert "torch" not in sys.modules


def test_a_module_that_is_opened_later_is_the_same_to_whoever_asks(monkeypatch):
    later = without_torch.opened_later("dcviz.nets")("schedules")
    assert later is not schedules
    assert later.Schedule is schedules.Schedule
    assert vars(later) is vars(schedules)
    assert dir(later) == dir(schedules)
    assert (later.__doc__, later.__file__) == (schedules.__doc__, schedules.__file__)
    monkeypatch.setattr(later, "MOST_SHIFT", 3)
    assert schedules.MOST_SHIFT == 3
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        without_torch.opened_later("dcviz.nets")("nothing")
    assert without_torch.opened_later("dcviz.pipeline", "stages")("restore") is stages.restore
    assert without_torch.Later("json").loads is json.loads


def test_the_readme_names_the_same_place():
    assert without_torch.HOW in (ROOT / "README.md").read_text("utf-8")


def test_where_torch_is_the_stand_in_is_never_asked():
    import torch

    assert without_torch.here()
    assert torch.__version__ != "0"


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_answers_computed_without_torch_are_the_nets_own(name):
    digits, state = datasets.digits().test.take(slice(0, 300)), shipped.compressed(name).state_dict()
    net = stages.restore(shipped.compressed(name))
    said = net(training.to_input(digits.images)).detach().numpy()
    np.testing.assert_allclose(products.logits(state, digits.images), said, atol=1e-4)
    assert products.error_percent(state, digits) == training.error_percent(net, digits)


def test_the_language_model_without_torch_is_the_net_itself():
    net, state = transformer.language_model(), products.language_model()
    assert list(state) == [key for key, _ in net.named_parameters()]
    assert all((state[key] == weight.detach().numpy()).all() for key, weight in net.named_parameters())
    assert (net.context, net.blocks[0].heads) == (products.CONTEXT, products.HEADS)
    inputs, _ = transformer.calibration(2)
    said = products.next_pieces(state, inputs.numpy())
    np.testing.assert_allclose(said, net(inputs).detach().numpy(), atol=2e-4)
    past, places = [], inputs.numpy()[:1, :9]
    parts = [products.next_pieces(state, places[:, rows], past) for rows in (slice(0, 6), slice(6, 7), slice(7, 9))]
    np.testing.assert_allclose(np.concatenate(parts, 1), said[:1, :9], atol=2e-4, err_msg="read bit by bit")
    text = novels.choosing_text(2000)
    error = transformer.bits_per_character(net, text)
    assert products.bits_per_character(state, text) == pytest.approx(error, abs=1e-5)


def test_the_language_model_writes_without_torch():
    state = products.language_model()
    said = products.write(state, "Her sister had", 9, seed=1)
    assert said.startswith("Her sister had")
    assert said == products.write(state, "Her sister had", 9, seed=1) != products.write(state, "Her sister had", 9)
    with pytest.raises(NetError, match="4 pieces and 126 more are over the 128"):
        products.write(state, "Her sister had", 126)


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_weights_read_without_torch_are_the_nets_own(name):
    read, built = shipped.dense_weights(name), retraining.weights_of(shipped.dense(name))
    assert list(read) == list(built)
    assert all((read[layer] == built[layer]).all() and not read[layer].flags.writeable for layer in read)
