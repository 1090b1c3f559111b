"""Neurons first, single weights second: LeNet-5 pruned in two ways at once (section 2 of the paper, twice).

Most neurons of a very small net are dead in the end. So the neurons go first: ``block_of`` keeps the filters and units
of the dense net that carry most, all others are zeros that cost nothing in the file. What is left is a net so small
that it can be retrained for as long as wanted. While it trains, single weights are cut by one magnitude for all layers
(``prune``); then the kept ones share a few values (``share``), and ``block_coding`` writes the file.

LeNet-5 has no rectifier after its convolutions, so their biases pass through as constants: those of fc1 can say the
same, and the block does without them.

``python -m dcviz block`` makes such a file, in instalments: stopped at any moment, the same command goes on after the
last whole pass. Choices are made on the 5,000 held-out digits; ``--report`` asks the official test images.
"""

import argparse
import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dcviz import pipeline
from dcviz.archive import Layer, StoredNet
from dcviz.chapters.ch10_how_small import block_coding
from dcviz.errors import DataError, RecipeError
from dcviz.files import MODELS, atomic_write, cache_dir, made_by, read
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.rate_distortion import assign_by_rate
from dcviz.nets import datasets
from dcviz.nets.picture_training import load_checkpoint, save_checkpoint
from dcviz.nets.training import error_percent, threads
from dcviz.pipeline import reordering, shipped
from dcviz.pipeline.chains import drop_dead
from dcviz.pipeline.trained_quantization import reduce_gradient

BATCH = 128
TEACHER, TEMPERATURE = 0.7, 3.0
"""How much the dense net's answers count beside the labels, and how soft they are."""

CUTS = 0.15, 0.70
"""The shares of the steps between which weights are cut."""

CUT_EVERY, CODES_EVERY = 60, 25
"""Steps between two cuts (what was cut may grow back until the last one), and between two choices of codes."""

FIXED = 0.7
"""After this share of the steps of ``share`` codes stand, biases share values too, and only values still move."""


@dataclass(frozen=True)
class Plan:
    """What becomes of LeNet-5: filters of conv1 and conv2 and units of fc1 that live; weights kept in all.

    passes, lr: of pruning; share_passes, share_lr: of training shared values, ``values`` a layer and ``bias_values``
    for biases; rate: what a bit of a code costs, as in ``Recipe``.
    """

    widths: tuple = (6, 12, 40)
    weights: int = 2050
    passes: int = 60
    lr: float = 4e-3
    share_passes: int = 16
    share_lr: float = 1e-3
    values: int = 6
    bias_values: int = 7
    rate: float = 0.02
    seed: int = 0

    def __post_init__(self):
        widths = np.array(self.widths)
        if len(widths) != 3 or (widths < 1).any() or (widths > (20, 50, 500)).any():
            raise RecipeError(f"widths are three, of at most 20, 50 and 500, not {self.widths}")
        if not 1 <= self.weights <= sum(w.numel() for w in Block(self.widths).matrices()):
            raise RecipeError(f"a block of {self.widths} has not {self.weights:,} weights to keep")
        if min(self.passes, self.share_passes) < 1 or not (1 <= self.values <= 255 and 1 <= self.bias_values <= 255):
            raise RecipeError(f"a plan needs passes, and 1 to 255 values a layer: {self}")


class Block(nn.Module):
    """The live part of LeNet-5: fewer filters and units, no biases in the convolutions."""

    name = "lenet-5-block"

    def __init__(self, widths):
        super().__init__()
        first, second, units = widths
        self.conv1 = nn.Conv2d(1, first, 5, bias=False)
        self.conv2 = nn.Conv2d(first, second, 5, bias=False)
        self.fc1 = nn.Linear(16 * second, units)
        self.fc2 = nn.Linear(units, 10)
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        """Logits (n, 10) of images (n, 1, 28, 28)."""
        x = torch.max_pool2d(self.conv1(x), 2)
        x = torch.max_pool2d(self.conv2(x), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))

    def matrices(self):
        """The weights of the four layers."""
        return [layer.weight for layer in (self.conv1, self.conv2, self.fc1, self.fc2)]


