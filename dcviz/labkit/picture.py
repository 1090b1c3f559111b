"""A figure as a chapter shows it: a picture that survives without a kernel, and its message in words."""

import base64
import io

from PIL import Image

from dcviz.labkit.figure_image import encode
from dcviz.labkit.markup import html, visible, words

PAPER = {"needs_background": "light"}
"""Of a picture on white paper, for JupyterLab, which gives it a class; by it `theme.css` turns the paper dark."""

SHARP = 1.25
"""Pixels of a picture per pixel of the page: sharper on a projector at 150%, and the notebooks still fit the wheel."""


class Picture:
    """A matplotlib figure with its message in words, for text, tests and screen readers."""

    def __init__(self, figure, text):
        self.figure, self.text, self._png = figure, visible(text), b""

    def __repr__(self):
        return self.text

    def png(self):
        """The figure as `sharp` PNG bytes, drawn at the first call."""
        self._png = self._png or sharp(self.figure, exact=True)
        return self._png

    def _repr_mimebundle_(self, **_):
        png = self.png()
        return {"text/plain": self.text, "image/png": base64_of(png)}, about(png, self.text)


def sharp(figure, exact=False):
    """PNG bytes of a figure, SHARP pixels for each of its own; drawn once, where `savefig` draws twice."""
    dpi = figure.dpi
    figure.set_dpi(SHARP * dpi)
    figure.canvas.draw()
    png = encode(figure.canvas, exact, level=6)
    figure.set_dpi(dpi)
    return png


def base64_of(png):
    """PNG bytes as a notebook keeps them."""
    return base64.b64encode(png).decode("ascii")


def about(png, text):
    """What a notebook keeps beside a picture: its words, which nbconvert writes into its pages, and its width there."""
    return {"image/png": {"alt": text, "width": width(png)}, **PAPER}


def width(png):
    """Pixels of the page that a picture of SHARP pixels for each is wide."""
    with Image.open(io.BytesIO(png)) as picture:
        return round(picture.width / SHARP)


def img(png, text):
    """A picture as an HTML element of its width, with its words."""
    source = words(base64_of(png))
    return html('<img alt="{}" width="{}" src="data:image/png;base64,{}">', words(text), width(png), source)
