"""The nets against the numbers published for them; on the meta device, so no memory and no time."""

import pytest
import torch

from dcviz.nets import models
from dcviz.nets.models_imagenet import AlexNet, GoogLeNet, SqueezeNet, he_init

PARAMETERS = {"alexnet": 61_100_840, "vgg-16": 138_357_544, "googlenet": 6_624_904, "squeezenet": 1_248_424}


def on_meta(name, **options):
    with torch.device("meta"):
        return models.build(name, **options)


@pytest.mark.parametrize("name", PARAMETERS)
def test_size_and_output(name):
    net = on_meta(name)
    assert net.name == name
    assert sum(p.numel() for p in net.parameters()) == PARAMETERS[name]
    assert net(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1000)


@pytest.mark.parametrize("name", PARAMETERS)
def test_number_of_classes(name):
    assert on_meta(name, num_classes=10)(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 10)


def keys(*layers):
    return [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]


def test_alexnet_keys_and_shapes():
    state = on_meta("alexnet").state_dict()
    convolutions = [f"features.{i}" for i in (0, 3, 6, 8, 10)]
    assert list(state) == keys(*convolutions, "classifier.1", "classifier.4", "classifier.6")
    assert [tuple(state[f"{name}.weight"].shape) for name in convolutions] == [
        (64, 3, 11, 11),
        (192, 64, 5, 5),
        (384, 192, 3, 3),
        (256, 384, 3, 3),
        (256, 256, 3, 3),
    ]
    assert state["classifier.1.weight"].shape == (4096, 9216)


def test_vgg16_keys():
    convolutions = [f"features.{i}" for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]
    state = on_meta("vgg-16").state_dict()
    assert list(state) == keys(*convolutions, "classifier.0", "classifier.3", "classifier.6")
    assert state["classifier.0.weight"].shape == (4096, 25088)


def test_squeezenet_keys():
    fires = [
        f"features.{i}.{part}" for i in (3, 4, 5, 7, 8, 9, 10, 12) for part in ("squeeze", "expand1x1", "expand3x3")
    ]
    assert list(on_meta("squeezenet").state_dict()) == keys("features.0", *fires, "classifier.1")


def test_googlenet_keys():
    units = ["conv1", "conv2", "conv3"]
    for block in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
        units += [f"inception{block}.{branch}" for branch in branches]
    parts = ["conv.weight"]
    parts += [f"bn.{x}" for x in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]
    state = on_meta("googlenet").state_dict()
    assert list(state) == [f"{unit}.{part}" for unit in units for part in parts] + keys("fc")
    assert state["inception3a.branch3.1.conv.weight"].shape == (32, 16, 3, 3)  # 3 x 3, not 5 x 5
    assert state["inception5b.branch2.1.conv.weight"].shape == (384, 192, 3, 3)


@pytest.mark.parametrize("pixels", [63, 96, 224])
def test_alexnet_takes_pictures_of_any_size_from_63_pixels(pixels):
    assert on_meta("alexnet", num_classes=10)(torch.empty(1, 3, pixels, pixels, device="meta")).shape == (1, 10)


def test_alexnet_refuses_smaller_pictures():
    with pytest.raises(RuntimeError, match="too small"):
        on_meta("alexnet")(torch.empty(1, 3, 62, 62, device="meta"))


def test_squeezenet_forward_matches_the_same_layers_written_out():
    torch.manual_seed(0)
    net = he_init(SqueezeNet(num_classes=7)).eval()
    x = torch.randn(2, 3, 48, 48)
    w = dict(net.named_parameters())
    conv, pool = torch.nn.functional.conv2d, lambda t: torch.max_pool2d(t, 3, 2, ceil_mode=True)

    def layer(t, key, **options):
        return conv(t, w[f"{key}.weight"], w[f"{key}.bias"], **options).relu()

    t = pool(layer(x, "features.0", stride=2))
    for i in (3, 4, 5, 7, 8, 9, 10, 12):
        t = pool(t) if i in (7, 12) else t  # pooled before features.7 (fire5) and features.11 precedes 12
        s = layer(t, f"features.{i}.squeeze")
        halves = layer(s, f"features.{i}.expand1x1"), layer(s, f"features.{i}.expand3x3", padding=1)
        t = torch.cat(halves, 1)
    torch.testing.assert_close(net(x), layer(t, "classifier.1").mean((2, 3)))


def test_googlenet_runs_its_blocks_in_order():
    torch.manual_seed(0)
    net = GoogLeNet(num_classes=3).eval()
    x = t = torch.randn(1, 3, 64, 64)
    blocks = (
        "conv1 maxpool1 conv2 conv3 maxpool2 inception3a inception3b maxpool3 inception4a inception4b "
        "inception4c inception4d inception4e maxpool4 inception5a inception5b avgpool"
    )
    for name in blocks.split():
        t = getattr(net, name)(t)
    torch.testing.assert_close(net(x), net.fc(t.flatten(1)))


def test_he_init_keeps_the_size_of_signals():
    torch.manual_seed(0)
    features = he_init(AlexNet(num_classes=2).features)
    out = features(torch.randn(4, 3, 96, 96))
    default = AlexNet(num_classes=2).features(torch.randn(4, 3, 96, 96))
    assert 0.3 < out.std() < 10
    assert out.std() > 20 * default.std()
    assert all(not layer.bias.any() for layer in features if hasattr(layer, "bias"))
