"""One resumable training run of AlexNet on CIFAR-10; ``alexnet_training`` is its command line.

Every step draws its pictures, its distortions and its dropout from a generator seeded by (seed, step): a
resumed run takes the same steps as an unbroken one, and a checkpoint needs no generator states.

Weights and momentum stay in float32; with bfloat16 the net itself computes in bfloat16, twice as fast on
CPUs that have AVX512-BF16 or AMX. A running average of the weights is what gets measured and exported: at
any time it is close to what a cooled-down learning rate would give.
"""

import copy
import hashlib
import math
import signal
from contextlib import contextmanager

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional as F

from dcviz.errors import DataError
from dcviz.nets.cifar import distort, tuning_split, upscale
from dcviz.nets.models_imagenet import AlexNet, he_init
from dcviz.nets.resuming import replace_file
from dcviz.nets.training import Free

CLIP = 5.0  # gradients of a larger norm are scaled down to it: guards the first steps
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
    """Linear rise to ``peak`` in ``warmup`` steps, then half a cosine down to 1 % of it at ``total``."""
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


def first_net(dropout):
    """AlexNet for ten classes; its last layer starts small, so that the first guesses are even."""
    net = he_init(AlexNet(10, dropout))
    torch.nn.init.normal_(net.classifier[6].weight, std=0.01)
    return net


