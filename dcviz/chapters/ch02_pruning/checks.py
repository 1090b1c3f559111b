"""Checks of chapter 02: mask from a threshold, mask for a density, one masked step, densities for a budget."""

import numpy as np

from dcviz.ideas import pruning
from dcviz.labkit import theme
from dcviz.labkit.check import Check
from dcviz.labkit.decision import Decision, by_layer


def _density_mask(weights, density):
    return pruning.mask_from_density(weights, density)


def _smallest(weights, density):
    return ~pruning.mask_from_density(weights, 1 - density)


def _no_bools(right):
    """Right answers in a form that does not serve: whoever indexes with numbers gets other weights."""
    return {
        "your mask holds whole numbers, 0 and 1; wanted are True and False, as a comparison gives them": (
            lambda w, x: right(w, x).astype(int)
        ),
        "your mask holds floats, 0.0 and 1.0; wanted are True and False, as a comparison gives them": (
            lambda w, x: right(w, x).astype(float)
        ),
        "that is a list; wanted is a NumPy array of bools, as a comparison of arrays gives it": (
            lambda w, x: right(w, x).tolist()
        ),
    }


def _draw_mask(arguments, yours, target):
    """The first weights as bars with the target's and the learner's choice under them."""
    weights = np.ravel(arguments[0])[:24]
    figure, (top, low) = theme.figure(11, 5, rows=2, gridspec_kw={"height_ratios": [2, 1]})
    top.bar(range(weights.size), weights, 0.7, **theme.bar_style("dense"))
    top.axhline(0, color="black", linewidth=1)
    top.set(ylabel="weight", xticks=[], xlim=(-0.6, weights.size - 0.4))
    for y, mask in ((1, target), (0, yours)):
        try:
            kept = np.ravel(mask)[: weights.size].astype(bool)
        except (TypeError, ValueError):
            continue
        for name, chosen in (("kept", kept), ("pruned", ~kept)):
            places = np.flatnonzero(chosen)
            style = {"linestyle": "", "markersize": 12, "markeredgewidth": 2.5, "label": name if y else None}
            low.plot(places, np.full(places.size, y), **theme.line_style(name, **style))
    low.set(yticks=[1, 0], yticklabels=["target", "yours"], ylim=(-0.6, 1.6), xlim=top.get_xlim())
    low.set_xlabel("position (the first weights)")
    low.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


mask = Check(
    "mask",
    spec="Return a bool array of the shape of `weights`: True where the magnitude is at least `threshold`.",
    solution=pruning.mask_from_threshold,
    inputs=lambda rng: [
        (np.array([0.1, -0.4, 0.3, -0.02, 0.25]), 0.25),  # one weight lies on the threshold: it stays
        (np.array([[-3.0, -1.0], [0.5, 2.0]]), 1.0),
        (np.zeros(4), 0.1),
        (rng.normal(0, 0.05, (4, 6)), 0.05),
        (rng.normal(0, 0.05, (3, 2, 5, 5)), 0.02),
    ],
    mistakes={
        "you compare the weight, not its magnitude: large negative weights matter too": lambda w, t: w >= t,
        "you keep the small weights and prune the large ones": lambda w, t: np.abs(w) < t,
        "a weight exactly on the threshold stays: use >=, not >": lambda w, t: np.abs(w) > t,
        "you keep the small weights (and the mask is True where a weight *stays*)": lambda w, t: np.abs(w) <= t,
        "you compare with minus the threshold as well as plus, but join the two with the wrong word: a weight stays "
        "if it is above +threshold *or* below -threshold": lambda w, t: (w >= t) & (w <= -t),
        "you return the pruned weights; wanted is the mask, True or False for each": lambda w, t: np.where(
            np.abs(w) >= t, w, 0.0
        ),
        **_no_bools(pruning.mask_from_threshold),
    },
    draw=_draw_mask,
    exact_kind=True,
)

mask_for_density = Check(
    "mask_for_density",
    spec="Return a bool array of the shape of `weights` that keeps the `density` * weights.size weights of largest "
    "magnitude (a whole number in all inputs, and no two magnitudes are equal).",
    solution=_density_mask,
    inputs=lambda rng: [
        (np.array([0.3, -0.4, 0.1, 0.2, -0.05]), 0.4),
        (rng.normal(-0.03, 0.05, (5, 8)), 0.25),
        (rng.normal(0.02, 0.05, 50), 0.08),
        (rng.normal(0, 0.05, (2, 1, 5, 5)), 0.9),
        (rng.normal(0, 1, 10), 1.0),
    ],
    mistakes={
        "density is the share that *stays*; you keep the sparsity, 1 - density": lambda w, d: pruning.mask_from_density(
            w, 1 - d
        ),
        "you take the quantile of the weights, not of their magnitudes": lambda w, d: (
            np.abs(w) >= np.quantile(w, 1 - d)
        ),
        "you take the quantile of the weights and compare the weights: negative ones never stay": lambda w, d: (
            w >= np.quantile(w, 1 - d)
        ),
        "the quantile to take is 1 - density: that share lies *below* the threshold": lambda w, d: (
            np.abs(w) >= np.quantile(np.abs(w), d)
        ),
        "you keep the smallest magnitudes": _smallest,
        "the weight that sits on the threshold stays: use >=, not >": lambda w, d: (
            np.abs(w) > np.sort(np.abs(w), axis=None)[w.size - round(d * w.size)]
        ),
        "you return the threshold; wanted is the mask": pruning.threshold_from_density,
        **_no_bools(_density_mask),
    },
    draw=_draw_mask,
    exact_kind=True,
)


