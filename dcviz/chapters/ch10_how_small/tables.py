"""Chapter 10's tables: recorded recipes step by step, seeds and their spread, shipped nets beside published results.

Rows are those of ``recordings.how_small``. What is recorded, measured now and quoted stands in separate columns.
"""

import functools

import numpy as np

from dcviz import archive, pipeline
from dcviz.chapters.ch10_how_small import allocation as blocks, frontier
from dcviz.ideas.entropy import entropy, histogram
from dcviz.ideas.kmeans import kmeans
from dcviz.ideas.rate_distortion import assign_by_rate
from dcviz.labkit.markup import signed
from dcviz.nets import training
from dcviz.pipeline import chains, reordering, retraining, sensitivity
from dcviz.pipeline.shipped import BLOCKS, compressed, compressed_path, dense, report_split
from dcviz.without_torch import Later

pd = Later("pandas")

RECORDED = "recorded"
DENSE_BYTES = 1_066_440
"""Of LeNet-300-100: 266,610 parameters, float32."""


def files(rows, density, training_parts):
    """{coding parts: (file bytes, held-out error)} of one recorded training; empty where it was not recorded."""
    for row in rows:
        if row["experiment"] == "parts" and (row["density"], tuple(row["parts"])) == (density, tuple(training_parts)):
            return {tuple(filter(None, key.split("+"))): tuple(point) for key, point in row["files"].items()}
    return {}


def point(rows, density, parts):
    """(file bytes, held-out error) of a recorded recipe, or None."""
    trained = tuple(part for part in frontier.TRAINING if part in parts)
    return files(rows, density, trained).get(tuple(part for part in frontier.CODING if part in parts))


def worth(rows, density, parts):
    """{coding part: (bytes, error) of the recipe with that part switched over, minus those of the recipe}."""
    here, found = point(rows, density, parts), {}
    for part in frontier.CODING:
        other = point(rows, density, set(parts) ^ {part})
        if here and other:
            found[part] = other[0] - here[0], other[1] - here[1]
    return found


def steps(rows, density=3.0):
    """The way from the paper's plain recipe to all parts, one idea at a time: list of (idea, file bytes, error)."""
    one = {row["experiment"]: row for row in rows if row["experiment"] in ("no regrowth", "dead only")}
    found = [("plain recipe, the paper's densities", point(rows, 8.0, ()))]
    found.append(("far fewer weights", point(rows, density, ())))
    if "no regrowth" in one and density == 3.0:
        found.append(("a hundred small cuts", _pair(one["no regrowth"])))
    parts = []
    for part in frontier.PARTS:
        parts.append(part)
        if part == "neurons" and "dead only" in one and density == 3.0:
            found.append(("dead neurons dropped", _pair(one["dead only"])))
        found.append((IDEAS[part], point(rows, density, parts)))
    return [(idea, *pair) for idea, pair in found if pair is not None]


IDEAS = {
    "gradual": "cut weights may grow back",
    "teacher": "learning from the dense net",
    "shift": "digits moved by a pixel",
    "few codes": "4 bits a code, not 6",
    "rate": "codes pay for their length",
    "gaps": "gap widths and directions that fit",
    "tables": "float16, biases shared",
    "neurons": "neurons reordered",
}
"""What each part adds, as the ablation table says it."""


def _pair(row):
    return row["file_bytes"], row["error_percent"]


def ablation(rows, density=3.0):
    """``steps`` as a DataFrame: bytes, ratio, held-out error, and what each idea changed."""
    table, before = {}, None
    for idea, size, error in steps(rows, density):
        table[("+ " if before else "") + idea] = {
            "bytes": f"{size:,}",
            "times smaller": f"{DENSE_BYTES / size:.1f}x",
            "error %": f"{error:.2f}",
            "bytes saved": "" if before is None else signed(before[0] - size, 0),
            "error changed by": "" if before is None else signed(error - before[1], 2),
        }
        before = size, error
    return pd.DataFrame.from_dict(table, orient="index")


