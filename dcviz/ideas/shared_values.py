"""Learning a value that many weights share: equation 3 and the step of section 3.3, for a look at one step.

Training itself does the same in torch, `pipeline.trained_quantization`.
"""

import numpy as np


def reduce_gradient(gradient, codes, k):
    """Sum of the gradients of each cluster's weights (eq. 3): ``gradient``, ``codes`` of one shape -> float64 (k,).

    The sum, not the mean: every weight of a cluster moves when its centroid moves, and their effects on
    the loss add up. With Fig. 3's numbers and lr = 1 only the sum gives the figure's new centroids.
    """
    return np.bincount(np.ravel(codes), np.ravel(gradient), k)


def mean_gradient(gradient, codes, k):
    """`reduce_gradient` divided by the weights of each cluster, 0 for an empty one: what Fig. 3 does *not* do."""
    return reduce_gradient(gradient, codes, k) / np.maximum(np.bincount(np.ravel(codes), minlength=k), 1)


def gradient_step(centroids, reduced, learning_rate):
    """Gradient descent on the centroids (section 3.3): each minus the learning rate times its gradient -> (k,)."""
    return centroids - learning_rate * reduced


def first_order_change(gradient, centroids, tuned, codes):
    """What the loss changes by when every weight follows its centroid, to first order -> float.

    gradient, codes: of the weights, one shape; centroids, tuned: before and after, (k,). Each weight's gradient times
    its own move, added up.
    """
    return float(np.dot(np.ravel(gradient), (tuned - centroids)[np.ravel(codes)]))
