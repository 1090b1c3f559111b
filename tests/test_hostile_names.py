"""A net in which every name is an attack goes through every lab, plot, table and check that takes a net."""

import base64
import io
from html.parser import HTMLParser

import pytest
from hostile import NAMES, NET, STORED, WEIGHTS, labs, stored_net
from PIL import Image

from dcviz import archive
from dcviz.archive import coders
from dcviz.chapters.ch02_pruning import figures as pruning, pruning_lab
from dcviz.chapters.ch04_weight_sharing import sharing_lab
from dcviz.chapters.ch06_huffman import figures as coding
from dcviz.chapters.ch07_full_pipeline import figures as pipeline, tables
from dcviz.chapters.ch11_open_questions import figures as transfer
from dcviz.ideas import sketch
from dcviz.labkit import histograms, theme
from dcviz.labkit.check import Result
from dcviz.labkit.controls import Caption
from dcviz.labs import Prediction, PruningLab

TAGS = {"pre", "b", "i", "small", "div", "p", "br", "span", "strong"}


class Tags(HTMLParser):
    """Collects the tags and attributes of a piece of markup."""

    def __init__(self, markup):
        super().__init__()
        self.found = set()
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found |= {(tag, None), *((tag, name) for name, _ in attrs)}


def harmless(markup):
    """Whether a piece of markup has only the tags of captions, with no attribute but their class."""
    return all(tag in TAGS and attribute in (None, "class") for tag, attribute in Tags(markup).found)


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def texts(widget):
    """All strings that a widget sends to the browser."""
    waiting = [value for key, value in widget.get_state().items() if key != "_esm"]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple)):
            waiting += value


@pytest.fixture(scope="module")
def net():
    return stored_net()


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_labs_show_it_and_nothing_more(number, monkeypatch):
    monkeypatch.setattr(pruning_lab, "LARGE", 0)  # films of few frames: all show the same name
    monkeypatch.setattr(sharing_lab, "MOST_K", 16)
    for lab in labs(NAMES[number]):
        for widget in walk(lab):
            for text in texts(widget):
                assert len(text) < 3000, (type(lab), type(widget))
                bare = text.replace("\u200b", "").replace("\n", " ")  # an empty label; a line end in markup
                assert bare.isprintable(), (type(lab), type(widget), text)
            if isinstance(widget, Caption):
                assert harmless(widget.value), widget.value
        bundle, _ = lab._repr_mimebundle_()
        assert lab.error == ""
        assert min(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).size) > 200
        assert bundle["text/plain"].isprintable()
        lab.close()


def test_a_message_with_a_name_is_text():
    lab = PruningLab("mine", weights={"fc1": WEIGHTS[NAMES[0]]})
    for name in NAMES:
        lab.layer = name
        assert "NetError" in lab.error
        assert harmless(lab.alert.value)
        assert len(lab.alert.value) < 10_000


def test_predictions_and_results():
    for name in NAMES:
        question = Prediction(name, options=[name, "other"], unit=name, truth=name)
        question.commit(name)
        question.reveal(None)
        assert all(harmless(part.value) for part in walk(question) if isinstance(part, Caption))
        assert harmless(Result(name, True, name)._repr_html_())


def test_plots_and_tables(net):
    breakdown = archive.breakdown(net)
    for name in STORED:
        one = sketch.sketch(WEIGHTS[name], name=name)
        assert histograms.two_humps(one, one, name)._repr_mimebundle_()
        streams = coders.streams(next(layer for layer in net.layers if layer.name == name))
        assert coding.streams_picture(streams, name).text.isprintable()
    figure, axes = theme.figure(14, 30, rows=6)
    pipeline.byte_shares(axes[0], breakdown)
    pruning.lowest_bars(axes[1], NAMES)
    pruning.layer_lines(axes[2], NAMES)
    pruning.density_bars(axes[3], NAMES, [0.5] * len(NAMES))
    transfer.layer_shares(axes[4], NAMES, [1] * len(NAMES), [1] * len(NAMES))
    coding.one_bit(axes[5], dict.fromkeys(NAMES, 0.2))
    figure.canvas.draw()
    table = tables.parts(net).to_html()
    assert not {tag for tag, _ in Tags(table).found} & {"img", "script", "svg", "b"}
    assert table.count("<th>") >= len(STORED)


def test_a_file_keeps_the_names_exactly(net):
    again = archive.loads(archive.dumps(net))
    assert again.name == NET
    assert [layer.name for layer in again.layers] == list(STORED)
