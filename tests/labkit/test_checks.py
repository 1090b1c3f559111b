import functools

import matplotlib.figure
import numpy as np
import pytest

from dcviz.chapters import ROOMS, every_check
from dcviz.labkit import learner
from dcviz.labkit.check import Check, CheckFailed, prefix
from dcviz.labkit.decision import Decision

EVERY = every_check()


def test_every_chapter_has_checks():
    assert len(ROOMS) >= 11
    assert {name.split(".")[0] for name in EVERY} == {prefix(room) for room in ROOMS}


@pytest.mark.parametrize("name", EVERY)
def test_the_solution_passes_and_a_stub_is_not_held_against_anyone(name):
    check = EVERY[name]
    result = check(check.solution)
    assert result.passed
    assert repr(result).startswith("✔")
    stub = check(lambda *_: None)
    assert not stub.passed
    assert check.spec in repr(stub)


@functools.cache
def refused(name, why):
    """What a check says to a known mistake, asked once for two tests."""
    with pytest.raises(CheckFailed) as caught:
        EVERY[name](EVERY[name].mistakes[why])
    return caught.value.with_traceback(None)


@pytest.mark.parametrize(("name", "why"), [(name, why) for name, check in EVERY.items() for why in check.mistakes])
def test_every_known_mistake_is_rejected_by_its_name(name, why):
    assert why in str(refused(name, why))


@pytest.mark.parametrize("name", EVERY)
def test_every_check_has_several_inputs_and_at_least_two_mistakes(name):
    check = EVERY[name]
    assert len(check.mistakes) >= 2
    if isinstance(check, Decision):
        assert len(check.mistakes) >= 6, "a choice is one answer: what must be rejected are other choices"
    else:
        assert len(check.inputs(np.random.default_rng(0))) >= 3


@pytest.fixture
def double():
    return Check(
        "double",
        spec="Return twice the numbers.",
        solution=lambda x: 2 * x,
        inputs=lambda rng: [(rng.normal(size=4),), (np.zeros(0),)],
        mistakes={"you square": lambda x: x**2},
    )


def test_messages_show_task_input_yours_and_target(double):
    with pytest.raises(CheckFailed, match=r"(?s)you square.*task:.*input:.*yours:.*target:"):
        double(lambda x: x**2)
    with pytest.raises(CheckFailed, match="the answer differs"):
        double(lambda x: x + 1)
    with pytest.raises(CheckFailed, match="double raised ZeroDivisionError"):
        double(lambda x: 1 / 0)
    with pytest.raises(CheckFailed, match="the answer differs"):
        double(lambda x: "two")
    assert "Not yet: " in CheckFailed("why")._render_traceback_()[0]


def test_an_answer_that_changes_its_input_is_told_so(double):
    def in_place(x):
        x *= 2
        return x

    with pytest.raises(CheckFailed, match="changes its input"):
        double(in_place)


def test_not_implemented_counts_as_not_tried(double):
    def stub(x):
        raise NotImplementedError

    assert not double(stub).passed
    assert "not tried yet" in double(stub)._repr_html_()


@pytest.mark.parametrize("name", EVERY)
def test_a_forgotten_return_is_not_taken_for_a_stub(name):
    def forgotten(*arguments):
        answer = EVERY[name].solution(*arguments)  # noqa: F841  the mistake

    with pytest.raises(CheckFailed, match=r"returns nothing.*`return`"):
        EVERY[name](forgotten)


def test_what_a_stub_may_hold(double):
    def only_dots(x): ...

    def docstring_and_pass(x):
        """Twice."""
        pass

    def raises(x):
        raise NotImplementedError

    for stub in (only_dots, docstring_and_pass, raises, lambda x: NotImplemented):
        assert "not tried yet" in repr(double(stub))


def test_nothing_for_some_inputs_only_is_wrong_not_untried(double):
    with pytest.raises(CheckFailed, match="returns nothing here"):
        double(lambda x: 2 * x if x.size else None)


def test_a_mistake_is_named_also_where_another_input_is_handled_right():
    def shannon_but_alone(counts):
        present = np.count_nonzero(counts)
        return [int(max(np.ceil(np.log2(counts.sum() / c)), present == 1)) if c else 0 for c in counts]

    with pytest.raises(CheckFailed, match="Shannon"):
        EVERY["huffman.code_lengths"](shannon_but_alone)


DRAWN = [name for name, check in EVERY.items() if check.draw is not None]
ODD = (lambda *_: 5, lambda *_: "text", lambda *_: [], lambda *_: [(1, 2), (3, 4)], lambda *_: {}, lambda *_: np.nan)


@pytest.mark.parametrize("name", DRAWN)
def test_whatever_comes_back_the_lesson_is_shown(name):
    for odd in (*ODD, lambda *_: object(), lambda *_: [None] * 9, lambda *_: ([-1, -1], [0.0, 0.0])):
        with pytest.raises(CheckFailed) as caught:
            EVERY[name](odd)
        assert EVERY[name].spec in str(caught.value)


@pytest.mark.parametrize("name", DRAWN)
def test_known_mistakes_are_drawn_beside_the_target(name):
    drawn = 0
    for why in EVERY[name].mistakes:
        picture = refused(name, why).picture
        if picture is not None:
            drawn += 1
            assert isinstance(picture.figure, matplotlib.figure.Figure)
            assert "beside the target" in picture.text
    assert drawn >= len(EVERY[name].mistakes) - 3


def test_a_drawing_that_fails_does_not_hide_the_lesson(double):
    double.draw = lambda arguments, yours, target: 1 / 0
    with pytest.raises(CheckFailed, match="you square") as caught:
        double(lambda x: x**2)
    assert caught.value.picture is None


def test_without_the_setting_a_wrong_answer_is_a_result_that_shows_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("DCVIZ_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("DCVIZ_CHECKS")
    result = EVERY["pruning.mask"](lambda weights, threshold: weights >= threshold)
    assert result.wrong
    assert not result.passed
    assert repr(result).startswith("✘ mask: you compare the weight")
    page = result._repr_html_()
    assert "data:image/png;base64," in page
    assert "alt=" in page
    assert "<Figure" not in page
    assert "&lt;" not in repr(result)
    assert learner.recorded("exercises") == {"pruning.mask": False}


def test_text_of_a_learner_is_no_markup(double, monkeypatch):
    monkeypatch.delenv("DCVIZ_CHECKS")
    assert "<script>" not in double(lambda x: "<script>")._repr_html_()


def test_only_a_right_function_is_trusted(double, monkeypatch, tmp_path):
    monkeypatch.setenv("DCVIZ_PROGRESS", str(tmp_path / "progress.json"))

    def right(x):
        return 2 * x

    assert double.trusted(right) is right
    assert double.trusted(lambda x: x) is None
    assert double.trusted(lambda x: None) is None
    assert EVERY["pruning.mask"].trusted(lambda w, t: w) is None
    assert not learner.path().exists()


def test_a_mask_of_numbers_is_refused_before_a_lab_cuts_with_it():
    for form in (lambda mask: mask.astype(int), lambda mask: mask.tolist(), lambda mask: mask.astype(float)):
        for name in ("mask", "mask_for_density"):
            with pytest.raises(CheckFailed, match="wanted"):
                EVERY[f"pruning.{name}"](
                    lambda w, x, form=form, name=name: form(EVERY[f"pruning.{name}"].solution(w, x))
                )
