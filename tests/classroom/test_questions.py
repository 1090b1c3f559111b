"""Every question of every chapter: before a guess nothing tells the answer, after it guess and truth are shown.

The questions and their labs are found in the sources' syntax trees; a lab is built from its deep link.
"""

import ast
import contextlib
import functools
import inspect
import itertools
import re
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import matplotlib.text
import nbformat
import numpy as np
import pytest
from traitlets import TraitError

from dcviz import labs
from dcviz.archive import coders
from dcviz.chapters import ROOMS
from dcviz.chapters.ch02_pruning import measure as pruning_measure
from dcviz.chapters.ch03_sparse_storage import tables as storage_tables
from dcviz.chapters.ch04_weight_sharing import measure as sharing_measure
from dcviz.chapters.ch05_trained_quantization import measure as quantization_measure
from dcviz.chapters.ch06_huffman import tables as huffman_tables
from dcviz.chapters.ch08_speed_and_energy import phones, tables as speed_tables
from dcviz.chapters.ch09_other_roads import taylor
from dcviz.chapters.ch10_how_small import allocation
from dcviz.chapters.ch11_open_questions import measure as open_measure, tables as open_tables
from dcviz.chapters.ch12_today import bfloat16, measure as today_measure, roofline, scores
from dcviz.classroom import editions
from dcviz.evidence import budgets, memories, paper, recordings
from dcviz.files import ROOT
from dcviz.ideas import relative_index, sparse_formats
from dcviz.ideas.kmeans import compression_rate
from dcviz.labkit.base import plain
from dcviz.labkit.prediction import ASKED, Prediction
from dcviz.nets import transformer
from dcviz.pipeline import shipped


def _energies():
    return paper.table("energy_table_45nm_pj")


def _fc1_kept():
    return np.flatnonzero(storage_tables.paper_masks("lenet-300-100")["fc1"])


def _shared():
    from dcviz.pipeline.lesson import pruned_net

    weights = pruning_measure.retraining.weights_of(pruned_net("lenet-300-100"))["fc1"]
    return weights[weights != 0]


def _streams(net="lenet-300-100"):
    return coders.streams(shipped.compressed(net).layers[0])


def _seconds(method):
    rows = recordings.load("layer_times").rows
    return next(r["seconds"] for r in rows if (r["layer"], r["method"], r["batch"]) == ("alexnet/fc6", method, 1))


def _smallest_coder():
    sizes = coders.sizes(_streams()["gaps"])
    return min((size for size in sizes if size.coder in OPTIONS["ch06-coder"]), key=lambda s: s.bytes).coder


def _starts():
    return open_tables.start_groups(recordings.load("starts_finetuned").rows, "error_percent")[0]


def _gaps():
    stream = coders.streams(shipped.compressed("lenet-300-100-small").layers[0])[coders.GAPS]
    return coders.huffman_size(stream.symbols, stream.width).bytes


def _fewest_errors(budget):
    fits = [row for row in recordings.load("block_grid").rows if row["file_bytes"] <= budget]
    return f"{round(np.log2(min(fits, key=lambda row: row['error_percent'])['values']))} bits"


def _exponent():
    weights = [weight.detach().numpy() for weight in transformer.language_model().parameters()]
    return bfloat16.entropies(np.concatenate([bfloat16.patterns(weight) for weight in weights]))["exponent"]


def _pruned_best():
    rows = [r for r in recordings.load("today_pruning").rows if (r["pattern"], r["density"]) == ("free", 0.5)]
    return min((r for r in rows if r["way"] in scores.WAYS[:-1]), key=lambda r: r["bits_per_character"])["way"]


def _three_bits_lose():
    setting = {"bits": 3, "method": "k-means", "group": "layer", "apart": 0.0}
    rows = [r for r in recordings.load("today_sharing").rows if r.items() >= setting.items()]
    return rows[0]["bits_per_character"] - recordings.load("today_pruning").rows[0]["bits_per_character"]


def _file(name):
    return next(row for row in recordings.load("today_files").rows if row["name"] == name)


def _tokens(bits):
    return roofline.tokens_per_second(7e9, bits, 50e9, 1e12, 1)


