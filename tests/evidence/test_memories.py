"""The memories' file, and what budgets compute from it and from the paper's tables."""

import json

import pytest

from dcviz import archive, pipeline
from dcviz.errors import DataError, NetError
from dcviz.evidence import budgets, memories, paper
from dcviz.pipeline import shipped


def test_memories_are_sorted_sourced_and_of_known_kinds():
    found = memories.memories()
    assert [m.bytes for m in found] == sorted(m.bytes for m in found)
    assert len({m.name for m in found}) == len(found) >= 10
    assert {m.kind for m in found} == set(memories.KINDS)
    assert all(len(m.source) > 15 for m in found)


def test_sizes_read_as_on_the_data_sheet():
    sizes = {m.name: m.size for m in memories.memories()}
    assert sizes["STM32F407: SRAM"] == "192 KB"
    assert sizes["App over mobile data"] == "100 MB"
    assert memories.size_text(6_900_000) == "6.9 MB"
    assert memories.size_text(12) == "12 bytes"
    assert [memories.size_text(count) for count in (999, 999_499, 999_501)] == ["999 bytes", "999 KB", "1 MB"]


def test_a_missing_or_damaged_file_is_named(tmp_path, monkeypatch):
    memories._load.cache_clear()
    monkeypatch.setattr(memories, "PATH", tmp_path / "none.json")
    with pytest.raises(DataError, match="missing"):
        memories.memories()
    (tmp_path / "none.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        memories.memories()
    record = {"name": "x", "bytes": 1, "kind": "tape", "source": "", "checked": False}
    (tmp_path / "none.json").write_text(json.dumps({"memories": [record]}))
    with pytest.raises(DataError, match="unknown kind"):
        memories.memories()
    memories._load.cache_clear()


def test_paper_sizes_are_the_printed_ones():
    assert budgets.paper_bytes("alexnet", "dense") == 240e6
    assert budgets.paper_bytes("vgg-16", "coded") == 11.3e6
    table7 = {row["method"]: row for row in paper.table("table7_alexnet_comparison").rows}
    for stage, method in (("pruned", "Pruning (Han 2015)"), ("shared", "Pruning+Quantization")):
        printed = float(table7[method]["size"].removesuffix("MB"))
        assert budgets.paper_bytes("alexnet", stage) / 1e6 == pytest.approx(printed, abs=0.4)


@pytest.mark.parametrize("net", ["lenet-300-100", "lenet-5"])
def test_our_sizes_are_files_that_shrink_from_stage_to_stage(net):
    sizes = [shipped.bytes_after(net, stage) for stage in pipeline.STAGES]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == archive.describe(shipped.compressed_path(net)).file_bytes
    assert 0 < sizes[0] - shipped.compressed(net).dense_bytes() < 200


def test_no_file_no_size():
    with pytest.raises(NetError, match="vgg-16"):
        shipped.bytes_after("vgg-16", "dense")


def test_energy_of_the_papers_example():
    table = paper.table("energy_table_45nm_pj")
    watts = 20 * budgets.fetch_joules(1e9, 32, table["dram_32b"])
    assert watts == pytest.approx(paper.table("text_numbers")["dram_power_example_w"])
    assert budgets.arithmetic_joules(1e12) == pytest.approx(4.6)


def test_no_machine_reads_faster_than_its_memory():
    for row in budgets.implied_bandwidths():
        assert row["bytes_per_second"] < memories.bandwidths()[row["machine"]]
