"""Checkpoints of strangers: every type and form that is read, and every one that is refused, by name."""

import json
import os
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from dcviz.errors import DataError
from dcviz.nets import checkpoints

EVERY = {name: torch.arange(6).reshape(2, 3).to(dtype) for name, dtype in checkpoints.NAMES.items()}


def contents(path):
    with checkpoints.opened(path) as found:
        return {entry.key: found.tensor(entry.key).clone() for entry in found.entries}


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        assert found[key].dtype == tensor.dtype
        assert found[key].shape == tensor.shape
        assert torch.equal(found[key].reshape(-1).view(torch.uint8), tensor.contiguous().reshape(-1).view(torch.uint8))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_every_type_comes_back(suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    save_file(EVERY, path) if suffix == ".safetensors" else torch.save(EVERY, path)
    same(contents(path), EVERY)
    with checkpoints.opened(path) as found:
        assert found.dense_bytes == sum(t.numel() * t.element_size() for t in EVERY.values())


def test_an_old_pytorch_file_is_read_too(tmp_path):
    torch.save({"w": torch.ones(3)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    same(contents(tmp_path / "old.pt"), {"w": torch.ones(3)})


def test_several_files_by_their_index_or_folder(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "m-1.safetensors")
    save_file({"b": torch.zeros(3)}, tmp_path / "m-2.safetensors")
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}))
    for path in (index, tmp_path):
        same(contents(path), {"a": torch.ones(2), "b": torch.zeros(3)})


@pytest.mark.parametrize(
    "weight_map",
    [
        {"a": "../m-1.safetensors"},
        {"a": "\ud800"},
        {"a": ".."},
        {"a": 3},
        {"c": "m-1.safetensors"},
        {"a": "none.safetensors"},
        [],
        None,
    ],
)
def test_a_wrong_index_is_refused(weight_map, tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "m-1.safetensors")
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(DataError):
        contents(tmp_path)


def test_tied_tensors_are_seen(tmp_path):
    weight = torch.ones(4, 2)
    torch.save({"in": weight, "out": weight, "other": weight.t(), "copy": weight.clone()}, tmp_path / "tied.pt")
    with checkpoints.opened(tmp_path / "tied.pt") as found:
        assert [entry.same for entry in found.entries] == [None, "in", None, None]
        assert found.dense_bytes == 3 * 32


@pytest.mark.parametrize("name", checkpoints.STATES)
def test_a_state_dict_among_other_things(name, tmp_path):
    torch.save({name: {"w": torch.ones(2), "step": 3}, "epoch": 7}, tmp_path / "run.pt")
    with checkpoints.opened(tmp_path / "run.pt") as found:
        assert [entry.key for entry in found.entries] == ["w"]
        assert found.left_out == ("epoch", "step")


def not_tensors(path):
    torch.save(torch.nn.Linear(2, 2), path)  # a whole module: reading it would run code


def packed(path):
    """A few bytes that ask for a hundred times as many."""
    torch.save({"w": torch.zeros(1000)}, path)
    with zipfile.ZipFile(path) as file:
        parts = {part.filename: file.read(part) for part in file.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data + bytes(10_000_000 if name.endswith("data.pkl") else 0))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
class Wanted:
    """Something that torch does not know."""


@pytest.mark.parametrize(
    "make",
    [
        not_tensors,
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save({"epoch": 3}, path),
        lambda path: torch.save({"w": torch.ones(2, dtype=torch.complex64)}, path),
        lambda path: torch.save({"w": torch.eye(3).to_sparse()}, path),
        lambda path: torch.save({"w": torch.ones(2, device="meta")}, path),
        lambda path: torch.save({"w": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}, path),
        lambda path: torch.save({"w": torch.zeros(1).expand(2**20, 2**20)}, path),
        lambda path: torch.save({"w\ud800": torch.ones(2)}, path),
        lambda path: torch.save({"w": torch.ones([1] * 9)}, path),
        lambda path: packed(path),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\x03\x04 and nothing more"),
        lambda path: path.mkdir(),
        lambda path: None,
    ],
)
def test_other_files_are_refused_by_name(make, tmp_path):
    path = tmp_path / "what.pt"
    make(path)
    with pytest.raises(DataError, match=r"what\.pt") as refused:
        contents(path)
    assert "weights_only" not in str(refused.value)  # nobody is told to let a file run code


