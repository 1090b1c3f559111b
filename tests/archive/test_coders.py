"""Other coders on the same symbols: everything decodes, tables are counted, the bound holds where it should."""

import sys

import numpy as np
import pytest

from dcviz import archive
from dcviz.archive import Coding, Layer, coders, streams
from dcviz.archive.coders import GAPS, WEIGHT_CODES, Stream
from dcviz.chapters.ch06_huffman import tables
from dcviz.errors import CodeError
from dcviz.ideas import ans, huffman, relative_index
from dcviz.ideas.entropy import entropy, histogram

RNG = np.random.default_rng(6)


def layer(order="C", index_bits=3, codebook=(-0.5, 0.25, 0.75), density=0.1):
    weight = np.zeros((40, 50), np.float32)
    kept = RNG.random(weight.shape) < density
    weight[kept] = RNG.choice(np.array(codebook, np.float32), kept.sum())
    return Layer("fc1", weight, None, Coding(index_bits, np.array(codebook, np.float32), True, order=order))


@pytest.mark.parametrize("order", ["C", "F"])
def test_streams_are_the_symbols_of_the_file(order):
    one = layer(order)
    found = coders.streams(one)
    codes, gaps = found[WEIGHT_CODES], found[GAPS]
    flat = np.zeros(one.weight.size, np.float32)
    flat[relative_index.decode(gaps.symbols)] = codes.values[codes.symbols]
    np.testing.assert_array_equal(flat.reshape(one.weight.shape, order=order), one.weight)
    breakdown = archive.breakdown(archive.StoredNet("mine", (one,))).layers[0]
    assert gaps.symbols.size == codes.symbols.size == breakdown.entries
    assert gaps.fillers == codes.fillers == breakdown.fillers > 0
    assert np.count_nonzero(codes.symbols == codes.filler) == breakdown.fillers
    assert codes.width == 2
    assert codes.counts.sum() == gaps.counts.sum() == breakdown.entries
    assert (codes.counts.size, gaps.counts.size) == (4, 8)


def test_without_fillers_there_is_no_filler_code():
    codes = coders.streams(layer(index_bits=12))[WEIGHT_CODES]
    assert codes.filler is None
    assert codes.counts.size == 3


def test_layers_that_are_not_pruned_and_shared_are_refused():
    weight = np.ones((2, 2), np.float32)
    for coding in (Coding(), Coding(index_bits=3), Coding(codebook=np.ones(1, np.float32))):
        with pytest.raises(CodeError, match="not pruned and shared"):
            coders.streams(Layer("fc1", weight, None, coding))
    with pytest.raises(CodeError, match="not in its codebook"):
        coders.streams(Layer("fc1", weight, None, Coding(3, np.array([0.5], np.float32))))


def skewed(n=4000, k=20):
    return Stream("symbols", np.minimum(RNG.geometric(0.3, n) - 1, k - 1), 5)


def test_every_coder_gives_bytes_beside_the_bound():
    stream = skewed()
    rows = {size.coder: size for size in coders.sizes(stream)}
    assert set(rows) >= {"fixed-length", "Huffman", "ANS", "ANS (constriction)", *coders.COMPRESSORS}
    assert rows["fixed-length"].bytes == 4000 * 5 // 8 + 2
    bound = coders.bound(stream)
    for name in ("fixed-length", "Huffman", "ANS"):
        assert rows[name].bytes - rows[name].table >= bound - 1  # independent draws: nobody beats entropy
    assert rows["ANS"].bytes - rows["ANS"].table < bound * 1.003 + 6
    assert rows["Huffman"].bytes < rows["zip"].bytes
    for name, size in rows.items():
        assert size.bytes is not None or size.note == "not installed here", name


