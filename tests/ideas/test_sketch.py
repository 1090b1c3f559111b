"""A sketch says what the weights would say: exactly at its points, closely in between."""

import struct

import numpy as np
import pytest

from dcviz.errors import DataError, WeightError
from dcviz.ideas import sketch as sk
from dcviz.ideas.pruning import mask_from_threshold, threshold_from_density

RNG = np.random.default_rng(3)
LAYERS = {
    "laplace": RNG.laplace(scale=0.02, size=(300, 784)).astype(np.float32),
    "normal": RNG.normal(0.01, 0.1, size=(50, 20, 5, 5)).astype(np.float32),
    "pruned": (RNG.laplace(size=200_000) * (RNG.random(200_000) < 0.08)).astype(np.float32),
    "shared": RNG.choice(np.linspace(-1, 1, 16), 50_000).astype(np.float32),
    "tiny": np.array([0.5, -0.25, 0.0, 1.0], np.float32),
    "one": np.array([2.0], np.float32),
    "zeros": np.zeros(10, np.float32),
    "heavy tail": RNG.standard_cauchy(100_000).astype(np.float32),
}
SMOOTH = ["laplace", "normal", "pruned", "heavy tail"]


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]


def below(weights, threshold):
    return weights.size - int(mask_from_threshold(weights.reshape(-1), threshold).sum())


def test_counts_and_moments(layer):
    s = sk.sketch(layer, name="x")
    assert s.counts.sum() + sum(s.outside) == s.n == layer.size
    assert s.shape == layer.shape
    assert s.zeros == (layer == 0).sum()
    assert (s.min, s.max) == (layer.min(), layer.max())
    assert s.mean == pytest.approx(layer.mean(dtype=np.float64))
    assert s.std == pytest.approx(layer.std(dtype=np.float64))
    assert len(s.edges) == len(s.counts) + 1


def test_histogram_is_numpys(layer):
    s = sk.sketch(layer, bins=64, limit=0.03)
    np.testing.assert_array_equal(s.counts, np.histogram(layer, 64, (-0.03, 0.03))[0])


def test_few_weights_get_few_bins():
    assert [sk.bins_for(n) for n in (0, 25, 500, 10**7)] == [15, 15, 45, sk.BINS]


