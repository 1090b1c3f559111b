"""Pictures are drawn for the room that a lab has on its page: letters keep their size, and stay whole and apart."""

import numpy as np
import pytest
from legends import covered, under_legends
from matplotlib.text import Text

from dcviz import labs
from dcviz.labkit import theme
from dcviz.labkit.base import _walk
from dcviz.labkit.figure_image import FigureImage, Fitted
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.prediction import Prediction

ROOMS = {
    "1280 x 800": lambda two: (1098, 248 if two else 496, 18, 1),
    "at 150%": lambda two: (673, 165 if two else 330, 14, 1.5),
    "file browser open": lambda two: (560, 217 if two else 434, 14, 1),
}


def pictures(lab):
    return [widget for widget in _walk(lab) if isinstance(widget, Fitted)]


def shown_texts(figure):
    """[(text, its box in pixels)] of what can be read in a drawn figure: no ticks beyond the axes' ends."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            drawn = {id(tick) for tick in axis._update_ticks()} if axes.axison else set()
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if id(tick) not in drawn:
                    hidden |= {tick.label1, tick.label2}
    texts = [text for text in figure.findobj(Text) if text not in hidden and text.get_visible()]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text().strip()]


@pytest.mark.parametrize("name", labs.ALL)
def test_no_letters_are_cut_or_cover_others_and_no_legend_lies_on_curves(name):
    lab = getattr(labs, name)()
    for where, room in ROOMS.items():
        lab._fit(room("dcviz-two" in lab._dom_classes))
        for view in pictures(lab):
            assert under_legends(view.figure) == [], where
            texts, (wide, high) = shown_texts(view.figure), view.figure.bbox.size
            for text, box in texts:
                over = max(-box.x0, -box.y0, box.x1 - wide, box.y1 - high)
                assert over < 2, (where, text)
            for i, (one, a) in enumerate(texts):
                for other, b in texts[i + 1 :]:
                    across = min(a.x1, b.x1) - max(a.x0, b.x0)
                    along = min(a.y1, b.y1) - max(a.y0, b.y0)
                    assert min(across, along) < 7 * view._scale, (where, one, other)


@pytest.mark.parametrize(
    ("name", "state", "later"),
    [
        ("SharingLab", {"k": 13, "prediction": True}, {}),
        ("SharingLab", {"k": 4}, {"k": 2, "init": "forgy"}),
        ("LloydLab", {}, {"k": 3, "start": [0.3, 0.31, 0.32], "show_optimum": True}),
        ("LloydLab", {"k": 16, "init": "forgy"}, {"steps": 40}),
        ("FinetuneLab", {}, {"bits": 2}),
        ("IndexBitsLab", {}, {"layer": "fc3"}),
    ],
)
def test_no_legend_lies_on_what_a_lab_shows_later(name, state, later):
    if "prediction" in state:
        state = {**state, "prediction": Prediction("How many?", truth=1)}
    weights = {"fc1": np.random.default_rng(2).laplace(scale=0.1, size=(40, 60))}
    given = {"net": "mine", "weights": weights} if name in ("SharingLab", "LloydLab") else {}
    lab = getattr(labs, name)(**given, **state)
    with lab.hold_trait_notifications():
        for trait, value in later.items():
            setattr(lab, trait, value)
    assert lab.error == ""
    for room in ROOMS.values():
        lab._fit(room("dcviz-two" in lab._dom_classes))
        for view in pictures(lab):
            assert under_legends(view.figure) == []


def test_a_legend_on_a_curve_is_found():
    figure, axes = theme.figure(6, 4)
    axes.plot([0, 1], [0, 1], label="up")
    axes.legend(loc="lower right")
    assert covered(figure) == []
    axes.legend(loc="upper right")
    assert covered(figure) == [("up", "Line2D 'up'")]
    axes.lines[0].set_linestyle("")
    assert covered(figure) == []
    axes.lines[0].set_marker("o")
    axes.lines[0].set_data([0, 0.9], [0, 0.95])
    assert covered(figure) == [("up", "Line2D 'up'")]
    axes.legend(loc="center")
    axes.bar([0.5], [0.6], width=0.4)
    assert covered(figure) == [("up", "Rectangle '_nolegend_'")]


def test_a_figure_is_drawn_at_the_width_at_which_it_is_shown():
    figure, axes = theme.figure(10, 4)
    axes.set_title("a title")
    view = FigureImage(figure, alt="a line that goes up")
    before = shown_texts(figure)[-1][1].height / view._scale
    assert not view.fit(1200), "there is room: as it was designed"
    assert view.fit(970, 300)
    assert view.layout.width == "970px"
    assert figure.bbox.size / view._scale == pytest.approx([970, 300], abs=1)
    assert shown_texts(figure)[-1][1].height / view._scale == pytest.approx(before, rel=0.03), "letters as large"
    assert not view.fit(970, 300)
    assert view.fit(970, 300, ratio=2)
    assert figure.bbox.size == pytest.approx([1940, 600], abs=2), "a sharp display gets its pixels"
    view.fit(500)
    assert shown_texts(figure)[-1][1].height / view._scale < 0.7 * before, "else they would not find room"


def test_another_figure_in_its_place_has_its_size():
    figures = [theme.figure(10, 4)[0] for _ in range(2)]
    view = LinkedPicture(figures[0], alt="nothing moves in here")
    view.fit(800, 200, 14)
    assert view.size == [800, 200]
    view.adopt(figures[1])
    assert view.size == [800, 200]
    view.adopt(theme.figure(6, 4)[0])
    assert view.size == [600, 200], "one of another size is fitted to the same room"


def test_a_lab_that_hears_of_its_room_films_anew():
    lab = labs.LloydLab()
    lab._repr_mimebundle_()
    before = {film: film.reel for film in lab._films}
    lab.caption.room = [673.0, 165.0, 14.0, 1.5]
    assert all(view._shown[1] == 165 for view in pictures(lab))
    assert all(film.reel != reel for film, reel in before.items()), "the film shows places in the new picture"
    lab.caption.room = [673.0, 165.0, 14.0, 1.5]
    assert lab.error == ""


def test_compact_is_no_state_of_a_lab():
    lab = labs.FitLab(compact=True)
    assert "dcviz-compact" in lab._dom_classes
    assert "compact" not in repr(lab)


def test_the_page_tells_the_room_in_a_message_of_its_own():
    """A state saved by the browser takes with it what a film has set there: its words would come back as text."""
    lab = labs.FitLab()
    assert "room" not in lab.caption.keys
    lab.caption._handle_custom_msg({"room": [673, 165, 14, 1.5]}, [])
    assert lab.caption.room == [673, 165, 14, 1.5]
