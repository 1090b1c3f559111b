"""Numbers in the chapters' text: filled in from where they were measured, and typed nowhere beside such a twin."""

import ast
import functools
import json
import re

import pytest

from dcviz.chapters import ROOMS
from dcviz.classroom import editions
from dcviz.evidence import paper, prose, recordings
from dcviz.files import ROOT


def afterwards(chapter):
    """The texts of a chapter that wait for an answer: what its answers.py gives to `shown`."""
    for path in (ROOT / "dcviz" / "chapters").glob(f"ch{chapter[:2]}_*/answers.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "shown":
                yield node.args[0].value


def test_tags_become_the_numbers_of_record_paper_and_computation(monkeypatch):
    rows = [{"net": "a", "bytes": 12345, "error": 0.125}, {"net": "b", "bytes": 5, "error": 0.5}]
    monkeypatch.setattr(recordings, "load", lambda name: recordings.Recorded(name, "", "", "", rows))
    monkeypatch.setattr(prose, "computed", lambda chapter: {"sum": lambda *parts: sum(map(float, parts))})
    text = "{{recorded/any[net=a].bytes|,}} bytes, {{recorded/any[net=a; bytes=12345].error|*100 .1f}}%"
    assert prose.filled(text) == "12,345 bytes, 12.5%"
    assert prose.filled("{{recorded/any.1.bytes}}, {{recorded/any[net=a].bytes|/1e3 .2f}} kB") == "5, 12.35 kB"
    assert prose.filled("{{computed/ch09_other_roads.sum(1; 2)|.0f}}") == "3"
    assert prose.filled("{{computed/ch09_other_roads.sum(1; -2.5)}}") == "−1.5"
    hours = paper.table("nips2015_pruning")["alexnet_hours"]["train"]
    assert prose.filled("{{paper/nips2015_pruning.alexnet_hours.train}}") == str(hours)
    assert prose.filled("$\\frac{{x}}{2}$") == "$\\frac{{x}}{2}$", "formulas are left alone"


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("{{recorded/no_such_thing[a=b].c}}", "cannot be read"),
        ("{{recorded/shipped_nets[name=lenet-9].file_bytes}}", "0 rows of"),
        ("{{recorded/shipped_nets[net=lenet-5].file_bytes}}", "3 rows of"),
        ("{{recorded/shipped_nets[name=lenet-5].bytes_of_file}}", "no 'bytes_of_file'"),
        ("{{recorded/shipped_nets[name=lenet-5]}}", "not one number"),
        ("{{recorded/shipped_nets[name=lenet-5].name|.1f}}", "cannot be written"),
        ("{{recorded/shipped_nets[name=lenet-5].file_bytes|*x ,}}", "cannot be written"),
        ("{{paper/table99.rows}}", "no table"),
        ("{{computed/nothing(1)}}", "no computed number"),
        ("{{computed/ch99_nowhere.nothing(1)}}", "no computed number"),
        ("{{computed/ch07_full_pipeline.nothing(1)}}", "training_factor"),
        ("{{computed/ch07_full_pipeline.cache(1)}}", "no computed number"),
        ("{{recorded/shipped_nets[name=lenet-5].file_bytes|,}", "is no tag"),
    ],
)
def test_a_tag_that_names_no_number_is_refused(tag, said):
    with pytest.raises(prose.TagError, match=re.escape(said)):
        prose.filled(f"so many: {tag} bytes")


@pytest.mark.parametrize("source", editions.sources(), ids=lambda path: path.stem)
def test_every_tag_of_a_chapter_names_a_number(source):
    for kind, text, _ in editions.cells_of(source.read_text("utf-8")):
        assert "{{" not in prose.filled(text) or kind == "code" or "$" in text
    for text in afterwards(source.stem):
        assert "{{" not in prose.filled(text)


def test_every_computed_number_is_used():
    everything = "\n".join(
        text for path in editions.sources() for text in (path.read_text("utf-8"), *afterwards(path.stem))
    )
    names = [f"{chapter}.{name}" for chapter in ROOMS for name in prose.computed(chapter)]
    assert len(names) > 10
    assert [name for name in names if f"computed/{name}(" not in everything] == []


# typed numbers that have a recorded twin --------------------------------------------------------------

