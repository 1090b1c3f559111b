"""The parts that labs are made of."""

import io
import threading

import numpy as np
import pytest
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from dcviz import labs
from dcviz.errors import LinkError
from dcviz.labkit import learner, theme
from dcviz.labkit.base import FigureImage, Lab, Prediction, RunButton, html, labelled_slider, parse, plain, row
from dcviz.labkit.figure_image import EDGE, MOST, drawn_once, smaller
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.picture import SHARP, sharp


class TinyLab(Lab):
    """Doubles a number."""

    heading = "Tiny"
    state_names = ("number", "name", "many")
    number = traitlets.Float(1.0)
    name = traitlets.Unicode("it's")
    many = traitlets.List([1.0])

    def build(self):
        self.slider = labelled_slider("number", self.number, 0.0, 10.0)
        self.bind(self.slider, "number")
        figure, axes = theme.figure(3, 2)
        (self.line,) = axes.plot([0, 1], [0, 1])
        axes.set_ylim(0, 20)
        self.view = FigureImage(figure, [self.line])
        return [row(self.slider), self.view]

    def update(self):
        if self.number == 7:
            raise ValueError("seven")
        self.line.set_ydata([0, 2 * self.number])
        self.view.refresh()

    def describe(self):
        return html("twice <b>{:g}</b> is {:g}", self.number, 2 * self.number)

    def picture(self):
        return theme.figure(3, 2)[0]


def test_state_moves_views_and_caption():
    lab = TinyLab(number=2.0)
    before = lab.view.value
    assert plain(lab.caption.value) == "twice 2 is 4"
    assert not lab.used
    lab.slider.entry.value = 3
    assert lab.number == lab.slider.slider.value == 3
    assert list(lab.line.get_ydata()) == [0, 6]
    assert lab.view.value != before
    assert plain(lab.caption.value) == "twice 3 is 6"
    assert lab.used


def test_errors_show_and_go():
    lab = TinyLab()
    lab.number = 7
    assert lab.error == "ValueError: seven"
    assert "seven" in lab.alert.value
    lab.number = 6
    assert lab.error == lab.alert.value == ""


def test_an_error_in_the_first_state_is_raised():
    with pytest.raises(ValueError, match="seven"):
        TinyLab(number=7.0)


def test_guard_is_for_other_callbacks():
    lab = TinyLab()
    assert lab.guard(lambda x: x + 1)(1) == 2
    assert lab.guard(lambda: 1 / 0)() is None
    assert "ZeroDivisionError" in lab.error


def test_what_fails_inside_a_callback_is_not_forgotten_when_the_rest_goes_well():
    lab = TinyLab()
    fails, well = lab.guard(lambda: 1 / 0), lab.guard(lambda: None)
    lab.guard(lambda: (fails(), well()))()
    assert "ZeroDivisionError" in lab.alert.value
    well()
    assert lab.error == lab.alert.value == ""


def test_repr_is_a_literal_call():
    lab = TinyLab(number=np.float64(0.1234567891), many=[0.1 + 0.2, 1e-7])
    assert repr(lab) == 'TinyLab(number=0.123457, name="it\'s", many=[0.3, 1e-07])'
    assert parse(repr(lab)) == ("TinyLab", {"number": 0.123457, "name": "it's", "many": [0.3, 1e-7]})
    assert repr(TinyLab(**parse(repr(lab))[1])) == repr(lab)


@pytest.mark.parametrize(
    "text", ["", "x", "f(1)", "f(a=b)", "f(a=g())", "f(a=1); g()", "f(**{'a': 1})(2)", "a.f(x=1)", "__import__('os')"]
)
def test_parse_takes_literals_only(text):
    with pytest.raises(ValueError, match="not a lab's repr"):
        parse(text)


def test_recreate_knows_only_labs():
    with pytest.raises(ValueError, match="no lab called 'print'"):
        labs.recreate("print(end='')")


