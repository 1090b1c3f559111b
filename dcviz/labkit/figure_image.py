"""A matplotlib figure that lives in an `ipywidgets.Image`: made once, its artists updated in place.

A full draw of a figure costs some 35 ms and each text in it 15 more; drawing only what moved over a saved
background costs less than one. So name the artists that move, keep text out of them, and call `refresh`.
What changes many things at once does it within `drawn_once`.
"""

import contextlib
import contextvars
import io
import itertools
from typing import Any

import ipywidgets as widgets
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from dcviz.labkit import theme
from dcviz.labkit.controls import LOCK

_numbers = itertools.count(1)
TEXT = 18
"""Pixels of a lab's text where there is room, `--dcviz-size` of the theme: figures are designed for it."""
AREAS = (4, 4), (1, 20), (20, 1)
"""Pixels, high and wide, of one colour that make an area or a line, whose colour stays in `smaller`."""
EDGE, MOST = 32, 1 / 16
"""How far `smaller` moves an edge's colour, of 255; the share of a chart's pixels that are its edges, at most."""
LEAST = 0.95, 0.7
"""Shares of a figure's width and height below which its letters shrink: they would overlap."""
_waiting: contextvars.ContextVar[list | None] = contextvars.ContextVar("views to be drawn", default=None)


@contextlib.contextmanager
def drawn_once():
    """What is drawn anew within the block is drawn once, at its end, as it is then; after an error not at all."""
    if _waiting.get() is not None:
        yield
        return
    views: list = []
    token = _waiting.set(views)
    try:
        yield
    finally:
        _waiting.reset(token)
    for view in views:
        view.redraw()


def waits(view, anew=False):
    """Whether a view is to be drawn at the end of a `drawn_once`; `anew`: it is from now on, if there is one."""
    views = _waiting.get()
    if views is None:
        return False
    known = any(view is one for one in views)
    if anew and not known:
        views.append(view)
    return anew or known


class Fitted(widgets.DOMWidget):
    """What has its figure drawn for the width at which the page shows it, so that letters keep their size.

    `place` is a class of the page by which the widget is found.
    """

    figure: Any  # with an Agg canvas
    _design: tuple = (0.0, 0.0)  # pixels of the page that it was made for
    _room: tuple | None = None  # what `fit` was told last

    def redraw(self):
        """Draw everything anew."""
        raise NotImplementedError

    def _begin(self, figure, sharp):
        self._sharp = self._scale = sharp  # pixels of the picture per pixel of the page
        self._redesign(figure)
        self.layout.max_width = "100%"
        self.place = f"dcviz-figure-{next(_numbers)}"
        self.add_class(self.place)

    def fit(self, width, most=0, text=TEXT, ratio=1.0):
        """Draw the figure anew for a lab of so many pixels of the page; returns whether that changed it.

        most    pixels of height at most, 0 for any;  text   pixels of the lab's text;  ratio  of the display's pixels
        """
        self._room, before = (width, most, text, ratio), (self._shown, self._scale)
        self._measure()
        if (self._shown, self._scale) == before:
            return False
        self._resize()
        self.redraw()
        return True

    def _measure(self):
        """The size at which the figure is shown, from its design and the room."""
        shown = (*self._design, 1.0)
        if self._room is not None:
            width, most, text, ratio = self._room
            wide, high = min(self._design[0], max(width, 200)), self._design[1]
            high = min(high * wide / self._design[0], most or high)
            small = max(TEXT / text, LEAST[0] * self._design[0] / wide, LEAST[1] * self._design[1] / high)
            shown, self._scale = (round(wide), round(high), small), max(self._sharp, min(ratio, 2.0))
        self._shown, self.layout.width = shown, f"{shown[0]:.0f}px"

    def _redesign(self, figure):
        """Take another figure, of any size."""
        self.figure, design = figure, tuple(figure.dpi * inches for inches in figure.get_size_inches())
        if design != self._design:
            self._design = design
            self._measure()

    def _resize(self):
        """Give the figure the size that is shown."""
        wide, high, small = self._shown
        self.figure.set_dpi(theme.DPI / small * self._scale)
        self.figure.set_size_inches(wide * small / theme.DPI, high * small / theme.DPI)


