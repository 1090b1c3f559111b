"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.evidence import budgets, memories, paper


def sram_reads():
    """Reads from SRAM that take as much energy as one from DRAM."""
    table = paper.table("energy_table_45nm_pj")
    return table["dram_32b"] / table["sram_32b"]


def fc6_weights():
    """Weights of AlexNet's fc6."""
    return next(row["bytes"] for row in budgets.implied_bandwidths() if row["layer"] == "AlexNet fc6") // 4


def synapses(age):
    """Trillions of synapses at an age, as the authors tell it."""
    return next(row["trillions"] for row in memories.synapses()["rows"] if row["age"] == age)
