"""Neurons first, single weights second: LeNet-5 pruned in two ways at once (section 2 of the paper, twice).

Most neurons of a very small net are dead in the end. So the neurons go first: ``block_of`` keeps the filters and units
of the dense net that carry most, all others are zeros that cost nothing in the file. What is left is a net so small
that it can be retrained for as long as wanted. While it trains, single weights are cut (``prune``): those first whose
loss would rise least for each bit that they take in the file. Then the kept ones share a few values (``share``), chosen
for the length of their codes, too, so that the file has the length that was asked for.

LeNet-5 has no rectifier after its convolutions, so their biases pass through as constants: those of fc1 can say the
same, and the block does without them.

``python -m dcviz block`` makes such a file. Stopped while it prunes, the same command goes on after the last whole
pass; sharing begins anew. Choices are made on the 5,000 held-out digits; ``--report`` asks the official test images.
"""

import argparse
import copy
import itertools
import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet, live
from dcviz.errors import DataError, RecipeError
from dcviz.files import cache_dir
from dcviz.ideas.entropy import entropy
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.rate_distortion import assign_by_rate
from dcviz.nets import datasets, models
from dcviz.nets.picture_training import load_checkpoint, save_checkpoint
from dcviz.nets.training import Adam, error_percent, threads
from dcviz.pipeline import reordering, restore
from dcviz.pipeline.chains import drop_dead
from dcviz.pipeline.trained_quantization import reduce_gradient

SHAPES = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)}
PLACES = {"conv1": 25, "conv2": 25, "fc1": 16, "fc2": 1}
"""{layer: weights of a row that make one column}: a filter's pixels, or those that a map feeds to a unit."""

BATCH = 128
TEACHER, TEMPERATURE = 0.7, 3.0
"""How much the dense net's answers count beside the labels, and how soft they are."""

CUTS = 0.12, 0.63
"""The shares of the steps between which weights are cut."""

CUT_EVERY, CODES_EVERY = 60, 25
"""Steps between two cuts (what was cut may grow back until the last one), and between two choices of codes."""

CODE_BITS, MEMORY = 2.5, 0.999
"""Bits that a kept weight's code is thought to take; how much of a curvature stays from step to step."""

FIXED, PULL = 0.7, 0.03
"""After this share of the steps of ``share`` codes stand, and only shared values still move; how far a weight goes, in
a step just before that, on its way to its shared value."""

MEANS_EVERY = 10
"""Steps between two moves of the shared values to the means of their weights, while those still move."""

MARGIN = 4
"""Bytes of the planned length that are left over when codes are chosen for good: the values' order may still change."""


@dataclass(frozen=True)
class Plan:
    """What becomes of LeNet-5: filters of conv1 and conv2 and units of fc1 that live; weights kept; bytes of the file.

    passes, lr: of pruning; share_passes, share_lr: of training shared values, ``values`` a layer and ``bias_values``
    for biases. bytes: None for a file as long as it gets, when each weight takes the nearest value.
    """

    widths: tuple = (6, 10, 32)
    weights: int = 1500
    bytes: int | None = 1140
    passes: int = 26
    lr: float = 4e-3
    share_passes: int = 14
    share_lr: float = 1e-3
    values: int = 10
    bias_values: int = 5
    seed: int = 0

    def __post_init__(self):
        widths = np.array(self.widths)
        if len(widths) != 3 or (widths < 1).any() or (widths > (20, 50, 500)).any():
            raise RecipeError(f"widths are three, of at most 20, 50 and 500, not {self.widths}")
        first, second, units = self.widths
        if not 1 <= self.weights <= 25 * first + 25 * first * second + 16 * second * units + 10 * units:
            raise RecipeError(f"a block of {self.widths} has not {self.weights:,} weights to keep")
        if min(self.passes, self.share_passes) < 1 or not (1 <= self.values <= 255 and 1 <= self.bias_values <= 255):
            raise RecipeError(f"a plan needs passes, and 1 to 255 values a layer: {self}")