def quantizers(rows):
    """k-means against uniform bins at equal bits: bytes after Huffman, errors untuned and fine-tuned: a DataFrame."""
    table = {}
    for row in rows:
        if row["experiment"] in ("kmeans", "uniform"):
            name = {"kmeans": "k-means", "uniform": "uniform bins"}[row["experiment"]]
            table.setdefault(f"{row['bits']} bits", {}).update(
                {
                    (name, "bytes"): f"{row['file_bytes']:,}",
                    (name, "error %, untuned"): f"{row['untuned_error']:.2f}",
                    (name, "error %, tuned"): f"{row['error_percent']:.2f}",
                }
            )
    return pd.DataFrame.from_dict(table, orient="index")


def seeds(rows):
    """Recorded seeds of each recipe: mean and spread of size and of errors: a DataFrame."""
    table = {}
    for name in dict.fromkeys(row["net"] for row in rows):
        own = [row for row in rows if row["net"] == name]
        table[name] = {"seeds": ", ".join(str(row["seed"]) for row in own)}
        for key, what, form in (
            ("ratio", "times smaller", "{:.1f}"),
            ("error_percent", "error %, held-out", "{:.2f}"),
            ("test_error_percent", "error %, official test", "{:.2f}"),
        ):
            values = [row[key] for row in own]
            low, high = (form.format(value) for value in (min(values), max(values)))
            table[name][what] = f"{form.format(np.mean(values))}  ({low} to {high})"
    return pd.DataFrame.from_dict(table, orient="index")


def standard(rows):
    """Weights of shipped nets under three coders, as recorded: bytes, and how much less than Huffman: a DataFrame."""
    table = {}
    for row in rows:
        table[row["name"]] = {
            (RECORDED, "Huffman: the file"): f"{row['huffman']:,}",
            (RECORDED, "by neighbours"): f"{row['neighbours']:,}",
            (RECORDED, "NNC"): f"{row['nnc']:,}",
            (RECORDED, "NNC to Huffman"): f"{signed(100 * (row['nnc'] / row['huffman'] - 1), 1)}%",
        }
    return pd.DataFrame.from_dict(table, orient="index")


def shipped(rows):
    """Every shipped net: file and error measured now, beside the recorded error on the official images: a DataFrame."""
    table, split = {}, report_split()
    now = f"measured now, {split.name}"
    for row in rows:
        stored = compressed(row["name"])
        table[row["name"]] = {
            (now, "bytes"): f"{row['file_bytes']:,}",
            (now, "times smaller"): f"{stored.dense_bytes() / row['file_bytes']:.1f}x",
            (now, "error %"): f"{_error_percent(row['name'], split.name):.2f}",
            (RECORDED, "error %, official test"): f"{row['test_error_percent']:.2f}",
            (RECORDED, "bytes, reordered"): f"{row['reordered_bytes']:,}",
            (RECORDED, "times smaller, reordered"): f"{row['dense_bytes'] / row['reordered_bytes']:.1f}x",
        }
    return pd.DataFrame.from_dict(table, orient="index")


@functools.cache
def _error_percent(name, split_name):
    """Error of a shipped net on the ``report_split`` of this name, percent: two tables have it."""
    return training.error_percent(pipeline.restore(compressed(name)), report_split())


def block(rows):
    """The files in which neurons went first beside the smallest of the others, part by part: a DataFrame of bytes.

    rows: ``lenet_block`` as recorded. Bytes and errors are measured now, the error on the official images is recorded.
    """
    split, recorded = report_split(), {row["name"]: row["test_error_percent"] for row in rows}
    table = {}
    for name in ("lenet-5-tiny", *BLOCKS):
        breakdown = archive.describe(compressed_path(name))
        parts = breakdown.parts
        which = parts["index_bits"] + parts["index_bits_fillers"] + parts["weight_bits_fillers"]
        table[name] = {
            "weights kept": f"{sum(layer.nonzeros for layer in breakdown.layers):,}",
            "bytes: which weights": f"{which:,}",
            "bytes: what they are": f"{parts['weight_bits']:,}",
            "bytes: all the rest": f"{breakdown.file_bytes - which - parts['weight_bits']:,}",
            "bytes in the file": f"{breakdown.file_bytes:,}",
            "times smaller": f"{breakdown.ratio:,.0f}x",
            f"error %, {split.name}": f"{_error_percent(name, split.name):.2f}",
            "error %, official test (recorded)": f"{recorded[name]:.2f}" if name in recorded else "",
        }
    return pd.DataFrame(table)


