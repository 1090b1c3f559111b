"""Compress the AlexNet that ``alexnet_training`` made: ``python -m dcviz alexnet compress``.

Two settings: the densities and bits of the paper's Table 4, and far fewer weights. Each begins with the dense net, is
pruned while it retrains, retrains on with what is left, then its weights share values that are fine-tuned, then it is
coded. Two hours for one core; stopped at any moment, the same command goes on.

All choices were made on 5,000 held-out training pictures; the test pictures are read once for each finished net.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dcviz import archive
from dcviz.errors import DataError
from dcviz.files import cache_dir
from dcviz.nets import cifar, models
from dcviz.nets.alexnet_training import CLIP, first_net
from dcviz.nets.picture_training import PictureSchedule, Trainer, sgd, stop_signals
from dcviz.nets.resuming import replace_file
from dcviz.pipeline import LayerRecipe, Recipe, codebooks, recipes, round_biases, stored_net
from dcviz.pipeline.chains import drop_dead
from dcviz.pipeline.retraining import Gradual, Masked, weights_of
from dcviz.pipeline.trained_quantization import SharedWeights

NET, BATCH, WARMUP = "alexnet", 128, 40

PIXELS = 224
"""Pictures are trained on and measured at the size whose last feature map is the 6 x 6 that fc6 was made for."""


@dataclass(frozen=True)
class Setting:
    """One compressed AlexNet: its recipe, and how long (epochs) and hard (learning rate) each part trains."""

    recipe: Recipe
    prune: float
    prune_rate: float
    settle: float
    settle_rate: float
    share: float
    share_rate: float


def _small():
    """Few weights, in as few bits as the net bears; gaps as wide as makes the smallest file."""
    densities = (0.7, 0.35, 0.3, 0.25, 0.25, 0.027, 0.027, 0.2)
    plan = zip(models.paper_names(NET), densities, (5, 5, 4, 4, 4, 4, 4, 4), strict=True)
    return recipes.as_printed(
        NET,
        layers={name: LayerRecipe(density, bits, None) for name, density, bits in plan},
        cuts=40,
        ramp=0.5,
        regrow=True,
        rate=0.01,
        drop_dead=True,
        dtype="float16",
        bias_dtype="float16",
    )


SETTINGS = {
    "paper": Setting(
        recipes.as_printed(NET, cuts=12, ramp=0.5, regrow=True),
        prune=1.25,
        prune_rate=6e-3,
        settle=1.0,
        settle_rate=2e-3,
        share=0.2,
        share_rate=1e-4,
    ),
    "small": Setting(_small(), prune=5.0, prune_rate=8e-3, settle=2.0, settle_rate=2e-3, share=0.5, share_rate=3e-4),
}
"""{name: Setting}."""


def run(options):
    """The settings asked for whose files are not there yet; returns True if all are done, False after a stop."""
    out = Path(options.out)
    torch.set_num_threads(options.threads)
    dense = state(Path(options.dense))
    for name in options.settings:
        setting = SETTINGS[name]
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        cut, pruned = folder / "cut.safetensors", folder / "pruned.safetensors"
        if not cut.exists() and not _prune(setting, dense, folder, cut, options):
            return False
        if not pruned.exists() and not _settle(setting, state(cut), dense, folder, pruned, options):
            return False
        if not (folder / f"{NET}.dcz").exists() and not share(setting, state(pruned), dense, folder, options):
            return False
    return True


def _train(options, start, epochs, rate, constraint, checkpoint=None, name="", optimizer=sgd, teacher=None):
    """The net that starts as a state dict, trained for so many epochs on the training pictures; None after a stop.

    constraint: function (net, steps) -> constraint. Returns (net, constraint).
    """
    train, held_out = cifar.tuning_pictures()
    torch.manual_seed(options.seed)
    net = first_net(dropout=0.1)
    net.load_state_dict(start)
    phases, part = ((PIXELS, math.ceil(epochs)),), epochs / math.ceil(epochs)
    schedule = PictureSchedule(phases, rate, BATCH, WARMUP, decay=5e-4, seed=options.seed, share=part)
    constraint = constraint(net, schedule.steps(len(train)))
    kind = {"clip": CLIP, "dtype": getattr(torch, options.dtype)}
    trainer = Trainer(net, train, schedule, constraint=constraint, optimizer=optimizer, teacher=teacher, **kind)

    def note(trainer, loss, right):
        line = {"folder": name, "step": trainer.step, "total": trainer.total}
        line |= {"loss": round(loss, 4), "right": round(right, 4)}
        line["held_out"] = None if stop else 1 - trainer.error_percent(held_out, PIXELS) / 100
        print(json.dumps(line), flush=True)

    with stop_signals() as stop:
        trainer.run(checkpoint=checkpoint, every=options.every, note=note, stop=lambda: bool(stop))
    return None if stop else (net, constraint)


def _prune(setting, start, folder, target, options):
    recipe = setting.recipe
    densities = {name: layer.density for name, layer in recipe.layers.items()}

    def cutting(net, steps):
        return Gradual(net, densities, steps, recipe.cuts, recipe.ramp, recipe.regrow)

    return _retrain(options, start, setting.prune, setting.prune_rate, cutting, recipe, folder, target)


def _settle(setting, start, teacher, folder, target, options):
    """Retrain what is left under the final mask; the dense net's answers teach, which is quicker than labels."""

    def masked(net, steps):
        return Masked(net, {name: values != 0 for name, values in weights_of(net).items()})

    how = options, start, setting.settle, setting.settle_rate, masked
    return _retrain(*how, setting.recipe, folder, target, teacher=teacher)


