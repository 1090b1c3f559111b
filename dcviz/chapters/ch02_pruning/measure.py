"""Chapter 02: ways of retraining after pruning, and L1 against L2, on LeNet-300-100 and the 4,000 bundled digits."""

import copy

import numpy as np

from dcviz import archive
from dcviz.errors import NetError
from dcviz.evidence import paper
from dcviz.ideas import pruning
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import recipes, retraining, sensitivity, shipped
from dcviz.without_torch import Later

pd = Later("pandas")

METHODS = {
    "one cut": {"cuts": 1},
    "five cuts": {"cuts": 5, "ramp": 0.5},
    "gradual": {"cuts": 100, "ramp": 0.6, "regrow": True},
}
"""Ways of reaching a density while retraining: options of ``retraining.Gradual``, the same number of steps for all."""

SCALES = (0.2, 0.1, 0.05, 0.03, 0.02, 0.01)
SEEDS = (0, 1)
RETRAIN = Schedule(epochs=10, lr=2e-3, batch_size=32)

PENALTIES = {"L1": {"l1": 3e-5}, "L2": {"l2": 3e-4}}
"""Strengths that leave the dense net about the same error."""

PENALTY_SCALES = (0.2, 0.1, 0.05, 0.03, 0.02)
FROM_NOTHING = Schedule(epochs=12, lr=2e-3, batch_size=32)


def densities(net, scale):
    """Density of each layer of a LeNet, in the proportions of the paper -> {layer: 0..1}.

    ``scale`` is the density of fc1; the others keep more or less as in Table 2 or 3 (LeNet-300-100: 8 : 9 : 26),
    at most everything. Raises NetError for a net that the tables do not cover.

        densities("lenet-300-100", 0.04) -> {"fc1": 0.04, "fc2": 0.045, "fc3": 0.13}
    """
    if net not in recipes.PAPER_DENSITIES:
        known = ", ".join(recipes.PAPER_DENSITIES)
        raise NetError(f"the paper gives no layer densities for {net!r}; it does for {known}")
    return paper.densities(net, scale / paper.densities(net)["fc1"])


def share_below_sigma(net, layer):
    """Percent of a shipped dense layer's weights whose magnitude lies below their standard deviation."""
    weights = retraining.weights_of(shipped.dense(net))[layer]
    return 100 * pruning.sparsity(pruning.mask_from_threshold(weights, weights.std()))


def retrained_error(method, scale, schedule=RETRAIN, seed=0, net="lenet-300-100"):
    """Error on the 1,000 held-out digits after pruning and retraining by one of METHODS -> percent."""
    data, pruned = datasets.digits(), shipped.dense(net)
    options = METHODS[method]
    constraint = retraining.Gradual(pruned, densities(net, scale), schedule.steps(len(data.train)), **options)
    training.fit(pruned, data.train, schedule, constraint=constraint, seed=seed)
    return training.error_percent(pruned, data.test)


def methods():
    """Rows of method, density of fc1, density of the net, error in percent, seed; some 3 CPU minutes."""
    net, rows = shipped.dense("lenet-300-100"), []
    test = datasets.digits().test
    sizes = {name: weights.size for name, weights in retraining.weights_of(net).items()}
    for scale in (1.0, *SCALES):
        each = densities("lenet-300-100", scale)
        whole = sum(round(each[name] * size) for name, size in sizes.items()) / sum(sizes.values())
        common = {"scale": scale, "density": round(whole, 5)}
        error = sensitivity.error_together(net, test, each)
        rows.append({"method": "no retraining", **common, "error": error, "seed": 0})
        if scale == 1.0:
            continue
        for method in METHODS:
            for seed in SEEDS:
                error = retrained_error(method, scale, seed=seed)
                rows.append({"method": method, **common, "error": error, "seed": seed})
    return rows


def penalties():
    """Rows of penalty, density of fc1, error before and after retraining, seed.

    LeNet-300-100 from random weights on the 4,000 digits under an L1 or L2 penalty, cut once, retrained under
    the same penalty: figure 5 of NIPS'15 in small. Some 2 CPU minutes.
    """
    data, rows = datasets.digits(), []
    for penalty, options in PENALTIES.items():
        for seed in SEEDS:
            dense = models.build("lenet-300-100", seed=seed)
            training.fit(dense, data.train, _with(FROM_NOTHING, options), seed=seed)
            for scale in PENALTY_SCALES:
                net, each = copy.deepcopy(dense), densities("lenet-300-100", scale)
                before = sensitivity.error_together(net, data.test, each)
                schedule = _with(RETRAIN, options)
                constraint = retraining.Gradual(net, each, schedule.steps(len(data.train)), cuts=1)
                training.fit(net, data.train, schedule, constraint=constraint, seed=seed)
                after = training.error_percent(net, data.test)
                rows.append(
                    {
                        "penalty": penalty,
                        "scale": scale,
                        "before": before,
                        "after": after,
                        "seed": seed,
                        "dense": training.error_percent(dense, data.test),
                    }
                )
    return rows


