"""Run a notebook and keep each lab as its cell showed it: the widgets' state, ready for a page without a kernel.

A lab is saved at the moment its cell ends; what later cells do to it (a run, a revealed truth) is not in it.
"""

import copy
import os

from dcviz.labkit.base import BOUND

VIEW, SAVED = "application/vnd.jupyter.widget-view+json", "application/vnd.dcviz.lab+json"
REFERENCE = "IPY_MODEL_"
NOISE = {"_view_module", "_view_module_version", "_model_module", "_model_module_version", "_view_count", "_states"}


def execute(book, folder):
    """Run ``book`` in ``folder``; what shows a widget gets SAVED: {"root": id, "models": {id: state}, "bound": ...}.

    A state is the widget's traits, binary ones as {"base64": text}; "bound" is what the lab bound to each name of
    its state. No learner's progress is read or written.
    """
    from nbclient import NotebookClient

    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}})

    def keep(cell, cell_index, execute_reply):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if VIEW in data:
                root = data.pop(VIEW)["model_id"]
                data[SAVED] = {"root": root, "models": reachable(client, root), "bound": data.pop(BOUND, {})}

    client.on_cell_executed = keep
    client.execute(env={**os.environ, "DCVIZ_PROGRESS": "off", "DCVIZ_CAPTION": "beside"})
    book.metadata.pop("widgets", None)
    return book


def reachable(client, root):
    """{id: state} of a widget and all those it refers to, as the client knows them now."""
    found, waiting = {}, [root]
    while waiting:
        name = waiting.pop()
        if name in found or name not in client.widget_state:
            continue
        state = {k: v for k, v in client.widget_state[name].items() if k not in NOISE}
        state = copy.deepcopy(state)
        for buffer in client.widget_buffers.get(name, {}).values():
            place = state
            for step in buffer["path"][:-1]:
                place = place[step]
            place[buffer["path"][-1]] = {"base64": buffer["data"]}
        found[name] = state
        waiting += _references(state)
    return found


def _references(value):
    if isinstance(value, str):
        return [value.removeprefix(REFERENCE)] if value.startswith(REFERENCE) else []
    if isinstance(value, dict):
        value = list(value.values())
    return [name for item in value for name in _references(item)] if isinstance(value, list) else []
