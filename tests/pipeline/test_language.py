"""The shipped language model: its file, opening it by name, and making it again."""

import numpy as np
import pytest
import torch

import dcviz
from dcviz.errors import NetError
from dcviz.nets import novels, transformer, transformer_training
from dcviz.pipeline import restore, shipped


def test_it_opens_by_its_name():
    net = dcviz.load("austen")
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), dcviz.load("austen").parameters(), strict=True))
    with pytest.raises(NetError, match="austen"):
        dcviz.load("bronte")


def test_the_shipped_file_is_the_same_net_with_sixteen_values_a_layer():
    stored = shipped.compressed("austen")
    net, dense = restore(stored), transformer.language_model()
    for (name, weight), before in zip(net.named_parameters(), dense.parameters(), strict=True):
        assert len(weight.unique()) <= 16, name
        assert torch.nn.functional.mse_loss(weight, before) < 0.02 * before.var(), name
    assert shipped.compressed_path("austen").stat().st_size < 4 * 1_310_720 / 7
    text = novels.choosing_text(3000)
    lost = transformer.bits_per_character(net, text) - transformer.bits_per_character(dense, text)
    assert 0 < lost < 0.1


def test_reproducing_it_trains_exports_and_compresses(monkeypatch, tmp_path):
    class Short(transformer_training.Plan):
        def __init__(self, **_):
            super().__init__(steps=1, batch=1)

    monkeypatch.setattr(transformer_training, "Plan", Short)
    monkeypatch.setattr(transformer_training, "bits_per_character", lambda net, text: 0.0)
    monkeypatch.setattr(novels, "choosing_text", lambda: "It was a truth universally acknowledged. " * 20)
    result = shipped.reproduce("austen", tmp_path, quickly=True)
    assert [stage["stage"] for stage in result["stages"]] == ["dense", "coded"]
    assert result["stages"][0]["file_bytes"] == (tmp_path / "austen.safetensors").stat().st_size
    assert result["stages"][1]["file_bytes"] == (tmp_path / "austen.dcz").stat().st_size
    assert all(np.isfinite(stage["bits_per_character"]) for stage in result["stages"])
    assert result["ratio"] > 6
