"""Chapter 11: another task, small training sets, the start once more, and nets without a large FC layer."""

import copy
from dataclasses import replace

import numpy as np

from dcviz.chapters.ch11_open_questions import transfer
from dcviz.ideas.kmeans import kmeans
from dcviz.ideas.kmeans_optimal import optimal
from dcviz.nets import datasets, models, small_digits, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped
from dcviz.pipeline.lesson import pruned_net
from dcviz.pipeline.retraining import Gradual, weights_of
from dcviz.pipeline.trained_quantization import SharedWeights, codebooks

# transfer ------------------------------------------------------------------------------------------

STEPS, BATCH = 150, 32
RATES = {"biases": 0.03, "codebook": 0.01, "kept": 2e-3, "everything": 5e-4, "dense": 5e-4, "scratch": 1e-3}
"""Learning rate of each road, chosen on 500 of the 1,000 digits to learn from, after training on others of them."""


def old_net(name="lenet-5"):
    """A shipped net and its compressed file, as the roads of ``transfer`` start from."""
    return transfer.Old(shipped.compressed(name), shipped.dense(name))


def examples(n, seed=0):
    """n of the 1,000 small digits to learn from, drawn by ``seed``; the first n of one order, so that sets grow."""
    train = small_digits.digits().train
    return train.take(np.random.default_rng(seed).permutation(len(train))[:n])


def teach(net, constraint, split, road, seed=0, report=None):
    """Train on a few examples as the road's learning rate says: 150 steps, however few examples there are."""
    batch = min(BATCH, len(split))
    schedule = Schedule(epochs=STEPS / -(-len(split) // batch), lr=RATES[road], batch_size=batch)
    training.fit(net, split, schedule, constraint=constraint, seed=seed, report=report)


def transfer_errors():
    """LeNet-5 goes from MNIST to 8 x 8 digits: error on 797 others, by road and number of examples, three draws.

    Rows: road, examples, seed, bytes (the update), error_percent (the receiver's); road None: the old nets as they are.
    """
    old, test = old_net(), small_digits.digits().test
    rows = [
        {"road": None, "start": start, "examples": 0, "error_percent": training.error_percent(old.net(start), test)}
        for start in ("everything", "dense")
    ]
    for n in (10, 30, 100, 300, 1000):
        for seed in range(3):
            split = examples(n, seed)
            for road in transfer.ROADS:
                net, size = transfer.learn(
                    old, road, lambda net, moves, s=split, r=road, d=seed: teach(net, moves, s, r, d), seed
                )
                error = training.error_percent(net, test)
                rows.append({"road": road, "examples": n, "seed": seed, "bytes": size, "error_percent": error})
    return rows


# small training sets -------------------------------------------------------------------------------

DENSITIES = (0.5, 0.2, 0.1, 0.05)
LESSON = Schedule(lr=1e-3, batch_size=64)


def _steps(steps, digits):
    return replace(LESSON, epochs=steps / LESSON.steps_per_epoch(digits))


def small_sets(sizes=(250, 500, 1000, 4000), seeds=4, steps=200):
    """Does a smaller net generalise better? LeNet-300-100 learns from few digits; error on 10,000 test images.

    For each size and seed (other digits, other random weights): ``steps`` steps of training ("dense"), twice as many
    ("dense, longer": the fair rival), or the second half with pruning to a density ("pruned"), and then 4-bit codes
    fine-tuned for a quarter more ("pruned + shared"). Needs the full MNIST set.
    """
    data, test, name, rows = datasets.mnist_without_bundled(), datasets.mnist().test, "lenet-300-100", []
    for n in sizes:
        for seed in range(seeds):
            split = data.take(np.random.default_rng(seed).permutation(len(data))[:n])
            half, quarter = _steps(steps, n), _steps(steps // 4, n)
            dense = models.build(name, seed=seed)
            training.fit(dense, split, half, seed=seed)

            def note(what, density, net, n=n, seed=seed):
                error = training.error_percent(net, test)
                rows.append({"examples": n, "seed": seed, "net": what, "density": density, "error_percent": error})

            note("dense", 1.0, dense)
            net = copy.deepcopy(dense)
            training.fit(net, split, half, seed=seed + 1)
            note("dense, longer", 1.0, net)
            for density in DENSITIES:
                net = copy.deepcopy(dense)
                densities = {"fc1": density, "fc2": density, "fc3": max(density, 0.3)}
                gradual = Gradual(net, densities, half.steps(n), cuts=20, ramp=0.6)
                training.fit(net, split, half, constraint=gradual, seed=seed + 1)
                note("pruned", density, net)
                shared = SharedWeights(net, codebooks(net, dict.fromkeys(densities, 15)))
                training.fit(net, split, quarter, constraint=shared, seed=seed + 2)
                note("pruned + shared", density, net)
    return rows


# the start, once more ------------------------------------------------------------------------------

STARTS = ("linear", "density", "forgy", "optimal")


def start_codebooks(net, k, start, seed=0):
    """{layer: (k,) centroids} by k-means from a start of section 3.2, or "optimal", the best codebook there is."""
    values = {name: w[w != 0] for name, w in weights_of(net).items()}
    if start == "optimal":
        return {name: optimal(kept, k).centroids for name, kept in values.items()}
    return {name: kmeans(kept, k, start, seed).centroids for name, kept in values.items()}


def starts(ks=(4, 8, 16), seeds=4, epochs=3):
    """Pruned LeNet-300-100 (pruned on 4,000 digits): error before and after fine-tuning by start and k.

    ``seeds`` orders of the training digits; "forgy" also draws another start with each. Errors on the 10,000 test
    images, needs the full MNIST set. inertia: summed squared distance over all layers.
    """
    test, data, rows = datasets.mnist().test, datasets.digits().train, []
    whole = pruned_net("lenet-300-100")
    error = training.error_percent(whole, test)
    rows.append({"start": None, "k": None, "seed": None, "error_percent": error})
    for k in ks:
        for start in STARTS:
            for seed in range(seeds):
                net = copy.deepcopy(whole)
                shared = SharedWeights(net, start_codebooks(whole, k, start, seed))
                far = sum(float(((w - weights_of(whole)[n]) ** 2).sum()) for n, w in weights_of(net).items())
                row = {"start": start, "k": k, "seed": seed, "inertia": far}
                row["error_percent"] = training.error_percent(net, test)
                schedule = Schedule(epochs=epochs, lr=1e-3, batch_size=64)
                training.fit(net, data, schedule, constraint=shared, seed=seed)
                rows.append(row | {"finetuned_error_percent": training.error_percent(net, test)})
    return rows
