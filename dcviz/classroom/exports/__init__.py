"""Chapters as web pages and slides that need neither a kernel nor a network.

    python -m dcviz export html OUT/         pages; what the mouse moves in a lab still moves
    python -m dcviz export slides OUT/       reveal.js slides of the lecture edition

Formulas become MathML, the labs are saved with their state (`snapshots`), and everything the pages
load lies in OUT/assets. Needs the packages of the extra "classroom".
"""

import importlib.util
import shutil
from pathlib import Path

from dcviz.classroom import editions, lecture
from dcviz.errors import DcvizError
from dcviz.files import atomic_write

HERE = Path(__file__).parent
KINDS = {"html": "student", "slides": "lecture"}
"""What can be exported, and the edition it is made of unless told otherwise."""


class ExportError(DcvizError, ValueError):
    """An export that cannot be made."""


def write(kind, out, chapters=None, edition=None):
    """Export chapters (by the beginning of their names; None for all) into folder ``out`` -> list of written pages.

    Raises ExportError for an unknown kind or edition, or if a package is missing.
    """
    from dcviz.classroom.exports import pages, snapshots

    if kind not in KINDS:
        raise ExportError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    edition = edition or KINDS[kind]
    if kind == "slides" and edition != "lecture":
        raise ExportError("slides are made of the lecture edition")
    out, work = Path(out), Path(out) / "assets"
    lay_assets(kind, work)
    written = []
    for source in editions.sources(chapters):
        book = snapshots.execute(editions.notebook(source, edition), out)
        if edition == "lecture":
            lecture.drop_empty(book)
        target = out / (f"{source.stem}.slides.html" if kind == "slides" else f"{source.stem}.html")
        text = pages.render(book, kind, source.stem).encode()
        atomic_write(target, lambda file, text=text: file.write(text))
        written.append(target)
    return written


def lay_assets(kind, folder):
    """Copy what pages of a kind load into ``folder``: our script and style, and reveal.js for slides."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("live.js", "page.css", *(("slides.js", "slides.css") if kind == "slides" else ())):
        shutil.copyfile(HERE / name, folder / name)
    if kind == "slides":
        home = reveal_home()
        for part in ("dist", "plugin/notes"):
            shutil.copytree(
                home / part,
                folder / "reveal" / part,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("*.map", "*.esm.js", "*.ttf", "*.eot"),
            )
        shutil.copyfile(home / "LICENSE", folder / "reveal" / "LICENSE")


def reveal_home():
    """Folder of the reveal.js files that the package sphinx-revealjs ships. ExportError without it."""
    found = importlib.util.find_spec("sphinx_revealjs")  # found, never imported: Sphinx itself is not needed
    home = Path(found.origin).parent / "_static" / "revealjs" if found else None
    if home is None or not (home / "dist" / "reveal.js").is_file():
        raise ExportError('reveal.js is not here: pip install "dcviz[classroom]" (package sphinx-revealjs)')
    return home