@torch.no_grad()
def block_of(dense, widths):
    """The ``Block`` of a dense LeNet-5: of each layer the outputs that carry most, from the last hidden layer back.

    An output carries the norm of its own weights times the norm of the weights that listen to it in what is kept of
    the next layer. Biases of the convolutions move into fc1's.
    """
    block = Block(widths)
    conv1, conv2, fc1, fc2 = dense.conv1, dense.conv2, dense.fc1, dense.fc2
    constant = conv2.bias + (conv2.weight.sum((2, 3)) * conv1.bias).sum(1)
    maps = fc1.weight.view(len(fc1.weight), len(conv2.weight), -1)
    bias = fc1.bias + (maps.sum(2) * constant).sum(1)
    units = (fc1.weight.norm(dim=1) * fc2.weight.norm(dim=0)).topk(widths[2]).indices
    heard = maps[units].permute(1, 0, 2).flatten(1).norm(dim=1)
    second = (conv2.weight.flatten(1).norm(dim=1) * heard).topk(widths[1]).indices
    heard = conv2.weight[second].permute(1, 0, 2, 3).flatten(1).norm(dim=1)
    first = (conv1.weight.flatten(1).norm(dim=1) * heard).topk(widths[0]).indices
    block.conv1.weight.copy_(conv1.weight[first])
    block.conv2.weight.copy_(conv2.weight[second][:, first])
    block.fc1.weight.copy_(maps[units][:, second].flatten(1))
    block.fc1.bias.copy_(bias[units])
    block.fc2.weight.copy_(fc2.weight[:, units])
    block.fc2.bias.copy_(fc2.bias)
    return block


