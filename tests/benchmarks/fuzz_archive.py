"""Damage .dcz files at random, many times, and hold the reader to its promise.

    python tests/benchmarks/fuzz_archive.py [--files 1000000] [--seed 0]

A damaged file must give ``ArchiveError`` or the net that was saved; a file whose checksums were made right again
after the damage must give ``ArchiveError`` or a net of finite weights. Never another exception, never more than two
seconds, and the whole run never more than 64 MB beyond the largest net that came out. Prints what came out; exit
status 1 if a promise was broken, with the number of the file that broke it.
"""

import argparse
import random
import resource
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from dcviz import archive
from dcviz.archive import Coding, Kept, Layer, Lossless, More, StoredNet, Tie, streams, writer
from dcviz.archive.streams import Writer
from dcviz.errors import ArchiveError
from dcviz.ideas import bitstream, huffman
from dcviz.ideas.entropy import histogram

SECONDS, EXTRA = 2.0, 64 << 20
NUMBERS = (0, 1, 127, 128, 2**14, 2**20, 2**28, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63)


def nets():
    """Small nets of every stage: dense, pruned, shared, coded, float16, shared biases, bare tensors; both versions."""
    rng = np.random.default_rng(0)
    values = np.sort(rng.normal(size=11).astype(np.float16).astype(np.float32))
    weights = values[rng.integers(11, size=(24, 30))]
    weights[rng.random(weights.shape) < 0.8] = 0
    bias = values[rng.integers(4, size=24)]
    codings = [
        Coding(),
        Coding(4),
        Coding(4, values),
        Coding(3, values, huffman=True, dtype="float16", order="F"),
        Coding(6, values, np.unique(bias), huffman=True, dtype="float16", bias_dtype="float16"),
        Coding(None, np.unique(weights), huffman=True),
    ]
    for coding in codings:
        layers = (Layer("fc1", weights, bias, coding), Layer("scale", bias, bare=True))
        yield StoredNet("net", layers)
    shared = Coding(4, values, huffman=True, dtype="float16")
    records = (
        Layer("half", weights, bias, shared, dtype="float16"),
        Layer("long", weights, None, Coding(4, dtype="float64"), True, "float64"),
        More(Lossless("long", weights[:3].astype(np.float64))),
        Kept("kept", np.arange(40).reshape(5, 8)),
        Kept("flags", np.arange(9) % 3 == 0),
        Tie("tied", "half.bias"),
    )
    yield StoredNet("net", records)
    live = np.where(rng.random((6, 9)) < 0.4, rng.integers(1, 4, (6, 9)) / 8, 0).astype(np.float32)
    yield StoredNet("net", tuple(Layer(f"fc{i}", live, live[:, 0] + 0.0, Coding(live=3)) for i in (1, 2)))
    yield StoredNet("net", (Lossless("planes", bias.astype(np.float16)), Tie("tied", "planes")))


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def sealed(data):
    """Whether a sound file has one checksum: then its header, of the net "net", says so."""
    return data[4] == 2 and data[10] == 1


def sections(data):
    """[(start of the length, start of the payload, its end)] of a sound file."""
    at, found = 5, []
    while at < len(data) - 4 * sealed(data):
        start, length, shift = at, 0, 0
        while True:
            byte = data[at]
            length, at, shift = length | (byte & 0x7F) << shift, at + 1, shift + 7
            if byte < 0x80:
                break
        found.append((start, at, at + length))
        at += length + 4 * (not sealed(data))
    return found


LIES = (
    "codes that are no prefix code",
    "fillers past the end",
    "gaps past the end",
    "a filler that bridges nothing",
    "a filler as the last entry",
    "more entries than stored",
    "a code outside the codebook",
    "the sections swapped",
)


