"""Why compress: sizes of memories, energy of operations and of one inference, synapses by age."""

import numpy as np

from dcviz.evidence.memories import KINDS, size_text
from dcviz.labkit import theme

MEMORY_ROLES = {"SRAM": "kept", "flash": "index bits", "DRAM": "pruned", "limit": "filler"}
"""How a kind of memory is drawn: a role of the theme, with its hatch."""
VERDICTS = {"paper": 3.0e10, "ours": 1.6e11}
"""Where the verdict columns stand on the axis of `memory_bars`, in bytes."""

_BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10]
_ENERGY = {1e-9: "1 nJ", 1e-6: "1 µJ", 1e-3: "1 mJ", 1e0: "1 J"}


def memory_bars(axes, memories):
    """A bar per memory on a logarithmic axis of bytes, and everything that a net's size moves over it.

    Returns {'paper': line, 'ours': line, 'fits': {who: line of ticks}, 'fails': {who: line of crosses}};
    move them with `show_sizes`. No text among them, so they can be redrawn alone.
    """
    for i, memory in enumerate(memories):
        axes.barh(i, memory.bytes, 0.62, left=0, **theme.bar_style(MEMORY_ROLES[memory.kind]))
    axes.set_xscale("log")
    axes.set(xlim=(1e3, 4e11), ylim=(len(memories) - 0.45, -0.75), xlabel="bytes, each step ten times more")
    axes.set_yticks(range(len(memories)), [f"{m.name}  {m.size}" for m in memories])
    theme.ticks(axes.xaxis, _BYTES, lambda size, _: size_text(size))
    axes.grid(axis="x")
    kinds = [kind for kind in KINDS if any(m.kind == kind for m in memories)]
    handles = [axes.barh(0, 0, **theme.bar_style(MEMORY_ROLES[kind])) for kind in kinds]
    artists = {"fits": {}, "fails": {}}
    for who in VERDICTS:
        style = theme.line_style(who, markersize=11, label=f"size: {who}", linewidth=3)
        (artists[who],) = axes.plot([np.nan] * 2, [-0.4, len(memories)], markevery=[0], zorder=5, **style)
        common = {"linestyle": "", "zorder": 5, "markersize": 15}
        (artists["fits"][who],) = axes.plot([], [], marker="$✓$", color=theme.role("kept").colour, **common)
        (artists["fails"][who],) = axes.plot([], [], marker="x", color=theme.role("pruned").colour, **common)
        artists["fails"][who].set(markersize=10, markeredgewidth=2.5)
        axes.text(VERDICTS[who], -0.85, who, ha="center", va="bottom", fontsize=theme.FONT)
    axes.text(7e10, -1.6, "does it fit?", ha="center", va="bottom", fontsize=theme.FONT, fontweight="bold")
    axes.legend(
        [*handles, artists["paper"], artists["ours"]],
        [*kinds, "size (paper)", "size (ours)"],
        loc="lower left",
        bbox_to_anchor=(-0.05, 1.0),
        ncols=3,
        columnspacing=1.4,
        handlelength=1.8,
    )
    return artists


def show_sizes(artists, memories, sizes):
    """Move the size lines and verdicts of `memory_bars`; sizes: {'paper': bytes or None, 'ours': ...}."""
    rows = np.arange(len(memories))
    capacity = np.array([memory.bytes for memory in memories])
    for who, at in VERDICTS.items():
        size = sizes.get(who)
        artists[who].set_xdata([np.nan if size is None else size] * 2)
        for key, chosen in (
            ("fits", size is not None and capacity >= size),
            ("fails", size is not None and capacity < size),
        ):
            y = rows[np.broadcast_to(chosen, rows.shape)]
            artists[key][who].set_data(np.full(y.shape, at), y)


def operation_bars(axes, table):
    """Energy of one operation at 45 nm, in picojoules on a logarithmic axis. Returns the bars."""
    names = {
        "int32_add": "32-bit integer add",
        "fp32_add": "32-bit float add",
        "register_file_32b": "register file, 32 bits",
        "int32_mult": "32-bit integer multiply",
        "fp32_mult": "32-bit float multiply",
        "sram_32b": "SRAM cache, 32 bits",
        "dram_32b": "DRAM, 32 bits",
    }
    values = [table[key] for key in names]
    memory = [key in ("register_file_32b", "sram_32b", "dram_32b") for key in names]
    bars = [
        axes.barh(i, value, 0.65, **theme.bar_style("pruned" if reads else "kept"))[0]
        for i, (value, reads) in enumerate(zip(values, memory, strict=True))
    ]
    for i, value in enumerate(values):
        axes.text(value * 1.15, i, f"{value:g} pJ", va="center", fontsize=theme.FONT)
    axes.set_xscale("log")
    axes.set(xlim=(0.05, 4000), ylim=(len(names) - 0.4, -0.6), xlabel="picojoules, each step ten times more")
    axes.set_yticks(range(len(names)), names.values(), fontsize=theme.FONT)
    theme.ticks(axes.xaxis, (0.1, 1, 10, 100, 1000))
    axes.grid(axis="x")
    axes.legend([bars[0], bars[2]], ["compute", "fetch from memory"], loc="upper right")
    return bars


def inference_bars(axes, rows):
    """Bars of energy per inference, one per (label, role). Returns them; set each one's width in joules."""
    bars = [axes.barh(i, 1, 0.62, **theme.bar_style(name))[0] for i, (_, name) in enumerate(rows)]
    axes.set_xscale("log")
    axes.set(xlim=(1e-10, 20), ylim=(len(rows) - 0.4, -0.6))
    axes.set_xlabel("energy of one inference")
    axes.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=theme.FONT)
    axes.set_xticks(list(_ENERGY), list(_ENERGY.values()))
    axes.minorticks_off()
    axes.grid(axis="x")
    return bars


def pruning_pairs(left, right, synapses, before, after):
    """The analogy: synapses by age at the left; a net's weights (millions) before and after, right."""
    ages = [row["age"] for row in synapses["rows"]]
    counts = [row["trillions"] for row in synapses["rows"]]
    _columns(left, ages, counts, [f"{n:,}" for n in counts], "trillion synapses", ("muted", "dense", "kept"))
    labels = [f"{n:.1f}" for n in (before, after)]
    _columns(right, ["trained", "pruned"], [before, after], labels, "million weights", ("dense", "kept"))


def _columns(axes, names, heights, labels, what, roles):
    for i, (height, label, name) in enumerate(zip(heights, labels, roles, strict=True)):
        axes.bar(i, height, 0.6, **theme.bar_style(name))
        axes.text(i, height, label, ha="center", va="bottom", fontsize=theme.FONT_LARGE)
    axes.set_xticks(range(len(names)), names, fontsize=theme.FONT)
    axes.set(ylabel=what, yticks=[], ylim=(0, 1.15 * max(heights)))
