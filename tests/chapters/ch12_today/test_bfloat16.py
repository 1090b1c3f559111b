import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from dcviz.chapters.ch12_today import bfloat16, tables
from dcviz.errors import DcvizError, WeightError


def test_parts_are_those_of_torchs_bfloat16():
    weights = torch.randn(1000, generator=torch.Generator().manual_seed(0)).bfloat16()
    bits = bfloat16.patterns(weights.float().numpy())
    assert np.array_equal(bits.astype(np.int16), weights.view(torch.int16).numpy())
    assert np.array_equal(bfloat16.weights_of(bits), weights.float().numpy())
    parts = bfloat16.split(bits)
    values = (-1.0) ** parts["sign"] * 2.0 ** (parts["exponent"].astype(int) - 127) * (1 + parts["mantissa"] / 128)
    assert np.array_equal(values, weights.double().numpy())


@given(st.lists(st.integers(0, 2**16 - 1), max_size=300))
def test_every_pattern_comes_back(numbers):
    bits = np.array(numbers, np.uint16)
    assert np.array_equal(bfloat16.join(**bfloat16.split(bits)), bits)
    assert np.array_equal(bfloat16.decode(bfloat16.encode(bits)), bits)


def test_weights_that_are_no_bfloat16_are_refused():
    for weight in (0.1, np.nan, np.inf):
        with pytest.raises(WeightError, match="not finite bfloat16"):
            bfloat16.patterns(np.array([1.0, weight], np.float32))


def test_the_code_comes_near_its_bound_and_leaves_the_rest_alone():
    weights = torch.randn(50_000, generator=torch.Generator().manual_seed(0)).bfloat16()
    bits = bfloat16.patterns(weights.float().numpy())
    bound = bits.size * (8 + bfloat16.entropies(bits)["exponent"]) / 8
    assert bound < len(bfloat16.encode(bits)) < 1.02 * bound
    assert len(bfloat16.encode(bits)) < 0.7 * 2 * bits.size


def test_a_file_of_tensors_comes_back():
    tensors = {
        "a.weight": np.full((2, 3), -0.5, np.float32),
        "b": np.arange(4, dtype=np.float32),
        "c": np.zeros((1, 1)),
    }
    back = bfloat16.unpack(bfloat16.pack(tensors))
    assert list(back) == list(tensors)
    for name, values in tensors.items():
        assert back[name].shape == values.shape
        assert np.array_equal(back[name], values)


def test_damage_is_a_typed_error():
    data = bfloat16.pack({"a": np.arange(8, dtype=np.float32)})
    for cut in range(len(data)):
        with pytest.raises(DcvizError):
            bfloat16.unpack(data[:cut])
    with pytest.raises(DcvizError):
        bfloat16.unpack(data + b"x")
    wrong_shape = data.replace(bytes([1, 8]), bytes([1, 7]), 1)
    with pytest.raises(DcvizError, match="for the shape"):
        bfloat16.unpack(wrong_shape)


def test_the_table_of_compressors_has_ours_last_and_smallest():
    weights = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).bfloat16()
    table = tables.compressors(bfloat16.patterns(weights.float().numpy()))
    sizes = [int(size.replace(",", "")) for size in table[tables.NOW, "bytes"] if size[0].isdigit()]
    assert sizes[0] == 40_000
    assert sizes[-1] == min(sizes)
