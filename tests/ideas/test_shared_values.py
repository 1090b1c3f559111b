import numpy as np
import pytest

from dcviz.evidence import paper
from dcviz.ideas.shared_values import first_order_change, gradient_step, mean_gradient, reduce_gradient

FIG3 = paper.table("figure3_weight_sharing_example")


def by_code(name):
    return np.array([FIG3[name][str(code)] for code in range(4)])


def test_the_mean_in_place_of_the_sum_does_not_fit_figure_3():
    codes = np.array(FIG3["cluster_index"])
    gradient = np.array(FIG3["gradient"])
    means = mean_gradient(gradient, codes, 5)
    np.testing.assert_allclose(means[:4], [gradient[codes == code].mean() for code in range(4)])
    assert means[4] == 0, "a cluster without weights"
    learned = gradient_step(by_code("centroids"), means[:4], 1.0)
    assert not np.allclose(learned, by_code("fine_tuned"), atol=0.005)


def test_the_first_order_change_is_the_slope_of_the_loss():
    random = np.random.default_rng(0)
    centroids, codes = random.normal(size=3), random.integers(0, 3, (4, 5))

    def loss(weight):
        return np.square(weight.sum(1)).sum() + np.sin(weight).sum()

    weight = centroids[codes]
    gradient = 2 * weight.sum(1, keepdims=True) + np.cos(weight)
    tuned = gradient_step(centroids, reduce_gradient(gradient, codes, 3), 1e-6)
    change = first_order_change(gradient, centroids, tuned, codes)
    assert change < 0
    assert change == pytest.approx(loss(tuned[codes]) - loss(weight), rel=1e-3)
