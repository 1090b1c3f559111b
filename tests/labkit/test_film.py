"""Films and linked pictures: what the browser gets is what Python shows."""

import ipywidgets as widgets
import numpy as np
import pytest

from dcviz import labs
from dcviz.labkit import theme
from dcviz.labkit.base import labelled_slider
from dcviz.labkit.film import Film
from dcviz.labkit.linked_picture import ABSENT, LinkedPicture


def tiny():
    k, init, text = labelled_slider("k", 2, 1, 9), widgets.Dropdown(options=["a", "b"]), widgets.HTML()
    return Film({"init": (init, "index"), "k": (k, "value")}, [(text, "value")]), k, text


def test_rows_are_the_product_of_the_drivers_last_fastest():
    film, k, text = tiny()
    at = {"k": range(1, 10), "init": [0, 1]}
    film.shoot("key", at, lambda: ([f"{init} {k}"] for init in (0, 1) for k in range(1, 10)))
    assert film.frame(0) == ["0 1"]
    assert film.frame(9 + 3) == ["1 4"]
    assert film.drivers["k"] == [[k.slider.model_id, "value"], [k.entry.model_id, "value"]]
    assert film.followers == [[[text.model_id, "value"]]]


def test_after_a_new_table_all_that_follows_is_sent_once_more(monkeypatch):
    """The browser may have shown frames of the old one in the meantime. Drivers are not: a reader may be at them."""
    film, k, text = tiny()
    sent = []
    for part in (k.slider, k.entry, text, film):
        monkeypatch.setattr(part, "send_state", lambda key=None, part=part: sent.append((part, key)))
    for key in "first", "second", "second":
        film.shoot(key, {"init": [0], "k": [1]}, lambda: [["x"]])
    said = [pair for pair in sent if pair[1] == "value"]
    assert said == [(text, "value")] * 2
    assert film.repeated == 2


def test_a_new_table_takes_back_no_step_that_is_on_its_way(monkeypatch):
    """Where Lloyd's steps stand drives the film and follows it; a table is made anew for another width of the page."""
    lab = labs.LloydLab("mine", weights={"fc1": np.random.default_rng(0).normal(size=400)}, k=4)
    sent = []
    monkeypatch.setattr(lab.play, "send_state", lambda key=None: sent.append(key))
    lab.tabulate()
    lab.play.comm.handle_msg({"content": {"data": {"method": "update", "state": {"value": 2}}}})  # the reader's
    assert (lab.steps, lab.film.moved) == (2, 0)
    lab.film.key = None
    lab.tabulate()
    assert "value" not in sent
    lab.step()  # by code: an old table may have shown another
    lab.film.key = None
    lab.tabulate()
    assert "value" in sent


def test_a_film_is_shot_again_only_for_another_key():
    film, _, _ = tiny()
    shots = []

    def frames():
        shots.append(1)
        return [["x"]]

    at = {"init": [0], "k": np.array([3])}
    for key in ("one", "one", "two", "two"):
        film.shoot(key, at, frames)
    assert len(shots) == 2


def test_frames_that_do_not_fit_are_refused_and_nothing_old_is_left():
    film, _, _ = tiny()
    film.shoot("good", {"init": [0], "k": [1]}, lambda: [["x"]])
    for frames in ([["x"], ["y"]], [["x", "y"]], []):
        with pytest.raises(ValueError, match="frames"):
            film.shoot("bad", {"init": [0], "k": [1]}, lambda frames=frames: frames)
    assert film.reel == b""


def test_what_python_heard_is_where_its_drivers_are():
    film, k, _ = tiny()
    k.value = 7
    film.hear()
    assert film.heard == {"init": 0, "k": 7}


def picture():
    figure, axes = theme.figure(4, 3)
    (line,) = axes.plot([0, 1, np.nan], [0, 1, 1], **theme.line_style("ours"))
    bars = axes.bar([0, 1], [1, 0.5], **theme.bar_style("filler"))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return LinkedPicture(figure, [line, *bars], alt="a line and bars"), axes, line, bars


def test_a_linked_picture_says_where_its_artists_stand_in_pixels_of_the_page():
    view, axes, line, bars = picture()
    assert view.size == [400, 300]
    corner, top = axes.transData.transform([[0, 0], [1, 1]]) / 1.5
    assert view.shapes[0] == pytest.approx([corner[0], 300 - corner[1], top[0], 300 - top[1]], abs=0.06)  # no NaN
    xs, ys = np.reshape(view.shapes[1], (-1, 2)).T
    assert ys.max() - ys.min() == pytest.approx(top[1] - corner[1], abs=0.2)
    assert xs.max() - xs.min() == pytest.approx(0.8 * (top[0] - corner[0]), abs=0.2)
    assert view.where([bars[1], line]) == [view.shapes[2], view.shapes[0]]
    bars[0].set_height(0.25)
    line.set_visible(False)
    before = view.shapes
    assert view.where() != before == view.shapes
    view.refresh()
    assert view.shapes[0] == []
    xs, ys = np.reshape(view.shapes[1], (-1, 2)).T
    assert ys.max() - ys.min() == pytest.approx(0.25 * (top[1] - corner[1]), abs=0.2)


def test_a_linked_picture_says_in_which_style():
    view, _, line, bars = picture()
    assert view.styles[0]["stroke"] == theme.role("ours").colour.lower()
    assert view.styles[0]["marker"]
    assert view.styles[1]["hatch"] == "xxx"
    line.set_linestyle("--")
    bars[0].set_facecolor("none")
    view.redraw()
    assert len(view.styles[0]["dashes"]) == 2
    assert view.alt.startswith("a line and bars")


def test_a_picture_to_threshold_stands_in_its_axes():
    figure, axes = theme.figure(4, 3)
    image = axes.imshow(np.ones((2, 3)), aspect="auto")
    levels = np.array([[[1, 2, 3], [4, ABSENT, 0]]], np.uint16)
    view = LinkedPicture(figure, [image], "mask", levels)
    view.row = 2
    view.refresh()
    assert view.shapes == [[2]]
    assert view.styles[0]["shape"] == [1, 2, 3]
    box = axes.bbox
    assert view.styles[0]["clip"] == pytest.approx(
        [box.x0 / 1.5, 300 - box.y1 / 1.5, box.x1 / 1.5, 300 - box.y0 / 1.5], abs=0.06
    )


def test_the_browser_hears_where_the_drivers_are_before_it_hears_what_follows():
    """Else a frame of the old table would come after Python's words, and stay."""
    lab = labs.LloydLab("mine", weights={"fc1": np.random.default_rng(0).normal(size=400)}, k=4)
    lab.k, seen = 6, []
    lab.finish()
    lab.caption.observe(lambda _: seen.append((lab.play.value, lab.view.dragged)), "value")
    lab.reset()
    assert seen
    assert set(map(str, seen)) == {"(0, [])"}
