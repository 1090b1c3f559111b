"""Chapter 10: how small the LeNets get. Seeds of the shipped recipes, recipes part by part, blocks by width and bits.

Everything is trained on the 55,000 training digits and chosen on the 5,000 held-out ones; the official test images are
asked once, for the report on the seeds. Each finished training is kept in the cache: an interrupted recording goes
on where it stopped.
"""

import functools
import itertools
from dataclasses import replace

from dcviz import archive, files, pipeline
from dcviz.chapters.ch10_how_small import allocation, bounds, frontier, nnc
from dcviz.evidence import resumed
from dcviz.nets import datasets, training
from dcviz.pipeline import chains, neurons_first, reordering, sensitivity, shipped as reference, sweeps

SEEDS = (0, 1, 2)
GRID = [(3.0, parts) for parts in frontier.LADDER]
GRID += [(8.0, ()), (8.0, frontier.LADDER[-1]), (1.5, frontier.LADDER[-1])]
"""(density, training parts) of the recorded trainings: every step at 3%, the ends of the frontier elsewhere."""


def folder():
    """Where finished trainings are kept -> Path."""
    return files.cache_dir() / "sweeps"


def seeds():
    """The shipped recipes with three seeds from the same dense nets: a row a run.

    net, seed, file_bytes, ratio, error_percent (held-out), test_error_percent (official test images). What ships is
    seed 0 of the paper's two nets, and of the smaller ones the smallest file whose held-out error is within its bar.
    """
    rows = []
    for name, spec in reference.REFERENCES.items():
        jobs = sweeps.over_seeds(sweeps.Job(name, spec.net, spec.recipe, spec.teacher), SEEDS)
        found, errors = sweeps.sweep(jobs, folder() / "seeds")
        for error in errors.values():
            raise error
        for row in found:
            net = pipeline.restore(archive.load(folder() / "seeds" / row["file"]))
            test = training.error_percent(net, datasets.mnist().test)
            wanted = ("net", "seed", "file_bytes", "ratio", "error_percent")
            rows.append({key: row[key] for key in wanted} | {"net": name, "test_error_percent": test})
    return rows


def shipped():
    """Every shipped net on the official test images, and its file with the hidden neurons reordered: a row a net.

    ``dense_test_error_percent`` is that of the dense net which it was made of, ``dense_error_percent`` on the held-out
    digits.
    """
    rows = []
    for name, spec in reference.REFERENCES.items():
        stored = reference.compressed(name)
        moved = reordering.shortest(stored, chains.hidden(pipeline.restore(stored)))
        sizes = [len(archive.dumps(net)) for net in (stored, moved)]
        errors = [training.error_percent(pipeline.restore(net), datasets.mnist().test) for net in (stored, moved)]
        row = {"name": name, "net": spec.net, "file_bytes": sizes[0], "test_error_percent": errors[0]}
        dense = reference.dense(spec.net)
        before, held_out = (training.error_percent(dense, s) for s in (datasets.mnist().test, datasets.unseen()))
        row |= {"dense_bytes": stored.dense_bytes(), "dense_test_error_percent": before, "reordered_bytes": sizes[1]}
        row |= {"dense_error_percent": held_out}
        rows.append(row | {"reordered_test_error_percent": errors[1]})
    return rows


def standard():
    """Bytes of the weights of every LeNet and of AlexNet, which and what, under three coders: a row a net.

    huffman: gaps and codes, tables included, as in the file; neighbours: ``bounds``; nnc: the standard's coder.
    DataError where that is not installed.
    """
    rows = []
    for name in (*reference.REFERENCES, reference.ALEXNETS[0]):
        row = {"name": name, "coder": nnc.version(), "huffman": 0, "neighbours": 0, "nnc": 0}
        for layer in reference.compressed(name).layers:
            costs = bounds.costs(layer)
            for key, column in (("huffman", bounds.HUFFMAN), ("neighbours", bounds.NEIGHBOURS)):
                row[key] += costs[bounds.WHICH][column] + costs[bounds.WHAT][column]
            row["nnc"] += nnc.size(layer.weight)
        rows.append(row)
    return rows


def grid():
    """Errors and files of all recorded recipes, 8 epochs each: a row a training.

    experiment "parts": density and training parts, and under "files" for every set of coding parts, joined by "+",
    file bytes and error on the held-out digits. "no regrowth", "sensitivity": one recipe each at the density 3%.
    "dead only", "kmeans", "uniform": other ways to code the net that has all training parts.
    """
    return [*(run(density, parts) for density, parts in GRID), *variants()]


def run(density, parts):
    """One training and all its codings: the row, from the cache if it is there."""

    def measure():
        data, held_out, dense = datasets.mnist_without_bundled(), datasets.unseen(), reference.dense(frontier.NET)
        recipe = frontier.recipe(density, parts)
        net, error = pruned(recipe)
        found = frontier.coded(net, recipe, data, held_out, dense)
        coded = {"+".join(coding): point for coding, point in found.items()}
        return {"experiment": "parts", "density": density, "parts": parts, "pruned_error": error, "files": coded}

    return resumed.kept(folder() / "grid" / f"{density}-{'-'.join(parts) or 'plain'}.json", measure)


