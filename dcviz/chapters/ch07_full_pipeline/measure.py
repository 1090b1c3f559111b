"""Chapter 07: what single weights of fc1 go through while the shipped LeNet-300-100 is made."""

import numpy as np

from dcviz import archive, pipeline
from dcviz.errors import DataError
from dcviz.nets import datasets, training
from dcviz.pipeline import shipped
from dcviz.pipeline.retraining import Gradual
from dcviz.pipeline.trained_quantization import SharedWeights

NET, LAYER = "lenet-300-100", "fc1"
KEPT, GONE = 48, 16
"""How many weights are followed: some that are in the file, some that were pruned."""
MOMENTS, LATER = 20, 5
"""Moments at which values are kept, in retraining and in fine-tuning, besides the last cut."""


def weight_journey():
    """The shipped net made once more, and the values of 64 weights of fc1 on the way.

    The first row holds the steps at which values were kept, which is the last cut, and the smallest magnitude that
    it kept; each other row is a weight: its position in the layer and its values. Needs the full MNIST set and some
    minutes. DataError if fc1 comes out other than in the file that ships: the values would belong to another net.
    """
    recipe, data = shipped.reference(NET).recipe, datasets.mnist_without_bundled()
    net, teacher = shipped.dense(NET), shipped.dense(NET)
    layer = dict(net.named_modules())[LAYER]

    def values():
        return layer.weight.detach().numpy().copy().ravel()

    def train(schedule, constraint, moments):
        found = {0: values()}

        def report(done, steps, loss):
            if done in moments:
                found[done] = values()

        training.fit(net, data, schedule, constraint=constraint, teacher=teacher, seed=recipe.seed, report=report)
        return found

    steps, tuning = (schedule.steps(len(data)) for schedule in (recipe.retrain, recipe.finetune))
    last_cut = round(recipe.ramp * steps)
    densities = {name: one.density for name, one in recipe.layers.items()}
    moments = {round(steps * i / MOMENTS) for i in range(1, MOMENTS + 1)} | {last_cut - 1, last_cut}
    cuts = Gradual(net, densities, steps, recipe.cuts, recipe.ramp, recipe.regrow)
    retrained = train(recipe.retrain, cuts, moments)
    shared = SharedWeights(net, pipeline.codebooks(net, recipe), rate=recipe.rate)
    tuned = train(recipe.finetune, shared, {round(tuning * i / LATER) for i in range(1, LATER + 1)})
    shared.round_to(recipe.dtype)
    pipeline.round_biases(net, recipe)

    made = archive.loads(archive.dumps(pipeline.stored_net(net, recipe, "coded"))).layers[0].weight.ravel()
    _same(made, shipped.stored_weights(NET)[LAYER].ravel())
    left = np.abs(retrained[last_cut][retrained[last_cut] != 0])
    first = {
        "retraining_steps": list(retrained),
        "last_cut": last_cut,
        "threshold": _short(left.min()),
        "fine_tuning_steps": list(tuned),
    }
    rows = [
        {
            "position": int(place),
            "retraining": [_short(moment[place]) for moment in retrained.values()],
            "fine_tuning": [_short(moment[place]) for moment in tuned.values()],
        }
        for place in chosen(made)
    ]
    return [first, *rows]


def _same(made, stored):
    if not np.array_equal(made, stored):
        raise DataError(
            f"{np.count_nonzero(made != stored):,} weights of {LAYER} came out other than in the shipped file"
        )


def chosen(stored):
    """Positions of the weights to follow, evenly over the layer: KEPT that the file holds, GONE that it does not."""
    even = [
        places[np.linspace(0, places.size - 1, count + 2)[1:-1].round().astype(int)]
        for places, count in ((np.flatnonzero(stored), KEPT), (np.flatnonzero(stored == 0), GONE))
    ]
    return np.sort(np.concatenate(even))


def _short(value):
    return float(f"{value:.6g}")
