import numpy as np
import pytest

from dcviz.chapters import ROOMS, every_check
from dcviz.labkit.check import Check, CheckFailed, prefix

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


@pytest.mark.parametrize(("name", "why"), [(name, why) for name, check in EVERY.items() for why in check.mistakes])
def test_every_known_mistake_is_rejected_by_its_name(name, why):
    with pytest.raises(CheckFailed) as caught:
        EVERY[name](EVERY[name].mistakes[why])
    assert why in str(caught.value)


@pytest.mark.parametrize("name", EVERY)
def test_every_check_has_several_inputs_and_at_least_two_mistakes(name):
    check = EVERY[name]
    assert len(check.inputs(np.random.default_rng(0))) >= 3
    assert len(check.mistakes) >= 2


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
