import numpy as np
import pytest
import torch

from dcviz.errors import NetError
from dcviz.nets import dense_files, models, transformer
from dcviz.nets.novels import novels, pieces


@pytest.fixture(scope="module")
def net():
    return transformer.language_model()


def test_every_parameter_stands_in_a_fully_connected_layer(net):
    layers = models.weight_layers(net)
    assert (
        sum(p.numel() for p in net.parameters()) == sum(layer.weight.numel() for layer in layers.values()) == 1_310_720
    )
    assert all(isinstance(layer, torch.nn.Linear) and layer.bias is None for layer in layers.values())
    assert models.build("austen").load_state_dict(net.state_dict())


def test_the_shipped_weights_are_bfloat16_numbers(net):
    assert all(torch.equal(p, p.bfloat16().float()) for p in net.parameters())


def test_nothing_looks_ahead(net):
    first = torch.arange(40)[None]
    second = first.clone()
    second[0, 20:] = 7
    with torch.no_grad():
        before, after = net(first)[0], net(second)[0]
    assert torch.allclose(before[:20], after[:20], atol=1e-5)
    assert not torch.allclose(before[20:], after[20:], atol=1e-2)


def test_the_same_word_elsewhere_means_something_else(net):
    with torch.no_grad():
        logits = net(torch.tensor([[5, 6, 5, 5]]))[0]
    assert not torch.allclose(logits[0], logits[2], atol=1e-2)


def test_attention_is_torchs_own(net):
    block, x = net.blocks[0], torch.randn(2, 9, 128, generator=torch.Generator().manual_seed(0))
    turn = transformer.angles(9, 32)
    h = transformer.normalised(x)
    q, k, v = (part(h).unflatten(-1, (4, -1)) for part in (block.query, block.key, block.value))
    q, k, v = (p.transpose(1, 2) for p in (transformer.turned(q, turn), transformer.turned(k, turn), v))
    seen = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    y = x + block.mix(seen.transpose(1, 2).flatten(2))
    y = y + block.down(torch.nn.functional.gelu(block.up(transformer.normalised(y))))
    assert torch.allclose(block(x, turn), y, atol=1e-4)


def test_only_the_distance_of_two_places_turns_their_product():
    sin, cos = transformer.angles(12, 8)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))

    def product(i, j):
        one = transformer.turned(q.expand(1, 12, 1, 8), (sin, cos))[0, i, 0]
        return float(one @ transformer.turned(k.expand(1, 12, 1, 8), (sin, cos))[0, j, 0])

    assert product(3, 1) == pytest.approx(product(9, 7), abs=1e-5)
    assert product(3, 1) != pytest.approx(product(4, 1), abs=1e-3)


def test_bits_per_character_are_those_of_the_odds(net):
    text = novels().choosing[:2500]
    inputs, targets = transformer.windows(pieces().encode(text), net.context)
    with torch.no_grad():
        odds = net(inputs).softmax(-1).gather(-1, targets[..., None]).numpy()
    characters = len(pieces().decode(targets.flatten().tolist()))
    assert transformer.bits_per_character(net, text, batch=2) == pytest.approx(
        -np.log2(odds).sum() / characters, rel=1e-4
    )


def test_the_model_learnt_something_and_guessing_is_worse(net):
    text = novels().choosing[:6000]
    fresh = models.build("austen", seed=0)
    learnt, guessing = (transformer.bits_per_character(n, text) for n in (net, fresh))
    assert learnt < 2
    assert guessing > 3


def test_what_it_writes_begins_as_asked_and_depends_on_the_seed(net):
    one = transformer.write(net, "Her sister had", 12)
    assert one.startswith("Her sister had")
    assert one == transformer.write(net, "Her sister had", 12)
    assert one != transformer.write(net, "Her sister had", 12, seed=1)
    surest = [transformer.write(net, "Her sister had", 5, seed=seed, temperature=0) for seed in (0, 1)]
    assert surest[0] == surest[1]


def test_windows_follow_each_other_and_a_short_text_is_refused():
    inputs, targets = transformer.windows(np.arange(11), 4)
    assert inputs.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert targets.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    with pytest.raises(NetError, match="4 pieces is shorter"):
        transformer.windows(np.arange(4), 4)


def test_a_missing_model_is_a_typed_error(monkeypatch, tmp_path):
    monkeypatch.setattr(dense_files, "MODELS", tmp_path)
    dense_files.state.cache_clear()
    with pytest.raises(NetError, match=r"austen\.safetensors"):
        transformer.language_model()


def test_calibration_is_spread_over_the_training_text():
    inputs, targets = transformer.calibration(8)
    assert inputs.shape == targets.shape == (8, 128)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert pieces().decode(inputs[0].tolist()) in novels().training
    assert not torch.equal(inputs[0], inputs[1])
