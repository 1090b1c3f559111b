"""How long a widget of ours lives: as long as somebody can reach it, or a cell that was not run again shows it.

ipywidgets and the kernel's list of comms hold every widget ever made, so a cell run 400 times keeps 400 labs. Here both
get weak references to our widgets, and what a cell shows is held on purpose, by the cell's id, until that cell is run
again. Python then frees a lab as it frees everything else, and ipywidgets' ``__del__`` tells the browser.
"""

import gc
import itertools
import sys
import weakref
from contextlib import contextmanager
from contextvars import ContextVar

from IPython import get_ipython
from ipywidgets.widgets import widget as registry

_shown = {}  # {cell's id: (the run, its tab, widgets that it showed)}; None for a front end that gives cells no id
_aside = {}  # {cell's id: widgets that another tab may still show}: of the last run in another tab than the last run's


FROM_PAGE = ContextVar("dcviz_from_page", default=False)
"""Whether what happens now answers a message of a page; else it is code that moves a lab."""

_number = itertools.count(1)


def collect_now_and_then():
    """Free what nobody can reach, at every tenth call: Python's collector counts objects, not a figure's megabytes."""
    if next(_number) % 10 == 0:
        gc.collect()


def _registered():
    return getattr(registry, "_instances", {})


@contextmanager
def held_weakly():
    """What is made inside is only weakly held by ipywidgets; gives a list, filled at the end with weak references."""
    before, made = set(_registered()), []
    try:
        yield made
    finally:
        for name in _registered().keys() - before:
            widget = _registered()[name]
            if not isinstance(widget, weakref.ProxyTypes):
                _registered()[name] = weakref.proxy(widget)
                widget.comm.on_msg(_weakly(widget._handle_msg))
                made.append(weakref.ref(widget))


def _weakly(method):
    reference = weakref.WeakMethod(method)

    def call(message):
        alive, before = reference(), FROM_PAGE.set(True)
        try:
            return None if alive is None else alive(message)
        finally:
            FROM_PAGE.reset(before)

    return call


def hold_shown(widget):
    """Keep ``widget`` until the cell that shows it now is run again; what an earlier run showed is let go.

    Outside a notebook nothing is kept. What goes on in the earlier one, with no button any more to stop it, is
    stopped by its ``halt(gone)``, unless another cell shows it, too. Where the earlier run was another tab's, that tab
    still shows it: it is told so, by its ``set_aside()``, and kept until a run changes the tab once more. A page loaded
    anew counts as another tab.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return
    parent = kernel.get_parent()
    header = parent.get("header", {})
    cell, run, tab = parent.get("metadata", {}).get("cellId"), header.get("msg_id"), header.get("session")
    before, its, held = _shown.get(cell, (run, tab, []))
    if cell is not None and before != run:
        old = [one for one in held if one is not widget]
        _forget_output(old)
        if its != tab:
            _aside[cell] = old
            for one in old:
                getattr(one, "set_aside", lambda: None)()
        held = []
        del _shown[cell]
        seen = {id(one) for _, _, shown in _shown.values() for one in shown}
        for one in old:
            if id(one) not in seen:
                getattr(one, "halt", lambda gone: None)(its == tab)
    if not any(one is widget for one in held):
        held.append(widget)
    _shown[cell] = run, tab, held


def let_go(widget):
    """No cell holds ``widget`` any more: for one that was closed."""
    if sys.is_finalizing():  # at a script's end nothing is left to take it out of
        return
    for held in [*(held for _, _, held in _shown.values()), *_aside.values()]:
        held[:] = [old for old in held if old is not widget]
    _forget_output([widget])


def _forget_output(widgets):
    """Take widgets out of IPython's history of outputs, ``Out[3]`` and ``_3``; names that the learner gave stay."""
    shell = get_ipython()
    outputs = {} if shell is None else shell.user_ns.get("_oh", {})
    for number, value in list(outputs.items()):
        if any(value is widget for widget in widgets):
            del outputs[number]
            for names in (shell.user_ns, shell.user_ns_hidden):
                if names.get(f"_{number}") is value:
                    del names[f"_{number}"]
