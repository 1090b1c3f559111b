"""Tables and formulas of chapter 06: what is quoted from the paper and what is computed here, in separate columns."""

import functools
from dataclasses import replace

import numpy as np

from dcviz import archive
from dcviz.archive import coders
from dcviz.evidence import paper
from dcviz.ideas import huffman
from dcviz.ideas.entropy import entropy, histogram, mean_length
from dcviz.pipeline import shipped
from dcviz.without_torch import Later

pd = Later("pandas")

PAPER, HERE = "paper (quoted)", "this workbook (computed now)"
DIGITISED = "paper (read off Figure 5)"


def streams(net):
    """{layer: {"weight codes": Stream, "gaps": Stream}} of a shipped compressed net."""
    return {layer.name: coders.streams(layer) for layer in shipped.compressed(net).layers}


@functools.cache
def last_streams(net):
    """{"weight codes": Stream, "gaps": Stream} of the last layer of a shipped compressed net."""
    return coders.streams(shipped.compressed(net).layers[-1])


def layers(net):
    """Bits per symbol of every layer, before and after Huffman coding, beside Table 2 or 3: a DataFrame."""
    quoted, table = paper.layers(net), {}
    for layer, found in streams(net).items():
        for (name, stream), key in zip(found.items(), ("weight", "index"), strict=True):
            counts = stream.counts
            packed, coded = (
                coders.fixed_size(stream.symbols, stream.width),
                coders.huffman_size(stream.symbols, stream.width),
            )
            table[layer, name] = {
                (PAPER, "fixed"): quoted[layer][f"{key}_bits_PQ"],
                (PAPER, "Huffman"): quoted[layer][f"{key}_bits_PQH"],
                (HERE, "fixed"): stream.width,
                (HERE, "entropy"): round(entropy(counts), 3),
                (HERE, "Huffman"): round(mean_length(counts, huffman.code_lengths(counts)), 3),
                (HERE, "bytes"): f"{coded.bytes:,}",
                (HERE, "of them table"): coded.table,
                (HERE, "saved %"): round(100 * (1 - coded.bytes / packed.bytes), 1),
            }
    return pd.DataFrame.from_dict(table, orient="index")


def whole_file_saving(net):
    """Share of the file that Huffman coding saves -> float, 0 to 1; both are lengths of files."""
    return 1 - shipped.bytes_after(net, "coded") / shipped.bytes_after(net, "shared")


def whole_files():
    """Bytes of the shipped files with and without Huffman coding, beside Tables 2 to 5: a DataFrame.

    AlexNet's file is the one with the paper's densities and bits, trained on CIFAR-10; none of VGG-16 ships.
    """
    table, files = {}, dict.fromkeys(shipped.REFERENCES) | {"alexnet": "alexnet-cifar10-paper"}
    for net, (_, name) in paper.NETS.items():
        total = paper.table(name)["total"]
        rates = total["compress_rate_pct_PQ"], total["compress_rate_pct_PQH"]
        table[net] = {
            (PAPER, "of dense %, fixed"): rates[0],
            (PAPER, "of dense %, Huffman"): rates[1],
            (PAPER, "saved %, derived"): round(100 * (1 - rates[1] / rates[0]), 1),
        }
        ours = dict.fromkeys([(HERE, "bytes, fixed"), (HERE, "bytes, Huffman"), (HERE, "saved %")], "")
        if net in files:
            file = files[net] or net
            sizes = [f"{shipped.bytes_after(file, stage):,}" for stage in ("shared", "coded")]
            ours = dict(zip(ours, [*sizes, f"{100 * whole_file_saving(file):.1f}"], strict=True))
        table[net] |= ours
    return pd.DataFrame.from_dict(table, orient="index")


def figure5():
    """Figure 5 as counts: {"weight codes": array, "gaps": array} of AlexNet's last layer, read off the paper."""
    figure = paper.table("figure5_fc8_histograms")
    return {
        coders.WEIGHT_CODES: np.array(figure["weight_index_counts_1_to_32"]),
        coders.GAPS: np.array(figure["index_diff_counts_1_to_32"]),
    }


def last_layers(net):
    """The two distributions of a net's last layer beside those of Figure 5: a DataFrame."""
    ours, table = last_streams(net), {}
    for name, theirs in figure5().items():
        table[name] = {
            (head, what): value
            for head, counts in ((DIGITISED, theirs), (HERE, ours[name].counts))
            for what, value in {
                "symbols": f"{counts.sum():,}",
                "different": int(np.count_nonzero(counts)),
                "entropy": round(entropy(counts), 2),
                "Huffman": round(mean_length(counts, huffman.code_lengths(counts)), 2),
            }.items()
        }
    return pd.DataFrame.from_dict(table, orient="index")


def humps(kept):
    """How much of layers is kept, the hole around zero and the shape; {name: ``humps.Kept``}: a DataFrame."""
    return pd.DataFrame.from_dict(
        {
            name: {
                "kept %": f"{100 * one.density:.0f}",
                "threshold (smallest kept)": f"{one.smallest:.4f}",
                "largest": f"{one.largest:.4f}",
                "smallest / largest": f"{one.hole:.2f}",
                "bimodality": f"{one.bimodality:.2f}",
            }
            for name, one in kept.items()
        },
        orient="index",
    )


