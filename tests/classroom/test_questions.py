"""Every question of every chapter: before a guess nothing tells the answer, after it guess and truth are shown.

The questions and their labs are found in the sources' syntax trees; a lab is built from its deep link.
"""

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib.text
import nbformat
import numpy as np
import pytest

from dcviz import labs
from dcviz.archive import coders
from dcviz.chapters.ch02_pruning import measure as pruning_measure
from dcviz.chapters.ch03_sparse_storage import tables as storage_tables
from dcviz.chapters.ch04_weight_sharing import measure as sharing_measure
from dcviz.chapters.ch05_trained_quantization import measure as quantization_measure
from dcviz.chapters.ch06_huffman import tables as huffman_tables
from dcviz.chapters.ch08_speed_and_energy import phones, tables as speed_tables
from dcviz.chapters.ch09_other_roads import taylor
from dcviz.chapters.ch11_open_questions import measure as open_measure, tables as open_tables
from dcviz.chapters.ch12_today import bfloat16, roofline, scores
from dcviz.classroom import editions
from dcviz.evidence import memories, paper, recordings
from dcviz.files import ROOT
from dcviz.ideas import relative_index, sparse_formats
from dcviz.ideas.kmeans import compression_rate
from dcviz.labkit.base import plain
from dcviz.labkit.prediction import Prediction
from dcviz.nets import transformer
from dcviz.pipeline import budgets, shipped


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
    "ch09-criterion": taylor.CRITERIA,
    "ch12-wanda": scores.WAYS[:-1],
}
"""What a source computes to choose from."""
RUNS = {"ch02-sensitive", "ch02-retrained", "ch04-two-values", "ch05-finetune", "ch07-stage"} | {
    f"ch09-{name}" for name in ("rank", "criterion", "unseen")
}
"""Answered by a run of their lab: there is no truth before it."""


@dataclass
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


def tells(text, asked, truth):
    """Whether a text gives the truth: a number that rounds to it, or its option alone among the options."""
    if asked.options is not None:
        named = [o for o in asked.options if re.search(rf"(?<![\w.,+-]){re.escape(str(o))}(?![\w,+-]|\.\d)", text)]
        return named == [str(truth)] and not str(truth).isdigit() and f"{truth} than" not in text
    for match in re.finditer(r"(?<![\w.,])(\d[\d,]*)(\.\d+)?(?![\w,]|\.\d)", text):
        decimals = len(match[2] or ".") - 1
        close = abs(float(match[0].replace(",", "")) - truth) <= 0.5 * 10**-decimals
        unit = bool(asked.unit) and text[match.end() :].lstrip(" ").startswith(asked.unit)
        if close and (unit or decimals or truth >= 100):
            return True
    return False


def texts_of(figure):
    """All words in a figure but the numbers along its axes."""
    ticks = {id(label) for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    found = figure.findobj(matplotlib.text.Text)
    return "\n".join(text.get_text() for text in found if id(text) not in ticks and text.get_visible())


def stored(question):
    """Texts of the stored outputs from a question's cell to the next heading, alternative texts included."""
    book = nbformat.read(ROOT / "notebooks" / f"{question.path.stem}.ipynb", 4)
    for cell in book.cells[question.cell :]:
        if cell.cell_type == "markdown":
            if cell.source.startswith("#"):
                return
            continue
        for output in cell.outputs:
            yield output.get("text", "")
            data, metadata = output.get("data", {}), output.get("metadata", {})
            yield from (plain(str(value)) for kind, value in data.items() if not kind.startswith("image/"))
            yield str(metadata)


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


@each
def test_before_a_guess_nothing_tells_and_after_it_both_are_shown(question):
    truth = TRUTHS.get(question.key, lambda lab: None)
    guess = question.asked(truth if question.lab else None)
    lab = question.made(guess) if question.lab else None
    right = truth(lab)
    if lab is not None:
        assert lab.waits
        shown = [repr(lab), plain(lab.caption.value), texts_of(lab.picture()), plain(guess.note.value)]
        assert [text for text in shown if right is not None and tells(text, guess, right)] == []
    else:
        guess.truth = lambda: right
    if right is not None:
        assert [text for text in stored(question) if tells(text, guess, right)] == []
        assert guess.options is None or right in guess.options
    guess.commit(guess.options[0] if guess.options else guess.entry.value)
    if lab is not None:
        assert not lab.waits
        assert {name: getattr(lab, name) for name in guess.at} == guess.at
        assert lab.error == ""
    note = plain(guess.note.value)
    assert guess._say(guess.guess) in note
    assert question.key in RUNS or guess._say(right) in note


@pytest.mark.parametrize("key", ["ch03-best", "ch03-cluster"])
def test_chapter_03_goes_to_the_share_of_fc1_that_it_asks_about(key):
    question = next(question for question in EVERY if question.key == key)
    guess = question.asked(TRUTHS[key])
    lab = question.made(guess)
    guess.give_up()
    assert "fc1 of lenet-300-100, walked by rows: 18,816 of 235,200 weights kept" in plain(lab.caption.value)
    if key == "ch03-best":
        assert f"more than b = {TRUTHS[key](lab)}, the best" in plain(lab.caption.value)


def test_what_tells():
    number, choice = Prediction("?", low=0, high=1000, unit="%"), Prediction("?", options=["linear", "density"])
    assert tells("it is 40.2 of them", number, 40.23)
    assert tells("it is 40 %", number, 40.23)
    assert not tells("layer 40, 41.2", number, 40.23)
    assert tells("best: linear", choice, "linear")
    assert not tells("linear, density", choice, "linear")
