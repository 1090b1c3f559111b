"""Compress the VGG-16 that ``vgg_training`` made: ``python -m dcviz vgg compress``.

Pruned with its batch normalisation, which is folded into the convolutions before weights share values. One density is
given for the whole net, and layers compete for it. Under an hour for one core; stopped, the same command goes on.
"""

from functools import partial

import torch

from dcviz.nets import models
from dcviz.nets.picture_training import adamw
from dcviz.nets.vgg_training import NET, PIXELS, WEIGHTS
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, picture_compression
from dcviz.pipeline.picture_compression import Setting, Subject

SUBJECT = Subject(
    "vgg-16-cifar10",
    partial(models.build, NET),
    PIXELS,
    command="vgg",
    weights=WEIGHTS,
    made_by="dcviz vgg train",
    dtype="bfloat16",
    decay=0.02,
    optimizer=adamw,
    fold=True,
)


def recipe(density, bits, layers=None):
    """So many of the net's weights, in so many bits, the same for all layers; the gaps that make the smallest file."""
    none = Schedule(epochs=0)
    if layers is None:
        with torch.device("meta"):  # for its names alone
            layers = models.weight_layers(models.build(f"{NET}-folded"))
    return Recipe(
        {name: LayerRecipe(density, bits, None) for name in layers},
        none,
        none,
        cuts=60,
        ramp=0.6,
        regrow=True,
        rate=0.02,
        drop_dead=True,
        dtype="float16",
        bias_dtype="float16",
    )


SETTINGS = {
    "small": Setting(
        recipe(density=0.023, bits=4),
        prune=3.0,
        prune_rate=1e-3,
        settle=1.0,
        settle_rate=4e-4,
        share=0.4,
        share_rate=3e-4,
        adaptive=True,
    )
}
"""{name: Setting}."""


def main(options=None):
    """The command line; see the top of this module."""
    picture_compression.main(SUBJECT, SETTINGS, __doc__, options)


if __name__ == "__main__":
    main()
