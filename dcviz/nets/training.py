"""One training loop for every purpose: first training, retraining under a mask, fine-tuning centroids.

What differs between them is a *constraint*: an object that says which parameters move, and what happens to
the gradients before and to the weights after each step (see ``retraining`` and ``trained_quantization``).
"""

import inspect
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn import functional as F

from dcviz.errors import DataError
from dcviz.nets import resuming
from dcviz.nets.batches import taught
from dcviz.nets.schedules import check_seed


def check_split(split, classes=None):
    """DataError unless a ``Split`` has images, a label for each, and labels in 0..classes - 1 (None: not asked)."""
    images, labels = np.atleast_1d(split.images), np.atleast_1d(split.labels)
    if labels.ndim != 1 or not len(labels) or len(images) != len(labels):
        raise DataError(f"a split needs images and as many labels, not {len(images):,} and {labels.size:,}")
    if labels.dtype.kind not in "iu":
        raise DataError(f"labels are whole numbers, not {labels.dtype}")
    if labels.min() < 0 or (classes is not None and labels.max() >= classes):
        most = "" if classes is None else f" to {classes - 1}"
        raise DataError(f"labels run from 0{most}; these run from {labels.min()} to {labels.max()}")


class Adam(torch.optim.Adam):
    """torch's Adam; but torch's compiler, a second of imports, does not come only to be kept out of each step."""

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class Free:
    """No constraint: every parameter moves."""

    def __init__(self, net):
        self.net = net

    def parameters(self):
        """The tensors that the optimiser moves."""
        return list(self.net.parameters())

    def after_backward(self):
        """Between the backward pass and the step: nothing to do."""

    def after_step(self):
        """After the step: nothing to do."""

    def resume(self, step):
        """An interrupted run goes on at ``step``: nothing to do."""


def to_input(images):
    """uint8 images (n, h, w) -> float32 tensor (n, 1, h, w) in 0..1."""
    return torch.from_numpy(np.array(images)).unsqueeze(1).float().div_(255)