TRUTHS = {
    "ch01-fits": lambda lab: lab.first_on_chip("alexnet"),
    "ch01-dram": lambda lab: round(_energies()["dram_32b"] / _energies()["fp32_add"]),
    "ch01-sram": lambda lab: 2e4 * budgets.fetch_joules(1e9, 32 / 35, _energies()["sram_32b"]),
    "ch01-delay": lambda lab: 1e3 * 4 * 9216 * 4096 / memories.bandwidths()["Tegra K1"],
    "ch02-one-sigma": lambda lab: pruning_measure.share_below_sigma("lenet-300-100", "fc1"),
    "ch02-method": lambda lab: pruning_measure.best(recordings.load("pruning_methods").rows, 0.02),
    "ch02-penalty": lambda lab: pruning_measure.better_penalty(recordings.load("pruning_penalties").rows, "before"),
    "ch02-alexnet": lambda lab: round(lab.kept_percent("classifier.1", quality=1.0), 1),
    "ch03-position": lambda lab: sparse_formats.width(235_200),
    "ch03-entries": lambda lab: str(relative_index.encode([1, 4, 15], 3).gaps.size),
    "ch03-best": lambda lab: relative_index.best_bits(_fc1_kept(), 6),
    "ch03-cluster": lambda lab: labs.IndexBitsLab(net="lenet-300-100", layer="fc1").against_shuffled(bits=5),
    "ch04-large": lambda lab: sharing_measure.best_for_large(_shared(), 13),
    "ch04-steps": lambda lab: sharing_measure.steps_until_still(_shared(), 8, "linear"),
    "ch04-optimum": lambda lab: sharing_measure.closest_to_optimum(
        sharing_measure.starts_against_optimum(_shared(), (32,))
    ),
    "ch05-figure3": lambda lab: f"{paper.table('figure3_weight_sharing_example')['fine_tuned']['3']:.2f}",
    "ch05-rate": lambda lab: compression_rate(16, 32, 4),
    "ch05-together": lambda lab: quantization_measure.fewer_mistakes(
        quantization_measure.figure7_curves(recordings.load("quantization_bits").rows, "all"), 2
    ),
    "ch06-mean-length": lambda lab: huffman_tables.huffman_length(_streams()["weight codes"]),
    "ch06-whole-file": lambda lab: round(100 * huffman_tables.whole_file_saving("lenet-300-100"), 1),
    "ch06-coder": lambda lab: _smallest_coder(),
    "ch08-csr": lambda lab: round(_seconds("dense") / _seconds("csr"), 2),
    "ch08-batch": lambda lab: speed_tables.crossover(recordings.load("layer_times").rows, "vgg-16/fc8", "csr"),
    "ch08-phone": lambda lab: phones.energy_falls("alexnet", "Tegra K1 (2014)"),
    "ch10-smallest": lambda lab: round(
        max(r["dense_bytes"] / r["file_bytes"] for r in recordings.load("shipped_nets").rows), 1
    ),
    "ch10-part": lambda lab: lab.best_coding(),
    "ch10-gaps": lambda lab: _gaps(),
    "ch10-allocation": lambda lab: _fewest_errors(1000),
    "ch11-update-bytes": lambda lab: open_tables.about(lab.sizes["codebook"]),
    "ch11-start": lambda lab: min(open_measure.STARTS, key=lambda start: _starts()[start][0][0]),
    "ch11-regularisation": lambda lab: open_tables.in_words(
        open_tables.gains(recordings.load("small_sets").rows, 250)["pruned", 0.2][0]
    ),
    "ch12-exponent": lambda lab: round(_exponent(), 2),
    "ch12-wanda": lambda lab: _pruned_best(),
    "ch12-three-bits": lambda lab: round(_three_bits_lose(), 3),
    "ch12-gain": lambda lab: round(_tokens(4.5) / _tokens(16), 2),
}
"""What is right, from the chapters' rooms."""
OPTIONS = {
    "ch02-method": pruning_measure.METHODS,
    "ch06-coder": ("fixed-length", "Huffman", "ANS", "zip", "bz2", "xz"),
    "ch10-allocation": [f"{bits} bits" for bits in allocation.BITS],
    "ch09-criterion": taylor.CRITERIA,
    "ch12-wanda": scores.WAYS[:-1],
}
"""What a source computes to choose from."""
RUNS = {"ch02-sensitive", "ch02-retrained", "ch04-two-values", "ch05-finetune", "ch07-stage", "ch07-own-net"} | {
    f"ch09-{name}" for name in ("rank", "criterion", "unseen")
}
"""Answered by a run of their lab: there is no truth before it."""


