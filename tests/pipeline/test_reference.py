import dataclasses

import numpy as np
import pytest
import torch

from dcviz import archive, pipeline
from dcviz.errors import NetError
from dcviz.nets import datasets, dense_files, models, training
from dcviz.pipeline import lesson, neurons_first, shipped

BARS = {
    "lenet-300-100": (40, 1.58, 1.64),
    "lenet-5": (39, 0.74, 0.80),
    "lenet-300-100-small": (125, 1.58, 1.64),
    "lenet-300-100-tiny": (200, 1.9, 1.64),
    "lenet-5-small": (200, 0.74, 0.80),
    "lenet-5-tiny": (400, 1.0, 0.80),
}
"""net: (ratio at least, error at most, dense error at most); errors and the first ratios from the paper's Table 1."""


@pytest.mark.parametrize("name", BARS)
def test_dense_nets_open_and_do_well_on_digits_they_never_saw(name):
    net = shipped.dense(name)
    assert training.error_percent(net, datasets.digits().test) < 2.5
    assert shipped.dense(name) is not net, "everyone gets a copy"
    assert not net.training


@pytest.mark.parametrize("name", BARS)
def test_compressed_files_beat_the_papers_ratio(name):
    breakdown = archive.describe(shipped.compressed_path(name))
    assert breakdown.dense_bytes == models.dense_bytes(shipped.dense(name))
    assert breakdown.file_bytes == shipped.compressed_path(name).stat().st_size
    assert breakdown.ratio >= BARS[name][0]
    assert training.error_percent(pipeline.restore(shipped.compressed(name)), datasets.digits().test) < 2.5


@pytest.mark.parametrize("name", shipped.REFERENCES)
def test_compressed_files_hold_what_their_recipes_ask_for(name):
    recipe = shipped.REFERENCES[name].recipe
    for layer in shipped.compressed(name).layers:
        asked = recipe.layers[layer.name]
        assert np.count_nonzero(layer.weight) <= round(asked.density * layer.weight.size)
        assert len(np.unique(layer.weight[layer.weight != 0])) <= asked.k


@pytest.mark.parametrize("name", shipped.LESSONS)
def test_the_nets_of_a_lesson_have_their_recipes_densities_and_values_of_their_own(name):
    net, weights = lesson.pruned_net(name), lesson.pruned_weights(name)
    for layer, recipe in shipped.reference(name).recipe.layers.items():
        kept = weights[layer][weights[layer] != 0]
        assert kept.size == round(recipe.density * weights[layer].size)
        assert len(np.unique(kept)) > 0.99 * kept.size, "not shared yet"
        np.testing.assert_array_equal(weights[layer], models.weight_layers(net)[layer].weight.detach())


def test_a_lesson_made_again_is_the_one_that_ships(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "LESSONS", {"lenet-300-100": shipped.LESSONS["lenet-300-100"]})
    lesson.make(tmp_path)
    made = archive.load(tmp_path / "lenet-300-100-lesson.dcz")
    for layer in made.layers:
        ours = lesson.pruned_weights("lenet-300-100")[layer.name]
        assert ((ours != 0) == (layer.weight != 0)).mean() > 0.99, "machines round differently, no more"
        assert np.abs(ours - layer.weight).mean() < 0.1 * np.abs(ours).mean()


@pytest.mark.skipif(not datasets.mnist_available(), reason="the full MNIST set is not on this machine")
@pytest.mark.parametrize("name", BARS)
def test_errors_on_the_official_test_images_are_within_the_papers(name):
    row = shipped.measure(name)
    ratio, error, dense_error = BARS[name]
    assert row["images"] == "MNIST, 10,000 test images"
    assert row["ratio"] >= ratio
    assert row["error_percent"] <= error
    assert row["dense_error_percent"] <= dense_error


def test_quick_reproduction_makes_both_files_and_the_same_bytes_twice(no_data, monkeypatch):
    short = dataclasses.replace(
        shipped.REFERENCES["lenet-300-100"],
        dense=shipped.Schedule(epochs=0.3),
        recipe=dataclasses.replace(
            shipped.REFERENCES["lenet-300-100"].recipe,
            retrain=shipped.Schedule(epochs=0.3),
            finetune=shipped.Schedule(epochs=0.1),
        ),
    )
    monkeypatch.setattr(shipped, "quick", lambda spec, images: short)
    results = [shipped.reproduce("lenet-300-100", no_data / str(run), quickly=True) for run in (1, 2)]
    assert list(results[0]["files"].values()) == list(results[1]["files"].values())
    assert results[0]["trained_on"] == "bundled digits, training part"
    assert [stage["stage"] for stage in results[0]["stages"]] == list(pipeline.STAGES)
    assert archive.load(no_data / "1" / "lenet-300-100.dcz").name == "lenet-300-100"
    assert torch.get_num_threads() == 1


def test_quick_reproduction_of_a_live_block_makes_the_same_bytes_twice(no_data, monkeypatch):
    plan = neurons_first.Plan((2, 3, 6), weights=150, bytes=320)
    monkeypatch.setitem(neurons_first.SHIPPED, "lenet-5-micro", plan)
    spec = dataclasses.replace(shipped.REFERENCES["lenet-5"], dense=shipped.Schedule(epochs=0.1))
    monkeypatch.setattr(shipped, "quick", lambda spec_, images: spec)
    results = [shipped.reproduce("lenet-5-micro", no_data / str(run), quickly=True) for run in (1, 2)]
    assert list(results[0]["files"].values()) == list(results[1]["files"].values())
    assert [stage["stage"] for stage in results[0]["stages"]] == ["dense", "coded"]
    file = no_data / "1" / "lenet-5-micro.dcz"
    assert results[0]["stages"][1]["file_bytes"] == file.stat().st_size < 400
    assert archive.load(file).name == "lenet-5"
    assert results[0]["ratio"] == models.dense_bytes(shipped.dense("lenet-5")) / file.stat().st_size


@pytest.mark.parametrize("name", shipped.BLOCKS)
def test_shipped_blocks_hold_the_whole_net_in_the_bytes_that_were_asked_for(name):
    breakdown, stored = archive.describe(shipped.compressed_path(name)), shipped.compressed(name)
    plan = neurons_first.SHIPPED[name]
    assert breakdown.dense_bytes == models.dense_bytes(shipped.dense(name)) == 4 * 431_080
    assert breakdown.file_bytes <= plan.bytes + 4
    assert sum(layer.nonzeros for layer in breakdown.layers) <= plan.weights
    assert training.error_percent(pipeline.restore(stored), datasets.digits().test) < 1.6
    outputs = [np.count_nonzero(layer.weight.reshape(len(layer.weight), -1).any(1)) for layer in stored.layers[:3]]
    assert np.all(np.array(outputs) <= plan.widths)


def test_unknown_and_damaged_nets_are_named(monkeypatch, tmp_path):
    with pytest.raises(NetError, match="no net called 'resnet'"):
        shipped.dense("resnet")
    monkeypatch.setattr(dense_files, "MODELS", tmp_path)
    dense_files.state.cache_clear()
    with pytest.raises(NetError, match=r"lenet-5 cannot be read from .*lenet-5\.safetensors"):
        shipped.dense("lenet-5")
    (tmp_path / "lenet-5.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(NetError, match="lenet-5 cannot be read"):
        shipped.dense("lenet-5")
    dense_files.state.cache_clear()
