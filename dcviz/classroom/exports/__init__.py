"""Chapters as web pages and slides that need neither a kernel nor a network.

    python -m dcviz export html OUT/         pages; what the mouse moves in a lab still moves
    python -m dcviz export slides OUT/       reveal.js slides of the lecture edition

Formulas become MathML, the labs are saved with their state (`snapshots`), and everything the pages
load lies in OUT/assets. Needs the packages of the extra "classroom".
"""

import importlib.util
import tempfile
from pathlib import Path

from dcviz.classroom import editions
from dcviz.errors import DcvizError
from dcviz.files import atomic_write, check_writable

HERE = Path(__file__).parent
KINDS = {"html": "student", "slides": "lecture"}
"""What can be exported, and the edition it is made of unless told otherwise."""


class ExportError(DcvizError, ValueError):
    """An export that cannot be made."""


def write(kind, out, chapters=None, edition=None):
    """Export chapters (by the beginning of their names; None for all) into folder ``out`` -> list of written pages.

    Raises ExportError for an unknown kind or edition, if a package is missing, or if OUT/assets is a symbolic link;
    SourceError for an unknown chapter; OutputError where nothing can be written in ``out``.
    """
    from dcviz.classroom.exports import pages, snapshots

    if kind not in KINDS:
        raise ExportError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    edition = edition or KINDS[kind]
    if kind == "slides" and edition != "lecture":
        raise ExportError("slides are made of the lecture edition")
    if edition not in editions.EDITIONS:
        raise ExportError(f"edition must be one of {', '.join(editions.EDITIONS)}, not {edition!r}")
    out, wanted = Path(out), editions.sources(chapters)
    check_writable(out, 16 << 20)
    lay_assets(kind, out / "assets")
    written = []
    for source in wanted:
        with tempfile.TemporaryDirectory() as folder:  # a chapter's own files go with it
            book = snapshots.execute(editions.notebook(source, edition), folder)
        target = out / (f"{source.stem}.slides.html" if kind == "slides" else f"{source.stem}.html")
        text = pages.render(book, kind, source.stem).encode()
        atomic_write(target, lambda file, text=text: file.write(text))
        written.append(target)
    return written


def lay_assets(kind, folder):
    """Copy what pages of a kind load into ``folder``: our script and style, and reveal.js for slides.

    Nothing is written where a symbolic link leads: a file's is replaced, a folder's is an ExportError.
    """
    for name in ("live.js", "page.css", *(("slides.js", "slides.css") if kind == "slides" else ())):
        _lay(HERE / name, folder / name, folder)
    if kind == "slides":
        home = reveal_home()
        for source in [home / "LICENSE", *(home / "dist").rglob("*"), *(home / "plugin" / "notes").rglob("*")]:
            if source.is_file() and not source.name.endswith((".map", ".esm.js", ".ttf", ".eot")):
                _lay(source, folder / "reveal" / source.relative_to(home), folder)


def _lay(source, target, folder):
    for place in target.parents:
        if place.is_relative_to(folder) and place.is_symlink():
            raise ExportError(
                f"{place} is a symbolic link: nothing is written through it; remove it, or choose another OUT"
            )
    atomic_write(target, lambda file: file.write(source.read_bytes()))


def reveal_home():
    """Folder of the reveal.js files that the package sphinx-revealjs ships. ExportError without it."""
    found = importlib.util.find_spec("sphinx_revealjs")  # found, never imported: Sphinx itself is not needed
    home = Path(found.origin).parent / "_static" / "revealjs" if found else None
    if home is None or not (home / "dist" / "reveal.js").is_file():
        raise ExportError('reveal.js is not here: pip install "dcviz[classroom]" (package sphinx-revealjs)')
    return home