def _shifted(images, most, generator):
    """Each image moved by up to ``most`` pixels in x and y, background filled in."""
    n, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4)
    rows = torch.randint(0, 2 * most + 1, (n, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(0, 2 * most + 1, (n, 1), generator=generator) + torch.arange(width)
    return padded[torch.arange(n)[:, None, None], 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


class Digits:
    """A ``Split`` of digits as ``fit`` asks for it: shuffled, moved by some pixels, cross entropy for a loss."""

    def __init__(self, split):
        check_split(split)
        self.split = split
        self._images, self._labels = torch.as_tensor(np.array(split.images)), torch.as_tensor(np.array(split.labels))

    def check(self, net, schedule, device="cpu", teacher=None):
        """DataError unless the net can take the images and knows the labels."""
        check_split(self.split, classes_of(net, self.split, device))

    def example(self):
        """One input of the net, as a tuple."""
        return (to_input(self.split.images[:1]),)

    def steps_per_epoch(self, schedule):
        """Steps of one pass; the last batch may be small."""
        return schedule.steps_per_epoch(len(self.split))

    def epoch(self, schedule, generator):
        """The batches of one pass in an order that ``generator`` draws: (images (n, 1, h, w) in 0..1, labels)."""
        order = torch.randperm(len(self._labels), generator=generator)
        for rows in order.split(schedule.batch_size):
            batch = self._images[rows].unsqueeze(1).float().div_(255)
            if schedule.shift:
                batch = _shifted(batch, schedule.shift, generator)
            yield batch, self._labels[rows].long()

    def loss(self, net, batch, schedule, teacher, device="cpu"):
        """Cross entropy, mixed with what the teacher says."""
        images, labels = (x.to(device) for x in batch)
        if teacher is not None:
            with torch.no_grad():
                wanted = teacher(images)
        logits = net(images)
        loss = F.cross_entropy(logits, labels)
        return loss if teacher is None else taught(loss, logits, wanted, schedule)


def lesson(data):
    """``Digits`` of a ``Split``; anything else that ``fit`` takes is a lesson already."""
    return Digits(data) if hasattr(data, "images") else data


@contextmanager
def threads(n):
    """Let torch use ``n`` threads inside the block; None leaves it as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(n or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fit(
    net,
    data,
    schedule,
    *,
    constraint=None,
    teacher=None,
    seed=0,
    device="cpu",
    report=None,
    stop=None,
    n_threads=1,
    checkpoint=None,
):
    """Train ``net`` in place on a ``Split`` or on ``Batches``; returns the list of mean losses, one an epoch.

    ``n_threads``: 1, as the LeNets' work is too small to share out, and fighting threads are slower than one; None for
    as many as torch likes.
    ``report(done, steps, loss)`` is called after every step; ``stop()`` is asked before every step and ends the
    training when it says True, with net and constraint consistent. A part of an epoch may be asked for.
    Same seed, machine and thread count: same weights, also with dropout; torch's global generator is left as it was.
    ``teacher`` is asked in evaluation mode: its statistics stay, and it is given back in the mode it came in.
    ``checkpoint``: a ``resuming.Checkpoint``, from which an interrupted run goes on as if nothing had been; it is kept
    up to date while training, and at a stop. The constraint must be made anew from the net as it was at the start.
    RecipeError for a seed that is none; DataError for data that cannot be trained on, unless there is nothing to do.
    """
    seed = check_seed(seed)
    if schedule.epochs == 0:
        net.to(device).eval()
        return []
    data = lesson(data)
    with threads(n_threads), evaluating(teacher):
        with dropout_from(seed, device):
            data.check(net.to(device), schedule, device, teacher)
            data.steps_per_epoch(schedule)  # counted, where need be, before anything is drawn
        with dropout_from(seed, device):
            return _fit(net, data, schedule, constraint, teacher, seed, device, report, stop, checkpoint)


@torch.no_grad()
def classes_of(net, split, device="cpu"):
    """How many classes ``net`` tells apart, asked with the first image of a ``Split``; it is left as it was.

    DataError for images that the net cannot take: their shape is another.
    """
    image = to_input(split.images[:1]).to(device)
    with evaluating(net.to(device)):
        try:
            return net(image).shape[1]
        except RuntimeError as error:
            raise DataError(f"the net cannot take images of the shape {tuple(image.shape[2:])}: {error}") from error


@contextmanager
def dropout_from(seed, device="cpu"):
    """What a net draws inside (dropout) comes from ``seed``; torch's global generators go on as if it had not been."""
    device = torch.device(device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def evaluating(net):
    """``net`` (or None) in evaluation mode inside: no dropout, and batch normalisation learns nothing."""
    modes = {} if net is None else {module: module.training for module in net.modules()}
    for module in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _fit(net, data, schedule, constraint, teacher, seed, device, report, stop, checkpoint):
    constraint = constraint or Free(net)
    teacher = teacher if schedule.teacher_weight > 0 else None
    generator = torch.Generator().manual_seed(seed)
    per_epoch = data.steps_per_epoch(schedule)
    steps, parameters = round(schedule.epochs * per_epoch), [p for p in constraint.parameters() if p.requires_grad]
    if not parameters:  # all of it is frozen
        steps = 0
    optimizer = Adam(parameters, lr=schedule.lr) if steps else None
    weights = [p for p in net.parameters() if p.dim() > 1]
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1)) if steps else None
    losses, running, first = [], [], 0
    net.to(device).train()
    state = None
    if checkpoint is not None:
        state = resuming.Run(net, parameters, optimizer, decay, generator, device)
        if checkpoint.resume(state):
            first, losses, running = state.step, state.losses, state.running
            constraint.resume(first)
    for step in range(first, steps):
        if stop is not None and stop():
            break
        if step == first and state is not None and step % per_epoch:
            batches = state.again(lambda: data.epoch(schedule, generator), step % per_epoch)
        elif step % per_epoch == 0:
            if state is not None:
                state.epoch_begins()
            batches = data.epoch(schedule, generator)
        loss = data.loss(net, next(batches), schedule, teacher, device)
        if schedule.l1:
            loss = loss + schedule.l1 * sum(w.abs().sum() for w in weights)
        if schedule.l2:
            loss = loss + schedule.l2 * sum(w.square().sum() for w in weights)
        net.zero_grad(set_to_none=True)
        loss.backward()
        constraint.after_backward()
        optimizer.step()
        constraint.after_step()
        decay.step()
        running.append(loss.item())
        if (step + 1) % per_epoch == 0 or step + 1 == steps:
            losses.append(float(np.mean(running)))
            running = []
        if state is not None:
            state.step, state.losses, state.running = step + 1, losses, running
            checkpoint.keep(state)
        if report is not None:
            report(step + 1, steps, loss.item())
    if state is not None and state.step:
        checkpoint.keep(state, now=True)
    net.eval()
    return losses


@torch.no_grad()
def predict(net, images, batch_size=250, device="cpu", n_threads=1):
    """Predicted classes, int64 (n,), of uint8 images (n, h, w)."""
    net.to(device).eval()
    with threads(n_threads):
        parts = [
            net(to_input(images[start : start + batch_size]).to(device)).argmax(1).cpu()
            for start in range(0, len(images), batch_size)
        ]
    return torch.cat(parts).numpy() if parts else np.zeros(0, np.int64)


def error_percent(net, split, device="cpu"):
    """Top-1 error of ``net`` on a ``Split``, in percent; DataError for a split that is empty or lacks labels."""
    check_split(split)
    return 100.0 * float(np.mean(predict(net, split.images, device=device) != split.labels))
