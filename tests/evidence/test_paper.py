"""The paper's numbers: every record sourced, tables consistent with each other, derived ones recomputed."""

import json
import math

import numpy as np
import pytest

from dcviz.errors import DataError
from dcviz.evidence import paper

LAYERS_OF = {
    "LeNet-300-100": "table2_lenet300",
    "LeNet-5": "table3_lenet5",
    "AlexNet": "table4_alexnet",
    "VGG-16": "table5_vgg16",
}
UNITS = {"K": 1e3, "M": 1e6, "KB": 1e3, "MB": 1e6}


def number(label):
    """'235K' -> 235000, '6.9 MB' -> 6900000."""
    digits = label.rstrip("KMB ")
    return float(digits) * UNITS[label[len(digits) :].strip()]


def printed_as(value, printed):
    """Does a value agree with a printed one, which was rounded (or cut) at its last digit?"""
    digits = len(f"{printed}".partition(".")[2].rstrip("0"))
    return abs(value - printed) < 10**-digits


def geomean(values):
    return math.exp(np.mean(np.log(values)))


@pytest.mark.parametrize("name", paper.tables())
def test_every_record_is_confirmed_and_sourced(name):
    table = paper.table(name)
    details = table["source"]
    assert details["confirmed"] is True
    assert details["sources"]
    assert details["where"]
    assert table.kind in ("quoted", "digitized", "derived")
    assert ("how" in details) == (table.kind == "digitized")
    assert table.name == name
    assert details["sources"][0] in table.source
    assert details["where"] in table.source


def test_nothing_recalled_or_unconfirmed_is_left():
    def walk(node):
        if isinstance(node, dict):
            assert node.get("confirmed", True) is True
            assert "recalled" not in node
            node = list(node.values())
        for child in node if isinstance(node, list) else []:
            walk(child)

    for name in paper.tables():
        walk(dict(paper.table(name)))
    for row in paper.table("records_since").rows:
        assert row["source"]
        assert isinstance(row["ratio"], int | float)


@pytest.mark.parametrize("net", LAYERS_OF)
def test_table_1_agrees_with_the_totals_of_tables_2_to_5(net):
    row = next(row for row in paper.table("table1_overview").rows if row["net"] == net)
    total = paper.table(LAYERS_OF[net])["total"]
    assert row["ratio"] == total["ratio_PQH"]
    assert 100 / total["compress_rate_pct_PQH"] == pytest.approx(row["ratio"], abs=1)
    assert 100 / total["compress_rate_pct_PQ"] == pytest.approx(total["ratio_PQ"], abs=1)
    assert number(row["ref"]["size"]) / number(row["compressed"]["size"]) == pytest.approx(row["ratio"], rel=0.025)
    # 4 bytes a weight; the paper's sizes use 1024 or 1000, which it does not say
    size = number(row["ref"]["size"])
    assert 4 * number(total["n_weights_label"]) == pytest.approx(size, rel=0.025)


@pytest.mark.parametrize("net", LAYERS_OF)
def test_layers_add_up_to_the_totals(net):
    table = paper.table(LAYERS_OF[net])
    layers, total = table.rows, table["total"]
    assert set(table["columns"]) == set(layers[0])
    weights = np.array([number(row["n_weights_label"]) for row in layers])
    assert weights.sum() == pytest.approx(number(total["n_weights_label"]), rel=0.02)
    kept = np.average([row["weights_pct_P"] for row in layers], weights=weights)
    assert kept == pytest.approx(total["weights_pct_P"], abs=0.5)
    assert 100 / kept == pytest.approx(total["pruning_factor"], rel=0.07)
    for row in layers:
        assert row["compress_rate_pct_PQH"] < row["compress_rate_pct_PQ"]


def test_derived_layer_checks_follow_from_tables_2_to_5():
    nets = paper.table("derived_layer_checks")["nets"]
    for net, name in LAYERS_OF.items():
        for check, row in zip(nets[net]["rows"], paper.table(name).rows, strict=True):
            assert check["layer"] == row["layer"]
            label = row["n_weights_label"]
            assert abs(check["n"] - number(label)) < UNITS[label[-1]]  # rounded or cut
            book = 100 * 2 ** row["weight_bits_PQ"] / check["n"]
            assert check["codebook_pct"] == pytest.approx(book, abs=6e-4)
            for stage in ("PQ", "PQH"):
                bits = row[f"weight_bits_{stage}"] + row[f"index_bits_{stage}"]
                entries = (row[f"compress_rate_pct_{stage}"] - book) * 32 / bits
                assert check[f"entries_pct_implied_{stage}"] == pytest.approx(entries, abs=0.06)
            density = row["weights_pct_P"] / 100
            jump = 2 ** row["index_bits_PQ"]
            expected = 100 * density / (1 - (1 - density) ** jump)
            assert check["entries_pct_expected_random_mask"] == pytest.approx(expected, abs=0.06)
            entropy = -(density * math.log2(density) + (1 - density) * math.log2(1 - density)) / density
            assert check["bernoulli_index_entropy_bits_per_nonzero"] == pytest.approx(entropy, abs=0.006)
        sizes = [check["n"] for check in nets[net]["rows"]]
        for stage in ("PQ", "PQH"):
            rates = [row[f"compress_rate_pct_{stage}"] for row in paper.table(name).rows]
            mean = np.average(rates, weights=sizes)
            assert nets[net][f"total_recomputed_pct_{stage}"] == pytest.approx(mean, abs=0.006)


