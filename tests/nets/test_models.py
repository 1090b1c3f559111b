import pytest
import torch
from torch import nn

from dcviz.errors import NetError
from dcviz.nets import models


@pytest.mark.parametrize(
    ("name", "parameters", "layers"),
    [
        ("lenet-300-100", 266_610, {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}),
        ("lenet-5", 431_080, {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)}),
    ],
)
def test_lenets_have_the_papers_sizes(name, parameters, layers):
    net = models.build(name, seed=1)
    assert models.dense_bytes(net) == 4 * parameters
    assert {key: tuple(layer.weight.shape) for key, layer in models.weight_layers(net).items()} == layers
    assert net(torch.zeros(3, 1, 28, 28)).shape == (3, 10)
    assert not net.training


def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second, other = (models.build("lenet-300-100", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.fc1.weight, second.fc1.weight)
    assert not torch.equal(first.fc1.weight, other.fc1.weight)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_unknown_net_is_named():
    with pytest.raises(NetError, match=r"'lenet-6'.*lenet-300-100, lenet-5"):
        models.build("lenet-6")


def test_a_layer_of_an_unknown_type_is_never_skipped():
    net = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    with pytest.raises(NetError, match="layer '1' is a LayerNorm"):
        models.weight_layers(net)
    with pytest.raises(NetError, match="no Linear or Conv2d"):
        models.weight_layers(nn.Sequential(nn.ReLU()))


def test_layers_of_the_papers_nets_have_the_papers_names():
    assert models.paper_names("lenet-5") == {name: name for name in ("conv1", "conv2", "fc1", "fc2")}
    assert models.paper_names("alexnet")["classifier.6"] == "fc8"
    assert list(models.paper_names("vgg-16").values())[-4:] == ["conv5_3", "fc6", "fc7", "fc8"]


class Scaled(nn.Linear):
    """A layer with one parameter more than a file holds."""

    def __init__(self):
        super().__init__(3, 3)
        self.gain = nn.Parameter(torch.ones(3))


def test_a_layer_with_one_more_parameter_is_named():
    with pytest.raises(NetError, match=r"layer '0' is a Scaled with the parameters gain"):
        models.weight_layers(nn.Sequential(Scaled()))


def test_batch_normalisation_without_parameters_is_not_lost_either():
    with pytest.raises(NetError, match="statistics"):
        models.weight_layers(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, affine=False)))


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_pooling_is_torch_s_with_a_gradient_and_without(size):
    x = torch.randint(0, 3, (2, 3, *size), generator=torch.Generator().manual_seed(1)).float()  # ties, too
    x[0, 0, 0, 0] = torch.nan
    torch.testing.assert_close(models.pooled(x), torch.max_pool2d(x, 2), rtol=0, atol=0, equal_nan=True)
    found, wanted = (x[1:].clone().requires_grad_() for _ in range(2))
    models.pooled(found).square().sum().backward()
    torch.max_pool2d(wanted, 2).square().sum().backward()
    assert torch.equal(found.grad, wanted.grad)
