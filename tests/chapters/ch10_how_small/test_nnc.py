import sys
from importlib import metadata

import numpy as np
import pytest

from dcviz.chapters.ch10_how_small import nnc
from dcviz.errors import CodeError, DataError
from dcviz.pipeline import shipped


class Stand:
    """In place of the extension: an encoder that keeps its numbers as bytes, and a decoder that reads them."""

    class HdspMode:
        AlwaysOff = "off"

    class Encoder:
        def initCtxModels(self, unary, optimised):
            assert (unary, optimised) == (nnc.UNARY, True)

        def encodeLayer(self, numbers, dq, order, profile, parent, skip, empty, mode, history, *codebook):
            assert empty.tolist() == [int(not row.any()) for row in numbers]
            self.numbers = numbers

        def finish(self):
            return np.frombuffer(self.numbers.astype("<i4").tobytes(), np.uint8)

    class Decoder:
        def setStream(self, data):
            self.data = data

        def initCtxModels(self, unary):
            assert unary == nnc.UNARY

        def decodeLayer(self, back, *settings):
            back[:] = self.data.view("<i4").reshape(back.shape)


@pytest.fixture
def stand(monkeypatch):
    monkeypatch.setattr(nnc, "import_module", lambda name: Stand)
    return Stand


def test_codes_count_outwards_from_zero():
    weight = np.array([[0, 0.5, -2], [0.25, -1, 0.5]], np.float32)
    assert nnc.codes(weight).tolist() == [[0, 2, -2], [1, -1, 2]]
    assert nnc.codes(np.float32([3, 2])).tolist() == [2, 1], "and no weight need be zero"
    assert nnc.codes(weight).dtype == np.int32


def test_the_size_is_that_of_what_was_written(stand):
    weight = np.zeros((3, 2, 2, 2), np.float32)
    weight[0, 1, 1, 0] = 0.5
    assert nnc.size(weight) == 4 * weight.size


def test_what_does_not_come_back_is_an_error(stand, monkeypatch):
    monkeypatch.setattr(stand.Decoder, "decodeLayer", lambda self, back, *settings: None)
    with pytest.raises(CodeError, match="do not come back"):
        nnc.size(np.eye(2, dtype=np.float32))


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nncodec", None)
    with pytest.raises(DataError, match="pip install --no-deps nncodec"):
        nnc.size(np.eye(2, dtype=np.float32))


def test_without_the_package_there_is_no_version_either(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(nnc.metadata, "version", missing)
    with pytest.raises(DataError, match="pip install --no-deps nncodec"):
        nnc.version()


def test_the_real_coder_is_in_the_region_of_huffman():
    pytest.importorskip("nncodec")
    weight = shipped.compressed("lenet-5-tiny").layers[2].weight
    assert 1500 < nnc.size(weight) < 2500
