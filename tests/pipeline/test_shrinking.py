"""A checkpoint becomes a .dcz file and comes back: every type, tied tensors, pieces, and what is refused."""

import lzma
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dcviz import archive
from dcviz.__main__ import main
from dcviz.archive import Kept, StoredNet, Tie
from dcviz.errors import ArchiveError, DataError, OutputError, RecipeError, WeightError
from dcviz.pipeline import shrinking

DRAW = torch.Generator().manual_seed(7)


def weights(*shape, dtype=torch.float32):
    return (0.02 * torch.randn(*shape, generator=DRAW)).to(dtype)


NET = {
    "embed.weight": weights(300, 64, dtype=torch.bfloat16),
    "fc.weight": weights(64, 64),
    "fc.bias": weights(64),
    "half": weights(80, 40, dtype=torch.float16),
    "double": weights(60, 100, dtype=torch.float64),
    "conv.weight": weights(8, 8, 3, 9),
    "ids": torch.arange(2000),
    "steps": torch.tensor(3),
    "holes": torch.full((100, 100), float("nan")),
    "zeros": torch.zeros(64, 64),
    "none": torch.zeros(0, 4),
}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"state_dict": NET | {"head.weight": NET["embed.weight"]}, "epoch": 3}, path)
    return path


def there_and_back(checkpoint, **options):
    """What shrinking says, and the tensors that expanding gives."""
    small, large = checkpoint.with_suffix(".dcz"), checkpoint.with_suffix(".safetensors")
    done = shrinking.shrink(checkpoint, small, **options)
    assert done.file_bytes == small.stat().st_size
    told = archive.describe(small)
    assert told.dense_bytes == done.dense_bytes
    assert sum(told.parts.values()) == told.file_bytes == done.file_bytes
    assert archive.dumps(archive.load(small)) == small.read_bytes()
    assert shrinking.expand(small, large) == large.stat().st_size
    return done, load_file(large)


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("piece", [shrinking.PIECE, 700])
def test_lossless_gives_every_bit_back(piece, checkpoint, monkeypatch):
    monkeypatch.setattr(shrinking, "PIECE", piece)
    done, back = there_and_back(checkpoint, lossless=True)
    assert back.keys() == {*NET, "head.weight"}
    for key, tensor in back.items():
        wanted = NET["embed.weight" if key == "head.weight" else key]
        assert (tensor.dtype, tensor.shape) == (wanted.dtype, wanted.shape)
        assert bits(tensor) == bits(wanted)
    assert done.left_out == ("epoch",)
    assert {row.key: row.how for row in done.rows}["head.weight"] == shrinking.TIED
    assert done.ratio > 1.2


@pytest.mark.parametrize("piece", [shrinking.PIECE, 700])
@pytest.mark.parametrize(("density", "bits_"), [(1.0, 6), (0.2, 4), (0.01, 2), (0.5, 16)])
def test_one_shot_keeps_the_largest_weights_as_few_values(piece, density, bits_, checkpoint, monkeypatch):
    monkeypatch.setattr(shrinking, "PIECE", piece)
    done, back = there_and_back(checkpoint, density=density, bits=bits_)
    rows = {row.key: row for row in done.rows}
    for key in ("fc.bias", "ids", "steps", "holes", "none"):
        assert bits(back[key]) == bits(NET[key])
        assert rows[key].how == shrinking.KEPT
    for key in ("embed.weight", "fc.weight", "half", "double", "conv.weight"):
        before, after = NET[key].double(), back[key].double()
        assert back[key].dtype == NET[key].dtype
        pieces = len(shrinking._cuts(before.shape))
        assert len(after[after != 0].unique()) <= pieces * (2**bits_ - (density < 1))
        assert float((after != 0).double().mean()) == pytest.approx(density, abs=0.01)
        assert rows[key].error == pytest.approx(float((before - after).square().sum() / before.square().sum()))
        if pieces == 1 and density < 1:
            assert float(before[after == 0].abs().max()) <= float(before[after != 0].abs().min())
    assert bits(back["head.weight"]) == bits(back["embed.weight"])


def test_patterns_choose_what_is_compressed(checkpoint):
    done, back = there_and_back(checkpoint, only=["fc.*", "*weight"], skip=["conv*"], density=0.5, bits=3)
    assert {row.key for row in done.rows if row.how == shrinking.SHARED} == {"embed.weight", "fc.weight", "fc.bias"}
    assert len(back["fc.bias"][back["fc.bias"] != 0].unique()) <= 7


@pytest.mark.parametrize(
    "options",
    [
        {"density": 0},
        {"density": 1.5},
        {"density": float("nan")},
        {"bits": 0},
        {"bits": 17},
        {"bits": 2.5},
        {"density": 0.5, "bits": 1},
        {"only": ["nothing*"]},
        {"skip": ["nothing*"]},
    ],
)
def test_impossible_settings_are_refused_and_leave_the_old_file(options, checkpoint, tmp_path):
    target = tmp_path / "net.dcz"
    target.write_bytes(b"old")
    with pytest.raises(RecipeError):
        shrinking.shrink(checkpoint, target, **options)
    assert target.read_bytes() == b"old"


