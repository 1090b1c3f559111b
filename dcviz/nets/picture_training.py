"""Training on CIFAR-10's pictures within a budget: any net, any constraint, any growing picture size.

``training.fit`` is for digits; this is its brother for colour pictures that are up-scaled on the way. The net
computes in bfloat16 (twice as fast on CPUs that have it), its weights stay float32, so the constraints of
``retraining`` and ``trained_quantization`` work as they are. Every step's random numbers come from (seed, step): a run
that was cut off goes on from its checkpoint and takes the steps that it would have taken.
"""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional as F

from dcviz.errors import DataError, RecipeError
from dcviz.nets.alexnet_trainer import learning_rate, pixels_at, rows_at, seed_at
from dcviz.nets.cifar import distort, upscale
from dcviz.nets.resuming import replace_file
from dcviz.nets.training import Free, check_seed, check_split, dropout_from, is_finite, is_whole


def _is_phase(phase):
    return isinstance(phase, tuple | list) and len(phase) == 2 and is_whole(phase[0], 16) and is_whole(phase[1], 1)


@dataclass(frozen=True)
class PictureSchedule:
    """How long and how hard: ``phases`` are pairs of (pixels, epochs), one after the other.

    AdamW with a linear warm-up to ``lr`` and a cosine down; ``decay`` is decoupled weight decay, ``smoothing`` label
    smoothing; ``distorted`` shifts, mirrors and hides parts of the pictures.
    """

    phases: tuple = ((48, 4), (64, 4))
    lr: float = 2e-3
    batch: int = 128
    warmup: int = 100
    decay: float = 0.05
    smoothing: float = 0.1
    distorted: bool = True
    seed: int = 0

    def __post_init__(self):
        check_seed(self.seed)
        if not isinstance(self.phases, tuple | list) or not self.phases or not all(map(_is_phase, self.phases)):
            raise RecipeError(f"phases are pairs of (16 pixels or more, 1 epoch or more), whole numbers: {self}")
        if not (is_whole(self.batch, 1) and is_whole(self.warmup, 0) and is_finite(self.lr) and self.lr > 0):
            raise RecipeError(f"a picture schedule needs batch >= 1, warmup >= 0, both whole, and lr > 0: {self}")
        if not (is_finite(self.decay) and self.decay >= 0 and is_finite(self.smoothing) and 0 <= self.smoothing <= 1):
            raise RecipeError(f"a picture schedule needs decay >= 0 and a smoothing in 0..1: {self}")

    def steps(self, pictures):
        """Training steps on so many pictures; what does not fill a batch waits for the next epoch's shuffle."""
        return sum(epochs for _, epochs in self.phases) * max(1, pictures // self.batch)

    def pixels(self, step, pictures):
        """Picture size at a step."""
        return pixels_at(step // max(1, pictures // self.batch), self.phases)


@dropout_from(0)  # every step seeds it anew; what others draw goes on as it was
def fit(net, split, schedule, *, constraint=None, factor=None, checkpoint=None, every=60.0, report=None, stop=None):
    """Train ``net`` in place on a ``CifarSplit``; returns the number of steps done in all, of all earlier runs too.

    factor: function of a parameter -> what the schedule's learning rate is multiplied by for it; None: 1 for all.
    checkpoint: file to go on from, written every so many seconds and at the end; only without a constraint, whose
    state it does not hold. report(step, total, loss, share right) after every step; stop() is asked before each.
    DataError if the loss is no longer finite, or for a checkpoint that is damaged or of another net.
    """
    if checkpoint is not None and constraint is not None:
        raise RecipeError("a checkpoint holds no constraint's state: train under a constraint in one go")
    check_split(split)
    constraint = constraint or Free(net)
    parameters, total = constraint.parameters(), schedule.steps(len(split))
    groups = [{"params": [one], "factor": 1.0 if factor is None else factor(one)} for one in parameters]
    optimizer = torch.optim.AdamW(groups, schedule.lr, weight_decay=schedule.decay, fused=True)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels).long()
    step = load_checkpoint(checkpoint, net, optimizer, parameters) if checkpoint and Path(checkpoint).exists() else 0
    net.train()
    saved = time.monotonic()
    while step < total and not (stop is not None and stop()):
        chosen = torch.from_numpy(rows_at(schedule.seed, step, len(split), schedule.batch))
        torch.manual_seed(seed := seed_at(schedule.seed, step))  # for dropout
        x = images[chosen]
        if schedule.distorted:
            x = distort(x, torch.Generator().manual_seed(seed))
        logits = run(net, x, schedule.pixels(step, len(split)))
        if labels.max() >= logits.shape[1]:
            check_split(split, logits.shape[1])
        loss = F.cross_entropy(logits, labels[chosen], label_smoothing=schedule.smoothing)
        if not math.isfinite(loss.item()):
            raise DataError(f"the loss is not finite at step {step}; train with a lower lr than {schedule.lr}")
        net.zero_grad(set_to_none=True)
        loss.backward()
        torch.clear_autocast_cache()  # if our caller is in autocast, too, it would keep the weights of the first step
        constraint.after_backward()
        for parameter in parameters:  # the fused step pairs weights and gradients by place in memory: one layout
            parameter.grad = parameter.grad.contiguous()
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * learning_rate(step, total, schedule.lr, schedule.warmup)
        optimizer.step()
        constraint.after_step()
        step += 1
        if report is not None:
            report(step, total, loss.item(), (logits.argmax(1) == labels[chosen]).float().mean().item())
        if checkpoint is not None and time.monotonic() - saved > every:
            save_checkpoint(checkpoint, net, optimizer, parameters, step)
            saved = time.monotonic()
    if checkpoint is not None:
        save_checkpoint(checkpoint, net, optimizer, parameters, step)
    net.eval()
    return step


def printed(what, every=60.0):
    """A ``report`` for ``fit`` that prints a line of JSON every so many seconds and at the end: how far ``what`` is.

    Loss and share right are means since the last line; ``seconds`` since the first step of this run.
    """
    begin = since = time.monotonic()
    results = []

    def report(step, total, loss, right):
        nonlocal since
        results.append((loss, right))
        if time.monotonic() - since >= every or step == total:
            loss, right = np.mean(results, axis=0)
            print(
                json.dumps(
                    {
                        "training": what,
                        "step": step,
                        "total": total,
                        "loss": round(float(loss), 4),
                        "right": round(float(right), 4),
                        "seconds": round(time.monotonic() - begin),
                    }
                ),
                flush=True,
            )
            since = time.monotonic()
            results.clear()

    return report


def run(net, images, pixels):
    """Logits, float32, of uint8 pictures (n, 3, 32, 32) up-scaled to ``pixels``, computed in bfloat16."""
    x = upscale(images, pixels).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        return net(x).float()


@torch.inference_mode()
def error_percent(net, split, pixels, size=250):
    """Top-1 error of ``net`` on a ``CifarSplit`` at a picture size, in percent; DataError for an empty split."""
    check_split(split)
    net.eval()
    wrong = 0
    for i in range(0, len(split), size):
        guesses = run(net, torch.from_numpy(split.images[i : i + size]), pixels).argmax(1).numpy()
        wrong += int(np.count_nonzero(guesses != split.labels[i : i + size]))
    return 100.0 * wrong / len(split)


MOMENTS = ("exp_avg", "exp_avg_sq")


def save_checkpoint(path, net, optimizer, parameters, step):
    """Write net and state of an Adam optimiser after ``step`` steps; the old file stays until the new one is whole."""
    tensors = {f"net/{name}": value for name, value in net.state_dict().items()}
    for i, parameter in enumerate(parameters):
        tensors |= {f"{m}/{i}": optimizer.state[parameter][m] for m in MOMENTS if parameter in optimizer.state}
    replace_file(path, tensors, {"step": step, "net": net.name})


def load_checkpoint(path, net, optimizer, parameters):
    """Take net and optimiser's state, in place, from ``path``; returns the steps done. DataError for another file."""
    try:
        with safe_open(path, framework="pt") as file:
            if file.metadata().get("net") != net.name:
                raise DataError(f"{path}: of the net {file.metadata().get('net')}, not {net.name}")
            step = int(file.metadata()["step"])
            net.load_state_dict({name: file.get_tensor(f"net/{name}") for name in net.state_dict()})
            for i, parameter in enumerate(parameters if step else []):
                # the fused step pairs weights and moments by place in memory: one layout
                moments = {m: torch.empty_like(parameter).copy_(file.get_tensor(f"{m}/{i}")) for m in MOMENTS}
                optimizer.state[parameter] = {"step": torch.tensor(float(step)), **moments}
    except (SafetensorError, OSError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: not a whole checkpoint ({error})") from error
    return step
