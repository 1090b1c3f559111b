import numpy as np

from dcviz.chapters.ch10_how_small import bounds, figures
from dcviz.evidence import paper
from dcviz.labkit import theme
from dcviz.pipeline import shipped


def test_published_points_stand_where_they_were_published_and_say_what_they_count():
    _, axes = theme.figure(8, 5)
    figures.ground(axes, 15, 1500, (0.5, 1.2))
    rows = figures.published(axes, "LeNet-5")
    points = {tuple(np.ravel(line.get_data())): line for line in axes.lines if len(line.get_xdata()) == 1}
    for row in rows.values():
        line = points[row["error_after"], row["ratio"]]
        hollow = line.get_markerfacecolor() == "white"
        assert hollow == (row["counts"] == "parameters")
    assert {text.get_text() for text in axes.texts} == {str(number) for number in rows}


def test_the_frontier_tells_our_points_in_words():
    picture = figures.frontier_picture("LeNet-300-100", [(1.2, 125.0), (1.1, 45.0)], 1.05, [(1.3, 124.0)])
    assert "125x at 1.20%" in repr(picture)
    axes = picture.figure.axes[0]
    ours = next(line for line in axes.lines if line.get_label() == "our shipped files")
    assert ours.get_ydata().tolist() == [125.0, 45.0]
    ways = {tuple(map(tuple, (line.get_xdata(), line.get_ydata()))) for line in axes.lines}
    assert {((1.05, 1.2), (125.0, 125.0)), ((1.05, 1.1), (45.0, 45.0))} <= ways, "from the dense net's error to ours"


def test_of_files_that_leave_something_out_the_key_says_what():
    picture = figures.frontier_picture("LeNet-5", [(0.94, 1020.0)], 0.78)
    key = picture.figure.axes[1].texts[0].get_text()
    starred = [line for line in key.splitlines() if line.endswith("*")]
    rows = [row for row in paper.published("LeNet-5") if "note" in row]
    assert [row["size"] for row in rows] == ["1,694 bytes", "1,140 bytes"]
    assert [line.split("  ")[-1] for line in starred] == [f"{row['method']}*" for row in rows]
    assert all(row["note"] in " ".join(key.split()) for row in rows)


def test_bars_and_errors_of_the_steps():
    steps = [("plain", 900, 2.0), ("less", 500, 1.5)]
    picture = figures.steps_picture(steps)
    left, right = picture.figure.axes
    assert [bar.get_width() for bar in left.patches] == [900, 500]
    assert right.lines[0].get_xdata().tolist() == [2.0, 1.5]
    assert repr(picture) == "plain: 900 bytes, 2.00%; less: 500 bytes, 1.50%"


def test_the_bars_of_the_bound_add_up():
    table = bounds.whole(shipped.compressed("lenet-5-tiny"))
    _, axes = theme.figure(8, 4)
    bars = figures.bound_bars(axes, table)
    sums = sum(np.array([bar.get_width() for bar in part]) for part in bars.values())
    assert np.allclose(sums, table.loc["sum"], atol=3)
    assert list(bars) == list(bounds.PARTS)
    assert [text.get_text().strip() for text in axes.texts] == [f"{total:,}" for total in table.loc["sum"]]


def test_shuffled_masks_keep_their_number():
    layer = shipped.compressed("lenet-300-100").layers[0]
    axes = figures.mask_picture(layer, neurons=2).figure.axes
    counts = [int((~np.asarray(one.images[0].get_array(), bool)).sum()) for one in axes]
    assert counts[:2] == counts[2:]
