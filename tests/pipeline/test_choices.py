"""Files made by choices are real: their length is that of a .dcz, their error that of the net read back from it."""

import numpy as np
import pytest

from dcviz import archive
from dcviz.errors import DcvizError, RecipeError
from dcviz.pipeline import choices

EACH = {"fc1": 0.2, "fc2": 0.4, "fc3": 0.6}


def layers(*values):
    return dict(zip(choices.LAYERS, values, strict=True))


def test_a_file_is_written_and_read_back(monkeypatch):
    written = []
    real = archive.dumps
    monkeypatch.setattr(archive, "dumps", lambda stored: written.append(real(stored)) or written[-1])
    found = choices.cut(EACH)
    assert found.file_bytes == len(written[-1])
    back = archive.loads(written[-1])
    kept = {layer.name: np.count_nonzero(layer.weight) / layer.weight.size for layer in back.layers}
    assert kept == pytest.approx(EACH, rel=1e-3)
    assert 0 < found.error_percent < 100


def test_wider_codebooks_make_larger_files_and_fewer_errors():
    few, many = (choices.codebooks(layers(*[(k, "linear")] * 3)) for k in (2, 16))
    assert few.file_bytes < many.file_bytes
    assert few.error_percent > many.error_percent


def test_a_price_makes_the_file_smaller():
    assert choices.priced(0.2, 8).file_bytes < choices.priced(0, 8).file_bytes


def test_what_is_told_of_a_file_is_what_it_holds():
    for told, size in choices.files_before_huffman():
        entries = sum((one["nonzeros"] + one["fillers"]) * (one["weight_bits"] + one["index_bits"]) for one in told)
        payload = entries / 8 + 4 * sum(one["codebook"] + one["biases"] for one in told)
        assert payload < size < payload + 150


@pytest.mark.parametrize(
    ("make", "choice"),
    [
        (choices.cut, None),
        (choices.cut, {"fc1": 0.5}),
        (choices.cut, layers(0.5, "half", 0.5)),
        (choices.cut, layers(0.5, float("nan"), 0.5)),
        (choices.cut, layers(True, 0.5, 0.5)),
        (choices.codebooks, layers(4, 4, 4)),
        (choices.codebooks, layers(*[(0, "linear")] * 3)),
        (choices.codebooks, layers(*[(10**9, "linear")] * 3)),
        (choices.trained, layers(*[(0.1, 2.5)] * 3)),
        (lambda choice: choices.gaps(choice, True), layers(*[(0, "C")] * 3)),
        (lambda choice: choices.priced(choice, 4), float("nan")),
        (lambda choice: choices.priced(choice, 4), "free"),
        (lambda choice: choices.priced(0.1, choice), 2.0),
    ],
)
def test_choices_that_make_no_file_are_named(make, choice):
    with pytest.raises(DcvizError):
        make(choice)


def test_the_form_is_explained():
    with pytest.raises(RecipeError, match="keys fc1, fc2, fc3"):
        choices.by_layer([1, 2, 3])
    with pytest.raises(RecipeError, match="fc2 needs 2 values"):
        choices.by_layer(layers((1, 2), 3, (1, 2)), 2)
