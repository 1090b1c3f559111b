"""What the two Huffman labs share: choosing a layer's symbols, and naming them."""

from collections.abc import Mapping
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from dcviz.archive import Coding, Layer, StoredNet, coders, load
from dcviz.archive.coders import Stream
from dcviz.errors import CodeError, NetError, check_known
from dcviz.ideas.bits import check_integers
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.pruning import mask_from_density
from dcviz.labkit.controls import choices
from dcviz.labkit.markup import signed

LARGEST = 1 << 52
"""Symbols must be below this: a browser's numbers are exact up to twice as much."""


class Source:
    """{layer: {stream name: Stream}} of a shipped net, a .dcz file, arrays of symbols, or any net at all.

    Layers of a file that are not pruned and shared are left out; those of another net are pruned and shared in one
    shot (``OneShot``). Raises NetError when nothing is left.
    """

    def __init__(self, net, symbols=None):
        self.layers = {}
        if symbols is not None:
            self.net = str(net)
            self.layers = {name: {"symbols": _stream(name, values)} for name, values in symbols.items()}
        else:
            from dcviz.pipeline import shipped, sources

            stored = shipped.compressed(net) if not sources.is_source(net) else getattr(net, "stored", net)
            if isinstance(stored, str | Path) and str(stored).endswith(".dcz"):
                stored = load(stored)
            if isinstance(stored, StoredNet):
                self.net = net if isinstance(net, str) else stored.name
                for layer in stored.layers:
                    try:
                        if isinstance(layer, Layer):
                            self.layers[layer.name] = coders.streams(layer)
                    except CodeError:
                        continue
            else:
                found = sources.layers(stored)
                self.net, self.layers = sources.called(net, found), OneShot(found)
        if not self.layers:
            raise NetError(f"{self.net} has no layer with weight codes and gaps: prune and share it first")

    def stream(self, layer, name):
        """The Stream called ``name`` of a layer; NetError lists what there is."""
        check_known("layer", layer, self.layers)
        found = self.layers[layer]
        if name not in found:
            raise NetError(f"{layer} has no {name!r}; it has {', '.join(found)}")
        return found[name]

    def first(self, layer=None, stream=None):
        """(layer, stream name) with the first there is in place of None; NetError for what is not there."""
        layer = next(iter(self.layers)) if layer is None else layer
        stream = next(iter(self.layers.get(layer, [""]))) if stream is None else stream
        self.stream(layer, stream)
        return layer, stream


class OneShot(Mapping):
    """{layer: streams} of a net that is not coded yet: a tenth of each layer kept, in 31 values, 5-bit gaps.

    Made when a layer is looked at; of one with more than ``MOST`` weights only the first rows.
    """

    DENSITY, K, GAP_BITS, MOST = 0.1, 31, 5, 1 << 20

    def __init__(self, found):
        self._found, self._made = found, {}

    def __getitem__(self, layer):
        """The streams of a layer."""
        if layer not in self._made:
            weights = self._found[layer]
            rows = max(1, self.MOST // max(1, weights[0].size))
            weights = np.asarray(weights[:rows], np.float32)
            kept = mask_from_density(weights, max(self.DENSITY, 1 / weights.size)) & (weights != 0)
            if not kept.any():
                raise NetError(f"layer {layer!r} holds zeros alone")
            values = weights[kept]
            centroids = kmeans(values, min(self.K, len(np.unique(values)))).centroids.astype(np.float32)
            shared = np.zeros_like(weights)
            shared[kept] = centroids[assign(values, centroids)]
            coding = Coding(index_bits=self.GAP_BITS, codebook=np.unique(shared[kept]), huffman=True)
            self._made[layer] = coders.streams(Layer(layer, shared, None, coding, bare=True))
        return self._made[layer]

    def __contains__(self, layer):
        """Whether there is such a layer; makes nothing."""
        return layer in self._found

    def __iter__(self):
        """The names."""
        return iter(self._found)

    def __len__(self):
        """How many layers."""
        return len(self._found)


def names(stream, kinds):
    """What each of some symbols of a Stream stands for: ["code 1 (w = −0.043)", ...]."""
    kinds = kinds.tolist()
    if stream.values is not None:
        return [
            f"code {i} (filler, w = 0)" if i == stream.filler else f"code {i} (w = {signed(stream.values[i])})"
            for i in kinds
        ]
    if stream.name == coders.GAPS:
        filler = (1 << stream.width) - 1 if stream.fillers else -1
        return [f"gap {i + 1}, stored as {i}" + (" (fillers too)" if i == filler else "") for i in kinds]
    return [f"symbol {i}" for i in kinds]


def ink(stream):
    """The theme's role for a Stream."""
    return "index bits" if stream.name == coders.GAPS else "weight bits"


def dropdown(label, options, value):
    """A Dropdown just wide enough for its options."""
    options = choices(options)
    wide = max((len(shown) for shown, _ in options), default=4)
    layout = widgets.Layout(width=f"calc({0.66 * (wide + len(label)):.1f}em + 70px)")
    style = {"description_width": "initial"}
    return widgets.Dropdown(options=options, value=value, description=label, layout=layout, style=style)


def _stream(name, values):
    if isinstance(values, Stream):
        return values
    values = check_integers(values, f"{name}: symbols")
    if not values.size:
        raise CodeError(f"{name}: there are no symbols")
    if int(values.max()) >= LARGEST:
        raise CodeError(f"{name}: symbols must be below 2^52, not {values.max():,}")
    return Stream("symbols", values, max(int(values.max()).bit_length(), 1))
