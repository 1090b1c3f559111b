"""Compress a trained net of colour pictures in instalments: prune, retrain, share, code.

Hours of work for one core. Stopped at any moment, the same command goes on. All choices are made on 5,000 held-out
training pictures; the test pictures are read once for each finished net.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dcviz import archive
from dcviz.errors import DataError
from dcviz.files import cache_dir
from dcviz.ideas.pruning import check_weights, layer_adaptive_densities
from dcviz.nets import batchnorm, cifar
from dcviz.nets.picture_training import PictureSchedule, Trainer, sgd, stop_signals
from dcviz.nets.resuming import replace_file
from dcviz.pipeline import Recipe, codebooks, parameters, round_biases, stored_net
from dcviz.pipeline.chains import drop_dead
from dcviz.pipeline.retraining import Gradual, Masked
from dcviz.pipeline.trained_quantization import SharedWeights

WARMUP = 40
CUT, PRUNED, CHECKPOINT = "cut.safetensors", "pruned.safetensors", "checkpoint.safetensors"


@dataclass(frozen=True)
class Subject:
    """The net that is compressed, and how it is trained.

    net: its name, and that of its file
    build: function () -> a net that takes the dense weights
    pixels: the size at which pictures are trained on and measured
    command: what compresses it, and its folder's name; weights, made_by: the dense net's file, and what writes it
    dtype: what training computes in
    fold: batch normalisation is folded into the convolutions before weights share values
    """

    net: str
    build: Callable
    pixels: int
    command: str
    weights: str
    made_by: str
    dtype: str = "float32"
    batch: int = 128
    decay: float = 5e-4
    clip: float | None = None
    optimizer: Callable = sgd
    fold: bool = False

    def of(self, state):
        """The net with the weights of a state dict."""
        net = self.build()
        net.load_state_dict(state)
        return net


@dataclass(frozen=True)
class Setting:
    """One compressed net: its recipe, and how long (epochs) and hard (learning rate) each part trains.

    adaptive: the recipe's density, the same for all layers, is that of the whole net; every layer gets its own
    """

    recipe: Recipe
    prune: float
    prune_rate: float
    settle: float
    settle_rate: float
    share: float
    share_rate: float
    adaptive: bool = False

    def densities(self, weights):
        """{layer: share of its weights that stays}; weights: {layer: array} of the dense net."""
        densities = {name: layer.density for name, layer in self.recipe.layers.items()}
        if not self.adaptive:
            return densities
        (density,) = set(densities.values())
        return layer_adaptive_densities({name: weights[name] for name in densities}, density)


def run(subject, settings, options):
    """Make the settings asked for whose files are not there yet; True if all are done, False after a stop.

    settings: {name: Setting}. DataError where the dense net is not there.
    """
    torch.set_num_threads(options.threads)
    dense = state(Path(options.dense), subject)
    for name in options.settings:
        setting, folder = settings[name], Path(options.out) / name
        folder.mkdir(parents=True, exist_ok=True)
        cut, pruned = folder / CUT, folder / PRUNED
        if not cut.exists() and not _prune(subject, setting, dense, cut, options):
            return False
        if not pruned.exists() and not _settle(subject, setting, state(cut, subject), dense, pruned, options):
            return False
        done = (folder / f"{subject.net}.dcz").exists()
        if not done and not share(subject, setting, state(pruned, subject), dense, folder, options):
            return False
    return True


def _train(subject, options, net, epochs, rate, constraint, folder, checkpoint=None, optimizer=None, teacher=None):
    """Train ``net``, in place, for so many epochs of the training pictures: its constraint, or None after a stop.

    constraint: function (net, steps) -> constraint.
    """
    train, held_out = cifar.tuning_pictures()
    phases, part = ((subject.pixels, math.ceil(epochs)),), epochs / math.ceil(epochs)
    more = {"decay": subject.decay, "seed": options.seed, "share": part}
    schedule = PictureSchedule(phases, rate, subject.batch, WARMUP, **more)
    constraint = constraint(net, schedule.steps(len(train)))
    kind = {"clip": subject.clip, "dtype": getattr(torch, options.dtype), "optimizer": optimizer or subject.optimizer}
    trainer = Trainer(net, train, schedule, constraint=constraint, teacher=teacher, **kind)

    def note(trainer, loss, right):
        line = {"folder": folder.name, "step": trainer.step, "total": trainer.total}
        line |= {"loss": round(loss, 4), "right": round(right, 4)}
        line["held_out"] = None if stop else 1 - trainer.error_percent(held_out, subject.pixels) / 100
        print(json.dumps(line), flush=True)

    with stop_signals() as stop:
        trainer.run(checkpoint=checkpoint, every=options.every, note=note, stop=lambda: bool(stop))
    return None if stop else constraint


def _prune(subject, setting, start, target, options):
    recipe = setting.recipe

    def cutting(net, steps):
        return Gradual(net, densities, steps, recipe.cuts, recipe.ramp, recipe.regrow)

    net = _fresh(subject, start, options)
    densities = setting.densities(_weights(net, recipe))
    return _retrain(subject, options, net, setting.prune, setting.prune_rate, cutting, recipe, target)


def _settle(subject, setting, start, teacher, target, options):
    """Retrain what is left under the final mask; the dense net's answers teach, which is quicker than labels."""

    def masked(net, steps):
        return Masked(net, {name: values != 0 for name, values in _weights(net, setting.recipe).items()})

    how = subject, options, _fresh(subject, start, options), setting.settle, setting.settle_rate, masked
    return _retrain(*how, setting.recipe, target, teacher=teacher)