def by_coder(stream, sizes):
    """``coders.sizes`` of a Stream as a DataFrame, smallest first, the entropy bound on top."""
    n, bound = stream.symbols.size, coders.bound(stream)
    rows = [coders.Size("entropy bound, no table", round(bound), 0, "coding one symbol at a time")]
    rows += sorted((s for s in sizes if s.bytes is not None), key=lambda s: s.bytes)
    rows += [s for s in sizes if s.bytes is None]
    return pd.DataFrame(
        {
            s.coder: {
                "bytes": "" if s.bytes is None else f"{s.bytes:,}",
                "bits per symbol": "" if s.bytes is None else f"{8 * s.bytes / n:.3f}",
                "of them table": f"{s.table:,}" if s.table else "",
                "": s.note,
            }
            for s in rows
        }
    ).T


def shuffled(stream, seed=0):
    """Bytes of a Stream in the order of the file and in random order, under every coder: a DataFrame.

    Coders that take symbols one by one need the same; the difference is what the others found in the order.
    """
    mixed = replace(stream, symbols=np.random.default_rng(seed).permutation(stream.symbols))
    orders = {"as in the file": stream, "shuffled": mixed}
    sizes = {name: {s.coder: s.bytes for s in coders.sizes(one)} for name, one in orders.items()}
    table = pd.DataFrame(sizes).dropna().astype(int)
    table["order is worth"] = table["shuffled"] - table["as in the file"]
    return table.map("{:,}".format)


def zipped_nets(net):
    """Bytes of a dense net, of the same with its pruned weights as zeros, and of its .dcz, under zip and Co.

    The dense net twice: as it lies in memory, and all first bytes of the floats, then all second ones, and so on.
    """
    dense = b"".join(p.detach().numpy().tobytes() for p in shipped.dense(net).state_dict().values())
    stored = shipped.compressed(net)
    zeros = b"".join(tensor.astype(np.float32).tobytes() for tensor in stored.state_dict().values())
    planes = np.frombuffer(dense, np.uint8).reshape(-1, 4).T.tobytes()
    columns = {
        "dense float32": dense,
        "dense, byte planes": planes,
        "pruned and shared, float32": zeros,
        ".dcz file": archive.dumps(stored),
    }
    table = {name: {"as it is": len(data), **coders.files(data)} for name, data in columns.items()}
    return pd.DataFrame(table).map(lambda n: "not installed here" if n is None or n != n else f"{int(n):,}")


def mask_codes(net, layer, blocks=(1, 2, 4, 8)):
    """Ways to say which weights of a layer are kept, in bits per weight: a DataFrame."""
    found = next(one for one in shipped.compressed(net).layers if one.name == layer)
    mask = np.asarray(found.weight).ravel(order=found.coding.order) != 0
    gaps = coders.streams(found)[coders.GAPS]
    rows = {"entropy, weight by weight": entropy(histogram(mask.astype(int)))}
    for block in blocks:
        what = "mask, weight by weight" if block == 1 else f"mask, blocks of {block}"
        rows[f"Huffman: {what}"] = coders.block_bits(mask, block)
    rows["Huffman: gaps, as in the file"] = 8 * coders.huffman_size(gaps.symbols, gaps.width).bytes / mask.size
    bits = pd.Series(rows)
    return pd.DataFrame({"bits per weight": bits.round(3), "bytes": [f"{round(b * mask.size / 8):,}" for b in bits]})


# ------------------------------------------------------------------ formulas with a layer's numbers


def entropy_formula(stream, terms=3):
    """H = sum p log2(1/p) with the most frequent symbols of a Stream written out: LaTeX."""
    counts = stream.counts
    p = np.sort(counts[counts > 0] / counts.sum())[::-1]
    some = " + ".join(rf"{q:.4f} \cdot {-np.log2(q):.2f}" for q in p[:terms])
    dots = r" + \dots" if p.size > terms else ""
    return rf"H = \sum_s p_s \log_2\frac{{1}}{{p_s}} = {some}{dots} = {entropy(counts):.3f}\ \text{{bits}}"


def huffman_length(stream):
    """Bits that Huffman takes for a symbol of the stream, on average."""
    _, counts = stream.kinds()
    return round(mean_length(counts, huffman.code_lengths(counts)), 3)


def mean_formula(stream, terms=3):
    """The mean code length with the most frequent symbols of a Stream written out: LaTeX."""
    counts, lengths = stream.counts, huffman.code_lengths(stream.counts)
    order = np.argsort(-counts, kind="stable")[:terms]
    some = " + ".join(rf"{counts[s] / counts.sum():.4f} \cdot {lengths[s]}" for s in order)
    dots = r" + \dots" if np.count_nonzero(counts) > terms else ""
    mean = mean_length(counts, lengths)
    return rf"\bar\ell = \sum_s p_s\,\ell_s = {some}{dots} = {mean:.3f}\ \text{{bits}}"