class Lesson:
    """Digits moved by up to a pixel, their labels, and the dense net's answers, asked once for the unmoved digit.

    A dense net that was itself trained on moved digits hardly answers otherwise, and asking it anew for each of them
    would take longer than training the block.
    """

    def __init__(self, split, dense):
        padded = F.pad(torch.from_numpy(np.array(split.images)), (1,) * 4)
        self.windows = padded.unfold(1, 28, 1).unfold(2, 28, 1)  # (n, 3, 3, 28, 28), none of it copied
        self.labels = torch.from_numpy(np.array(split.labels))
        dense = dense.eval().to(memory_format=torch.channels_last)
        with torch.inference_mode():
            parts = [dense(self._pictures(slice(i, i + 100), 1, 1)) for i in range(0, len(split), 100)]
        self.answers = torch.cat(parts).clone()
        self.steps = -(-len(split) // BATCH)

    def _pictures(self, rows, y, x):
        images = self.windows[rows, y, x].unsqueeze(1).float().div_(255)
        return images.contiguous(memory_format=torch.channels_last)

    def drawn(self, seed, number):
        """Order, and shifts in y and x, of all digits in pass ``number``: (n,) each."""
        generator, n = torch.Generator().manual_seed(seed * 100_003 + number), len(self.labels)
        order = torch.randperm(n, generator=generator)
        return order, torch.randint(0, 3, (n,), generator=generator), torch.randint(0, 3, (n,), generator=generator)

    def loss(self, net, drawn, step):
        """Loss of ``net`` on a step's batch of a pass."""
        rows, y, x = (part[step * BATCH : (step + 1) * BATCH] for part in drawn)
        logits = net(self._pictures(rows, y, x))
        soft = F.kl_div(
            F.log_softmax(logits / TEMPERATURE, 1),
            F.log_softmax(self.answers[rows] / TEMPERATURE, 1),
            reduction="batchmean",
            log_target=True,
        )
        labelled = F.cross_entropy(logits, self.labels[rows])
        return (1 - TEACHER) * labelled + TEACHER * TEMPERATURE * TEMPERATURE * soft


# ------------------------------------------------------------------ prune


def prune(net, lesson, plan, checkpoint=None, report=None):
    """Train a ``Block`` in place while its weights are cut to ``plan.weights``: zeros, for good at the end.

    Adam, its rate up for a tenth of the steps and down by half a cosine. Every ``CUT_EVERY`` steps the smallest
    weights of all layers together go, more of them at first than at last; the rest of the steps train what is kept.
    checkpoint: file to go on from, written after every pass. report(pass, passes, mean loss) after each.
    """
    with threads(1):
        _prune(net.train(), lesson, plan, checkpoint, report)
    net.eval()


def _prune(net, lesson, plan, checkpoint, report):
    weights, parameters = net.matrices(), list(net.parameters())
    total, number = plan.passes * lesson.steps, sum(weight.numel() for weight in weights)
    begin, end = (share * total for share in CUTS)
    last = math.ceil(end) - 1
    optimizer = torch.optim.Adam(parameters, lr=plan.lr, fused=True)
    done = load_checkpoint(checkpoint, net, optimizer, parameters) if checkpoint and Path(checkpoint).exists() else 0
    if done % lesson.steps:
        raise DataError(f"{checkpoint}: made in the middle of a pass, so of other data or another batch")
    masks = [weight != 0 for weight in weights]
    for number_of_pass in range(done // lesson.steps, plan.passes):
        drawn, losses = lesson.drawn(plan.seed, 7 * number_of_pass), 0.0
        for i in range(lesson.steps):
            step = number_of_pass * lesson.steps + i
            loss = lesson.loss(net, drawn, i)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            losses += loss.item()
            if step > last:
                for weight, mask in zip(weights, masks, strict=True):
                    weight.grad.mul_(mask)
            for parameter in parameters:  # the fused step pairs weights and gradients by place in memory: one layout
                if parameter.grad.stride() != parameter.stride():
                    parameter.grad = torch.empty_like(parameter).copy_(parameter.grad)
            for group in optimizer.param_groups:
                group["lr"] = one_cycle(step, total, plan.lr)
            optimizer.step()
            if step == last or (begin <= step < last and step % CUT_EVERY == 0):
                left = 0.0 if step == last else (1 - (step - begin) / (end - begin)) ** 3
                masks = largest(weights, round(plan.weights + (number - plan.weights) * left))
            if step == last or step > last or (begin <= step < last and step % CUT_EVERY == 0):
                with torch.no_grad():
                    for weight, mask in zip(weights, masks, strict=True):
                        weight.mul_(mask)
        if checkpoint is not None:
            save_checkpoint(checkpoint, net, optimizer, parameters, (number_of_pass + 1) * lesson.steps)
        if report is not None:
            report(number_of_pass + 1, plan.passes, losses / lesson.steps)


def one_cycle(step, total, peak):
    """Learning rate of a step: a linear rise in the first tenth of the steps, then half a cosine down to nothing."""
    warmup = 0.1 * total
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def largest(weights, count):
    """Masks of the ``count`` largest magnitudes among all ``weights``, a list of tensors; ties stay together."""
    every = torch.cat([weight.detach().abs().reshape(-1) for weight in weights])
    if count >= len(every):
        return [torch.ones_like(weight, dtype=torch.bool) for weight in weights]
    least = every.kthvalue(len(every) - count + 1).values
    return [weight.detach().abs() >= least for weight in weights]


# ------------------------------------------------------------------ share


def share(net, lesson, plan, report=None):
    """Let the weights of a pruned ``Block`` share ``plan.values`` values a layer, in place, while it trains.

    Weights keep a value of their own behind the scenes: the net runs on shared values, the gradient moves both, and
    every ``CODES_EVERY`` steps each weight takes the code that fits it now, a short one if it is near. After ``FIXED``
    of the steps the codes stand, the biases share values too, and only shared values move. They end as signed bytes
    times a power of two (``block_coding.rounded``).
    """
    with threads(1):
        _share(net.train(), lesson, plan, report)
    net.eval()


def _share(net, lesson, plan, report):
    weights, biases = net.matrices(), [net.fc1.bias, net.fc2.bias]
    masks = [weight.detach() != 0 for weight in weights]
    own = [weight.detach()[mask].clone().requires_grad_() for weight, mask in zip(weights, masks, strict=True)]
    values = [_centroids(w, plan.values) for w in own]
    optimizer = torch.optim.Adam([{"params": own}, {"params": values}, {"params": biases}], lr=plan.share_lr)
    total, codes, fixed = plan.share_passes * lesson.steps, [], None
    for number in range(plan.share_passes):
        drawn, losses = lesson.drawn(plan.seed, 7 * number + 3), 0.0
        for i in range(lesson.steps):
            step = number * lesson.steps + i
            if step == math.ceil(FIXED * total):
                fixed = [_centroids(bias, plan.bias_values) for bias in biases]
                bias_codes = [_nearest(bias, table) for bias, table in zip(biases, fixed, strict=True)]
                optimizer = torch.optim.Adam([{"params": values}, {"params": fixed}])
            if fixed is None and step % CODES_EVERY == 0:
                codes = [_priced(w, table, plan.rate) for w, table in zip(own, values, strict=True)]
            if fixed is not None:
                _put(biases, bias_codes, fixed)
            _put(weights, codes, values, masks)
            net.zero_grad(set_to_none=True)
            loss = lesson.loss(net, drawn, i)
            loss.backward()
            losses += loss.item()
            for at, (weight, mask) in enumerate(zip(weights, masks, strict=True)):
                gradient = weight.grad[mask]
                own[at].grad = gradient if fixed is None else None
                values[at].grad = reduce_gradient(gradient, codes[at], len(values[at]))
            for at, table in enumerate(fixed or []):
                table.grad = reduce_gradient(biases[at].grad, bias_codes[at], len(table))
            for group in optimizer.param_groups:
                group["lr"] = plan.share_lr * 0.5 * (1 + math.cos(math.pi * step / total))
            optimizer.step()
        if report is not None:
            report(number + 1, plan.share_passes, losses / lesson.steps)
    with torch.no_grad():
        for table in values + fixed:
            table.copy_(torch.from_numpy(block_coding.rounded(table.numpy())))
    _put(biases, bias_codes, fixed)
    _put(weights, codes, values, masks)


def _centroids(values, k):
    values = values.detach().numpy()
    centroids = kmeans(values, min(k, len(np.unique(values))), "density").centroids
    return torch.tensor(centroids.astype(np.float32), requires_grad=True)


def _nearest(values, table):
    return torch.from_numpy(assign(values.detach().numpy(), table.detach().numpy()).astype(np.int64))


def _priced(values, table, rate):
    with torch.no_grad():
        table.copy_(table.sort().values)  # two that were trained past each other
    values, table = (x.detach().numpy().astype(np.float64) for x in (values, table))
    return torch.from_numpy(assign_by_rate(values, table, rate * values.var()).astype(np.int64))


@torch.no_grad()
def _put(parameters, codes, tables, masks=None):
    """Write into each parameter, where its mask is True, the value that each code stands for."""
    for at, parameter in enumerate(parameters):
        chosen = tables[at][codes[at]]
        if masks is None:
            parameter.copy_(chosen)
        else:
            parameter[masks[at]] = chosen


# ------------------------------------------------------------------ the file


def whole(block):
    """The ``StoredNet`` of all of LeNet-5 that a ``Block`` is the live part of; the rest are zeros."""
    layers = []
    for name, shape in block_coding.SHAPES["lenet-5"].items():
        layer = getattr(block, name)
        live, bias = layer.weight.detach().numpy(), np.zeros(shape[0], np.float32)
        weight = np.zeros(shape, np.float32)
        weight[tuple(slice(n) for n in live.shape)] = live
        if layer.bias is not None:
            bias[: len(live)] = layer.bias.detach().numpy()
        layers.append(Layer(name, weight, bias))
    return StoredNet("lenet-5", tuple(layers))


def arranged(stored):
    """A ``StoredNet`` with its hidden neurons in an order that makes ``block_coding``'s file small: the same net.

    For each pair of layers in turn: neurons sorted by their bias, which makes most biases repeat the one before, or
    one of the orders of ``reordering.candidates``; the shortest file wins.
    """
    layers = list(stored.layers)
    for at in range(len(layers) - 1):
        first, second = layers[at : at + 2]
        idle = ~first.weight.reshape(len(first.weight), -1).any(1) & (first.bias == 0)
        orders = [np.lexsort((first.bias, idle)), *reordering.candidates(first, second).values()]
        tried = [layers] + [[*layers[:at], *reordering.permute(first, second, o), *layers[at + 2 :]] for o in orders]
        layers = min(tried, key=lambda some: len(block_coding.encode(replace(stored, layers=tuple(some)))))
    return replace(stored, layers=tuple(layers))


def make(plan, folder, progress=None):
    """The bytes of the file that a ``Plan`` makes of the shipped dense LeNet-5 and MNIST's 55,000 training digits.

    folder: where its checkpoint lies between instalments. progress(pass, passes, mean loss) is called after each pass.
    A machine makes the same bytes every time.
    """
    dense = shipped.dense("lenet-5")
    lesson, net = Lesson(datasets.mnist_without_bundled(), dense), block_of(dense, plan.widths)
    folder.mkdir(parents=True, exist_ok=True)
    prune(net, lesson, plan, folder / "pruned.safetensors", progress)
    share(net, lesson, plan, progress)
    drop_dead(net)
    return block_coding.encode(arranged(whole(net)))


# ------------------------------------------------------------------ the command

FILE = "lenet-5.dcb"


def contents(path=MODELS / "lenet-5-block.dcb"):
    """The bytes of a file that the command made, the shipped one if none is named. DataError if it cannot be read."""
    try:
        return read(path, 1 << 20)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); {made_by('python -m dcviz block')}") from error


def measured(data, split):
    """What a file is, and the error of the net in it on a ``Split``: a dict of plain values."""
    stored = block_coding.decode(data)
    return {
        "file_bytes": len(data),
        "ratio": stored.dense_bytes() / len(data),
        "parts": block_coding.describe(data),
        "weights": {layer.name: int(np.count_nonzero(layer.weight)) for layer in stored.layers},
        "error_percent": error_percent(pipeline.restore(stored), split),
        "images": split.name,
    }


def main(arguments=None):
    """The command line; see the top of this module."""
    p = argparse.ArgumentParser(prog="python -m dcviz block", description=__doc__.split("\n\n")[0])
    p.add_argument("--out", type=Path, default=cache_dir() / "block", help="folder of checkpoint and file")
    p.add_argument("--report", action="store_true", help="no training: measure on the official test images")
    plan = asdict(Plan())
    p.add_argument("--widths", type=int, nargs=3, default=plan.pop("widths"))
    for name, value in plan.items():
        p.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(p.parse_args(arguments))
    out, report = options.pop("out"), options.pop("report")
    if not report:
        show = lambda *progress: print(*progress, flush=True)  # noqa: E731
        data = make(Plan(**options | {"widths": tuple(options["widths"])}), out, show)
        atomic_write(out / FILE, lambda file: file.write(data))
    split = datasets.mnist().test if report else datasets.unseen()
    print(json.dumps(measured(contents(out / FILE), split)))