def test_a_file_that_wants_a_class_says_which(tmp_path):
    torch.save({"net": Wanted()}, tmp_path / "what.pt")
    with pytest.raises(DataError, match=r"it names test_checkpoints\.Wanted; a state dict can"):
        contents(tmp_path / "what.pt")


@pytest.mark.parametrize("data", [b"", b"abc", b"\xff" * 64, (2**40).to_bytes(8, "little") + b"{}"])
def test_broken_safetensors_are_refused(data, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"net\.safetensors"):
        contents(path)
    with pytest.raises(DataError, match="checkpoint"):
        contents(tmp_path / "net.txt")


def raw_safetensors(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize("shape", [[0, 2**62], [0, 2**63], [2**64 - 1, 0], [1] * 9])
def test_shapes_that_no_array_has_are_refused_where_they_stand(shape, tmp_path):
    data = bytes(4 * (0 not in shape))
    header = {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, len(data)]}}
    raw_safetensors(tmp_path / "net.safetensors", header, data)
    with pytest.raises(DataError, match=r"net\.safetensors: tensor 'a' has \d dimensions"):
        contents(tmp_path / "net.safetensors")


def test_more_tensors_than_a_file_of_ours_holds_are_refused_before_they_are_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "MOST_TENSORS", 2)
    save_file({str(i): torch.ones(1) for i in range(3)}, tmp_path / "net.safetensors")
    torch.save({str(i): torch.ones(1) for i in range(3)}, tmp_path / "net.pt")
    for name in ("net.safetensors", "net.pt"):
        with pytest.raises(DataError, match="tensors"):
            contents(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", ["net.safetensors", "net.pt", "m.safetensors.index.json"])
def test_a_pipe_is_refused_and_not_waited_for(name, tmp_path):
    os.mkfifo(tmp_path / "net.safetensors")
    if name == "net.pt":
        os.mkfifo(tmp_path / name)
    if name.endswith("json"):
        (tmp_path / name).write_text(json.dumps({"weight_map": {"a": "net.safetensors"}}))
    with pytest.raises(DataError, match="not a regular file"):
        contents(tmp_path / name)


def test_parameters_are_read_as_tensors(tmp_path):
    torch.save({"w": torch.nn.Parameter(torch.ones(3))}, tmp_path / "net.pt")
    assert not contents(tmp_path / "net.pt")["w"].requires_grad


def test_what_is_written_piece_by_piece_others_can_read(tmp_path):
    path = tmp_path / "out.safetensors"
    entries = [(name, name, tuple(t.shape)) for name, t in EVERY.items()]
    pieces = (bytes(t.reshape(-1).view(torch.uint8).numpy()) for t in EVERY.values())
    assert checkpoints.write(path, entries, pieces) == path.stat().st_size
    same(load_file(path), EVERY)
    before = path.read_bytes()
    with pytest.raises(DataError, match="announced"):
        checkpoints.write(path, entries, [b"short"])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.safetensors"]


def test_a_file_that_there_is_no_room_to_map_is_said(tmp_path, monkeypatch):
    save_file({"w": torch.zeros(3)}, tmp_path / "large.safetensors")

    def no_room(*_):
        raise RuntimeError("unable to mmap 2013271464 bytes")

    monkeypatch.setattr(checkpoints, "safe_open", no_room)
    with (
        pytest.raises(DataError, match=r"large\.safetensors.*unable to mmap"),
        checkpoints.opened(tmp_path / "large.safetensors"),
    ):
        pass