def forge(lie, rng):
    """A file with right lengths and checksums whose contents are a lie that only a reader's own rules can find."""
    net = list(nets())[3 if lie == "codes that are no prefix code" else 1]
    layer = net.layers[0]
    coding, (index, values) = layer.coding, writer.entries(layer)
    width = coding.index_bits or 4
    codebook = writer.stored_codebook(coding, index) if coding.codebook is not None else np.unique(values)
    if 0 not in codebook:
        codebook = np.concatenate([np.zeros(1, np.float32), codebook])
    codes = writer.codes_of(values, codebook, "forged")
    gaps, zero, largest = index.gaps.astype(np.int64), int(np.flatnonzero(codebook == 0)[0]), 2**width - 1
    at = rng.randrange(len(gaps))
    if lie == "fillers past the end":
        more = rng.randint(1, layer.weight.size // 2**width + 1)
        gaps, codes = np.append(gaps, [largest] * more), np.append(codes, [zero] * more)
    elif lie == "gaps past the end":
        gaps = np.full_like(gaps, largest)
        gaps, codes = np.tile(gaps, 4), np.tile(codes, 4)
    elif lie == "a filler that bridges nothing":
        gaps, codes = np.insert(gaps, at, rng.randrange(largest)), np.insert(codes, at, zero)
    elif lie == "a filler as the last entry":
        gaps[-1], codes[-1] = largest, zero
    elif lie == "a code outside the codebook":
        codes[at] = rng.randint(len(codebook), 15)
    count = len(gaps)
    if lie == "more entries than stored":
        count += rng.choice((8, 1000, 2**31 - 1 - count, 2**31 - count, 2**63 - 1 - count))
    payload = Writer([width])
    payload.varint(count)
    _write_lying_symbols(payload, gaps, width, rng if lie == "codes that are no prefix code" else None)
    payload.varint(len(codebook))
    payload.raw(codebook.astype("<f2" if coding.dtype == "float16" else "<f4").tobytes())
    streams.write_symbols(payload, codes, False, max(len(codebook) - 1, 15).bit_length())
    payload.varint(layer.bias.size)
    payload.raw(layer.bias.astype("<f4").tobytes())
    header = Writer()
    header.text(net.name)
    header.varint(2)
    for each in net.layers:
        if each is layer:
            said = Coding(width, codebook, dtype=coding.dtype, order=coding.order)
            each = Layer(each.name, each.weight, each.bias, said)
        writer._write_layer_record(header, each)
    second = writer.write_layer(net.layers[1])
    order = (second, payload) if lie == "the sections swapped" else (payload, second)
    pieces = [archive.MAGIC + bytes([archive.VERSION])]
    for part in (header, *order):
        pieces += [varint(len(part)), bytes(part), zlib.crc32(part).to_bytes(4, "little")]
    return b"".join(map(bytes, pieces))


def _write_lying_symbols(payload, symbols, width, rng):
    """Fixed-length symbols, or with ``rng`` a Huffman stream whose table has one code length changed."""
    if rng is None:
        streams.write_symbols(payload, symbols, False, width)
        return
    lengths = huffman.code_lengths(histogram(symbols))
    stream = bitstream.encode(symbols, lengths)
    lengths = lengths.copy()
    at = rng.choice(np.flatnonzero(lengths).tolist())
    lengths[at] = rng.choice([n for n in range(1, int(lengths.max()) + 1) if n != lengths[at]])
    payload.byte(1)
    streams._write_table(payload, lengths)
    payload.varint(stream.chunk)
    payload.varint(int(stream.chunk_bits.sum()))
    payload.raw(stream.data)


def damage(data, rng, others):
    """A damaged copy of a file, and whether its checksums were made right again."""
    data, parts = bytearray(data), sections(data)
    how = rng.choice(
        ("bits", "bytes", "cut", "splice", "swap", "number", "payload", "payload", "payload number", "lie")
    )
    if how == "lie":
        return forge(rng.choice(LIES), rng), True
    if how == "bits":
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == "bytes":
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif how == "cut":
        del data[rng.randrange(len(data)) :]
    elif how == "splice":
        other = rng.choice(others)
        data = data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]
    elif how == "swap":
        (a, _, a_end), (b, _, b_end) = sorted(rng.sample(parts, 2))
        a_end, b_end = (end + 4 * (not sealed(data)) for end in (a_end, b_end))
        data = data[:a] + data[b:b_end] + data[a_end:b] + data[a:a_end] + data[b_end:]
    elif how == "number":
        start, payload, _ = rng.choice(parts)
        data[start:payload] = varint(rng.choice(NUMBERS))
    else:  # change a payload, then give it a right length and checksum
        start, payload, end = rng.choice(parts)
        content = data[payload:end]
        if how == "payload number":
            at = rng.randrange(len(content))
            content[at : at + 1] = varint(rng.choice(NUMBERS))
        else:
            for _ in range(rng.randint(1, 4)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        if sealed(data):
            data[start:end] = varint(len(content)) + content
            return bytes(data[:-4]) + zlib.crc32(data[:-4]).to_bytes(4, "little"), True
        number = max([place for place, _, _ in parts].index(start) - 1, 0) if data[4] == 2 else 0
        checksum = (zlib.crc32(content) + number) % 2**32
        frame = varint(len(content)) + content + checksum.to_bytes(4, "little")
        return bytes(data[:start] + frame + data[end + 4 :]), True
    return bytes(data), False


def same(first, second):
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(ours[key].tobytes() == theirs[key].tobytes() for key in ours)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    originals = list(nets())
    files = [archive.dumps(net) for net in originals]
    seen, slowest, largest, before = Counter(), 0.0, 0, peak()
    for number in range(options.files):
        rng = random.Random(f"{options.seed}/{number}")
        which = rng.randrange(len(files))
        data, mended = damage(files[which], rng, files)
        start = time.perf_counter()
        try:
            net = archive.loads(data)
        except ArchiveError:
            seen["refused"] += 1
        except BaseException as error:
            print(f"file {number}: {type(error).__name__}: {error}")
            return 1
        else:
            declared = net.dense_bytes()
            largest = max(largest, declared)
            if not mended and not any(same(net, original) for original in originals):
                print(f"file {number}: another net came out")
                return 1
            weights = (layer.weight for layer in net.layers if isinstance(layer, Layer))
            if not all(np.isfinite(weight).all() for weight in weights):
                print(f"file {number}: weights that are no numbers")
                return 1
            seen["another sound net, checksum made right" if mended else "the net itself"] += 1
        took = time.perf_counter() - start
        slowest = max(slowest, took)
        if took > SECONDS:
            print(f"file {number}: took {took:.1f} s")
            return 1
        if number % 100_000 == 99_999:
            print(f"{number + 1:,} files: {dict(seen)}, slowest {slowest * 1000:.0f} ms", flush=True)
    grown = peak() - before
    print(f"{options.files:,} files: {dict(seen)}")
    print(
        f"slowest {slowest * 1000:.0f} ms; memory grew by {grown / 2**20:.0f} MB, "
        f"the largest net that came out has {largest / 2**20:.0f} MB"
    )
    if grown > largest + EXTRA:
        print(f"more than {EXTRA >> 20} MB beyond the largest net")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
