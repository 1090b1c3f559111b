"""Words of single weights are found in a file, to the bit; a journey's numbers are those of the shipped nets."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dcviz import archive
from dcviz.chapters.ch07_full_pipeline import journey, measure
from dcviz.errors import ArchiveError, DataError
from dcviz.evidence import recordings
from dcviz.labkit.base import plain
from dcviz.labs import JourneyLab
from dcviz.pipeline import shipped


def layer_of(name, layer):
    stored = shipped.compressed(name)
    return stored, next(one for one in stored.layers if one.name == layer)


@pytest.mark.parametrize(("net", "name"), [("lenet-300-100", "fc1"), ("lenet-300-100", "fc3"), ("lenet-5", "conv2")])
@pytest.mark.parametrize("huffman", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_flipping_nothing_but_a_words_bits_changes_nothing_but_that_weight(net, name, huffman, order):
    stored, layer = layer_of(net, name)
    layer = replace(layer, coding=replace(layer.coding, huffman=huffman, order=order))
    stored = replace(stored, layers=tuple(layer if one.name == name else one for one in stored.layers))
    data = archive.dumps(stored)
    located = journey.locate(data, name)
    flat = layer.weight.ravel()
    rng = np.random.default_rng(0)
    for place in rng.choice(np.flatnonzero(flat), 20, replace=False):
        walk = located.place_in_walk(place)
        entry = int(np.searchsorted(located.walked, walk))
        assert located.walked[entry] == walk
        assert located.codebook[located.codes.word(entry).symbol] == flat[place]
        before = located.walked[entry - 1] if entry else -1
        assert located.gaps.word(entry).symbol + 1 == walk - before


def test_the_bits_in_the_file_are_the_canonical_words():
    from dcviz.ideas import huffman

    data = journey.file_of()
    located = journey.locate(data, "fc1")
    for stream in (located.gaps, located.codes):
        lengths = np.zeros(int(stream.symbols.max()) + 1, np.int64)
        lengths[stream.symbols] = np.diff(stream.starts)
        words = huffman.canonical_codes(lengths)
        for entry in [0, 1, 1023, 1024, 9999, len(stream.symbols) - 1]:
            word = stream.word(entry)
            assert word.text(data) == f"{words[word.symbol]:0{word.length}b}"


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(ArchiveError, match="fc9"):
        journey.locate(journey.file_of(), "fc9")


def test_journeys_begin_in_the_dense_net_and_end_in_the_file():
    dense = shipped.dense("lenet-300-100").fc1.weight.detach().numpy().ravel()
    stored = shipped.stored_weights("lenet-300-100")["fc1"].ravel()
    found = journey.journeys()
    assert len(found) == measure.KEPT + measure.GONE
    assert [one.position for one in found] == measure.chosen(stored).tolist()
    for one in found:
        assert one.dense == dense[one.position]
        assert one.kept == (stored[one.position] != 0)
        assert one.kept == (one.retrained != 0) == (one.cut != 0)
        if one.kept:
            assert one.centroid == stored[one.position]
            assert one.centroid == pytest.approx(one.fine_tuning[-1], rel=1e-3), "rounded to float16"
            value = np.frombuffer(journey.file_of()[one.centroid_byte :][:2], "<f2")[0]
            assert value == np.float16(one.centroid)
        else:
            assert one.filler or one.before < one.walk < one.before + one.gap.symbol + 1


def test_weights_of_a_cluster_take_the_same_way_from_sharing_on():
    by_code = {}
    for one in journey.journeys():
        if one.kept:
            assert by_code.setdefault(one.code.symbol, one.fine_tuning) == one.fine_tuning
    assert len(by_code) > 5


def test_the_threshold_of_the_last_cut_parts_kept_from_pruned():
    first = recordings.load("weight_journey").rows[0]
    kept = [abs(one.cut) for one in journey.journeys() if one.kept]
    assert 0 < first["threshold"] <= min(kept)


def test_a_record_of_another_net_is_refused(monkeypatch):
    real = recordings.load("weight_journey")
    rows = [real.rows[0], {**real.rows[1], "retraining": [9.0, *real.rows[1]["retraining"][1:]]}]
    monkeypatch.setattr(recordings, "load", lambda name: replace(real, rows=rows))
    journey.journeys.cache_clear()
    with pytest.raises(DataError, match="another net"):
        journey.journeys()
    journey.journeys.cache_clear()


@pytest.mark.parametrize("number", range(0, 64, 7))
def test_the_caption_goes_there_and_back(number):
    lab = JourneyLab(weight=number)
    one, text = lab.journey, plain(lab.caption.value)
    assert f"Weight {one.position:,} of fc1" in text
    assert one.gap.text(journey.file_of()) in text
    assert re.search(rf"And back: .*{one.walk:,}", text)
    if one.kept:
        assert one.code.text(journey.file_of()) in text
    else:
        assert "no bits of its own" in text or "filler" in text
