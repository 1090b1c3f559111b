import hashlib
import io
import os
import tarfile

import numpy as np
import pytest

from dcviz.errors import DataError
from dcviz.nets import cifar

N = 20  # records per file in these tests


def fake_file(seed=0, records=N):
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (records, cifar.RECORD), dtype=np.uint8)
    data[:, 0] %= 10
    return data


@pytest.fixture
def small(no_data, monkeypatch):
    """A cache folder with small files of the right layout; returns {file name: records}."""
    monkeypatch.setattr(cifar, "RECORDS_PER_FILE", N)
    monkeypatch.setattr(cifar.read_records, "__defaults__", (N,))
    monkeypatch.setattr(cifar.extract, "__defaults__", (N,))
    return {name: fake_file(i) for i, name in enumerate(cifar.FILES["train"] + cifar.FILES["test"])}


def write(files, folder, sums=False):
    folder.mkdir(parents=True)
    for name, data in files.items():
        data.tofile(folder / name)
    if sums:
        lines = [f"{hashlib.sha256(data.tobytes()).hexdigest()}  {name}\n" for name, data in files.items()]
        (folder / cifar.SUMS).write_text("".join(lines))


def pack(path, members):
    """A .tar.gz of (name, bytes or TarInfo type)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content, "/etc/hostname"
                tar.addfile(info)
    return path


def members(files):
    return [(f"{cifar.FOLDER}/{name}", data.tobytes()) for name, data in files.items()]


def test_layout(small, no_data, monkeypatch):
    write(small, no_data / "own" / cifar.FOLDER)
    monkeypatch.setenv("DCVIZ_DATA", str(no_data / "own"))
    train, test = cifar.cifar10("train", download=False), cifar.cifar10("test", download=False)
    assert (len(train), len(test)) == (5 * N, N)
    assert train.images.shape == (5 * N, 3, 32, 32)
    assert train.images.dtype == train.labels.dtype == np.uint8
    third = small["data_batch_2.bin"][2]  # picture 22 of the training set
    assert train.labels[N + 2] == third[0]
    assert train.images[N + 2, 1, 4, 7] == third[1 + 1024 + 4 * 32 + 7]  # green, row 4, column 7


def test_own_folder_comes_before_the_cache(small, no_data, monkeypatch):
    write({name: data[:, ::1] for name, data in small.items()}, no_data / "cache" / cifar.FOLDER, sums=True)
    assert np.array_equal(cifar.cifar10("test").labels, small["test_batch.bin"][:, 0])
    other = fake_file(99)
    write({"test_batch.bin": other}, no_data / "own" / cifar.FOLDER)
    monkeypatch.setenv("DCVIZ_DATA", str(no_data / "own"))
    assert np.array_equal(cifar.cifar10("test").labels, other[:, 0])


def test_no_data_names_file_and_both_ways_out(no_data):
    with pytest.raises(DataError) as error:
        cifar.cifar10("test", download=False)
    for part in ("test_batch.bin", "DCVIZ_DATA", "download"):
        assert part in str(error.value)


def test_failed_download_names_both_ways_out(no_data, monkeypatch):
    def fail(folder):
        raise OSError("no route to host")

    monkeypatch.setattr(cifar, "_download", fail)
    with pytest.raises(DataError, match=r"no route to host.*DCVIZ_DATA"):
        cifar.cifar10()


def test_download_is_unpacked_into_the_cache(small, no_data, monkeypatch):
    archive = pack(no_data / "c.tar.gz", members(small))
    monkeypatch.setattr(cifar, "_download", lambda folder: archive)
    first = cifar.cifar10("train")
    monkeypatch.delattr(cifar, "_download")
    assert np.array_equal(cifar.cifar10("train").images, first.images)  # the second time from the cache


def test_unknown_split():
    with pytest.raises(DataError, match="'train' and 'test'"):
        cifar.cifar10("validation")


@pytest.mark.parametrize("change", [-1, 1, -cifar.RECORD])
def test_wrong_length(small, no_data, change):
    data = bytes(fake_file().tobytes())
    path = no_data / "data_batch_1.bin"
    path.write_bytes(data[:change] if change < 0 else data + b"\0")
    with pytest.raises(DataError, match=r"data_batch_1\.bin.*bytes"):
        cifar.read_records(path)


def test_wrong_label(small, no_data):
    data = fake_file()
    data[7, 0] = 10
    data.tofile(no_data / "test_batch.bin")
    with pytest.raises(DataError, match="record 7 has label 10"):
        cifar.read_records(no_data / "test_batch.bin")


def test_one_missing_file_is_named(small, no_data, monkeypatch):
    del small["data_batch_4.bin"]
    write(small, no_data / "own" / cifar.FOLDER)
    monkeypatch.setenv("DCVIZ_DATA", str(no_data / "own"))
    with pytest.raises(DataError, match=r"data_batch_4\.bin is missing"):
        cifar.cifar10("train")


def test_an_unpacking_that_was_cut_short_is_done_again(small, no_data, monkeypatch):
    archive = pack(no_data / "c.tar.gz", members(small))
    write({"data_batch_1.bin": small["data_batch_1.bin"]}, no_data / "cache" / cifar.FOLDER)
    with pytest.raises(DataError, match="CIFAR-10 not found"):
        cifar.cifar10("train", download=False)
    monkeypatch.setattr(cifar, "_download", lambda folder: archive)
    assert len(cifar.cifar10("train")) == 5 * N


def test_an_archive_with_other_contents_is_fetched_again_and_refused(no_data, monkeypatch):
    archive = no_data / "cifar-10-binary.tar.gz"
    archive.write_bytes(b"damaged")

    def serve(url, path, check, most):
        assert url == cifar.URL
        assert not path.exists()
        check(io.BytesIO(b"hostile"))

    monkeypatch.setattr(cifar, "resume", serve)
    with pytest.raises(DataError, match="SHA-256"):
        cifar._download(no_data)
    archive.write_bytes(b"right")
    monkeypatch.setattr(cifar, "SHA256", hashlib.sha256(b"right").hexdigest())
    monkeypatch.setattr(cifar, "resume", lambda url, path, check, most: path)
    assert cifar._download(no_data).read_bytes() == b"right"


def test_extract_writes_the_six_files_and_nothing_else(small, no_data):
    hostile = [("../outside.txt", b"x"), ("/tmp/outside.txt", b"x"), (f"{cifar.FOLDER}/readme.html", b"x")]
    archive = pack(no_data / "c.tar.gz", hostile + members(small))
    cifar.extract(archive, no_data / "in" / "out")
    assert sorted(p.name for p in (no_data / "in" / "out").iterdir()) == sorted([*small, cifar.SUMS])
    assert [p.name for p in (no_data / "in").iterdir()] == ["out"]
    assert (no_data / "in/out/test_batch.bin").read_bytes() == small["test_batch.bin"].tobytes()


def change_a_pixel(path):
    data = bytearray(path.read_bytes())
    data[5 * cifar.RECORD + 1000] ^= 1
    path.write_bytes(data)


def test_a_changed_pixel_in_what_was_unpacked_is_found(small, no_data, monkeypatch):
    archive = pack(no_data / "c.tar.gz", members(small))
    monkeypatch.setattr(cifar, "_download", lambda folder: archive)
    assert len(cifar.cifar10("train")) == 5 * N
    part = no_data / "cache" / cifar.FOLDER / "data_batch_3.bin"
    change_a_pixel(part)
    with pytest.raises(DataError, match=r"data_batch_3\.bin: other contents than SHA256SUMS"):
        cifar.cifar10("train")
    part.unlink()  # as the message says
    assert np.array_equal(cifar.cifar10("train").labels[2 * N : 3 * N], small["data_batch_3.bin"][:, 0])


def test_a_cache_without_checksums_is_unpacked_again(small, no_data, monkeypatch):
    write(small, no_data / "cache" / cifar.FOLDER)
    change_a_pixel(no_data / "cache" / cifar.FOLDER / "test_batch.bin")
    archive = pack(no_data / "c.tar.gz", members(small))
    monkeypatch.setattr(cifar, "_download", lambda folder: archive)
    found = cifar.cifar10("test").images
    assert np.array_equal(found.reshape(N, -1), small["test_batch.bin"][:, 1:])


def test_a_folder_of_ones_own_is_compared_with_checksums_if_it_has_them(small, no_data, monkeypatch):
    own = no_data / "own" / cifar.FOLDER
    write(small, own, sums=True)
    monkeypatch.setenv("DCVIZ_DATA", str(no_data / "own"))
    assert len(cifar.cifar10("test", download=False)) == N
    change_a_pixel(own / "test_batch.bin")
    with pytest.raises(DataError, match="other contents"):
        cifar.cifar10("test", download=False)
    for damage in ("", "no checksum at all\n", "\xff" * 10, 2 * (own / cifar.SUMS).read_text(), " " * 200_000):
        (own / cifar.SUMS).write_text(damage, encoding="latin-1")
        with pytest.raises(DataError, match="SHA256SUMS"):
            cifar.cifar10("test", download=False)
    (own / cifar.SUMS).unlink()
    assert len(cifar.cifar10("test", download=False)) == N


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_part(no_data):
    os.mkfifo(no_data / "test_batch.bin")
    with pytest.raises(DataError, match="not a regular file"):
        cifar.read_records(no_data / "test_batch.bin")


@pytest.mark.parametrize("bad", [b"short", tarfile.SYMTYPE, tarfile.DIRTYPE])
def test_extract_refuses_members_of_the_wrong_kind_or_size(small, no_data, bad):
    archive = pack(no_data / "c.tar.gz", [(f"{cifar.FOLDER}/test_batch.bin", bad)])
    with pytest.raises(DataError, match=r"test_batch\.bin is not a file of"):
        cifar.extract(archive, no_data / "out")


def test_extract_refuses_cut_and_incomplete_archives(small, no_data):
    archive = pack(no_data / "c.tar.gz", members(small))
    cut = no_data / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:-1000])
    with pytest.raises(DataError, match="cannot be unpacked"):
        cifar.extract(cut, no_data / "out")
    del small["data_batch_3.bin"]
    with pytest.raises(DataError, match=r"data_batch_3\.bin missing"):
        cifar.extract(pack(no_data / "d.tar.gz", members(small)), no_data / "out2")


def test_tuning_split_is_fixed_and_disjoint():
    train, held_out = cifar.tuning_split()
    assert (len(train), len(held_out)) == (45_000, 5_000)
    assert np.array_equal(np.sort(np.concatenate([train, held_out])), np.arange(50_000))
    assert np.array_equal(held_out, cifar.tuning_split()[1])
    assert not np.array_equal(held_out, cifar.tuning_split(seed=1)[1])


def test_upscale_normalises():
    x = cifar.upscale(np.full((1, 3, 32, 32), 255, np.uint8), 40)
    expected = (1 - np.array(cifar.MEAN)) / np.array(cifar.STD)
    assert x.shape == (1, 3, 40, 40)
    np.testing.assert_allclose(x.amax((0, 2, 3)), expected, rtol=1e-5)
    np.testing.assert_allclose(x.amin((0, 2, 3)), expected, rtol=1e-5)
