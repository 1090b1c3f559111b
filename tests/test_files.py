import os

import pytest

from dcviz import files
from dcviz.files import atomic_write, replacing


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder" / "file"
    atomic_write(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half of the new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, fail)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
    atomic_write(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"


def test_what_a_killed_process_left_goes_away_and_what_a_living_one_writes_stays(tmp_path):
    path = tmp_path / "file[1]"
    (tmp_path / ".file[1].dead.part").write_bytes(b"half")
    (tmp_path / ".file1.other.part").write_bytes(b"half of another file")
    with replacing(path) as first:
        first.write_bytes(b"first")
        atomic_write(path, lambda file: file.write(b"second"))
        assert first.exists()
        assert sorted(tmp_path.iterdir()) == sorted([first, path, tmp_path / ".file1.other.part"])
    assert path.read_bytes() == b"first"


@pytest.mark.skipif(files.fcntl is None, reason="no locks on Windows")
def test_a_scratch_file_that_is_swept_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    real, stolen = files.fcntl.flock, []

    def late(handle, how):
        if not stolen and how == files.fcntl.LOCK_EX:
            stolen.append(next(tmp_path.glob(".file.*.part")))
            stolen[0].unlink()
        return real(handle, how)

    monkeypatch.setattr(files.fcntl, "flock", late)
    atomic_write(tmp_path / "file", lambda file: file.write(b"whole"))
    assert stolen
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"whole")]


def test_the_scratch_file_can_be_read_back_and_no_handle_stays_open(tmp_path):
    def write(file):
        file.write(b"abc")
        file.seek(0)
        return file.read()

    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert atomic_write(tmp_path / "file", write) == b"abc"
    assert (len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0) == before
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~files._umask()
