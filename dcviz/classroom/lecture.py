"""From a chapter's cells to slides: what is shown, what is said, and what is held back.

The rules, in the order in which they are tried:

- a ``#`` or ``##`` heading starts a slide, ``###`` a slide below it; a list, a table, a displayed formula, a
  paragraph with bold words and the first paragraph under a heading are shown; other paragraphs are the speaker's
  notes; what is too much for one slide goes on below it;
- a paragraph that ends with a colon leads in the next output and stands on its slide;
- a prediction and its lab are two slides: first the question, then the lab, and last the truth as a fragment;
  in JupyterLab all outputs after a question are collapsed, up to the next heading, until they are clicked;
- an exercise shows its solution with the check's verdict; any other code cell shows its output alone, and
  nothing if it has none.

A tag of SLIDE_TAGS in a source overrides all that for its cell.
"""

import ast
import math
import re

SLIDE_TAGS = ("slide", "subslide", "fragment", "notes", "skip")
LINES, WIDTH = 13.5, 66
"""Lines on a slide and characters in a line, at the size that the last row can read."""


def slides(kind, text, tags=(), exercise=False):
    """The cells that a cell of a source becomes: list of (kind, text, metadata)."""
    own = next((tag for tag in tags if tag in SLIDE_TAGS), None)
    if own is not None:
        return [_cell(kind, text, own, hidden=kind == "code" and not exercise)]
    if kind == "markdown":
        return _prose(text)
    if exercise:
        return [_cell(kind, text, "subslide")]
    question, rest = _apart(text)
    if rest is None:
        shows = bool(text.strip()) and _shows(ast.parse(text))
        return [_cell(kind, text, "subslide" if shows else "skip", hidden=True)]
    name, lab, truth = rest
    return [
        _cell(kind, question, "subslide", hidden=True),
        _cell(kind, lab, "subslide", hidden=True),
        _cell(kind, f"{name}.tell({truth})", "fragment", hidden=True),
    ]


def join(cells, notes=""):
    """Cells of a whole chapter, (kind, text, metadata, ...) each, as one lecture: changes their metadata.

    Lead-ins and short prose come onto the slide of what follows them, and ``notes`` under the first slide.
    """
    before, held = None, False
    for kind, text, metadata, *_ in cells:
        place = metadata["slideshow"]
        if before is not None and kind == "code" and place["slide_type"] == "subslide" and _fit(before, text, metadata):
            place["slide_type"] = "-"
        if place["slide_type"] not in ("notes", "skip"):
            before = text if kind == "markdown" else None
        question = kind == "code" and "Prediction(" in text
        held = (held and not text.startswith("#")) or question
        if held and not question and metadata.get("jupyter"):
            metadata["jupyter"]["outputs_hidden"] = True
    if notes:
        cells.insert(1, (*_cell("markdown", notes, "notes"), []))
    return cells


def _fit(prose, code, metadata):
    """Whether a cell's output (or an exercise's solution) comes onto the slide of the prose before it."""
    if prose.rstrip().endswith(":") or re.fullmatch("#+ .*", prose):
        return True
    taken = sum(map(lines, blocks(prose)))
    if "jupyter" not in metadata:  # an exercise: its code is shown, in smaller letters
        return taken + 0.75 * len(code.splitlines()) + 1.5 <= LINES
    last = ast.parse(code).body[-1]
    prints = not isinstance(last, ast.Expr) or ast.unparse(last).startswith("print(")
    return taken <= (LINES / 2 if "Prediction(" in code else 0 if "Lab(" in code else 8 if prints else 4)


def drop_empty(book):
    """Skip the code cells of an executed notebook that have nothing to show; returns the notebook."""
    for cell in book.cells:
        if cell.cell_type == "code" and not cell.outputs and cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata["slideshow"]["slide_type"] = "skip"
    return book


# prose ---------------------------------------------------------------------------------------------


class _Sheet:
    """Slides being filled: ``shown`` and ``said`` of the one at hand, ``made`` cells of those before."""

    def __init__(self):
        self.made, self.shown, self.said, self.start = [], [], [], "subslide"

    def close(self, start="subslide", carry=0):
        """End the slide; its last ``carry`` blocks go on to the next, which starts as ``start``."""
        carried, self.shown = self.shown[len(self.shown) - carry :], self.shown[: len(self.shown) - carry]
        if self.shown:
            self.made.append(_cell("markdown", "\n\n".join(self.shown), self.start))
            self.start = "subslide"
        if self.said:
            self.made.append(_cell("markdown", "\n\n".join(self.said), "notes"))
        self.shown, self.said = carried, []
        if start == "slide" or not carried:
            self.start = start if self.start != "slide" else "slide"

    def add(self, block):
        """Show a block here if it fits, else on the next slide; a list longer than a slide is divided."""
        begun = any(not shown.startswith("#") for shown in self.shown)
        if begun and self._beyond(block) and lines(block) <= LINES:
            self.close(carry=_leads(self.shown))
        for part in _parts(block) if self._beyond(block) else [block]:
            if self._beyond(part) and self.shown and not self.shown[-1].startswith("#"):
                self.close()
            self.shown.append(part)

    def _beyond(self, block):
        return sum(map(lines, self.shown)) + lines(block) > LINES


