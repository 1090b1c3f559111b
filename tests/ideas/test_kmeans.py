"""One-dimensional k-means against scikit-learn, kmeans1d and brute force."""

import kmeans1d
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dcviz.errors import CodebookError, WeightError
from dcviz.evidence import paper
from dcviz.ideas import kmeans as km
from dcviz.ideas.kmeans_optimal import MAX_DISTINCT, optima, optimal

FEW = st.sampled_from([0.0, 0.5, -0.5, 1.0, 3.0])  # ties
NUMBERS = st.lists(FEW | st.floats(-100, 100, width=32), min_size=1, max_size=40)
METHODS = st.sampled_from(km.INITS)


def values_and_k(numbers, k):
    values = np.array(numbers)
    return values, min(k, np.unique(values).size)


def nearest(values, centroids):
    """Brute force, ties to the lower index -> indices."""
    return np.abs(np.asarray(values)[:, None] - np.asarray(centroids)[None]).argmin(1)


def inertia(values, centroids):
    return float((np.abs(values[:, None] - centroids[None]).min(1) ** 2).sum())


@pytest.mark.parametrize("init", km.INITS)
@pytest.mark.parametrize("k", [1, 2, 5, 16])
def test_same_inertia_as_scikit_learn_from_the_same_start(init, k):
    from sklearn.cluster import KMeans as ScikitKMeans  # a second of import

    values = np.random.default_rng(k).uniform(-1, 1, 2000) ** 3
    start = km.initialise(values, k, init, seed=3)
    ours = km.kmeans(values, k, init=start, max_iterations=5000)
    assert ours.empty == 0  # scikit-learn moves empty clusters, we leave them
    scikit = ScikitKMeans(k, init=start[:, None], n_init=1, max_iter=5000, tol=0).fit(values[:, None])
    assert ours.inertia == pytest.approx(scikit.inertia_, rel=1e-5)
    np.testing.assert_allclose(ours.centroids, np.sort(scikit.cluster_centers_[:, 0]), atol=1e-6)


@given(NUMBERS, st.integers(1, 8), METHODS)
def test_lloyd_never_beats_the_optimum_and_never_gets_worse(numbers, k, init):
    values, k = values_and_k(numbers, k)
    before = values.copy()
    start = km.initialise(values, k, init)
    result = km.kmeans(values, k, init=init)
    np.testing.assert_array_equal(values, before)
    best = optimal(values, k)
    clusters, middles = kmeans1d.cluster(values, k)
    exact = ((values - np.array(middles)[clusters]) ** 2).sum()
    slack = 1e-10 * (1 + np.square(values).sum())
    assert best.inertia == pytest.approx(exact, rel=1e-9, abs=slack)
    assert best.inertia == pytest.approx(inertia(values, best.centroids), rel=1e-9, abs=slack)
    assert best.inertia - slack <= result.inertia <= inertia(values, start) + slack
    assert result.inertia == pytest.approx(inertia(values, result.centroids), rel=1e-9, abs=slack)


@given(NUMBERS, st.integers(1, 8), METHODS)
def test_step_is_assign_then_mean(numbers, k, init):
    values, k = values_and_k(numbers, k)
    lloyd, start = km.Lloyd(values), km.initialise(values, k, init)
    codes = km.assign(values, start)
    sizes = np.bincount(codes, minlength=k)
    np.testing.assert_array_equal(lloyd.assign_sizes(start), sizes)
    for i, moved in enumerate(lloyd.step(start)):
        expected = values[codes == i].mean() if sizes[i] else start[i]
        assert moved == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (np.diff(lloyd.step(start)) >= 0).all()