def test_damaged_files_are_refused_and_leave_the_old_one(checkpoint, tmp_path):
    small, large = tmp_path / "net.dcz", tmp_path / "net.safetensors"
    shrinking.shrink(checkpoint, small)
    data = bytearray(small.read_bytes())
    data[len(data) // 2] ^= 1
    small.write_bytes(data)
    large.write_bytes(b"old")
    with pytest.raises(ArchiveError):
        shrinking.expand(small, large)
    checkpoint.write_bytes(b"nothing")
    with pytest.raises(DataError):
        shrinking.shrink(checkpoint, small)
    assert large.read_bytes() == b"old"
    assert small.read_bytes() == bytes(data)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.dcz", "net.pt", "net.safetensors"]


def test_a_file_is_not_written_over_itself(checkpoint, tmp_path):
    before = checkpoint.read_bytes()
    with pytest.raises(OutputError, match="the file to be read"):
        shrinking.shrink(checkpoint, tmp_path / "." / checkpoint.name)
    assert checkpoint.read_bytes() == before
    small = tmp_path / "net.dcz"
    shrinking.shrink(checkpoint, small)
    with pytest.raises(OutputError, match="the file to be read"):
        shrinking.expand(small, small)


def test_parameters_that_learn_are_shrunk(tmp_path):
    torch.save({"w": torch.nn.Parameter(weights(64, 64, dtype=torch.float16))}, tmp_path / "net.pt")
    _, back = there_and_back(tmp_path / "net.pt")
    assert len(back["w"].unique()) <= 64


def test_truth_values_that_are_neither_are_refused_by_the_writer(tmp_path):
    torch.save({"odd": torch.full((2000,), 7, dtype=torch.uint8).view(torch.bool)}, tmp_path / "net.pt")
    with pytest.raises(WeightError, match="'odd' has truth values other than 0 and 1"):
        shrinking.shrink(tmp_path / "net.pt", tmp_path / "net.dcz")


def test_tied_tensors_are_copied_and_not_read_again(tmp_path, monkeypatch):
    """Each record is read twice, once for the header and once for the numbers, however many keys are tied to it."""
    records = [Kept(f"{i}", np.full((3, 5), i, np.float32)) for i in range(20)]
    records += [Tie(f"tied {i}", f"{i % 20}") for i in range(200)]
    archive.save(tmp_path / "net.dcz", StoredNet("net", tuple(records)))
    opened = []
    monkeypatch.setattr(archive, "open_records", lambda path, real=archive.open_records: opened.append(1) or real(path))
    monkeypatch.setattr(shrinking.checkpoints, "BLOCK", 7)
    shrinking.expand(tmp_path / "net.dcz", tmp_path / "net.safetensors")
    assert len(opened) == 2
    back = load_file(tmp_path / "net.safetensors")
    assert len(back) == 220
    assert all(torch.equal(back[f"tied {i}"], torch.full((3, 5), float(i % 20))) for i in range(200))


def test_ties_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shrinking, "MAX_ARRAYS", 100_000)
    monkeypatch.setattr(shrinking, "ARRAYS_PER_BYTE", 10)
    ties = [Tie(f"tied {i}", "0") for i in range(200)]
    archive.save(tmp_path / "net.dcz", StoredNet("net", (Kept("0", np.zeros(1000)), *ties)))
    with pytest.raises(
        ArchiveError, match=r"net\.dcz: with tied tensors written each by itself it would take 1,608,000"
    ):
        shrinking.expand(tmp_path / "net.dcz", tmp_path / "net.safetensors")
    assert not (tmp_path / "net.safetensors").exists()


def test_a_shipped_net_expands_to_its_state_dict(tmp_path):
    from dcviz.pipeline import shipped

    path = shipped.compressed_path("lenet-5")
    shrinking.expand(path, tmp_path / "lenet.safetensors")
    back = load_file(tmp_path / "lenet.safetensors")
    for key, array in archive.load(path).state_dict().items():
        assert np.array_equal(back[key].numpy(), array)


def test_other_compressors_are_asked_about_the_same_bytes(tmp_path):
    tensor = torch.arange(5000, dtype=torch.int32)
    save_file({"w": tensor}, tmp_path / "w.safetensors")
    assert shrinking.beside(tmp_path / "w.safetensors")["xz"] == len(lzma.compress(tensor.numpy().tobytes()))


def test_the_commands_say_what_was_done_and_that_nothing_was_retrained(checkpoint, capsys):
    small = checkpoint.with_suffix(".dcz")
    assert main(["shrink", str(checkpoint), "-o", str(small), "--density", "0.3", "--bits", "5", "--beside"]) == 0
    out = capsys.readouterr().out
    for word in ("fc.weight", "nothing was retrained", "left out", "epoch", "zstd"):
        assert word in out
    assert main(["expand", str(small), "-o", str(checkpoint.with_suffix(".safetensors"))]) == 0
    assert main(["shrink", str(checkpoint), "-o", str(small), "--lossless", "--json"]) == 0
    assert main(["shrink", str(checkpoint), "-o", str(small), "--only", "x*"]) == 1
    assert "x*" in capsys.readouterr().err


PEAK = """
import resource, sys
from dcviz.pipeline import shrinking
import numpy, torch, zstandard
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
shrinking.shrink(sys.argv[1], sys.argv[2], lossless=sys.argv[3] == "lossless", density=0.5)
shrinking.expand(sys.argv[2], sys.argv[1] + ".back.safetensors")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("how", ["lossless", "shared"])
def test_memory_does_not_grow_with_the_checkpoint(how, tmp_path):
    """What a checkpoint of 64 MiB takes beside its own mapped pages: about what its largest piece does."""
    path = tmp_path / "large.safetensors"
    save_file({f"w{i}": weights(1024, 4096) for i in range(4)}, path)
    script = [sys.executable, "-c", PEAK.replace("import numpy", "shrinking.PIECE = 1 << 18\nimport numpy")]
    run = subprocess.run([*script, path, tmp_path / "out.dcz", how], capture_output=True, text=True, check=True)
    assert int(run.stdout) < (64 + 48) << 10
