import errno
import os
import re

import pytest

from dcviz import files
from dcviz.chapters.ch10_how_small import measure
from dcviz.errors import OutputError
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


def test_a_full_disk_and_a_missing_place_are_named(tmp_path, monkeypatch):
    path = tmp_path / "file"

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as said:
        atomic_write(path, full)
    assert said.value.filename == str(path)
    monkeypatch.setattr(files.tempfile, "mkstemp", lambda **_: full(None))
    with pytest.raises(OSError, match="No space left on device") as said:
        atomic_write(path, lambda file: None)
    assert said.value.filename == str(path)


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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs devices and named pipes")
def test_only_a_regular_file_of_bounded_size_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    assert files.read(tmp_path / "file", 5) == files.read(tmp_path / "link", 5) == b"12345"
    for place, why in [
        (tmp_path / "file", "more than 4 bytes"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path, "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (tmp_path / "loop", "symbolic links"),
        ("a\0b", "null"),
    ]:
        with pytest.raises(OSError, match=why):
            files.read(place, 4)


def test_json_is_a_value_or_a_value_error(tmp_path):
    path = tmp_path / "file.json"
    path.write_text('{"a": [1, "ü"]}', "utf-8")
    assert files.read_json(path) == {"a": [1, "ü"]}
    for text in (b"", b"{", b"[" * 100_000, b"\xff", b"1" * 5000, b"\x00"):
        path.write_bytes(text)
        with pytest.raises(ValueError):  # noqa: PT011  (json has many words for it)
            files.read_json(path)


def test_a_place_to_write_is_tried_out_and_left_empty(tmp_path):
    files.check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(OutputError, match="files cannot be written there"):
            files.check_writable(place)


def test_a_full_disk_is_found_by_trying(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        files.check_writable(tmp_path, 1000)
        with pytest.raises(OutputError, match="File too large"):
            files.check_writable(tmp_path, 1001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_everyone_asks_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("DCVIZ_CACHE", str(tmp_path))
    assert files.cache_dir() == tmp_path
    assert measure.folder().parent == tmp_path
    for path in (files.ROOT / "dcviz").rglob("*.py"):
        assert path.name == "files.py" or not re.search(r'DATA / "cache"|"data/cache', path.read_text("utf-8"))