def pruned(recipe):
    """(net after pruning and retraining by a recipe, its error on the held-out digits)."""
    data, held_out = datasets.mnist_without_bundled(), datasets.unseen()
    short = replace(recipe, finetune=replace(recipe.finetune, epochs=0), reorder=False)
    stage = pipeline.compress(reference.dense(frontier.NET), short, data, test=held_out, progress=_quiet).stages[1]
    return pipeline.restore(stage.stored), stage.error_percent


def code(net, recipe):
    """(file bytes, held-out error) of a pruned net that is shared and coded by a recipe, not retrained."""
    as_it_is = replace(recipe, retrain=replace(recipe.retrain, epochs=0), cuts=1, regrow=False)
    last = pipeline.compress(
        net,
        as_it_is,
        datasets.mnist_without_bundled(),
        test=datasets.unseen(),
        teacher=reference.dense(frontier.NET),
        progress=_quiet,
    ).stages[-1]
    return last.file_bytes, last.error_percent


def variants():
    """Recipes that are not in the grid: how cut weights may return, other densities, other ways to code."""
    whole = frontier.recipe(3.0, frontier.PARTS)

    def without_regrowth():
        recipe = replace(frontier.recipe(3.0, ("gradual",)), regrow=False)
        return [_row("no regrowth", recipe, *code(pruned(recipe)[0], recipe))]

    def by_sensitivity():
        net = reference.dense(frontier.NET)
        sizes = {name: w.size for name, w in sensitivity.retraining.weights_of(net).items()}
        curves = sensitivity.error_by_density(net, datasets.unseen())
        budget = sum(whole.layers[name].density * n for name, n in sizes.items()) / sum(sizes.values())
        found = sensitivity.densities_for(budget, sizes, sensitivity.DENSITIES, curves)
        layers = {name: replace(layer, density=found[name]) for name, layer in whole.layers.items()}
        recipe = replace(whole, layers=layers)
        return [_row("sensitivity", recipe, *code(pruned(recipe)[0], recipe))]

    def codings():
        net, _ = pruned(frontier.recipe(3.0, frontier.TRAINING))
        rows = [_row("dead only", whole, *code(net, replace(whole, reorder=False)))]
        for quantizer, bits in itertools.product(pipeline.QUANTIZERS, (3, 4, 5)):
            layers = {name: replace(layer, bits=bits) for name, layer in whole.layers.items()}
            recipe = replace(whole, layers=layers, quantizer=quantizer, rate=0.0, reorder=False)
            untuned = replace(recipe, finetune=replace(recipe.finetune, epochs=0))
            row = _row(quantizer, recipe, *code(net, recipe))
            rows.append(row | {"bits": bits, "untuned_error": code(net, untuned)[1]})
        return rows

    return [
        row
        for function in (without_regrowth, by_sensitivity, codings)
        for row in resumed.kept(folder() / "grid" / f"{function.__name__}.json", function)
    ]


def _row(experiment, recipe, file_bytes, error):
    densities = {name: layer.density for name, layer in recipe.layers.items()}
    return {"experiment": experiment, "densities": densities, "file_bytes": file_bytes, "error_percent": error}


def block_grid():
    """Short trainings of small blocks of LeNet-5: a row for each width, number of weights and bits of a code.

    widths (live filters of conv1 and conv2, units of fc1), weights kept, shared values a layer, digits and passes of
    the training, file_bytes and parts of the file, error_percent on the 5,000 held-out digits.
    """
    dense, data = reference.dense("lenet-5"), datasets.mnist_without_bundled().take(slice(0, allocation.DIGITS))
    lesson = functools.cache(lambda: neurons_first.Lesson(data, dense))  # asked for by what is not kept yet
    rows = []
    for width, weights, bits in allocation.every():
        plan = neurons_first.Plan(allocation.WIDTHS[width], weights, None, values=2**bits, **allocation.SHORT)
        place = folder() / "blocks" / f"{width}-{weights}"
        rows.append(resumed.kept(place / f"{plan.values}.json", functools.partial(_block, plan, dense, lesson, place)))
    return rows


def _block(plan, dense, lesson, place):
    """The row of one plan; its pruned block stays at ``place`` for the plans that differ in the values alone."""
    path = place / f"{plan.values}.dcz"
    archive.save(path, neurons_first.taught(plan, dense, lesson(), place))
    found = neurons_first.measured(path, datasets.unseen())
    row = {key: getattr(plan, key) for key in ("widths", "weights", "values", "passes", "share_passes", "seed")}
    return row | {"digits": allocation.DIGITS} | {key: found[key] for key in ("file_bytes", "parts", "error_percent")}


def _quiet(*_):
    pass
