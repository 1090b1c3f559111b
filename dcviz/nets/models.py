"""The nets of the paper, and the few facts about a net that compression needs.

The LeNets are here in full; AlexNet, VGG-16 and their kin are in ``models_imagenet``.
"""

from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from dcviz.errors import NetError
from dcviz.evidence import paper
from dcviz.nets.machine import keep_to_quota

keep_to_quota()


class LeNet300100(nn.Module):
    """LeNet-300-100: two hidden layers of 300 and 100 units, 266,610 parameters (Table 2).

    Input float32 (n, 1, 28, 28) in 0..1; output logits (n, 10).
    """

    name = "lenet-300-100"

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, 10)

    def forward(self, x):
        """Logits (n, 10) of images (n, 1, 28, 28)."""
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc3(torch.relu(self.fc2(x)))


def pooled(x):
    """The largest of each 2 x 2 of maps (n, channels, h, w) -> (n, channels, h // 2, w // 2).

    As `torch.max_pool2d`, which takes ten times as long on a processor, and is asked where there is to be a gradient,
    and by torch.fx, which follows no branch.
    """
    if not isinstance(x, torch.Tensor) or x.requires_grad:
        return torch.max_pool2d(x, 2)
    high, wide = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
    x = torch.maximum(x[..., :high:2, :wide], x[..., 1:high:2, :wide])
    return torch.maximum(x[..., ::2], x[..., 1::2])


class LeNet5(nn.Module):
    """LeNet-5 as in Caffe: 20 and 50 filters of 5x5, then 500 and 10 units, 431,080 parameters (Table 3).

    Input float32 (n, 1, 28, 28) in 0..1; output logits (n, 10). As in Caffe's net there is no
    rectifier after the convolutions: max-pooling is their only non-linearity.
    """

    name = "lenet-5"

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x):
        """Logits (n, 10) of images (n, 1, 28, 28)."""
        x = pooled(self.conv1(x))
        x = pooled(self.conv2(x))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def _imagenet(name, folded=False):
    def make(**options):
        from dcviz.nets import batchnorm, models_imagenet

        net = getattr(models_imagenet, name)(**options)
        return batchnorm.fold(net) if folded else net

    return make


def _decoder(num_classes=1024):
    from dcviz.nets.transformer import Decoder

    return Decoder(num_classes)


NETS = {
    "lenet-300-100": LeNet300100,
    "lenet-5": LeNet5,
    "alexnet": _imagenet("AlexNet"),
    "vgg-16": _imagenet("VGG16"),
    "vgg-16-cifar": _imagenet("VGG16CIFAR"),
    "vgg-16-cifar-folded": _imagenet("VGG16CIFAR", folded=True),
    "googlenet": _imagenet("GoogLeNet"),
    "googlenet-folded": _imagenet("GoogLeNet", folded=True),
    "squeezenet": _imagenet("SqueezeNet"),
    "austen": _decoder,
}
"""The nets that ``build`` knows, by name."""


def build(name, seed=None, **options):
    """A new net by name, in evaluation mode; ``seed`` fixes its random initial weights.

    Options go to the net's class (``num_classes`` for the ImageNet nets). NetError for an unknown name.
    """
    if name not in NETS:
        raise NetError(f"there is no net called {name!r}; known are {', '.join(NETS)}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return NETS[name](**options).eval()


@contextmanager
def watched(modules, see, inputs=False):
    """Inside, ``see(name, output)`` is called after each call of one of {name: module}.

    What it gives, unless None, goes on in the output's place. inputs: see(name, input) before each call instead.
    """

    def hook(name):
        if inputs:
            return lambda _, given: see(name, given[0])
        return lambda _, given, output: see(name, output)

    with ExitStack() as hooks:
        for name, module in modules.items():
            register = module.register_forward_pre_hook if inputs else module.register_forward_hook
            hooks.callback(register(hook(name)).remove)
        yield


def weight_layers(net):
    """The layers to compress, in order: {name: Linear or Conv2d module}.

    Raises NetError naming the first module that holds parameters of any other kind, since
    leaving it out would make every size a lie; so does a Linear or Conv2d with more than weight and bias.
    """
    layers = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            more = [held for held, _ in module.named_parameters(recurse=False) if held not in ("weight", "bias")]
            if more:
                raise NetError(
                    f"layer {name or '(the net itself)'!r} is a {type(module).__name__} with the parameters "
                    f"{', '.join(more)} beside weight and bias, which a file would lose"
                )
            layers[name] = module
        elif getattr(module, "running_mean", None) is not None:
            raise NetError(
                f"layer {name or '(the net itself)'!r} is a {type(module).__name__} with statistics of its own, which "
                "a file would lose: fold it first (dcviz.nets.batchnorm)"
            )
        elif next(module.parameters(recurse=False), None) is not None:
            raise NetError(
                f"layer {name or '(the net itself)'!r} is a {type(module).__name__}: dcviz compresses Linear and "
                "Conv2d layers, and will not silently skip another layer's parameters"
            )
    if not layers:
        raise NetError(f"{type(net).__name__} has no Linear or Conv2d layer to compress")
    return layers


def paper_names(name):
    """{our name of a layer: the paper's} for a net of Tables 2 to 5; DataError for another.

    paper_names("alexnet")["classifier.1"] -> "fc6"
    """
    printed = paper.layers(name)
    with torch.device("meta"):
        return dict(zip(weight_layers(build(name)), printed, strict=True))


def dense_bytes(net):
    """Bytes of all parameters, biases included, as float32: what every ratio divides by."""
    return 4 * sum(parameter.numel() for parameter in net.parameters())
