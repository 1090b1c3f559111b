"""What a learner may give a lab: it is shown, or refused with a typed error; the lab on the page goes on."""

import functools

import numpy as np
import pytest
import torch

from dcviz import labs
from dcviz.errors import DcvizError
from dcviz.ideas.pruning import check_weights
from dcviz.labkit.base import StateError, plain

RNG = np.random.default_rng(0)
GOOD = RNG.normal(0, 0.1, (12, 8)).astype(np.float32)
TAKE_WEIGHTS = ["PruningLab", "IndexBitsLab", "LloydLab", "SharingLab"]

REFUSED = {
    "no layers": {},
    "no mapping": [GOOD],
    "an empty layer": {"a": GOOD[:0]},
    "NaN": {"a": np.where(GOOD > 0.1, np.nan, GOOD)},
    "infinity": {"a": np.where(GOOD > 0.1, np.inf, GOOD)},
    "whole numbers": {"a": np.arange(6).reshape(2, 3)},
    "words": {"a": "weights"},
    "a tensor without numbers": {"a": torch.empty(3, 4, device="meta")},
    "complex numbers": {"a": torch.from_numpy(GOOD).to(torch.complex64)},
}
TENSORS = {
    "sparse": torch.from_numpy(GOOD).to_sparse(),
    "sparse rows": torch.from_numpy(GOOD).to_sparse_csr(),
    "bfloat16": torch.from_numpy(GOOD).bfloat16(),
    "requires gradients": torch.from_numpy(GOOD).requires_grad_(),
    "a parameter in bfloat16": torch.nn.Parameter(torch.from_numpy(GOOD).bfloat16()),
    "not contiguous": torch.from_numpy(GOOD.T.copy()).T,
}
ODD = {
    "constant": np.full((5, 4), 0.5, np.float32),
    "all zero": np.zeros((5, 4), np.float32),
    "one weight": np.array([[0.3]], np.float32),
    "1e38": GOOD * np.float32(1e38),
    "denormal": GOOD * np.float32(1e-40),
    "float16": GOOD.astype(np.float16),
    "float64": GOOD.astype(np.float64) * 1e-300,
    "1e300": GOOD.astype(np.float64) * 1e300,
    "one outlier": np.where(np.arange(96).reshape(12, 8) == 5, 1e30, GOOD).astype(np.float32),
    "a vector": GOOD[0],
    "no axis": np.float32(0.25).reshape(()),
    "five axes": GOOD.reshape(2, 2, 3, 2, 4),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("name", TAKE_WEIGHTS)
def test_weights_that_are_none_are_refused_by_name(name, case):
    with pytest.raises(DcvizError):
        getattr(labs, name)("mine", weights=REFUSED[case])


@pytest.mark.parametrize("case", TENSORS)
@pytest.mark.parametrize("name", TAKE_WEIGHTS)
def test_a_tensor_of_torch_is_shown_as_its_numbers(name, case):
    lab = getattr(labs, name)("mine", weights={"a": TENSORS[case]})
    near = GOOD if "bfloat16" not in case else torch.from_numpy(GOOD).bfloat16().float().numpy()
    assert np.array_equal(check_weights(TENSORS[case]), near)
    assert not lab.error
    assert plain(lab.caption.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("name", TAKE_WEIGHTS)
def test_an_odd_layer_is_shown_or_refused_and_the_lab_goes_on(name, case):
    try:
        lab = getattr(labs, name)("mine", weights={"odd": ODD[case]})
    except DcvizError:
        lab = None
    else:
        assert lab.error == ""
        said = plain(lab.caption.value).lower()
        assert "nan" not in said.replace("(", " ").replace("%", " ").split()
        assert "inf" not in said.replace("×", " ").replace("%", " ").split()
        assert lab.png()
    every = with_every_layer(name)
    every.layer = case
    every.layer = "good"
    assert every.error == ""
    assert "good" in every.caption.value


@functools.cache
def with_every_layer(name):
    """A lab of a good layer and all the odd ones; they take turns in it."""
    more = {"k": 2} if name in ("LloydLab", "SharingLab") else {}
    return getattr(labs, name)("mine", weights={"good": GOOD, **ODD}, **more)


def test_nothing_left_is_said_in_words():
    lab = labs.PruningLab("mine", weights={"good": GOOD}, threshold=10.0)
    assert lab.bytes == 0
    assert "nothing is left to store" in plain(lab.caption.value)
    assert "inf" not in lab.caption.value


@pytest.mark.parametrize("answer", ["0.5", None, float("nan"), float("inf"), np.zeros(3), {"error": 1}])
def test_an_evaluate_that_gives_no_number_is_one_message(answer):
    answers = [answer, np.float32(12.5)]
    lab = labs.PruningLab("mine", weights={"good": GOOD}, evaluate=lambda weights, progress: answers.pop(0))
    assert lab.measure() is None
    assert lab.error.startswith("WeightError: evaluate gave")
    lab.threshold = 0.05
    assert lab.error == ""
    assert "not measured here yet" in plain(lab.caption.value)
    assert lab.measure() == 12.5
    assert "12.50%" in plain(lab.caption.value)


def test_an_evaluate_that_is_no_function_is_refused():
    with pytest.raises(DcvizError, match="evaluate must be a function"):
        labs.PruningLab("mine", weights={"good": GOOD}, evaluate=0.5)


@pytest.mark.parametrize("rate", [-1, float("nan"), float("inf"), "fast"])
def test_a_learning_rate_that_is_none_is_refused_and_the_lab_keeps_its_own(rate):
    with pytest.raises(StateError):
        labs.GradientLab(learning_rate=rate)
    lab = labs.GradientLab()
    with pytest.raises(StateError):
        lab.learning_rate = rate
    assert lab.learning_rate == lab.rate_slider.value == 1
    lab.learning_rate = 0.5
    assert lab.error == ""
    assert "0.5 ×" in plain(lab.caption.value)


def test_a_learning_rate_of_zero_moves_nothing():
    lab = labs.GradientLab(learning_rate=0)
    np.testing.assert_array_equal(lab.tuned, lab.centroids)
    assert "changes by about 0.0000" in plain(lab.caption.value)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_fine_tuning_needs_a_learning_rate(rate):
    with pytest.raises(StateError):
        labs.FinetuneLab(learning_rate=rate)


def numbers_of(name):
    """Names of a lab's states that are one number."""
    lab = getattr(labs, name)
    kinds = {"Float", "Int"}
    return [state for state in lab.state_names if type(lab.class_traits()[state]).__name__ in kinds]


@pytest.mark.parametrize(("name", "state"), [(name, state) for name in labs.ALL for state in numbers_of(name)])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", None])
def test_no_lab_takes_what_is_no_number(name, state, value):
    if value is None:
        value = [1]  # None often stands for "choose one"
    with pytest.raises(DcvizError):
        getattr(labs, name)(**{state: value})
