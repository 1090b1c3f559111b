"""Compress the AlexNet that ``alexnet_training`` made: ``python -m dcviz alexnet compress``.

Two settings: the densities and bits of the paper's Table 4, and far fewer weights. Each begins with the dense net, is
pruned while it retrains, retrains on with what is left, then its weights share values that are fine-tuned, then it is
coded. Two hours for one core; stopped at any moment, the same command goes on.

All choices were made on 5,000 held-out training pictures; the test pictures are read once for each finished net.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dcviz import archive
from dcviz.errors import DataError
from dcviz.files import cache_dir
from dcviz.nets import cifar, models
from dcviz.nets.alexnet_trainer import Trainer, stop_signals
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


def _trainer(options, epochs, rate, start, constraint, **more):
    """A ``Trainer`` on the training pictures for so many epochs, of which the last may be a part of one."""
    choices = argparse.Namespace(
        seed=options.seed,
        batch=BATCH,
        phases=((PIXELS, math.ceil(epochs)),),
        lr=rate,
        warmup=WARMUP,
        decay=5e-4,
        dropout=0.1,
        smoothing=0.1,
        averaging=0.0,
        dtype=options.dtype,
    )
    return Trainer(cifar.cifar10("train"), choices, start, constraint, share=epochs / math.ceil(epochs), **more)


def _prune(setting, start, folder, target, options):
    recipe = setting.recipe
    densities = {name: layer.density for name, layer in recipe.layers.items()}

    def cutting(net, steps):
        return Gradual(net, densities, steps, recipe.cuts, recipe.ramp, recipe.regrow)

    trainer = _trainer(options, setting.prune, setting.prune_rate, start, cutting)
    return _retrain(trainer, recipe, folder, target, options)


def _settle(setting, start, teacher, folder, target, options):
    """Retrain what is left under the final mask; the dense net's answers teach, which is quicker than labels."""

    def masked(net, steps):
        return Masked(net, {name: values != 0 for name, values in weights_of(net).items()})

    trainer = _trainer(options, setting.settle, setting.settle_rate, start, masked, teacher=teacher)
    return _retrain(trainer, setting.recipe, folder, target, options)


def _retrain(trainer, recipe, folder, target, options):
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.exists():
        trainer.resume(checkpoint)
    if not _train(trainer, folder, options, checkpoint):
        return False
    if recipe.drop_dead:
        drop_dead(trainer.master)
    trainer.export(target, {"net": NET, **trainer.identity()})
    checkpoint.unlink(missing_ok=True)
    return True


def share(setting, start, teacher, folder, options):
    """Fine-tune the shared values and write the file; minutes, so a stop means to begin again. True when done."""
    recipe = setting.recipe

    def sharing(net, steps):
        return SharedWeights(net, codebooks(net, recipe), rate=recipe.rate)

    def adam(constraint, decay):
        return torch.optim.Adam(constraint.parameters())

    trainer = _trainer(options, setting.share, setting.share_rate, start, sharing, optimizer=adam, teacher=teacher)
    if not _train(trainer, folder, options):
        return False
    trainer.constraint.round_to(recipe.dtype)
    round_biases(trainer.master, recipe)
    trainer.master.name = NET
    archive.save(folder / f"{NET}.dcz", stored_net(trainer.master, recipe, "coded", copied=False))
    return True


def _train(trainer, folder, options, checkpoint=None):
    """Steps until the schedule is over (True) or a signal asks to stop (False)."""
    since, results = time.monotonic(), []
    with stop_signals() as stop:
        while trainer.step < trainer.total and not stop:
            results.append(trainer.advance())
            if not np.isfinite(results[-1][0]):
                raise DataError(f"{folder}: the loss is not finite at step {trainer.step}; try a lower rate")
            late = time.monotonic() - since > options.every
            if late or stop or trainer.step == trainer.total:
                if checkpoint is not None:
                    trainer.save(checkpoint)
                loss, right = np.mean(results, axis=0)
                print(
                    json.dumps(
                        {
                            "folder": folder.name,
                            "step": trainer.step,
                            "total": trainer.total,
                            "loss": round(float(loss), 4),
                            "right": round(float(right), 4),
                            "held_out": None if stop else trainer.held_out_accuracy(PIXELS),
                        }
                    ),
                    flush=True,
                )
                since, results = time.monotonic(), []
    return not stop


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
