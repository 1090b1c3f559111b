"""Compress the AlexNet that ``alexnet_training`` made: ``python -m dcviz.alexnet_compression``.

Two settings: the densities and bits of the paper's Table 4, and far fewer weights. Each begins with the dense net, is
pruned while it retrains, retrains on with what is left, then its weights share values that are fine-tuned, then it is
coded. Two hours for one core; stopped at any moment, the same command goes on.

All choices were made on 5,000 held-out training pictures; the test pictures are read once for each finished net.
"""

import argparse
import copy
import hashlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dcviz import archive, cifar, models, recipes, recordings, relative_index
from dcviz.alexnet_trainer import Trainer, stop_signals
from dcviz.archive import Coding, Layer, StoredNet
from dcviz.errors import DataError
from dcviz.files import atomic_write, cache_dir
from dcviz.models_imagenet import AlexNet
from dcviz.pipeline import LayerRecipe, Recipe, codebooks, restore, round_biases, stored_net
from dcviz.retraining import Gradual, Masked, drop_dead, weights_of
from dcviz.sketch import sketch, to_bytes
from dcviz.trained_quantization import SharedWeights

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
    densities = (0.7, 0.35, 0.35, 0.35, 0.35, 0.012, 0.015, 0.2)
    plan = zip(models.paper_names(NET), densities, (5, 5, 4, 4, 4, 4, 4, 4), strict=True)
    return recipes.as_printed(
        NET, layers={name: LayerRecipe(density, bits, None) for name, density, bits in plan}, cuts=40, ramp=0.6,
        regrow=True, rate=0.02, drop_dead=True, dtype="float16", bias_dtype="float16",
    )  # fmt: skip


SETTINGS = {
    "paper": Setting(
        recipes.as_printed(NET, cuts=12, ramp=0.6, regrow=True), prune=0.35, prune_rate=6e-3,
        settle=0.35, settle_rate=4e-3, share=0.1, share_rate=1e-4,
    ),
    "small": Setting(
        _small(), prune=2.5, prune_rate=8e-3, settle=1.0, settle_rate=6e-3, share=0.2, share_rate=3e-4
    ),
}
"""{name: Setting}."""


def run(options):
    """The settings asked for whose files are not there yet; returns True if all are done, False after a stop."""
    out = Path(options.out)
    torch.set_num_threads(options.threads)
    dense = _state(Path(options.dense))
    for name in options.settings:
        setting = SETTINGS[name]
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        cut, pruned = folder / "cut.safetensors", folder / "pruned.safetensors"
        if not cut.exists() and not _prune(setting, dense, folder, cut, options):
            return False
        if not pruned.exists() and not _settle(setting, _state(cut), dense, folder, pruned, options):
            return False
        if not (folder / f"{NET}.dcz").exists() and not _share(setting, _state(pruned), dense, folder, options):
            return False
    return True


def _trainer(options, epochs, rate, start, constraint, **more):
    """A ``Trainer`` on the training pictures for so many epochs, of which the last may be a part of one."""
    choices = argparse.Namespace(
        seed=options.seed, batch=BATCH, phases=((PIXELS, math.ceil(epochs)),), lr=rate, warmup=WARMUP, decay=5e-4,
        dropout=0.1, smoothing=0.1, averaging=0.0, dtype=options.dtype,
    )  # fmt: skip
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


def _share(setting, start, teacher, folder, options):
    """Fine-tune the shared values and write the file; minutes, so a stop means to begin again."""
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
                print(json.dumps({
                    "folder": folder.name, "step": trainer.step, "total": trainer.total,
                    "loss": round(float(loss), 4), "right": round(float(right), 4),
                    "held_out": None if stop else trainer.held_out_accuracy(PIXELS),
                }), flush=True)  # fmt: skip
                since, results = time.monotonic(), []
    return not stop


