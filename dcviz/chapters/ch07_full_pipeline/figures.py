"""The pipeline in pictures: bytes falling stage by stage, and what the bytes of a file are for."""

from contextlib import suppress

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator

from dcviz.errors import DataError
from dcviz.evidence import paper
from dcviz.evidence.memories import size_text
from dcviz.labkit import theme
from dcviz.labkit.markup import drawn
from dcviz.nets import models

SHORT = {
    "weight_bits": "weight bits",
    "index_bits": "index bits",
    "codebooks": "codebook",
    "biases": "bias",
    "kept": "bias",
    "weight_bits_fillers": "filler",
    "index_bits_fillers": "filler",
    "header": "header",
    "checksums": "header",
    "code_tables": "header",
    "lane_starts": "header",
}
"""Role in the theme of each part of a file."""
LEGEND = {
    "weight bits": "weights",
    "index bits": "index",
    "filler": "fillers",
    "codebook": "codebooks",
    "bias": "biases",
    "header": "tables, header, checks",
}


def waterfall(axes, stages, dense_bytes, shown=None, before=()):
    """Bars of file bytes on a log scale, one a stage, with bytes, ratio and error above. Returns the bars.

    stages: [(name, bytes, error in percent or None)], of which the first ``shown`` are drawn, None for all
    before: bytes of the stages of an earlier run, outlined in grey
    """
    places = np.arange(len(stages))
    bars = []
    for place, (name, size, error) in enumerate(stages[:shown]):
        role = "dense" if name == "dense" else theme.series(place - 1)
        bars.append(axes.bar(place, size, 0.62, **theme.bar_style(role))[0])
        text = f"{size:,} B\n{dense_bytes / size:.1f}x"
        if error is not None:
            text += f"\nerror {error:.2f}%"
        above = {"textcoords": "offset points", "ha": "center", "va": "bottom", "fontsize": theme.FONT_SMALL}
        axes.annotate(text, (place, size), (0, 6), **above)
    for place, size in enumerate(before[:shown]):
        axes.bar(place, size, 0.74, fill=False, edgecolor=theme.GREY, linewidth=1.5)
    axes.set_yscale("log")
    sizes = [*(size for _, size, _ in stages), *before]
    axes.set(ylim=(min(sizes) / 4, max(sizes) * 12), xlim=(-0.55, len(stages) - 0.45))
    axes.set_xticks(places, [name for name, _, _ in stages], fontsize=theme.FONT)
    axes.set_ylabel("bytes in the file (log scale)")
    theme.ticks(axes.yaxis, text=lambda size, _: size_text(size))
    return bars


def byte_shares(axes, breakdown):
    """One stacked bar a layer: what its bytes are for. Returns {role: bars}.

    Layers are called as in the paper where that has a table of the net.
    """
    called = {}
    with suppress(DataError):
        if not {layer.name for layer in breakdown.layers} <= paper.layers(breakdown.net).keys():
            called = models.paper_names(breakdown.net)  # a LeNet has the paper's names, and needs no torch
    places = range(len(breakdown.layers))
    left = np.zeros(len(places))
    bars = {}
    for role, label in LEGEND.items():
        sizes = np.array(
            [sum(size for part, size in layer.parts.items() if SHORT[part] == role) for layer in breakdown.layers]
        )
        bars[role] = axes.barh(places, sizes, 0.6, left=left, label=label, **theme.bar_style(role))
        left += sizes
    for place, total in enumerate(left):
        axes.annotate(f" {total:,.0f} B", (total, place), va="center")
    axes.set_yticks(places, [drawn(called.get(layer.name, layer.name)) for layer in breakdown.layers])
    axes.invert_yaxis()
    axes.set(xlim=(0, left.max() * 1.22), xlabel="bytes")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(lambda n, _: size_text(n) if n else "0")
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, handlelength=1.4, columnspacing=1.0)
    return bars


def figure_1(axes, numbers):
    """Figure 1 of the paper: the three steps, what each does, and how many times smaller the net is after it.

    numbers: the paper's ``text_numbers``. Returns the texts of the sizes.
    """
    steps = (
        ("prune", "fewer weights", "train\nfind what matters\nretrain", numbers["pruning_factor_range"]),
        ("share", "fewer bits a weight", "cluster\nmake the codebook\nretrain it", numbers["quantization_range"]),
        ("Huffman-code", "shorter words", "code the weights\ncode the gaps", numbers["total_range"]),
    )
    sizes = []
    for place, ((name, gain, inside, (low, high)), role) in enumerate(
        zip(steps, ("pruned", "weight bits", "index bits"), strict=True)
    ):
        style = theme.bar_style(role) | {"hatch": None, "facecolor": theme.tint(theme.role(role).colour, 0.75)}
        axes.barh(0, 2.1, 1.5, left=3.6 * place, **style)
        centre = 3.6 * place + 1.05
        axes.text(centre, 0.92, name, ha="center", va="bottom", fontsize=theme.FONT_LARGE, weight="bold")
        axes.text(centre, 0, inside, ha="center", va="center", fontsize=theme.FONT)
        axes.text(centre, -0.92, gain, ha="center", va="top", fontsize=theme.FONT)
        axes.annotate("", (3.6 * place + 3.5, 0), (3.6 * place + 2.2, 0), arrowprops={"arrowstyle": "-|>", "lw": 2})
        text = f"{low}x to {high}x\nsmaller"
        sizes.append(axes.text(3.6 * place + 2.85, 0.18, text, ha="center", va="bottom", fontsize=theme.FONT))
    axes.annotate("", (-0.1, 0), (-1.2, 0), arrowprops={"arrowstyle": "-|>", "lw": 2})
    axes.text(-0.65, 0.18, "dense\nnet", ha="center", va="bottom", fontsize=theme.FONT)
    axes.set(xlim=(-1.3, 10.8), ylim=(-1.5, 1.5))
    axes.set_axis_off()
    return sizes


