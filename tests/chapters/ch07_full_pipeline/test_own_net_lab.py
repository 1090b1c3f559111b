import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import dcviz
from dcviz.chapters.ch07_full_pipeline import own_net_lab
from dcviz.errors import NetError
from dcviz.labkit.base import plain
from dcviz.labs import OwnNetLab, PipelineLab


def own_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 60), nn.BatchNorm1d(60), nn.ReLU(), nn.Linear(60, 30))


def test_a_module_with_data_is_retrained_and_its_report_is_said(tmp_path):
    data = [(torch.rand(32, 40), torch.randint(0, 30, (32,))) for _ in range(3)]
    net = own_net()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    lab = OwnNetLab(net, data=data, loss=nn.functional.cross_entropy, evaluate=lambda net: 7.25, density=20.0, epochs=1)
    assert lab.net == "Sequential"
    assert f"{lab.expected:,} bytes" in plain(lab.caption.value)
    assert lab.result is None
    assert lab.download.data == b""
    lab.run()
    assert lab.error == ""
    report = lab.result.report
    assert lab.download.data == lab.result.stages[-1].source
    assert f"{report.file_bytes:,} bytes" in plain(lab.caption.value)
    assert "7.25 before, 7.25 after" in plain(lab.caption.value)
    assert 0.7 < report.file_bytes / lab.expected < 1.1
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    norm = sum(row.parts["kept"] for row in report.layers if row.name.startswith("1."))
    assert norm >= 4 * 4 * 60 + 8
    assert lab.share_kept(density=20.0, epochs=1) == round(100 * norm / report.file_bytes, 1)
    assert lab.share_kept(bits=5) is None
    lab.result.save(tmp_path / "own.dcz")
    again = dcviz.open(tmp_path / "own.dcz", into=own_net())
    assert np.count_nonzero(again[0].weight.detach().numpy()) == 480
    result, file = lab.result, lab.download.data
    lab.bits = 3
    assert (lab.result, lab.download.data) == (result, file), "a result stays until there is another"
    assert "with another recipe" in lab.caption.value
    assert lab.share_kept(density=20.0, epochs=1) is None
    lab.bits = 4
    assert "7.25 before, 7.25 after" in plain(lab.caption.value)


def test_a_file_too_large_for_the_browser_is_not_handed_over(monkeypatch):
    monkeypatch.setattr(own_net_lab, "MOST_TO_HAND_OVER", 1000)
    lab = OwnNetLab(own_net()).run()
    assert lab.result is not None
    assert lab.download.data == b""


def hand_over(lab, name, content, piece=1000):
    """As the page does it: in pieces; here the first comes last."""
    for at in reversed(range(0, max(1, len(content)), piece)):
        told = {"name": name, "size": len(content), "choice": name, "at": at}
        lab.upload._heard(lab.upload, told, [memoryview(content[at : at + piece])])


@pytest.mark.parametrize("kind", ["path", "state dict", "upload"])
def test_a_file_goes_through_in_one_shot(tmp_path, kind):
    state = own_net().state_dict()
    path = tmp_path / "mine <b>.safetensors"
    save_file(state, path)
    if kind == "upload":
        lab = OwnNetLab()
        hand_over(lab, path.name, path.read_bytes())
        assert lab.error == ""
        assert lab.net == path.name
        assert "mine &lt;b&gt;" in lab.caption.value
    else:
        lab = OwnNetLab(str(path) if kind == "path" else state)
    assert "nothing is retrained" in plain(lab.caption.value)
    lab.run()
    assert lab.error == ""
    found = lab.result.stored.state_dict()
    assert sorted(found) == sorted(state)  # a .safetensors file has an order of its own
    assert np.array_equal(found["1.running_var"], state["1.running_var"].numpy())
    assert np.count_nonzero(found["0.weight"]) == 240
    lab.reset()
    assert lab.error == ""


def test_a_file_that_is_none_is_said_in_the_lab_and_the_last_result_stays():
    lab = OwnNetLab()
    lab.result = last = object()
    for name in ("notes.txt", "model.safetensors"):
        hand_over(lab, name, b"no net")
        assert f"DataError: {name}" in lab.error, "by the learner's own name for it"
        assert lab.net == "lenet-300-100"
        assert lab.result is last


def test_the_pipeline_lab_of_another_net_is_this_one(tmp_path):
    torch.save(own_net().state_dict(), tmp_path / "own.pt")
    for source in (own_net(), own_net().state_dict(), str(tmp_path / "own.pt")):
        assert type(PipelineLab(source, density=50)) is OwnNetLab
    assert type(PipelineLab("lenet-5")) is PipelineLab
    with pytest.raises(NetError):
        PipelineLab(5)