def _retrain(options, start, epochs, rate, constraint, recipe, folder, target, **more):
    checkpoint = folder / "checkpoint.safetensors"
    trained = _train(options, start, epochs, rate, constraint, checkpoint, folder.name, **more)
    if trained is None:
        return False
    if recipe.drop_dead:
        drop_dead(trained[0])
    replace_file(target, trained[0].state_dict(), {"net": NET, "seed": options.seed, "batch": BATCH})
    checkpoint.unlink(missing_ok=True)
    return True


def share(setting, start, teacher, folder, options):
    """Fine-tune the shared values and write the file; minutes, so a stop means to begin again. True when done."""
    recipe = setting.recipe

    def sharing(net, steps):
        return SharedWeights(net, codebooks(net, recipe), rate=recipe.rate)

    def adam(parameters, schedule):
        return torch.optim.Adam(parameters)

    more = {"name": folder.name, "optimizer": adam, "teacher": teacher}
    trained = _train(options, start, setting.share, setting.share_rate, sharing, **more)
    if trained is None:
        return False
    net, constraint = trained
    constraint.round_to(recipe.dtype)
    round_biases(net, recipe)
    net.name = NET
    archive.save(folder / f"{NET}.dcz", stored_net(net, recipe, "coded", copied=False))
    return True


def state(path):
    """The state dict in a safetensors file; DataError if it is not there."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read ({error}); `dcviz alexnet train --report` writes it") from error


def arguments(prog, about):
    """The options that making and measuring share: an ``ArgumentParser``."""
    p = argparse.ArgumentParser(prog=f"python -m dcviz alexnet {prog}", description=about)
    p.add_argument("--dense", default=str(cache_dir() / "alexnet" / "alexnet-cifar10.safetensors"))
    p.add_argument("--out", default=str(cache_dir() / "alexnet"), help="folder of checkpoints and results")
    p.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="what training computes in")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--every", type=float, default=240, help="seconds between checkpoints")
    return p


def main(options=None):
    """The command line; see the top of this module."""
    p = arguments("compress", __doc__.split("\n\n")[0])
    p.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="what to make")
    run(p.parse_args(options))


if __name__ == "__main__":
    main()