def test_the_text_of_the_lab_is_its_repr_untruncated():
    lab = TinyLab(name="x" * 500)
    assert lab._repr_mimebundle_()[0]["text/plain"] == repr(lab)


def test_a_lab_without_its_picture_is_still_a_lab(monkeypatch):
    lab = TinyLab()
    monkeypatch.setattr(lab, "picture", lambda: 1 / 0)
    bundle, about = lab._repr_mimebundle_()
    assert "image/png" not in {**bundle, **about}
    assert bundle["text/plain"] == repr(lab)


def test_integer_and_log_sliders():
    whole = labelled_slider("bits", 4, 1, 8)
    whole.entry.value = 9
    assert whole.value == whole.slider.value == 8
    assert isinstance(whole.value, int)
    log = labelled_slider("rate", 1e-3, 1e-5, 1.0, log=True)
    log.value = 0.01
    assert log.slider.value == log.entry.value == 0.01


def test_entry_takes_what_lies_between_steps():
    slider = labelled_slider("x", 0.5, 0.0, 1.0, 0.25)
    slider.entry.value = 0.3333
    assert slider.value == slider.slider.value == 0.3333


def test_a_stored_chart_is_smaller_and_only_its_edges_are_a_little_off():
    figure, axes = theme.figure(8, 4)
    bars = [axes.bar([i], [i + 1], **theme.bar_style(name)) for i, name in enumerate(theme.ROLES)]
    axes.set_title("letters have many shades at their rims")
    whole = sharp(figure)
    kept = smaller(whole)
    before, after = (np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int) for png in (whole, kept))
    off = np.abs(before - after).max(axis=2)
    assert len(kept) < 0.9 * len(whole)
    assert 0 < off.max() <= EDGE
    assert 0 < (off > 0).mean() < MOST
    solid = [i for i, role in enumerate(theme.ROLES.values()) if not role.hatch]
    assert len(solid) > 2
    for i in solid:
        x, y = axes.transData.transform(bars[i].patches[0].get_center()) * SHARP
        assert off[len(off) - int(y), int(x)] == 0, "an area has its role's colour"


def test_a_stored_photograph_keeps_its_shades():
    shades = np.add.outer(np.arange(200), np.arange(300)) % 256
    out = io.BytesIO()
    Image.fromarray(shades.astype(np.uint8)).convert("P").save(out, "PNG")
    np.testing.assert_array_equal(Image.open(io.BytesIO(smaller(out.getvalue()))).convert("L"), shades)


def test_figure_image_blits_what_moved():
    figure, axes = theme.figure(2, 2)
    (line,) = axes.plot([0, 1], [0.5, 0.5])
    view = FigureImage(figure, [line])
    first = np.asarray(Image.open(io.BytesIO(view.value)).convert("L"))
    line.set_ydata([0.1, 0.1])
    view.refresh()
    moved = np.asarray(Image.open(io.BytesIO(view.value)).convert("L"))
    view.redraw()
    fresh = np.asarray(Image.open(io.BytesIO(view.value)).convert("L"))
    assert (first != moved).any()
    np.testing.assert_array_equal(moved, fresh)  # no ghost of the old line


def test_the_paper_of_a_picture_with_many_pale_tones_is_as_white_as_the_page():
    figure, axes = theme.figure(2, 2)
    axes.imshow(np.linspace(0.8, 1, 30 * 30 * 3).reshape(30, 30, 3))
    with Image.open(io.BytesIO(FigureImage(figure).value)) as picture:
        assert picture.mode == "P"
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_run_button_runs_reports_and_stops():
    seen, started = [], threading.Event()

    def work(progress):
        for i in range(1000):
            progress(i / 1000, f"step {i}")
            started.set()
            if stopping:
                run._stop.wait(120)
        return "done"

    stopping = False
    run = RunButton("go", work, seen.append)
    run.start(wait=True)
    assert seen == ["done"]
    assert not run.running
    stopping = True
    run.start()
    assert started.wait(120)
    run.stop()
    assert run.wait(120)
    assert run.message.value == "stopped"
    assert seen == ["done"]