def test_exact_at_its_own_magnitudes_where_no_two_weights_tie():
    w = np.unique(np.abs(LAYERS["laplace"]))
    s = sk.sketch(w)
    for t in s.magnitudes[:: len(s.magnitudes) // 50]:
        assert s.count_below(float(t)) == below(w, float(t))


def test_never_off_by_more_than_a_step(layer):
    s = sk.sketch(layer)
    step = max(np.diff(s.ranks, append=s.ranks[-1:] + 1).max(initial=0), 1) if len(s.ranks) else 1
    assert step / layer.size <= 0.0007 or layer.size < 2000
    for t in np.abs(RNG.choice(layer.reshape(-1), 200)) * RNG.uniform(0.9, 1.1, 200):
        assert abs(s.count_below(float(t)) - below(layer, float(t))) <= step


@pytest.mark.parametrize("name", ["laplace", "normal", "heavy tail"])
def test_smooth_layers_within_a_hundredth_of_a_point_and_kept_within_one_percent(name):
    flat = LAYERS[name].reshape(-1)
    w = np.repeat(flat, 4) * RNG.uniform(0.5, 1.5, 4 * flat.size).astype(np.float32)
    s = sk.sketch(w)
    for density in (0.9, 0.5, 0.1, 0.05, 0.01, 0.003):
        t = s.threshold_for_density(density)
        kept = w.size - below(w, t)
        assert abs(s.fraction_below(t) - (1 - kept / w.size)) < 1e-4
        assert kept == pytest.approx(density * w.size, rel=0.01)
        assert t == pytest.approx(threshold_from_density(w, density), rel=0.01)


@pytest.mark.parametrize("name", SMOOTH)
def test_kept_weights_in_the_tail_within_three_percent(name):
    s = sk.sketch(LAYERS[name])
    for kept in (1000, 200, 50):
        t = s.threshold_for_density(kept / s.n)
        assert s.n - s.count_below(t) == pytest.approx((np.abs(LAYERS[name]) >= t).sum(), rel=0.03, abs=1)


def test_zeros_are_pruned_at_any_threshold():
    s = sk.sketch(LAYERS["pruned"])
    assert s.fraction_below(0) == (LAYERS["pruned"] == 0).mean()
    assert sk.sketch(LAYERS["zeros"]).fraction_below(0) == 1
    assert sk.sketch(LAYERS["zeros"]).threshold_for_density(0.5) == 0


def test_the_ends():
    w = LAYERS["tiny"]
    s = sk.sketch(w)
    assert s.fraction_below(1.0) == 0.75
    assert s.fraction_below(1.001) == 1
    assert s.threshold_for_density(1) == 0
    assert s.fraction_below(s.threshold_for_density(0)) == 1
    np.testing.assert_allclose(s.fraction_below([0, 0.3, 0.6, 2]), [0.25, 0.5, 0.75, 1], atol=0.25)
    assert s.threshold_for_quality(2) == 2 * s.std


@pytest.mark.parametrize("name", SMOOTH)
def test_density_and_fraction_are_inverse(name):
    s = sk.sketch(LAYERS[name])
    for density in (0.07, 0.03, 0.01):
        assert 1 - s.fraction_below(s.threshold_for_density(density)) == pytest.approx(density, abs=1e-6)


@pytest.mark.parametrize("n", [1, 5, 2048, 2049, 3000, 40_000, 235_200, 37_748_736])
def test_ranks_ascend_from_first_to_last(n):
    ranks = sk.order_ranks(n)
    assert len(ranks) == min(n, sk.POINTS)
    assert (ranks[0], ranks[-1]) == (0, n - 1)
    assert (np.diff(ranks) >= 0).all()


@pytest.mark.parametrize("points", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("n", [1, 8, 40, 1000])
def test_few_points_are_points_too(n, points):
    ranks = sk.order_ranks(n, points)
    assert len(ranks) == min(n, points)
    assert list(ranks[:1]) == [0] * min(points, 1)
    assert points < 2 or ranks[-1] == n - 1
    s = sk.sketch(np.linspace(0.1, 1, n), points=points)
    assert 0 <= s.fraction_below(0.5) <= 1


def test_bytes_round_trip_and_stay_small():
    made = [sk.sketch(w, name=name) for name, w in LAYERS.items()]
    data = sk.to_bytes(made)
    assert len(data) < 12_000 * len(made)
    for a, b in zip(made, sk.from_bytes(data), strict=True):
        assert a.header() == b.header()
        np.testing.assert_array_equal(a.counts, b.counts)
        np.testing.assert_array_equal(a.magnitudes, b.magnitudes)
    assert sk.from_bytes(sk.to_bytes([])) == []


def test_arrays_round_trip(layer):
    s = sk.sketch(layer, name="x")
    again = sk.from_arrays(s.header(), **s.to_arrays())
    assert again.header() == s.header()
    assert again.count_below(0.01) == s.count_below(0.01)


def test_damage_is_noticed():
    data = sk.to_bytes([sk.sketch(LAYERS["tiny"], name="tiny")])
    for bad in (b"", b"x" * 50, data[:-1], data + b"1", data[:9], data[:20] + b"\xff" + data[21:]):
        with pytest.raises(DataError):
            sk.from_bytes(bad)
    s = sk.sketch(LAYERS["laplace"])
    with pytest.raises(DataError, match="in order"):
        sk.from_arrays(s.header(), s.counts, s.magnitudes[::-1])
    with pytest.raises(DataError, match="add up"):
        sk.from_arrays(s.header(), s.counts + 1, s.magnitudes)
    with pytest.raises(DataError, match="header"):
        sk.from_arrays({"name": "x"}, s.counts, s.magnitudes)


@pytest.mark.parametrize("bad", [np.array([]), np.array([1, np.nan]), np.array([np.inf]), np.array(["a"])])
def test_bad_weights(bad):
    with pytest.raises(WeightError):
        sk.sketch(bad, name="fc1")


def test_the_input_stays_as_it_is(layer):
    copy = layer.copy()
    sk.sketch(layer)
    np.testing.assert_array_equal(copy, layer)


def test_refusals_say_what_is_wrong():
    with pytest.raises(WeightError, match=r"^cannot sketch weights: they hold NaN or infinity$"):
        sk.sketch(np.array([1.0, np.nan]))
    with pytest.raises(WeightError, match=r"^cannot sketch fc1: 0 values of type float64$"):
        sk.sketch(np.zeros(0), name="fc1")
    data = bytearray(sk.to_bytes([sk.sketch(LAYERS["tiny"], name="tiny")]))
    data[data.index(b"{")] = 0xFF
    with pytest.raises(DataError, match=r"^the header of the sketches is damaged: "):
        sk.from_bytes(bytes(data))


def test_more_magnitudes_than_weights_that_are_not_zero_are_a_contradiction():
    s = sk.sketch(LAYERS["tiny"], name="tiny")  # three of four weights are not zero
    with pytest.raises(DataError, match=r"tiny"):
        sk.from_arrays(s.header(), s.counts, np.append(s.magnitudes, s.magnitudes[-1]))


def test_a_sketch_without_a_name_has_an_empty_one():
    assert sk.sketch(LAYERS["tiny"]).name == ""
    assert sk.sketch(LAYERS["tiny"]).count_below(np.float32(0.5)) == 2


@pytest.mark.parametrize(
    "lie",
    [
        *({"n": "4"}, {"n": 4.0}, {"n": True}, {"n": None}, {"zeros": -1}, {"zeros": 5}, {"zeros": 10**400}),
        *({"limit": "1"}, {"limit": float("nan")}, {"limit": float("inf")}, {"limit": 0}, {"limit": [1]}),
        *({"std": -1.0}, {"mean": float("nan")}, {"min": None}, {"max": 10**400}, {"name": 7}, {"name": None}),
        *({"shape": [2]}, {"shape": "4"}, {"shape": [-2, -2]}, {"shape": 4}, {"outside": [0]}, {"outside": [0, -0.0]}),
        *({"outside": [-1, 1]}, {"more": 1}),
    ],
    ids=str,
)
def test_a_header_that_lies_is_refused(lie):
    s = sk.sketch(LAYERS["tiny"], name="tiny")
    with pytest.raises(DataError, match="sketch"):
        sk.from_arrays({**s.header(), **lie}, s.counts, s.magnitudes)


@pytest.mark.parametrize(
    "head", [b"[" * 100_000, b"7", b"[7]", b"{}", b'[{"bins": 1e400, "points": 1}]', b'[{"bins": 1}]']
)
def test_a_header_that_is_no_list_of_rows_is_refused(head):
    with pytest.raises(DataError, match=r"damaged|cut short"):
        sk.from_bytes(sk._MAGIC + struct.pack("<I", len(head)) + head)


def test_magnitudes_that_are_no_numbers_are_refused():
    s = sk.sketch(LAYERS["tiny"], name="tiny")
    with pytest.raises(DataError, match="no finite number"):
        sk.from_arrays(s.header(), s.counts, [0.25, 0.5, np.inf])
