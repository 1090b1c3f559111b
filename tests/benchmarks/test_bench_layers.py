"""The works `layers` and `file` of side_by_side: right results, honest tables. Not how fast."""

import json

import numpy as np
import pytest
import side_by_side
import works_layers

from dcviz.chapters.ch08_speed_and_energy import timing


def test_layers(monkeypatch):
    monkeypatch.setattr(timing, "six_layers", lambda: ["lenet-300-100/fc2", "lenet-5/fc2"])
    row = works_layers.layers(0, 2)
    assert len(row["rows"]) == 2 * 2 * 3
    seconds = {(r["layer"], r["method"]): r["seconds"] for r in row["rows"][:6]}
    ratios = [seconds[n, "dense"] / seconds[n, "compressed"] for n in timing.six_layers()]
    assert row["ratio"]["dense"] == pytest.approx(np.sqrt(ratios[0] * ratios[1]))
    text = works_layers.layers_table(row)
    assert text.count("codes and gaps") == 4
    assert "geometric means" in text
    assert all(gain > 0 for gains in row["threads"][2] for gain in gains.values())
    assert "on 2 threads" in text
    json.dumps(row)


def test_file(capsys):
    side_by_side.main(["file", "--json", "--size", "4000", "--repetitions", "1"])
    (row,) = json.loads(capsys.readouterr().out)
    assert row["bytes"]["raw"] == row["bytes"]["dcz"] < row["bytes"]["npz"] < row["bytes"]["safetensors"]
    assert row["ours_s"] == pytest.approx(row["write_s"]["dcz"] + row["read_s"]["dcz"])
    side_by_side.main(["file", "--size", "4000", "--repetitions", "1"])
    assert ".dcz (ours)" in capsys.readouterr().out
