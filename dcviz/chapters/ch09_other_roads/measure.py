"""Chapter 9: all roads to a small LeNet-300-100 by one measure, alone and combined; Fig. 6 on our nets.

Nets start from the shipped ones and train on the 55,000 digits that are not bundled, a few epochs each and all alike,
so nobody's best is here, but everybody's chance is the same. ``held_out_percent`` is on the 5,000 bundled digits,
``error_percent`` on the official 10,000 test images.
"""

import functools
import itertools
from dataclasses import replace

import numpy as np

from dcviz.chapters.ch09_other_roads import comparison, distillation, int8, nnmf, rebuild, svd, taylor
from dcviz.evidence import paper
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import LayerRecipe, Recipe, compress, shipped, stored_net

NET = "lenet-300-100"
TUNE = Schedule(epochs=2, lr=1e-3, shift=1)
STUDENT = Schedule(epochs=8, lr=2e-3, shift=1)
SHARE = Schedule(epochs=1, lr=3e-4, shift=1)
TEACHER = {"teacher_weight": 0.7, "temperature": 4.0}

RANKS = ((64, 32), (32, 16), (16, 12), (8, 8))  # of fc1 and fc2
FRACTIONS = (0.5, 0.75, 0.9)  # of all neurons, removed
WIDTHS = ((100, 50), (50, 30), (25, 20), (12, 12))
SCALES = (1.0, 0.5, 0.25)  # of the paper's densities


@functools.cache
def _data():
    return datasets.mnist_without_bundled()


def _tuned(net, schedule=TUNE, teacher=None):
    training.fit(net, _data(), schedule, teacher=teacher)
    return net


def deep_compressed(net, densities, teacher=None, bits=5, finetune=SHARE):
    """All of the paper's stages on any net at {layer: density} -> ``pipeline.Compressed``."""
    more = TEACHER if teacher is not None else {}
    recipe = Recipe(
        layers={name: LayerRecipe(density, bits, index_bits=None) for name, density in densities.items()},
        retrain=replace(TUNE, epochs=3, **more),
        finetune=replace(finetune, **more),
        cuts=60,
        ramp=0.6,
        regrow=True,
        dtype="float16",
        bias_dtype="float16",
    )
    return compress(net, recipe, _data(), teacher=teacher, progress=lambda *_: None)


def _even(net, density, last):
    """One density for all layers but the last."""
    *names, end = models.weight_layers(net)
    return dict.fromkeys(names, density) | {end: last}


def all_roads():
    """Rows for the one table: road, setting, combined (or not), and what ``comparison.entry`` measures."""
    dense, rows = shipped.dense(NET), []
    splits = {"held_out_percent": datasets.unseen(), "error_percent": datasets.mnist().test}

    def add(road, setting, stored, restore=rebuild.restore, combined=False):
        row = comparison.entry(road, stored, models.dense_bytes(dense), restore, **splits)
        rows.append({"road": row.pop("method"), "setting": setting, "combined": combined, **row})

    add("dense", "as trained", stored_net(dense))
    for per in int8.PER:
        add("int8", f"a scale per {per}", int8.store(dense, per), int8.restore)
    low = {ranks: _tuned(svd.factorise(dense, dict(zip(("fc1", "fc2"), ranks, strict=True)))) for ranks in RANKS}
    for ranks, net in low.items():
        add("SVD", f"rank {ranks[0]} and {ranks[1]}", stored_net(net))
    retrain = taylor.on_digits(_data(), replace(TUNE, epochs=1))
    narrow = {f: taylor.prune(dense, _data(), f, 3, retrain) for f in FRACTIONS}
    for fraction, net in narrow.items():
        add("Taylor", f"{fraction:.0%} of the neurons gone", stored_net(net))
    taught = {}
    for widths, teacher in itertools.product(WIDTHS, (None, dense)):
        schedule = STUDENT if teacher is None else replace(STUDENT, **TEACHER)
        taught[widths] = _tuned(distillation.student(widths), schedule, teacher)
        road = "small net, labels" if teacher is None else "small net, distilled"
        add(road, f"{widths[0]} and {widths[1]} neurons", stored_net(taught[widths]))
    for scale in SCALES:
        densities = paper.densities(NET, scale)
        add("Deep Compression", f"{scale:g} x the paper's densities", deep_compressed(dense, densities).stored)
        if scale < 1:
            stored = deep_compressed(dense, densities, teacher=dense).stored
            setting = f"{scale:g} x the paper's densities"
            add("distillation in Deep Compression", setting, stored, combined=True)
    add("SVD, then int8", "rank 16 and 12", int8.store(low[16, 12], "channel"), int8.restore, combined=True)
    for road, setting, net, density in (
        ("SVD, then Deep Compression", "rank 32 and 16, a quarter kept", low[32, 16], 0.25),
        ("Taylor, then Deep Compression", "half the neurons, a tenth kept", narrow[0.5], 0.1),
        ("distilled, then Deep Compression", "50 and 30 neurons, a quarter kept", taught[50, 30], 0.25),
    ):
        add(road, setting, deep_compressed(net, _even(net, density, 0.5), teacher=dense).stored, combined=True)
    return rows


