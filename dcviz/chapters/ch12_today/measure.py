"""Chapter 12's recordings: the language model pruned, shared and coded in every way of the chapter, nothing retrained.

Choices are made on the first half of the held-out novel; its second half is asked once, for the last table.
"""

import functools
import itertools

from dcviz import archive
from dcviz.chapters.ch12_today import bfloat16, scores, sharing, together
from dcviz.files import MODELS
from dcviz.nets import products, transformer
from dcviz.nets.novels import choosing_text, novels
from dcviz.without_torch import Later

torch = Later("torch")

DENSITIES = (0.8, 0.65, 0.5, 0.4, 0.3, 0.2)
BITS = (8, 4, 3, 2)
APART = 0.005
SHARED = [*itertools.product(sharing.METHODS, ("layer", "row")), ("k-means", 32), ("grid", 64), ("grid", 32)]
"""Who shares what, of all that is possible: (method, group)."""
PROMPT = "Her sister had"
PIECES = 30


@functools.cache
def calibrated():
    """(x^T x of every layer's inputs, squared gradients of every weight) on 64 windows of the training text."""
    inputs, targets = transformer.calibration()
    net = transformer.language_model()
    felt = scores.squared_gradients(net, [(x[None], y[None]) for x, y in zip(inputs, targets, strict=True)])
    return scores.grams(net, inputs), felt


def weights():
    """How many weights the language model has."""
    return sum(weight.size for weight in products.language_model().values())


def judged(net):
    """{"bits_per_character", "sentence"} of a net: its error on the text to choose by, and what it writes."""
    return {
        "bits_per_character": transformer.bits_per_character(net, choosing_text()),
        "sentence": transformer.write(net, PROMPT, PIECES),
    }


def pruning():
    """The blocks pruned at once in every way: rows way, pattern, density, bits_per_character, sentence."""
    torch.set_num_threads(1)
    net, (grams, _) = transformer.language_model(), calibrated()
    rows = [{"way": "none", "pattern": "free", "density": 1.0, **judged(net)}]
    for way, density in itertools.product(scores.WAYS, DENSITIES):
        found = together.pruned(net, density, way, grams)
        rows.append({"way": way, "pattern": "free", "density": density, **judged(found)})
    for way in ("magnitude, each output", "Wanda, each output", "corrected"):
        found = together.pruned(net, 0.5, way, grams, "2:4")
        rows.append({"way": way, "pattern": "2:4", "density": 0.5, **judged(found)})
    return rows


def share():
    """All layers shared in many ways: a row each, with bits, method, group, apart, the file's bytes, and ``judged``.

    bytes: the file with codes of fixed length; coded_bytes: with Huffman codes.
    """
    torch.set_num_threads(1)
    net, (_, felt) = transformer.language_model(), calibrated()
    rows = []
    for bits, (method, group), apart in itertools.product(BITS, SHARED, (0.0, APART)):
        if apart and (group != "layer" or bits == 8):
            continue
        shared = sharing.share_net(net, bits, method, group, felt, apart)
        plain, coded = (archive.dumps(sharing.stored("austen", shared, huffman)) for huffman in (False, True))
        back = together.opened(archive.loads(coded), net)
        row = {"bits": bits, "method": method, "group": group, "apart": apart}
        rows.append(row | {"bytes": len(plain), "coded_bytes": len(coded)} | judged(back))
        print(len(rows), row, flush=True)
    return rows


def files():
    """The model as one file in many ways: rows name, bytes, bits_per_character, reported, sentence.

    reported: bits a character on the beginning of the held-out novel's second half, 40,000 characters.
    """
    torch.set_num_threads(1)
    net, (grams, felt) = transformer.language_model(), calibrated()
    exact = bfloat16.stored("austen", {key: weight.detach().numpy() for key, weight in net.named_parameters()})
    rows = [
        _row("bfloat16", (MODELS / "austen.safetensors").stat().st_size, net),
        _filed("bfloat16, exponents Huffman-coded", exact, net),
    ]
    for bits in BITS:
        rows.append(_written(f"grid, {bits} bits, groups of 32", sharing.share_net(net, bits, "grid", 32), net))
    for bits in (4, 3, 2):
        shared = sharing.share_net(net, bits, "k-means, weighted", "layer", felt)
        rows.append(_written(f"shared: k-means, {bits} bits, Huffman", shared, net, huffman=True))
    for density, way in ((0.5, "Wanda, each output"), (0.5, "corrected")):
        found = together.pruned(net, density, way, grams)
        rows.append(_filed(f"pruned: {_named(way)}, {density:.0%} kept", together.pruned_file(found), net))
    for density, bits in ((0.5, 4), (0.5, 3), (0.35, 4), (0.35, 3)):
        found = together.pruned(net, density, "corrected", grams)
        stored = together.three_steps(found, bits, felt)
        rows.append(_filed(f"all three: corrected, {density:.0%} kept, {bits} bits", stored, net))
    return rows


def _named(way):
    return "corrected" if way == "corrected" else way.split(",")[0]


def _written(name, shared, net, huffman=False):
    return _filed(name, sharing.stored("austen", shared, huffman), net)


def _filed(name, stored, net):
    data = archive.dumps(stored)
    return _row(name, len(data), together.opened(archive.loads(data), net))


def _row(name, size, net):
    row = {"name": name, "bytes": size, **judged(net)}
    row["reported"] = transformer.bits_per_character(net, novels().reporting[:40_000])
    print(row, flush=True)
    return row
