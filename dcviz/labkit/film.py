"""Films: all that a lab shows while the mouse moves, played through by Python once and shown by the browser at once.

A lab's caption, pictures and entries follow what the mouse drags within a frame, with or without a kernel, and yet no
formula and no word is written twice: Python goes through the states that can be dragged to and notes what each shows,
as values of its widgets' traits. The browser looks the state up and sets them.
"""

import itertools
import json
import zlib

import anywidget
import traitlets

from dcviz.labkit.controls import DRAWING, HERE, LOCK, LabelledSlider, script, synced


class Film(anywidget.AnyWidget):
    """The frames of a lab for every state of its drivers; one of the lab's parts, though it draws nothing.

        def build(self):
            ...
            self.film = Film(
                {"threshold": (self.view, "threshold")},                     # what the mouse moves
                [(self.caption, "value"), (self.picture_view, "shapes")],    # what follows
            )
            return [self.view, self.picture_view, self.film]

        def tabulate(self):                   # the lab's base calls it, once the lab is on a page
            self.film.shoot(self.layer, {"threshold": grid}, self._frames)

        def _frames(self):                    # a list for each state: a value for each follower
            for threshold in grid:
                ...
                yield [self._words(threshold, ...), self.picture_view.where()]

    drivers      {name: (widget, trait)}; a `LabelledSlider` stands for its slider and its entry; of a choice among
                 options the browser has the "index" only
    followers    [(widget, trait)] of what the browser sets

    A lab whose question has no answer shows no frame, even if code moves it. What the mouse drags should
    stop at the tabulated values only, so that what is shown is exact. `heard` holds the drivers' values that the
    followers have from Python, `said` what they have; `Lab.refresh` sets both. The browser shows Python's values when
    it is at that state, so what only Python knows (a typed number between two rows) needs no frame; while Python is
    behind, the frame stays.

    What code sets is never undone by a move that the reader made before the browser had heard of it: code counts
    `moved` up, a message that moves a driver carries the count that the browser knew, and one of an older count is
    answered with what Python has. What follows is never taken from the browser.

    `resets` says which drivers another one sets when it moves, {name: {other: value}}: a new start goes to step 0.

    Where states cannot be listed, a `TableFilm` has a ``frameOf`` of its own instead of reel.js's, which adds up what
    Python tabulated.
    """

    _esm = script(DRAWING, HERE / "film.js", HERE / "reel.js", HERE / "table.js")
    drivers = synced(traitlets.Dict())
    followers = synced(traitlets.List())
    heard = synced(traitlets.Dict())
    said = synced(traitlets.List())
    resets = synced(traitlets.Dict())
    reel = synced(traitlets.Bytes(b""))
    repeated = synced(traitlets.Int(0))
    moved = synced(traitlets.Int(0))

    def __init__(self, drivers, followers, **more):
        self._sources, self._followers = dict(drivers), list(followers)
        super().__init__(
            drivers={name: ends([pair]) for name, pair in drivers.items()},
            followers=[ends([pair]) for pair in followers],
            **more,
        )
        self.add_class("dcviz-film")
        self.key, self._repeated = None, 0
        for widget in dict.fromkeys(part for one in self._sources.values() for part in _parts(one[0])):
            self._attend(widget)

    def _attend(self, widget):
        drivers, followers = (
            {trait for one, trait in pairs if widget in _parts(one)} for pairs in (self.settings, self._followers)
        )
        take = widget.set_state

        def set_state(state):
            with LOCK:
                state = {name: value for name, value in state.items() if name in drivers or name not in followers}
                late = drivers & state.keys() and state.get("dcviz_moved", [self.moved])[0] != self.moved
                take(state | widget.get_state(state.keys() & set(widget.keys)) if late else state)
                if late:
                    self.repeat()

        widget.set_state = set_state

    @property
    def settings(self):
        """[(widget, trait)] of the drivers."""
        return list(self._sources.values())

    def hear(self):
        """Note that the followers have Python's values for where the drivers are now."""
        with self.hold_sync():
            self.heard = {name: getattr(widget, trait) for name, (widget, trait) in self._sources.items()}
            self._say()

    def _say(self):
        self.said = [_plain(getattr(widget, trait)) for widget, trait in self._followers]

    def shoot(self, key, at, frames):
        """Film anew, unless `key`, what the frames depend on besides the drivers, is as it was.

        at        {driver: its values}; a row for each combination, the last name fastest. The browser takes the nearest
                  of numbers; of other values, the equal one
        frames    a function without arguments -> an iterable of lists, a value for each follower, row after row

        Raises ValueError if rows and frames do not fit.
        """
        if key == self.key:
            return
        self.reel = b""  # meanwhile nothing of the old one is shown
        at = [[name, [_plain(value) for value in at[name]]] for name in self._sources]
        frames = list(frames())
        rows = len(list(itertools.product(*(values for _, values in at))))
        if len(frames) != rows or any(len(frame) != len(self.followers) for frame in frames):
            raise ValueError(f"{rows} rows of {len(self.followers)} values, but {len(frames)} frames")
        self.develop(key, {"at": at, "frames": frames})

    def develop(self, key, table):
        """Send a table, and then once more what the followers have from Python.

        While the new table was made the browser had the old one, and may have shown its frames. Drivers are left alone:
        a reader may be at them.
        """
        self.reel, self.key = zlib.compress(json.dumps(table, separators=(",", ":")).encode(), 6), key
        self.repeat(self.moved != self._repeated)

    def repeat(self, drivers=True):
        """Send once more what the followers have from Python: the browser may show frames of its own.

        drivers    also those of them that drive: it takes back what a reader moves meanwhile
        """
        self._say()
        self._repeated = self.moved
        for widget, trait in self._followers:
            for part in _parts(widget):
                if part.has_trait(trait) and (drivers or (widget, trait) not in self.settings):
                    part.send_state(trait)
        self.repeated += 1

    def frame(self, row):
        """The values of the followers in a row, as the browser gets them: for tests."""
        return json.loads(zlib.decompress(self.reel))["frames"][row]


def ends(pairs):
    """[(widget, trait)] -> [[model id, trait]] of what a browser has: a labelled slider is its two parts."""
    parts = [(w, t) for widget, t in pairs for w in _parts(widget)]
    return [[widget.model_id, trait] for widget, trait in parts if widget.has_trait(trait)]


def _parts(widget):
    return widget.ends if isinstance(widget, LabelledSlider) else [widget]


def _plain(value):
    return value.item() if hasattr(value, "item") else value