SETTINGS = {
    "pixels",
    "steps",
    "examples",
    "seed",
    "k",
    "batch",
    "bits",
    "conv_bits",
    "fc_bits",
    "density",
    "temperature",
}
"""Fields of recorded rows that were chosen, not measured."""
MEANT = {  # (chapter, number): why it is no measurement although a recorded or quoted number looks the same
    ("06", "4.1"): "the shape of AlexNet's fc8, in millions",
    ("07", "1.6"): "410 floats in KB",
    ("07", "9,216"): "the shape of AlexNet's fc6",
    ("08", "9,216"): "the shape of AlexNet's fc6",
    ("08", "4,096"): "the shape of AlexNet's fc6",
    ("08", "5.6"): "4 bytes against 8 for 9%",
    ("10", "3.5"): "limit of an exercise, chosen",
    ("12", "1,024"): "pieces of words, chosen",
    ("12", "4,096"): "the shape of a large model's matrix",
    ("09", "1.3"): "made up, for the discussion",
    ("09", "1.6"): "made up, for the discussion",
    ("10", "1.5"): "density of the lab",
    ("10", "1.58"): "bar of a recipe, chosen",
    ("10", "1.9"): "bar of a recipe, chosen",
    ("10", "0.74"): "bar of a recipe, chosen",
}
NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?![\w,]*\d)")


def telling(text):
    """Numbers typed in prose that say much: decimals of two digits, others of three that are not round.

    Formulas, code, links and years are none.
    """
    text = re.sub(
        r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|\{\{.*?\}\}|arXiv:\S+|[Ss]ections? [\d.]+", " ", text, flags=re.S
    )
    for match in NUMBER.finditer(text):
        digits = re.sub(r"\D", "", match[0]).strip("0")
        if len(digits) >= (2 if "." in match[0] else 3) and not re.fullmatch(r"(19|20)\d\d", match[0]):
            yield match[0]


def printed(value, place):
    """(place, number) of every number in a table of the paper, however deep."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key != "source":
                yield from printed(part, f"{place}.{key}")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from printed(part, f"{place}.{at}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place, value


@functools.cache
def twins():
    """{text: where} of every number of every recording and of the paper's tables, written as prose writes numbers."""
    found = {}
    tables = json.loads((ROOT / "data" / "paper_tables.json").read_text("utf-8"))
    for name in tables.keys() - {"_about"}:
        for place, value in printed(tables[name], f"paper/{name}"):
            for text in (f"{value:,}", f"{value:g}", f"{value:.1f}", f"{value:.2f}"):
                found.setdefault(text, place)
    names = sorted(path.stem for path in (ROOT / "data" / "recorded").glob("*.json"))
    for name in names:
        for place, row in enumerate(recordings.load(name).rows):
            for key, value in row.items():
                if key not in SETTINGS and isinstance(value, int | float) and not isinstance(value, bool):
                    for text in (
                        f"{value:,}",
                        f"{value:.1f}",
                        f"{value:.2f}",
                        f"{100 * value:.1f}",
                        f"{value / 1e6:.2f}",
                    ):
                        found.setdefault(text, f"{name}, row {place}, {key}")
    return found


@pytest.mark.parametrize("source", editions.sources(), ids=lambda path: path.stem)
def test_no_number_is_typed_that_a_recording_or_the_paper_holds(source):
    cells, held = editions.cells_of(source.read_text("utf-8")), twins()
    texts = [text for kind, text, _ in cells if kind == "markdown"] + list(afterwards(source.stem))
    typed = [number for text in texts for number in telling(text)]
    assert [
        f"{number}: tag it, it is {held[number]}"
        for number in typed
        if number in held and (source.stem[:2], number) not in MEANT
    ] == []


def test_a_typed_twin_would_be_found():
    assert list(telling("It takes 33,095 bytes, `12,345`, $0.91^{16}$, in 2016 or 10 of 1,000; 18.83%.")) == [
        "33,095",
        "18.83",
    ]
    assert "33,095" in twins()
    assert "1.58" in twins(), "Table 1"


def test_what_is_meant_otherwise_is_still_typed():
    typed = {
        (source.stem[:2], number)
        for source in editions.sources()
        for kind, text, _ in editions.cells_of(source.read_text("utf-8"))
        for number in telling(text if kind == "markdown" else "")
    }
    assert MEANT.keys() - typed == set()


def test_the_readme_says_what_was_recorded():
    text = (ROOT / "README.md").read_text("utf-8")
    stages = {row["stage"]: row for row in recordings.load("alexnet_cifar10").rows}
    dense, small, printed = stages["dense"], stages["small, coded"], stages["paper, coded"]
    assert f"{small['ratio']:.0f} times smaller" in text
    assert (
        f"({small['test_error_percent']:.1f} against {dense['test_error_percent']:.1f}% of the test pictures)" in text
    )
    assert f"{dense['file_bytes'] / 1e6:.0f} MB in {printed['file_bytes'] / 1e6:.1f}" in text