def report(options):
    """Errors and sizes of the dense net and of every setting's stages: rows. Test pictures for finished nets only."""
    out = Path(options.out)
    torch.set_num_threads(options.threads)
    dense = AlexNet(10)
    dense.load_state_dict(_state(Path(options.dense)))
    dense_bytes = models.dense_bytes(dense)
    rows = [_row(options, out, "dense", dense, dense_bytes, dense_bytes)]
    for name in options.settings:
        setting, pruned = SETTINGS[name], AlexNet(10)
        pruned.load_state_dict(_state(out / name / "pruned.safetensors"))
        stored = pruned_stage(pruned)
        size = archive.save(out / name / f"{NET}-pruned.dcz", stored)
        rows.append(_row(options, out, f"{name}, pruned", restore(stored), size, dense_bytes, test=False))
        file = out / name / f"{NET}.dcz"
        net = restore(archive.load(file))
        shared, coded = (archive.file_bytes(stored_net(net, setting.recipe, stage)) for stage in ("shared", "coded"))
        row = _row(options, out, f"{name}, coded", net, coded, dense_bytes)
        rows += [{**row, "stage": f"{name}, shared", "file_bytes": shared, "ratio": dense_bytes / shared}, row]
    sketches = [sketch(layer.weight.detach().numpy(), name=name) for name, layer in models.weight_layers(dense).items()]
    atomic_write(out / f"{NET}.sketches", lambda file: file.write(to_bytes(sketches)))
    return rows


def _row(options, out, stage, net, size, dense_bytes, test=True):
    row = {
        "stage": stage, "file_bytes": size, "ratio": dense_bytes / size, "pixels": PIXELS,
        "computed_in": options.dtype, **_errors(out, net, test, options.dtype),
        "kept_percent": {
            name: 100 * float((layer.weight != 0).float().mean()) for name, layer in models.weight_layers(net).items()
        },
    }  # fmt: skip
    print(json.dumps(row), flush=True)
    return row


def _errors(out, net, test, dtype):
    """Errors of a net, minutes of work: kept in ``out``/measured under the net's hash, so a second report is quick."""
    digest = hashlib.sha256(dtype.encode())
    for value in net.state_dict().values():
        digest.update(value.contiguous().numpy())
    path = out / "measured" / f"{digest.hexdigest()[:16]}{'-tested' if test else ''}.json"
    if not path.exists():
        errors = {
            "held_out_error_percent": error_percent(net, held_out(), dtype),
            "test_error_percent": error_percent(net, cifar.cifar10("test"), dtype) if test else None,
        }
        atomic_write(path, lambda file: file.write(json.dumps(errors).encode()))
    return json.loads(path.read_text("utf-8"))


def pruned_stage(net):
    """The ``StoredNet`` of a pruned net before any sharing: weights, rounded to float16 in place, and gaps."""
    layers = []
    for name, layer in models.weight_layers(net).items():
        with torch.no_grad():
            for parameter in (layer.weight, layer.bias):
                parameter.copy_(parameter.half().float())
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        index_bits = relative_index.best_bits(np.flatnonzero(weight), value_bits=16)
        layers.append(Layer(name, weight, bias, Coding(index_bits, dtype="float16", bias_dtype="float16")))
    return StoredNet(NET, tuple(layers))


def _state(path):
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read ({error}); alexnet_training --report writes the dense net") from error


@torch.inference_mode()
def error_percent(net, split, dtype="float32", size=125):
    """Top-1 error in percent of a net on a ``CifarSplit`` at ``PIXELS``, computed in a dtype; bfloat16 is quicker."""
    dtype = getattr(torch, dtype)
    net = copy.deepcopy(net).eval().to(dtype).to(memory_format=torch.channels_last)
    batches = cifar.batches(split, PIXELS, size)
    wrong = sum(
        int((net(x.to(dtype).to(memory_format=torch.channels_last)).argmax(1) != y).sum()) for x, y in batches
    )
    return 100 * wrong / len(split)


def held_out():
    """The 5,000 training pictures that no training sees."""
    split, (_, rows) = cifar.cifar10("train"), cifar.tuning_split()
    return cifar.CifarSplit(split.images[rows], split.labels[rows])


def main(arguments=None):
    """The command line; see the top of this module."""
    p = argparse.ArgumentParser(prog="python -m dcviz.alexnet_compression", description=__doc__.split("\n\n")[0])
    p.add_argument("--dense", default=str(cache_dir() / "alexnet" / "alexnet-cifar10.safetensors"))
    p.add_argument("--out", default=str(cache_dir() / "alexnet"), help="folder of checkpoints and results")
    p.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="what to make")
    p.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--every", type=float, default=240, help="seconds between checkpoints")
    p.add_argument("--report", action="store_true", help="no training: measure, and record if all settings are made")
    options = p.parse_args(arguments)
    if options.report:
        rows = report(options)
        if options.settings == list(SETTINGS):
            recordings.keep("alexnet_cifar10", recordings.PROGRAMS["alexnet_cifar10"], rows)
    else:
        run(options)


if __name__ == "__main__":
    main()