def sgd(constraint, decay):
    """The optimiser of a first training and of a retraining: SGD with momentum, biases without weight decay."""
    matrices = [w for w in constraint.parameters() if w.dim() > 1]
    vectors = [w for w in constraint.parameters() if w.dim() == 1]
    return torch.optim.SGD(
        [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=0.0,
        momentum=0.9,
        nesterov=True,
        fused=True,
    )


class Trainer:
    """The state of one run: float32 weights, momentum, running average (unless ``averaging`` is 0), step number.

    start: state dict to begin with, or None for random weights
    constraint: function (net, steps) -> constraint as in ``training``; None lets every weight move
    optimizer: function (constraint, weight decay) -> torch optimiser, whose rates are set at every step
    share: of the epochs in the options, how much of them to train
    teacher: state dict of a net whose softened answers count as much as the labels, or None
    """

    def __init__(self, split, options, start=None, constraint=None, optimizer=sgd, share=1.0, teacher=None):
        torch.manual_seed(options.seed)
        self.options = options
        self.images, self.labels = torch.from_numpy(split.images), torch.from_numpy(split.labels).long()
        train, held_out = tuning_split()
        self.train, self.held_out = torch.from_numpy(train), torch.from_numpy(held_out)
        self.steps_per_epoch = len(train) // options.batch
        self.total = round(share * sum(epochs for _, epochs in options.phases) * self.steps_per_epoch)
        self.step = 0
        dtype = getattr(torch, options.dtype)
        self.master = first_net(options.dropout)
        if start is not None:
            self.master.load_state_dict(start)
        self.constraint = (constraint or (lambda net, steps: Free(net)))(self.master, self.total)
        self.names = [name for name, _ in self.master.named_parameters()]
        self.weights = list(self.master.parameters())
        self.average = [w.detach() if options.averaging == 0 else w.detach().clone() for w in self.weights]
        self.teacher = None
        if teacher is not None:
            self.teacher = copy.deepcopy(self.master).eval()
            self.teacher.load_state_dict(teacher)
            self.teacher.to(dtype).to(memory_format=torch.channels_last)
        self.net = copy.deepcopy(self.master).to(dtype).to(memory_format=torch.channels_last)
        self.dtype = dtype
        self.optimizer = optimizer(self.constraint, options.decay)

    def batch(self):
        """The pictures of this step, distorted and up-scaled, and their labels."""
        options = self.options
        chosen = self.train[rows_at(options.seed, self.step, len(self.train), options.batch)]
        seed = seed_at(options.seed, self.step)
        torch.manual_seed(seed)  # for dropout
        x = distort(self.images[chosen], torch.Generator().manual_seed(seed))
        return self._inputs(x, pixels_at(self.step // self.steps_per_epoch, options.phases)), self.labels[chosen]

    def _inputs(self, images, pixels):
        return upscale(images, pixels).to(self.dtype).to(memory_format=torch.channels_last)

    def advance(self):
        """One step of SGD with momentum. Returns (loss, share of the batch that is right)."""
        options = self.options
        x, y = self.batch()
        self.net.train()
        logits = self.net(x).float()
        loss = self._loss(x, y, logits)
        loss.backward()
        for weight, p in zip(self.weights, self.net.parameters(), strict=True):
            # fused SGD pairs weights and gradients by place in memory, so both must have one layout
            weight.grad, p.grad = p.grad.float().contiguous(), None
        torch.nn.utils.clip_grad_norm_(self.weights, CLIP)
        rate = learning_rate(self.step, self.total, options.lr, options.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.constraint.after_backward()
        self.optimizer.step()
        self.constraint.after_step()
        self._load(self.weights)
        self.step += 1
        if options.averaging and self.step % AVERAGE_EVERY == 0:
            keep = min(options.averaging, self.step / (self.step + 10 * AVERAGE_EVERY)) ** AVERAGE_EVERY
            torch._foreach_lerp_(self.average, [w.detach() for w in self.weights], 1 - keep)
        return loss.item(), (logits.argmax(1) == y).float().mean().item()

    def _loss(self, x, y, logits):
        labelled = F.cross_entropy(logits, y, label_smoothing=self.options.smoothing)
        if self.teacher is None:
            return labelled
        with torch.no_grad():
            soft = F.softmax(self.teacher(x).float() / TEMPERATURE, 1)
        return (labelled + TEMPERATURE * F.cross_entropy(logits / TEMPERATURE, soft)) / 2

    @torch.no_grad()
    def _load(self, weights):
        for p, weight in zip(self.net.parameters(), weights, strict=True):
            p.copy_(weight)

    @torch.inference_mode()
    def accuracy(self, images, labels, pixels, size=250):
        """The share that the averaged weights get right, undistorted; training goes on unharmed."""
        self._load(self.average)
        self.net.eval()
        right = 0
        for i in range(0, len(images), size):
            logits = self.net(self._inputs(images[i : i + size], pixels))
            right += int((logits.argmax(1) == labels[i : i + size]).sum())
        self._load(self.weights)
        return right / len(images)

    def held_out_accuracy(self, pixels):
        """Accuracy on the 5,000 training pictures that training never sees."""
        return self.accuracy(self.images[self.held_out], self.labels[self.held_out], pixels)

    def save(self, path):
        """Write all state to ``path``: a file beside it first, so that a cut never harms the last one."""
        tensors = {}
        for name, weight, average in zip(self.names, self.weights, self.average, strict=True):
            tensors[f"weight/{name}"] = weight.detach()
            if self.options.averaging:
                tensors[f"average/{name}"] = average
            momentum = self.optimizer.state[weight].get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum/{name}"] = momentum
        replace_file(path, tensors, {"step": self.step, **self.identity()})

    def identity(self):
        """What makes a run the same run: its random numbers, its batches, its pictures in their order."""
        pictures = hashlib.sha256(self.labels.numpy().tobytes()).hexdigest()[:16]
        return {"seed": self.options.seed, "batch": self.options.batch, "pictures": pictures}

    def resume(self, path):
        """Take the state from ``path``; DataError if it is damaged or of another run."""
        try:
            with safe_open(path, framework="pt") as file:
                notes = file.metadata() or {}
                for key, now in self.identity().items():
                    if notes.get(key) != str(now):
                        raise DataError(f"{path}: made with {key} {notes.get(key)}, not {now}; use another --out")
                self.step = int(notes["step"])
                for name, weight, average in zip(self.names, self.weights, self.average, strict=True):
                    weight.data.copy_(file.get_tensor(f"weight/{name}"))
                    if self.options.averaging:
                        average.copy_(file.get_tensor(f"average/{name}"))
                    if self.step:
                        momentum = file.get_tensor(f"momentum/{name}").clone()
                        self.optimizer.state[weight]["momentum_buffer"] = momentum
        except (SafetensorError, OSError, KeyError) as error:
            raise DataError(f"{path}: not a whole checkpoint ({error})") from error
        self.constraint.resume(self.step)
        self._load(self.weights)

    def export(self, path, notes):
        """Write the averaged weights, float32, under torchvision's names; ``notes`` go in the header."""
        replace_file(path, dict(zip(self.names, self.average, strict=True)), notes)
