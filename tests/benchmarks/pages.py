"""Tables of docs that a command makes out of a record, and puts back where they stand.

Such a table stands on its page between ``<!-- recorded NAME -->`` and ``<!-- end of NAME -->``.
"""

from pathlib import Path

from dcviz.evidence import recordings
from dcviz.files import atomic_write

DOCS = Path(__file__).parents[2] / "docs"


def kept(name, rows):
    """The recording ``name`` of rows (dicts), each printed when it comes, by the program that makes it."""
    found = []
    for row in rows:
        found.append(row)
        print(row, flush=True)
    return recordings.keep(name, recordings.PROGRAMS[name], found)


def put(page, name, lines):
    """Replace the table ``name`` of a page (a Path) by these lines; ValueError if the page has no place for it."""
    before, _, after = _parts(page, name)
    text = "\n".join([before, *lines, after]).encode()
    atomic_write(page, lambda file: file.write(text))


def shown(page, name):
    """The lines that stand on a page as the table ``name``; ValueError if the page has no place for it."""
    return _parts(page, name)[1].splitlines()


def origin(recorded):
    """When, where and by what a record was made, as a sentence."""
    return f"Recorded {recorded.date} on {recorded.machine} by `{recorded.command}`."


def _parts(page, name):
    first, last = f"<!-- recorded {name} -->\n", f"\n<!-- end of {name} -->"
    text = page.read_text(encoding="utf-8")
    if text.count(first) != 1 or text.count(last) != 1:
        raise ValueError(f"{page.name} needs one place marked {first.strip()!r} and {last.strip()!r}")
    before, _, rest = text.partition(first)
    table, _, after = rest.partition(last)
    return before + first.rstrip("\n"), table, last.lstrip("\n") + after
