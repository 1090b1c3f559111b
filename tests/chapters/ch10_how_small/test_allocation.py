"""AllocationLab and its record: what fits, what is best, what a question must not tell; the record can be remade."""

import numpy as np
import pytest

from dcviz import archive
from dcviz.chapters.ch10_how_small import allocation, measure, tables
from dcviz.evidence import recordings
from dcviz.labkit.base import plain
from dcviz.labkit.prediction import Prediction
from dcviz.labs import AllocationLab
from dcviz.nets import datasets
from dcviz.pipeline import neurons_first


def test_the_record_is_the_grid_that_the_command_makes():
    rows = recordings.load("block_grid").rows
    found = [(tuple(row["widths"]), row["weights"], row["values"]) for row in rows]
    assert found == [(allocation.WIDTHS[width], weights, 2**bits) for width, weights, bits in allocation.every()]
    for row in rows:
        assert {key: row[key] for key in allocation.SHORT} == allocation.SHORT
        assert row["digits"] == allocation.DIGITS
        assert sum(row["parts"].values()) == row["file_bytes"] == sum(allocation.split(row).values())
        neurons_first.Plan(tuple(row["widths"]), row["weights"], None, values=row["values"])


def test_the_command_goes_on_where_it_stopped_and_its_bytes_are_those_of_a_file(monkeypatch, tmp_path):
    few, unseen = datasets.digits().train.take(slice(0, 512)), datasets.digits().test.take(slice(0, 100))
    monkeypatch.setattr(measure.datasets, "mnist_without_bundled", lambda: few)
    monkeypatch.setattr(measure.datasets, "unseen", lambda: unseen)
    monkeypatch.setenv("DCVIZ_CACHE", str(tmp_path))
    grid = {"WIDTHS": {"2-3-4": (2, 3, 4)}, "WEIGHTS": (150,), "BITS": (2, 3), "DIGITS": 512}
    for name, value in grid.items():
        monkeypatch.setattr(allocation, name, value)
    monkeypatch.setattr(allocation, "SHORT", {"passes": 1, "share_passes": 1})
    rows = measure.block_grid()
    assert [(row["widths"], row["weights"], row["values"]) for row in rows] == [([2, 3, 4], 150, k) for k in (4, 8)]
    for row in rows:
        path = measure.folder() / "blocks" / "2-3-4-150" / f"{row['values']}.dcz"
        assert row["file_bytes"] == path.stat().st_size
        layers = archive.load(path).layers
        assert sum(np.count_nonzero(layer.weight) for layer in layers) <= 150
        assert all(len(np.unique(layer.weight)) <= row["values"] + 1 for layer in layers)
    monkeypatch.setattr(measure.neurons_first, "taught", None)
    assert measure.block_grid() == rows


@pytest.mark.parametrize("budget", allocation.BUDGETS)
def test_the_best_that_fits_is_the_best_of_those_that_fit(budget):
    fits = {key: row for key, row in allocation.blocks().items() if row["file_bytes"] <= budget}
    assert 0 < len(fits) < len(allocation.blocks()), "a budget takes some of them, and not all"
    best = allocation.best(budget)
    assert fits[best]["error_percent"] == min(row["error_percent"] for row in fits.values())
    for width in allocation.WIDTHS:
        own = allocation.best(budget, width)
        assert own is None or (own in fits and own[0] == width)
    assert allocation.best(1) is None


def test_what_the_lab_shows_is_the_record():
    lab = AllocationLab(budget=allocation.BUDGETS[-1])
    for width, weights, bits in allocation.every()[::4]:
        lab.width, lab.weights, lab.bits = width, weights, bits
        row = allocation.blocks()[width, weights, bits]
        said = plain(lab.caption.value)
        assert f"{row['file_bytes']:,} bytes, {'within' if lab.fits else 'more than'} {lab.budget:,}" in said
        assert f"Error {row['error_percent']:.2f}%" in said
        points, budget, ring, bars, limit = lab.artists
        assert [*ring.get_xydata()[0]] == [row["file_bytes"], row["error_percent"]]
        assert budget.get_xdata() == limit.get_xdata() == [lab.budget] * 2
        assert sum(bar.get_width() for bar in bars) == row["file_bytes"]
        for (name, fits), line in points.items():
            sizes = sorted(
                r["file_bytes"]
                for key, r in allocation.blocks().items()
                if key[0] == name and (r["file_bytes"] <= lab.budget) == fits
            )
            assert sorted(line.get_xdata()) == sizes
    assert lab.error == ""


def test_while_its_question_waits_it_shows_its_own_block_alone():
    guess = Prediction("?", options=list(allocation.WIDTHS), truth=lambda lab: allocation.best(lab.budget)[0])
    lab = AllocationLab(prediction=guess)
    shown = [line for line in lab.artists[0].values() if len(line.get_xdata())]
    assert [len(line.get_xdata()) for line in shown] == [1]
    assert "fewest errors" not in plain(lab.caption.value)
    guess.commit(guess.options[0])
    assert sum(len(line.get_xdata()) for line in lab.artists[0].values()) == len(allocation.blocks())
    assert "fewest errors" in plain(lab.caption.value)


def test_which_block_is_best_the_learner_finds():
    lab = AllocationLab(budget=1000)
    best = allocation.best(1000)
    for width, weights, bits in allocation.every():
        lab.width, lab.weights, lab.bits = width, weights, bits
        said = plain(lab.caption.value)
        assert f"{allocation.blocks()[best]['error_percent']:.2f}%" in said
        assert (", this one." in said) == ((width, weights, bits) == best)
        assert all((f"<b>{name}</b>" in lab.caption.value) == (name == width) for name in allocation.WIDTHS)
        assert sum(name in said for name in allocation.WIDTHS) == 1


def test_its_film_has_what_python_shows_in_every_state():
    lab = AllocationLab()
    lab.tabulate()
    sizes = [len(lab.traits()[name].values) for name in lab.state_names]
    for at in ((0, 0, 0, 0), (1, 2, 1, 1), tuple(size - 1 for size in sizes)):
        for name, place in zip(lab.state_names, at, strict=True):
            setattr(lab, name, lab.traits()[name].values[place])
        frame = lab.film.frame(int(np.ravel_multi_index(at, sizes)))
        assert frame == [lab.caption.value, lab.figure_view.where()]


def test_the_table_has_the_best_of_each_width():
    table = tables.allocation()
    for budget in allocation.BUDGETS:
        for width in allocation.WIDTHS:
            key, cell = allocation.best(budget, width), table.loc[f"{budget:,} bytes", width]
            assert cell == ("none fits" if key is None else tables.allocated(key))
    assert f"{allocation.blocks()[allocation.best(1000)]['error_percent']:.2f}%" in table.to_string()
