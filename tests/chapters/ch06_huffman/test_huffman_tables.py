"""Chapter 06's tables: AlexNet has its row, and a float's bytes side by side can be compressed."""

from dcviz.chapters.ch06_huffman import tables
from dcviz.evidence import recordings
from dcviz.pipeline import shipped


def test_alexnets_row_is_the_file_with_the_papers_densities():
    row = tables.whole_files().loc["alexnet"]
    size = shipped.compressed_path("alexnet-cifar10-paper").stat().st_size
    assert row[tables.HERE, "bytes, Huffman"] == f"{size:,}"
    stages = {one["stage"]: one["file_bytes"] for one in recordings.load("alexnet_cifar10").rows}
    saved = 100 * (1 - stages["paper, coded"] / stages["paper, shared"])
    assert abs(float(row[tables.HERE, "saved %"]) - saved) < 0.1
    assert tables.whole_files().loc["vgg-16"][tables.HERE, "saved %"] == ""


def test_bytes_of_floats_side_by_side_compress_better():
    table = tables.zipped_nets("lenet-300-100")
    assert table["dense float32"]["as it is"] == table["dense, byte planes"]["as it is"]
    for coder in ("zip", "xz", "bz2"):
        apart, together = (int(table[name][coder].replace(",", "")) for name in ("dense float32", "dense, byte planes"))
        assert together < 0.95 * apart
