"""The setting before, or a pinned one, beside the present one: thin and grey in the picture, and in words."""

import anywidget
import traitlets

from dcviz.labkit.controls import HERE, script, synced
from dcviz.labkit.film import ends

LOOK = """
.dcviz-ghost { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 12px; }
.dcviz-ghost p { flex: 1 1 20em; margin: 0; color: var(--dcviz-ink); font: 16px var(--dcviz-font); opacity: 0.8; }
.dcviz-ghost button { font: 16px var(--dcviz-font); padding: 3px 10px; border-radius: 4px; cursor: pointer;
  color: var(--dcviz-ink); background: var(--dcviz-ground); border: 1px solid var(--dcviz-muted); }
"""


class Ghost(anywidget.AnyWidget):
    """Keeps what a lab showed before its setting moved, or what the reader pinned; one of the lab's parts.

        self.ghost = Ghost(self.film.settings, self.caption, self.figure_view)
        return [..., self.figure_view, self.film, self.ghost]

    settings    [(widget, trait)] of what makes a setting: when one moves and is let go, the setting before stays
    caption     the lab's words: those of the ghost stand beside them
    pictures    each `LinkedPicture` draws it, thin and grey; of other pictures there are the words only

    All is done in the browser, from what the lab showed: nothing that a question veils is in it, and it works in a page
    without a kernel. `Lab.reset` clears it.
    """

    _esm = script(HERE / "ghost.js", style=LOOK)
    settings = synced(traitlets.List())
    caption = synced(traitlets.Unicode())
    pictures = synced(traitlets.List(traitlets.Unicode()))
    cleared = synced(traitlets.Int(0))

    def __init__(self, settings, caption, *pictures):
        super().__init__(
            settings=ends(settings), caption=caption.model_id, pictures=[picture.model_id for picture in pictures]
        )
        self.add_class("dcviz")

    def clear(self):
        """Forget both; what is shown now is the next setting's before."""
        self.cleared += 1
