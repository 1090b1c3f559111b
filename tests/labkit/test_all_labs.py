"""What every lab must do. A new lab joins by standing in `dcviz.labs.ALL`."""

import base64
import io
import re

import ipywidgets as widgets
import numpy as np
import pytest
from legends import covered
from matplotlib.text import Text
from PIL import Image

from dcviz import labs
from dcviz.labkit.base import FigureImage, Lab, parse, plain
from dcviz.labkit.controls import LabelledSlider
from dcviz.labkit.film import Film
from dcviz.labkit.picture import SHARP

_made = {}


@pytest.fixture(params=labs.ALL)
def lab(request):
    """One lab of each kind, made once; tests that change it put it back."""
    if request.param not in _made:
        _made[request.param] = getattr(labs, request.param)()
    return _made[request.param]


def walk(widget, above=()):
    """(widget, its ancestors) for everything inside."""
    yield widget, above
    for child in getattr(widget, "children", ()):
        yield from walk(child, (*above, widget))


def test_it_is_a_lab_with_state_and_words(lab):
    assert isinstance(lab, Lab)
    assert lab.state_names
    assert lab.__doc__
    assert lab.heading != Lab.heading
    assert all(lab.has_trait(name) for name in lab.state_names)


def test_repr_recreates_the_lab(lab):
    name, state = parse(repr(lab))
    assert name == type(lab).__name__
    assert list(state) == list(lab.state_names)
    again = labs.recreate(repr(lab))
    assert repr(again) == repr(lab)
    assert again.caption.value == lab.caption.value


def test_the_caption_speaks_in_numbers(lab):
    assert lab.caption.role == "status"
    assert len(plain(lab.caption.value)) > 40
    assert any(c.isdigit() for c in lab.caption.value)
    assert "nan" not in lab.caption.value.lower().split()
    assert not re.search(r"\d %", plain(lab.caption.value)), "no space, as in markup.percent"


def test_every_slider_has_a_numeric_entry(lab):
    sliders = widgets.IntSlider, widgets.FloatSlider, widgets.FloatLogSlider
    for widget, above in walk(lab):
        if isinstance(widget, sliders):
            assert isinstance(above[-1], LabelledSlider), f"{widget.description!r}: use labelled_slider"
        assert not isinstance(widget, (widgets.IntRangeSlider, widgets.FloatRangeSlider)), "no entry fits it"


def test_no_output_widget(lab):
    assert not any(isinstance(widget, widgets.Output) for widget, _ in walk(lab))


def test_no_view_brings_a_style_sheet_that_anywidget_would_set_anew_for_each(lab):
    assert [type(widget).__name__ for widget, _ in walk(lab) if hasattr(widget, "_css")] == []


def test_every_control_says_what_it_is(lab):
    for widget, above in walk(lab):
        if isinstance(widget, (widgets.Button, widgets.Checkbox, widgets.Dropdown, widgets.Text)):
            assert widget.description, f"{type(widget).__name__} without a label in {above[-1]}"


def test_every_picture_has_words(lab):
    figures = [widget for widget, _ in walk(lab) if isinstance(widget, FigureImage)]
    assert all(len(figure.alt) > 10 for figure in figures)
    assert [lab.caption.alts[figure.place].partition(";")[0] for figure in figures] == [
        figure.alt.partition(";")[0] for figure in figures
    ]


def test_without_a_kernel_there_is_a_picture_with_letters_big_enough_for_the_last_row(lab, monkeypatch):
    figures, picture = [], lab.picture
    monkeypatch.setattr(lab, "picture", lambda: figures.append(picture()) or figures[-1])
    bundle, about = lab._repr_mimebundle_()
    assert bundle["text/plain"] == repr(lab)
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert min(picture.size) > 200
    assert picture.width == pytest.approx(SHARP * about["image/png"]["width"], abs=1)
    assert SHARP > 1, "sharp on a projector"
    assert len(np.unique(np.asarray(picture.convert("L")))) > 5
    assert len(bundle["image/png"]) < 400_000
    assert lab.error == ""
    (figure,) = figures
    assert covered(figure) == []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            assert text.get_fontsize() >= 11, text.get_text()


def test_a_failing_callback_shows_in_the_lab_and_the_lab_goes_on(lab, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of <chalk>")

    with monkeypatch.context() as patch:
        patch.setattr(lab, "update", broken)
        change = {"name": lab.state_names[0], "new": None, "old": None, "owner": lab, "type": "change"}
        lab._changed(change)
        assert lab.error == "RuntimeError: out of <chalk>"
        assert "out of &lt;chalk&gt;" in lab.alert.value
    lab._changed(change)
    assert lab.error == lab.alert.value == ""


def test_unknown_state_is_refused(lab):
    with pytest.raises(TypeError):
        type(lab)(no_such_thing=1)


def test_a_move_made_before_the_page_heard_of_codes_own_is_answered_with_what_python_has(lab):
    change = {"name": lab.state_names[0], "new": None, "old": None, "owner": lab, "type": "change"}
    before, films = repr(lab), [part for part in lab._parts if isinstance(part, Film)]
    known = [film.moved for film in films]
    lab._changed(change)
    for film, moved in zip(films, known, strict=True):
        assert film.moved > moved
        for widget, trait in film.settings:
            for part in widget.ends if isinstance(widget, LabelledSlider) else [widget]:
                repeated = film.repeated
                part.set_state({trait: "no such value", "dcviz_moved": [moved, 1]})
                assert film.repeated > repeated
    assert repr(lab) == before