def test_table_6_and_7_count_from_the_same_baseline():
    rows = paper.table("table6_alexnet_bits").rows
    base = rows[0]
    for row in rows[1:]:
        for top in ("top1", "top5"):
            assert row[f"{top}_err"] - base[f"{top}_err"] == pytest.approx(row[f"{top}_increase"], abs=1e-9)
    methods = paper.table("table7_alexnet_comparison").rows
    assert [methods[0][top] for top in ("top1_err", "top5_err")] == [base["top1_err"], base["top5_err"]]
    for row in methods:
        assert printed_as(number(methods[0]["size"]) / number(row["size"]), row["ratio"])


def test_derived_timing_follows_from_tables_8_and_9():
    times, powers = paper.table("table8_time_us"), paper.table("table9_power_w")
    derived = paper.table("derived_timing")
    assert times["layers"] == powers["layers"] == derived["layers"]
    for machine, found in derived["data"].items():
        t = {kind: np.array(column) for kind, column in times["data"][machine].items()}
        w = {kind: np.array(column) for kind, column in powers["data"][machine].items()}
        computed = {
            "speedup_b1": t["dense_b1"] / t["sparse_b1"],
            "speedup_b64": t["dense_b64"] / t["sparse_b64"],
            "energy_gain_b1": t["dense_b1"] * w["dense_b1"] / (t["sparse_b1"] * w["sparse_b1"]),
        }
        for name, values in computed.items():
            np.testing.assert_allclose(found[name], values, atol=0.0051)
            assert found[f"{name}_geomean"] == pytest.approx(geomean(values), abs=0.0051)


def test_figure_9_labels_follow_from_table_8():
    times = paper.table("table8_time_us")
    figure = paper.table("figure9_speedup_labels")
    machines = ("Core i7-5930k", "Titan X", "Tegra K1")
    bars = [times["data"][machine][f"{kind}_b1"] for machine in machines for kind in ("dense", "sparse")]
    speedups = np.array(bars[0]) / np.array(bars)  # (bar, layer)
    labels = list(figure["data"].values())
    for layer in range(6):
        assert all(printed_as(s, p) for s, p in zip(speedups[:, layer], labels[layer], strict=True))
    means = [geomean(row) for row in speedups]
    assert all(printed_as(s, p) for s, p in zip(means, figure["data"]["Geo Mean"], strict=True))


def test_figure_3_is_one_step_of_shared_weight_training():
    figure = paper.table("figure3_weight_sharing_example")
    index, gradient = np.array(figure["cluster_index"]), np.array(figure["gradient"])
    for cluster, before in figure["centroids"].items():
        total = gradient[index == int(cluster)].sum()
        assert figure["reduced_gradient"][cluster] == pytest.approx(total, abs=1e-9)
        assert figure["fine_tuned"][cluster] == pytest.approx(before - total, abs=1e-9)


def test_figure_5_sums():
    figure = paper.table("figure5_fc8_histograms")
    for field, total in (("weight_index", "sum_weight_counts"), ("index_diff", "sum_index_counts")):
        counts = figure[f"{field}_counts_1_to_32"]
        assert len(counts) == 32
        assert sum(counts) == pytest.approx(figure[total], rel=1e-4)
        p = np.array(counts) / sum(counts)
        name = f"entropy_{field.partition('_')[0]}_bits"
        assert figure["derived"][name] == pytest.approx(-(p * np.log2(p)).sum(), abs=0.006)


def test_the_authors_file_adds_up():
    found = paper.table("author_artifact_squeezenet")
    assert found["entries"] == found["nonzeros"] + found["filler_zeros"]
    assert found["fp32_bytes"] / found["bytes"]["file"] == pytest.approx(found["ratios_vs_fp32"]["file"], abs=0.006)


def test_a_table_is_a_copy():
    paper.table("table2_lenet300")["total"]["ratio_PQH"] = 1000
    assert paper.table("table2_lenet300")["total"]["ratio_PQH"] == 40


def test_unknown_names_and_missing_rows():
    with pytest.raises(DataError, match="table1_overview, table2_lenet300"):
        paper.table("table99")
    with pytest.raises(DataError, match="there are"):
        paper.table("_about")
    with pytest.raises(DataError, match="no rows"):
        _ = paper.table("figure2_relative_index_example").rows


@pytest.mark.parametrize(("content", "message"), [(None, "missing"), ("{", "damaged")])
def test_a_missing_or_damaged_file(tmp_path, monkeypatch, content, message):
    path = tmp_path / "tables.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(paper, "PATH", path)
    paper._load.cache_clear()
    try:
        with pytest.raises(DataError, match=message):
            paper.tables()
    finally:
        paper._load.cache_clear()


def test_the_file_is_plain_json_without_duplicate_names():
    def unique(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    json.loads(paper.PATH.read_text(encoding="utf-8"), object_pairs_hook=unique)


def test_layers_go_by_our_names():
    assert list(paper.layers("lenet-5")) == ["conv1", "conv2", "fc1", "fc2"]
    assert paper.layers("lenet-300-100")["fc3"]["layer"] == "ip3"
    assert paper.layers("alexnet")["fc6"]["weights_pct_P"] == 9
    assert {name for name, _ in paper.NETS.values()} == {row["net"] for row in paper.table("table1_overview").rows}
    with pytest.raises(DataError, match="no table of the layers of 'resnet'"):
        paper.layers("resnet")


def test_published_results_are_confirmed_and_say_what_they_count():
    for model, most in (("LeNet-300-100", 124), ("LeNet-5", 1513)):
        rows = paper.published(model)
        assert (rows[0]["method"], rows[0]["counts"]) == ("Deep Compression", "bytes")
        assert max(row["ratio"] for row in rows if row["counts"] == "bytes") == most
        assert all(row["confirmed"] and row["error_after"] > 0 for row in rows)
        assert {row["counts"] for row in rows} == {"bytes", "parameters"}
    assert paper.published("no such net") == []
