"""The same symbols under other coders: is Huffman (section 4 of the paper) a good choice?

A pruned and shared layer is two streams of small integers, weight codes and gaps. ``streams`` takes them out
of a stored layer; ``sizes`` writes one with fixed-length bits, Huffman, ANS, and the general-purpose
compressors (zip, tar.gz, bz2, xz, zstd), and says how many bytes each needs beside Shannon's bound. Every
number is the length of something that was decoded again and found equal; code tables are included.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from dcviz.archive import streams as archive_streams, writer as archive_writer
from dcviz.errors import CodebookError, CodeError
from dcviz.ideas import ans, huffman
from dcviz.ideas.bits import pack_fixed
from dcviz.ideas.entropy import entropy, histogram

WEIGHT_CODES, GAPS = "weight codes", "gaps"
MOST_SHOWN = 256
"""A larger alphabet is shown by the symbols that occur."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Symbols of one kind in one layer, in the order of the file.

    symbols    integers, shape (n,)
    width      bits of a fixed-length code for them
    values     the shared weight of each code, shape (alphabet,); None for gaps (s: s + 1 weights on)
    filler     the code of a filler's zero weight, or None
    fillers    how many entries are fillers
    """

    name: str
    symbols: np.ndarray
    width: int
    values: np.ndarray | None = None
    filler: int | None = None
    fillers: int = 0

    @property
    def counts(self):
        """How often each symbol of the alphabet occurs, int64 (alphabet,)."""
        return histogram(self.symbols, self.alphabet)

    @property
    def alphabet(self):
        """How many symbols there might be."""
        return 1 << self.width if self.values is None else len(self.values)

    def kinds(self):
        """(symbols, counts) in ascending order: all of an alphabet of up to 256 symbols, else those that occur."""
        if self.alphabet <= MOST_SHOWN:
            return np.arange(self.alphabet), self.counts
        return np.unique(self.symbols, return_counts=True)

    def numbered(self):
        """The same symbols as numbers 0, 1, 2, ... in ascending order, with nothing said of what they stand for."""
        found, numbers = np.unique(self.symbols, return_inverse=True)
        numbers = numbers.astype(np.min_scalar_type(len(found)))
        return Stream(self.name, numbers, max((len(found) - 1).bit_length(), 1), None, None, self.fillers)


def streams(layer):
    """Symbols of a stored ``Layer`` as its file holds them: {"weight codes": Stream, "gaps": Stream}.

    CodeError for a layer that has no codebook or stores every position.
    """
    coding = layer.coding
    if coding.codebook is None or coding.index_bits is None:
        raise CodeError(f"layer {layer.name!r} is not pruned and shared: it has no weight codes and gaps")
    index, values = archive_writer.entries(layer)
    codebook = archive_writer.stored_codebook(coding, index)
    try:
        codes = archive_writer.codes_of(values, codebook, f"layer {layer.name!r}")
    except CodebookError as error:
        raise CodeError(str(error)) from error
    filler = int(np.flatnonzero(codebook.view(np.uint32) == 0)[0]) if index.fillers else None
    width = max((len(codebook) - 1).bit_length(), 1)
    codes = codes.astype(np.min_scalar_type(len(codebook) - 1))
    return {
        WEIGHT_CODES: Stream(WEIGHT_CODES, codes, width, codebook, filler, index.fillers),
        GAPS: Stream(GAPS, index.gaps, coding.index_bits, None, None, index.fillers),
    }


# ------------------------------------------------------------------ the coders


@dataclass(frozen=True)
class Size:
    """What a coder needs: ``bytes``, None where it is not installed; ``table`` of them are overhead."""

    coder: str
    bytes: int | None
    table: int = 0
    note: str = ""


def sizes(stream):
    """List of ``Size``: the same ``Stream`` under every coder, each decoded again and compared.

    General-purpose compressors get the stream in the two forms one would try, a byte per symbol and the
    packed fixed-length bits; ``note`` says which was smaller. CodeError if a coder loses a symbol.
    """
    symbols, width = stream.symbols, stream.width
    packed = pack_fixed(symbols, width)
    rows = [fixed_size(symbols, width), huffman_size(symbols, width), ans_size(symbols), constriction_size(symbols)]
    forms = {"a byte each": symbols.astype(np.uint8 if width <= 8 else np.uint16).tobytes(), "packed bits": packed}
    found = {form: files(data) for form, data in forms.items()}
    for coder in COMPRESSORS:
        best = {form: sizes_[coder] for form, sizes_ in found.items() if sizes_[coder] is not None}
        form = min(best, key=best.get) if best else None
        rows.append(Size(coder, best.get(form), note=form or "not installed here"))
    return rows


def bound(stream):
    """Shannon's bound for coding symbols one by one: n * H / 8 bytes, without any table -> float."""
    return stream.symbols.size * entropy(stream.kinds()[1]) / 8


def fixed_size(symbols, width):
    """``Size`` of the stream at fixed length as a .dcz file holds it, with two bytes to say so."""
    writer = archive_streams.Writer()
    archive_streams.write_symbols(writer, symbols, False, width)
    reader = archive_streams.Reader(bytes(writer))
    _same(archive_streams.read_symbols(reader, symbols.size, 1 << width, "bits").symbols, symbols, "packing")
    return Size("fixed-length", len(writer))


