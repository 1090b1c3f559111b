"""Training on CIFAR-10's pictures within a budget: any net, any constraint, any growing picture size.

``training.fit`` is for digits; this is its brother for colour pictures that are up-scaled on the way. The net
computes in bfloat16 (twice as fast on CPUs that have it) or float32, its weights stay float32, so the constraints of
``retraining`` and ``trained_quantization`` work as they are. Every step draws its pictures, its distortions and its
dropout from (seed, step): a run that was cut off goes on from its checkpoint and takes the steps that it would have
taken.
"""

import copy
import hashlib
import json
import math
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional as F

from dcviz.errors import DataError, RecipeError
from dcviz.nets.cifar import distort, upscale
from dcviz.nets.resuming import replace_file
from dcviz.nets.schedules import check_seed, is_finite, is_whole
from dcviz.nets.training import Free, check_split, dropout_from

TEMPERATURE = 2.0  # of a teacher's answers
AVERAGE_EVERY = 4  # steps between updates of the running average


def pixels_at(epoch, phases):
    """The picture size of an epoch; None when the schedule is over."""
    for pixels, epochs in phases:
        if epoch < epochs:
            return pixels
        epoch -= epochs
    return None


def learning_rate(step, total, peak, warmup):
    """Linear rise to ``peak`` in ``warmup`` steps, then half a cosine down to 1% of it at ``total``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    x = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * x)))


def rows_at(seed, step, pictures, batch):
    """Which of so many pictures a step sees: every epoch has its own shuffle, what does not fill a batch waits."""
    epoch, place = divmod(step, max(1, pictures // batch))
    order = np.random.default_rng([seed, epoch]).permutation(pictures)
    return order[place * batch :][:batch]


def seed_at(seed, step):
    """The seed of all other random numbers of a step."""
    return int(np.random.SeedSequence([seed, step, 1]).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def stop_signals():
    """A list that is empty until SIGTERM or Ctrl-C arrives within the block."""
    stop, signals = [], (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda number, frame: stop.append(number)) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _is_phase(phase):
    return isinstance(phase, tuple | list) and len(phase) == 2 and is_whole(phase[0], 16) and is_whole(phase[1], 1)


@dataclass(frozen=True)
class PictureSchedule:
    """How long and how hard: ``phases`` are pairs of (pixels, epochs), one after the other.

    AdamW with a linear warm-up to ``lr`` and a cosine down; ``decay`` is decoupled weight decay, ``smoothing`` label
    smoothing; ``distorted`` shifts, mirrors and hides parts of the pictures; ``share`` of the epochs is trained.
    """

    phases: tuple = ((48, 4), (64, 4))
    lr: float = 2e-3
    batch: int = 128
    warmup: int = 100
    decay: float = 0.05
    smoothing: float = 0.1
    distorted: bool = True
    seed: int = 0
    share: float = 1.0

    def __post_init__(self):
        check_seed(self.seed)
        if not isinstance(self.phases, tuple | list) or not self.phases or not all(map(_is_phase, self.phases)):
            raise RecipeError(f"phases are pairs of (16 pixels or more, 1 epoch or more), whole numbers: {self}")
        if not (is_whole(self.batch, 1) and is_whole(self.warmup, 0) and is_finite(self.lr) and self.lr > 0):
            raise RecipeError(f"a picture schedule needs batch >= 1, warmup >= 0, both whole, and lr > 0: {self}")
        if not (is_finite(self.decay) and self.decay >= 0 and is_finite(self.smoothing) and 0 <= self.smoothing <= 1):
            raise RecipeError(f"a picture schedule needs decay >= 0 and a smoothing in 0..1: {self}")
        if not (is_finite(self.share) and 0 < self.share <= 1):
            raise RecipeError(f"a picture schedule needs a share of its epochs in 0..1, not 0: {self}")

    def per_epoch(self, pictures):
        """Steps of an epoch of so many pictures; what does not fill a batch waits for the next epoch's shuffle."""
        return max(1, pictures // self.batch)

    def steps(self, pictures):
        """Training steps on so many pictures."""
        return round(self.share * sum(epochs for _, epochs in self.phases) * self.per_epoch(pictures))

    def pixels(self, step, pictures):
        """Picture size at a step."""
        return pixels_at(step // self.per_epoch(pictures), self.phases)


def adamw(parameters, schedule, factor=None):
    """AdamW with decoupled weight decay; factor: function of a parameter -> what its learning rate is multiplied by."""
    groups = [{"params": [one], "factor": 1.0 if factor is None else factor(one)} for one in parameters]
    return torch.optim.AdamW(groups, schedule.lr, weight_decay=schedule.decay, fused=True)


def sgd(parameters, schedule):
    """SGD with momentum, biases without weight decay."""
    parameters = list(parameters)
    groups = [
        {"params": [w for w in parameters if w.dim() > 1], "weight_decay": schedule.decay},
        {"params": [w for w in parameters if w.dim() == 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True, fused=True)


class Trainer:
    """One run over the pictures of a ``CifarSplit``: ``net``, trained in place, its optimiser and its step.

    constraint: an object as in ``training`` made for ``net``; None lets every weight move
    optimizer: function (parameters, schedule) -> torch optimiser, whose rates are set at every step
    teacher: state dict of a net whose softened answers count as much as the labels, or None
    averaging: share of a running average of the weights that a step keeps; that is what `averaged` measures and
    `export` writes: at any time it is close to what a cooled-down learning rate would give. 0: no average
    clip: gradients of a larger norm are scaled down to it; None: they are not
    """

    def __init__(
        self,
        net,
        split,
        schedule,
        *,
        constraint=None,
        optimizer=adamw,
        teacher=None,
        averaging=0.0,
        clip=None,
        dtype=torch.bfloat16,
    ):
        check_split(split)
        self.net, self.schedule, self.constraint = net, schedule, constraint or Free(net)
        self.images, self.labels = torch.from_numpy(split.images), torch.from_numpy(split.labels).long()
        self.step, self.total = 0, schedule.steps(len(split))
        self.parameters = list(self.constraint.parameters())
        self.optimizer = optimizer(self.parameters, schedule)
        self.averaging, self.clip, self.dtype = averaging, clip, dtype
        self.average = {name: w.detach().clone() for name, w in net.named_parameters()} if averaging else {}
        self.teacher = None
        if teacher is not None:
            self.teacher = copy.deepcopy(net).eval()
            self.teacher.load_state_dict(teacher)

    def pixels(self):
        """Picture size at this step, in the end that of the last."""
        return self.schedule.pixels(self.step, len(self.labels)) or self.schedule.phases[-1][0]

    def batch(self):
        """The pictures of this step, uint8, distorted, and their labels."""
        schedule, seed = self.schedule, seed_at(self.schedule.seed, self.step)
        chosen = torch.from_numpy(rows_at(schedule.seed, self.step, len(self.labels), schedule.batch))
        torch.manual_seed(seed)  # for dropout
        x = self.images[chosen]
        if schedule.distorted:
            x = distort(x, torch.Generator().manual_seed(seed))
        return x, self.labels[chosen]

    def advance(self):
        """One step. Returns (loss, share of the batch that is right); DataError if the loss is not finite."""
        schedule, (x, y) = self.schedule, self.batch()
        self.net.train()
        logits = run(self.net, x, self.pixels(), self.dtype)
        if y.max() >= logits.shape[1]:
            check_split(self, logits.shape[1])
        loss = self._loss(x, y, logits)
        if not math.isfinite(loss.item()):
            raise DataError(f"the loss is not finite at step {self.step}; train with a lower lr than {schedule.lr}")
        self.net.zero_grad(set_to_none=True)
        loss.backward()
        torch.clear_autocast_cache()  # if our caller is in autocast, too, it would keep the weights of the first step
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.constraint.after_backward()
        for parameter in self.parameters:  # the fused step pairs weights and gradients by place in memory: one layout
            parameter.grad = parameter.grad.contiguous()
        rate = learning_rate(self.step, self.total, schedule.lr, schedule.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group.get("factor", 1.0) * rate
        self.optimizer.step()
        self.constraint.after_step()
        self.step += 1
        if self.averaging and self.step % AVERAGE_EVERY == 0:
            keep = min(self.averaging, self.step / (self.step + 10 * AVERAGE_EVERY)) ** AVERAGE_EVERY
            with torch.no_grad():
                torch._foreach_lerp_(list(self.average.values()), list(self.net.parameters()), 1 - keep)
        return loss.item(), (logits.argmax(1) == y).float().mean().item()

    def _loss(self, x, y, logits):
        labelled = F.cross_entropy(logits, y, label_smoothing=self.schedule.smoothing)
        if self.teacher is None:
            return labelled
        with torch.no_grad():
            soft = F.softmax(run(self.teacher, x, self.pixels(), self.dtype) / TEMPERATURE, 1)
        return (labelled + TEMPERATURE * F.cross_entropy(logits / TEMPERATURE, soft)) / 2

    @dropout_from(0)  # every step seeds it anew; what others draw goes on as it was
    def run(self, *, checkpoint=None, every=60.0, report=None, note=None, stop=None):
        """Go on to the end of the schedule, or until stop(), asked before each step; returns the steps done in all.

        checkpoint: file to go on from, written every so many seconds and at the end. report(step, total, loss, share
        right) after every step; note(trainer, means of loss and share right) whenever a checkpoint is due. DataError
        for a checkpoint that is damaged or of another run.
        """
        if checkpoint is not None and Path(checkpoint).exists():
            self.resume(checkpoint)
        results, since = [], time.monotonic()
        while self.step < self.total and not (stop is not None and stop()):
            results.append(self.advance())
            if report is not None:
                report(self.step, self.total, *results[-1])
            if time.monotonic() - since > every and self.step < self.total:
                self._pause(checkpoint, note, results)
                results, since = [], time.monotonic()
        if results or (checkpoint is not None and not Path(checkpoint).exists()):
            self._pause(checkpoint, note, results)
        self.net.eval()
        return self.step

    def _pause(self, checkpoint, note, results):
        if checkpoint is not None:
            self.save(checkpoint)
        if note is not None and results:
            note(self, *(float(mean) for mean in np.mean(results, axis=0)))

    @contextmanager
    def averaged(self):
        """The net with the running average as its weights, within the block."""
        own = {name: w.detach().clone() for name, w in self.net.named_parameters()} if self.averaging else {}
        self.net.load_state_dict(self.average, strict=False)
        try:
            yield self.net
        finally:
            self.net.load_state_dict(own, strict=False)

    def error_percent(self, split, pixels):
        """Top-1 error of the averaged weights on a ``CifarSplit``, undistorted; training goes on unharmed."""
        with self.averaged() as net:
            return error_percent(net, split, pixels, dtype=self.dtype)

    def identity(self):
        """What makes a run the same run: its random numbers, its batches, its pictures in their order."""
        pictures = hashlib.sha256(self.labels.numpy().tobytes()).hexdigest()[:16]
        return {"seed": self.schedule.seed, "batch": self.schedule.batch, "pictures": pictures}

    def save(self, path):
        """Write all state to ``path``."""
        save_checkpoint(path, self.net, self.optimizer, self.parameters, self.step, self.average, self.identity())

    def resume(self, path):
        """Take the state from ``path``; DataError if it is damaged or of another run."""
        state = self.net, self.optimizer, self.parameters
        self.step = load_checkpoint(path, *state, self.average, self.identity())
        self.constraint.resume(self.step)

    def export(self, path, notes):
        """Write the averaged weights and what else the net holds, float32; ``notes`` go in the header."""
        replace_file(path, {**self.net.state_dict(), **self.average}, notes)


def fit(net, split, schedule, *, constraint=None, factor=None, checkpoint=None, every=60.0, report=None, stop=None):
    """Train ``net`` in place on a ``CifarSplit`` with AdamW; returns the steps done in all, of all earlier runs too.

    factor as in `adamw`, all else as in `Trainer.run`; a checkpoint only without a constraint, whose state it does not
    hold.
    """
    if checkpoint is not None and constraint is not None:
        raise RecipeError("a checkpoint holds no constraint's state: train under a constraint in one go")
    trainer = Trainer(net, split, schedule, constraint=constraint, optimizer=partial(adamw, factor=factor))
    return trainer.run(checkpoint=checkpoint, every=every, report=report, stop=stop)


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


def to_input(images, pixels):
    """uint8 pictures (n, 3, 32, 32) as nets take them: up-scaled to ``pixels``, normalised, channels last."""
    return upscale(images, pixels).contiguous(memory_format=torch.channels_last)


def run(net, images, pixels, dtype=torch.bfloat16):
    """Logits, float32, of uint8 pictures (n, 3, 32, 32) up-scaled to ``pixels``, computed in ``dtype``."""
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        return net(to_input(images, pixels)).float()


@torch.inference_mode()
def error_percent(net, split, pixels, size=250, dtype=torch.bfloat16):
    """Top-1 error of ``net`` on a ``CifarSplit`` at a picture size, in percent; DataError for an empty split."""
    check_split(split)
    net.eval()
    wrong = 0
    for i in range(0, len(split), size):
        guesses = run(net, torch.from_numpy(split.images[i : i + size]), pixels, dtype).argmax(1).numpy()
        wrong += int(np.count_nonzero(guesses != split.labels[i : i + size]))
    return 100.0 * wrong / len(split)


def _moments(optimizer):
    return ("momentum_buffer",) if isinstance(optimizer, torch.optim.SGD) else ("exp_avg", "exp_avg_sq")


def save_checkpoint(path, net, optimizer, parameters, step, average=(), identity=()):
    """Write net, running average {name: tensor} and state of an optimiser (SGD or of Adam's kind) after ``step`` steps.

    The old file stays until the new one is whole. ``identity``: what makes the run the same, {what: value}.
    """
    tensors = {f"net/{name}": value for name, value in net.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in dict(average).items()}
    for i, parameter in enumerate(parameters if step else []):
        tensors |= {f"{m}/{i}": optimizer.state[parameter][m] for m in _moments(optimizer)}
    replace_file(path, tensors, {"step": step, "net": _name(net), **dict(identity)})


def load_checkpoint(path, net, optimizer, parameters, average=(), identity=()):
    """Take net, average and optimiser's state, in place, from ``path``; returns the steps done.

    DataError for a damaged file, or one of another net or another run.
    """
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            for key, now in {"net": _name(net), **dict(identity)}.items():
                if notes.get(key) != str(now):
                    raise DataError(f"{path}: made with {key} {notes.get(key)}, not {now}; use another place")
            step = int(notes["step"])
            net.load_state_dict({name: file.get_tensor(f"net/{name}") for name in net.state_dict()})
            for name, value in dict(average).items():
                value.copy_(file.get_tensor(f"average/{name}"))
            for i, parameter in enumerate(parameters if step else []):
                # the fused step pairs weights and moments by place in memory: one layout
                read = {m: torch.empty_like(parameter).copy_(file.get_tensor(f"{m}/{i}")) for m in _moments(optimizer)}
                optimizer.state[parameter] = read if len(read) == 1 else {"step": torch.tensor(float(step)), **read}
    except (SafetensorError, OSError, KeyError) as error:
        raise DataError(f"{path}: not a whole checkpoint ({error})") from error
    return step


def _name(net):
    return getattr(net, "name", type(net).__name__)