def _step(weights, gradient, velocity, mask, rate, momentum):
    return (weights - rate * (momentum * velocity + gradient)) * mask


def _steps(rng):
    """Weights, gradient, velocity, mask, rate, momentum; the velocity of pruned weights is not zero yet."""
    cases = [
        (np.array([0.5, 0.0, -0.2]), np.array([0.1, 0.3, -0.4]), np.zeros(3), np.array([True, False, True]), 0.5, 0.0)
    ]
    for shape, rate, momentum in (((3, 4), 0.1, 0.9), (6, 0.01, 0.5), ((2, 1, 3, 3), 1.0, 0.9)):
        keep = rng.random(shape) < 0.5
        keep.flat[:2] = True, False
        arrays = [rng.normal(size=shape) for _ in range(3)]
        cases.append((arrays[0] * keep, arrays[1], arrays[2], keep, rate, momentum))
    not_cut_yet = rng.normal(size=5)
    keep = np.array([True, True, False, False, True])
    return [*cases, (not_cut_yet, rng.normal(size=5), np.zeros(5), keep, 0.1, 0.9)]


masked_step = Check(
    "masked_step",
    spec="Return the weights after one step of gradient descent with momentum: the velocity becomes `momentum` * "
    "`velocity` + `gradient`, the weights move by −`rate` * velocity, and weights whose `mask` is False are 0.",
    solution=_step,
    inputs=_steps,
    mistakes={
        "the mask is forgotten after the update, so pruned weights come back to life": lambda w, g, v, m, r, a: (
            w - r * (a * v + g)
        ),
        "the velocity still pushes pruned weights away from zero: mask the weights, last": lambda w, g, v, m, r, a: (
            w - r * (a * v + g * m)
        ),
        "you mask the step, but not the weights: one that was not zero before stays": lambda w, g, v, m, r, a: (
            w - r * (a * v + g) * m
        ),
        "you mask the weights before the step; the step then moves them: mask them last": lambda w, g, v, m, r, a: (
            w * m - r * (a * v + g)
        ),
        "you mask the wrong way round: True means the weight stays": lambda w, g, v, m, r, a: (
            (w - r * (a * v + g)) * ~m
        ),
        "that is Nesterov's step, which looks ahead: here the weights move by the new velocity alone": (
            lambda w, g, v, m, r, a: (w - r * (g + a * (a * v + g))) * m
        ),
        "the momentum is missing": lambda w, g, v, m, r, a: (w - r * g) * m,
        "you climb: the step goes *against* the gradient": lambda w, g, v, m, r, a: (w + r * (a * v + g)) * m,
        "the rate multiplies the whole velocity, not the gradient alone": lambda w, g, v, m, r, a: (
            (w - (a * v + r * g)) * m
        ),
    },
)


def _cut(answers):
    from dcviz.pipeline import choices  # torch only when it is needed

    return choices.cut(answers[0])


densities = Decision(
    "densities",
    spec="Return {layer: density} for LeNet-300-100, cut once and not retrained: at most 5% errors on the 1,000 "
    "held-out digits, in a file of at most 300,000 bytes.",
    solution=by_layer(0.2, 0.4, 0.6),
    outcome=_cut,
    budget=300_000,
    limit=5.0,
    mistakes={
        "these are the paper's densities, which need retraining": by_layer(0.08, 0.09, 0.26),
        "one density for all layers ignores that they differ: some are sensitive, one holds nearly all weights": (
            by_layer(0.3, 0.3, 0.3)
        ),
        "the large layer pays in bytes, the small ones hardly: here it is the other way round": (
            by_layer(0.6, 0.4, 0.2)
        ),
        "a density is a share between 0 and 1, not a percentage": by_layer(20, 40, 60),
        "density is the share that stays, not the share that goes": by_layer(0.8, 0.6, 0.4),
        "one of the layers is missing": lambda: {"fc1": 0.2, "fc2": 0.4},
        "a list does not say which layer is meant": lambda: [0.2, 0.4, 0.6],
    },
)