SHIPPED = {"lenet-5-micro": Plan((6, 12, 40), weights=2300, bytes=1694)}
"""Plans of the files that ship, by name."""


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
        x = models.pooled(self.conv1(x))
        x = models.pooled(self.conv2(x))
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
    """Digits moved by up to a pixel, their labels, and the dense net's answers to each of them, asked once.

    A teacher that sees what the pupil sees: the answer to the unmoved digit would be noise to it.
    """

    def __init__(self, split, dense):
        padded = F.pad(torch.from_numpy(np.array(split.images)), (1,) * 4)
        self.windows = padded.unfold(1, 28, 1).unfold(2, 28, 1)  # (n, 3, 3, 28, 28), none of it copied
        self.labels = torch.from_numpy(np.array(split.labels))
        dense = dense.eval().to(memory_format=torch.channels_last)
        self.answers = torch.empty(3, 3, len(split), 10)
        with torch.inference_mode():
            for y, x, i in itertools.product(range(3), range(3), range(0, len(split), 100)):
                self.answers[y, x, i : i + 100] = dense(self._pictures(slice(i, i + 100), y, x))
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
            F.log_softmax(self.answers[y, x, rows] / TEMPERATURE, 1),
            reduction="batchmean",
            log_target=True,
        )
        labelled = F.cross_entropy(logits, self.labels[rows])
        return (1 - TEACHER) * labelled + TEACHER * TEMPERATURE * TEMPERATURE * soft


# ------------------------------------------------------------------ prune


def prune(net, lesson, plan, checkpoint=None, report=None):
    """Train a ``Block`` in place while its weights are cut to ``plan.weights``: zeros, for good at the end.

    Adam, its rate up for a tenth of the steps and down by half a cosine. Every ``CUT_EVERY`` steps the weights of
    all layers together that are worth least (``worth``) go, more of them at first than at last; the rest of the steps
    train what is kept. checkpoint: file to go on from, written after every pass. report(pass, passes, mean loss).
    """
    with threads(1):
        _prune(net.train(), lesson, plan, checkpoint, report)
    net.eval()