def test_huffman_size_is_the_stream_of_the_file():
    stream = skewed()
    lengths = huffman.code_lengths(stream.counts)
    size = coders.huffman_size(stream.symbols, stream.width)
    writer = streams.Writer()
    streams.write_symbols(writer, stream.symbols, True, stream.width)
    assert size.bytes == len(writer)
    words = -(-int((stream.counts * lengths).sum()) // 8)
    assert size.bytes == words + size.table + 1  # one byte says that it is Huffman


def test_a_table_that_costs_more_than_it_saves_is_not_written():
    size = coders.huffman_size(np.array([0, 1, 2]), 2)
    assert size.table == 0
    assert "fixed length" in size.note
    assert size.bytes == coders.fixed_size(np.array([0, 1, 2]), 2).bytes == 3


def test_symbols_beyond_a_byte():
    stream = Stream("symbols", RNG.integers(0, 600, 500).astype(np.uint16), 10)
    assert all(size.bytes for size in coders.sizes(stream) if size.note != "not installed here")


def test_general_compressors_are_checked_and_may_be_missing(monkeypatch):
    data = bytes(1000)
    found = coders.files(data)
    assert all(size < 300 for size in found.values() if size is not None)
    assert coders.files(data) == found  # no clock inside
    for name in ("zstandard", "compression.zstd", "constriction"):
        monkeypatch.setitem(sys.modules, name, None)
    assert coders.files(data)["zstd"] is None
    missing = {size.coder: size for size in coders.sizes(skewed())}
    assert missing["zstd"].bytes is missing["ANS (constriction)"].bytes is None
    assert "not installed" in missing["zstd"].note
    monkeypatch.setattr(coders.bz2, "decompress", lambda coded: b"other")
    with pytest.raises(CodeError, match="bz2"):
        coders.files(data)


def test_blocks_share_their_bits():
    mask = RNG.random(60_000) < 0.05
    bits = [coders.block_bits(mask, block) for block in (1, 2, 4, 8)]
    assert bits[0] == 1
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] < 1.1 * entropy(histogram(mask.astype(int)))
    for block in (0, 17):
        with pytest.raises(CodeError):
            coders.block_bits(mask, block)
    with pytest.raises(CodeError):
        coders.block_bits([0, 1], 3)


# ------------------------------------------------------------------ ANS


@pytest.mark.parametrize(
    "symbols",
    [[0], [5] * 100, [0, 1], list(range(256)), RNG.integers(0, 3, 2000), np.minimum(RNG.geometric(0.9, 5000), 40)],
    ids=["one", "same", "two", "all", "even", "skewed"],
)
def test_ans_round_trip(symbols):
    symbols = np.asarray(symbols)
    frequencies = ans.quantise(histogram(symbols))
    assert frequencies.sum() == 1 << ans.PRECISION
    assert ((frequencies > 0) == (histogram(symbols) > 0)).all()
    data = ans.encode(symbols, frequencies)
    np.testing.assert_array_equal(ans.decode(data, symbols.size, frequencies), symbols)
    p = frequencies / frequencies.sum()
    needed = -np.log2(p[symbols]).sum() / 8
    assert len(data) <= needed * 1.001 + 6


def test_ans_needs_less_than_a_bit_where_huffman_cannot():
    symbols = (RNG.random(20_000) < 0.02).astype(int)
    size = coders.ans_size(symbols)
    assert size.bytes < 0.17 * 20_000 / 8  # the entropy is 0.14 bits
    assert coders.huffman_size(symbols, 1).bytes >= 20_000 / 8


def test_ans_agrees_with_constriction():
    pytest.importorskip("constriction")
    stream = skewed(20_000)
    ours, theirs = coders.ans_size(stream.symbols), coders.constriction_size(stream.symbols)
    assert ours.bytes == pytest.approx(theirs.bytes, abs=8)


def test_rare_symbols_keep_a_frequency():
    counts = np.full(3000, 1)
    counts[7] = 10**9
    frequencies = ans.quantise(counts)
    assert frequencies.min() == 1
    assert frequencies.sum() == 1 << ans.PRECISION


