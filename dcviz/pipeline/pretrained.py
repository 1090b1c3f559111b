"""Trained nets by name: ``load("alexnet-cifar10")`` ships, ``load("alexnet-imagenet")`` needs a network once."""

import torch

from dcviz.errors import DataError, NetError
from dcviz.files import cache_dir
from dcviz.nets import models
from dcviz.nets.batchnorm import fold
from dcviz.nets.downloads import resume, sha256_begins
from dcviz.nets.transformer import language_model
from dcviz.pipeline import restore, shipped

PUBLISHED = "https://download.pytorch.org/models/"
IMAGENET = {
    "alexnet-imagenet": ("alexnet", "alexnet-owt-7be5be79.pth"),
    "vgg16-imagenet": ("vgg-16", "vgg16-397923af.pth"),
    "googlenet-imagenet": ("googlenet", "googlenet-1378be20.pth"),
}
"""{name: (net, file as torchvision publishes it; the digits in its name begin its SHA-256)}."""
MOST = 600_000_000
"""Bytes of such a file at most: VGG-16 has 553 MB."""


def names():
    """Every name that ``load`` knows, the ones that need no network first."""
    return (
        *dict.fromkeys(spec.net for spec in shipped.REFERENCES.values()),
        *shipped.ALEXNETS,
        shipped.LANGUAGE,
        *IMAGENET,
    )


def load(name, server=PUBLISHED):
    """A trained torch net in evaluation mode.

    "lenet-300-100", "lenet-5": the shipped dense nets. "alexnet-cifar10..." : decoded from shipped .dcz files.
    "austen": the language model of chapter 12, place numbers of pieces of words in, logits out.
    "...-imagenet": torchvision's weights, fetched once into the cache (244, 553, 52 MB), going on after a cut
    connection; GoogLeNet comes without its auxiliary outputs and with batch normalisation folded into its
    convolutions, and wants pictures scaled to mean 0.5 and deviation 0.5.

    NetError for an unknown name; DataError without a network, with what to do.
    """
    if name in shipped.ALEXNETS:
        return restore(shipped.compressed(name))
    if name in IMAGENET:
        return _imagenet(name, server)
    if name == shipped.LANGUAGE:
        return language_model()
    if name in names():
        return shipped.dense(name)
    raise NetError(f"no trained net is called {name!r}; there are {', '.join(names())}")


def _imagenet(name, server):
    net_name, file = IMAGENET[name]
    digits = file.rsplit("-", 1)[1].removesuffix(".pth")
    fetched = resume(server + file, cache_dir() / "imagenet" / file, sha256_begins(digits), MOST)
    with torch.device("meta"):
        net = models.build(net_name)
    try:
        state = torch.load(fetched, map_location="cpu", weights_only=True)  # tensors only: no code is run
        state = {key: value for key, value in state.items() if not key.startswith("aux")}
        net.load_state_dict(state, assign=True)
    except Exception as error:  # torch raises all kinds of things for a file that is none of its own
        raise DataError(
            f"{fetched}: does not hold the weights of {net_name} ({error}); delete it and try again"
        ) from error
    return (fold(net) if net_name == "googlenet" else net).eval()