def allocation():
    """The recorded block with fewest errors within each budget, for each width: a DataFrame."""
    table = {}
    for budget in blocks.BUDGETS:
        best = {width: blocks.best(budget, width) for width in blocks.WIDTHS}
        table[f"{budget:,} bytes"] = {width: allocated(key) if key else "none fits" for width, key in best.items()}
    return pd.DataFrame.from_dict(table, orient="index")


def allocated(key):
    """A recorded block in words: "3.50%: 800 weights, 4 bits"."""
    _, weights, bits = key
    return f"{blocks.blocks()[key]['error_percent']:.2f}%: {weights:,} weights, {bits} bits"


def prices(values, k=15, rates=(0.0, 0.01, 0.02, 0.05, 0.1)):
    """Codes of ``values`` (n,) among k centroids at rising prices of a bit: a DataFrame.

    A rate is a price in units of the values' variance; "distance" is the root mean square, over their standard
    deviation.
    """
    values = np.asarray(values, np.float64)
    centroids, table = kmeans(values, k).centroids, {}
    for rate in rates:
        codes = assign_by_rate(values, centroids, rate * values.var())
        counts = histogram(codes, k)
        table[f"{rate:g}"] = {
            "bits per code (entropy)": f"{entropy(counts):.2f}",
            "values in use": int(np.count_nonzero(counts)),
            "distance": f"{np.sqrt(np.mean((values - centroids[codes]) ** 2)) / values.std():.3f}",
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("price")


def reordered(names):
    """Bytes of shipped files as they are and with hidden neurons in a better order, written now: a DataFrame."""
    table = {}
    for name in names:
        before = compressed(name)
        sizes = [
            len(archive.dumps(net))
            for net in (before, reordering.shortest(before, chains.hidden(pipeline.restore(before))))
        ]
        table[name] = {
            "bytes": f"{sizes[0]:,}",
            "bytes, reordered": f"{sizes[1]:,}",
            "saved %": f"{100 * (1 - sizes[1] / sizes[0]):.1f}",
            "times smaller": f"{before.dense_bytes() / sizes[1]:.1f}x",
        }
    return pd.DataFrame.from_dict(table, orient="index")


def by_sensitivity(rows, curves):
    """Densities chosen by hand and from sensitivity ``curves`` (measured now), and what became of each: a DataFrame."""
    sizes = {name: weight.size for name, weight in retraining.weights_of(dense(frontier.NET)).items()}
    hand = frontier.DENSITIES[3.0]
    budget = sum(hand[name] * n for name, n in sizes.items()) / sum(sizes.values())
    found = sensitivity.densities_for(budget, sizes, sensitivity.DENSITIES, curves)
    table = {
        "by hand": {(f"kept % of {name}", "now"): f"{100 * hand[name]:.1f}" for name in sizes},
        "from the curves": {(f"kept % of {name}", "now"): f"{100 * found[name]:.1f}" for name in sizes},
    }
    recorded = [row for row in rows if row["experiment"] == "sensitivity"]
    whole = point(rows, 3.0, frontier.PARTS)
    for name, pair in (("by hand", whole), ("from the curves", _pair(recorded[0]) if recorded else None)):
        if pair is not None:
            table[name] |= {(RECORDED, "bytes"): f"{pair[0]:,}", (RECORDED, "error %, held-out"): f"{pair[1]:.2f}"}
    return pd.DataFrame.from_dict(table, orient="index")
