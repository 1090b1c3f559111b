"""One look for every figure, view and caption: colours by role, fonts for the last row of a lecture hall.

The hues are Okabe and Ito's, which people with any common colour blindness can tell apart. Code asks
for a *role* ("pruned"), never for a colour, and a role always brings a second sign with it: a hatch for
areas, a dash pattern for lines, a marker for points. Colour never carries meaning alone.

    role("pruned").colour   -> '#D55E00'        ink on a white ground, contrast 3:1 or better
    role("pruned").dark     -> '#FF8A3D'        the same role on a dark ground
    bar_style("pruned")     -> {'facecolor': ..., 'hatch': '///', ...}   for bars, fills and patches
    line_style("paper")     -> {'color': ..., 'linestyle': '--', 'marker': 's', ...}
    figure(8, 4)            -> matplotlib Figure with its own Agg canvas; pyplot is never touched

This is a leaf module: it imports nothing of dcviz, and matplotlib only inside the functions.
"""

import functools
from dataclasses import dataclass

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "bluish green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "reddish purple": "#CC79A7",
}
GREY = "#767676"
LIGHT_GROUND, DARK_GROUND = "#ffffff", "#111111"  # JupyterLab's cell output, light and dark theme


@dataclass(frozen=True)
class Role:
    """How one thing is drawn: ink on a light and on a dark ground, hatch, dash pattern, marker."""

    colour: str
    dark: str
    hatch: str
    line: str
    marker: str


_blue, _vermillion, _green = OKABE_ITO["blue"], OKABE_ITO["vermillion"], OKABE_ITO["bluish green"]
_purple, _black = OKABE_ITO["reddish purple"], OKABE_ITO["black"]

ROLES = {
    # weights
    "kept": Role(_blue, OKABE_ITO["sky blue"], "", "-", "o"),
    "pruned": Role(_vermillion, "#FF8A3D", "///", "--", "x"),
    "centroid": Role(_purple, "#E6A5C8", "..", "-.", "D"),
    "retrained": Role(_green, "#2CC79B", "\\\\\\", ":", "^"),
    # whose number it is
    "ours": Role(_green, "#2CC79B", "", "-", "o"),
    "paper": Role(_black, "#FFFFFF", "xx", "--", "s"),
    "recorded": Role(GREY, "#B5B5B5", "...", ":", "^"),
    "guess": Role(_purple, "#E6A5C8", "++", "-.", "*"),
    # where the bits of a file go
    "weight bits": Role(_blue, OKABE_ITO["sky blue"], "", "-", "o"),
    "index bits": Role(_green, "#2CC79B", "\\\\\\", "--", "v"),
    "filler": Role(GREY, "#B5B5B5", "xxx", ":", "x"),
    "codebook": Role(_purple, "#E6A5C8", "..", "-.", "D"),
    "bias": Role(_vermillion, "#FF8A3D", "|||", "-", "^"),
    "header": Role(_black, "#FFFFFF", "---", "--", "s"),
    # the rest
    "dense": Role(GREY, "#B5B5B5", "", ":", "s"),
    "accent": Role(_vermillion, "#FF8A3D", "///", "-", "o"),
    "muted": Role(GREY, "#B5B5B5", "", ":", "."),
}

SERIES = tuple(
    Role(*parts)
    for parts in [
        (_blue, OKABE_ITO["sky blue"], "", "-", "o"),
        (_vermillion, "#FF8A3D", "///", "--", "s"),
        (_green, "#2CC79B", "\\\\\\", "-.", "^"),
        (_purple, "#E6A5C8", "..", ":", "D"),
        (_black, "#FFFFFF", "xx", "-", "v"),
        (GREY, "#B5B5B5", "++", "--", "P"),
    ]
)
"""Roles for a list of things without names of their own (layers, methods): take them in order."""

FONT = 15  # points in a figure shown at 100 pixels an inch: about 21 pixels
FONT_SMALL, FONT_LARGE = 13, 18
DPI = 100

RC = {
    "figure.dpi": DPI,
    "figure.facecolor": LIGHT_GROUND,
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "axes.titlesize": FONT_LARGE,
    "axes.labelsize": FONT,
    "axes.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#D0D0D0",
    "grid.linewidth": 0.8,
    "xtick.labelsize": FONT_SMALL,
    "ytick.labelsize": FONT_SMALL,
    "legend.fontsize": FONT_SMALL,
    "legend.facecolor": LIGHT_GROUND,  # no line of the grid goes through its words
    "legend.edgecolor": "none",
    "legend.framealpha": 1,
    "legend.handlelength": 2.4,
    "lines.linewidth": 2.5,
    "lines.markersize": 9,
    "hatch.linewidth": 1.2,
    "savefig.dpi": DPI,
}


ABOVE = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2, "columnspacing": 1.0, "borderaxespad": 0.2}
"""Where a legend lies on no curve, for axes without a title: `axes.legend(**theme.ABOVE)`."""


