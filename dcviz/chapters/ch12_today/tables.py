"""Chapter 12's tables: coders on bfloat16 bytes, pruning and sharing in every way, files, times, quoted results."""

import numpy as np

from dcviz import archive
from dcviz.archive import Lossless, StoredNet, coders
from dcviz.chapters.ch12_today import roofline, scores, sharing
from dcviz.labkit.markup import signed
from dcviz.nets import datasets, dense_files, products, training
from dcviz.pipeline import shipped
from dcviz.without_torch import Later

pd = Later("pandas")

RECORDED, NOW, QUOTED = "recorded", "measured now", "quoted"
WANDA = "Sun and others, arXiv:2306.11695 (not yet compared with a copy at hand)"
"""Where the numbers of ``LLAMA`` are printed: LLaMA-7B, perplexity on WikiText."""
MEASURED_WITH = 500
"""Pictures of digits that LeNet-300-100's weights are measured with."""
LLAMA = {"not pruned": (5.68, 5.68), "magnitude": (17.29, 42.13), "SparseGPT": (7.22, 11.00), "Wanda": (7.26, 11.53)}
"""{method: (perplexity at 50% kept, at 2:4)}."""


def compressors(bits):
    """Bytes of bfloat16 bit patterns (n,) under general compressors and in a .dcz file: a DataFrame.

    Each is decoded again and compared.
    """
    data = bits.astype("<u2").tobytes()
    ours = archive.dumps(StoredNet("bits", (Lossless("weights", bits, "bfloat16"),)))
    if archive.loads(ours).state_dict()["weights"].tobytes() != data:
        raise AssertionError("the coded weights do not come back")  # pragma: no cover
    found = {"bfloat16, as it is": len(data)} | coders.files(data) | {"exponents Huffman-coded": len(ours)}
    return pd.DataFrame.from_dict(
        {
            name: {
                (NOW, "bytes"): f"{size:,}" if size is not None else "not installed",
                (NOW, "% of bfloat16"): f"{100 * size / len(data):.1f}" if size is not None else "",
            }
            for name, size in found.items()
        },
        orient="index",
    )


def lenet_pruned(kept=0.08):
    """Error of LeNet-300-100 with fc1 and fc2 cut at once, on 1,000 held-out digits, measured now: a DataFrame."""
    net, digits, seen = dense_files.state("lenet-300-100"), datasets.digits(), {}
    products.logits(net, digits.train.images[:MEASURED_WITH], seen)
    table = {"not pruned": products.error_percent(net, digits.test)}
    for way in scores.WAYS:
        cut = {
            f"{name}.weight": scores.pruned(net[f"{name}.weight"], kept, way, seen[name].T @ seen[name])
            for name in ("fc1", "fc2")
        }
        table[way] = products.error_percent(net | cut, digits.test)
    return pd.DataFrame({(NOW, "error %"): {name: f"{error:.1f}" for name, error in table.items()}})


def lenet_shared(bits=(1, 2, 3)):
    """Error of LeNet-300-100 with one codebook a layer, plain and weighted, measured now: a DataFrame."""
    import torch

    net, digits = shipped.dense("lenet-300-100"), datasets.digits().train.take(slice(0, MEASURED_WITH))
    pictures, targets = training.to_input(digits.images), torch.as_tensor(np.array(digits.labels, np.int64))
    with training.threads(1):
        felt = scores.squared_gradients(net, list(zip(pictures.split(1), targets.split(1), strict=True)))
    table = {}
    for method in ("k-means", "k-means, weighted"):
        table[method] = {}
        for b in bits:
            shared = sharing.share_net(net, b, method, "layer", felt)
            found = sharing.with_values(net, {name: layer.values() for name, layer in shared.items()})
            table[method][NOW, f"error %, {b} bit{'s' * (b > 1)}"] = (
                f"{training.error_percent(found, datasets.digits().test):.1f}"
            )
    return pd.DataFrame.from_dict(table, orient="index")


def pruning(rows):
    """Recorded bits a character by way and share kept: a DataFrame."""
    table = {"not pruned": {100: rows[0]["bits_per_character"]}}
    for row in rows[1:]:
        if row["pattern"] == "free":
            table.setdefault(row["way"], {})[round(100 * row["density"])] = row["bits_per_character"]
    columns = sorted({kept for row in table.values() for kept in row}, reverse=True)
    named = {
        way: {(RECORDED, f"{kept}% kept"): f"{row[kept]:.3f}" if kept in row else "" for kept in columns}
        for way, row in table.items()
    }
    return pd.DataFrame.from_dict(named, orient="index")


