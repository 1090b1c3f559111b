"""A net in which every name is an attack, for the tests of names. An attack that runs sets `window.dcvizRan`."""

import numpy as np

from dcviz.archive import Coding, Layer, StoredNet

RUN = "window.dcvizRan=1;fetch('/api/contents/owned.txt',{method:'PUT',body:'{}'})"
NAMES = (
    f'<img src=x onerror="{RUN}">',
    f'<svg onload="{RUN}"><script>{RUN}</script></svg>',
    f"</script></title></style><script>{RUN}</script>",
    f"javascript:{RUN}",
    "[a](javascript:alert(1)) ![b](http://attack.example/x.png) **c**",
    r"$\frac{$",
    r"$\href{javascript:window.dcvizRan=1}{x}$",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\r\b",
    "\u202egnp.exe\u2066\u200f",
    "n\0ul",
    "a<!--b<script>",
    "'\"><b onmouseover=window.dcvizRan=1>&lt;",
    "line\nbreak\u2028\u2029",
    "y" * 1000,
    "x" * 100_000,  # in memory; a file refuses it
)
STORED = NAMES[:-1]
NET = " ".join(NAMES[:-2])
WEIGHTS = {name: np.random.default_rng(i).normal(0, 0.1, (12, 20)) for i, name in enumerate(NAMES)}


def stored_net():
    """A StoredNet with a pruned and shared layer of each name that a file can hold (at most 1,024 bytes)."""
    values = np.array([-0.5, -0.25, 0.25, 0.5], np.float32)
    layers = []
    for name in STORED:
        weights = WEIGHTS[name]
        weight = np.where(weights > 0.1, values[(1e4 * np.abs(weights)).astype(int) % 4], 0).astype(np.float32)
        coding = Coding(index_bits=4, codebook=values, huffman=True)
        layers.append(Layer(name, weight, None, coding))
    return StoredNet(NET, tuple(layers))


def labs(name):
    """Every lab that takes a net or weights, showing the layer of this name: an iterator."""
    from dcviz import labs

    for lab in (labs.HuffmanLab, labs.DecodeLab):
        if name in STORED:
            yield lab(stored_net(), layer=name)
    for lab in (labs.PruningLab, labs.SharingLab, labs.LloydLab, labs.IndexBitsLab):
        yield lab(NET, layer=name, weights=WEIGHTS)
