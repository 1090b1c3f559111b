import numpy as np
import pytest

from dcviz.chapters.ch10_how_small import frontier, tables
from dcviz.chapters.ch10_how_small.frontier import CODING, PARTS, TRAINING
from dcviz.evidence import recordings
from dcviz.nets import datasets
from dcviz.pipeline import neurons_first, shipped


def training_row(density, parts, start=20_000, error=2.0):
    """A made-up recorded training: each coding part saves 1,000 bytes, few codes and rate together 1,500."""
    files = {}
    for coding in frontier.subsets(tuple(CODING)):
        overlap = 500 if {"few codes", "rate"} <= set(coding) else 0
        files["+".join(coding)] = [start - 1000 * len(coding) + overlap, error + 0.01 * len(coding)]
    return {"experiment": "parts", "density": density, "parts": list(parts), "pruned_error": error, "files": files}


ROWS = [
    training_row(8.0, (), 40_000, 1.7),
    training_row(3.0, (), error=2.5),
    training_row(3.0, ("gradual",), error=2.2),
    training_row(3.0, ("gradual", "teacher"), error=1.9),
    training_row(3.0, TRAINING, error=1.8),
    {"experiment": "no regrowth", "densities": {}, "file_bytes": 20_001, "error_percent": 2.3},
    {"experiment": "dead only", "densities": {}, "file_bytes": 16_000, "error_percent": 1.85},
]


def test_points_are_found_by_their_parts_in_any_order():
    assert tables.point(ROWS, 3.0, ("rate", "gradual")) == (19_000, 2.21)
    assert tables.point(ROWS, 3.0, ()) == (20_000, 2.5)
    assert tables.point(ROWS, 1.5, ()) is None
    assert tables.point(ROWS, 3.0, ("teacher",)) is None


def test_worth_is_one_switch_either_way():
    on = tables.worth(ROWS, 3.0, ())
    assert on["gaps"][0] == -1000
    off = tables.worth(ROWS, 3.0, ("rate", "few codes"))
    assert off["rate"][0] == 500
    assert off["tables"][0] == -1000
    assert tables.worth(ROWS, 1.5, ()) == {}


def test_the_ladder_goes_from_the_plain_recipe_to_all_parts():
    steps = tables.steps(ROWS)
    assert steps[0] == ("plain recipe, the paper's densities", 40_000, 1.7)
    assert steps[-1][1:] == tables.point(ROWS, 3.0, PARTS)
    assert len(steps) == 2 + len(PARTS) + 2, "and two that stand outside the grid"
    table = tables.ablation(ROWS)
    assert len(table) == len(steps)
    assert table["bytes saved"].iloc[1] == "+20,000"
    assert table["error changed by"].iloc[1] == "+0.80"


def test_seeds_show_mean_and_spread():
    rows = [
        {"net": "a", "seed": s, "ratio": 100.0 + s, "error_percent": 1 + s / 10, "test_error_percent": 2.0}
        for s in range(3)
    ]
    table = tables.seeds(rows)
    assert table.loc["a", "times smaller"] == "101.0  (100.0 to 102.0)"
    assert table.loc["a", "error %, held-out"] == "1.10  (1.00 to 1.20)"
    assert table.loc["a", "seeds"] == "0, 1, 2"


def test_quantizers_stand_side_by_side():
    rows = [
        {"experiment": kind, "bits": 4, "file_bytes": 9000, "error_percent": 2.0, "untuned_error": 3.0}
        for kind in ("kmeans", "uniform")
    ]
    table = tables.quantizers(rows)
    assert list(table.index) == ["4 bits"]
    assert table["k-means", "bytes"].tolist() == table["uniform bins", "bytes"].tolist() == ["9,000"]


def test_a_higher_price_gives_shorter_codes_and_longer_distances():
    values = np.random.default_rng(0).normal(size=3000)
    table = tables.prices(values, 7, (0, 0.1, 0.3, 1.0))
    bits, distance = (table[name].astype(float) for name in ("bits per code (entropy)", "distance"))
    assert bits.is_monotonic_decreasing
    assert distance.is_monotonic_increasing
    assert bits.iloc[-1] < 0.7 * bits.iloc[0]


def test_reordered_files_are_smaller():
    table = tables.reordered(["lenet-5-tiny"])
    assert float(table.loc["lenet-5-tiny", "saved %"]) > 5


def test_densities_from_curves_stand_beside_those_by_hand():
    curves = {name: np.linspace(1, 9, 11) for name in frontier.DENSITIES[3.0]}
    recorded = [*ROWS, {"experiment": "sensitivity", "densities": {}, "file_bytes": 15_555, "error_percent": 1.9}]
    table = tables.by_sensitivity(recorded, curves)
    assert table.loc["by hand", ("kept % of fc1", "now")] == "3.0"
    assert len(set(table.loc["from the curves"].iloc[:3])) == 1, "equal curves, equal densities"
    assert table.loc["from the curves", ("recorded", "bytes")] == "15,555"


def test_the_standards_coder_stands_beside_huffman():
    row = {"name": "a", "coder": "nncodec 1", "huffman": 2000, "neighbours": 1900, "nnc": 1850}
    table = tables.standard([row])["recorded"]
    assert table.loc["a", "NNC"] == "1,850"
    assert table.loc["a", "NNC to Huffman"] == "−7.5%"


def test_the_live_blocks_stand_beside_the_smallest_other_file():
    rows = recordings.load("lenet_block").rows
    table = tables.block(rows)
    numbers = table.map(lambda text: float(text.replace(",", "").rstrip("x") or "nan"))
    assert list(table) == ["lenet-5-tiny", *shipped.BLOCKS]
    for column in table:
        assert numbers[column].filter(like="bytes:").sum() == numbers[column]["bytes in the file"]
        assert numbers[column]["bytes in the file"] == shipped.compressed_path(column).stat().st_size
    recorded = {row["name"]: row for row in rows}
    for name in shipped.BLOCKS:
        assert numbers[name]["weights kept"] == sum(recorded[name]["weights"].values())
        assert numbers[name]["error %, official test (recorded)"] > 0


@pytest.mark.parametrize("name", shipped.BLOCKS)
def test_the_shipped_blocks_are_what_was_recorded(name):
    row = next(row for row in recordings.load("lenet_block").rows if row["name"] == name)
    found = neurons_first.measured(shipped.compressed_path(name), datasets.unseen())
    assert {key: row[key] for key in found if key != "images"} == {k: v for k, v in found.items() if k != "images"}
    assert neurons_first.Plan(**row["plan"] | {"widths": tuple(row["plan"]["widths"])}) == neurons_first.SHIPPED[name]