def two_of_four(rows):
    """Half of the weights, free and 2:4, bits a character recorded here; beside it perplexities quoted: a DataFrame."""
    table = {}
    partners = {"magnitude, each output": "magnitude", "Wanda, each output": "Wanda", "corrected": "SparseGPT"}
    for way, quoted in {"none": "not pruned", **partners}.items():
        own = [row for row in rows if row["way"] == way and row["density"] in (0.5, 1.0)]
        free, fixed = ([r["bits_per_character"] for r in own if r["pattern"] == p] for p in scores.PATTERNS)
        free_quoted, fixed_quoted = LLAMA[quoted]
        table[{"none": "not pruned"}.get(way, way)] = {
            (RECORDED, "ours, free: bits a character"): f"{free[0]:.3f}",
            (RECORDED, "ours, 2:4"): f"{(fixed or free)[0]:.3f}",
            (QUOTED, "LLaMA-7B with"): quoted,
            (QUOTED, "free: perplexity"): f"{free_quoted:.2f}",
            (QUOTED, "2:4"): f"{fixed_quoted:.2f}",
        }
    return pd.DataFrame.from_dict(table, orient="index")


def shared(rows, bits, dense):
    """Recorded ways to share at so many bits: bytes with fixed and with Huffman codes, and what is lost: a DataFrame.

    dense: bits a character of the whole model.
    """
    table = {}
    for row in rows:
        if row["bits"] == bits and not row["apart"]:
            group = {"layer": "a layer", "row": "an output"}.get(row["group"], f"{row['group']} neighbours")
            table[f"{row['method']}, a table for {group}"] = {
                (RECORDED, "bytes"): f"{row['bytes']:,}",
                (RECORDED, "bytes, Huffman"): f"{row['coded_bytes']:,}",
                (RECORDED, "bits a character"): f"{row['bits_per_character']:.3f}",
                (RECORDED, "lost"): signed(row["bits_per_character"] - dense),
            }
    return pd.DataFrame.from_dict(table, orient="index")


def apart(rows, dense):
    """What keeping 0.5% of the weights apart changes, one codebook or grid a layer: a DataFrame."""
    table = {}
    for row in rows:
        if row["group"] == "layer" and row["bits"] < 8:
            name = f"{row['method']}, {row['bits']} bits"
            key = "0.5% apart" if row["apart"] else "all shared"
            table.setdefault(name, {})[RECORDED, f"lost, {key}"] = signed(row["bits_per_character"] - dense)
    return pd.DataFrame.from_dict(table, orient="index")


def files(rows, weights):
    """The model as one file in many ways, recorded: bytes, bits a weight, error on both halves: a DataFrame."""
    return pd.DataFrame.from_dict(
        {
            row["name"]: {
                (RECORDED, "bytes"): f"{row['bytes']:,}",
                (RECORDED, "bits a weight"): f"{8 * row['bytes'] / weights:.2f}",
                (RECORDED, "bits a character"): f"{row['bits_per_character']:.3f}",
                (RECORDED, "bits a character, second half"): f"{row['reported']:.3f}",
            }
            for row in rows
        },
        orient="index",
    )


def tokens(rows, net):
    """Recorded milliseconds a token by form, share kept and batch: a DataFrame."""
    table = {}
    for row in rows:
        if row["net"] == net and not (row["method"] == "dense" and row["density"] < 1):
            name = row["method"] if row["method"] == "dense" else f"{row['method']}, {100 * row['density']:.0f}% kept"
            table.setdefault(name, {})[RECORDED, f"batch {row['batch']}"] = f"{1e3 * row['seconds'] / row['batch']:.3f}"
    return pd.DataFrame.from_dict(table, orient="index")


def formats(billions, bytes_per_second):
    """Tokens a second at batch 1 if only reading the weights takes time, computed, by quoted format: a DataFrame."""
    table = {}
    for name, bits in roofline.QUOTED.items():
        size = 1e9 * billions * bits / 8
        table[name] = {
            (QUOTED, "bits a weight"): f"{bits:g}",
            ("computed", "GB"): f"{size / 1e9:.1f}",
            ("computed", "tokens a second, at most"): f"{bytes_per_second / size:.2f}",
        }
    return pd.DataFrame.from_dict(table, orient="index")
