"""Train AlexNet on CIFAR-10 on a CPU, in instalments: ``python -m dcviz alexnet train``.

Hours of work for one core, so it can be stopped at any moment (SIGTERM, Ctrl-C, a power cut): the same
command goes on from the last checkpoint and takes the same steps as an unbroken run.

Pictures grow from phase to phase: ``--phases 96:8,128:16,224:2`` is 8 epochs at 96 pixels and so on. Small
pictures teach the convolutions cheaply. Choices are made on 5,000 held-out training pictures; the test
pictures are read only by ``--report``.
"""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

from dcviz.files import cache_dir
from dcviz.nets.cifar import cifar10, tuning_pictures
from dcviz.nets.models_imagenet import AlexNet, he_init
from dcviz.nets.picture_training import PictureSchedule, Trainer, sgd, stop_signals

CHECKPOINT, LOG, WEIGHTS = "checkpoint.safetensors", "log.jsonl", "alexnet-cifar10.safetensors"
CLIP = 5.0  # gradients of a larger norm are scaled down to it: guards the first steps


def parse_phases(text, least=63):
    """ "96:8,128:16" -> [(96, 8), (128, 16)], pairs of (pixels, epochs); ``least`` pixels are allowed."""
    try:
        phases = [tuple(map(int, part.split(":"))) for part in text.split(",")]
        if all(len(p) == 2 and p[0] >= least and p[1] >= 1 for p in phases):
            return phases
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r}: write PIXELS:EPOCHS,... with {least} pixels or more")


def first_net(dropout):
    """AlexNet for ten classes; its last layer starts small, so that the first guesses are even."""
    net = he_init(AlexNet(10, dropout))
    torch.nn.init.normal_(net.classifier[6].weight, std=0.01)
    return net


def trainer(options):
    """(the ``Trainer`` that the options ask for, the held-out pictures)."""
    train, held_out = tuning_pictures()
    torch.manual_seed(options.seed)
    net = first_net(options.dropout)
    names = ("lr", "batch", "warmup", "decay", "smoothing", "seed")
    schedule = PictureSchedule(tuple(options.phases), **{name: getattr(options, name) for name in names})
    dtype = getattr(torch, options.dtype)
    return Trainer(net, train, schedule, optimizer=sgd, averaging=options.averaging, clip=CLIP, dtype=dtype), held_out


def _note(log, **values):
    """One JSON line, on the screen and at the end of the log."""
    line = json.dumps({"date": datetime.now(UTC).isoformat(timespec="seconds"), **values})
    print(line, flush=True)
    with open(log, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def run(options):
    """Train until the schedule or ``--minutes`` is over, or a signal asks to stop; resumes by itself."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    training, held_out = trainer(options)
    if (out / CHECKPOINT).exists():
        training.resume(out / CHECKPOINT)
    _note(out / LOG, event="start", step=training.step, total=training.total, **vars(options))
    begin = since = time.monotonic()
    before = training.step

    def stopped():
        if options.minutes is not None and time.monotonic() - begin > options.minutes * 60:
            stop.append("minutes")
        return bool(stop)

    def note(training, loss, right):
        nonlocal since, before
        epoch_steps, steps = training.schedule.per_epoch(len(training.labels)), training.step - before
        _note(
            out / LOG,
            step=training.step,
            epoch=round(training.step / epoch_steps, 2),
            pixels=training.pixels(),
            loss=round(loss, 4),
            right=round(right, 4),
            held_out=None if stop else _right(training, held_out, training.pixels()),
            rate=round(training.optimizer.param_groups[0]["lr"], 6),
            images_per_s=round(steps * options.batch / (time.monotonic() - since), 1),
        )
        since, before = time.monotonic(), training.step

    with stop_signals() as stop:
        training.run(checkpoint=out / CHECKPOINT, every=options.every, note=note, stop=stopped)
    _note(out / LOG, event="stop", step=training.step, total=training.total)


def _right(training, split, pixels):
    """The share of a split's pictures that the averaged weights get right."""
    return round(1 - training.error_percent(split, pixels) / 100, 4)


def report(options):
    """Measure the averaged weights on the 10,000 test pictures and export them."""
    out = Path(options.out)
    torch.set_num_threads(options.threads)
    training, held_out = trainer(options)
    training.resume(out / CHECKPOINT)
    pixels = options.pixels or options.phases[-1][0]
    notes = {
        "data": "CIFAR-10",
        **training.identity(),
        "pixels": pixels,
        "step": training.step,
        "total": training.total,
        "epochs": round(training.step / training.schedule.per_epoch(len(training.labels)), 2),
        "held_out_accuracy": _right(training, held_out, pixels),
        "test_accuracy": _right(training, cifar10("test"), pixels),
    }
    training.export(out / WEIGHTS, notes)
    _note(out / LOG, event="report", file=WEIGHTS, **notes)


def program(prog, about, out, phases, least, lr, warmup, every):
    """The options that every training of pictures has: an ``ArgumentParser``; ``least`` pixels are allowed."""
    p = argparse.ArgumentParser(prog=f"python -m dcviz {prog}", description=about)
    p.add_argument("--out", default=str(cache_dir() / out), help="folder of checkpoint and result")
    p.add_argument("--phases", type=lambda text: parse_phases(text, least), default=phases, help="PIXELS:EPOCHS,...")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--lr", type=float, default=lr, help="highest learning rate")
    p.add_argument("--warmup", type=int, default=warmup, help="steps of rising learning rate")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--every", type=float, default=every, help="seconds between checkpoints")
    p.add_argument("--report", action="store_true", help="no training: measure on the test pictures, export")
    return p


def parser():
    """The command line."""
    about = __doc__.split("\n\n")[0]
    p = program("alexnet train", about, "alexnet", "96:10,128:16,224:2", 63, lr=0.02, warmup=300, every=240)
    p.add_argument("--decay", type=float, default=5e-4, help="weight decay, biases excepted")
    p.add_argument("--dropout", type=float, default=0.3)
    p.add_argument("--smoothing", type=float, default=0.1, help="label smoothing")
    p.add_argument("--averaging", type=float, default=0.999, help="share of the average kept per step")
    p.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    p.add_argument("--minutes", type=float, help="stop after so many minutes")
    p.add_argument("--pixels", type=int, help="picture size of --report (default: the last phase's)")
    return p


def main(arguments=None):
    """The command line; see the top of this module."""
    options = parser().parse_args(arguments)
    report(options) if options.report else run(options)


if __name__ == "__main__":
    main()
