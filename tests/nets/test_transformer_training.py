import pytest
import torch
from safetensors.torch import load_file

from dcviz.nets import transformer_training
from dcviz.nets.transformer import Decoder
from dcviz.nets.transformer_training import Plan, Run


@pytest.fixture
def small(monkeypatch):
    """A run of a tiny net: 2 windows of 16 pieces a step."""
    monkeypatch.setattr(transformer_training, "Decoder", lambda: Decoder(1024, 16, 1, 2, 16))
    monkeypatch.setattr(transformer_training, "bits_per_character", lambda net, text: 0.0)
    return Plan(steps=6, batch=2, warmup=2)


def test_rates_rise_stay_and_fall_and_a_longer_plan_begins_alike():
    plan = Plan(steps=100, warmup=10, cooling=0.4)
    shares = [plan.share(step) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert set(shares[9:60]) == {1}
    assert shares[80] == pytest.approx(0.5)
    assert 0 < shares[-1] < 0.05
    longer = Plan(steps=200, warmup=10, cooling=0.4)
    assert [longer.share(step) for step in range(60)] == shares[:60]


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(small, tmp_path):
    whole = transformer_training.train(tmp_path / "whole.safetensors", small, report=lambda line: None)
    part = Run(small)
    for _ in range(3):
        part.advance()
    part.save(tmp_path / "part.safetensors")
    resumed = transformer_training.train(tmp_path / "part.safetensors", small, report=lambda line: None)
    assert resumed.step == whole.step == 6
    for name, weight in whole.average.items():
        assert torch.equal(weight, resumed.average[name]), name


def test_training_lowers_the_loss(small):
    run = Run(Plan(steps=60, batch=4, warmup=2, table=0.03))
    losses = [run.advance() for _ in range(60)]
    assert sum(losses[-10:]) < sum(losses[:10]) - 3


def test_what_ships_is_the_average_in_bfloat16(small, tmp_path):
    run = Run(small)
    run.advance()
    transformer_training.export(run, tmp_path / "net.safetensors")
    weights = load_file(tmp_path / "net.safetensors")
    for name, weight in run.averaged().state_dict().items():
        assert weights[name].dtype == torch.bfloat16
        assert torch.equal(weights[name].float(), weight)


def test_the_command_line_trains_and_exports(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        transformer_training, "Plan", type("Six", (), {"steps": 6, "__new__": lambda cls, steps: small})
    )
    monkeypatch.setattr(transformer_training, "write", lambda net, prompt, count: "It was said.")
    out = tmp_path / "out.safetensors"
    transformer_training.main(["--steps", "6", "--checkpoint", str(tmp_path / "c.safetensors"), "--out", str(out)])
    assert out.exists()
    assert "step 6: loss" in capsys.readouterr().out