class FigureImage(Fitted, widgets.Image):
    """Shows `figure`; after changing its artists call `refresh()`, or `redraw()` when anything else changed.

    moving   artists that change often (lines, images, patches), and texts over them: drawn over a saved background
    alt      what the picture shows, in words; the lab's caption hands it to the page
    sharp    pixels of the picture per pixel of the page; more looks crisper on a laptop's display
    exact    keep every colour (slower): for photographs, not for charts
    """

    def __init__(self, figure, moving=(), alt="", sharp=1.5, exact=False):
        super().__init__(format="png")
        self.alt = alt  # no tooltip: ipywidgets 8 fails to display an Image that has one
        self.exact = exact
        self.add_class("dcviz-figure")
        self._begin(figure, sharp)
        self.adopt(figure, moving)

    def adopt(self, figure, moving=()):
        """Show another figure in the same place (other axes, another layer's shape, more rows)."""
        self._redesign(figure)
        self.moving = list(moving)
        self._resize()
        for artist in self.moving:
            artist.set_animated(True)
        self.redraw()

    def redraw(self):
        """Draw everything anew: after a change of axes, labels or texts."""
        if waits(self, anew=True):
            return
        with LOCK:
            self.figure.canvas.draw()
            self._background = self.figure.canvas.copy_from_bbox(self.figure.bbox)
            self.refresh()

    def refresh(self):
        """Draw the moving artists over the background and send the picture."""
        if waits(self):
            return
        with LOCK:
            canvas = self.figure.canvas
            if self.moving:
                canvas.restore_region(self._background)
                for artist in self.moving:
                    artist.axes.draw_artist(artist)
            self.value = encode(canvas, self.exact)


def encode(canvas, exact=False, level=1):
    """PNG bytes of an Agg canvas as it is now.

    Fast by default: a palette of 256 colours takes a third of the time, and no eye sees it in a chart.
    `exact` keeps every colour, for photographs; a higher `level` (to 9) makes a smaller file, slowly.
    """
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    return _png(picture if exact else _few_colours(picture), compress_level=level)


def smaller(png):
    """PNG bytes of a chart to be kept: with a palette as `encode` makes it, of fewer colours at edges, packed well.

    Areas and long lines keep their colours; what lies between them, as on the rim of a letter, takes the nearest of
    those that stay, at most EDGE of 255 off in each channel. Where that would change much, it is no chart: as it was.
    """
    with Image.open(io.BytesIO(png)) as picture:
        few = picture if picture.mode == "P" else _few_colours(picture.convert("RGB"))
        index, colours = np.asarray(few), np.array(few.getpalette(), np.int16).reshape(-1, 3)
    apart = np.abs(colours[:, None] - colours).max(2)
    stay = np.zeros(len(colours), bool)
    for shape in AREAS:
        same = sliding_window_view(index, shape) == index[: 1 - shape[0] or None, : 1 - shape[1] or None, None, None]
        stay[index[: same.shape[0], : same.shape[1]][same.all((2, 3))]] = True
    often = np.bincount(index.ravel(), minlength=len(colours))
    for i in np.flatnonzero(often)[np.argsort(-often[often > 0], kind="stable")]:
        stay[i] |= apart[i, stay].min(initial=256) > EDGE
    nearest = np.where(stay, apart, 256).argmin(1)[index]
    if (nearest != index).mean() < MOST:
        few = Image.fromarray((np.cumsum(stay) - 1)[nearest].astype(np.uint8))
        least = max(stay.sum(), 17)  # up to 16 Pillow filters, and the file grows
        few.putpalette(np.resize(colours[stay], (least, 3)).astype(np.uint8).tobytes())
    return _png(few, optimize=True)


def _few_colours(picture):
    few, paper = picture.quantize(256, method=Image.Quantize.FASTOCTREE), picture.getpixel((0, 0))
    place, colours = 3 * few.getpixel((0, 0)), few.getpalette()
    few.putpalette([*colours[:place], *paper, *colours[place + 3 :]])  # pale tones had greyed it
    return few


def _png(picture, **options):
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    return out.getvalue()
