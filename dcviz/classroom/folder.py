"""A folder with the chapters for one learner, and JupyterLab on it: ``dcviz open FOLDER``.

The folder looks like the repository, ``notebooks/`` and the pages that the chapters lead to, so that all links hold.
What the learner wrote is never replaced. A file ``notebooks/.dcviz-shipped.json`` remembers the fingerprint of every
file as it was put there; one that is still the same may be replaced by the next version of dcviz, and beside one that
was changed the next version is put under a name of its own.
"""

import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from dcviz.classroom import editions
from dcviz.errors import OutputError
from dcviz.files import INSTALLED, PACKAGE, ROOT, atomic_write, check_writable, read, read_json
from dcviz.labkit import theme

FIRST = "notebooks/00_start_here.ipynb"
SHIPPED = "notebooks/.dcviz-shipped.json"
MOST = 64 << 20
JUPYTER = Path(__file__).parent / "jupyter"
"""Defaults for JupyterLab: cells out of sight keep their labs, and no page asks for news or whether to build anew."""

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def place():
    """The folder if none is named: the checkout itself, else ``dcviz-workbook`` in the working folder."""
    return Path("dcviz-workbook") if INSTALLED else ROOT


def shipped():
    """{name in the folder, such as "docs/glossary.md": where it ships} of all chapters and of what they lead to."""
    found = {f"notebooks/{path.stem}.ipynb": ROOT / "notebooks" / f"{path.stem}.ipynb" for path in editions.sources()}
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        for link in _LINK.findall(_prose(found[name])):
            other = os.path.normpath(os.path.join(os.path.dirname(name), link)).replace(os.sep, "/")
            source = PACKAGE.parent / other if other.startswith("dcviz/") else ROOT / other
            if other not in found and source.is_file():
                found[other] = source
                waiting.append(other)
    return found


def fill(folder):
    """Put the chapters into ``folder``; returns what was done, a list of sentences, empty if all was there.

    OutputError where nothing can be written. In a checkout's own folder there is nothing to do.
    """
    folder = Path(folder)
    if folder.resolve() == ROOT:
        return []
    check_writable(folder, 16 << 20)
    known, said, new = _known(folder), [], 0
    for name, source in shipped().items():
        target, data = folder / name, read(source, MOST)
        mark = _fingerprint(name, data)
        there = _there(target, name)
        if there is None or (there != mark and there == known.get(name)):
            atomic_write(target, lambda file, data=data: file.write(data))
            new += there is None
            said += [] if there is None else [f"{name}: the new version, nothing of yours was in the old one"]
        elif there != mark and known.get(name) != mark:
            beside = _beside(target, name, mark)
            if not beside.exists():
                atomic_write(beside, lambda file, data=data: file.write(data))
            said.append(f"{name}: yours, left as it is; the new version is beside it, {beside.name}")
        known[name] = mark
        _remember(folder, known)
    return [f"{new} files put into {folder}"] * bool(new) + said


def open_lab(folder, options=()):
    """Fill ``folder`` and run JupyterLab on chapter 00 until it is stopped; ``options`` are its own, as texts.

    Its pages, and Notebook 7's, have the theme before a cell has run: a stored picture turns dark with them.
    OutputError as ``fill``, and where JupyterLab is not installed.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema has it build a parser for 3 s: Jupyter never asks it
    try:
        from jupyter_core.paths import jupyter_config_dir
        from jupyterlab.labapp import LabApp
    except ImportError as error:
        raise OutputError("JupyterLab is not here: pip install jupyterlab") from error
    for line in fill(folder):
        print(line, flush=True)
    paths = [str(JUPYTER), os.environ.get("JUPYTER_CONFIG_PATH")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    with tempfile.TemporaryDirectory() as styles:
        (Path(styles) / "custom.css").write_text(theme.css(), encoding="utf-8")
        styles = [os.path.join(jupyter_config_dir(), "custom"), styles]  # somebody's own custom.css goes first
        LabApp.launch_instance(
            [
                f"--ServerApp.root_dir={Path(folder).resolve()}",
                f"--LabApp.default_url=/lab/tree/{FIRST}",
                "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.custom_css=True",
                f"--ServerApp.tornado_settings={ {'static_custom_path': styles} }",
                *options,
            ]
        )


def _prose(path):
    """The text of a page, or of a notebook's text cells; "" for any other file."""
    if path.suffix == ".md":
        return read(path, MOST).decode("utf-8")
    if path.suffix != ".ipynb":
        return ""
    cells = read_json(path, MOST)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def _fingerprint(name, data):
    """What a person wrote in a file, as SHA-256: of a notebook the cells, for outputs are nobody's own words."""
    if name.endswith(".ipynb"):
        try:
            cells = [[cell["cell_type"], "".join(cell["source"])] for cell in json.loads(data)["cells"]]
            data = json.dumps(cells).encode()
        except (ValueError, TypeError, KeyError, RecursionError):
            pass  # no notebook any more: somebody's own
    return hashlib.sha256(data).hexdigest()


def _there(target, name):
    """The fingerprint of what lies in the folder; None if nothing does, "" for what cannot be read."""
    if not os.path.lexists(target):
        return None
    try:
        return _fingerprint(name, read(target, MOST))
    except OSError:
        return ""


def _beside(target, name, mark):
    """A free name for a new version beside a file, or the one under which that very version already lies there."""
    number = 1
    while True:
        beside = target.with_name(f"{target.stem} (new version{f' {number}' if number > 1 else ''}){target.suffix}")
        if _there(beside, name) in (None, mark):
            return beside
        number += 1


def _known(folder):
    try:
        known = read_json(folder / SHIPPED)
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(folder, known):
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"
    atomic_write(folder / SHIPPED, lambda file: file.write(text.encode()))
