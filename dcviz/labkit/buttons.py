"""Buttons whose work is done in the browser: they go on in a page without a kernel."""

import anywidget
import traitlets

from dcviz.labkit.controls import HERE, css, script, synced


class Play(anywidget.AnyWidget):
    """Counts `value` up to `high`, one step every `interval` milliseconds; from the end it begins at `low`.

        play = Play(label="play the steps", high=24)
        lab.bind(play, "step")

    `steps` adds three buttons: their labels, for one step, to the end, and to the start.
    """

    _esm = script(HERE / "play.js")
    _css = css() + ".dcviz-play { display: flex; flex-wrap: wrap; gap: 8px; }"
    value = synced(traitlets.Int(0))
    low = synced(traitlets.Int(0))
    high = synced(traitlets.Int(0))
    interval = synced(traitlets.Int(700))
    label = synced(traitlets.Unicode("play"))
    steps = synced(traitlets.List(traitlets.Unicode()))
    disabled = synced(traitlets.Bool(False))

    def __init__(self, **state):
        super().__init__(**state)
        self.add_class("dcviz")
        self.add_class("dcviz-player")


class Download(anywidget.AnyWidget):
    """Gives the reader `data` as a file called `name`; off while there is none."""

    _esm = script(HERE / "download.js")
    _css = css()
    data = synced(traitlets.Bytes(b""))
    name = synced(traitlets.Unicode("file"))
    label = synced(traitlets.Unicode("Download"))

    def __init__(self, **state):
        super().__init__(**state)
        self.add_class("dcviz")
