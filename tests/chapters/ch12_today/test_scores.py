import numpy as np
import pytest
import torch

from dcviz.chapters.ch12_today import scores, tables
from dcviz.errors import RecipeError
from dcviz.nets import datasets, training
from dcviz.pipeline import shipped


class Net(torch.nn.Module):
    """Two layers, no bias, on inputs (n, 8)."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = torch.nn.Linear(8, 12, bias=False), torch.nn.Linear(12, 4, bias=False)
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, generator=generator)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


@pytest.fixture
def net():
    return Net()


@pytest.fixture
def inputs():
    loud = torch.tensor([1.0, 10, 0.1, 1, 5, 0.2, 1, 3])
    generator = torch.Generator().manual_seed(1)
    return torch.randn(50, 4, generator=generator) @ torch.randn(4, 8, generator=generator) * loud + 0.1


def test_grams_are_of_what_each_layer_meets(net, inputs):
    found = scores.grams(net, inputs)
    hidden = torch.relu(net.first(inputs)).detach()
    assert np.allclose(found["first"], inputs.T @ inputs, rtol=1e-4)
    assert np.allclose(found["second"], hidden.T @ hidden, rtol=1e-4)
    assert np.allclose(scores.norms(found["first"]), inputs.norm(dim=0), rtol=1e-4)
    assert list(scores.grams(net, inputs, ["second"])) == ["second"]
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_squared_gradients_are_means_over_batches(net, inputs):
    targets = torch.arange(50) % 4
    batches = [(inputs[i : i + 1], targets[i : i + 1]) for i in range(3)]
    found = scores.squared_gradients(net, batches)
    expected = 0
    for x, y in batches:
        net.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        expected = expected + net.first.weight.grad**2 / 3
    assert np.allclose(found["first"], expected, rtol=1e-4)


def test_masks_keep_what_they_should(net, inputs):
    weight, norm = net.first.weight.detach().numpy(), inputs.norm(dim=0).numpy()
    for way in scores.WAYS:
        kept = scores.mask(weight, 0.5, way, norm)
        score = np.abs(weight) if way.startswith("magnitude") else np.abs(weight) * norm
        assert kept.sum() == weight.size // 2
        if way.endswith("whole layer"):
            assert score[kept].min() >= score[~kept].max()
        else:
            assert set(kept.sum(1)) == {4}
            assert all(row[k].min() >= row[~k].max() for row, k in zip(score, kept, strict=True))
    assert not np.array_equal(*(scores.mask(weight, 0.5, way, norm) for way in (scores.WAYS[0], scores.WAYS[2])))


def test_two_of_every_four(net, inputs):
    weight, norm = net.first.weight.detach().numpy(), inputs.norm(dim=0).numpy()
    kept = scores.mask(weight, 0.9, "Wanda, each output", norm, "2:4")
    assert set(kept.reshape(-1, 4).sum(1)) == {2}
    assert scores.two_of_four(np.array([[4.0, 1, 3, 2], [1, 1, 1, 1]])).tolist() == [[1, 0, 1, 0], [1, 1, 0, 0]]
    with pytest.raises(RecipeError, match="in fours, not 6"):
        scores.two_of_four(np.ones((2, 6)))


def test_unknown_ways_and_patterns_are_refused():
    for way, pattern in (("by eye", "free"), ("corrected", "3:7")):
        with pytest.raises(RecipeError, match="must be one of"):
            scores.mask(np.ones((2, 4)), 0.5, way, np.ones(4), pattern)


def test_corrected_weights_are_the_least_squares_answer(net, inputs):
    noise = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(2))
    weight, x = net.first.weight.detach().numpy(), (inputs + 0.3 * noise).numpy()
    kept = scores.mask(weight, 0.5, "Wanda, each output", scores.norms(x.T @ x))
    moved = scores.correct(weight, kept, x.T @ x, damp=0)
    assert not moved[~kept].any()
    for row, keep, new in zip(weight, kept, moved, strict=True):
        best = np.linalg.lstsq(x[:, keep].astype(float), x.astype(float) @ row, rcond=None)[0]
        assert np.allclose(new[keep], best, rtol=1e-3, atol=1e-4)

    def harm(new):
        return np.square(x @ weight.T - x @ new.T).sum()

    assert harm(moved) < 0.9 * harm(weight * kept)


def test_an_input_that_never_comes_does_no_harm():
    x = np.array([[1.0, 0.0, 2.0], [2.0, 0.0, 1.0]], np.float32)
    moved = scores.correct(np.ones((1, 3), np.float32), np.array([[True, True, False]]), x.T @ x)
    assert np.isfinite(moved).all()
    assert abs(moved[0, 1]) < 2


def test_pruning_changes_a_copy_and_only_the_layers_asked_for(net, inputs):
    grams = scores.grams(net, inputs, ["first"])
    before = [p.detach().clone() for p in net.parameters()]
    found = scores.prune(net, {"first": 0.25}, "corrected", grams)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert (found.first.weight != 0).sum() == 24
    assert torch.equal(found.second.weight, net.second.weight)
    cut = scores.prune(net, 0.25, "Wanda, each output", grams).first.weight.detach().numpy()
    assert not np.signbit(cut[cut == 0]).any()  # a file would store -0.0 as a weight


def test_the_table_of_the_pruned_lenet_is_that_of_the_torch_nets():
    net, digits = shipped.dense("lenet-300-100"), datasets.digits()
    grams = scores.grams(net, training.to_input(digits.train.images[:500]), ("fc1", "fc2"))
    cut = [net, *(scores.prune(net, 0.08, way, grams) for way in scores.WAYS)]
    shown = tables.lenet_pruned().iloc[:, 0].astype(float)
    assert list(shown) == pytest.approx([training.error_percent(one, digits.test) for one in cut], abs=0.16)