def test_run_button_shows_errors():
    failures = []
    run = RunButton("go", lambda progress: 1 / 0, failed=failures.append)
    run.start(wait=True)
    assert isinstance(failures[0], ZeroDivisionError)
    assert not run.button.disabled
    alone = RunButton("go", lambda progress: 1 / 0)
    alone.start(wait=True)
    assert "ZeroDivisionError" in alone.message.value


def test_prediction_is_recorded_and_revealed():
    guess = Prediction("How much is twice 3?", low=0, high=20, key="twice", truth=lambda lab: 2 * lab.number)
    lab = TinyLab(prediction=guess)
    assert guess in lab.children
    assert [part.disabled for part in guess.entry.ends] == [False, False]
    guess.commit(5)
    assert learner.recorded("predictions") == {"twice": 5}
    assert "6" not in guess.note.value
    lab.number = 3
    assert "You guessed 5; it is 6" in guess.note.value
    assert [part.disabled for part in guess.entry.ends] == [True, True]
    assert Prediction("How much is twice 3?", low=0, high=20, key="twice").guess == 5


def test_prediction_by_choice_and_without_a_guess():
    choice = Prediction("Which?", options=["a", "b"], truth="b")
    choice.commit("b")
    choice.reveal(None)
    assert "right" in choice.note.value
    assert choice.entry.disabled, "what could be moved now would be no guess"
    silent = Prediction("Which?", options=["a", "b"], truth="b", key="silent")
    silent.reveal(None)
    assert silent.note.value == ""
    silent.give_up()
    assert "no guess" in silent.note.value
    silent.record.click()  # the second of a double click
    again = Prediction("Which?", options=["a", "b"], truth="b", key="silent")  # its cell is run again
    for one in (silent, again):
        assert "no guess" in one.note.value
        assert one.answered
        assert one.record.disabled
    silent.commit("a")
    assert silent.guess is None
    of_a_lab = Prediction("Which?", options=["a", "b"], truth=lambda lab: "b", key="silent")  # which has yet to say it
    for one in (silent, of_a_lab):
        assert "seen the answer" in one.note.value
    assert repr(silent) == silent._repr_mimebundle_()["text/plain"] == "Prediction('Which?')"


def test_a_share_is_guessed_in_percent_and_missed_by_points():
    share = Prediction("How much?", low=0, high=100, unit="%", truth=38.0)
    share.commit(40.5)
    assert share.note.value == "You guessed 40.5%; it is 38%: 2.5 points too high."
    size = Prediction("How large?", low=0, high=90_000, unit="bytes", truth=12_345)
    size.commit(4685)
    assert size.note.value == "You guessed 4,685 bytes; it is 12,345 bytes: 7,660 bytes too low."
    bits = Prediction("How many?", low=0.0, high=2.0, unit="bits", truth=0.5)
    bits.commit(1.0)
    assert bits.note.value == "You guessed 1 bit; it is 0.5 bits: 0.5 bits too high."


def test_old_answers_that_no_longer_fit_are_ignored():
    learner.record("predictions", "k", "a word")
    assert Prediction("?", low=0, high=1, key="k").guess is None
    learner.record("predictions", "k", "gone")
    assert Prediction("?", options=["a"], key="k").guess is None


def test_a_guess_of_another_session_stands_beside_its_truth_at_once():
    learner.record("predictions", "k", 5)
    assert "You guessed 5; it is 6" in Prediction("?", low=0, high=10, key="k", truth=6).note.value
    lab = TinyLab(prediction=Prediction("?", low=0, high=10, key="k", truth=lambda lab: 7))
    assert "You guessed 5; it is 7" in lab.prediction.note.value


