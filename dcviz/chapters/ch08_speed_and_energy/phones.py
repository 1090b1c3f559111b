"""Is a phone viable? Sizes, milliseconds and millijoules of one inference on phones, from stated assumptions.

    estimate("alexnet", "compressed", phones()[0], Assumptions()) -> Estimate(file_bytes=..., milliseconds=..., ...)

A bound and a count, not a measurement: each layer takes the longer of reading its weights and computing. Everything
that is assumed stands in ``Assumptions`` or ``Phone`` and can be changed.
"""

import functools
from dataclasses import dataclass

import numpy as np

from dcviz.chapters.ch08_speed_and_energy.timing_layers import paper_layers
from dcviz.errors import DataError, NetError
from dcviz.evidence import budgets, paper
from dcviz.files import DATA, shipped_json
from dcviz.nets import models
from dcviz.pipeline import shipped

FORMS = ("dense", "compressed")
NETS = ("alexnet", "vgg-16")
TOKENS = "austen"  # chapter 12's language model: one inference is one token
UNITS = {**dict.fromkeys(NETS, "picture"), TOKENS: "token"}
"""What one inference of each net gives."""
NPU = "int8"
"""A form that only a chip with an NPU has: dense, a byte for each weight."""
NPU_SHARE = 0.3
"""Of an NPU's peak, what is reached: assumed as for convolutions on the processor."""
ENTRY_BYTES = 2  # one byte of gap, one of code: the layout of sparse_kernels


@dataclass(frozen=True)
class Phone:
    """A system on a chip: peak memory bandwidth, peak float32 operations per second, last cache, and the source.

    checked: whether all numbers but operations per cycle stand in a text that was looked at; npu_ops: peak operations
    per second on 8-bit integers of its NPU, None where no maker tells them; kind: "phone", "board" or "microcontroller"
    """

    name: str
    bytes_per_second: float
    flops: float
    cache_bytes: int
    source: str
    checked: bool
    npu_ops: float | None = None
    kind: str = "phone"


@dataclass(frozen=True)
class Assumptions:
    """What the estimate takes for granted, beside the phone itself.

    bandwidth_share: of the peak that a long read reaches (Table 8 of the paper gives about 0.8 on the Tegra K1)
    compute_share: of the peak that convolutions reach
    entries_per_second: compressed entries that one core multiplies and adds
    dram_pj, sram_pj: to read 32 bits; arithmetic_pj: one multiplication and one addition (45 nm, as in the paper)
    """

    bandwidth_share: float = 0.8
    compute_share: float = 0.3
    entries_per_second: float = 5e8
    dram_pj: float = 640.0
    sram_pj: float = 5.0
    arithmetic_pj: float = 4.6


@dataclass(frozen=True)
class Work:
    """One layer of a net: weights, share kept, multiplications of one picture, active inputs (1 for convolutions)."""

    name: str
    weights: int
    density: float
    multiplications: int
    active: float
    connected: bool


@dataclass(frozen=True)
class Estimate:
    """One inference: bytes of the file and in memory, where the weights are read, milliseconds and millijoules."""

    file_bytes: float
    resident_bytes: float
    memory: str
    fc_milliseconds: float
    conv_milliseconds: float
    fetch_millijoules: float
    arithmetic_millijoules: float

    @property
    def milliseconds(self):
        """Of the whole inference -> float."""
        return self.fc_milliseconds + self.conv_milliseconds

    @property
    def per_second(self):
        """Pictures, or tokens, a second -> float."""
        return 1e3 / self.milliseconds

    @property
    def millijoules(self):
        """Of the whole inference -> float."""
        return self.fetch_millijoules + self.arithmetic_millijoules


def phones():
    """Systems on a chip to choose from, oldest first -> list of Phone. DataError if data/phones.json cannot be read."""
    return list(_phones(DATA / "phones.json"))


