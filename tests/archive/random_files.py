"""Random .dcz files made bit by bit from docs/format.md, most of them such as dcviz would never write.

Codes that are not the best, code words for symbols that never occur, tables with zeros in many runs, fields wider than
they need be, chunks of any length, codebooks with both zeros and values twice; in version 2 all types, ties, planes and
tensors in several records. ``make(rng)`` gives the bytes and the arrays that they must decode to; with a ``lie`` from
``LIES`` one rule of the page is broken. No line of dcviz is used here.
"""

import struct
import zlib

import numpy as np

LIES = (
    "a fewest that is not the fewest",
    "a chunk table of 33 bits a chunk",
    "a chunk of none",
    "a chunk too long",
    "a table beyond the alphabet",
    "a table without a symbol",
    "a table cut in a run",
    "an incomplete code",
    "a long word for a lone symbol",
    "fewest bits for no symbols",
    "pad bits",
    "a symbol outside the alphabet",
    "fixed-length codes of 33 bits",
    "no bits for 2^20 + 1 symbols",
    "a centroid that is no number",
    "a filler with another gap",
    "a filler at the end",
    "past the end",
    "a long shared bias",
    "more entries than weights",
    "17 index bits",
    "9 dimensions",
    "no weights",
    "flags that exclude each other",
    "a key twice",
    "a long name",
    "a name that is no text",
    "a byte too many",
    "a long varint",
    "another version",
)
LIES_2 = (
    "features",
    "a kind that is not",
    "a type that is not",
    "a number that is not exact",
    "a truth value of 2",
    "a tie to a key that is not there yet",
    "a tie to a tie",
    "more rows of another shape",
    "more rows of another tensor",
    "more rows of more rows",
    "more rows of a layer that is not bare",
    "planes of integers",
    "a record too many",
    "a record too few",
    "65,537 records",
    "flags of version 1",
    "a type of no bias",
)
LIES += LIES_2
TYPES = ["<f4", "<f2", "<u2", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"]
TYPES += ["<c8", "<c16", "|u1", "|u1"]
WIDTHS = (4, 2, 2, 8)
HOLDS = {0: (0, 1, 2), 1: (1,), 2: (2,), 3: (0, 1, 2, 3)}
"""{number of a float type: those whose numbers are all numbers of it}."""
ODD = {0: 1 + 2**-40, 1: 2**-130, 2: 1 + 2**-10}
"""{number of a float type: what is no number of it}."""
EASY = (0.0, -0.0, 1.0, -1.0, 0.5, -3.0, 1.5)


class Unused(Exception):
    """The lie did not fit the file that came up: try another."""


def varint(value):
    """An unsigned integer in groups of seven bits."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def packed(fields):
    """Bits of (number, width) pairs, filled up with zeros."""
    text = "".join(f"{number:0{width}b}" for number, width in fields if width)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def section(payload, number=0):
    """Length, payload, checksum."""
    return varint(len(payload)) + payload + ((zlib.crc32(payload) + number) % 2**32).to_bytes(4, "little")


class Maker:
    """One random file; ``lie`` is the rule to break, None when it has been broken."""

    def __init__(self, rng, lie=None):
        self.rng, self.lie, self.tied = rng, lie, set()

    def lies(self, lie):
        """Whether to tell this lie now: once only."""
        if self.lie == lie:
            self.lie = None
            return True
        return False

    # symbols ------------------------------------------------------------------------------------

    def symbols(self, symbols, alphabet):
        """A stream of symbols below ``alphabet``, in one of the ways that the page allows."""
        if self.lie == "a symbol outside the alphabet" and symbols and self.lies(self.lie):
            symbols = [*symbols[:-1], alphabet + self.rng.randrange(3)]
            alphabet = max(symbols) + 1
        huffman = alphabet and self.rng.random() < 0.6
        return self.huffman(symbols, alphabet) if huffman else self.fixed(symbols)

    def fixed(self, symbols):
        least = max(symbols, default=0).bit_length()
        width = self.rng.choice([least, least, min(least + self.rng.randrange(4), 32), self.rng.randint(least, 32)])
        if self.lies("fixed-length codes of 33 bits"):
            width = 33
        return bytes([0, width]) + self.padded([(symbol, width) for symbol in symbols])

    def padded(self, fields):
        data = packed(fields)
        if sum(width for _, width in fields) % 8 and self.lies("pad bits"):
            data = data[:-1] + bytes([data[-1] | 1])
        return data

    def huffman(self, symbols, alphabet):
        rng = self.rng
        used = set(symbols)
        more = rng.sample(range(min(alphabet, 300)), min(alphabet, 300, rng.choice([0, 0, 1, 3, 12])))
        if not used | set(more):
            more = [rng.randrange(alphabet)]
        coded = sorted(used | set(more))
        if len(coded) > 1 and self.lies("an incomplete code"):
            coded = sorted({*coded, alphabet})[:-1] if rng.random() < 0.5 else coded
            lengths = dict(zip(coded, self.code(len(coded) + 1), strict=False))
        else:
            lengths = dict(zip(coded, self.code(len(coded)), strict=True))
        if len(coded) == 1 and self.lies("a long word for a lone symbol"):
            lengths[coded[0]] = 2
        words = canonical(lengths)
        longest = rng.choice([len(symbols) + 1, rng.randint(1, max(len(symbols), 1)), rng.randint(1, 5), 2**17])
        chunk = longest
        if self.lies("a chunk of none"):
            chunk = 0
        if self.lies("a chunk too long"):
            chunk = 2**17 + rng.randint(1, 9)
        whole = [words[symbol] for symbol in symbols]
        bits = [sum(w for _, w in whole[i : i + longest]) for i in range(0, len(whole), longest)]
        fewest, table = min(bits, default=0), b""
        if not bits and self.lies("fewest bits for no symbols"):
            fewest = rng.choice([1, 8, 2**40])
        if len(bits) > 1:
            if fewest and self.lies("a fewest that is not the fewest"):
                fewest -= rng.randint(1, fewest)
            least = (max(bits) - fewest).bit_length()
            width = rng.choice([least, least, min(least + rng.randrange(5), 32), rng.randint(least, 32)])
            if self.lies("a chunk table of 33 bits a chunk"):
                width = 33
            table = bytes([width]) + packed([(b - fewest, width) for b in bits])
        return bytes([1]) + self.table(lengths, alphabet) + varint(chunk) + varint(fewest) + table + self.padded(whole)

    def code(self, n):
        """n random lengths of a complete prefix code, or [1]."""
        lengths = [0]
        while len(lengths) < n:
            at = self.rng.choice([i for i, length in enumerate(lengths) if length < 20])
            lengths[at] += 1
            lengths.insert(at, lengths[at])
        self.rng.shuffle(lengths)
        return lengths if n > 1 else [1]

    def table(self, lengths, alphabet):
        rng = self.rng
        width = rng.randint(max(lengths.values()).bit_length(), 5)
        fields, symbol = [], 0
        last = max(lengths) + 1
        end = rng.choice([last, last, rng.randint(last, max(alphabet, last))])
        if self.lies("a table beyond the alphabet"):
            end = alphabet + rng.randint(1, 5)
        if self.lies("a table without a symbol"):
            lengths, end = {}, rng.choice([0, end])
        while symbol < end:
            if symbol in lengths:
                fields.append(lengths[symbol])
                symbol += 1
                continue
            absent = min([s for s in lengths if s > symbol], default=end) - symbol
            run = rng.choice([1, absent, rng.randint(1, absent)])
            run = min(run, 1 << width)
            fields += [0, run - 1]
            symbol += run
        if self.lies("a table cut in a run"):
            fields.append(0)
        return varint(len(fields)) + bytes([width]) + packed([(field, width) for field in fields])

    # numbers ------------------------------------------------------------------------------------

    def float_bits(self, stored, own):
        """The bits of a random finite number as a type, which is a number of another type, too."""
        if stored not in HOLDS[own] and own not in HOLDS[stored]:
            return packed_float(self.rng.choice(EASY), stored)
        base = stored if stored in HOLDS[own] else own
        while True:
            data = self.rng.choice(
                [
                    packed_float(self.rng.choice(EASY), base),
                    packed_float(2**-14, base),
                    packed_float(self.rng.gauss(0, 1), base),
                    self.rng.randbytes(WIDTHS[base]),
                ]
            )
            value = float(doubles([data], base)[0])
            if np.isfinite(value):
                return packed_float(value, stored)

    def values(self, n, shared, stored, own, allowed):
        """(n numbers as bytes, what the file has of them): ``allowed(i, data)`` says which may stand at place i."""
        rng, size = self.rng, WIDTHS[stored]
        if not shared:
            found = []
            for i in range(n):
                data = self.float_bits(stored, own)
                while not allowed(i, data):
                    data = self.float_bits(stored, own)
                found.append(data)
            if found and stored not in HOLDS[own] and self.lies("a number that is not exact"):
                return found, b"".join([*found[:-1], packed_float(ODD[own], stored)])
            return found, b"".join(found)
        codebook = [self.float_bits(stored, own) for _ in range(rng.choice([1, 2, 3, 7, 20]))]
        if rng.random() < 0.5:
            codebook.insert(rng.randrange(len(codebook) + 1), bytes(size))
        codebook.append(packed_float(1.5, stored))  # one that may stand anywhere
        if not n and rng.random() < 0.3:
            codebook = []
        few = rng.random() < 0.2
        codes = []
        for i in range(n):
            code = len(codebook) - 1 if few else rng.randrange(len(codebook))
            while not allowed(i, codebook[code]):
                code = rng.randrange(len(codebook))
            codes.append(code)
        if few and len(set(codes)) == 1:  # constant: the only centroid, and perhaps in no bits
            codebook, codes = [codebook[codes[0]]], [0] * n
        found = [codebook[code] for code in codes]
        if self.lies("a centroid that is no number"):
            codebook.append(packed_float(rng.choice([float("nan"), float("inf"), float("-inf")]), stored))
        if stored not in HOLDS[own] and self.lies("a number that is not exact"):
            codebook.append(packed_float(ODD[own], stored))
        return found, varint(len(codebook)) + b"".join(codebook) + self.symbols(codes, len(codebook))

    # layers -------------------------------------------------------------------------------------

    def layer(self, flags, shape, types=None):
        """(payload, weight, bias or None); types: own, of the weights, of the bias; by default what the flags say."""
        rng = self.rng
        own, stored, bias_as = types or (0, flags >> 2 & 1, flags >> 5 & 1)
        sparse, order = flags & 1, "F" if flags & 8 else "C"
        size = int(np.prod(shape))
        payload = b""
        n, gaps, zero = size, [], bytes(WIDTHS[stored])
        if sparse:
            b = rng.choice([1, 1, 2, 3, 4, 5, 8, 16, rng.randint(1, 16)])
            largest, at = 2**b - 1, -1
            typical = rng.choice([1, 3, largest + 1])
            while rng.random() < 0.97:
                gap = largest if rng.random() < 0.1 else rng.randrange(min(typical, largest + 1))
                gap = 0 if typical == 1 else gap
                if at + gap + 1 >= size:
                    break
                gaps.append(gap)
                at += gap + 1
            if self.lies("past the end"):
                gaps += [largest] * (size // (largest + 1) + 1)
            n = len(gaps)
            said = n
            if self.lies("more entries than weights"):
                said = size + rng.randint(1, 5)
            payload = bytes([17 if self.lies("17 index bits") else b]) + varint(said) + self.symbols(gaps, 2**b)
        anywhere = self.lie in ("a filler with another gap", "a filler at the end")

        def allowed(i, data):
            return not sparse or anywhere or data != zero or (gaps[i] == largest and i < n - 1)

        found, data = self.values(n, flags & 2, stored, own, allowed)
        payload += data
        if anywhere:
            filler = [value == zero for value in found] if sparse else []
            if self.lie == "a filler at the end":
                wrong = bool(filler) and filler[-1] and gaps[-1] == largest
            else:
                wrong = any(f and gap != largest for f, gap in zip(filler, gaps, strict=False))
            if wrong:
                self.lie = None
            elif any(filler):
                raise Unused
        values = as_own(doubles(found, stored), own)
        weight = values if not sparse else np.zeros(size, values.dtype)
        if sparse and len(values) and sum(gaps) + len(gaps) <= size:
            weight[np.cumsum(np.array(gaps) + 1) - 1] = values
        bias = None
        if flags & 16:
            length = rng.choice([0, 1, shape[0], rng.randint(0, 9)])
            if flags & 64:
                length = size + rng.randint(1, 5) if self.lies("a long shared bias") else min(length, size)
            found, data = self.values(length, flags & 64, bias_as, own, lambda i, data: True)
            payload += varint(length) + data
            bias = as_own(doubles(found, bias_as), own)
        if self.lies("a byte too many"):
            payload += b"\0"
        return payload, weight.reshape(shape, order=order), bias

    def file(self):
        """(bytes, {key: array})."""
        rng = self.rng
        if self.lie in LIES_2 or (self.lie is None and rng.random() < 0.5):
            return self.file_2()
        names, records, sections, tensors = [], b"", b"", {}
        count = rng.choice([0, 1, 1, 1, 2, 3]) if self.lie is None else rng.randint(1, 4)
        for i in range(count):
            flags = rng.randrange(128)
            if flags & 16 == 0:
                flags &= 31
                flags |= 128 * (rng.random() < 0.3)
            sizes = rng.choice([[1, 2, 3], [1, 5, 17], [30, 200]])
            shape = [rng.choice(sizes) for _ in range(rng.randint(1, 8))]
            while np.prod(shape) > 400:
                shape.pop() if len(shape) > 1 else shape.__setitem__(0, 399)
            name = rng.choice(["fc", "conv.", "é", "", "\0", "<b>"]) + str(i)
            payload, weight, bias = self.layer(flags, shape)
            said = list(shape)
            if self.lies("9 dimensions"):
                said += [1] * (9 - len(said))
            if self.lies("no weights"):
                said[-1] = 0
            if not flags & 1 and flags & 2 and self.lies("no bits for 2^20 + 1 symbols"):
                said, flags = [2**20 + 1], 2
                payload = varint(1) + (b"\0\0\x80\x3f") + bytes([0, 0])
            if self.lies("flags that exclude each other"):
                flags = flags | 128 if flags & 16 else flags | rng.choice([32, 64])
            bare = bool(flags & 128)
            if names and self.lies("a key twice"):
                name, before = names[-1]
                if bare != before:
                    if before:
                        raise Unused
                    name += ".weight"
            text = name.encode()
            if self.lies("a long name"):
                text = b"n" * 1025
            if self.lies("a name that is no text"):
                text = rng.choice([b"\xff", b"\xed\xa0\x80", b"\xc0\x80"])
            names.append((name, bare))
            records += varint(len(text)) + text + bytes([flags, len(said)]) + b"".join(map(varint, said))
            sections += section(payload)
            tensors[name if flags & 128 else f"{name}.weight"] = weight
            if bias is not None:
                tensors[f"{name}.bias"] = bias
        number = bytes([count | 128, 0]) if self.lies("a long varint") else varint(count)
        header = varint(3) + b"net" + number + records
        version = 99 if self.lies("another version") else 1
        return b"\x89DCZ" + bytes([version]) + section(header) + sections, tensors

    # version 2 ----------------------------------------------------------------------------------

    def shape(self, least):
        shape = [self.rng.choice([1, 2, 3, 5, 17]) for _ in range(self.rng.randint(least, 4))]
        while np.prod(shape) > 200:
            shape.pop()
        return shape

    def coded(self, key, flags, shape, own):
        """(record, {key: array}) of a coded layer."""
        rng = self.rng
        stored, bias_as = rng.randrange(4), rng.randrange(4) if flags & 16 else 0
        if self.lie == "a number that is not exact":
            own, stored = rng.choice([(1, 0), (1, 3), (2, 1), (0, 3)])
        payload, weight, bias = self.layer(flags, shape, (own, stored, bias_as))
        types = own | stored << 2 | bias_as << 4
        if not flags & 16 and self.lies("a type of no bias"):
            types |= 16
        if self.lies("flags of version 1"):
            flags |= rng.choice([4, 32])
        head = b"\0" + text(key) + bytes([flags, types, len(shape)]) + b"".join(map(varint, shape))
        found = {key if flags & 128 else f"{key}.weight": weight}
        return head + payload, found if bias is None else {**found, f"{key}.bias": bias}

    def tensor(self, key, shape, number, in_planes):
        """(record, {key: array}) of a tensor that is kept, or in planes."""
        rng, n = self.rng, int(np.prod(shape))
        if in_planes and self.lies("planes of integers"):
            number = rng.randint(4, 13)
        held = np.dtype(TYPES[number])
        data = rng.randbytes(n * held.itemsize)
        if number == 12:
            data = bytes(byte & 1 for byte in data)
            if data and self.lies("a truth value of 2"):
                data = data[:-1] + b"\2"
        said = 99 if self.lies("a type that is not") else number
        head = bytes([3 if in_planes else 1]) + text(key) + bytes([said, len(shape)]) + b"".join(map(varint, shape))
        array = np.frombuffer(data, held).reshape(shape)
        body = data
        if in_planes:
            exponent, mantissa = ((8, 23), (5, 10), (8, 7), (11, 52))[min(number, 3)]
            whole = np.frombuffer(data, f"<u{held.itemsize}").tolist()
            left = 1 + mantissa
            rest = [x >> exponent + mantissa << mantissa | x % 2**mantissa for x in whole]
            body = self.symbols([x >> mantissa & 2**exponent - 1 for x in whole], 2**exponent) if whole else b""
            while left and whole:
                width = min(left, 8)
                left -= width
                body += self.symbols([x >> left & 2**width - 1 for x in rest], 2**width)
        return head + body, {key: array}

    def file_2(self):
        """(bytes, {key: array}) of version 2."""
        rng, sections, tensors, keys, rows = self.rng, [], {}, [], None
        count = rng.choice([0, 1, 2, 4]) if self.lie is None else rng.randint(2, 6)
        for i in range(count):
            key = rng.choice(["fc", "conv.", "é", "\0"]) + str(i)
            how = rng.choice(["coded", "coded", "kept", "planes", "tie", "more", "more"])
            if how == "more":
                if rows:
                    sections.append(self.more(rows, tensors))
                continue
            if how == "tie" and keys:
                number = rng.randrange(len(keys))
                if keys[number] in self.tied and not self.lies("a tie to a tie"):
                    continue
                if self.lies("a tie to a key that is not there yet"):
                    number = len(keys) + rng.randrange(3)
                sections.append(b"\2" + text(key) + varint(number))
                tensors[key], rows = tensors[keys[min(number, len(keys) - 1)]], None
                self.tied.add(key)
                keys.append(key)
                continue
            if how == "coded":
                flags = rng.randrange(128) & ~36
                flags = flags if flags & 16 else flags & 31 | 128 * (rng.random() < 0.6)
                record, found = self.coded(key, flags, self.shape(1), rng.randrange(4))
                rows = (key, 0) if flags & 128 else None
                if rows is None and not flags & 16 and self.lies("more rows of a layer that is not bare"):
                    sections += [record, b"\4" + self.coded(f"{key}.weight", 128, [1], 0)[0]]
                    tensors |= found
                    continue
            else:
                number = rng.randrange(4 if how == "planes" else len(TYPES))
                shape = self.shape(0)
                if rng.random() < 0.1:
                    shape = [*shape, 0][-8:]
                record, found = self.tensor(key, shape, number, how == "planes")
                rows = (key, number) if shape else None
            if self.number(record) >= len(TYPES):
                rows = None
            if rows:
                rows = (*rows[:1], self.number(record), found[key].shape[1:])
            if self.lies("a kind that is not"):
                record = bytes([rng.randint(5, 255)]) + record[1:]
            if self.lies("a byte too many"):
                record += b"\0"
            sections.append(record)
            tensors |= found
            keys += found
        count = len(sections)
        if self.lies("a record too many"):
            count -= 1
        if self.lies("a record too few"):
            count += 1
        if self.lies("65,537 records"):
            count = 2**16 + 1
        features = rng.randint(1, 255) if self.lies("features") else 0
        header = section(varint(3) + b"net" + bytes([features]) + varint(count))
        return b"\x89DCZ\2" + header + b"".join(map(section, sections, range(len(sections)))), tensors

    @staticmethod
    def number(record):
        """The number of the type that a record of a tensor with rows says."""
        kind, length = record[0], record[1]
        return record[3 + length] & 3 if kind == 0 else record[2 + length]

    def more(self, rows, tensors):
        """A record of more rows of the tensor before, which is made longer."""
        rng = self.rng
        key, number, side = rows
        shape = [rng.choice([1, 2, 3]), *side]
        said = key
        if self.lies("more rows of another tensor"):
            said = key + "x"
        if self.lies("more rows of another shape"):
            shape = [*shape, 2]
        if number < 4 and np.prod(shape) > 0 and rng.random() < 0.5:
            record, found = self.coded(said, rng.randrange(16) & ~4 | 128, shape, number)
        else:
            record, found = self.tensor(said, shape, number, number < 4 and rng.random() < 0.5)
        if list(found[said].shape[1:]) == list(side) and self.number(record) == number:
            tensors[key] = np.concatenate([tensors[key], found[said]])
        return b"\4" * (2 if self.lies("more rows of more rows") else 1) + record


def canonical(lengths):
    """{symbol: (code word, its length)}."""
    words, number, before = {}, 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in lengths.items()):
        number <<= length - before
        words[symbol] = number, length
        number, before = number + 1, length
    return words


def text(words):
    """UTF-8 with its length in front."""
    data = words.encode()
    return varint(len(data)) + data


def packed_float(value, number):
    """The bytes of a number as a float type, rounded to zero in bfloat16."""
    if number == 2:
        return struct.pack("<f", value)[2:]
    return struct.pack(("<f", "<e", "", "<d")[number], value)


def doubles(found, number):
    """The bytes of floats of a type as a float64 array."""
    data = np.frombuffer(b"".join(found), TYPES[number])
    with np.errstate(invalid="ignore"):
        return ((data.astype(np.uint32) << 16).view(np.float32) if number == 2 else data).astype(np.float64)


def as_own(values, number):
    """float64 numbers as an array of a type; bfloat16 as its bits."""
    if number == 2:
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return values.astype(TYPES[number])


def make(rng, lie=None):
    """(bytes of a file, {key: array}); with a ``lie`` of ``LIES`` a file that must be refused."""
    while True:
        maker = Maker(rng, lie)
        try:
            made = maker.file()
        except Unused:
            continue
        if maker.lie is None:
            return made


def block(rng):
    """A file of live blocks whose codes are chance: what it holds, if anything, two readers must say alike."""
    records = []
    for number in range(rng.choice([1, 1, 2])):
        form = rng.randrange(3) | rng.choice([0, 8, 8, 16, 24]) | rng.choice([0, 0, 0, 1, 2, 3, 4]) << 5
        shape = [rng.choice([1, 2, 3, 5]) for _ in range(form % 8)] + [rng.choice([1, 4, 9, 12])]
        row = int(np.prod(shape[1:]))
        places = rng.choice([p for p in range(1, row + 1) if row % p == 0] + [0, row + 1] * (rng.random() < 0.1))
        rows, columns = (rng.randrange(n + 1 + (rng.random() < 0.05)) for n in (shape[0], row // max(places, 1)))
        payload = bytes([5, 1, 97 + number, form]) + b"".join(map(varint, [*shape, places, rows, columns]))
        for _ in range(1 + bool(form & 8)):
            ints = sorted(set(rng.choices(range(-127, 128), k=rng.choice([0, 1, 2, 3, 7]))))
            if rng.random() < 0.9:
                ints = [i for i in ints if i]
            table = bytes([rng.choice([0, 2, 250, 250, 255, 240, 64 * (rng.random() < 0.1)])])
            table += bytes(i % 256 for i in (ints[::-1] if rng.random() < 0.03 else ints))
            payload += varint(len(ints)) + table * bool(ints)
        code = rng.randbytes(rng.choice([0, 0, 1, 2, 3, 5, 8]))
        payload += code if rng.random() < 0.05 else code.rstrip(b"\0")
        records.append(payload + b"\0" * (rng.random() < 0.02))
    head, checked = b"\x89DCZ\2", rng.random() < 0.3
    header = bytes([3, 110, 101, 116, 0 if checked else 1, len(records) + (rng.random() < 0.02)])
    if checked:
        return head + section(header) + b"".join(section(record, i) for i, record in enumerate(records))
    data = head + b"".join(varint(len(part)) + part for part in (header, *records))
    return data + (zlib.crc32(data) ^ (rng.random() < 0.03)).to_bytes(4, "little")


def broken(data, rng):
    """A copy with some bytes of one section changed, under a checksum that is right again."""
    at, found = 5, []
    while at < len(data):
        length = shift = 0
        while True:
            byte = data[at]
            length, at, shift = length | (byte & 127) << shift, at + 1, shift + 7
            if byte < 128:
                break
        found.append((at - len(varint(length)), at, at + length))
        at += length + 4
    start, begin, end = rng.choice(found)
    payload = bytearray(data[begin:end])
    for _ in range(rng.randint(1, 3)):
        how = rng.randrange(4) if payload else 3
        place = rng.randrange(len(payload)) if payload else 0
        if how == 0:
            payload[place] = rng.randrange(256)
        elif how == 1:
            payload[place] ^= 1 << rng.randrange(8)
        elif how == 2:
            del payload[place]
        else:
            payload.insert(place, rng.randrange(256))
    number = found.index((start, begin, end)) - 1 if data[4] == 2 else 0
    return data[:start] + section(bytes(payload), max(number, 0)) + data[end + 4 :]