@given(NUMBERS, st.integers(1, 8), METHODS, st.integers(0, 5))
def test_starts_are_sorted_distinct_and_within_the_values(numbers, k, init, seed):
    values, k = values_and_k(numbers, k)
    start = km.initialise(values, k, init, seed)
    assert start.shape == (k,)
    assert start.dtype == np.float64
    assert values.min() <= start[0]
    assert start[-1] <= values.max()
    if init == "linear":
        np.testing.assert_allclose(np.diff(start, 2), 0, atol=1e-9)
    else:
        assert (np.diff(start) > 0).all()
        assert np.isin(start, values).all()
    np.testing.assert_array_equal(start, km.initialise(values, k, init, seed))


@given(st.lists(st.integers(-64, 64), min_size=1, max_size=50), st.integers(1, 9))
def test_assign_is_the_nearest_with_ties_to_the_lower(numbers, k):
    centroids = np.linspace(-4, 4, k)  # eighths: the distances are exact
    values = np.array(numbers, np.float64) / 8
    if k in (1, 2, 3, 5, 9):
        np.testing.assert_array_equal(km.assign(values, centroids), nearest(values, centroids))
    assert km.assign(values, centroids).max() < k


def test_assign_keeps_shapes_and_picks_small_types():
    values = np.array([[-0.2, 0.4], [0.5, 0.6]], np.float32)
    codes = km.assign(values, [0, 1])
    assert codes.tolist() == [[0, 0], [0, 1]]
    assert codes.dtype == np.uint8
    assert km.assign(values, np.arange(256.0)).dtype == np.uint8
    assert km.assign(values, np.arange(257.0)).dtype == np.uint16
    assert km.assign(values, np.arange(65537.0)).dtype == np.uint32


def test_starts_of_figure_4():
    values = np.concatenate([np.full(90, 0.0), np.linspace(0.1, 1.0, 10)])
    np.testing.assert_allclose(km.initialise(values, 3, "linear"), [0, 0.5, 1])
    density = km.initialise(np.arange(100.0), 4, "density")
    np.testing.assert_array_equal(density, [12, 37, 62, 87])
    assert km.initialise(values, 1, "linear").tolist() == [0.5]
    forgy = [tuple(km.initialise(values, 3, "forgy", seed)) for seed in range(20)]
    assert len(set(forgy)) > 5


def test_an_empty_cluster_stays_where_it_is_and_is_counted():
    values = np.array([0.0, 0.1, 9.9, 10.0])
    result = km.kmeans(values, 3, init="linear")
    np.testing.assert_allclose(result.centroids, [0.05, 5, 9.95])
    assert result.empty == 1
    np.testing.assert_array_equal(km.Lloyd(values).assign_sizes(result.centroids), [2, 0, 2])
    assert optimal(values, 3).inertia < result.inertia


def test_duplicate_starting_centroids_leave_one_empty():
    result = km.kmeans(np.array([1.0, 2.0, 3.0]), 2, init=[2.0, 2.0])
    assert result.empty + np.count_nonzero(km.Lloyd(np.array([1.0, 2.0, 3.0])).assign_sizes(result.centroids)) == 2


@pytest.mark.parametrize("init", km.INITS)
def test_constant_values_and_as_many_centroids_as_values(init):
    constant = np.full((3, 4), 0.1, np.float32)
    result = km.kmeans(constant, 1, init=init)
    assert result.centroids.tolist() == [float(np.float32(0.1))]
    assert result.inertia == 0
    values = np.array([3.0, 1.0, 1.0, 7.0, -2.0])
    for exact in (km.kmeans(values, 4, init="density"), optimal(values, 4)):
        assert exact.centroids.tolist() == [-2.0, 1.0, 3.0, 7.0]
        assert exact.inertia == 0


def test_a_large_offset_does_not_eat_the_digits():
    small = np.random.default_rng(0).normal(0, 1, 20000).astype(np.float32)
    shifted = (small + np.float32(1e6)).astype(np.float32)  # float32 keeps steps of 1/16 here
    back = shifted.astype(np.float64) - 1e6
    far, near = km.kmeans(shifted, 8), km.kmeans(back, 8)
    assert far.inertia == pytest.approx(near.inertia, rel=1e-6)
    np.testing.assert_allclose(far.centroids - 1e6, near.centroids, atol=1e-6)
    distinct, counts = np.unique(shifted, return_counts=True)
    assert optimal(distinct, 8, counts).inertia == pytest.approx(optimal(back, 8).inertia, rel=1e-6)


