"""Tables of chapters 01 and 03: what is quoted from the paper and what is computed here, in separate columns."""

import numpy as np

from dcviz.evidence import budgets, memories, paper, recordings
from dcviz.ideas import pruning, relative_index, sparse_formats
from dcviz.without_torch import Later

pd = Later("pandas")

PAPER, HERE = "paper (quoted)", "this workbook (computed now)"
FIVE_BITS = 5  # what the paper's Tables 2 and 3 use in every layer


def paper_masks(net):
    """{layer: mask} of a shipped dense net, cut to the paper's densities: largest magnitudes stay."""
    from dcviz.pipeline import shipped  # with it comes torch: chapter 01 uses other tables of these

    weights = shipped.dense_weights(net)
    return {name: pruning.mask_from_density(weights[name], kept) for name, kept in paper.densities(net).items()}


def reading():
    """How long the paper's machines take for a dense layer, and what that says about memory: a DataFrame."""
    peaks, table = memories.bandwidths(), {}
    for row in budgets.implied_bandwidths():
        table[row["machine"], row["layer"]] = {
            ("layer", "megabytes"): round(row["bytes"] / 1e6),
            (PAPER, "milliseconds"): round(row["microseconds"] / 1e3, 2),
            ("computed", "GB/s"): round(row["bytes_per_second"] / 1e9, 1),
            ("data sheet", "peak GB/s"): peaks[row["machine"]] / 1e9,
        }
    return pd.DataFrame.from_dict(table, orient="index")


def sources():
    """The memories of chapter 01 and where their numbers are printed, one a line -> str."""
    lines = [f"{m.name:26}{m.size:>9}   {m.source}" for m in memories.memories()]
    return "\n".join(lines)


def figure_2():
    """The numbers printed in Figure 2 beside what a file stores: a DataFrame, one column per entry."""
    figure = paper.table("figure2_relative_index_example")
    positions = [place for place in figure["idx"] if place != figure["filler_at"]]
    index = relative_index.encode(positions, figure["bits"])
    places = relative_index.decode(index.gaps)
    return pd.DataFrame(
        {
            (PAPER, "idx"): figure["idx"],
            (PAPER, "diff"): figure["diff"],
            (PAPER, "value"): figure["value"],
            (HERE, "position"): places,
            (HERE, "gap, from −1"): np.diff(places, prepend=-1),
            (HERE, "stored"): index.gaps,
            (HERE, "kind"): np.where(index.real, "weight", "filler"),
        }
    ).T


def formats(net, value_bits=5, widths=True):
    """Bytes of every layer in every format, at the best width of a gap, which ``widths`` tells: a DataFrame."""
    table = {}
    for name, mask in paper_masks(net).items():
        bits = relative_index.best_bits(np.flatnonzero(mask), value_bits)
        sizes = sparse_formats.sizes(mask, value_bits, bits)
        table[name] = {key: f"{-(-size // 8):,}" for key, size in sizes.items()}
        if widths:
            table[name]["best b"] = bits
    return pd.DataFrame.from_dict(table, orient="index")


def fillers(net, bits=FIVE_BITS):
    """Entries per 100 weights of our masks beside what a random mask of the same density needs: a DataFrame."""
    table = {}
    for name, mask in paper_masks(net).items():
        index = relative_index.encode(np.flatnonzero(mask), bits)
        expected = sparse_formats.expected_entries(pruning.density(mask), bits)
        table[name] = {
            "kept %": 100 * pruning.density(mask),
            "fillers": f"{index.fillers:,}",
            "fillers, were it random": f"{expected * mask.size - np.count_nonzero(mask):,.0f}",
            "entries %": round(100 * index.gaps.size / mask.size, 2),
            "entries %, were it random": round(100 * expected, 2),
        }
    return pd.DataFrame.from_dict(table, orient="index")


def alexnet_entries():
    """Entries that the paper's rates for AlexNet imply beside those of a random mask: a DataFrame.

    The printed density is rounded to whole percents, so the random column spans half a percent either way.
    """
    bits = {row["layer"]: row["index_bits_PQ"] for row in paper.table("table4_alexnet")["rows"]}
    table = {}
    for row in paper.table("derived_layer_checks")["nets"]["AlexNet"]["rows"]:
        density, b = row["density_pct"] / 100, bits[row["layer"]]
        low, high = (100 * sparse_formats.expected_entries(density + d, b) for d in (-0.005, 0.005))
        table[row["layer"]] = {
            (PAPER, "kept %"): row["density_pct"],
            (PAPER, "index bits"): b,
            ("implied by Table 4", "entries %"): row["entries_pct_implied_PQ"],
            ("computed", "random mask, entries %"): f"{low:.1f} to {high:.1f}",
        }
    return pd.DataFrame.from_dict(table, orient="index")


def squeezenet_fillers():
    """Fillers in the file that the paper's authors published: recorded rows as a DataFrame."""
    names = {"kept": "kept %", "random": "fillers, were it random"}
    table = pd.DataFrame(recordings.load("squeezenet_fillers").rows).set_index("layer").rename(columns=names)
    return table.map(lambda value: "" if pd.isna(value) else f"{value:,}")