def test_a_guess_that_cannot_be_kept_says_so_and_counts(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DCVIZ_PROGRESS", str(tmp_path / "file" / "progress.json"))
    guess = Prediction("?", low=0, high=1, key="a")
    guess.commit()
    assert "until the kernel stops" in guess.note.value
    assert "cannot be written" in guess.note.value
    assert guess.guess == 0


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "\0",
            "PruningLab",
            "PruningLab(",
            "PruningLab(1)",
            "PruningLab(*[])",
            "PruningLab(**{'net': 'lenet-5'})",
        ),
        *(
            "PruningLab(net='a', net='b')",
            "x.PruningLab()",
            "PruningLab()()",
            "PruningLab(layer=open('x'))",
            "lambda: 0",
        ),
        *("PruningLab(threshold=" + "(" * 9000, "PruningLab(threshold=" + "-" * 9000 + "1)", "-" * 10**6),
        *(
            "PruningLab(threshold=" + "9" * 9000 + ")",
            "PruningLab(layer='\\d')" + "\\",
            "a" * 10**7,
            b"PruningLab()",
            None,
            7,
        ),
        *(
            "Lab()",
            "print(end='')",
            "PruningLab(layer='no such layer')",
            "PruningLab(threshold='x')",
            "PruningLab(seed=1)",
        ),
        *("PruningLab(threshold=1j)", "PruningLab(layer=" + "[" * 100 + "]" * 100 + ")", "PruningLab(net='\ud800')"),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_a_link_that_brings_no_lab_back_is_a_link_error(text):
    with pytest.raises(LinkError) as caught:
        labs.recreate(text)
    assert len(str(caught.value)) < 1000


def test_a_lab_waits_for_a_guess_and_code_cannot_make_it_tell():
    lab = TinyLab(prediction=Prediction("How many?", truth=lambda lab: 7))
    before, picture = lab.caption.value, lab.png()
    assert "dcviz-waiting" in lab._dom_classes
    lab.trait_values()
    name = lab.state_names[0]
    setattr(lab, name, getattr(lab, name) + 1)
    assert lab.caption.value == before
    assert lab.png() != picture  # a picture that says that it waits
    assert lab.prediction.note.value == ""
    lab.prediction.commit(5)
    assert "dcviz-waiting" not in lab._dom_classes
    assert lab.caption.value != before
    assert "You guessed 5; it is 7: 2 too low." in lab.prediction.note.value


def test_what_follows_a_question_waits_too(capsys):
    guess = Prediction("How many?", truth=7)
    assert guess.then(lambda: 7) is None
    guess.tell()
    said = capsys.readouterr().out
    assert "7" not in said
    assert "Record your guess above" in said
    guess.commit(7)
    assert guess.then(lambda: 7) == 7
    guess.tell()
    assert "It is 7." in capsys.readouterr().out
    assert "exactly" in guess.note.value


def test_a_lab_goes_to_its_questions_setting_with_the_answer_and_opens_there_the_next_time():
    asked = {"low": 0, "high": 9, "key": "setting", "truth": lambda lab: lab.number, "at": {"number": 4}}
    lab = TinyLab(number=1, prediction=Prediction("?", **asked))
    assert lab.number == 1
    lab.prediction.commit(3)
    assert lab.number == 4
    assert "You guessed 3; it is 4" in lab.prediction.note.value
    lab.number = 7
    assert "You guessed 3; it is 4" in lab.prediction.note.value, "the truth is the question's, wherever the lab is"
    assert TinyLab(number=1, prediction=Prediction("?", **asked)).number == 4


@pytest.mark.parametrize("truth", [7, lambda: 7, lambda lab: 7 if lab is None else 0])
def test_a_question_that_stands_alone_has_a_truth_too(truth):
    guess = Prediction("?", low=0, high=9, truth=truth)
    guess.commit(5)
    assert "You guessed 5; it is 7" in guess.note.value