def test_running_sums_are_centred():
    small = np.random.default_rng(0).normal(0, 1e-3, 20000)
    shifted = small + 1e6
    start = km.initialise(shifted, 8, "density")
    codes = km.assign(shifted, start)
    means = [(shifted[codes == i] - 1e6).mean() for i in range(8)]
    np.testing.assert_allclose(km.Lloyd(shifted).step(start) - 1e6, means, atol=1e-9)
    back = shifted - 1e6
    assert optimal(shifted, 8).inertia == pytest.approx(optimal(back, 8).inertia, rel=1e-5)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 5)), min_size=1, max_size=20), st.integers(1, 6))
def test_counts_equal_repeated_values(pairs, k):
    values, counts = (np.array(column, np.float64) for column in zip(*pairs, strict=True))
    k = min(k, np.unique(values).size)
    repeated = optimal(np.repeat(values, counts.astype(int)), k)
    assert optimal(values, k, counts).inertia == pytest.approx(repeated.inertia, rel=1e-9, abs=1e-9)


def test_optima_of_several_k_are_each_the_optimum():
    values = np.random.default_rng(5).normal(size=300)
    for k, best in optima(values, [2, 7, 12]).items():
        alone = optimal(values, k)
        assert (best.inertia, best.centroids.tolist()) == (alone.inertia, alone.centroids.tolist())


@pytest.mark.parametrize("init", km.INITS)
def test_a_path_is_step_by_step_what_the_steps_are(init):
    lloyd = km.Lloyd(np.random.default_rng(6).normal(3, 1, size=500))
    now = lloyd.start(9, init)
    path = lloyd.path(now)
    assert len(lloyd.path(now, 4)) == 5
    for centroids, sizes, inertia in path:
        assert (centroids.tolist(), sizes.tolist()) == (now.tolist(), lloyd.assign_sizes(now).tolist())
        assert inertia == pytest.approx(lloyd.inertia(now))
        now = lloyd.step(now)
    assert now.tolist() == path[-1][0].tolist(), "there it ends"


def test_optimal_on_a_layer_sized_input_equals_kmeans1d():
    values = np.random.default_rng(1).laplace(0, 0.05, 4000)
    clusters, middles = kmeans1d.cluster(values, 16)
    best = optimal(values.reshape(40, 100), 16)
    np.testing.assert_allclose(best.centroids, middles, rtol=1e-9)
    assert best.inertia <= km.kmeans(values, 16).inertia
    np.testing.assert_array_equal(km.assign(values, best.centroids), clusters)


def test_iterations_and_tolerance_stop_early():
    values = np.random.default_rng(2).normal(size=5000)
    full = km.kmeans(values, 16)
    assert 3 < full.iterations < 300
    np.testing.assert_array_equal(km.Lloyd(values).step(full.centroids), full.centroids)
    assert km.kmeans(values, 16, max_iterations=3).iterations == 3
    assert km.kmeans(values, 16, tolerance=1e-3).iterations < full.iterations
    assert km.kmeans(values, 16, max_iterations=0).centroids.tolist() == km.initialise(values, 16).tolist()


def test_compression_rate_of_figure_3():
    example = paper.table("figure3_weight_sharing_example")
    n = np.size(example["weights"])
    assert km.compression_rate(n, 32, len(example["centroids"])) == pytest.approx(3.2)
    assert km.compression_rate(100, 32, 1) == 100
    with pytest.raises(CodebookError, match="at least 1"):
        km.compression_rate(16, 32, 0)


def test_assign_reproduces_the_clusters_of_figure_3():
    example = paper.table("figure3_weight_sharing_example")
    centroids = [example["centroids"][str(i)] for i in range(4)]
    assert km.assign(np.array(example["weights"], float), centroids).tolist() == example["cluster_index"]