def digits(axes, images, answers, labels):
    """A row of digits with a net's answers under them, wrong ones marked with a cross. Returns the texts."""
    axes.imshow(np.hstack(list(255 - images)), cmap="gray", vmin=0, vmax=255)
    texts = []
    for place, (answer, label) in enumerate(zip(answers, labels, strict=True)):
        right = answer == label
        ink = theme.role("ours" if right else "pruned").colour
        mark = f"{answer}" if right else f"✗ {answer}"
        x = 28 * place + 14
        texts.append(axes.text(x, 33, mark, ha="center", va="top", color=ink, fontsize=theme.FONT_LARGE))
    axes.set_axis_off()
    axes.set_ylim(44, -1)
    return texts


def journey_path(axes, one):
    """A weight's value through retraining and fine-tuning, its stages in numbers above. one: of `journey.table`."""
    xs, ys = zip(*one["path"], strict=True)
    style = {**theme.bar_style("pruned"), "alpha": 0.35}
    axes.axhspan(-one["band"], one["band"], **style, label="below the last cut's threshold")
    axes.axhline(0, color="black", linewidth=1)
    axes.plot(xs, ys, **theme.line_style("kept", marker="", label="the weight"))
    axes.plot(xs[-1:], ys[-1:], **theme.line_style("centroid", linestyle="", label="in the file"))
    for x, label in one["events"]:
        axes.axvline(x, color="black", linestyle="--", linewidth=1.2)
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        y, side = (-0.95, "bottom") if ys[-1] > 0 else (0.95, "top")  # where the path is not
        axes.text(x - 0.006, y, label, ha="right", va=side, fontsize=theme.FONT_SMALL, bbox=ground)
    axes.set(xlim=(0, 1.005), ylim=(-1, 1), xticks=[x for x, _ in one["under"]], ylabel="value")
    axes.set_xticklabels([label for _, label in one["under"]])
    axes.set_yticks([y for y, _ in one["ticks"]], [label for _, label in one["ticks"]])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=theme.FONT_SMALL)
    for i, (title, value, _) in enumerate(one["stages"]):
        place = {"ha": "center", "va": "bottom", "transform": axes.transAxes}
        axes.text((i + 0.5) / len(one["stages"]), 1.02, f"{title}\n{value}", fontsize=theme.FONT_SMALL, **place)


def journey_bits(axes, one):
    """The bytes around a weight's gap and code, its own bits inverted. one: of `journey.table`."""
    for row, word in enumerate(one["words"]):
        y = -row * 1.6
        axes.text(-0.5, y + 0.5, word["name"], ha="right", va="center", fontsize=theme.FONT)
        for i, byte in enumerate(word["bytes"]):
            mine = word["from"] < 8 * i + 8 and word["from"] + word["length"] > 8 * i
            weight = "bold" if mine else "normal"
            x = 9 * i
            axes.text(x + 4, y + 1.02, f"byte {word['first'] + i:,}", ha="center", va="bottom", fontweight=weight)
            axes.add_patch(Rectangle((x, y), 8, 1, fill=False, linewidth=3 if mine else 1))
            for bit, text in enumerate(f"{byte:08b}"):
                ours = word["from"] <= 8 * i + bit < word["from"] + word["length"]
                if ours:
                    axes.add_patch(Rectangle((x + bit, y), 1, 1, color="black"))
                ink = {"color": "white", "fontweight": "bold"} if ours else {"color": "black"}
                axes.text(x + bit + 0.5, y + 0.48, text, ha="center", va="center", fontsize=theme.FONT, **ink)
    axes.set(xlim=(-6.5, 45), ylim=(-1.8, 1.6))
    axes.axis("off")


def tensor_bytes(axes, names, before, after):
    """Bytes of tensors in the net and, where they are known, in the file: a pair of bars each, on a log scale."""
    rows = np.arange(len(names))
    axes.barh(rows - 0.2, before, 0.38, label="in the net", **theme.bar_style("dense"))
    known = [(i, size) for i, size in zip(rows, after, strict=True) if size]
    if known:
        places, sizes = zip(*known, strict=True)
        axes.barh(np.array(places) + 0.2, sizes, 0.38, label="in the file", **theme.bar_style("index bits"))
    axes.set_yticks(rows, [drawn(name, 30) for name in names])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="bytes (log scale)")
    sizes = [size for size in (*before, *after) if size]
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if sizes and max(sizes) > 100 * min(sizes) else (1, 2, 5)))
    theme.ticks(axes.xaxis, text=lambda size, _: size_text(size))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