def test_open_answers_wait_for_the_button_alone(monkeypatch):
    monkeypatch.setattr(Prediction, "all_answered", False)
    Prediction.open_all()
    guess = Prediction("?", low=0, high=9, truth=lambda lab: 7)
    lab = TinyLab(prediction=guess)
    assert not lab.waits
    lab.number += 1
    assert guess.then(lambda: "shown") == "shown"
    assert guess.note.value == "", "a question on a slide does not answer itself"
    guess.give_up()
    assert "It is 7" in guess.note.value


def test_reset_goes_back_to_how_the_cell_made_the_lab():
    lab = TinyLab(number=2.0, name="mine")
    with lab.hold_trait_notifications():
        lab.number, lab.name, lab.many = 5.0, "other", [2.0]
    assert lab.bar.link == repr(lab)
    lab.bar._asked(lab.bar, {"do": "reset"}, [])
    assert repr(lab) == repr(TinyLab(number=2.0, name="mine")) == lab.bar.link


def test_reset_goes_to_the_questions_setting_once_it_is_answered():
    lab = TinyLab(number=1, prediction=Prediction("?", low=0, high=9, at={"number": 4}, truth=4))
    lab.prediction.commit(3)
    lab.number = 9
    lab.reset()
    assert lab.number == 4


def test_the_bar_sends_the_picture(monkeypatch):
    lab, sent = TinyLab(), []
    monkeypatch.setattr(lab.bar, "send", lambda content, buffers=None: sent.append((content, buffers)))
    lab.bar._asked(lab.bar, {"do": "picture", "from": "here"}, [])
    [(content, [data])] = sent
    assert content == {"to": "here", "picture": "TinyLab.png"}
    assert Image.open(io.BytesIO(data)).size[0] > 100


def test_starting_with_wait_while_a_run_goes_on_waits_for_it_and_then_works():
    began, go, seen = threading.Event(), threading.Event(), []

    def work(progress):
        began.set()
        assert go.wait(120)
        seen.append(len(seen))

    run = RunButton("go", work)
    run.start()
    assert began.wait(120)
    threading.Timer(0.05, go.set).start()
    run.start(wait=True)
    assert seen == [0, 1]


def test_a_lab_that_code_moves_while_it_waits_says_so():
    lab = TinyLab(prediction=Prediction("How many?", low=0, high=9, truth=7))
    assert "dcviz-older" not in lab._dom_classes
    lab.number = 5
    assert "dcviz-older" in lab._dom_classes
    lab.prediction.commit(5)
    assert "dcviz-older" not in lab._dom_classes


@pytest.mark.parametrize("kind", [FigureImage, LinkedPicture])
def test_within_drawn_once_a_view_is_drawn_once_and_after_an_error_not_at_all(kind):
    figure, axes = theme.figure(4, 2)
    (line,) = axes.plot([0, 1], [0, 1])
    drawn = []
    figure.canvas.draw, draw = lambda: (drawn.append(axes.get_title()), draw())[1], figure.canvas.draw
    view = kind(figure, [line])
    assert drawn == [""]
    with drawn_once():
        with drawn_once():
            axes.set_title("first")
            view.redraw()
            view.refresh()
        axes.set_title("second")
        view.redraw()
        assert drawn == [""]
    assert drawn == ["", "second"]
    with pytest.raises(KeyError), drawn_once():
        view.redraw() or {}["an error"]
    assert drawn == ["", "second"]
    view.redraw()
    assert len(drawn) == 3


@pytest.mark.parametrize("name", ["LloydLab", "FinetuneLab", "PhoneLab", "TokenLab"])
def test_a_lab_draws_each_of_its_figures_once_when_it_opens(name, monkeypatch):
    drawn, draw = [], FigureCanvasAgg.draw
    monkeypatch.setattr(FigureCanvasAgg, "draw", lambda canvas: (drawn.append(id(canvas)), draw(canvas))[1])
    getattr(labs, name)()
    assert 0 < len(drawn) == len(set(drawn))
