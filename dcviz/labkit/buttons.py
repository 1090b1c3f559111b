"""Buttons whose work is done in the browser."""

import anywidget
import traitlets

from dcviz.labkit.controls import HERE, LOCK, css, script, synced


class Play(anywidget.AnyWidget):
    """Counts `value` up to `high`, one step every `interval` milliseconds; from the end it begins at `low`.

        play = Play(label="play the steps", high=24)
        lab.bind(play, "step")

    `steps` adds three buttons: their labels, for one step, to the end, and to the start.
    """

    _esm = script(HERE / "play.js", style=css() + ".dcviz-play { display: flex; flex-wrap: wrap; gap: 8px; }")
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

    _esm = script(HERE / "download.js", style=css())
    data = synced(traitlets.Bytes(b""))
    name = synced(traitlets.Unicode("file"))
    label = synced(traitlets.Unicode("Download"))

    def __init__(self, **state):
        super().__init__(**state)
        self.add_class("dcviz")


class ChooseFile(anywidget.AnyWidget):
    """A button with which the reader hands over a file, however large: ``take(name, content)`` is called with it.

    accept      endings, as in ".pt,.dcz", that the page offers; others may come all the same
    """

    _esm = script(HERE / "choose_file.js", style=css())
    label, accept = (synced(traitlets.Unicode("")) for _ in range(2))

    def __init__(self, take, **state):
        super().__init__(**state)
        self.add_class("dcviz")
        self.take, self._choice, self._pieces = take, None, {}
        self.on_msg(self._heard)

    def _heard(self, _, piece, buffers):
        with LOCK:
            if self._choice != piece["choice"]:
                self._choice, self._pieces = piece["choice"], {}
            self._pieces[piece["at"]] = bytes(buffers[0])
            if sum(map(len, self._pieces.values())) == piece["size"]:
                content, self._pieces = b"".join(part for _, part in sorted(self._pieces.items())), {}
                self.take(piece["name"], content)
        self.send({"heard": piece["at"]})