def figure6():
    """Rows for Fig. 6 on our LeNet-300-100: curve, setting, file_bytes, percent of the dense bytes, error, loss.

    Curves "pruning_only", "quantization_only", "pruning_plus_quantization", "svd", as the paper's record calls them; no
    Huffman coding, as in the figure. Errors on the 5,000 bundled digits; ``loss_points`` is the dense net's error
    minus this one's: negative is worse, as the figure has it.
    """
    dense, test = shipped.dense(NET), datasets.unseen()
    whole, before, rows = models.dense_bytes(dense), training.error_percent(dense, test), []

    def add(curve, setting, stored):
        row = comparison.entry(curve, stored, whole, error_percent=test)
        rows.append(
            {
                "curve": curve,
                "setting": setting,
                "file_bytes": row["file_bytes"],
                "percent": 100 / row["ratio"],
                "error_percent": row["error_percent"],
                "loss_points": before - row["error_percent"],
            }
        )

    for scale in (3.0, 1.5, 0.8, 0.5, 0.3, 0.2, 0.12):
        densities = paper.densities(NET, scale)
        stages = {stage.name: stage.stored for stage in deep_compressed(dense, densities).stages}
        add("pruning_only", f"{scale:g} x the paper's densities", stages["pruned"])
        add("pruning_plus_quantization", f"{scale:g} x the paper's densities, 5 bits", stages["shared"])
    for bits in (6, 4, 3, 2, 1):
        recipe = Recipe(
            layers={name: LayerRecipe(1.0, bits) for name in models.weight_layers(dense)},
            retrain=Schedule(epochs=0),
            finetune=SHARE,
            dtype="float16",
            bias_dtype="float16",
        )
        shared = compress(dense, recipe, _data(), progress=lambda *_: None).stages[2]
        add("quantization_only", f"{bits} bits", shared.stored)
    for ranks in ((100, 50), (64, 32), (32, 16), (16, 12), (8, 8), (5, 6)):
        net = _tuned(svd.factorise(dense, dict(zip(("fc1", "fc2"), ranks, strict=True))))
        add("svd", f"rank {ranks[0]} and {ranks[1]}", stored_net(net))
    return rows


