"""Threads follow what a container pays for, not the cores that the machine has."""

import os
import subprocess
import sys

import pytest

from dcviz.evidence import machine
from dcviz.files import ROOT


@pytest.fixture
def cgroups(monkeypatch, tmp_path):
    """cgroups(own lines, {file: text}) lays out what Linux tells of control groups."""

    def lay(lines, files):
        monkeypatch.setattr(machine, "CGROUPS", tmp_path / "fs")
        monkeypatch.setattr(machine, "OWN_CGROUP", tmp_path / "own")
        (tmp_path / "own").write_text(lines)
        for name, text in files.items():
            (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "fs" / name).write_text(text)

    return lay


@pytest.mark.parametrize(
    ("lines", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, float("inf")),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n"}, 0.5),
        (
            "4:cpu,cpuacct:/x\n5:memory:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"},
            3,
        ),
        ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, float("inf")),
        ("0::/\n", {"cpu.max": "nonsense"}, float("inf")),
        ("0::/\n", {"cpu.max": "100 0"}, float("inf")),
        ("nonsense", {}, float("inf")),
        ("0::/../../away\n", {}, float("inf")),
    ],
)
def test_the_quota_is_the_smallest_of_all_groups_around(cgroups, lines, files, quota):
    cgroups(lines, files)
    assert machine.quota() == quota


def test_cores_are_named_as_a_part_of_the_machines(cgroups, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(48)), raising=False)
    cgroups("0::/\n", {"cpu.max": "150000 100000\n"})
    assert machine.cores() == 2
    assert "2 of 64 cores" in machine.name()
    cgroups("0::/\n", {"cpu.max": "max 100000\n"})
    assert machine.cores_in_words() == "48 of 64 cores"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert machine.cores_in_words() == "64 cores"
    cgroups("0::/\n", {"cpu.max": "1000 100000\n"})
    assert machine.cores() == 1


def test_torch_keeps_to_the_quota(tmp_path):
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    code = (
        "import pathlib, sys, torch\nfrom dcviz.evidence import machine\ntorch.set_num_threads(7)\n"
        "machine.CGROUPS, machine.OWN_CGROUP = map(pathlib.Path, sys.argv[1:])\n"
        "import dcviz.nets.models\nprint(torch.get_num_threads())"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "own")]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