def huffman_size(symbols, width):
    """``Size`` of the stream as a .dcz file holds it; code lengths and chunk lengths are its ``table``."""
    writer = archive_streams.Writer()
    archive_streams.write_symbols(writer, symbols, True, width)
    reader = archive_streams.Reader(bytes(writer))
    back = archive_streams.read_symbols(reader, symbols.size, 1 << width, "bits").symbols
    _same(back, symbols, "Huffman")
    table = reader.parts["code_tables"] + reader.parts["lane_starts"]
    note = "" if table else "a table would cost more than it saves: kept at fixed length"
    return Size("Huffman", len(writer), table, note)


def files(data):
    """{coder: bytes} of ``data`` under the general-purpose compressors; None where not installed."""
    return {name: compressor(bytes(data)) for name, compressor in COMPRESSORS.items()}


def _zip(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr(zipfile.ZipInfo("a"), data, zipfile.ZIP_DEFLATED, 9)
    with zipfile.ZipFile(out) as file:
        return _checked(file.read("a"), data, out.getvalue(), "zip")


def _tar_gz(data):
    out = io.BytesIO()
    info = tarfile.TarInfo("a")
    info.size = len(data)
    with tarfile.open(fileobj=out, mode="w") as file:
        file.addfile(info, io.BytesIO(data))
    coded = gzip.compress(out.getvalue(), 9, mtime=0)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(coded))) as file:
        return _checked(file.extractfile("a").read(), data, coded, "tar.gz")


def _bz2(data):
    coded = bz2.compress(data, 9)
    return _checked(bz2.decompress(coded), data, coded, "bz2")


def _xz(data):
    coded = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    return _checked(lzma.decompress(coded), data, coded, "xz")


def _zstd(data):
    try:
        zstd = import_module("compression.zstd")  # in Python's own library since 3.14
        coded, decompress = zstd.compress(data, level=19), zstd.decompress
    except ImportError:
        try:
            zstd = import_module("zstandard")
        except ImportError:
            return None
        coded, decompress = zstd.ZstdCompressor(level=19).compress(data), zstd.ZstdDecompressor().decompress
    return _checked(decompress(coded), data, coded, "zstd")


COMPRESSORS = {"zip": _zip, "tar.gz": _tar_gz, "bz2": _bz2, "xz": _xz, "zstd": _zstd}
"""{name: function(data) -> bytes needed, or None where it is not installed}."""


def ans_size(symbols):
    """``Size`` under ``dcviz.ideas.ans``; its table, the frequencies as variable-length integers, is included."""
    if symbols.size == 0:
        return Size("ANS", 0)
    frequencies = ans.quantise(histogram(symbols))
    data = ans.encode(symbols, frequencies)
    _same(ans.decode(data, symbols.size, frequencies), symbols, "ANS")
    table = _frequency_table(frequencies)
    return Size("ANS", len(data) + table, table)


def constriction_size(symbols):
    """``Size`` under the ANS coder of the package ``constriction``, with the same frequencies as ours."""
    name = "ANS (constriction)"
    try:
        constriction = import_module("constriction")
    except ImportError:
        return Size(name, None, note="not installed here")
    if symbols.size == 0:
        return Size(name, 0)
    frequencies = ans.quantise(histogram(symbols))
    p = frequencies / (1 << ans.PRECISION)
    model = constriction.stream.model.Categorical(p, perfect=False)
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(symbols.astype(np.int32), model)
    words = coder.get_compressed()
    _same(constriction.stream.stack.AnsCoder(words).decode(model, symbols.size), symbols, name)
    table = _frequency_table(frequencies)
    return Size(name, 4 * len(words) + table, table)


def _frequency_table(frequencies):
    writer = archive_streams.Writer()
    for frequency in frequencies.tolist():
        writer.varint(frequency)
    return len(writer)


def _checked(back, data, coded, name):
    if back != data:
        raise CodeError(f"{name} does not give the data back")
    return len(coded)


def _same(back, symbols, name):
    if not np.array_equal(back, symbols):
        raise CodeError(f"{name} does not give the symbols back")


# ------------------------------------------------------------------ why Huffman stops at one bit


def block_bits(bits, block):
    """Mean Huffman bits per item when ``block`` neighbours of a 0/1 vector are coded as one symbol -> float.

    A code word has at least one bit, so single items never cost less than 1; blocks share it. Items that do
    not fill a last block are left out. CodeError unless 1 <= block <= 16 and there is a block.
    """
    bits = np.asarray(bits).reshape(-1).astype(np.int64)
    if not 1 <= block <= 16 or bits.size < block:
        raise CodeError(f"blocks of {block} do not fit {bits.size} items; 1 to 16 are possible")
    words = bits[: bits.size // block * block].reshape(-1, block) @ (1 << np.arange(block))
    counts = histogram(words)
    return float((counts * huffman.code_lengths(counts)).sum() / (counts.sum() * block))
