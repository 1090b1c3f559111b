"""From one source per chapter to the notebooks: student, instructor, lecture.

A source is a Python file in notebooks/source: ``# %%`` starts a code cell, ``# %% [markdown]`` a text cell whose
lines begin with ``# ``; ``# %% tags=["nbval-ignore-output"]`` tags a cell. Solutions stand between
``### BEGIN SOLUTION`` and ``### END SOLUTION``; the student edition has a stub there.

Cells with a solution carry nbgrader's metadata, and the instructor edition keeps the marks: it is what nbgrader
takes as the source of an assignment. Questions keep their answers back in the student edition alone: each of the
others calls `Prediction.open_all` in a cell of its own before its first code cell. Recorded numbers in the text are
tags: `dcviz.evidence.prose` fills them in.

A code cell tagged ``setup`` only prepares: imports, constants, a question's definition. Its code is collapsed, in
JupyterLab, Notebook and exported pages, until a reader opens it, and other tools find the tag ``hide-input``. Where a
learner is to read or change code, it is not.

The lecture edition is slides. A cell tagged ``slide``, ``subslide``, ``fragment``, ``notes`` or ``skip`` is just that;
one without such a tag stands on the slide of the cell before it. Three tags are for what only a lecture cuts finer: in
the other editions a cell tagged ``more`` is the end of the one before it, and one tagged ``lecture`` is not there.
After a ``question`` outputs are collapsed in JupyterLab, up to the next heading, until they are clicked. Code is hidden
but for exercises.
"""

import ast
import base64
import hashlib
import os
import re
import tempfile
from pathlib import Path

from dcviz.errors import DcvizError
from dcviz.evidence import prose
from dcviz.files import ROOT, atomic_write, check_writable

SOURCES = ROOT / "notebooks" / "source"
NOTES = ROOT / "docs" / "teaching"
EDITIONS = ("student", "instructor", "lecture")
SLIDE_TAGS = ("slide", "subslide", "fragment", "notes", "skip")
SETUP = "setup"
LECTURE_TAGS = (*SLIDE_TAGS, "more", "lecture", "question")

OPEN = "from dcviz.labs import Prediction\n\nPrediction.open_all()"

_SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION[ \t]*(\n|\Z)", re.S | re.M)
_MARKS = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*(\n|\Z)", re.M)
_CELL = re.compile(r"^# %%(?P<markdown> \[markdown\])?(?: tags=(?P<tags>\[.*\]))?[ \t]*$")


class SourceError(DcvizError, ValueError):
    """A chapter's source that is not there or cannot be read."""


def cells_of(source, edition="student"):
    """[(kind, text, tags)] of a source's text, kind "code" or "markdown", in an edition."""
    return [(kind, _text(kind, lines, edition), tags) for kind, lines, tags in _cells(source, edition)]


def _cells(source, edition):
    if edition not in EDITIONS:
        raise SourceError(f"edition must be one of {', '.join(EDITIONS)}, not {edition!r}")
    cells, lines = [], None
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith("# %%"):
            match = _CELL.match(line)
            if not match:
                raise SourceError(f"line {number}: {line!r} does not start a cell; see dcviz.classroom.editions")
            kind, tags = "markdown" if match["markdown"] else "code", re.findall(r'"([^"]*)"', match["tags"] or "")
            if edition != "lecture" and "lecture" in tags:
                lines = []
            elif edition != "lecture" and "more" in tags:
                if not cells or cells[-1][0] != kind:
                    raise SourceError(f"line {number}: {line!r} follows no {kind} cell that could go on")
                lines = cells[-1][1]
            else:
                lines = []
                cells.append((kind, lines, tags))
        elif lines is not None:
            lines.append(line)
    return cells


def _text(kind, lines, edition):
    if kind == "markdown":
        lines = [re.sub(r"^# ?", "", line) for line in lines]
    text = "\n".join(lines).strip("\n") + "\n"
    if edition == "student":
        text = _SOLUTION.sub(r"\1...  # your code here\n", text)
    elif edition == "lecture":
        text = _MARKS.sub("", text)
    return text.strip("\n")


