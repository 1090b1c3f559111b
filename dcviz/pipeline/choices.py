"""What becomes of LeNet-300-100 by a few choices: a real file and its error, for exercises that are scored by bytes.

Every function makes the file, reads it back, and returns an ``Outcome``. Errors are measured on the 1,000 held-out
digits of the bundled 5,000. RecipeError or NetError where the choices make no file.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dcviz import archive, pipeline
from dcviz.archive import StoredNet
from dcviz.errors import RecipeError
from dcviz.ideas import pruning
from dcviz.ideas.kmeans import INITS
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import LayerRecipe, Recipe, recipes, shipped, trained_quantization
from dcviz.pipeline.retraining import Masked, weights_of

NET = "lenet-300-100"
LAYERS = ("fc1", "fc2", "fc3")
HALF_CUT = {"fc1": 0.2, "fc2": 0.4, "fc3": 0.6}
"""Densities at which the net still answers without retraining."""
_NONE = Schedule(epochs=0)


@dataclass(frozen=True)
class Outcome:
    """Length of a file in bytes and the error of the net in it, percent, or None where it is not asked for."""

    file_bytes: int
    error_percent: float | None = None


def by_layer(choice, count=1):
    """A learner's choice as a dict {layer: tuple of ``count`` values}; RecipeError says what is wrong with its form."""
    if not isinstance(choice, Mapping) or sorted(map(str, choice)) != sorted(LAYERS):
        raise RecipeError(f"a dict with the keys {', '.join(LAYERS)} is asked for")
    found = {}
    for name in LAYERS:
        values = choice[name] if isinstance(choice[name], tuple | list) else (choice[name],)
        if len(values) != count:
            raise RecipeError(f"{name} needs {count} values, not {len(values)}")
        found[name] = tuple(values)
    return found


def cut(densities):
    """Prune, without retraining, to {layer: density}; weights stay float32, gaps as wide as is best -> ``Outcome``."""
    layers = {name: LayerRecipe(_number(d, "a density"), 5, None) for name, (d,) in by_layer(densities).items()}
    recipe = Recipe(layers, retrain=_NONE, finetune=_NONE)
    net = _cut_net({name: layer.density for name, layer in layers.items()})
    return _outcome(pipeline.stored_net(net, recipe, "pruned"))


def gaps(widths, huffman):
    """Store the net at the paper's densities with {layer: (bits of a gap, "C" or "F")} -> ``Outcome`` without error.

    Codes and gaps are Huffman-coded or of fixed length; "C" walks row by row, "F" column by column.
    """
    chosen = by_layer(widths, 2)
    for name, (bits, order) in chosen.items():
        if order not in ("C", "F"):
            raise RecipeError(f'{name} is walked by rows, "C", or by columns, "F", not {order!r}')
        LayerRecipe(0.5, 5, _whole(bits, "bits of a gap"))  # the pipeline's own limits
    layers = []
    for layer in _paper_net().layers:
        bits, order = chosen[layer.name]
        layers.append(replace(layer, coding=replace(layer.coding, index_bits=bits, order=order, huffman=huffman)))
    return Outcome(len(archive.dumps(StoredNet(NET, tuple(layers)))))


def codebooks(choice):
    """Share the weights of the dense net with {layer: (k, init)}, Huffman-coded, no fine-tuning -> ``Outcome``."""
    net, books = shipped.dense(NET), {}
    for name, (k, init) in by_layer(choice, 2).items():
        if init not in INITS:
            raise RecipeError(f"init must be one of {', '.join(INITS)}, not {init!r}")
        books |= trained_quantization.codebooks(net, {name: _k(k)}, init)
    return _shared(net, books, 1.0)


def priced(price, k):
    """Cut the net to ``HALF_CUT``, share k values a layer, codes that pay for their length -> ``Outcome``."""
    net = _cut_net(HALF_CUT)
    if not _number(price, "the price") >= 0:
        raise RecipeError(f"the price of a bit must not be negative, but is {price}")
    return _shared(net, trained_quantization.codebooks(net, dict.fromkeys(LAYERS, _k(k))), 0.5, price)


def trained(choice):
    """The whole pipeline with {layer: (density, bits)}, two passes over 4,000 digits -> ``Outcome``."""
    layers = {
        name: LayerRecipe(_number(density, "a density"), _whole(bits, "bits"), None)
        for name, (density, bits) in by_layer(choice, 2).items()
    }
    recipe = replace(recipes.simple(NET, epochs=2.0), layers=layers, regrow=True)
    recipe = replace(recipe, retrain=replace(recipe.retrain, lr=2e-3, batch_size=32))
    digits = datasets.digits()
    made = pipeline.compress(
        shipped.dense(NET), recipe, digits.train, test=digits.test, progress=lambda *_: None
    ).stages[-1]
    return Outcome(made.file_bytes, made.error_percent)


@functools.cache
def files_before_huffman():
    """Some files with codes of fixed length: [(what a learner is told of each layer, length of the real file)].

    A layer is told as a dict: nonzeros, fillers, weight_bits, index_bits, codebook, biases.
    """
    found = []
    for densities, bits in (((0.08, 0.09, 0.26), 5), ((0.02, 0.05, 0.26), 4), ((0.3, 0.3, 0.5), 6)):
        layers = {n: LayerRecipe(d, bits, 5) for n, d in zip(LAYERS, densities, strict=True)}
        recipe = Recipe(layers, retrain=_NONE, finetune=_NONE)
        made = pipeline.compress(shipped.dense(NET), recipe, None, progress=lambda *_: None).stages[2]
        told = [
            {
                "nonzeros": layer.nonzeros,
                "fillers": layer.fillers,
                "weight_bits": round(layer.weight_bits),
                "index_bits": round(layer.index_bits),
                "codebook": layer.codebook,
                "biases": layer.shape[0],
            }
            for layer in archive.describe_bytes(made.source).layers
        ]
        found.append((told, made.file_bytes))
    return found


def _number(value, what):
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecipeError(f"{what} is a number, not {value!r}")
    return float(value)


def _whole(value, what):
    if isinstance(value, bool) or not isinstance(value, int):
        raise RecipeError(f"{what} must be a whole number, not {value!r}")
    return value


def _k(value):
    if not 1 <= _whole(value, "k") <= 4096:
        raise RecipeError(f"k must be 1 to 4096, not {value}")
    return value


def _cut_net(densities):
    net = shipped.dense(NET)
    Masked(net, {name: pruning.mask_from_density(w, densities[name]) for name, w in weights_of(net).items()})
    return net


@functools.cache
def _paper_net():
    recipe = replace(recipes.simple(NET), retrain=_NONE, finetune=_NONE, dtype="float32", bias_dtype="float32")
    return pipeline.compress(shipped.dense(NET), recipe, None, progress=lambda *_: None).stored


def _shared(net, books, density, price=0.0):
    trained_quantization.SharedWeights(net, books, rate=price)
    recipe = Recipe(dict.fromkeys(models.weight_layers(net), LayerRecipe(density, 5, None)))
    return _outcome(pipeline.stored_net(net, recipe, "coded"))


def _outcome(stored):
    data = archive.dumps(stored)
    net = pipeline.restore(archive.loads(data))
    return Outcome(len(data), training.error_percent(net, datasets.digits().test))
