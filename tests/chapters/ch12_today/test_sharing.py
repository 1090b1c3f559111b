import numpy as np
import pytest
import torch

from dcviz import archive
from dcviz.chapters.ch12_today import sharing, together
from dcviz.errors import RecipeError
from dcviz.ideas import kmeans


@pytest.fixture
def weight():
    return np.random.default_rng(0).normal(0, 0.1, (8, 64)).astype(np.float32)


@pytest.mark.parametrize("method", sharing.METHODS)
@pytest.mark.parametrize("group", sharing.GROUPS)
@pytest.mark.parametrize("apart", [0.0, 0.02])
def test_every_way_decodes_from_its_file_to_what_it_promised(weight, method, group, apart):
    net = torch.nn.Sequential(torch.nn.Linear(64, 8, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.from_numpy(weight))
    importance = {"0": np.random.default_rng(1).random(weight.shape)}
    shared = sharing.share_net(net, 3, method, group, importance, apart)
    for huffman in (False, True):
        back = together.opened(archive.loads(archive.dumps(sharing.stored("x", shared, huffman))), net)
        values = back[0].weight.detach().numpy()
        assert np.array_equal(values, shared["0"].values())
    rows = values.reshape(shared["0"].codes.shape)
    most = 8 if not apart else 8 + np.count_nonzero(shared["0"].apart)
    assert max(len(np.unique(row)) for row in rows) <= most
    assert np.square(values - weight).mean() < 0.3 * weight.var()


def test_a_net_is_shared_layer_by_layer_and_can_be_stopped_between():
    net, told = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Linear(8, 8)), []
    assert len(sharing.share_net(net, 3, "grid", report=lambda *far: told.append(far))) == 2
    assert told == [(0, 2), (1, 2)]


def test_one_codebook_is_the_papers_k_means(weight):
    shared = sharing.share(weight, 3)
    ours = np.square(shared.values() - weight).sum()
    paper = kmeans.kmeans(weight, 8, init="linear", max_iterations=sharing.STEPS)
    assert ours == pytest.approx(paper.inertia, rel=0.01)


def test_groups_are_shared_each_for_itself(weight):
    loud = weight * np.array([1, 100] * 4, np.float32)[:, None]
    for method in ("k-means", "grid"):
        whole, rows = (sharing.share(loud, 3, method, group).values() for group in ("layer", "row"))
        quiet = slice(0, None, 2)
        assert np.square(rows - loud)[quiet].mean() < 0.2 * np.square(whole - loud)[quiet].mean()
        alone = sharing.share(loud[:1], 3, method, "row").values()
        assert np.allclose(rows[:1], alone, atol=1e-4)


def test_importance_pulls_the_values(weight):
    importance = np.full(weight.shape, 1e-3)
    importance[0] = 1.0
    plain, weighted = sharing.share(weight, 2), sharing.share(weight, 2, "k-means, weighted", importance=importance)
    first = [np.square(shared.values() - weight)[0].sum() for shared in (plain, weighted)]
    assert first[1] < first[0]


def test_nearest_is_nearest(weight):
    codes, table = sharing.codebooks(weight, 4, np.ones_like(weight))
    distance = np.abs(weight[:, :, None] - table[:, None, :])
    chosen = np.take_along_axis(distance, codes[:, :, None], 2)[:, :, 0]
    assert np.allclose(chosen, distance.min(2), atol=1e-6)


def test_the_grid_hits_the_farthest_value_and_zero(weight):
    codes, scale = sharing.grid(weight, 4)
    values = scale * (codes - 8)
    far = np.abs(weight).argmax(1)
    for row, place in enumerate(far):
        assert codes[row, place] == 0
        assert values[row, place] == pytest.approx(weight[row, place], rel=2e-3)
    assert codes.min() >= 0
    assert codes.max() <= 15
    assert np.abs(values - weight).max() <= 0.51 * np.abs(scale).max() + 0.5 * np.abs(scale).max()


def test_flat_and_empty_groups_are_no_trouble():
    weight = np.zeros((2, 32), np.float32)
    weight[1] = 0.25
    for method in ("k-means", "grid"):
        values = sharing.share(weight, 2, method, 32).values()
        assert np.allclose(values, weight, atol=1e-3)


def test_weights_apart_keep_their_value(weight):
    weight[3, 5] = 7.0
    shared = sharing.share(weight, 2, "grid", "layer", apart=1 / weight.size)
    assert shared.values()[3, 5] == 7
    assert np.count_nonzero(shared.apart) == 1
    assert (
        np.square(shared.values() - weight).mean()
        < np.square(sharing.share(weight, 2, "grid").values() - weight).mean()
    )


def test_nonsense_is_refused(weight):
    with pytest.raises(RecipeError, match="method must be one of"):
        sharing.share(weight, 4, "by eye")
    with pytest.raises(RecipeError, match="bits 1 to 8"):
        sharing.share(weight, 9)
    with pytest.raises(RecipeError, match="groups of 48 do not fill rows of 64"):
        sharing.share(weight, 4, "grid", 48)
