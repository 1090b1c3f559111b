import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from dcviz.errors import DcvizError, NetError
from dcviz.nets import models
from dcviz.pipeline import chains


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1), nn.Conv2d(12, 8, 1)
        self.norm, self.head = nn.BatchNorm2d(8), nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        return self.head(torch.relu(x + self.b(torch.relu(self.a(x)))).mean((2, 3)))


class Groups(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(4, 8, 3), nn.Conv2d(8, 12, 3, groups=2), nn.Conv2d(12, 3, 1)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x))))).flatten(1)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(9, 5, 3, padding=1), nn.Conv2d(14, 4, 1)

    def forward(self, x):
        x = torch.cat([x, torch.relu(self.a(x))], 1)
        return self.c(torch.cat([x, torch.relu(self.b(x))], 1))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.again, self.last = nn.Linear(6, 7), nn.Linear(7, 7), nn.Linear(14, 3)

    def forward(self, x):
        one = torch.tanh(self.first(x))
        two = torch.tanh(self.again(one))
        return self.last(torch.cat([two, torch.tanh(self.again(two))], -1))


class Depthwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.n = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.d, self.m = nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8)
        self.p, self.head = nn.Conv2d(8, 6, 1), nn.Linear(6, 2)

    def forward(self, x):
        x = nn.functional.relu6(self.m(self.d(nn.functional.relu6(self.n(self.a(x))))))
        return self.head(nn.functional.adaptive_avg_pool2d(torch.relu(self.p(x)), 1).flatten(1))


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6)
        self.fc, self.mid, self.out = nn.Linear(6 * 144, 20), nn.BatchNorm1d(20), nn.Linear(20, 4)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.norm(self.conv(x)), 2)
        return self.out(torch.relu(self.mid(self.fc(x.view(x.size(0), -1)))))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.low = nn.Conv2d(1, 5, 3, padding=1), nn.Conv2d(5, 9, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(9, 4, 2, stride=2), nn.Conv2d(9, 1, 1)

    def forward(self, x):
        high = torch.relu(self.down(x))
        low = torch.relu(self.low(nn.functional.avg_pool2d(high, 2)))
        return self.out(torch.cat([high, torch.relu(self.up(low))], 1))


class Shuffled(nn.Module):
    """Chunks, a channel shuffle, and a gate that scales each channel."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.squeeze = nn.Conv2d(3, 8, 1), nn.Conv2d(4, 4, 1), nn.Linear(8, 8)
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        left, right = torch.relu(self.a(x)).chunk(2, 1)
        x = torch.cat([left, torch.relu(self.b(right))], 1)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        gate = torch.sigmoid(self.squeeze(x.mean((2, 3))))
        return self.out(x * gate[:, :, None, None])


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(11, 6), nn.LayerNorm(6)
        self.up, self.down, self.head = nn.Linear(6, 16), nn.Linear(16, 6), nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        x = self.embed(x)
        return self.head(x + self.down(nn.functional.gelu(self.up(self.norm(x)))))


class TiedAround(nn.Module):
    """A convolution and a transposed one with one weight: its rows make neurons here, and listen there."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 4, 3), nn.ConvTranspose2d(4, 4, 3)
        self.b.weight = self.a.weight
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        return self.out(torch.relu(self.b(torch.relu(self.a(x)))))


class Mixed(nn.Module):
    """What is not understood: softmax, layer norm and a scale over the channels, weights used by hand."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(6, 6) for _ in range(4))
        self.scale, self.norm = nn.Parameter(torch.rand(6)), nn.LayerNorm(6)

    def forward(self, x):
        x = self.b(torch.softmax(self.a(x), -1))
        x = self.c(torch.relu(x) * self.scale)
        return nn.functional.linear(self.norm(x), self.d.weight)


PICTURE = torch.rand(3, 3, 12, 12)
CASES = [  # net, example, neurons that may change places, counted by hand
    (Residual, PICTURE, [8, 12]),
    (Groups, torch.rand(2, 4, 12, 12), [4, 4, 6, 6]),  # within a group, not across
    (Dense, PICTURE, [5, 6]),
    (Shared, torch.rand(4, 6), [7]),
    (Depthwise, PICTURE, [6, 8]),
    (Flat, torch.rand(2, 1, 28, 28), [6, 20]),
    (UNet, torch.rand(2, 1, 8, 8), [4, 5, 9]),
    (Shuffled, torch.rand(2, 3, 4, 4), [4, 4, 4]),
    (Decoder, torch.randint(0, 11, (2, 5)), [16]),
    (TiedAround, torch.rand(2, 4, 6, 6), []),
    (Mixed, torch.rand(4, 6), []),
]
NAMES = [case[0].__name__ for case in CASES]


def made(kind):
    """A net whose weights are half zeros and whose batch normalisation has numbers of its own."""
    torch.manual_seed(0)
    net = kind().eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                    tensor.copy_(torch.rand_like(tensor) + 0.5)
            elif getattr(module, "weight", None) is not None and module.weight.dim() > 1:
                module.weight.mul_(torch.rand_like(module.weight) > 0.5)
    return net


@torch.no_grad()
def answers(net, example):
    return net(example)


@pytest.mark.parametrize(("kind", "example", "sizes"), CASES, ids=NAMES)
def test_neurons_that_change_places_change_no_answer(kind, example, sizes):
    net = made(kind)
    before, rng = answers(net, example), np.random.default_rng(0)
    found = chains.hidden(net, example)
    assert sorted(len(neurons) for neurons in found) == sizes
    state = {key: value.numpy() for key, value in net.state_dict().items()}
    for neurons in found:
        moved = neurons.moved(state, np.roll(rng.permutation(len(neurons)), 1))
        state |= moved
    net.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in state.items()})
    torch.testing.assert_close(answers(net, example), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "example", "sizes"), CASES, ids=NAMES)
def test_columns_that_move_without_their_rows_do_change_answers(kind, example, sizes):
    net = made(kind)
    before = answers(net, example)
    for neurons in chains.hidden(net, example):
        state = {key: value.numpy() for key, value in net.state_dict().items()}
        place = next(place for place in neurons.places if place.role == "in")
        order = np.roll(np.arange(len(neurons)), 1)
        state[place.key] = place.moved(state[place.key], order)  # the columns alone, without the rows
        other = copy.deepcopy(net)
        other.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in state.items()})
        assert (answers(other, example) - before).abs().max() > 1e-4, place.key


@pytest.mark.parametrize(("kind", "example", "sizes"), CASES, ids=NAMES)
def test_dropping_changes_no_answer(kind, example, sizes):
    for seed in range(4):
        net, rng = made(kind), np.random.default_rng(seed)
        with torch.no_grad():
            for module in net.modules():
                weight = getattr(module, "weight", None)
                if weight is not None and weight.dim() > 1:
                    columns = rng.permutation(weight.shape[1])[: weight.shape[1] // 2]
                    rows = rng.permutation(weight.shape[0])[: weight.shape[0] // 4]
                    weight[:, columns] = 0.0  # neurons that are not heard
                    weight[rows] = 0.0  # and some that only have a bias left
        before, nonzero = answers(net, example), sum(int((p != 0).sum()) for p in net.parameters() if p.dim() > 1)
        gone = chains.drop_dead(net, example)
        torch.testing.assert_close(answers(net, example), before, rtol=1e-5, atol=1e-6)
        assert nonzero - sum(int((p != 0).sum()) for p in net.parameters() if p.dim() > 1) == gone
        assert chains.drop_dead(net, example) == 0


def test_dropping_dead_neurons_changes_no_answer():
    net = models.build("lenet-5", seed=0)
    with torch.no_grad():
        net.fc2.weight[:, 100:] = 0.0
        net.fc1.weight[:, 160:320] = 0.0  # ten filters of conv2, 16 places each
    inputs = torch.rand(5, 1, 28, 28)
    before = net(inputs)
    gone = chains.drop_dead(net)
    torch.testing.assert_close(net(inputs), before)
    assert gone == 400 * (800 - 160) + 10 * 20 * 25
    assert not net.fc1.weight[100:].any()
    assert not net.fc1.bias[100:].any()
    assert not net.conv2.weight[10:20].any()
    assert net.conv2.weight[:10].all()
    assert chains.drop_dead(net) == 0


def test_a_filter_of_zeros_is_not_dead_where_its_normalisation_speaks():
    net = made(Residual)
    with torch.no_grad():
        net.stem.weight[2] = 0.0
        net.stem.bias[2] = 0.0
    columns, head = net.a.weight[:, 2].clone(), net.head.weight[:, 2].clone()
    chains.drop_dead(net, PICTURE)
    assert torch.equal(net.a.weight[:, 2], columns)
    assert torch.equal(net.head.weight[:, 2], head)


def test_a_neuron_is_heard_as_long_as_one_of_its_listeners_is_there():
    net = made(Residual)
    with torch.no_grad():
        net.a.weight[:, 1] = 0.0  # the skip still carries it to the head
    assert chains.drop_dead(net, PICTURE) == 0
    with torch.no_grad():
        net.head.weight[:, 1] = 0.0
    rows = int((net.stem.weight[1] != 0).sum() + (net.b.weight[1] != 0).sum())
    assert rows
    assert chains.drop_dead(net, PICTURE) >= rows
    assert not net.stem.weight[1].any()
    assert not net.b.weight[1].any()


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(self.a(x)) if x.sum() > 0 else self.a(self.b(x))


def test_what_cannot_be_proved_is_refused():
    with pytest.raises(NetError, match=r"Branching feed which cannot be proved.*torch\.fx"):
        chains.hidden(Branching())
    with pytest.raises(NetError, match="cannot take the example"):
        chains.drop_dead(made(Flat), torch.rand(1, 1, 30, 30))
    with pytest.raises(NetError, match="needs an example"):
        chains.drop_dead(nn.Sequential(nn.Bilinear(3, 3, 3)))
    with pytest.raises(DcvizError, match="cannot be proved"):
        chains.drop_dead(nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 2)))


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 5)
        self.register_buffer("order", torch.tensor([3, 1, 2, 0, 7, 6, 5, 4]))
        self.register_buffer("some", torch.tensor([True, False] * 4))
        self.relu = nn.ReLU(inplace=True)


class ByNumbers(Layers):
    """Neurons picked by numbers that are a tensor of the net."""

    def forward(self, x):
        return self.c(torch.relu(self.a(x))[:, self.order])


class ByMask(Layers):
    def forward(self, x):
        x = torch.relu(self.a(x))
        return self.c(torch.cat([x[:, self.some], x[:, ~self.some]], 1))


class PartInPlace(Layers):
    """A part of a layer's output overwritten where it lies."""

    def forward(self, x):
        x = self.a(x)
        x[:, :2].mul_(3)
        return self.c(x)


class PartInPlaceByModule(Layers):
    def forward(self, x):
        x = self.a(x)
        self.relu(x[:, :4])
        return self.c(x)


class HalfInPlace(Layers):
    def forward(self, x):
        x = self.a(x)
        x.chunk(2, 1)[0].relu_()
        return self.c(x)


@pytest.mark.parametrize("kind", [ByNumbers, ByMask, PartInPlace, PartInPlaceByModule, HalfInPlace])
def test_neurons_that_a_net_tells_apart_stay_where_they_are(kind):
    example = torch.rand(3, 6) - 0.5
    net = made(kind)
    assert chains.hidden(net, example) == []
    with torch.no_grad():
        net.c.weight[:, 1] = 0.0
    before = answers(net, example)
    assert chains.drop_dead(net, example) == 0
    torch.testing.assert_close(answers(net, example), before)


def test_a_whole_output_overwritten_in_place_is_no_hindrance():
    class Whole(Layers):
        def forward(self, x):
            return self.c(self.relu(self.a(x)))

    assert [len(neurons) for neurons in chains.hidden(made(Whole), torch.rand(3, 6))] == [8]


def test_two_weights_in_one_memory_stay_where_they_are():
    class Turned(Layers):
        def __init__(self):
            super().__init__()
            self.d = nn.Linear(8, 8)
            self.d.weight = nn.Parameter(self.b.weight.data.t())

        def forward(self, x):
            return self.c(torch.relu(self.d(torch.relu(self.b(torch.relu(self.a(x)))))))

    torch.manual_seed(0)
    net, example = Turned(), torch.rand(3, 6)
    with torch.no_grad():
        net.d.weight[:, 3] = 0.0
    before = answers(net, example)
    chains.drop_dead(net, example)
    torch.testing.assert_close(answers(net, example), before)


class Optional(Layers):
    """Without a second input another way is taken, which torch.fx does not see."""

    def forward(self, x, mask=None):
        x = torch.relu(self.a(x))
        return self.c(x.cumsum(1) if mask is None else x)


@pytest.mark.parametrize("example", [None, torch.rand(3, 6)])
def test_a_net_that_answers_otherwise_than_its_graph_is_refused(example):
    for proved in (chains.hidden, chains.drop_dead):
        with pytest.raises(NetError, match="answers otherwise than the net"):
            proved(made(Optional), example)


def test_random_numbers_of_the_caller_are_not_touched():
    net = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))
    before = torch.get_rng_state()
    chains.hidden(net)
    assert torch.equal(torch.get_rng_state(), before)


def test_hooks_masks_and_parametrizations_stay_where_they_are():
    def net():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2))

    assert [len(neurons) for neurons in chains.hidden(net())] == [5, 6]
    hooked = net()
    hooked[0].register_forward_hook(lambda module, args, out: out.cumsum(-1))
    spectral = net()
    parametrizations.spectral_norm(spectral[0])
    for changed in (hooked, spectral):
        assert [len(neurons) for neurons in chains.hidden(changed)] == [6]
    masked = net()
    prune.random_unstructured(masked[0], "weight", 0.5)
    with pytest.raises(NetError, match="cannot be proved"):
        chains.hidden(masked)


def test_the_net_is_as_before_after_it_was_looked_at():
    net = made(Residual).train()
    before = copy.deepcopy(net.state_dict())
    chains.hidden(net, PICTURE)
    assert net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
