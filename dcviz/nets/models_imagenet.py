"""The larger nets of the paper's tables, AlexNet and VGG-16, and two with few weights to spare.

Layer names follow torchvision's state dicts (``features.0.weight`` and so on), so weights published in
that form load unchanged. Every net takes float32 pictures (n, 3, h, w), 224 x 224 where the paper's
numbers are meant, and returns logits (n, num_classes). A call makes fresh random weights.
"""

import torch
from torch import nn


def he_init(net):
    """Draw weights so that signals keep their size through ReLU layers, biases zero. Returns ``net``.

    Without batch normalisation this decides whether AlexNet learns at all.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def _conv(inputs, outputs, size, **options):
    """A convolution and its ReLU."""
    return [nn.Conv2d(inputs, outputs, size, **options), nn.ReLU(inplace=True)]


class _Pictures(nn.Module):
    """Convolutions, average pooling to a fixed size, fully connected layers."""

    def forward(self, x):
        """Logits (n, num_classes) of pictures (n, 3, h, w)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class AlexNet(_Pictures):
    """5 convolutions, 3 fully connected layers: 61,100,840 parameters for 1,000 classes (Table 4).

    96% of them are in the fully connected layers, ``classifier.1``, ``.4`` and ``.6``: the paper's fc6,
    fc7 and fc8. This is the one-column form; the net of Table 4 has 60,965,224 parameters, as its conv2,
    conv4 and conv5 work in two groups. Pictures need 63 pixels or more.
    """

    name = "alexnet"

    def __init__(self, num_classes=1000, dropout=0.5):
        super().__init__()
        self.features = nn.Sequential(
            *_conv(3, 64, 11, stride=4, padding=2),
            nn.MaxPool2d(3, 2),
            *_conv(64, 192, 5, padding=2),
            nn.MaxPool2d(3, 2),
            *_conv(192, 384, 3, padding=1),
            *_conv(384, 256, 3, padding=1),
            *_conv(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )


VGG16_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""(filters, convolutions) between two poolings of VGG-16."""


def _normed_conv(inputs, outputs, size, **options):
    """A convolution without bias, batch normalisation and a ReLU."""
    conv, relu = _conv(inputs, outputs, size, bias=False, **options)
    return [conv, nn.BatchNorm2d(outputs), relu]


def _vgg_features(conv, **pooling):
    """The 13 convolutions of VGG-16, each made by ``conv``, and its poolings."""
    layers, inputs = [], 3
    for outputs, repeat in VGG16_BLOCKS:
        for _ in range(repeat):
            layers += conv(inputs, outputs, 3, padding=1)
            inputs = outputs
        layers.append(nn.MaxPool2d(2, **pooling))
    return nn.Sequential(*layers)


def _connected(inputs, width, num_classes, dropout):
    """VGG-16's three fully connected layers, two of them of a width."""
    return nn.Sequential(
        *(nn.Linear(inputs, width), nn.ReLU(inplace=True), nn.Dropout(dropout)),
        *(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Dropout(dropout)),
        nn.Linear(width, num_classes),
    )


class VGG16(_Pictures):
    """13 convolutions of 3 x 3, 3 fully connected layers: 138,357,544 parameters (Table 5).

    The first fully connected layer alone, ``classifier.0``, has three quarters of them.
    """

    name = "vgg-16"

    def __init__(self, num_classes=1000, dropout=0.5):
        super().__init__()
        self.features = _vgg_features(_conv)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = _connected(512 * 7 * 7, 4096, num_classes, dropout)


class VGG16CIFAR(_Pictures):
    """VGG-16 for pictures of 32 x 32, as published records of compression use it: 15,245,130 parameters folded, 61 MB.

    The same 13 convolutions, here with batch normalisation, and fully connected layers of 512, 512 and ``num_classes``
    units. ``batchnorm.fold`` gives the net that compression sees. Pictures of 16 pixels or more: the last pooling of
    one pixel leaves it as it is.
    """

    name = "vgg-16-cifar"

    def __init__(self, num_classes=10, dropout=0.0):
        super().__init__()
        self.features = _vgg_features(_normed_conv, ceil_mode=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = _connected(512, 512, num_classes, dropout)


class Fire(nn.Module):
    """SqueezeNet's block: 1 x 1 filters squeeze the channels, 1 x 1 and 3 x 3 filters expand them."""

    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        """(n, inputs, h, w) -> (n, 2 * expand, h, w)."""
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class SqueezeNet(nn.Module):
    """SqueezeNet 1.0: AlexNet's accuracy from 1,248,424 parameters, no fully connected layer.

    The net whose compressed form the paper's authors published; ``authors`` reads it.
    """

    name = "squeezenet"

    def __init__(self, num_classes=1000, dropout=0.5):
        super().__init__()
        pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
        self.features = nn.Sequential(
            *_conv(3, 96, 7, stride=2),
            pool(),
            Fire(96, 16, 64),
            Fire(128, 16, 64),
            Fire(128, 32, 128),
            pool(),
            Fire(256, 32, 128),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            pool(),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(nn.Dropout(dropout), *_conv(512, num_classes, 1), nn.AdaptiveAvgPool2d(1))

    def forward(self, x):
        """Logits (n, num_classes) of pictures (n, 3, h, w)."""
        return self.classifier(self.features(x)).flatten(1)


class NormedConv(nn.Module):
    """A convolution without bias, batch normalisation, ReLU."""

    def __init__(self, inputs, outputs, size, **options):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, bias=False, **options)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x):
        """(n, inputs, h, w) -> (n, outputs, h', w')."""
        return torch.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """GoogLeNet's block: four branches side by side, their channels stacked.

    ``widths``: outputs of the 1 x 1 branch; (reduced, outputs) of the two 3 x 3 branches; outputs of the
    pooling branch. The third branch is 3 x 3, not the original's 5 x 5, as in torchvision.
    """

    def __init__(self, inputs, one, three, five, pooled):
        super().__init__()
        self.branch1 = NormedConv(inputs, one, 1)
        self.branch2 = nn.Sequential(NormedConv(inputs, three[0], 1), NormedConv(*three, 3, padding=1))
        self.branch3 = nn.Sequential(NormedConv(inputs, five[0], 1), NormedConv(*five, 3, padding=1))
        pool = nn.MaxPool2d(3, 1, padding=1, ceil_mode=True)
        self.branch4 = nn.Sequential(pool, NormedConv(inputs, pooled, 1))

    def forward(self, x):
        """(n, inputs, h, w) -> (n, sum of the branches' outputs, h, w)."""
        return torch.cat([branch(x) for branch in self.children()], 1)


class GoogLeNet(nn.Module):
    """GoogLeNet with batch normalisation, no auxiliary outputs: 6,624,904 parameters.

    Weights published for torchvision expect pictures scaled to mean 0.5 and deviation 0.5 per channel.
    """

    name = "googlenet"

    def __init__(self, num_classes=1000, dropout=0.2):
        super().__init__()
        pool = lambda size=3: nn.MaxPool2d(size, 2, ceil_mode=True)  # noqa: E731
        self.conv1, self.maxpool1 = NormedConv(3, 64, 7, stride=2, padding=3), pool()
        self.conv2 = NormedConv(64, 64, 1)
        self.conv3, self.maxpool2 = NormedConv(64, 192, 3, padding=1), pool()
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = pool()
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = pool(2)
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.avgpool, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, x):
        """Logits (n, num_classes) of pictures (n, 3, h, w)."""
        for name, block in self.named_children():  # declared in the order in which they run
            x = block(x.flatten(1) if name == "dropout" else x)
        return x