def _weights(net, recipe):
    """{layer: a copy of its weights} of the layers of a recipe; batch normalisation may stand between them."""
    found = parameters.named(net, recipe.layers)
    return {name: check_weights(target.weight, name).copy() for name, target in found.items()}


def _fresh(subject, start, options):
    torch.manual_seed(options.seed)
    return subject.of(start)


def _retrain(subject, options, net, epochs, rate, constraint, recipe, target, **more):
    checkpoint = target.with_name(CHECKPOINT)
    if _train(subject, options, net, epochs, rate, constraint, target.parent, checkpoint, **more) is None:
        return False
    if recipe.drop_dead and not subject.fold:
        drop_dead(net)
    replace_file(target, net.state_dict(), {"net": subject.net, "seed": options.seed, "batch": subject.batch})
    checkpoint.unlink(missing_ok=True)
    return True


def share(subject, setting, start, teacher, folder, options):
    """Fine-tune the shared values and write the file; minutes, so a stop means to begin again. True when done."""
    recipe = setting.recipe
    net = _fresh(subject, start, options)
    if subject.fold:
        net, teacher = batchnorm.fold(net), batchnorm.fold(subject.of(teacher)).state_dict()
        if recipe.drop_dead:
            drop_dead(net)

    def sharing(net, steps):
        return SharedWeights(net, codebooks(net, recipe), rate=recipe.rate)

    def adam(parameters, schedule):
        return torch.optim.Adam(parameters)

    how = setting.share, setting.share_rate, sharing, folder
    constraint = _train(subject, options, net, *how, optimizer=adam, teacher=teacher)
    if constraint is None:
        return False
    constraint.round_to(recipe.dtype)
    round_biases(net, recipe)
    if not subject.fold:
        net.name = subject.net
    archive.save(folder / f"{subject.net}.dcz", stored_net(net, recipe, "coded", copied=False))
    return True


def state(path, subject):
    """The state dict in a safetensors file; DataError if it is not there."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read ({error}); `{subject.made_by}` writes it") from error


def arguments(subject, step, about):
    """The options that making and measuring share: an ``ArgumentParser``. about: a text, whose first lines it says."""
    folder = cache_dir() / subject.command
    p = argparse.ArgumentParser(
        prog=f"python -m dcviz {subject.command} {step}", description=about.partition("\n\n")[0]
    )
    p.add_argument("--dense", default=str(folder / subject.weights))
    p.add_argument("--out", default=str(folder), help="folder of checkpoints and results")
    p.add_argument("--dtype", choices=("float32", "bfloat16"), default=subject.dtype, help="what training computes in")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--every", type=float, default=240, help="seconds between checkpoints")
    return p


def main(subject, settings, about, options=None):
    """The command line that compresses a subject; ``about`` as for ``arguments``."""
    p = arguments(subject, "compress", about)
    p.add_argument("--settings", nargs="+", choices=settings, default=list(settings), help="what to make")
    run(subject, settings, p.parse_args(options))