def test_ans_refuses_what_it_cannot_code():
    frequencies = ans.quantise([3, 0, 5])
    for symbols in ([1], [3], [-1]):
        with pytest.raises(CodeError, match="has no frequency"):
            ans.encode(symbols, frequencies)
    for counts in ([], [0, 0], np.ones((1 << ans.PRECISION) + 1)):
        with pytest.raises(CodeError, match="frequencies need"):
            ans.quantise(counts)
    data = ans.encode([0, 2, 2] * 50, frequencies)
    for damaged in (b"", data[:3], data[:-2], data + b"\0\0", bytes([data[0] ^ 8]) + data[1:]):
        with pytest.raises(CodeError):
            ans.decode(damaged, 150, frequencies)


def test_ans_frequencies_by_hand():
    # 1820.4, 9102.2, 5461.3: the most frequent one gets what is missing
    assert ans.quantise([1, 5, 3]).tolist() == [1820, 9103, 5461]
    # 3 x 5461 + 3000 is 2999 too many: an eighth (682) of each, then 597 and the last 356
    assert ans.quantise([10**9] * 3 + [1] * 3000)[:3].tolist() == [4182, 4423, 4779]


def test_ans_decodes_to_the_narrowest_type_and_says_where_it_must_end():
    for alphabet, kind in ((1, np.uint8), (256, np.uint8), (257, np.uint16)):
        frequencies = ans.quantise(np.ones(alphabet, np.int64))
        data = ans.encode([alphabet - 1] * 3, frequencies)
        assert ans.decode(data, 3, frequencies).dtype == kind
        with pytest.raises(CodeError, match=r"^damaged ANS stream: it does not end where it should$"):
            ans.decode(data + b"\0\0", 3, frequencies)


# ------------------------------------------------------------------ tables of the chapter


def test_tables_keep_paper_and_ours_apart():
    layers = tables.layers("lenet-300-100")
    assert layers[tables.PAPER, "Huffman"].tolist()[0] == 4.4  # Table 2, ip1
    ours = layers[tables.HERE]
    assert (ours["entropy"] <= ours["Huffman"]).all()
    assert (ours["Huffman"] < ours["entropy"] + 1).all()
    last = tables.last_layers("lenet-5")
    assert last[tables.DIGITISED, "Huffman"].tolist() == [4.01, 3.48]


def test_whole_files_are_measured():
    saving = tables.whole_file_saving("lenet-300-100")
    assert 0.05 < saving < 0.5
    table = tables.whole_files()
    assert table.loc["alexnet", (tables.PAPER, "saved %, derived")] == pytest.approx(22, abs=0.5)
    assert float(table.loc["lenet-300-100", (tables.HERE, "saved %")]) == pytest.approx(100 * saving, abs=0.06)


def test_gaps_come_below_one_bit_a_weight():
    table = tables.mask_codes("lenet-300-100", "fc1")["bits per weight"]
    assert table["Huffman: mask, weight by weight"] == 1
    assert table["Huffman: gaps, as in the file"] < 0.6


def test_formulas_hold_the_layers_own_numbers():
    stream = skewed()
    mean = (stream.counts * huffman.code_lengths(stream.counts)).sum() / stream.counts.sum()
    assert f"{entropy(stream.counts):.3f}" in tables.entropy_formula(stream)
    assert f"{mean:.3f}" in tables.mean_formula(stream)
    assert r"\dots" not in tables.entropy_formula(Stream("symbols", np.array([0, 1]), 1))


def test_the_coder_table_starts_at_the_bound_and_names_what_is_missing():
    stream = skewed()
    table = tables.by_coder(stream, [*coders.sizes(stream), coders.Size("other", None, note="not installed here")])
    assert table.index[0].startswith("entropy bound")
    known = [int(text.replace(",", "")) for text in table["bytes"][1:] if text]
    assert known == sorted(known)
    assert table.loc["other", "bytes"] == ""


def test_order_is_worth_something_to_compressors_only():
    stream = Stream("symbols", np.repeat(np.arange(8), 200), 3)
    worth = tables.shuffled(stream)["order is worth"].str.replace(",", "").astype(int)
    assert worth["fixed-length"] == 0
    assert abs(worth["Huffman"]) <= 2  # the lengths of its chunks may change a byte
    assert worth["zip"] > 100