@dataclass(eq=False)
class Question:
    """A question in a source: its call, the lab in its cell (or None) and the place of that among the code cells."""

    key: str
    call: ast.Call
    lab: ast.Call | None
    path: Path
    cell: int

    def asked(self, truth=None):
        """The question as the source asks it, without the words that need its cell to run."""
        known = {}
        for word in self.call.keywords:
            try:
                known[word.arg] = ast.literal_eval(word.value)
            except ValueError:
                continue
        known.pop("key", None), known.pop("truth", None)
        if "options" not in known and any(word.arg == "options" for word in self.call.keywords):
            known["options"] = list(OPTIONS[self.key])
        return Prediction(self.key, truth=truth, **known)

    def made(self, guess):
        """The lab as the source builds it, from its deep link."""
        kind = getattr(labs, self.lab.func.id)
        names = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
        words = dict(zip(names, self.lab.args, strict=False)) | {word.arg: word.value for word in self.lab.keywords}
        kept = [ast.keyword(name, value) for name, value in words.items() if isinstance(value, ast.Constant)]
        link = ast.unparse(ast.Call(self.lab.func, [], kept))
        return labs.recreate(link, prediction=guess)


def questions():
    """Every `Question` of the sources."""
    for path in editions.sources():
        for at, (kind, text, _) in enumerate(editions.cells_of(path.read_text("utf-8"))):
            calls = [n for n in ast.walk(ast.parse(text if kind == "code" else "")) if isinstance(n, ast.Call)]
            lab = next((call for call in calls if any(word.arg == "prediction" for word in call.keywords)), None)
            for call in calls:
                if ast.unparse(call.func) == "Prediction":
                    key = next(word.value.value for word in call.keywords if word.arg == "key")
                    yield Question(key, call, lab, path, at)


EVERY = list(questions())
each = pytest.mark.parametrize("question", EVERY, ids=lambda question: question.key)


def tells(text, asked, truth, digits=1):
    """Whether a text gives the truth: a number that rounds to it, or its option alone among the options.

    With ``digits``: only a number that is written with at least so many, or with all that the truth has.
    """
    if asked.options is not None:
        named = [o for o in asked.options if re.search(rf"(?<![\w.,+-]){re.escape(str(o))}(?![\w,+-]|\.\d)", text)]
        return named == [str(truth)] and not str(truth).isdigit() and f"{truth} than" not in text
    for match in re.finditer(r"(?<![\w.,])(\d[\d,]*)(\.\d+)?(?![\w,]|\.\d)", text):
        decimals = len(match[2] or ".") - 1
        close = abs(float(match[0].replace(",", "")) - truth) <= 0.5 * 10**-decimals
        unit = bool(asked.unit) and re.match(rf" *{re.escape(asked.unit)}(?!\w)", text[match.end() :])
        said = len(re.sub(r"\D", "", match[0]).lstrip("0"))
        enough = said >= min(digits, len(re.sub(r"\D", "", f"{truth:.4g}").strip("0")))
        if close and enough and (unit or decimals or truth >= 100):
            return True
    return False