def _with(schedule, options):
    return Schedule(**{**vars(schedule), **options})


def reach(rows, limit):
    """How far each method gets with the mean error at or below ``limit`` percent -> {method: density of the net}.

    rows: as ``methods()`` gives them. The dense net counts as the start of every method.
    """
    dense = next(row for row in rows if row["scale"] == 1.0)
    found = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        errors = {1.0: [dense["error"]]}
        for row in rows:
            if row["method"] == method and row["scale"] < 1:
                errors.setdefault(row["density"], []).append(row["error"])
        found[method] = sensitivity.lowest_density(list(errors), [np.mean(e) for e in errors.values()], limit)
    return found


def beside_nips2015():
    """The NIPS'15 paper's table beside the shipped files, measured now -> DataFrame, one row a net.

    Ours are weights only, as a file holds them; errors as ``reference.measure`` reports them, with all stages of
    the pipeline in the file.
    """
    quoted, theirs, ours = paper.table("nips2015_pruning"), "paper (quoted)", "this workbook (measured now)"
    table = {}
    for name, dense_error, parameters, error, kept, ratio in quoted["table1"]:
        row = {
            "weights": parameters,
            "kept": kept,
            "times fewer": f"{ratio}x",
            "error dense %": f"{dense_error:g}",
            "error pruned %": f"{error:g}",
        }
        table[name] = {(theirs, key): value for key, value in row.items()}
        row = dict.fromkeys(("weights", "kept", "times fewer", "error dense %", "error pruned %"), "")
        if name.lower() in shipped.REFERENCES:
            layers = archive.describe(shipped.compressed_path(name.lower())).layers
            weights, left = sum(layer.weights for layer in layers), sum(layer.nonzeros for layer in layers)
            errors = shipped.measure(name.lower())
            row = {
                "weights": f"{weights:,}",
                "kept": f"{left:,}",
                "times fewer": f"{weights / left:.1f}x",
                "error dense %": f"{errors['dense_error_percent']:.2f}",
                "error pruned %": f"{errors['error_percent']:.2f}",
            }
        table[name] |= {(ours, key): value for key, value in row.items()}
    return pd.DataFrame.from_dict(table, orient="index")


def layer_shares(net, must_keep):
    """Weights kept per layer in percent: paper, our shipped file, and ``must_keep`` {layer: density} -> DataFrame."""
    quoted, rows = paper.layers(net), {}
    for layer in archive.describe(shipped.compressed_path(net)).layers:
        rows[f"{layer.name} ({layer.weights:,} weights)"] = {
            "paper, retrained (quoted)": quoted[layer.name]["weights_pct_P"],
            "our shipped file, retrained (measured now)": round(100 * layer.nonzeros / layer.weights, 1),
            "alone, not retrained (measured now)": round(100 * must_keep[layer.name], 1),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def reach_table(rows, limit):
    """``reach`` for a reader -> DataFrame: weights that stay in percent, and how many times fewer, per method."""
    rows = {
        method: {
            f"weights kept with at most {limit:g}% error (recorded)": f"{100 * density:.1f}%",
            "times fewer (recorded)": f"{1 / density:.1f}x",
        }
        for method, density in reach(rows, limit).items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def best(rows, scale):
    """The method with the lowest mean error at one density of fc1 -> str."""
    errors = _means([row for row in rows if row["scale"] == scale], "method", "error")
    return min(errors, key=errors.get)


def better_penalty(rows, when):
    """ "L1" or "L2": whose error ``when`` ("before" or "after" retraining) is lower at the hardest cuts on average."""
    hard = [row for row in rows if row["scale"] <= 0.05]
    errors = _means(hard, "penalty", when)
    return min(errors, key=errors.get)


def penalty_table(rows):
    """Mean errors in percent under L1 and L2, before and after retraining, per density of fc1 -> DataFrame."""
    table = {}
    for scale in dict.fromkeys(row["scale"] for row in rows):
        here = [row for row in rows if row["scale"] == scale]
        table[f"{100 * scale:g}%"] = {
            (title, penalty): round(error, 1)
            for title, when in (("not retrained (recorded)", "before"), ("retrained (recorded)", "after"))
            for penalty, error in _means(here, "penalty", when).items()
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("kept in fc1")


def _means(rows, key, value):
    return pd.DataFrame(rows).groupby(key, sort=False)[value].mean().to_dict()
