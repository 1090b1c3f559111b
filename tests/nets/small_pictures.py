"""Few random colour pictures in CIFAR-10's place, and a net with batch normalisation that is quick on them."""

import numpy as np
import torch
from torch import nn

from dcviz.nets import cifar
from dcviz.nets.cifar import CifarSplit


def pictures(n):
    """A ``CifarSplit`` of n pictures; labels 0 to 9 in turn."""
    rng = np.random.default_rng(0)
    return CifarSplit(rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 10)


def in_place_of_cifar(monkeypatch, training, held_out):
    """So many pictures to train on and held out are CIFAR-10 now, and all of them its test pictures."""
    split = pictures(training + held_out)
    monkeypatch.setattr(cifar, "cifar10", lambda name: split)
    monkeypatch.setattr(cifar, "tuning_split", lambda: (np.arange(training), np.arange(training, len(split))))


class Normed(nn.Module):
    name = "vgg-16-cifar"

    def __init__(self, channels=4):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, channels, 5, 4, bias=False), nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)))
