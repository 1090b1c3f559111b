"""Pruning by magnitude: which weights stay, which become zero.

Section 2 of *Deep Compression* prunes as its predecessor did (Han, Pool, Tran, Dally, *Learning both
Weights and Connections for Efficient Neural Networks*, NIPS 2015): after normal training, every weight
whose magnitude lies below a threshold is removed, then the survivors are trained again. The threshold
is "a quality parameter multiplied by the standard deviation of a layer's weights". This module holds
the one rule and the two ways to choose its threshold; training is elsewhere.

    threshold   a magnitude, in the units of the weights: keep w when |w| >= threshold and w != 0
    quality     threshold / standard deviation of the layer, a number around 1
    density     kept weights / all weights, between 0 and 1;  sparsity = 1 - density

A mask is a bool array of the weights' shape, True where a weight is kept. Every function takes float
arrays of any shape, never changes its input, and raises WeightError for NaN, infinity and empty arrays.
"""

from collections.abc import Mapping

import numpy as np

from dcviz.errors import WeightError


def check_weights(weights, where="weights"):
    """Weights as a NumPy float array, same shape and dtype, not copied; or WeightError saying what is wrong.

    A torch tensor may be sparse, require gradients or lie on another device; bfloat16 becomes float32.
    where: a name for the message, such as "fc1.weight".
    Raises WeightError when the array is empty, is not of a float type, or holds NaN or infinity: the
    message counts the bad values and gives the position of the first.
    """
    try:
        array = np.asarray(_without_torch(weights) if hasattr(weights, "detach") else weights)
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightError(f"{where}: cannot be read as an array ({error})") from error
    if not np.issubdtype(array.dtype, np.floating):
        raise WeightError(f"{where}: expected floats, got {array.dtype}; convert with .astype(np.float32)")
    if array.size == 0:
        raise WeightError(f"{where}: empty array of shape {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        bad = ~finite
        first = tuple(int(i) for i in np.unravel_index(np.argmax(bad), array.shape))
        raise WeightError(
            f"{where}: {np.count_nonzero(bad)} of {array.size} values are NaN or infinite, "
            f"the first at position {first}: {array[first]}"
        )
    return array


def _without_torch(tensor):
    """The numbers of a torch tensor, as NumPy takes them; this module does not import torch for it."""
    tensor = tensor.detach().to_dense()
    known = hasattr(np, str(tensor.dtype).removeprefix("torch."))
    return (tensor if known else tensor.float()).numpy(force=True)


def check_layers(layers):
    """{name: weights as check_weights returns them} of a mapping of layers; WeightError if it is none, or empty.

    One that ``checks_itself``, layer by layer when they are looked at, is given back as it is.
    """
    if getattr(layers, "checks_itself", False):
        return layers
    if not isinstance(layers, Mapping) or not layers:
        raise WeightError(f"expected at least one layer, as {{name: array}}, got {type(layers).__name__} without any")
    return {name: check_weights(weights, name) for name, weights in layers.items()}


def threshold_from_quality(weights, quality):
    """The threshold of NIPS'15: quality * standard deviation of the layer's weights -> float.

    One quality parameter can serve all layers, because the standard deviation adapts it to each.
    quality: a number >= 0. Raises WeightError otherwise.

        threshold_from_quality(weights with std 0.05, 1.5) -> 0.075
    """
    weights = check_weights(weights)
    if not (np.isfinite(quality) and quality >= 0):
        raise WeightError(f"quality must be a finite number >= 0, got {quality}")
    with np.errstate(over="ignore"):  # judged by what comes out
        threshold = float(quality * np.std(weights, dtype=np.float64))
    if not np.isfinite(threshold):
        raise WeightError("weights: too large to square, so they have no standard deviation")
    return threshold


def threshold_from_density(weights, density):
    """The threshold that keeps round(density * n) weights -> float, in the units of the weights.

    It is the magnitude of the smallest weight that stays, so weights tied with it stay too and the
    mask may keep more; a threshold of 0 keeps fewer, as zeros are never kept. Density 0 gives the next
    float above the largest magnitude. Raises WeightError for a density outside 0..1.

        threshold_from_density([.1, -.4, .3, .2], 0.5) -> 0.3
    """
    magnitude = np.abs(check_weights(weights)).ravel()
    kept = _kept(magnitude.size, density)
    if kept == 0:
        with np.errstate(over="ignore"):  # above the largest float lies infinity, which keeps nothing either
            return float(np.nextafter(magnitude.max(), magnitude.dtype.type(np.inf)))
    return float(_smallest_kept(magnitude, kept))


def mask_from_threshold(weights, threshold):
    """Keep a weight when |w| >= threshold and w != 0 -> bool array of the weights' shape.

    Zeros are never kept: storing a weight that is already zero would cost bits and change nothing.
    threshold: a number >= 0, compared exactly even when the weights are float32.
    Raises WeightError for a negative or NaN threshold.

        mask_from_threshold([.1, -.4, 0], 0.2) -> [False, True, False]
    """
    weights = check_weights(weights)
    if not threshold >= 0:
        raise WeightError(f"threshold must be a number >= 0, got {threshold}")
    return (np.abs(weights) >= np.float64(threshold)) & (weights != 0)


def mask_from_density(weights, density):
    """Keep exactly round(density * n) weights, the largest magnitudes -> bool array of the weights' shape.

    Among equal magnitudes the earlier position (C order) stays. Where threshold and ties cannot
    give an exact count, this can; it even keeps zeros if density asks for more than there are nonzeros.
    Raises WeightError for a density outside 0..1.

        mask_from_density([.3, -.4, .3, .2], 0.5) -> [True, True, False, False]
    """
    weights = check_weights(weights)
    magnitude = np.abs(weights).ravel()
    kept = _kept(magnitude.size, density)
    mask = np.zeros(magnitude.size, bool)
    if kept:
        smallest = _smallest_kept(magnitude, kept)
        magnitude = np.abs(weights, out=magnitude.reshape(weights.shape)).ravel()
        mask = magnitude > smallest
        ties = np.flatnonzero(magnitude == smallest)
        mask[ties[: kept - np.count_nonzero(mask)]] = True
    return mask.reshape(weights.shape)


def layer_adaptive_densities(weights, density):
    """Densities with which layers keep round(density * n) of all their n weights together -> {name: 0..1}.

    Layers compete by LAMP (Lee et al., ICLR 2021): a weight counts as its square over the sum of squares of the weights
    of its layer that are not smaller, so no layer vanishes. Equal weights of a layer count alike.
    weights: {name: array}. Raises WeightError as the other functions.

        layer_adaptive_densities({"a": [3, 1], "b": [2, 2]}, 0.5) -> {"a": 0.5, "b": 0.5}
    """
    scores = {}
    for name, layer in check_layers(weights).items():
        squares = np.sort(np.square(layer, dtype=np.float64), axis=None)
        rest = np.cumsum(squares[::-1])[::-1]
        scores[name] = np.divide(squares, rest, out=np.zeros_like(squares), where=rest > 0)
    together = np.concatenate(list(scores.values()))
    threshold = threshold_from_density(together, density)
    return {name: np.count_nonzero((score >= threshold) & (score > 0)) / score.size for name, score in scores.items()}


def density(mask_or_weights):
    """Fraction that is kept: True in a mask, nonzero in weights -> float, 0 to 1.

    The tables of the paper print it in percent, column "Weights% (P)". Raises WeightError when empty.
    """
    array = np.asarray(mask_or_weights)
    if array.dtype != bool or array.size == 0:
        array = check_weights(array, "mask or weights")
    return np.count_nonzero(array) / array.size


def sparsity(mask_or_weights):
    """Fraction that is pruned: 1 - density -> float, 0 to 1. Raises WeightError when empty."""
    return 1.0 - density(mask_or_weights)


def _smallest_kept(magnitude, kept):
    """The smallest of the ``kept`` >= 1 largest magnitudes (n,) -> their type. Leaves the magnitudes in another order.

    In place: one copy of a large layer, not two. Of a pruned one only what is left is searched: a partition among
    many equal numbers takes several times longer.
    """
    nonzero = np.count_nonzero(magnitude)
    if kept > nonzero:
        return magnitude.dtype.type(0)
    if nonzero < 0.9 * magnitude.size:
        magnitude = magnitude[magnitude != 0]
    magnitude.partition(magnitude.size - kept)
    return magnitude[magnitude.size - kept]


def _kept(n, density):
    """How many of n weights a density keeps -> int."""
    if not 0 <= density <= 1:
        raise WeightError(f"density must lie between 0 and 1, got {density}")
    return round(float(density) * n)
