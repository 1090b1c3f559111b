"""AlexNet running compressed: what is recorded is what fresh processes told. Not how much time or memory."""

import json

import pytest
import torch

from dcviz import archive, pipeline
from dcviz.chapters.ch08_speed_and_energy import running_nets, timing
from dcviz.evidence import recordings
from dcviz.nets import models
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import LayerRecipe, Recipe


@pytest.fixture(scope="module")
def small():
    """AlexNet with few classes and its two wide layers cut to almost nothing: quick to code."""
    net = models.build("alexnet", seed=0, num_classes=3)
    shares = {name: LayerRecipe(0.001, 3, 8) for name in ("classifier.1", "classifier.4")}
    return pipeline.compress(net, Recipe(shares, retrain=Schedule(epochs=0), finetune=Schedule(epochs=0))).stored


def test_both_forms_run_in_processes_of_their_own(small, tmp_path, capsys):
    archive.save(tmp_path / "net.dcz", small)
    threads, found = torch.get_num_threads(), {}
    try:
        for form in running_nets.FORMS:
            running_nets.one_process(str(tmp_path / "net.dcz"), form)
            found[form] = json.loads(capsys.readouterr().out)
    finally:
        torch.set_num_threads(threads)
    plain = sum(4 * (fc.in_features + 1) * fc.out_features for fc in models.build("alexnet").classifier[1:5:3])
    assert found["expanded"]["linear_bytes"] == plain + 4 * 4097 * 3
    assert found["compressed"]["linear_bytes"] < plain / 100
    for row in found.values():
        assert 0 < row["linear_seconds"] < row["seconds"]


def test_the_recorded_net_has_the_papers_sizes():
    rows = {row["form"]: row for row in recordings.load("alexnet_running").rows}
    assert rows["expanded"]["linear_bytes"] == 4 * (9217 * 4096 + 4097 * 4096 + 4097 * 1000)
    expected = sum(
        timing.paper_layers()[f"alexnet/{name}"].resident_bytes("compressed") for name in ("fc6", "fc7", "fc8")
    )
    biases = 4 * (4096 + 4096 + 1000)
    assert rows["compressed"]["linear_bytes"] == pytest.approx(expected + biases, rel=0.01)
    assert rows["compressed"]["peak_bytes"] < rows["expanded"]["peak_bytes"]
