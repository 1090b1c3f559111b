"""The pipeline in pictures: bytes falling stage by stage, and what the bytes of a file are for."""

import numpy as np

from dcviz.labkit import theme
from dcviz.labkit.markup import drawn

SHORT = {
    "weight_bits": "weight bits",
    "index_bits": "index bits",
    "codebooks": "codebook",
    "biases": "bias",
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


def waterfall(axes, stages, dense_bytes):
    """Bars of file bytes on a log scale, one a stage, with bytes, ratio and error above. Returns the bars.

    stages: [(name, bytes, error in percent or None)]
    """
    places = np.arange(len(stages))
    bars = []
    for place, (name, size, error) in enumerate(stages):
        role = "dense" if name == "dense" else theme.series(place - 1)
        bars.append(axes.bar(place, size, 0.62, **theme.bar_style(role))[0])
        text = f"{size:,} B\n{dense_bytes / size:.1f}x"
        if error is not None:
            text += f"\nerror {error:.2f} %"
        axes.annotate(text, (place, size), (0, 6), textcoords="offset points", ha="center", va="bottom")
    axes.set_yscale("log")
    sizes = [size for _, size, _ in stages]
    axes.set(ylim=(min(sizes) / 4, max(sizes) * 12), xlim=(-0.55, len(stages) - 0.45))
    axes.set_xticks(places, [name for name, _, _ in stages], fontsize=theme.FONT)
    axes.set_ylabel("bytes in the file (log scale)")
    return bars


def byte_shares(axes, breakdown):
    """One stacked bar a layer: what its bytes are for. Returns {role: bars}."""
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
    axes.set_yticks(places, [drawn(layer.name) for layer in breakdown.layers])
    axes.invert_yaxis()
    axes.set(xlim=(0, left.max() * 1.22), xlabel="bytes")
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, handlelength=1.4, columnspacing=1.0)
    return bars


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