def _prose(text):
    sheet, everything, first = _Sheet(), blocks(text), True
    for block, after in zip(everything, [*everything[1:], ""], strict=True):
        level = len(re.match(r"#*", block)[0])
        if level:
            sheet.close("slide" if level <= 2 else "subslide")
        if level or first or _worth_showing(block, after):
            sheet.add(block)
        else:
            sheet.said.append(block)
        first = bool(level)
    if everything and everything[-1].endswith(":"):
        sheet.close(carry=_leads(sheet.shown))  # to the output of the cell after this one
    sheet.close()
    return sheet.made


def _leads(shown):
    """1 if the last block on a slide belongs to what comes next, else 0."""
    return int(any(not block.startswith("#") for block in shown[:-1]) and shown[-1].endswith((":", "?")))


def blocks(text):
    """Paragraphs, lists, tables, formulas and fenced code of a markdown text, in order."""
    found, fence = [[]], None
    for line in text.splitlines():
        mark = next((mark for mark in ("```", "$$") if line.lstrip().startswith(mark)), None)
        if fence is None and not line.strip():
            found.append([])
            continue
        if re.match(r"#+ ", line) and fence is None:
            found += [[line], []]
            continue
        if re.match(r"\s*([*-]|\d+\.) ", line) and fence is None and found[-1] and not _is_list(found[-1][0]):
            found.append([])
        found[-1].append(line)
        if fence is None and mark and not (mark == "$$" and _closes(line)):
            fence = mark
        elif fence and (fence in line):
            fence = None
    return ["\n".join(lines).rstrip() for lines in found if lines]


def lines(block):
    """About how many lines of a slide a block takes."""
    if _is_list(block):
        return sum(map(_lines_of_text, _parts(block)))
    if block.startswith("|"):
        return 1.5 * len(block.splitlines())
    if block.startswith("$$"):
        return 2.2 + 0.8 * block.count("\\\\")
    if block.startswith("#"):
        return 1.8
    return _lines_of_text(block)


def _lines_of_text(block):
    bare = re.sub(r"\]\([^)]*\)|[*`$\\]", "", " ".join(block.split()))
    return math.ceil(len(bare) / WIDTH) + 0.6


def _closes(line):
    return line.strip() != "$$" and line.rstrip().endswith("$$")


def _is_list(line):
    return re.match(r"\s*([*-]|\d+\.) ", line)


def _worth_showing(block, after):
    special = (_is_list(line) or line.startswith(("|", "$$", "```", ">")) for line in (block, after))
    return any(special) or "**" in block or block.endswith(":") or block[:1].islower()


def _parts(block):
    """A list's items one by one, anything else whole."""
    return re.split(r"\n(?=(?:[*-]|\d+\.) )", block) if _is_list(block) else [block]


# code ----------------------------------------------------------------------------------------------


def _cell(kind, text, slide_type, hidden=False):
    metadata = {"slideshow": {"slide_type": slide_type}}
    if hidden:
        metadata["jupyter"] = {"source_hidden": True}
    return kind, text, metadata


def _shows(tree):
    last = tree.body[-1] if tree.body else None
    return isinstance(last, ast.Expr) or any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "print" for node in ast.walk(tree)
    )


def _apart(text):
    """A cell with a prediction and its lab, in two: (question, (prediction, lab, lab's name)); else (text, None)."""
    tree = ast.parse(text)
    made = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "Prediction"
        and isinstance(node.targets[0], ast.Name)
    ]
    last = tree.body[-1] if tree.body else None
    if not made or not isinstance(last, ast.Expr) or last is made[0]:
        return text, None
    name, source = made[0].targets[0].id, text.splitlines()
    if isinstance(last.value, ast.Name) and last.value.id == name:
        return text, None
    head, tail = source[: made[0].end_lineno], source[made[0].end_lineno :]
    if isinstance(last.value, ast.Name):
        lab = last.value.id
    else:
        lab, at = "shown", last.lineno - made[0].end_lineno - 1
        tail[at] = f"shown = {tail[at]}"
        tail.append("shown")
    return "\n".join([*head, name]), (name, "\n".join(tail).strip("\n"), lab)
