"""Compress the AlexNet that ``alexnet_training`` made: ``python -m dcviz alexnet compress``.

Two settings: the densities and bits of the paper's Table 4, and far fewer weights. Each begins with the dense net, is
pruned while it retrains, retrains on with what is left, then its weights share values that are fine-tuned, then it is
coded. Two hours for one core; stopped at any moment, the same command goes on.
"""

from functools import partial

from dcviz.nets import models
from dcviz.nets.alexnet_training import CLIP, WEIGHTS, first_net
from dcviz.pipeline import LayerRecipe, picture_compression, recipes
from dcviz.pipeline.picture_compression import Setting, Subject

SUBJECT = Subject(
    "alexnet",
    partial(first_net, dropout=0.1),
    pixels=224,
    command="alexnet",
    weights=WEIGHTS,
    made_by="dcviz alexnet train --report",
    clip=CLIP,
)
"""224 pixels are the size whose last feature map is the 6 x 6 that fc6 was made for."""


def _small():
    """Few weights, in as few bits as the net bears; gaps as wide as makes the smallest file."""
    densities = (0.7, 0.35, 0.3, 0.25, 0.25, 0.027, 0.027, 0.2)
    plan = zip(models.paper_names(SUBJECT.net), densities, (5, 5, 4, 4, 4, 4, 4, 4), strict=True)
    return recipes.as_printed(
        SUBJECT.net,
        layers={name: LayerRecipe(density, bits, None) for name, density, bits in plan},
        cuts=40,
        ramp=0.5,
        regrow=True,
        rate=0.01,
        drop_dead=True,
        dtype="float16",
        bias_dtype="float16",
    )


SETTINGS = {
    "paper": Setting(
        recipes.as_printed(SUBJECT.net, cuts=12, ramp=0.5, regrow=True),
        prune=1.25,
        prune_rate=6e-3,
        settle=1.0,
        settle_rate=2e-3,
        share=0.2,
        share_rate=1e-4,
    ),
    "small": Setting(_small(), prune=5.0, prune_rate=8e-3, settle=2.0, settle_rate=2e-3, share=0.5, share_rate=3e-4),
}
"""{name: Setting}."""


def main(options=None):
    """The command line; see the top of this module."""
    picture_compression.main(SUBJECT, SETTINGS, __doc__, options)


if __name__ == "__main__":
    main()
