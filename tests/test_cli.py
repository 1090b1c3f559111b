import json
import subprocess
import sys

import numpy as np
import pytest

from dcviz import archive
from dcviz.__main__ import main
from dcviz.files import ROOT
from dcviz.pipeline import shipped


def run(capsys, *arguments):
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_table1_puts_the_papers_rows_beside_ours(capsys, no_data):
    status, out, _ = run(capsys, "table1")
    assert status == 0
    assert "paper (quoted)" in out
    assert "this workbook (measured now)" in out
    assert "1070 KB" in out
    assert "5,000 bundled digits" in out


def test_table1_as_json_is_recomputed_from_the_shipped_files(capsys, no_data):
    rows = json.loads(run(capsys, "table1", "--json")[1])
    assert [row["net"] for row in rows] == list(shipped.TABLE1)
    for row in rows:
        path = shipped.compressed_path(row["net"])
        assert row["file_bytes"] == path.stat().st_size
        assert row["ratio"] == pytest.approx(row["dense_bytes"] / path.stat().st_size)
        assert 0 < row["error_percent"] < 3
        assert row["images"] == "5,000 bundled digits"
    assert {row["net"]: row["dense_bytes"] for row in rows} == {"lenet-300-100": 1_066_440, "lenet-5": 1_724_320}


def test_table1_shows_the_smaller_files_on_request(capsys, no_data):
    rows = json.loads(run(capsys, "table1", "--all", "--json")[1])
    ratios = {row["net"]: row["ratio"] for row in rows}
    assert list(ratios) == list(shipped.REFERENCES)
    assert ratios["lenet-5-small"] > 2 * ratios["lenet-5"]
    assert "lenet-300-100-small" in run(capsys, "table1", "--all")[1]


def test_inspect_accounts_for_every_byte(capsys):
    path = shipped.compressed_path("lenet-5")
    shown = json.loads(run(capsys, "inspect", str(path), "--json")[1])
    assert shown["file_bytes"] == path.stat().st_size == sum(shown["parts"].values())
    text = run(capsys, "inspect", str(path))[1]
    for part in archive.PARTS:
        assert part in text
    assert f"{path.stat().st_size:,}" in text


def test_a_wrong_file_is_a_message_and_a_status_not_a_traceback(capsys, tmp_path):
    path = tmp_path / "notes.dcz"
    path.write_text("not a net")
    status, out, err = run(capsys, "inspect", str(path))
    assert (status, out) == (1, "")
    assert err.startswith("dcviz: ")
    assert "notes.dcz: not a .dcz file" in err
    assert "known are lenet-300-100, lenet-5" in run(capsys, "reproduce", "lenet-7", "--out", str(tmp_path))[2]


def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "dcviz", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("dcviz ")


def test_inspect_shows_names_as_data_and_json_keeps_them(capsys, tmp_path):
    names = ["\x1b[2J\x1b]52;c;b3duZWQ=\x07", "fc1\rfc2\n  forged    1", "\u202eevil\u2066", "<b>$x$</b>", "x" * 400]
    layers = tuple(archive.Layer(name, np.ones((2, 3), np.float32)) for name in names)
    archive.save(tmp_path / "a.dcz", archive.StoredNet("\x1b[31mnet", layers))
    status, out, _ = run(capsys, "inspect", str(tmp_path / "a.dcz"))
    assert status == 0
    assert all(line.isprintable() for line in out.splitlines())
    assert all(len(line) < 200 for line in out.split("\n"))
    assert r"\x1b[31mnet" in out
    assert sum(line.startswith("  fc1") for line in out.splitlines()) == 1
    said = json.loads(run(capsys, "inspect", str(tmp_path / "a.dcz"), "--json")[1])
    assert [layer["layer"] for layer in said["layers"]] == names


def test_a_path_in_a_message_is_one_line(capsys, tmp_path):
    status, _, err = run(capsys, "inspect", str(tmp_path / "a\nb\x1b[2J"))
    assert status == 1
    assert err.count("\n") == 1
    assert "\x1b" not in err


@pytest.mark.parametrize("step", ["train", "compress", "measure"])
def test_each_step_of_alexnet_has_its_options(step, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["alexnet", step, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m dcviz alexnet {step} ")
