import numpy as np
import pytest
import torch
from torch import nn

from dcviz.errors import CodebookError
from dcviz.evidence import paper
from dcviz.ideas import shared_values
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import LayerRecipe, Recipe, compress
from dcviz.pipeline.trained_quantization import SharedWeights, reduce_gradient

FIG3 = paper.table("figure3_weight_sharing_example")


def by_code(values):
    return [values[str(code)] for code in range(4)]


def test_figure_3_is_reproduced_exactly():
    weights = np.array(FIG3["weights"])
    codes = assign(weights, np.array(by_code(FIG3["centroids"])))
    np.testing.assert_array_equal(codes, FIG3["cluster_index"])

    gradient = torch.tensor(FIG3["gradient"], dtype=torch.float64)
    reduced = reduce_gradient(gradient, torch.tensor(codes.astype(np.int64)), 4)
    np.testing.assert_allclose(reduced, by_code(FIG3["reduced_gradient"]), atol=1e-12)

    assert (shared_values.reduce_gradient(FIG3["gradient"], codes, 4) == reduced.numpy()).all()

    learned = shared_values.gradient_step(np.array(by_code(FIG3["centroids"])), reduced.numpy(), 1.0)
    np.testing.assert_allclose(learned, by_code(FIG3["fine_tuned"]), atol=1e-12)


def test_the_reduced_gradient_is_what_autograd_finds():
    torch.manual_seed(0)
    centroids = torch.randn(5, dtype=torch.float64, requires_grad=True)
    codes = torch.randint(0, 5, (6, 7))
    inputs = torch.randn(4, 7, dtype=torch.float64)
    weight = centroids[codes]
    weight.retain_grad()
    (inputs @ weight.T).square().sum().backward()
    torch.testing.assert_close(reduce_gradient(weight.grad, codes, 5), centroids.grad)


def shared_net():
    net = models.build("lenet-300-100", seed=0)
    with torch.no_grad():
        net.fc1.weight[net.fc1.weight.abs() < 0.02] = 0.0
    books = {
        name: kmeans(layer.weight.detach().numpy()[layer.weight.detach().numpy() != 0], 8).centroids
        for name, layer in models.weight_layers(net).items()
    }
    return net, books


def test_fine_tuning_moves_the_values_but_never_the_codes_or_the_zeros():
    net, books = shared_net()
    zero = net.fc1.weight == 0
    shared = SharedWeights(net, books)
    before = {name: layer.weight.detach().clone() for name, layer in models.weight_layers(net).items()}
    few = datasets.digits().train.take(slice(0, 640))
    losses = training.fit(net, few, Schedule(epochs=3, lr=1e-3), constraint=shared)
    assert losses[-1] < losses[0]
    for name, layer in models.weight_layers(net).items():
        values = np.unique(layer.weight.detach().numpy())
        assert len(values) <= 8 + 1
        old = before[name]
        for value in torch.unique(old):
            assert len(torch.unique(layer.weight[old == value])) == 1, "weights of a cluster stay together"
        assert not torch.equal(old, layer.weight)
    assert torch.equal(net.fc1.weight == 0, zero)
    books = shared.codebooks()
    np.testing.assert_array_equal(np.unique(books["fc2"]), np.unique(net.fc2.weight.detach().numpy()))


def test_rounding_leaves_net_and_codebook_equal():
    net, books = shared_net()
    shared = SharedWeights(net, books)
    shared.round_to("float16")
    for name, centroids in shared.codebooks().items():
        np.testing.assert_array_equal(centroids, centroids.astype(np.float16).astype(np.float32))
        weight = models.weight_layers(net)[name].weight.detach().numpy()
        assert set(np.unique(weight)) <= {0.0, *centroids.tolist()}


def test_an_empty_codebook_is_refused_and_an_empty_layer_is_not():
    net = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(CodebookError, match="layer '0' has 12 weights left but an empty codebook"):
        SharedWeights(net, {"0": np.zeros(0)})
    nn.init.zeros_(net[0].weight)
    assert SharedWeights(net, {"0": np.zeros(0)}).codebooks() == {}


def test_a_norm_that_was_pruned_to_nothing_stays_nothing_in_fine_tuning():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 3))
    batch = torch.randn(8, 6), torch.randn(8, 3)
    layers = {"0": LayerRecipe(1, 3, None), "1": LayerRecipe(0.01, 3, 5)}
    recipe = Recipe(layers, Schedule(0), Schedule(3, lr=0.1))
    made = compress(net, recipe, [batch], loss=nn.functional.mse_loss, progress=lambda *_: None)
    state = made.stored.state_dict()
    assert not state["1.weight"].any()
    assert (state["1.bias"] != net[1].bias.detach().numpy()).all()
