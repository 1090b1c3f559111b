"""Chapter 9's tables say what the recordings hold, and keep the paper's numbers apart."""

import pytest

from dcviz.chapters.ch09_other_roads import tables
from dcviz.evidence import paper, recordings


def test_the_curves_and_where_they_fall():
    rows = [
        {"curve": "svd", "percent": 20.0, "loss_points": -0.1},
        {"curve": "svd", "percent": 9.0, "loss_points": -0.4},
        {"curve": "svd", "percent": 3.0, "loss_points": -7.0},
    ]
    curve = tables.curves(rows)["svd"]
    assert tables.smallest(curve, 0.5) == 9.0
    assert tables.smallest(curve, 0.01) is None
    theirs = tables.paper_curves()
    assert theirs["svd"] == [tuple(p) for p in paper.table("figure6_accuracy_vs_size")["svd"]]


def test_filter_rows_are_averaged_over_seeds():
    rows = [
        {"criterion": c, "fraction": 0.5, "raw_percent": e, "error_percent": e / 2, "multiplications": 1_146_500}
        for c, e in (("taylor", 4.0), ("random", 6.0), ("random", 10.0))
    ]
    table = tables.filters(rows)
    title = "error % at once (recorded)"
    assert table.loc["50% gone", (title, "taylor")] == "4.0"
    assert table.loc["50% gone", (title, "random")] == "8.0"
    assert table.loc["50% gone", ("multiplications left % (recorded)", "taylor")] == "50"


def test_alexnets_filters_have_a_row_a_net_and_curves_that_begin_at_the_whole_one():
    rows = recordings.load("alexnet_filters").rows
    assert rows[0]["criterion"] is None
    table = tables.alexnet_filters(rows)
    assert len(table) == 1 + sum(row["fraction"] == 0.5 for row in rows)
    assert table.index[0] == "nothing removed"
    assert table.loc["magnitude, layers compete", ("recorded", "error % after the lesson")] == "not taught"
    curves = tables.alexnet_curves(rows, "raw_percent")
    assert len(curves) == 5
    for curve in curves.values():
        assert curve[0] == (100.0, rows[0]["raw_percent"])
        assert [left for left, _ in curve] == sorted((left for left, _ in curve), reverse=True)
    assert len(tables.alexnet_curves(rows, "error_percent")) == 4


@pytest.mark.parametrize("combined", [False, True])
def test_one_table_holds_every_road_with_the_dense_net_first(combined):
    rows = recordings.load("other_roads").rows
    table = tables.roads(rows, combined)
    assert table.index[0] == ("dense", "as trained")
    assert len(table) == 1 + sum(row["combined"] == combined and row["road"] != "dense" for row in rows)
    assert {top for top, _ in table.columns} == {"recorded"}


def test_table7_quotes_the_paper_in_its_own_columns():
    table = tables.table7(recordings.load("other_roads").rows, recordings.load("other_roads_figure6").rows)
    quoted = paper.table("table7_alexnet_comparison").rows
    assert list(table.index) == [row["method"] for row in quoted]
    assert table.loc["SVD (Denton 2014)", (tables.PAPER, "ratio")] == "5x"
    assert table.loc["Collins & Kohli 2014", (tables.RECORDED, "setting")] == "not built here"
    assert table.loc["SVD (Denton 2014)", (tables.RECORDED, "ratio")].endswith("x")


def test_temperatures_and_factorisations_have_a_row_each():
    students = recordings.load("other_roads_temperatures").rows
    assert list(tables.temperatures(students).index)[:2] == ["labels only", "T = 1"]
    factorised = recordings.load("other_roads_factorisations").rows
    assert len(tables.factorisations(factorised)) == len(factorised)
