"""Memories that a net may have to fit into, with their sources: data/memories.json.

    memories()[0]     -> Memory(name='Arduino Uno: SRAM', bytes=2048, kind='SRAM', source=..., ...)
    bandwidths()      -> the paper's three machines: bytes per second between processor and DRAM
    synapses()        -> the brain's own pruning, as the authors tell it: an analogy

Numbers come from data sheets and papers, never from here. Standard library only; any room may use it.
"""

from dataclasses import dataclass
from functools import lru_cache

from dcviz.errors import DataError
from dcviz.files import DATA, shipped_json

PATH = DATA / "memories.json"
KINDS = ("SRAM", "flash", "DRAM", "limit")
"""Kinds of memory: on the chip, beside it and permanent, beside it and large, or a limit on downloads."""


@dataclass(frozen=True)
class Memory:
    """One memory: capacity in bytes, one of KINDS, where the number is printed, whether it was compared."""

    name: str
    bytes: int
    kind: str
    source: str
    checked: bool

    @property
    def size(self):
        """The capacity as its maker prints it, in units of 1024 for chips: '192 KB'."""
        if self.kind == "limit":
            return size_text(self.bytes)
        return in_units(self.bytes, {"GB": 2**30, "MB": 2**20, "KB": 2**10}) or f"{self.bytes} bytes"


def memories():
    """All memories, the smallest first -> list of Memory. Raises DataError for a missing or damaged file."""
    found = [Memory(**record) for record in _load()["memories"]]
    if wrong := [memory.name for memory in found if memory.kind not in KINDS or memory.bytes <= 0]:
        raise DataError(f"{PATH}: {', '.join(wrong)} has an unknown kind or no size")
    return sorted(found, key=lambda memory: memory.bytes)


def bandwidths():
    """{machine: bytes per second} for the machines of the paper's Table 8, peak, from data sheets."""
    return {record["name"]: float(record["bytes_per_second"]) for record in _load()["bandwidths"]}


def synapses():
    """Synapses of a human brain by age -> dict with rows [{age, trillions}] and source."""
    return dict(_load()["synapses"])


def size_text(count):
    """Bytes for people: size_text(2048) -> '2.05 KB', in powers of ten like the paper's tables."""
    return in_units(count, {"GB": 1e9, "MB": 1e6, "KB": 1e3}) or f"{count:.0f} bytes"


def in_units(value, units):
    """A number with three digits in the first of {unit: its size}, largest first, that it reaches; "" below all."""
    for unit, size in units.items():
        if value >= 0.9995 * size:  # which three digits round to the whole unit
            return f"{value / size:.3g} {unit}"
    return ""


@lru_cache(maxsize=1)
def _load():
    return shipped_json(PATH)