def notebook(path, edition="student"):
    """The notebook (nbformat 4, not executed) that a source makes; cell ids depend on the source only."""
    import nbformat.v4 as v4

    path, made, asked = Path(path), [], False
    for kind, lines, tags in _cells(path.read_text("utf-8"), edition):
        text, metadata = _text(kind, lines, edition), {}
        exercise = kind == "code" and _MARKS.search("\n".join(lines))
        if kind == "markdown":
            text = prose.filled(text)
        if SETUP in tags:
            if exercise or kind != "code":
                raise SourceError(f"{path.name}: {text[:40]!r} is to be read, so no {SETUP}")
            metadata["jupyter"] = {"source_hidden": True}
            tags = ["hide-input" if tag == SETUP else tag for tag in tags]
        if exercise and edition != "lecture":
            metadata["nbgrader"] = _nbgrader(text)
        if edition == "lecture":
            metadata["slideshow"] = {"slide_type": next((tag for tag in tags if tag in SLIDE_TAGS), "-")}
            asked = (asked and not text.startswith("#")) or "question" in tags
            if kind == "code" and not exercise:
                metadata["jupyter"] = {"source_hidden": True}
                if asked and "question" not in tags:
                    metadata["jupyter"]["outputs_hidden"] = True
        made.append((kind, text, metadata, [tag for tag in tags if tag not in LECTURE_TAGS]))
    if edition == "lecture" and notes_of(path.stem):
        made.insert(1, ("markdown", notes_of(path.stem), {"slideshow": {"slide_type": "notes"}}, []))
    first = next((i for i, (kind, *_) in enumerate(made) if kind == "code"), None)
    if edition != "student" and first is not None:
        hidden = {"slideshow": {"slide_type": "skip"}, "jupyter": {"source_hidden": True}}
        made.insert(first, ("code", OPEN, hidden if edition == "lecture" else {}, []))
    cells = []
    for number, (kind, text, metadata, tags) in enumerate(made):
        make = v4.new_markdown_cell if kind == "markdown" else v4.new_code_cell
        cell = make(text, id=hashlib.sha256(f"{path.stem}/{number}".encode()).hexdigest()[:8], metadata=metadata)
        if tags:
            cell.metadata["tags"] = tags
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def notes_of(stem):
    """The instructor's page about a chapter, Markdown from docs/teaching; "" if there is none."""
    page = NOTES / f"{stem}.md"
    return page.read_text("utf-8") if page.is_file() else ""


def _nbgrader(text):
    """nbgrader's metadata of a cell with a solution: the learner writes here, a person gives the point.

    The verdict of the check stands in the cell's output when nbgrader has run it.
    """
    functions = [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    flags = {"grade": True, "points": 1, "locked": False, "solution": True, "task": False}
    return {"schema_version": 3, "grade_id": functions[0], **flags}


def execute(book, folder):
    """Run a notebook in ``folder`` and keep what survives without a kernel: text, HTML and pictures.

    No learner's progress is read or written, and a wrong answer to an exercise is an error.
    """
    from nbclient import NotebookClient

    from dcviz.labkit.figure_image import smaller  # with all widgets: `dcviz open` does not wait for them

    alone = {**os.environ, "DCVIZ_PROGRESS": "off", "DCVIZ_CHECKS": "raise"}
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute(env=alone)
    book.metadata.pop("widgets", None)  # with widget state nbconvert shows blanks in place of the pictures
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            data.pop("application/vnd.jupyter.widget-view+json", None)
            if "image/png" in data:
                data["image/png"] = base64.b64encode(smaller(base64.b64decode(data["image/png"]))).decode()
    return book


def sources(chapters=None):
    """Paths of the chapters' sources in reading order; ``chapters`` keeps those whose names begin so.

    SourceError if no chapter begins with one of ``chapters``, or there are no sources at all.
    """
    found = sorted(SOURCES.glob("[0-9][0-9]_*.py"))
    if not found:
        raise SourceError(f"no chapters lie in {SOURCES}")
    for begin in chapters or ():
        if not any(path.stem.startswith(begin) for path in found):
            raise SourceError(f"no chapter begins with {begin!r}; there are {', '.join(path.stem for path in found)}")
    return [path for path in found if not chapters or path.stem.startswith(tuple(chapters))]


def write(edition, out, chapters=None, run=True):
    """Write an edition's notebooks into folder ``out``; ``chapters`` keeps those whose names begin so.

    Returns the written paths. ``run=False`` writes them without outputs. SourceError for an unknown edition or chapter,
    OutputError, before anything is run, where nothing can be written in ``out``.
    """
    import nbformat

    if edition not in EDITIONS:
        raise SourceError(f"edition must be one of {', '.join(EDITIONS)}, not {edition!r}")
    out, wanted = Path(out), sources(chapters)
    check_writable(out)
    written = []
    for source in wanted:
        book = notebook(source, edition)
        if run:
            with tempfile.TemporaryDirectory() as folder:  # what a chapter writes, such as my-lenet.dcz, goes with it
                execute(book, folder)
        target = out / f"{source.stem}.ipynb"
        data = (nbformat.writes(book) + "\n").encode()
        atomic_write(target, lambda file, data=data: file.write(data))
        written.append(target)
    return written
