"""Chapter 11: an AlexNet that knows five classes of CIFAR-10, compressed, learns the other five.

All at 64 pixels, where a core trains on 400 pictures a second; the map that fc6 sees is then a single place, stretched
to 6 x 6. Choices are made on held-out training pictures; rows have the error on 1,000 test pictures of either task.
"""

import copy
import functools
import itertools

import numpy as np
import torch
from torch import nn

from dcviz import archive, pipeline
from dcviz.chapters.ch11_open_questions import transfer
from dcviz.evidence import resumed
from dcviz.files import cache_dir
from dcviz.nets import cifar, models, picture_training
from dcviz.nets.models_imagenet import he_init
from dcviz.nets.picture_training import PictureSchedule, printed
from dcviz.pipeline import LayerRecipe, Recipe
from dcviz.pipeline.retraining import Gradual
from dcviz.pipeline.trained_quantization import SharedWeights

PIXELS, DROPOUT = 64, 0.1
DENSE = PictureSchedule(phases=((PIXELS, 4),), lr=5e-4, batch=256)
PRUNE = PictureSchedule(phases=((PIXELS, 1),), lr=2e-4, batch=256, warmup=10, decay=0.0)
SHARE = PictureSchedule(phases=((PIXELS, 1),), lr=1e-4, warmup=5, decay=0.0)
SHARE_PICTURES = 5_120
DENSITIES = (0.7, 0.35, 0.35, 0.35, 0.35, 0.1, 0.1, 0.3)
CUTS = 5
OLD_CLASSES, NEW_CLASSES = range(5), range(5, 10)
MEASURED = 1_000

STEPS, BATCH = 40, 50
EXAMPLES = (50, 500, 2_000)
"""Pictures of the new classes to learn from, as many of each; every lesson has the same number of steps."""
RATES = {"biases": 3e-2, "codebook": 3e-2, "kept": 3e-4, "everything": 3e-4, "dense": 3e-4, "scratch": 3e-4}
"""Learning rate of each road: of two to four tried for biases and kept weights, the best on held-out pictures of the
new classes (two that were not taken had been judged by a first recording, so on test pictures); the others take that of
the kept weights, and the codebook's biases that of the biases."""
VALUES = 1e-4
"""Learning rate of shared values, in units of how far the values of their layer lie apart (standard deviation): of six
from 1e-4 to 3e-2 the best on held-out pictures. One value moves thousands of weights, a bias one output."""


def only(split, classes):
    """The pictures of classes in a row, labelled from 0."""
    chosen = split.take((split.labels >= classes.start) & (split.labels < classes.stop))
    return cifar.CifarSplit(chosen.images, chosen.labels - classes.start)


def start(net):
    """New random weights, in place: as large as signals need; small in the last layer, for even first guesses."""
    nn.init.normal_(list(models.weight_layers(he_init(net)).values())[-1].weight, std=0.01)


def folder():
    """Where the nets and the rows measured so far are kept."""
    return cache_dir() / "alexnet-transfer"


def dense_net(train, schedule=DENSE):
    """AlexNet with five outputs trained on the old classes, going on from its checkpoint."""
    net = models.build("alexnet", num_classes=len(OLD_CLASSES), dropout=DROPOUT)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        start(net)
    path = folder() / "dense.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture_training.fit(net, train, schedule, checkpoint=path, report=printed("dense"))
    return net


def compressed(net, train, prune=PRUNE, share=SHARE):
    """``net`` pruned while it trains on, its weights shared and fine-tuned, coded -> ``StoredNet``; changes ``net``."""
    layers = {name: LayerRecipe(d, 4, None) for name, d in zip(models.weight_layers(net), DENSITIES, strict=True)}
    recipe = Recipe(layers, dtype="float16", bias_dtype="float16", order="C")
    few = train.take(slice(0, SHARE_PICTURES))
    gradual = Gradual(net, {name: layer.density for name, layer in layers.items()}, prune.steps(len(train)), CUTS)
    picture_training.fit(net, train, prune, constraint=gradual, report=printed("pruned"))
    shared = SharedWeights(net, pipeline.codebooks(net, recipe))
    picture_training.fit(net, few, share, constraint=shared)
    shared.round_to(recipe.dtype)
    pipeline.round_biases(net, recipe)
    return pipeline.stored_net(net, recipe, "coded")


