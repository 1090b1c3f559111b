"""A small decoder-only transformer, made so that every parameter stands in a fully connected layer."""

import functools
import math

import torch
from torch import nn
from torch.nn import functional as F

from dcviz.nets import dense_files
from dcviz.nets.novels import novels, pieces, windows as novels_windows
from dcviz.nets.products import CONTEXT, HEADS


def normalised(x):
    """Each row of the last axis scaled to a root mean square of 1."""
    return F.rms_norm(x, x.shape[-1:])


class Block(nn.Module):
    """Attention, then two fully connected layers; each adds its answer to what comes in: float (n, t, width)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, turn):
        """(n, t, width) -> the same shape; ``turn`` gives every place its angle (``angles``)."""
        h = normalised(x)
        query, key, value = (part(h).unflatten(-1, (self.heads, -1)) for part in (self.query, self.key, self.value))
        query, key, value = (part.transpose(1, 2) for part in (turned(query, turn), turned(key, turn), value))
        score = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        ahead = torch.ones(score.shape[-2:], dtype=torch.bool).triu(1)
        seen = score.masked_fill(ahead, -torch.inf).softmax(-1).to(value.dtype) @ value
        x = x + self.mix(seen.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(normalised(x))))


def angles(places, size):
    """Sines and cosines that tell places apart: two float tensors (places, 1, size / 2)."""
    speed = 10_000 ** -torch.arange(0, 1, 2 / size)
    angle = torch.outer(torch.arange(places), speed).unsqueeze(1)
    return angle.sin(), angle.cos()


def turned(x, turn):
    """Rotary position embedding: pairs of numbers of x (n, t, heads, size) turned by the angle of their place."""
    sin, cos = (part.to(x.dtype) for part in turn)
    left, right = x.chunk(2, -1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], -1)


class Decoder(nn.Module):
    """The language model: place numbers of pieces (n, t) int64 -> logits (n, t, vocabulary) of the piece that follows.

    1,310,720 parameters as shipped, all of them in ``nn.Linear`` layers without bias: normalisation has no weights,
    places are told apart by rotation, and ``head`` is the table that pieces are looked up in as well.
    """

    name = "austen"

    def __init__(self, vocabulary=1024, width=128, layers=6, heads=HEADS, context=CONTEXT):
        super().__init__()
        self.context = context
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.head = nn.Linear(width, vocabulary, bias=False)
        for name, weight in self.named_parameters():
            nn.init.normal_(weight, std=0.02 if name.endswith(("mix.weight", "down.weight")) else width**-0.5)
        nn.init.normal_(self.head.weight, std=0.05)

    def forward(self, places):
        """(n, t) int64, t up to ``context`` -> logits (n, t, vocabulary); nothing looks ahead."""
        x = normalised(F.embedding(places, self.head.weight))
        turn = angles(places.shape[1], x.shape[-1] // self.blocks[0].heads)
        for block in self.blocks:
            x = block(x, turn)
        return self.head(normalised(x))


def language_model():
    """A fresh copy of the shipped model; its bfloat16 weights as float32, in evaluation mode."""
    net = Decoder()
    net.load_state_dict({key: torch.tensor(weight) for key, weight in dense_files.state("austen").items()})
    return net.eval()


def windows(places, context):
    """``novels.windows`` as tensors."""
    inputs, targets = novels_windows(places, context)
    return torch.as_tensor(inputs), torch.as_tensor(targets)


@torch.no_grad()
def bits_per_character(net, text, batch=32):
    """The model's error: how many bits a character of an unseen text costs if the model's odds are believed.

    log2 of the odds, summed over every piece of the text in windows of ``net.context`` and divided by the characters
    of these pieces. A code that gets this close to its odds (chapter 06) would need that many bits a character.
    """
    alphabet = pieces()
    inputs, targets = windows(alphabet.encode(text), net.context)
    nats = sum(
        F.cross_entropy(net(rows).flatten(0, 1), wanted.flatten(), reduction="sum").item()
        for rows, wanted in zip(inputs.split(batch), targets.split(batch), strict=True)
    )
    return nats / math.log(2) / len(alphabet.decode(targets.flatten().tolist()))


@torch.no_grad()
def write(net, prompt, count=60, seed=0, temperature=0.8):
    """``prompt`` and ``count`` more pieces, drawn by the model's odds; temperature 0 takes the likeliest each time."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.as_tensor(pieces().encode(prompt))
    for _ in range(count):
        logits = net(places[None, -net.context :])[0, -1]
        if temperature == 0:
            place = logits.argmax(keepdim=True)
        else:
            place = torch.multinomial((logits / temperature).softmax(0), 1, generator=generator)
        places = torch.cat([places, place])
    return pieces().decode(places.tolist())


@functools.cache
def calibration(count=64, context=128):
    """Inputs and targets (count, context): windows of the training text, evenly spread, for methods that need a few."""
    inputs, targets = windows(pieces().encode(novels().training), context)
    rows = torch.linspace(0, len(inputs) - 1, count).long()
    return inputs[rows], targets[rows]