@functools.cache
def _phones(path):
    try:
        return [Phone(**record) for record in shipped_json(path)["phones"]]
    except (TypeError, KeyError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def phone(name):
    """The phone of that name; NetError for an unknown one."""
    for found in phones():
        if found.name == name:
            return found
    raise NetError(f"no phone {name!r}; there are {', '.join(p.name for p in phones())}")


@functools.cache
def works(net):
    """Layers of AlexNet or VGG-16 at the paper's densities, for one picture of 224 x 224 -> list of Work.

    Of TOKENS, for one token, as its shipped file keeps them; all inputs are active: no ReLU there.
    """
    if net == TOKENS:
        found = {layer.name: layer.weight for layer in shipped.compressed(net).layers}
        kept = {name: float((weight != 0).mean()) for name, weight in found.items()}
        return [Work(n, w.size, kept[n], w.size, 1.0, True) for n, w in found.items()]
    if net not in NETS:
        raise NetError(f"no net {net!r}; there are {', '.join((*NETS, TOKENS))}")
    import torch

    with torch.device("meta"):
        built = models.build(net)
    layers, outputs, side = models.weight_layers(built), {}, 224
    for name, module in built.named_modules():  # by arithmetic: torch imports a second of other things to run on meta
        if isinstance(module, torch.nn.Conv2d | torch.nn.MaxPool2d):
            padding, size, stride = (
                int(np.ravel(value)[0]) for value in (module.padding, module.kernel_size, module.stride)
            )
            side = (side + 2 * padding - size) // stride + 1
        outputs[name] = side**2 if isinstance(module, torch.nn.Conv2d) else 1
    connected = {layer.name.split("/")[1]: layer for layer in paper_layers().values() if layer.name.startswith(net)}
    found = []
    for (name, row), (key, module) in zip(paper.layers(net).items(), layers.items(), strict=True):
        weights = module.weight.numel()
        active = connected[name].active if name in connected else 1.0
        found.append(Work(name, weights, row["weights_pct_P"] / 100, weights * outputs[key], active, name in connected))
    return found


def estimate(net, form, phone, assumptions=None):
    """One inference of a net on a phone -> Estimate.

    form: "dense" (float32) or "compressed" (entries of two bytes; convolutions unpack theirs and compute as before,
    fully connected layers work on entries and pass over zero inputs), or NPU where the phone has one. Weights are read
    from DRAM in every inference, unless all of them fit into the last cache. Raises NetError for another net or form.
    """
    if form not in (*FORMS, NPU) or (form == NPU and phone.npu_ops is None):
        raise NetError(f"no form {form!r} on {phone.name}; there are {', '.join(FORMS)}, and {NPU} with an NPU")
    take, dense = assumptions or Assumptions(), form != "compressed"
    layers = works(net)
    bytes_each = {"dense": 4, NPU: 1}.get(form)
    sizes = [bytes_each * w.weights if dense else ENTRY_BYTES * w.density * w.weights for w in layers]
    peak = phone.npu_ops * NPU_SHARE if form == NPU else phone.flops * take.compute_share
    memory = "SRAM" if sum(sizes) <= phone.cache_bytes else "DRAM"
    bandwidth = phone.bytes_per_second * take.bandwidth_share if memory == "DRAM" else float("inf")
    seconds, fetched, pairs = {True: 0.0, False: 0.0}, 0.0, 0.0
    for work, size in zip(layers, sizes, strict=True):
        skipping = not dense and work.connected
        read = size * (work.active if skipping else 1)
        used = work.multiplications * (work.density * work.active if skipping else 1)
        compute = used / take.entries_per_second if skipping else 2 * used / peak
        seconds[work.connected] += max(read / bandwidth, compute)
        fetched += read / 4
        pairs += used
    fetch_pj = take.dram_pj if memory == "DRAM" else take.sram_pj
    return Estimate(
        _file_bytes(net, form, sizes),
        sum(sizes),
        memory,
        1e3 * seconds[True],
        1e3 * seconds[False],
        1e-9 * fetched * fetch_pj,
        1e-9 * pairs * (int8_pj() if form == NPU else take.arithmetic_pj),
    )


def _file_bytes(net, form, sizes):
    """Of the file: what the paper prints, or of the language model what ships; dense, the weights alone."""
    if form == NPU or (net == TOKENS and form == "dense"):
        return float(sum(sizes))
    if net == TOKENS:
        return float(shipped.compressed_path(net).stat().st_size)
    return budgets.paper_bytes(net, "dense" if form == "dense" else "coded")


def int8_pj():
    """Energy of an 8-bit multiplication and addition at 45 nm: the table's 32-bit integers, a multiplier squared."""
    table = paper.table("energy_table_45nm_pj")
    return table["int32_mult"] / 4**2 + table["int32_add"] / 4


def energy_falls(net, name):
    """By what factor compression lowers the energy for one picture on a phone, as estimated."""
    dense, compressed = (estimate(net, form, phone(name)).millijoules for form in ("dense", "compressed"))
    return round(dense / compressed, 1)