def texts_of(figure):
    """All words in a figure but the numbers along its axes."""
    ticks = {id(label) for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    found = figure.findobj(matplotlib.text.Text)
    return "\n".join(text.get_text() for text in found if id(text) not in ticks and text.get_visible())


@functools.cache
def book(stem):
    """A stored student notebook."""
    return nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", 4)


def texts(cell):
    """What a stored code cell shows, alternative texts included, without deep links and questions repeated."""
    for output in cell.get("outputs", ()):
        data, metadata = output.get("data", {}), output.get("metadata", {})
        for text in (output.get("text", ""), *(plain(str(v)) for k, v in data.items() if not k.startswith("image/"))):
            yield re.sub(rf"^{ASKED}.*$", "", re.sub(r"\w+Lab\(.*\)", "", text), flags=re.M)
        yield str(metadata)


@functools.cache
def shown(stem):
    """(place, text) of all that a chapter's stored cells show."""
    return [((stem[:2], at), text) for at, cell in enumerate(book(stem).cells) for text in texts(cell)]


def stored(question, others=True):
    """(place, text) of all that its chapter's stored cells show, and that other chapters' do."""
    for path in editions.sources():
        if path == question.path or others:
            yield from shown(path.stem)


_right = {}  # {a question's key: what is right}, once its lab was made


def opened(question):
    """A question, its lab as it opens, or None, and what is right; that is None where a run of the lab tells."""
    truth = TRUTHS.get(question.key, lambda lab: None)
    guess = question.asked(truth if question.lab else None)
    lab = question.made(guess) if question.lab else None
    _right[question.key] = truth(lab)
    return guess, lab, _right[question.key]


def right_of(question):
    """What is right, computed once a question; None where a run of its lab tells."""
    return _right[question.key] if question.key in _right else opened(question)[2]


def test_every_question_is_known_here():
    keys = [question.key for question in EVERY]
    assert len(set(keys)) == len(keys)
    assert set(keys) == TRUTHS.keys() | RUNS


@each
def test_no_truth_stands_in_the_code(question):
    for word in question.call.keywords:
        if word.arg == "truth":
            assert not isinstance(word.value, ast.Constant)
            body = word.value.body if isinstance(word.value, ast.Lambda) else word.value
            assert not isinstance(body, ast.Constant)
            break
    else:
        pytest.fail("no truth")


@each
def test_a_truth_that_a_run_gives_names_the_settings_of_that_run(question):
    if question.key in RUNS:
        truth = next(word.value for word in question.call.keywords if word.arg == "truth")
        assert isinstance(truth.body, ast.Call)  # not what a lab holds wherever it was moved
        assert truth.body.args or truth.body.keywords


def test_the_most_sensitive_layer_is_told_for_the_settings_that_the_question_shows():
    asked = next(question for question in EVERY if question.key == "ch02-sensitive")
    told = next(word.value for word in asked.call.keywords if word.arg == "truth").body
    shown = dict(zip(["net"], asked.lab.args, strict=True)) | {word.arg: word.value for word in asked.lab.keywords}
    named = inspect.signature(getattr(labs.SensitivityLab, told.func.attr)).parameters
    named = dict(zip([*named][1:], told.args, strict=False)) | {word.arg: word.value for word in told.keywords}
    assert {name: value.value for name, value in named.items()} == {name: shown[name].value for name in named}
    assert named.keys() == set(labs.SensitivityLab.state_names)


def parts(widget):
    """A widget and all that it is made of."""
    return [widget, *(part for child in getattr(widget, "children", ()) for part in parts(child))]


def code_moves(lab):
    """Move a waiting lab by code and back; what it shows of that to a reader, be it seen or spoken: [] if nothing.

    Its controls follow, behind a veil that is there before any of them moves.
    """
    opened, told = lab.state(), []

    def heard(change):
        one, name = change["owner"], change["name"]
        veiled, text = "dcviz-older" in lab._dom_classes, isinstance(change["new"], str)
        if one.trait_metadata(name, "sync") and not (one is lab and name == "_dom_classes"):
            told.extend([(type(one).__name__, name)] * (not veiled or (text and one is not lab.bar)))

    for part in parts(lab):
        part.observe(heard)
    moved = 0
    for name, value in opened.items():
        if isinstance(value, bool | int | float):
            for other in [not value] if isinstance(value, bool) else [value + 1, value * 0.9, value - 1]:
                with contextlib.suppress(TraitError):
                    setattr(lab, name, other)
                    moved += 1
                    break
    assert moved or not any(isinstance(value, int | float) for value in opened.values())
    assert "dcviz-older" in lab._dom_classes or not moved
    for name, value in opened.items():
        setattr(lab, name, value)
    for part in parts(lab):
        part.unobserve(heard)
    return told


@each
def test_before_a_guess_nothing_tells_and_after_it_both_are_shown(question):
    guess, lab, right = opened(question)
    if lab is not None:
        assert lab.waits
        assert code_moves(lab) == []
        shown = [repr(lab), plain(lab.caption.value), texts_of(lab.picture()), plain(guess.note.value)]
        assert [text for text in shown if right is not None and tells(text, guess, right)] == []
    else:
        guess.truth = lambda: right
    assert guess.options is None or right is None or right in guess.options
    guess.commit(guess.options[0] if guess.options else guess.entry.value)
    if lab is not None:
        assert not lab.waits
        assert {name: getattr(lab, name) for name in guess.at} == guess.at
        assert lab.error == ""
    note = plain(guess.note.value)
    assert guess._say(guess.guess) in note
    assert question.key in RUNS or guess._say(right) in note


TWINS = {
    "ch04-two-values": lambda: [
        min(
            (row for row in recordings.load("weight_sharing_bits").rows if (row["net"], row["bits"]) == ("pruned", 1)),
            key=lambda row: row["init"] != "linear",
        )["error_percent"]
    ],
    "ch06-mean-length": lambda: [coders.huffman_size(_streams()["weight codes"].symbols, 5).bytes],
    "ch10-smallest": lambda: [
        min(row["file_bytes"] for row in recordings.load("shipped_nets").rows),
        next(r["huffman"] for r in recordings.load("nnc_sizes").rows if r["name"] == "lenet-5-tiny"),
    ],
    "ch12-exponent": lambda: [
        8 * _file("bfloat16, exponents Huffman-coded")["bytes"] / today_measure.weights(),
        _file("bfloat16, exponents Huffman-coded")["bytes"],
    ],
    "ch12-three-bits": lambda: [_file("shared: k-means, 3 bits, Huffman")["bits_per_character"]],
}
"""Other numbers that answer as well: of a run that was recorded, or what one step of arithmetic makes the answer of."""
SAID = {
    "ch02-sensitive": r"the most sensitive|conv1.{0,20}(?:suffers|must keep|hurts)",
    "ch02-method": r"[Gg]radual cuts lead|as many errors as gradual",
    "ch02-penalty": r"L[12] (?:does|is|leaves the) (?:better|lower)",
    "ch03-entries": r"filler: position|filler at",
    "ch03-cluster": r"more evenly\*? than|as for our nets|Clusters cannot|The same holds",
    "ch04-two-values": r"Surprised\?",
    "ch04-large": r"rounded away",
    "ch04-optimum": r"ends \*\*(?:farthest|closest|nearest)",
    "ch05-together": r"the pruned net even suffers|where the\s+net is not pruned",
    "ch07-stage": r"heavy lifting",
    "ch07-own-net": r"left alone now weighs",
    "ch08-batch": r"get that far",
    "ch11-update-bytes": r"a few hundred numbers",
    "ch11-start": r"yet answers no better",
    "ch11-regularisation": r"no gain that outgrows|go for nothing",
    "ch12-exponent": r"[Tt]wo thirds|a third (?:smaller|of bfloat16)(?! is air)",
    "ch12-wanda": r"Wanda\s+beats|rows are not better",
}
"""Words that give a question's answer; they may stand in its chapter's last section only."""
LAST = r"^## (?:What to take home|Summary|5 · The whole workbook)"
WORDS = {"ch03-best": r"best b fc1", "ch03-cluster": r"shuffled [\d,]+|were it random"}
"""What stands above numbers that answer."""
SUBJECTS = {
    "ch01-dram": "DRAM",
    "ch01-sram": "SRAM",
    "ch01-delay": "Tegra",
    "ch02-one-sigma": "std|sigma|deviation",
    "ch02-alexnet": "std|sigma|quality",
    "ch03-position": "position",
    "ch03-best": "gap",
    "ch04-steps": "steps",
    "ch05-rate": "n = 16|16 weights",
    "ch06-mean-length": "fc1 ",
    "ch06-whole-file": "lenet-300-100.*saved",
    "ch08-csr": "csr|CSR",
    "ch08-phone": "Tegra",
    "ch10-smallest": "lenet-5",
    "ch10-gaps": "lenet-300-100-small",
    "ch12-exponent": "exponent",
    "ch12-three-bits": "k-means",
    "ch12-gain": "4.5 bits",
}
"""What another chapter's output must speak of for its number to be the answer."""
MEANT = {
    ("ch01-delay", "01", "10.1 MB"): "the memory of a chip",
    ("ch03-best", "06", "Fixed length 6 bits"): "the width of the gaps in our file, whichever would be best",
    ("ch04-large", "04", "8 centroids from linear"): "the start that LloydLab's cell sets",
    ("ch04-optimum", "04", "8 centroids from density"): "the start that LloydLab's cell sets",
    ("ch06-mean-length", "07", "asked in 06 4.34"): "index bits of fc1: its gaps take as many bits as its codes",
}
"""(question, chapter, text): why it may stand there although it looks like the answer."""


@each
def test_no_stored_cell_of_any_chapter_tells(question):
    guess, right = question.asked(), right_of(question)
    twins, number, found = TWINS.get(question.key, list)(), Prediction("?", low=0.0, high=1e9), []
    for (chapter, at), text in stored(question, others=guess.options is None):
        here = chapter == question.path.stem[:2]
        near = here and question.cell <= at <= question.cell + 3
        digits = 1 if near else 2 if here else 3
        for key, meant in ((key[2], key[1]) for key in MEANT if key[0] == question.key):
            text = text.replace(key, "") if meant == chapter else text
        told = right is not None and tells(text, guess, right, digits)
        told = told and (here or re.search(SUBJECTS[question.key], text))
        for twin in twins:
            told = told or (here and tells(text, number, twin, 3))
        if told or (here and re.search(WORDS.get(question.key, r"(?!)"), text)):
            found.append((chapter, at, text[:200]))
    assert found == []


@each
def test_no_text_of_its_chapter_tells_a_number(question):
    guess, right = question.asked(), right_of(question)
    if guess.options is not None or right is None:
        return
    cells = book(question.path.stem).cells
    prose = {at: cell.source for at, cell in enumerate(cells) if cell.cell_type == "markdown"}
    near = range(question.cell - 2, question.cell + 3)
    told = {at: text for at, text in prose.items() if tells(text, guess, right, 2 if at in near else 3)}
    assert told == {}


@each
def test_no_text_of_its_chapter_says_the_answer_in_words(question):
    cells = book(question.path.stem).cells
    last = next(at for at, cell in enumerate(cells) if re.search(LAST, cell.source, re.M))
    said = SAID.get(question.key, r"(?!)")
    # a text that waits would tell as well in the code of its cell
    assert {at: cell.source for at, cell in enumerate(cells[:last]) if re.search(said, cell.source)} == {}


def test_a_text_that_waits_is_shown_with_the_answer_and_has_its_numbers():
    used, known = set(), set()
    for path in editions.sources():
        found = re.findall(r"^(\w+)\.then\(answers\.(\w+)\)$", path.read_text("utf-8"), re.M)
        chapter = next((name for name in ROOMS if name.startswith(f"ch{path.stem[:2]}")), None)
        if chapter and find_spec(f"dcviz.chapters.{chapter}.answers"):
            module = import_module(f"dcviz.chapters.{chapter}.answers")
            known |= {(chapter, name) for name, one in vars(module).items() if inspect.isfunction(one)}
            known.discard((chapter, "shown"))
            used |= {(chapter, name) for _, name in found}
            for _, name in found:
                guess = Prediction("?", options=["a", "b"], truth="a")
                assert guess.then(getattr(module, name)) is None
                guess.commit("b")
                shown = guess.then(getattr(module, name))
                assert shown.data.strip()
                assert "{{" not in shown.data
    assert used == known
    everything = "\n".join(path.read_text("utf-8") for path in (ROOT / "dcviz" / "chapters").glob("*/answers.py"))
    waiting = {"ch03-entries", "ch12-exponent", "ch03-cluster"}
    assert [key for key, words in SAID.items() if key not in waiting and not re.search(words, everything)] == []


SETTINGS = {
    "ch01-fits": {"net": "alexnet"},
    "ch01-sram": {"connections": 1e9, "rate": 20.0, "ratio": 35},
    "ch02-one-sigma": {"net": "lenet-300-100", "layer": "fc1"},
    "ch02-sensitive": {"net": "lenet-5", "allowed": 1.0, "images": 400},
    "ch02-retrained": {"net": "lenet-300-100", "density": 8.0, "method": "one cut", "epochs": 3.0},
    "ch02-method": {"net": "lenet-300-100", "density": 2.0},
    "ch02-alexnet": {"layer": "classifier.1"},
    "ch03-entries": {"positions": [1, 4, 15], "bits": 3},
    "ch03-best": {"net": "lenet-300-100", "layer": "fc1", "percent": 8.0, "value_bits": 6, "order": "rows", "bits": 3},
    "ch03-cluster": {"net": "lenet-300-100", "layer": "fc1", "percent": 8.0, "bits": 5, "order": "rows"},
    "ch04-two-values": {"net": "lenet-300-100", "pruned": True, "init": "linear", "seed": 0},
    "ch04-large": {"net": "lenet-300-100", "pruned": True, "layer": "fc1", "k": 13},
    "ch04-steps": {"net": "lenet-300-100", "layer": "fc1", "k": 8, "init": "linear", "start": []},
    "ch05-figure3": {"learning_rate": 1.0, "reduce": "sum"},
    "ch05-finetune": {"net": "lenet-5", "bits": 1, "epochs": 2.0},
    "ch05-rate": {"n": 16, "bits": 2},
    "ch06-mean-length": {"net": "lenet-300-100", "layer": "fc1", "stream": "weight codes", "symbol": 15, "rare": 0.0},
    "ch06-whole-file": {"net": "lenet-300-100"},
    "ch07-stage": {"net": "lenet-300-100"},
    "ch07-own-net": {"density": 10.0, "bits": 4, "epochs": 2},
    "ch08-csr": {"layer": "alexnet/fc6", "batch": 1, "density": 9.0, "active": 37.6},
    "ch08-phone": {"net": "alexnet", "phone": "Tegra K1 (2014)"},
    "ch09-rank": {"layer": "fc1"},
    "ch09-criterion": {"layer": "conv2"},
    "ch09-unseen": {"temperature": 8.0, "missing": "3"},
    "ch10-part": {"density": 3.0, "training": "one cut"}
    | dict.fromkeys(("few_codes", "rate", "gaps", "tables", "neurons"), False),
    "ch10-allocation": {"budget": 1000},
    "ch11-update-bytes": {"road": "codebook"},
    "ch12-wanda": {"kept": 50, "two_of_four": False},
    "ch12-three-bits": {"bits": 3, "method": "k-means", "group": "layer", "apart": False},
    "ch12-gain": {"billions": 7.0, "bits": 4.5, "batch": 1},
}
"""What each question's words say of its lab: there it must be once the answer is given."""
SHOWN_AT = {"ch01-sram", "ch05-rate", "ch06-mean-length", "ch08-csr", "ch12-three-bits", "ch12-gain"}
"""Questions whose number the lab's caption gives at their setting."""


@pytest.mark.parametrize("key", SETTINGS)
def test_with_the_answer_the_lab_is_where_the_question_asks(key):
    question = next(question for question in EVERY if question.key == key)
    guess = question.asked(TRUTHS.get(key, lambda lab: None))
    lab = question.made(guess)
    opened = lab.state()
    guess.give_up()
    assert {name: lab.state()[name] for name in SETTINGS[key]} == SETTINGS[key]
    assert guess.at == {name: SETTINGS[key].get(name) for name in guess.at}
    rest = {name: value for name, value in SETTINGS[key].items() if name not in guess.at}
    assert {name: opened[name] for name in rest} == rest, "what `at` leaves out was so from the start"
    if key in SHOWN_AT:
        assert tells(plain(lab.caption.value), guess, TRUTHS[key](lab), 2)


def test_every_question_of_a_lab_has_its_setting_here():
    assert {question.key for question in EVERY if question.lab} == SETTINGS.keys()


def stores(tree):
    """Names that a cell gives a value to."""
    given = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return given | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def loads(tree):
    """Names that it reads."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


@pytest.mark.parametrize("path", editions.sources(), ids=lambda path: path.stem)
def test_a_cell_that_waits_can_run_again_after_the_whole_chapter(path):
    cells = [ast.parse(text if kind == "code" else "") for kind, text, _ in editions.cells_of(path.read_text("utf-8"))]
    for at, cell in enumerate(cells):
        later = set().union(*map(stores, cells[at + 1 :]))
        waits = any(isinstance(node, ast.Attribute) and node.attr in ("then", "tell") for node in ast.walk(cell))
        calls = [node for node in ast.walk(cell) if isinstance(node, ast.Call)]
        asks = [call for call in calls if ast.unparse(call.func) == "Prediction"]
        truths = [node for call in asks for node in ast.walk(call) if isinstance(node, ast.Lambda)]
        asked = set()  # a truth is computed when the answer is given
        for truth in truths:
            asked |= loads(truth) - stores(truth) - {one.arg for one in truth.args.args}
        read = asked | (loads(cell) - stores(cell) if waits else set())
        assert sorted(read & later) == [], f"cell {at}: another cell gives these another value"


@pytest.mark.parametrize("key", ["ch03-best", "ch03-cluster"])
def test_chapter_03_goes_to_the_share_of_fc1_that_it_asks_about(key):
    question = next(question for question in EVERY if question.key == key)
    guess = question.asked(TRUTHS[key])
    lab = question.made(guess)
    guess.give_up()
    assert "fc1 of lenet-300-100, walked by rows: 18,816 of 235,200 weights kept" in plain(lab.caption.value)
    if key == "ch03-best":
        assert f"more than b = {TRUTHS[key](lab)}, the best" in plain(lab.caption.value)


LAB_RUNS = {
    "ch02-sensitive": ("measure", "run", {"images": 100}),
    "ch02-retrained": ("retrain", "run", {"epochs": 0.5}),
    "ch04-two-values": ("measure", "run", {"k": 3, "lloyd": True}),
    "ch05-finetune": ("train", "run", {"epochs": 0.25}),
    "ch07-stage": ("run", "button", {"epochs": 1}),
    "ch07-own-net": ("run", "button", {"bits": 3}),
    "ch09-rank": ("sweep", None, {"layer": "fc2"}),
    "ch09-criterion": ("sweep", "sweep_run", {"layer": "conv1"}),
    "ch09-unseen": ("teach", "run", {"temperature": 2.0}),
}
"""How a run that answers is made: the lab's method, its button if it can be stopped, and a setting of another run."""
MEASURED = {
    "ch02-sensitive": lambda lab: max(lab.must_keep, key=lab.must_keep.get),
    "ch02-retrained": lambda lab: lab.film.errors[-1],
    "ch04-two-values": lambda lab: lab.measured[True, 2, "linear", 0, True],
    "ch05-finetune": lambda lab: lab.errors[-1],
    "ch07-stage": lambda lab: max(
        ((before.file_bytes / after.file_bytes, after.name) for before, after in itertools.pairwise(lab.result.stages))
    )[1],
    "ch07-own-net": lambda lab: round(
        100 * lab.result.report.parts.get("kept", 0) / len(lab.result.stages[-1].source), 1
    ),
    "ch09-rank": lambda lab: min(
        r for (layer, r), e in lab.errors.items() if layer == "fc1" and e <= lab.dense_error + 0.5
    ),
    "ch09-criterion": lambda lab: min(
        taylor.CRITERIA,
        key=lambda name: sum(
            np.log(e + 0.1) for (at, c, _), (_, e) in lab.errors.items() if (at, c) == ("conv2", name)
        ),
    ),
    "ch09-unseen": lambda lab: lab.taught[8.0, "3"]["teacher"][3],
}
"""What came out, read off the lab by another way than its own answer."""


def of_the_source(question):
    """The truth of a run as the source asks for it: a method of the lab, with what it is given."""
    call = next(word.value for word in question.call.keywords if word.arg == "truth").body
    assert isinstance(call, ast.Call)
    names = ast.unparse(call.func).split(".")[1:]
    given = [ast.literal_eval(value) for value in call.args]
    words = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    return lambda lab: functools.reduce(getattr, names, lab)(*given, **words)


@pytest.mark.parametrize("key", LAB_RUNS)
def test_a_run_answers_and_one_that_was_stopped_or_had_other_settings_does_not(key, request):
    if key != "ch04-two-values":  # it measures the lesson's pruned net, which is trained once and kept for all tests
        request.getfixturevalue("few_digits")
    question = next(question for question in EVERY if question.key == key)
    guess = question.asked(of_the_source(question))
    lab, (method, button, other) = question.made(guess), LAB_RUNS[key]
    guess.commit(guess.options[0] if guess.options else guess.entry.value)
    setting = {name: getattr(lab, name) for name in other} | ({"k": 2} if key == "ch04-two-values" else {})
    run = getattr(lab, method)
    assert guess._truth_of(lab) is None, "nothing has run"
    if button is not None:
        work = getattr(lab, button)
        goes_on = work.progress

        def stops(fraction, text=""):
            work.stop()
            goes_on(fraction, text)

        work.progress = stops
        work.start(wait=True)
        work.progress = goes_on
        assert work.message.value == "stopped"
        assert guess._truth_of(lab) is None, "it was stopped"
    with lab.hold_trait_notifications():
        [setattr(lab, name, value) for name, value in other.items()]
    run()
    assert guess._truth_of(lab) is None, "it was another run"
    with lab.hold_trait_notifications():
        [setattr(lab, name, value) for name, value in setting.items() if name != "lloyd"]
    assert guess._truth_of(lab) is None, "the lab is set as the question asks, but that is not how it ran"
    run()
    assert lab.error == ""
    assert guess._truth_of(lab) == MEASURED[key](lab)
    assert guess._say(MEASURED[key](lab)) in plain(guess.note.value)
    assert guess.record.disabled


def test_every_question_of_a_run_is_run_here():
    assert LAB_RUNS.keys() == MEASURED.keys() == RUNS


def test_what_tells():
    number, choice = Prediction("?", low=0, high=1000, unit="%"), Prediction("?", options=["linear", "density"])
    assert tells("it is 40.2 of them", number, 40.23)
    assert tells("it is 40%", number, 40.23)
    assert not tells("layer 40, 41.2", number, 40.23)
    assert tells("best: linear", choice, "linear")
    assert not tells("linear, density", choice, "linear")
