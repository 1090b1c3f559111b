"""Joules of one layer: measured where the machine has a meter, else counted with the paper's 45 nm table.

    energy.measure(call)                  -> Energy(joules=..., source="RAPL: package-0, dram") or None
    energy.model(layer, "compressed")     -> Energy(joules=..., source="45 nm operation count, weights from SRAM")

A meter counts everything that the chip does meanwhile, other programs too. The model counts three things only:
fetching weights, fetching activations, and one multiplication and one addition per weight used. Never mix the two.
"""

import importlib.util
import time
from dataclasses import dataclass, field
from pathlib import Path

from dcviz.errors import NetError
from dcviz.evidence import paper

POWERCAP = Path("/sys/class/powercap")
CPU = Path("/sys/devices/system/cpu")
TABLE = "energy_table_45nm_pj"
ASSUMED_CACHE = 8 * 2**20
"""Bytes of last-level cache where the system does not tell, as on some virtual machines and other systems."""


@dataclass(frozen=True)
class Energy:
    """Joules of one call, where the number comes from, and the model's parts in joules; seconds of it if measured."""

    joules: float
    source: str
    measured: bool
    parts: dict = field(default_factory=dict)
    seconds: float | None = None


def caches(root=CPU):
    """Caches that the first core can use: {"L1": bytes, "L2": bytes, ...}; empty if the system does not tell."""
    found = {}
    for folder in sorted((Path(root) / "cpu0" / "cache").glob("index*")):
        try:
            kind, level, size = ((folder / name).read_text("ascii").strip() for name in ("type", "level", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            units = {"K": 2**10, "M": 2**20, "G": 2**30}
            found[f"L{level}"] = int(size.rstrip("KMG")) * units.get(size[-1], 1)
    return found


def memory_for(size, root=CPU):
    """Where ``size`` bytes stay from one inference to the next -> "SRAM" if a cache holds them, else "DRAM"."""
    return "SRAM" if size <= max(caches(root).values(), default=ASSUMED_CACHE) else "DRAM"


def model(forms, method, batch=1, active=1.0, memory=None):
    """Count the energy of one call with the 45 nm table -> Energy with parts weights, activations, arithmetic.

    forms: Forms or FcLayer of ``timing``; method: one of its METHODS; memory: "SRAM" or "DRAM" that weights come from,
    None for what this machine's cache decides. Activations always come from SRAM.
    Raises NetError for another memory.
    """
    memory = memory or memory_for(forms.resident_bytes(method))
    if memory not in ("SRAM", "DRAM"):
        raise NetError(f"weights come from SRAM or DRAM, not {memory!r}")
    table = paper.table(TABLE)
    activations = 4 * batch * (forms.rows + forms.columns)
    weights = forms.moved_bytes(method, batch, active) - activations
    pairs = forms.operations(method, batch, active) / 2
    picojoules = {
        f"weights from {memory}": weights / 4 * table[f"{memory.lower()}_32b"],
        "activations": activations / 4 * table["sram_32b"],
        "arithmetic": pairs * (table["fp32_mult"] + table["fp32_add"]),
    }
    parts = {name: 1e-12 * value for name, value in picojoules.items()}
    return Energy(sum(parts.values()), f"45 nm operation count, weights from {memory}", False, parts)


def rapl(root=POWERCAP):
    """Energy counters that can be read: {name: folder}, packages and their DRAM; empty without permission."""
    found = {}
    for folder in sorted(Path(root).glob("*-rapl:*")):
        try:
            name = (folder / "name").read_text("ascii").strip()
            int((folder / "energy_uj").read_text("ascii"))
        except (OSError, ValueError):
            continue
        if name.startswith(("package", "dram")):  # core and uncore are inside the package
            found[f"{name} ({folder.name})"] = folder
    return found


def gpu():
    """Handle of the first GPU with an energy counter, through pynvml -> handle or None."""
    if importlib.util.find_spec("pynvml") is None:
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return handle


def meter(device="cpu", root=POWERCAP):
    """Name of what can measure energy here: "RAPL: ...", "NVML", or None."""
    if str(device).startswith("cuda"):
        return "NVML" if gpu() is not None else None
    return f"RAPL: {', '.join(rapl(root))}" if rapl(root) else None


def measure(call, device="cpu", seconds=1.0, root=POWERCAP, together=1):
    """Energy of one call, by repeating it for ``seconds`` -> Energy, or None where there is no meter.

    Everything the chip does meanwhile is counted in, idle power too, as the paper's meters did. together: calls after
    which the clock is looked at, and a GPU waited for.
    """
    source = meter(device, root)
    if source is None:
        return None
    wait = _synchronise if source == "NVML" else lambda: None
    read = _nvml_joules if source == "NVML" else _rapl_reader(root)
    call()
    wait()
    calls, start, before = 0, time.perf_counter(), read()
    while calls == 0 or time.perf_counter() - start < seconds:
        for _ in range(together):
            call()
        wait()
        calls += together
    taken = time.perf_counter() - start
    return Energy((read() - before) / calls, source, True, seconds=taken / calls)


def paper_joules():
    """Tables 8 and 9 multiplied -> rows machine, layer, case, microseconds, watts, millijoules (quoted, derived)."""
    times, powers = paper.table("table8_time_us"), paper.table("table9_power_w")
    return [
        {
            "machine": machine,
            "layer": layer,
            "case": case,
            "microseconds": micro,
            "watts": powers["data"][machine][case][i],
            "millijoules": micro * powers["data"][machine][case][i] / 1e3,
        }
        for machine, cases in times["data"].items()
        for case, column in cases.items()
        for i, (layer, micro) in enumerate(zip(times["layers"], column, strict=True))
    ]


def paper_efficiency():
    """Figure 10's bars recomputed from Tables 8 and 9: {(layer, machine, case): times less energy}.

    Everything relative to dense on the Core i7 at batch 1, as in the figure; batch 1 only.
    """
    rows = {(r["layer"], r["machine"], r["case"]): r["millijoules"] for r in paper_joules()}
    return {
        key: rows[key[0], "Core i7-5930k", "dense_b1"] / value for key, value in rows.items() if key[2].endswith("_b1")
    }


def _synchronise():
    import torch

    torch.cuda.synchronize()


def _nvml_joules():
    import pynvml

    return pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu()) / 1e3


def _rapl_reader(root):
    """A function that gives the joules of all counters together since it was made, also past their end."""
    folders = list(rapl(root).values())
    last = {folder: int((folder / "energy_uj").read_text("ascii")) for folder in folders}
    total = 0

    def read():
        nonlocal total
        for folder in folders:
            now = int((folder / "energy_uj").read_text("ascii"))
            step = now - last[folder]
            if step < 0:
                step += int((folder / "max_energy_range_uj").read_text("ascii"))
            total, last[folder] = total + step, now
        return total / 1e6

    return read