def role(name):
    """The `Role` called `name`. KeyError lists the roles there are."""
    try:
        return ROLES[name]
    except KeyError:
        raise KeyError(f"no role {name!r} in the theme; there are {', '.join(ROLES)}") from None


def series(i):
    """The i-th anonymous `Role`, starting over after the last."""
    return SERIES[i % len(SERIES)]


def line_style(name, **more):
    """Keywords for `Axes.plot`: colour, dash pattern and marker of a role."""
    r = role(name) if isinstance(name, str) else name
    return {"color": r.colour, "linestyle": r.line, "marker": r.marker, **more}


def bar_style(name, **more):
    """Keywords for bars and patches: pale fill, edge and hatch in the role's ink."""
    r = role(name) if isinstance(name, str) else name
    face = r.colour if not r.hatch else tint(r.colour)
    return {"facecolor": face, "edgecolor": r.colour, "hatch": r.hatch, "linewidth": 1.2, **more}


def tint(colour, amount=0.72):
    """`colour` mixed with white: tint('#000000', 0.5) -> '#808080'."""
    mixed = (round(c + (255 - c) * amount) for c in _rgb(colour))
    return "#" + "".join(f"{c:02X}" for c in mixed)


def figure(width=8.0, height=4.5, rows=1, columns=1, **subplots):
    """A Figure of `width` x `height` inches with its own Agg canvas, and its axes.

    Returns (figure, axes); axes as `Figure.subplots` gives them: one Axes, or an array. Keywords go
    to `Figure.subplots`. pyplot keeps a global list of figures, which widgets' threads would race for.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    use()
    fig = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, **subplots)


def halo():
    """Keywords of a text that is read on lines and points: white paper round its letters."""
    from matplotlib.patheffects import withStroke

    return {"path_effects": [withStroke(linewidth=4, foreground=LIGHT_GROUND)]}


def ticks(axis, places=None, text="{x:g}"):
    """Plain numbers on an axis, usually a logarithmic one, and nothing between them.

    places: where they stand, None for where matplotlib puts them; text: a format of ``x``, or a function (x, i) -> str.
    """
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    if places is not None:
        axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(text)
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


@functools.cache
def use():
    """Make this theme matplotlib's default, once.

    Once and for all rather than in a context: artists read the defaults whenever they are made, and
    a context that ends on one thread would take them away from another.
    """
    import matplotlib

    matplotlib.rcParams.update(RC)


DARK = (
    "body[data-jp-theme-light='false']",  # JupyterLab, Notebook, voila, exported pages
    "body.vscode-dark",
    "body.vscode-high-contrast:not(.vscode-high-contrast-light)",
    "html[theme='dark'] body",  # Colab
)
"""Where a front end says that its page is dark."""
SILENT = "html:not([theme]) body:not([data-jp-theme-light], [class*='vscode-'])"
"""A page that does not say whether it is dark: there the browser is asked."""


PICTURES = ":is(img.jp-needs-light-background, .dcviz-picture img)"
"""Where a page shows a `Picture`: the class that JupyterLab gives it, and that of exported pages and checks."""
PAPER = "invert(0.93) hue-rotate(180deg)"
"""CSS filter for pictures on a dark page: white paper turns dark, ink light, and the hues stay."""


def css():
    """CSS variables for the views, `--dcviz-pruned` etc., with other values on a dark page, in every front end.

    In VS Code ink and ground are the editor's own. Pictures by matplotlib, in labs and out of them (`Picture`), turn
    dark, too.
    """
    light, dark = [], []
    for name, r in ROLES.items():
        variable = "--dcviz-" + name.replace(" ", "-")
        light.append(f"{variable}: {r.colour};")
        dark.append(f"{variable}: {r.dark};")
    editor = [f"var(--vscode-editor-{part}, " for part in ("foreground", "background")]
    light += [f"--dcviz-ink: {editor[0]}#1a1a1a);", f"--dcviz-ground: {editor[1]}#ffffff);", "--dcviz-grid: #d8d8d8;"]
    dark += [f"--dcviz-ink: {editor[0]}#f2f2f2);", f"--dcviz-ground: {editor[1]}#111111);", "--dcviz-grid: #3a3a3a;"]
    light += ["--dcviz-soft: #f3f5f7;", "--dcviz-paper-filter: none;"]
    dark += ["--dcviz-soft: #1f2326;", f"--dcviz-paper-filter: {PAPER};"]
    shared = f"--dcviz-font: 'DejaVu Sans', Verdana, system-ui, sans-serif; --dcviz-size: {FONT + 3}px;"
    rules = f"{{}} :is(.dcviz, .dcviz-picture) {{{{ {' '.join(dark)} }}}} {{}} {PICTURES} {{{{ filter: {PAPER}; }}}}"
    told = rules.format(*2 * [f":is({', '.join(DARK)})"])
    asked = f"@media (prefers-color-scheme: dark) {{ {rules.format(SILENT, SILENT)} }}"
    return f":is(.dcviz, .dcviz-picture) {{ {' '.join(light)} {shared} }}\n{told}\n{asked}\n"


def _rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
