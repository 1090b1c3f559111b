"""Pictures of the pipeline: Figure 1 with the paper's numbers, bytes under the names that it gives the layers."""

import itertools

from dcviz import archive
from dcviz.chapters.ch07_full_pipeline import figures
from dcviz.evidence import paper
from dcviz.labkit import theme
from dcviz.pipeline import shipped


def test_figure_1_says_the_papers_sizes():
    numbers = paper.table("text_numbers") | {"pruning_factor_range": [2, 3]}
    _, axes = theme.figure(13, 3.2)
    said = [text.get_text().split("\n")[0] for text in figures.figure_1(axes, numbers)]
    assert said == ["2x to 3x", "27x to 31x", "35x to 49x"]
    assert {"prune", "share", "Huffman-code"} <= {text.get_text() for text in axes.texts}


def test_layers_are_called_as_in_the_paper_and_bytes_read_easily():
    _, axes = theme.figure(11, 4.2)
    bars = figures.byte_shares(axes, archive.describe(shipped.compressed_path("alexnet-cifar10")))
    assert [label.get_text() for label in axes.get_yticklabels()][:6] == [
        "conv1", "conv2", "conv3", "conv4", "conv5", "fc6",
    ]  # fmt: skip
    assert sum(bar.get_width() for bar in bars["weight bits"]) > 1e5
    assert axes.xaxis.get_major_formatter()(4e5) == "400 KB"
    _, axes = theme.figure(11, 4.2)
    figures.byte_shares(axes, archive.describe(shipped.compressed_path("lenet-5")))
    assert axes.get_yticklabels()[2].get_text() == "fc1"


def test_sizes_and_errors_stand_apart():
    figure, (left, right) = theme.figure(13, 4.6, columns=2, width_ratios=(1.15, 1))
    stages = [("dense", 1_066_516, 1.2), ("pruned", 113_394, 17.7), ("shared", 25_104, 15.7), ("coded", 20_195, 15.7)]
    figures.waterfall(left, stages, 1_066_516)
    figures.byte_shares(right, archive.describe(shipped.compressed_path("lenet-300-100")))
    right.set_xlim(0, 20_839)
    figure.canvas.draw()
    for texts in (left.texts, right.get_xticklabels()):
        boxes = [text.get_window_extent() for text in texts]
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes)), [text.get_text() for text in texts]
