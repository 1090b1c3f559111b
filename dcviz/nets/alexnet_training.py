"""Train AlexNet on CIFAR-10 on a CPU, in instalments: ``python -m dcviz alexnet train``.

Hours of work for one core, so it can be stopped at any moment (SIGTERM, Ctrl-C, a power cut): the same
command goes on from the last checkpoint and takes the same steps as an unbroken run.

Pictures grow from phase to phase: ``--phases 96:8,128:16,224:2`` is 8 epochs at 96 pixels and so on. Small
pictures teach the convolutions cheaply. Choices are made on 5,000 held-out training pictures; the test
pictures are read only by ``--report``.
"""

import argparse
import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from dcviz.errors import DataError
from dcviz.files import cache_dir
from dcviz.nets.alexnet_trainer import Trainer, pixels_at, stop_signals
from dcviz.nets.cifar import cifar10

CHECKPOINT, LOG, WEIGHTS = "checkpoint.safetensors", "log.jsonl", "alexnet-cifar10.safetensors"


def parse_phases(text, least=63):
    """ "96:8,128:16" -> [(96, 8), (128, 16)], pairs of (pixels, epochs); ``least`` pixels are allowed."""
    try:
        phases = [tuple(map(int, part.split(":"))) for part in text.split(",")]
        if all(len(p) == 2 and p[0] >= least and p[1] >= 1 for p in phases):
            return phases
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r}: write PIXELS:EPOCHS,... with {least} pixels or more")


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
    trainer = Trainer(cifar10("train"), options)
    if (out / CHECKPOINT).exists():
        trainer.resume(out / CHECKPOINT)
    _note(out / LOG, event="start", step=trainer.step, total=trainer.total, **vars(options))
    with stop_signals() as stop:
        _train(trainer, options, out, stop)
    _note(out / LOG, event="stop", step=trainer.step, total=trainer.total)


def _train(trainer, options, out, stop):
    """Steps, checkpoints and log lines until the end of the schedule or of the time, or ``stop`` fills."""
    started = since = time.monotonic()
    results = []
    while trainer.step < trainer.total and not stop:
        pixels = pixels_at(trainer.step // trainer.steps_per_epoch, options.phases)
        results.append(trainer.advance())
        if not math.isfinite(results[-1][0]):
            raise DataError(f"{out}: the loss is not finite at step {trainer.step}; go on with a lower --lr")
        now = time.monotonic()
        if options.minutes is not None and now - started > options.minutes * 60:
            stop.append("minutes")
        if now - since > options.every or stop or trainer.step == trainer.total:
            trainer.save(out / CHECKPOINT)
            loss, right = np.mean(results, axis=0)
            held_out = None if stop else round(trainer.held_out_accuracy(pixels), 4)
            _note(
                out / LOG,
                step=trainer.step,
                epoch=round(trainer.step / trainer.steps_per_epoch, 2),
                pixels=pixels,
                loss=round(float(loss), 4),
                right=round(float(right), 4),
                held_out=held_out,
                rate=round(trainer.optimizer.param_groups[0]["lr"], 6),
                images_per_s=round(len(results) * options.batch / (now - since), 1),
            )
            results, since = [], time.monotonic()


def report(options):
    """Measure the averaged weights on the 10,000 test pictures and export them."""
    out = Path(options.out)
    torch.set_num_threads(options.threads)
    trainer = Trainer(cifar10("train"), options)
    trainer.resume(out / CHECKPOINT)
    pixels = options.pixels or options.phases[-1][0]
    test = cifar10("test")
    notes = {
        "data": "CIFAR-10",
        **trainer.identity(),
        "pixels": pixels,
        "step": trainer.step,
        "total": trainer.total,
        "epochs": round(trainer.step / trainer.steps_per_epoch, 2),
        "held_out_accuracy": trainer.held_out_accuracy(pixels),
        "test_accuracy": trainer.accuracy(torch.from_numpy(test.images), torch.from_numpy(test.labels).long(), pixels),
    }
    trainer.export(out / WEIGHTS, notes)
    _note(out / LOG, event="report", file=WEIGHTS, **notes)


def parser():
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m dcviz alexnet train", description=__doc__.split("\n\n")[0])
    p.add_argument("--out", default=str(cache_dir() / "alexnet"), help="folder of checkpoint and log")
    p.add_argument("--phases", type=parse_phases, default="96:10,128:16,224:2", help="PIXELS:EPOCHS,...")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--lr", type=float, default=0.02, help="highest learning rate")
    p.add_argument("--warmup", type=int, default=300, help="steps of rising learning rate")
    p.add_argument("--decay", type=float, default=5e-4, help="weight decay, biases excepted")
    p.add_argument("--dropout", type=float, default=0.3)
    p.add_argument("--smoothing", type=float, default=0.1, help="label smoothing")
    p.add_argument("--averaging", type=float, default=0.999, help="share of the average kept per step")
    p.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--every", type=float, default=240, help="seconds between checkpoints")
    p.add_argument("--minutes", type=float, help="stop after so many minutes")
    p.add_argument("--report", action="store_true", help="no training: measure on the test pictures, export")
    p.add_argument("--pixels", type=int, help="picture size of --report (default: the last phase's)")
    return p


def main(arguments=None):
    """The command line; see the top of this module."""
    options = parser().parse_args(arguments)
    report(options) if options.report else run(options)


if __name__ == "__main__":
    main()
