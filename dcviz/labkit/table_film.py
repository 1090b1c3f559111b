"""Films of states that cannot be listed: the browser puts the frames together from a table that Python wrote."""

import json
import zlib

from dcviz.labkit.controls import DRAWING, HERE, script
from dcviz.labkit.film import Film


def assembled(*paths):
    """The script of a TableFilm; the last file defines ``frameOf(table, state, alone)`` -> a value for each follower.

    ``alone``: no Python answers, now or later.

    It adds up and picks out. Words and numbers are Python's: ``fill(template, words)`` puts them together.
    """
    return script(DRAWING, HERE / "film.js", *paths, HERE / "table.js")


class TableFilm(Film):
    """A `Film` with a table instead of a list of frames; a subclass has ``_esm = assembled(path)``."""

    def shoot(self, key, table):
        """Send what ``table()`` gives, a dict for JSON, unless `key` is as it was."""
        if key != self.key:
            self.develop(key, table())

    def table(self):
        """The table as the browser gets it: for tests."""
        return json.loads(zlib.decompress(self.reel))
