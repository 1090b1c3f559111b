import functools

import pytest
from test_reference import BARS

from dcviz import pipeline
from dcviz.archive import coders
from dcviz.chapters.ch10_how_small import frontier, measure
from dcviz.evidence import recordings
from dcviz.nets import datasets, training
from dcviz.pipeline import shipped


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A few digits in place of all, results in a folder of the test's own."""
    digits = datasets.digits()
    monkeypatch.setattr(measure.datasets, "mnist_without_bundled", lambda: digits.train.take(slice(0, 256)))
    monkeypatch.setattr(measure.datasets, "unseen", lambda: digits.test.take(slice(0, 100)))
    monkeypatch.setenv("DCVIZ_CACHE", str(tmp_path))
    return measure.folder()


def test_a_training_is_done_once_and_kept(few, monkeypatch):
    some = functools.partial(frontier.coded, sets=[(), ("tables",)])
    monkeypatch.setattr(measure.frontier, "coded", some)
    row = measure.run(8.0, ("gradual",))
    assert (row["density"], row["parts"]) == (8.0, ["gradual"])
    assert row["files"]["tables"][0] < row["files"][""][0]
    monkeypatch.setattr(measure, "pruned", None)
    assert measure.run(8.0, ("gradual",)) == row
    assert [path.name for path in (few / "grid").iterdir()] == ["8.0-gradual.json"]


def test_coding_a_pruned_net_is_the_rest_of_the_pipeline(few):
    recipe = frontier.recipe(3.0, ("gradual", "tables"), epochs=2)
    size, error = measure.code(measure.pruned(recipe)[0], recipe)
    whole = measure.pipeline.compress(
        measure.reference.dense(frontier.NET),
        recipe,
        measure.datasets.mnist_without_bundled(),
        test=measure.datasets.unseen(),
        progress=lambda *_: None,
    ).stages[-1]
    assert (size, error) == (whole.file_bytes, whole.error_percent)


def test_the_recorded_grid_is_the_one_that_the_command_makes():
    rows = [row for row in recordings.load("frontier_grid").rows if row["experiment"] == "parts"]
    assert [(row["density"], tuple(row["parts"])) for row in rows] == measure.GRID
    sets = {"+".join(parts) for parts in frontier.subsets(tuple(frontier.CODING))}
    assert all(set(row["files"]) == sets for row in rows)


@pytest.mark.parametrize("name", shipped.REFERENCES)
def test_of_three_recorded_seeds_the_one_that_was_to_ship_ships(name):
    rows = {row["seed"]: row for row in recordings.load("shipped_seeds").rows if row["net"] == name}
    assert list(rows) == list(measure.SEEDS)
    assert len({row["file_bytes"] for row in rows.values()}) == 3
    ours, stored = rows[shipped.REFERENCES[name].recipe.seed], shipped.compressed(name)
    assert ours["file_bytes"] == shipped.compressed_path(name).stat().st_size
    assert ours["ratio"] == stored.dense_bytes() / ours["file_bytes"]
    assert ours["error_percent"] == training.error_percent(pipeline.restore(stored), datasets.unseen())
    if name in shipped.TABLE1:
        assert ours == rows[0]
    else:
        within = [row for row in rows.values() if row["error_percent"] <= BARS[name][1]]
        assert ours == min(within, key=lambda row: row["file_bytes"])


def test_the_recorded_rows_of_the_standards_coder_are_about_the_shipped_files():
    rows = {row["name"]: row for row in recordings.load("nnc_sizes").rows}
    assert list(rows) == [*shipped.REFERENCES, "alexnet-cifar10"]
    for name in shipped.REFERENCES:
        layers = shipped.compressed(name).layers
        streams = [stream for layer in layers for stream in coders.streams(layer).values()]
        assert rows[name]["huffman"] == sum(coders.huffman_size(s.symbols, s.width).bytes for s in streams)