def old_nets(train):
    """The ``transfer.Old`` of the five old classes, made once and kept in ``folder``."""
    train = only(train, OLD_CLASSES)
    dense, path = dense_net(train), folder() / "compressed.dcz"
    if not path.exists():
        archive.save(path, compressed(copy.deepcopy(dense), train))
    return transfer.Old(archive.load(path), dense, start)


def examples(train, n, seed=0):
    """n pictures of the new classes, as many of each, drawn by ``seed``; labels 0 to 4."""
    rng, new = np.random.default_rng(seed), only(train, NEW_CLASSES)
    each = [rng.permutation(np.flatnonzero(new.labels == label))[: n // 5] for label in range(len(NEW_CLASSES))]
    return new.take(np.concatenate(each))


def slower(constraint, rate):
    """The ``factor`` of ``fit`` where values are shared and biases learn at ``rate``; None for other constraints."""
    if not isinstance(constraint, SharedWeights):
        return None
    biases = {id(bias) for bias in constraint.net.parameters()}

    def factor(parameter):
        return 1.0 if id(parameter) in biases else VALUES * float(parameter.detach().std(correction=0)) / rate

    return factor


def teach(net, constraint, split, road, seed=0, rate=None, steps=STEPS, pixels=PIXELS):
    """Train on a few examples as the road's learning rate says: equally many steps, however few examples there are."""
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = DROPOUT
    batch = min(BATCH, len(split))
    phases = ((pixels, max(1, steps * batch // len(split))),)
    rate = rate or RATES[road]
    schedule = PictureSchedule(phases, rate, batch, warmup=10, decay=0.0, seed=seed)
    picture_training.fit(net, split, schedule, constraint=constraint, factor=slower(constraint, rate))


def one(old, train, test, n, road, seed, pixels=PIXELS, **more):
    """One row: a road taken from ``old`` with n examples; bytes of the update, the receiver's error on ``test``."""
    split = examples(train, n, seed)
    net, size = transfer.learn(
        old, road, lambda net, moves: teach(net, moves, split, road, seed, pixels=pixels, **more), seed
    )
    error = picture_training.error_percent(net, test, pixels)
    return {"road": road, "examples": n, "seed": seed, "bytes": size, "error_percent": error}


def before(old, which, known, new, pixels=PIXELS):
    """One row of a net as it was: bytes of its file, error on ``known`` and ``new``, test pictures of either task."""
    net = old.net(which)
    size = archive.file_bytes(old.stored if which in transfer.COMPRESSED else pipeline.stored_net(net))
    errors = [picture_training.error_percent(net, split, pixels) for split in (known, new)]
    return {
        "road": None,
        "start": which,
        "examples": 0,
        "bytes": size,
        "old_error_percent": errors[0],
        "error_percent": errors[1],
    }


def transfer_rows(seeds=1):
    """Classes 0 to 4 to classes 5 to 9, rows as ``open_questions.transfer_errors``; those of old nets have bytes, too.

    Needs CIFAR-10 and ten minutes of one core; goes on where it was stopped.
    """
    torch.set_num_threads(1)
    (train, _), test = cifar.tuning_pictures(), cifar.cifar10("test")
    known, new = (only(test, classes).take(slice(0, MEASURED)) for classes in (OLD_CLASSES, NEW_CLASSES))
    old = old_nets(train)
    jobs = {
        f"{road} {n} {seed}": functools.partial(one, old, train, new, n, road, seed)
        for seed, n, road in itertools.product(range(seeds), EXAMPLES, transfer.ROADS)
    }
    jobs |= {which: functools.partial(before, old, which, known, new) for which in ("everything", "dense")}
    with resumed.rows(folder() / "rows.json", jobs) as rows:
        return rows