def filters():
    """Rows for filter pruning on LeNet-5: criterion, fraction removed, seed, multiplications, bytes, error.

    Three rounds with an epoch on the 4,000 bundled digits after each; errors on the 1,000 held-out ones.
    ``raw_percent`` is the error when the same fraction goes at once and nothing is retrained.
    """
    dense, data, rows = shipped.dense("lenet-5"), datasets.digits(), []
    whole, ranking = models.dense_bytes(dense), data.train.take(slice(0, 1000))
    for criterion, fraction in itertools.product(taylor.CRITERIA, (0.3, 0.6, 0.8, 0.9, 0.95)):
        for seed in range(2 if criterion == "random" else 1):
            raw = taylor.remove(dense, taylor.lowest(dense, ranking, fraction, criterion, seed=seed))
            retrain = taylor.on_digits(data.train, Schedule(epochs=1, lr=1e-3, batch_size=64), seed=seed)
            net = taylor.prune(dense, data.train, fraction, 3, retrain, criterion, seed=seed)
            row = comparison.entry(criterion, stored_net(net), whole, error_percent=data.test)
            widths = [layer.weight.shape[0] for layer in models.weight_layers(net).values()]
            rows.append(
                {
                    "criterion": row.pop("method"),
                    "fraction": fraction,
                    "seed": seed,
                    **row,
                    "widths": widths,
                    "raw_percent": training.error_percent(raw, data.test),
                }
            )
    return rows


def temperatures():
    """Rows for distillation: missing digit (or None), temperature (None: labels only), seed, errors of a student.

    Teacher LeNet-300-100, student 100-50, six epochs on the bundled training digits without the missing one; errors
    on the 1,000 held-out ones: as trained, and after ``distillation.fair_shift``; ``found_percent`` is how many of the
    missing digit's pictures are then named right.
    """
    teacher, data, rows = shipped.dense(NET), datasets.digits(), []
    labels = data.test.labels
    for missing, temperature, seed in itertools.product((None, 3, 7), (None, 1, 2, 4, 8, 20), (0, 1)):
        seen = data.train if missing is None else data.train.take(data.train.labels != missing)
        weight = 0.0 if temperature is None else 1.0
        schedule = Schedule(6, 3e-3, 32, teacher_weight=weight, temperature=temperature or 1.0)
        net = distillation.student((100, 50), seed=seed)
        training.fit(net, seen, schedule, teacher=teacher, seed=seed)
        row = {
            "missing": missing,
            "temperature": temperature,
            "seed": seed,
            "error_percent": training.error_percent(net, data.test),
        }
        if missing is not None:
            logits = distillation.answers(net, data.test.images)
            found = distillation.shifted_answers(logits, missing, distillation.fair_shift(logits, missing))
            row["shifted_percent"] = 100 * float(np.mean(found != labels))
            row["found_percent"] = 100 * float(np.mean(found[labels == missing] == missing))
        rows.append(row)
    return rows


def factorisations():
    """Rows for SVD against a network in place of the inner product: layer, road, numbers stored, errors.

    ``relative_error`` of the layer's weights; ``error_percent`` of the net with only that layer replaced, nothing
    retrained, on the held-out 1,000. Vectors of d + d' numbers stand beside SVD of that rank and of the next.
    """
    dense, test, rows = shipped.dense(NET), datasets.digits().test, []
    whole = models.dense_bytes(dense)

    def add(layer, road, setting, numbers, relative_error, stored, restore):
        row = comparison.entry(road, stored, whole, restore, error_percent=test)
        rows.append(
            {
                "layer": layer,
                "road": road,
                "setting": setting,
                "numbers": numbers,
                "relative_error": relative_error,
                "file_bytes": row["file_bytes"],
                "error_percent": row["error_percent"],
            }
        )

    for layer, rank in (("fc2", 4), ("fc2", 8), ("fc2", 12), ("fc1", 24)):
        low = svd.LowRank(dense, layer)
        n, m = low.shape
        for d in (rank, rank + 1):
            missing = svd.relative_error(low.spectrum, d)
            add(layer, "SVD", f"rank {d}", svd.parameters(n, m, d), missing, stored_net(low.cut(d)), rebuild.restore)
        for own in (0, 2):
            shared = rank - own
            fitted = nnmf.fit(low.module.weight.detach(), own, shared, steps=300, start=low.factors(shared))
            stored = nnmf.store(dense, {layer: fitted.factors})
            setting = f"d = {own}, d' = {shared}"
            add(layer, "network", setting, fitted.parameters, fitted.relative_error, stored, nnmf.restore)
    return rows
