"""A figure as a chapter shows it: a picture that survives without a kernel, and its message in words."""

import base64
import io

from dcviz.labkit.markup import visible

PAPER = {"needs_background": "light"}
"""Of a picture on white paper, for JupyterLab, which gives it a class; by it `theme.css` turns the paper dark."""


class Picture:
    """A matplotlib figure with its message in words, for text, tests and screen readers."""

    def __init__(self, figure, text):
        self.figure, self.text = figure, visible(text)

    def __repr__(self):
        return self.text

    def png(self):
        """The figure as PNG bytes."""
        out = io.BytesIO()
        self.figure.canvas.print_png(out)
        return out.getvalue()

    def _repr_mimebundle_(self, **_):
        data = {"text/plain": self.text, "image/png": base64.b64encode(self.png()).decode("ascii")}
        return data, {"image/png": {"alt": self.text}, **PAPER}  # nbconvert writes the words into its pages