def _prune(net, lesson, plan, checkpoint, report):
    weights, parameters = net.matrices(), list(net.parameters())
    total, number = plan.passes * lesson.steps, sum(weight.numel() for weight in weights)
    begin, end = (share * total for share in CUTS)
    last = math.ceil(end) - 1
    optimizer = Adam(parameters, lr=plan.lr, fused=True)
    curvature, masks = ([make(weight) for weight in weights] for make in (torch.zeros_like, torch.ones_like))
    kept = {f"curvature/{i}": value for i, value in enumerate(curvature)}
    kept |= {f"mask/{i}": mask for i, mask in enumerate(masks)}
    done = 0
    if checkpoint and Path(checkpoint).exists():
        done = load_checkpoint(checkpoint, net, optimizer, parameters, kept)
    if done % lesson.steps:
        raise DataError(f"{checkpoint}: made in the middle of a pass, so of other data or another batch")
    for number_of_pass in range(done // lesson.steps, plan.passes):
        drawn, losses = lesson.drawn(plan.seed, 7 * number_of_pass), 0.0
        for i in range(lesson.steps):
            step = number_of_pass * lesson.steps + i
            losses += _gradients(net, lesson, drawn, i, curvature)
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
                worths = [worth(*layer) for layer in zip(weights, curvature, masks, PLACES.values(), strict=True)]
                most = largest(worths, round(plan.weights + (number - plan.weights) * left))
                for mask, those in zip(masks, most, strict=True):
                    mask.copy_(those)
            if step >= last or (begin <= step < last and step % CUT_EVERY == 0):
                with torch.no_grad():
                    for weight, mask in zip(weights, masks, strict=True):
                        weight.mul_(mask)
        if checkpoint is not None:
            save_checkpoint(checkpoint, net, optimizer, parameters, (number_of_pass + 1) * lesson.steps, kept)
        if report is not None:
            report(number_of_pass + 1, plan.passes, losses / lesson.steps)


def _gradients(net, lesson, drawn, i, curvature):
    """Gradients of a step's loss, into the parameters; ``curvature`` learns from them. The loss."""
    net.zero_grad(set_to_none=True)
    loss = lesson.loss(net, drawn, i)
    loss.backward()
    for mean, weight in zip(curvature, net.matrices(), strict=True):
        mean.mul_(MEMORY).add_(weight.grad.square(), alpha=1 - MEMORY)
    return loss.item()


def one_cycle(step, total, peak):
    """Learning rate of a step: a linear rise in the first tenth of the steps, then half a cosine down to nothing."""
    warmup = 0.1 * total
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


@torch.no_grad()
def worth(weight, curvature, mask, places):
    """What each weight of a layer is worth: the rise of the loss without it, for a bit of the file.

    The rise is its square times the ``curvature``, its mean squared gradient, which stands for the second derivative
    (Optimal Brain Damage with Fisher's information). The bits are those of its code and of saying that it
    is kept, in a block as full as ``mask`` says its row, column, place and neighbours are.
    """
    bits = live.prices(mask.numpy().reshape(len(mask), -1, places)) + CODE_BITS
    return weight.square() * curvature / torch.from_numpy(np.maximum(bits, 1)).reshape(weight.shape)


def largest(values, count):
    """Masks of the ``count`` largest among all ``values``, a list of tensors; ties stay together."""
    every = torch.cat([value.reshape(-1) for value in values])
    if count >= len(every):
        return [torch.ones_like(value, dtype=torch.bool) for value in values]
    least = every.kthvalue(len(every) - count + 1).values
    return [value >= least for value in values]


# ------------------------------------------------------------------ share


def share(net, lesson, plan, report=None):
    """Let the weights of a pruned ``Block`` share ``plan.values`` values a layer, in place, while it trains.

    Biases share theirs from the start. Weights train on, but each is pulled to a shared value, harder and harder, until
    little is lost by taking it (proximal quantization); the shared values are the means of their weights. A value is
    chosen for its distance and for the length of its code; the price of a bit is such that the file gets the length
    that is planned. After ``FIXED`` of the steps codes stand and only shared values move, with the gradients of all
    their weights. They end as signed bytes times a power of two (``live.rounded``).
    """
    with threads(1):
        _share(net.train(), lesson, plan, report)
    net.eval()


def _share(net, lesson, plan, report):
    sharing = _Sharing(net, plan)
    _gradients(net, lesson, lesson.drawn(plan.seed, 7 * plan.share_passes + 3), 0, sharing.curvature)
    optimizer = Adam(sharing.own + sharing.values + sharing.tables, lr=plan.share_lr)
    total = plan.share_passes * lesson.steps
    stand = math.ceil(FIXED * total)
    for number in range(plan.share_passes):
        drawn, losses = lesson.drawn(plan.seed, 7 * number + 3), 0.0
        for i in range(lesson.steps):
            step = number * lesson.steps + i
            if step < stand and step % CODES_EVERY == 0:
                if i < CODES_EVERY:
                    sharing.measure()
                sharing.choose()
            elif step == stand:
                sharing.finish()
            sharing.put()
            losses += _gradients(net, lesson, drawn, i, sharing.curvature)
            sharing.gradients()
            for group in optimizer.param_groups:
                group["lr"] = plan.share_lr * 0.5 * (1 + math.cos(math.pi * step / total))
            optimizer.step()
            if step < stand:
                sharing.pull(PULL * (step / stand) ** 2, means=step % MEANS_EVERY == 0)
        if report is not None:
            report(number + 1, plan.share_passes, losses / lesson.steps)
    _round(sharing.values + sharing.tables)
    sharing.put()


class _Sharing:
    """The kept weights of a block on their way to shared values, layer by layer.

    ``own``: what each weight is before the codes ``stand``; ``values`` of the layer, and each weight's code.
    """

    def __init__(self, net, plan):
        self.net, self.plan, self.weights = net, plan, net.matrices()
        self.masks = [weight.detach() != 0 for weight in self.weights]
        self.own = [w.detach()[mask].clone().requires_grad_() for w, mask in zip(self.weights, self.masks, strict=True)]
        self.values = [_centroids(w, plan.values) for w in self.own]
        self.curvature = [torch.zeros_like(weight) for weight in self.weights]
        self.codes, self.stand = [_nearest(w, table) for w, table in zip(self.own, self.values, strict=True)], False
        self.biases = [net.fc1.bias, net.fc2.bias]
        self.tables = [_centroids(bias, plan.bias_values) for bias in self.biases]
        self.bias_codes = [_nearest(bias, table) for bias, table in zip(self.biases, self.tables, strict=True)]
        self.bits, self.price = math.inf, 1e-9

    def length(self):
        """Bytes of the file, if the codes that are chosen now stood."""
        rounded = copy.copy(self)
        rounded.net, rounded.stand = copy.deepcopy(self.net), True
        rounded.weights, rounded.biases = rounded.net.matrices(), [rounded.net.fc1.bias, rounded.net.fc2.bias]
        for name in ("values", "tables"):
            setattr(rounded, name, [table.detach().clone() for table in getattr(self, name)])
        _round(rounded.values + rounded.tables)
        rounded.put()
        drop_dead(rounded.net)
        return len(archive.dumps(arranged(whole(rounded.net))))

    def measure(self):
        """See how many bits codes may take in a file of the planned length."""
        if self.plan.bytes is not None:
            self.bits = _bits(self.codes) + 8 * (self.plan.bytes - MARGIN - self.length())

    def choose(self):
        """New codes, at the least price of a bit at which all of them take ``bits`` or less."""
        with torch.no_grad():
            for table in self.values:  # two may have been trained past each other
                table.copy_(table.sort().values)
        if self.plan.bytes is None:
            self.codes = self._at(0.0)
            return
        high = self.price * 1.5
        while _bits(self._at(high)) > self.bits and high < 1e9:
            high *= 4
        low = high / 4
        while low > 1e-12 and _bits(self._at(low)) <= self.bits:
            low, high = low / 4, low
        for _ in range(5):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if _bits(self._at(middle)) <= self.bits else (middle, high)
        self.codes, self.price = self._at(high), high

    def _at(self, price):
        found = []
        for own, table, curvature, mask in zip(self.own, self.values, self.curvature, self.masks, strict=True):
            prices = price / curvature[mask].clamp(min=1e-12).double().numpy()[:, None]
            codes = assign_by_rate(own.detach().numpy(), table.detach().numpy(), prices)
            found.append(torch.from_numpy(codes.astype(np.int64)))
        return found

    @torch.no_grad()
    def pull(self, share, means):
        """Move each weight by ``share`` of its way to its shared value; with ``means`` those go to their weights'."""
        for own, table, codes in zip(self.own, self.values, self.codes, strict=True):
            own.lerp_(table[codes], share)
            if means:
                counts = torch.bincount(codes, minlength=len(table))
                table.copy_(
                    torch.where(counts > 0, reduce_gradient(own, codes, len(table)) / counts.clamp(min=1), table)
                )

    def finish(self):
        """Let codes stand, so chosen that the file comes nearest to its length and, if it can, not above."""
        if self.plan.bytes is None:
            self.choose()
            self.stand = True
            return
        best, above, below = None, None, None
        for _ in range(9):
            self.choose()
            left = self.plan.bytes - MARGIN - self.length()
            if best is None or (left < 0, abs(left)) < best[:2]:
                best = left < 0, abs(left), self.codes
            below, above = (below, self.bits) if left < 0 else (self.bits, above)
            self.bits = self.bits + 8 * left if below is None or above is None else (below + above) / 2
        self.codes, self.stand = best[2], True

    @torch.no_grad()
    def put(self):
        """Write into the net's weights their own values, or the shared ones if codes stand, and shared biases."""
        for weight, mask, own, table, codes in zip(
            self.weights, self.masks, self.own, self.values, self.codes, strict=True
        ):
            weight[mask] = table[codes] if self.stand else own
        for bias, codes, table in zip(self.biases, self.bias_codes, self.tables, strict=True):
            bias.copy_(table[codes])

    def gradients(self):
        """Give own values, or the shared ones if codes stand, the gradients of their weights, and biases theirs."""
        for weight, mask, own, table, codes in zip(
            self.weights, self.masks, self.own, self.values, self.codes, strict=True
        ):
            gradient = weight.grad[mask]
            own.grad = None if self.stand else gradient
            table.grad = reduce_gradient(gradient, codes, len(table)) if self.stand else None
        for bias, codes, table in zip(self.biases, self.bias_codes, self.tables, strict=True):
            table.grad = reduce_gradient(bias.grad, codes, len(table))


def _centroids(values, k):
    values = values.detach().numpy()
    centroids = kmeans(values, min(k, len(np.unique(values))), "density").centroids
    return torch.tensor(centroids.astype(np.float32), requires_grad=True)


def _nearest(values, table):
    return torch.from_numpy(assign(values.detach().numpy(), table.detach().numpy()).astype(np.int64))


@torch.no_grad()
def _round(tables):
    for table in tables:
        table.copy_(torch.from_numpy(live.rounded(table.numpy())))


def _bits(codes):
    """The entropy of all codes, layer by layer."""
    return sum(len(some) * entropy(np.bincount(some)) for some in codes)


# ------------------------------------------------------------------ the file


def whole(block):
    """The ``StoredNet`` of all of LeNet-5 that a ``Block`` is the live part of; the rest are zeros."""
    layers = []
    for name, shape in SHAPES.items():
        layer = getattr(block, name)
        alive, bias = layer.weight.detach().numpy(), np.zeros(shape[0], np.float32)
        weight = np.zeros(shape, np.float32)
        weight[tuple(slice(n) for n in alive.shape)] = alive
        if layer.bias is not None:
            bias[: len(alive)] = layer.bias.detach().numpy()
        weight += 0.0  # no -0.0
        layers.append(Layer(name, weight, bias + np.float32(0), Coding(live=PLACES[name])))
    return StoredNet("lenet-5", tuple(layers))


def arranged(stored):
    """A ``StoredNet`` of live blocks with its hidden neurons in an order that makes the file small: the same net.

    For each pair of layers in turn: neurons sorted by their bias, which makes most biases repeat the one before, or
    one of the orders of ``reordering.candidates``; the shortest file wins.
    """
    layers = list(stored.layers)
    for at in range(len(layers) - 1):
        first, second = layers[at : at + 2]
        idle = ~first.weight.reshape(len(first.weight), -1).any(1) & (first.bias == 0)
        orders = [np.lexsort((first.bias, idle)), *reordering.candidates(first, second).values()]
        tried = [(first, second), *(reordering.permute(first, second, order) for order in orders)]
        layers[at : at + 2] = min(tried, key=lambda pair: sum(map(archive.layer_bytes, pair)))
    return replace(stored, layers=tuple(layers))


def make(plan, dense, folder, progress=None, data=None):
    """The ``StoredNet`` that a ``Plan`` makes of a dense LeNet-5 and MNIST's 55,000 training digits, or ``data``.

    folder: where its checkpoint lies between instalments. progress(pass, passes, mean loss) is called after each pass.
    A machine makes the same bytes every time.
    """
    lesson = Lesson(datasets.mnist_without_bundled() if data is None else data, dense)
    return taught(plan, dense, lesson, folder, progress)


def taught(plan, dense, lesson, folder, progress=None):
    """``make`` by a ``Lesson`` that stands already: several plans may share it."""
    net = block_of(dense, plan.widths)
    folder.mkdir(parents=True, exist_ok=True)
    prune(net, lesson, plan, folder / "pruned.safetensors", progress)
    share(net, lesson, plan, progress)
    drop_dead(net)
    return arranged(whole(net))


# ------------------------------------------------------------------ the command

FILE = "lenet-5-block.dcz"


def measured(path, split):
    """What a file is, and the error of the net in it on a ``Split``: a dict of plain values."""
    breakdown, stored = archive.describe(path), archive.load(path)
    return {
        "file_bytes": breakdown.file_bytes,
        "ratio": breakdown.ratio,
        "parts": breakdown.parts,
        "weights": {layer.name: layer.nonzeros for layer in breakdown.layers},
        "error_percent": error_percent(restore(stored), split),
        "images": split.name,
    }


def main(arguments=None):
    """The command line; see the top of this module."""
    from dcviz.pipeline import shipped

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
        plan = Plan(**options | {"widths": tuple(options["widths"])})
        archive.save(out / FILE, make(plan, shipped.dense("lenet-5"), out, show))
    split = datasets.mnist().test if report else datasets.unseen()
    print(json.dumps(measured(out / FILE, split)))