@pytest.mark.parametrize("k", [0, -1, 4, 2.0, None])
def test_bad_k(k):
    values = np.array([1.0, 1.0, 2.0, 3.0])  # three distinct values
    for call in (km.kmeans, km.initialise, optimal):
        with pytest.raises(CodebookError, match="k "):
            call(values, k)


@pytest.mark.parametrize("init", ["random", [1.0], [1.0, np.nan], [[1.0, 2.0]], ["a", "b"], None])
def test_bad_init(init):
    with pytest.raises(CodebookError, match=r"init|centroids"):
        km.kmeans(np.array([1.0, 2.0, 3.0]), 2, init=init)


def test_bad_centroids_and_counts():
    with pytest.raises(CodebookError, match="sorted"):
        km.assign(np.ones(3), [2.0, 1.0])
    with pytest.raises(CodebookError, match="finite"):
        km.assign(np.ones(3), [])
    for counts in ([1.0], [1.0, 0.0], [1.0, np.nan]):
        with pytest.raises(CodebookError, match="counts"):
            optimal(np.array([1.0, 2.0]), 1, counts)
    with pytest.raises(CodebookError, match="histogram"):
        optimal(np.arange(MAX_DISTINCT + 1.0), 2)


@pytest.mark.parametrize("values", [[], [np.nan, 1.0], [np.inf], [1, 2], [1e200, 2.0]])
def test_bad_values(values):
    for call in (km.kmeans, optimal):
        with pytest.raises(WeightError):
            call(np.array(values), 1)


def test_forgy_draws_from_seed_zero_unless_told_otherwise():
    values = np.random.default_rng(5).normal(size=200)
    assert km.initialise(values, 6, "forgy").tolist() == km.initialise(values, 6, "forgy", 0).tolist()
    assert km.initialise(values, 6, "forgy").tolist() != km.initialise(values, 6, "forgy", 1).tolist()
    assert km.kmeans(values, 6, "forgy").centroids.tolist() == km.kmeans(values, 6, "forgy", 0).centroids.tolist()


def test_refusals_are_whole_sentences():
    with pytest.raises(CodebookError, match=r"^unknown initialisation 'x', expected one of linear, density, forgy$"):
        km.initialise([1.0, 2.0], 1, "x")
    with pytest.raises(WeightError, match=r"^values: "):
        km.assign([np.nan], [0.0])


def test_one_weight_of_one_bit_cannot_be_compressed():
    assert km.compression_rate(1, 1, 1) == 1.0


def test_wide_sums_of_narrow_values():
    values = np.full(1000, 0.1, np.float32)
    values[0] = 7
    assert km.kmeans(values, 2).centroids == pytest.approx([float(np.float32(0.1)), 7], rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 7, 40])
@pytest.mark.parametrize("init", km.INITS)
def test_running_sums_give_the_inertia_of_any_stretch(k, init):
    values = np.sort(np.random.default_rng(k).normal(0.01, 0.05, 3000))
    lloyd = km.Lloyd(values)
    centroids, steps = lloyd.settle(lloyd.start(k, init), max_iterations=9)
    assert steps <= 9
    squares = np.square(values - centroids[km.assign(values, centroids)])
    at = np.array([0, 1, 700, 1500, 2999, 3000])
    np.testing.assert_allclose(lloyd.inertia_below(centroids, at), [squares[:n].sum() for n in at], rtol=1e-9)


def test_below_gives_size_sum_and_squares_of_what_lies_under_each_limit():
    values = np.random.default_rng(6).normal(3, 1, 500)
    lloyd = km.Lloyd(values)
    for limit, n, total, squares in zip([2.5, 9.0, -9.0], *lloyd.below([2.5, 9.0, -9.0]), strict=True):
        under = values[values <= limit] - lloyd.centre
        assert (n, total, squares) == (under.size, pytest.approx(under.sum()), pytest.approx(np.square(under).sum()))
