"""Numbers in a chapter's text come from where they were measured: a tag in the source, filled in when it is made.

    {{recorded/shipped_nets[name=lenet-5].file_bytes|,}}      a field of the one recorded row that fits
    {{paper/nips2015_pruning.alexnet_hours.train}}            quoted, from data/paper_tables.json
    {{paper/table4_alexnet[layer=fc6].weights_pct_P}}         of a table's rows, too
    {{computed/ch06_huffman.huffman_saves(lenet-5)|*100 .1f}} a function in a chapter's prose.py, arguments as texts

Behind the bar stands a format of Python, if need be after a factor (``*100``, ``/1e6``). Several conditions are parted
by semicolons. A tag that fits no number, or more than one, is an error: nothing is ever filled in by halves.
"""

import re
from importlib import import_module
from importlib.util import find_spec

from dcviz.errors import DataError, DcvizError
from dcviz.evidence import paper, recordings

TAG = re.compile(r"\{\{(recorded|paper|computed)/([^{}|]+)(?:\|([^{}]*))?\}\}")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]+)\]")
_FORMAT = re.compile(r"(?:([*/])([\d.e]+) )?(.*)")


class TagError(DcvizError, ValueError):
    """A tag in a chapter's text that names no number."""


def filled(text):
    """``text`` with every tag replaced by its number. TagError for a tag that names none, or that is misspelt."""
    text = TAG.sub(lambda match: written(number(match[1], match[2]), match[3] or ""), text)
    if left := re.search(r"\{\{ *(recorded|paper|computed)\b.{0,60}", text):
        raise TagError(f"{left[0]!r} is no tag; see dcviz.prose")
    return text


def shown(text):
    """``filled`` text as a cell shows it: Markdown."""
    from IPython.display import Markdown

    return Markdown(filled(text))


def number(kind, path):
    """The value that a tag names: kind "recorded", "paper" or "computed", and what stands behind the slash."""
    if kind == "computed":
        match = re.fullmatch(r"(ch\d\d_\w+)\.(\w+)\(([^()]*)\)", path)
        functions = computed(match[1]) if match else {}
        if not match or match[2] not in functions:
            raise TagError(
                f"{path!r} is no computed number; of this chapter there are {', '.join(functions) or 'none'}"
            )
        return functions[match[2]](*filter(None, (part.strip() for part in match[3].split(";"))))
    name = re.match(r"\w+", path)[0]
    try:
        whole = recordings.load(name).rows if kind == "recorded" else paper.table(name)
    except DataError as error:
        raise TagError(f"{kind}/{path}: {error}") from error
    return _follow(whole, path[len(name) :], f"{kind}/{path}")


def computed(chapter):
    """{name: function} of the numbers that a chapter's prose.py computes: its public functions, and no others."""
    name = f"dcviz.chapters.{chapter}.prose"
    if find_spec(f"dcviz.chapters.{chapter}") is None or find_spec(name) is None:
        return {}
    module = import_module(name)
    return {
        key: value
        for key, value in vars(module).items()
        if callable(value) and not key.startswith("_") and value.__module__ == name
    }


def _follow(value, steps, tag):
    place = 0
    while place < len(steps):
        match = _STEP.match(steps, place)
        if not match:
            raise TagError(f"{tag}: cannot read {steps[place:]!r}")
        place = match.end()
        if match[2]:
            value = row(value.rows if isinstance(value, paper.Table) else value, match[2], tag)
        elif isinstance(value, dict) and match[1] in value:
            value = value[match[1]]
        elif isinstance(value, list) and match[1].isdigit() and int(match[1]) < len(value):
            value = value[int(match[1])]
        else:
            raise TagError(f"{tag}: there is no {match[1]!r}")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TagError(f"{tag}: not one number, but {type(value).__name__}")
    return value


def row(rows, conditions, tag=""):
    """The one row of ``rows`` (dicts) with all fields as "key=value; key=value" says. TagError for none, or several."""
    wanted = [part.strip().split("=", 1) for part in conditions.split(";")]
    found = [one for one in rows if all(str(one.get(pair[0])) == pair[-1] for pair in wanted)]
    if len(found) != 1:
        raise TagError(f"{tag or conditions}: {len(found)} rows of {len(rows)} fit")
    return found[0]


def written(value, form=""):
    """A number as text: "" as it is, a format of Python, or a factor and a format ("*100 .1f", "/1e6 .2f").

    Below zero with a minus sign: written(-0.5) -> '−0.5'.
    """
    factor, by, form = _FORMAT.fullmatch(form).groups()
    try:
        if factor:
            value = value * float(by) if factor == "*" else value / float(by)
        text = format(value, form)
        return text if isinstance(value, str) else text.replace("-", "−")
    except (TypeError, ValueError) as error:
        raise TagError(f"{value!r} cannot be written as {form!r}: {error}") from error
