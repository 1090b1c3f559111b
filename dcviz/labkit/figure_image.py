"""A matplotlib figure that lives in an `ipywidgets.Image`: made once, its artists updated in place.

A full draw of a figure costs some 35 ms and each text in it 15 more; drawing only what moved over a saved
background costs less than one. So name the artists that move, keep text out of them, and call `refresh`.
What changes many things at once does it within `drawn_once`.
"""

import contextlib
import contextvars
import io
import itertools

import ipywidgets as widgets
from PIL import Image

from dcviz.labkit.controls import LOCK

_numbers = itertools.count(1)
_waiting: contextvars.ContextVar[list | None] = contextvars.ContextVar("views to be drawn", default=None)


@contextlib.contextmanager
def drawn_once():
    """What is drawn anew within the block is drawn once, at its end, as it is then; after an error not at all."""
    if _waiting.get() is not None:
        yield
        return
    token = _waiting.set([])
    try:
        yield
        views = _waiting.get()
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


class FigureImage(widgets.Image):
    """Shows `figure`; after changing its artists call `refresh()`, or `redraw()` when anything else changed.

    moving   artists that change often (lines, images, patches; no text): drawn over a saved background
    alt      what the picture shows, in words; the lab's caption hands it to the page
    sharp    pixels of the picture per pixel of the page; more looks crisper on a laptop's display
    exact    keep every colour (slower): for photographs, not for charts
    """

    def __init__(self, figure, moving=(), alt="", sharp=1.5, exact=False):
        width, _ = figure.get_size_inches()
        super().__init__(format="png")
        self.alt = alt  # no tooltip: ipywidgets 8 fails to display an Image that has one
        self.exact = exact
        self._dpi = figure.dpi * sharp
        self.layout.width = f"{width * figure.dpi:.0f}px"
        self.layout.max_width = "100%"
        self.add_class("dcviz-figure")
        self.place = f"dcviz-figure-{next(_numbers)}"
        self.add_class(self.place)
        self.adopt(figure, moving)

    def adopt(self, figure, moving=()):
        """Show another figure of the same size in the same place (other axes, another layer's shape)."""
        figure.set_dpi(self._dpi)
        self.figure, self.moving = figure, list(moving)
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
    """A chart's PNG bytes with a palette of 256 colours, as `encode` makes them: a third of the size, to be kept."""
    with Image.open(io.BytesIO(png)) as picture:
        return png if picture.mode == "P" else _png(_few_colours(picture.convert("RGB")), optimize=True)


def _few_colours(picture):
    return picture.quantize(256, method=Image.Quantize.FASTOCTREE)


def _png(picture, **options):
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    return out.getvalue()
