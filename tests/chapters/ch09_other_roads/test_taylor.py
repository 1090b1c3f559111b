"""Filters are ranked as the formula says, really removed, and what is left computes what it should."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dcviz.chapters.ch09_other_roads import comparison, rebuild, taylor
from dcviz.errors import NetError, RecipeError
from dcviz.nets import models, training
from dcviz.nets.models_imagenet import AlexNet
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped


def by_hand(net, split, name):
    """Scores from activations and gradients that are really kept, one picture at a time."""
    layer, kept = models.weight_layers(net)[name], []
    hook = layer.register_forward_hook(lambda module, arguments, output: kept.append(output) or output.retain_grad())
    scores = []
    for image, label in zip(split.images, split.labels, strict=True):
        kept.clear()
        F.cross_entropy(net(training.to_input(image[None])), torch.tensor([label])).backward()
        scores.append(taylor.channel_scores(kept[0].detach().numpy(), kept[0].grad.numpy()))
    hook.remove()
    return np.mean(scores, 0)


@pytest.mark.parametrize("layer", ["conv1", "conv2", "fc1"])
def test_scores_are_the_mean_of_activation_times_gradient(layer, digits):
    net, few = shipped.dense("lenet-5"), digits.take(slice(0, 12))
    found = taylor.scores(net, few, batch_size=5)[layer]
    np.testing.assert_allclose(found, taylor.normalised(by_hand(net, few, layer)), rtol=1e-3, atol=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert all(parameter.grad is None for parameter in shipped.dense("lenet-5").parameters())


def test_channel_scores_by_hand():
    activation = np.array([[[1.0, 2.0], [0.0, 3.0]], [[-1.0, 1.0], [2.0, 2.0]]])
    gradient = np.array([[[1.0, -1.0], [5.0, 1.0]], [[1.0, 0.0], [-1.0, 1.0]]])
    np.testing.assert_allclose(taylor.channel_scores(activation, gradient), [(0.5 + 0.5) / 2, (1.5 + 0.0) / 2])


def test_taylor_agrees_with_the_loss_that_really_changes_far_better_than_chance(digits):
    net = shipped.dense("lenet-5")
    real = taylor.oracle(net, digits, "conv2").argsort().argsort()
    rank = {c: taylor.scores(net, digits, c, ["conv2"])["conv2"].argsort().argsort() for c in taylor.CRITERIA}
    likeness = {c: np.corrcoef(real, values)[0, 1] for c, values in rank.items()}
    assert likeness["taylor"] > 0.5
    assert likeness["taylor"] > likeness["random"] + 0.2


@pytest.mark.parametrize("name", ["lenet-5", "lenet-300-100"])
def test_removing_silent_channels_changes_no_answer(name, digits):
    net, rng = shipped.dense(name), np.random.default_rng(0)
    layers, kept = models.weight_layers(net), {}
    with torch.no_grad():
        for key in taylor.to_channels(net):
            n = len(layers[key].bias)
            kept[key] = rng.permutation(n)[: n // 3]
            gone = np.setdiff1d(np.arange(n), kept[key])
            layers[key].weight[gone] = 0
            layers[key].bias[gone] = 0
    small = taylor.remove(net, kept)
    pictures = training.to_input(digits.images)
    torch.testing.assert_close(small(pictures), net(pictures), rtol=1e-4, atol=1e-4)
    before, after = comparison.multiplications(net), comparison.multiplications(small)
    assert all(after[key] < before[key] for key in before)
    assert [len(layer.bias) for layer in models.weight_layers(small).values()][:-1] == [len(k) for k in kept.values()]


def tiny_alexnet():
    net = AlexNet(num_classes=5).eval()
    for name, layer in models.weight_layers(net).items():  # a sixteenth of its width: the same shape of net
        inputs = layer.weight.shape[1] // 16 if name != "features.0" else 3
        outputs = layer.weight.shape[0] // 16 if layer.weight.shape[0] > 5 else 5
        net.set_submodule(
            name,
            rebuild.resized(layer, 0.1 * torch.randn(outputs, inputs, *layer.weight.shape[2:]), torch.zeros(outputs)),
        )
    return net.eval()


def test_alexnet_loses_channels_of_convolutions_and_neurons():
    torch.manual_seed(0)
    net = tiny_alexnet()
    layers = models.weight_layers(net)
    kept = {"features.0": [0, 3], "features.10": [1, 2, 5, 6, 7], "classifier.1": range(0, 200, 2)}
    with torch.no_grad():
        for name, rows in kept.items():
            gone = np.setdiff1d(np.arange(len(layers[name].bias)), list(rows))
            layers[name].weight[gone] = 0
    small = taylor.remove(net, {name: list(rows) for name, rows in kept.items()})
    pictures = torch.rand(2, 3, 96, 96)
    torch.testing.assert_close(small(pictures), net(pictures), rtol=1e-4, atol=1e-4)
    assert small.classifier[1].weight.shape == (100, 5 * 36)
    assert comparison.multiplications(small, (3, 96, 96))["features.3"] == 12 * 2 * 25 * 11 * 11


def test_fc6_loses_the_36_columns_of_each_channel_that_conv5_loses():
    net = tiny_alexnet()
    with torch.no_grad():
        net.classifier[1].weight.copy_(torch.arange(16 * 36).expand(256, -1))  # each column says where it was
    small = taylor.remove(net, {"features.10": [3, 15, 4]})
    columns = small.classifier[1].weight[0].int().tolist()
    assert columns == [*range(3 * 36, 5 * 36), *range(15 * 36, 16 * 36)]


def test_alexnet_is_ranked_on_colour_pictures(digits):
    torch.manual_seed(0)
    net, split = tiny_alexnet(), digits.take(digits.labels < 5).take(slice(0, 20))

    def colour(images):
        return F.interpolate(training.to_input(images).expand(-1, 3, -1, -1), size=96)

    found = taylor.scores(net, split, to_input=colour)
    assert [len(values) for values in found.values()] == [4, 12, 24, 16, 16, 256, 256]
    assert all(np.linalg.norm(values) == pytest.approx(1) for values in found.values())
    kept = taylor.lowest(net, split, 0.5, layers=["features.8", "features.10"], to_input=colour)
    assert sum(map(len, kept.values())) == 16


def test_a_fraction_goes_from_all_layers_together_and_none_is_left_empty(digits):
    net = shipped.dense("lenet-300-100")
    kept = taylor.lowest(net, digits, 0.6)
    assert sum(map(len, kept.values())) == 160
    assert min(map(len, taylor.lowest(net, digits, 0.999).values())) == 1
    assert taylor.lowest(net, digits, 0.0) == {"fc1": list(range(300)), "fc2": list(range(100))}
    with pytest.raises(RecipeError, match="below 1"):
        taylor.lowest(net, digits, 1.0)


def test_pruning_in_rounds_leaves_the_share_asked_for(digits):
    retrain = taylor.on_digits(digits, Schedule(epochs=1))
    small = taylor.prune(shipped.dense("lenet-300-100"), digits, 0.75, 3, retrain)
    left = small.fc1.out_features + small.fc2.out_features
    assert left == pytest.approx(100, abs=2)
    assert training.error_percent(small, digits) < 20


def test_each_layer_loses_its_own_share_where_layers_do_not_compete(digits):
    net = shipped.dense("lenet-300-100")
    kept = taylor.lowest(net, digits, 0.6, "magnitude", even=True)
    assert {name: len(channels) for name, channels in kept.items()} == {"fc1": 120, "fc2": 40}
    norms = net.fc2.weight.detach().norm(dim=1).numpy()
    assert kept["fc2"] == sorted(np.argsort(norms)[60:])
    assert min(map(len, taylor.lowest(net, digits, 0.999, even=True).values())) == 1


def test_any_retraining_may_follow_each_round(digits):
    turns, asked = [], []

    def retrain(net, turn):
        turns.append((turn, net.fc1.out_features + net.fc2.out_features))

    def to_input(images):
        asked.append(len(images))
        return training.to_input(images)

    net = shipped.dense("lenet-300-100")
    small = taylor.prune(net, digits, 0.75, 2, retrain, ranking=50, to_input=to_input)
    assert turns == [(0, 200), (1, 100)]
    assert asked == [50, 50]
    assert small.fc1.out_features + small.fc2.out_features == 100
    assert net.fc1.out_features == 300


def test_what_cannot_be_ranked_or_removed_is_refused(digits):
    net = models.build("lenet-5", seed=0)
    with pytest.raises(RecipeError, match="taylor, magnitude, random"):
        taylor.scores(net, digits, "loudness")
    with pytest.raises(NetError, match="not from fc2"):
        taylor.remove(net, {"fc2": [0]})
    with pytest.raises(NetError, match="keep no channel"):
        taylor.remove(net, {"conv1": []})
    with pytest.raises(NetError, match="no layer called conv7"):
        taylor.scores(net, digits, layers=["conv7"])
