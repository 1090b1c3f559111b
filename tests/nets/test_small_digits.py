"""The second task's digits: whole, as scikit-learn has them, and up-scaled without losing ink."""

import numpy as np
import pytest
import torch

from dcviz.errors import DataError
from dcviz.nets import small_digits


def test_they_are_scikit_learns():
    sklearn = pytest.importorskip("sklearn.datasets")
    images, labels = small_digits.raw()
    theirs = sklearn.load_digits()
    assert np.array_equal(images, theirs.images)
    assert np.array_equal(labels, theirs.target)


def test_splits():
    digits = small_digits.digits()
    assert digits.train.images.shape == (1000, 28, 28)
    assert digits.test.images.shape == (797, 28, 28)
    assert digits.train.images.dtype == np.uint8
    assert set(digits.test.labels.tolist()) == set(range(10))


def test_upscaling_keeps_place_and_range():
    images = np.zeros((1, 8, 8), np.uint8)
    images[0, 2, 5] = 16
    large = small_digits.upscaled(images)
    rows, columns = np.nonzero(large[0] > 120)
    assert large.shape == (1, 28, 28)
    assert abs(rows.mean() - (2.5 * 3.5 - 0.5)) < 0.5
    assert abs(columns.mean() - (5.5 * 3.5 - 0.5)) < 0.5
    full = np.full((2, 8, 8), 16, np.uint8)
    assert (small_digits.upscaled(full) == 255).all()
    framed = small_digits.upscaled(full, size=20)
    assert framed[:, 4:24, 4:24].min() == 255
    assert framed.sum() == 2 * 400 * 255


def test_upscaling_is_torchs():
    images, _ = small_digits.raw()
    ink = torch.tensor(images).float()[:, None] * (255 / 16)
    theirs = torch.nn.functional.interpolate(ink, size=(28, 28), mode="bilinear", align_corners=False)
    apart = np.abs(small_digits.upscaled(images) - theirs[:, 0].round().numpy())
    assert apart.max() <= 1, "where a half is rounded"
    assert (apart > 0).mean() < 1e-3


def test_made_again_it_is_the_same(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    before = small_digits.raw()
    monkeypatch.setattr(small_digits, "PATH", tmp_path / "digits.npz")
    small_digits.make()
    assert all(np.array_equal(a, b) for a, b in zip(before, small_digits.raw(), strict=True))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", None])
def test_a_missing_or_damaged_file_is_named(content, tmp_path, monkeypatch):
    path = tmp_path / "digits.npz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(small_digits, "PATH", path)
    with pytest.raises(DataError, match=r"digits\.npz"):
        small_digits.raw()


def test_other_digits_of_the_right_shape_are_refused(tmp_path, monkeypatch):
    images, labels = (part.copy() for part in small_digits.raw())
    images[7, 2, 3] ^= 1  # one pixel
    np.savez_compressed(tmp_path / "digits.npz", images=images, labels=labels)
    monkeypatch.setattr(small_digits, "PATH", tmp_path / "digits.npz")
    with pytest.raises(DataError, match=r"does not hold the 1,797 digits"):
        small_digits.raw()
