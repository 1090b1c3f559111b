"""Chapter 11: GoogLeNet and SqueezeNet, two nets without a large fully connected layer, through the pipeline."""

import copy

from dcviz import archive, pipeline
from dcviz.archive import authors
from dcviz.archive.authors import squeezenet_path
from dcviz.files import MODELS, cache_dir
from dcviz.nets import batchnorm, cifar, models
from dcviz.nets.picture_training import PictureSchedule, error_percent, fit, printed
from dcviz.pipeline import LayerRecipe, Recipe, trained_quantization
from dcviz.pipeline.retraining import Gradual
from dcviz.pipeline.trained_quantization import SharedWeights

PIXELS = 64
DENSE = PictureSchedule(phases=((48, 5), (PIXELS, 1)))
PRUNE = PictureSchedule(phases=((PIXELS, 1),), lr=4e-4, warmup=10, decay=0.0, smoothing=0.0)
SHARE = PictureSchedule(phases=((PIXELS, 1),), lr=3e-4, warmup=5, decay=0.0, smoothing=0.0)
PRUNE_PICTURES, SHARE_PICTURES = 22_500, 5_120
"""Of the 45,000 to train on: half an epoch of pruning, a ninth of fine-tuning."""
PATH = MODELS / "googlenet.dcz"


def checkpoint():
    """Where the dense training stands: another file for other phases, so that none goes on from another's steps."""
    phases = "-".join(f"{pixels}x{epochs}" for pixels, epochs in DENSE.phases)
    return cache_dir() / "googlenet" / f"dense-{phases}.safetensors"


def dense_googlenet(train):
    """(GoogLeNet for ten classes trained by DENSE, steps), going on from ``checkpoint()``."""
    path = checkpoint()
    path.parent.mkdir(parents=True, exist_ok=True)
    net = models.build("googlenet", seed=0, num_classes=10)
    steps = fit(net, train, DENSE, checkpoint=path, report=printed("dense"))
    return net, steps


def recipe(net):
    """Densities by size of the layer: the first and the last keep most, large layers a fifth; 5 bits a code."""
    layers = {}
    for name, layer in models.weight_layers(net).items():
        n = layer.weight.numel()
        density = 0.7 if name == "conv1.conv" else 0.4 if n < 20_000 else 0.3 if n < 60_000 else 0.2
        layers[name] = LayerRecipe(density, bits=5, index_bits=4)
    return Recipe(layers, dtype="float16", bias_dtype="float16", order="C")


def train_on(net, train, densities=None):
    """The half epoch of PRUNE on a folded net, in place: pruned to {layer: density}, or without pruning (the rival)."""
    part = train.take(slice(0, PRUNE_PICTURES))
    steps = PRUNE.steps(len(part))
    gradual = densities and Gradual(net, densities, steps, cuts=20, ramp=0.5, regrow=True)
    fit(net, part, PRUNE, constraint=gradual, report=printed("pruned" if densities else "dense, longer"))


def share(net, train, plan):
    """Share the weights of a pruned net as its recipe says, fine-tune the values and round them, in place."""
    k = {name: layer.k for name, layer in plan.layers.items()}
    shared = SharedWeights(net, trained_quantization.codebooks(net, k))
    fit(net, train.take(slice(-SHARE_PICTURES, None)), SHARE, constraint=shared, report=printed("shared"))
    shared.round_to(plan.dtype)
    pipeline.round_biases(net, plan)


def googlenet_layers():
    """GoogLeNet on CIFAR-10 through the pipeline; writes data/models/googlenet.dcz.

    Needs CIFAR-10 and 20 minutes of one core; stopped while the dense net trains, the same command goes on.

    Rows with a ``stage``: dense, "dense, longer" (the rival that trains on while the other is pruned), pruned, coded;
    bytes of the file, error percent of the 10,000 test pictures, steps of training so far.
    Rows with a ``layer``: shape, weights, kept, bytes in the compressed file.
    """
    train, _ = cifar.tuning_pictures()
    test, rows = cifar.cifar10("test"), []

    def note(stage, net, steps, form):
        size = len(archive.dumps(pipeline.stored_net(net, plan, form)))
        error = error_percent(net, test, PIXELS)
        rows.append({"stage": stage, "bytes": size, "error_percent": error, "steps": steps, "pixels": PIXELS})
        print(rows[-1], flush=True)

    net, steps = dense_googlenet(train)
    net = batchnorm.fold(net)
    plan = recipe(net)
    note("dense", net, steps, "dense")
    rival, steps = copy.deepcopy(net), steps + PRUNE.steps(PRUNE_PICTURES)
    train_on(net, train, {name: layer.density for name, layer in plan.layers.items()})
    note("pruned", net, steps, "pruned")
    share(net, train, plan)
    note("coded", net, steps + SHARE.steps(SHARE_PICTURES), "coded")
    archive.save(PATH, pipeline.stored_net(net, plan, "coded"))
    train_on(rival, train)
    note("dense, longer", rival, steps, "dense")
    return [*rows, *layer_rows(archive.describe(PATH))]


def squeezenet_layers():
    """The authors' compressed SqueezeNet as a .dcz file: rows as the layers of ``googlenet_layers``.

    Reads $DCVIZ_DATA/authors/compressed_SqueezeNet.net; DataError without it.
    """
    net = authors.read_squeezenet(squeezenet_path())
    rows = layer_rows(archive.breakdown(authors.as_stored(net)))
    return [{**row, "layer": layer.name} for row, layer in zip(rows, net.layers, strict=True)]


def layer_rows(breakdown):
    """One dict a layer of an ``archive.Breakdown``: layer, shape, weights, kept, bytes."""
    return [
        {
            "layer": layer.name,
            "shape": list(layer.shape),
            "weights": layer.weights,
            "kept": layer.nonzeros,
            "bytes": layer.file_bytes,
        }
        for layer in breakdown.layers
    ]


def by_block(rows):
    """Rows of layers added up by block: {"inception3a": {"weights", "kept", "bytes"}, ...}."""
    blocks = {}
    for row in rows:
        name = row["layer"].replace("/", ".").split(".")[0]
        block = blocks.setdefault(name, dict.fromkeys(("weights", "kept", "bytes"), 0))
        for key in block:
            block[key] += row[key]
    return blocks


def by_filter_size(rows):
    """Rows of layers added up by kind: {"1 x 1": {...}, "3 x 3": ..., "fully connected": ...}."""
    kinds = {}
    for row in rows:
        shape = row["shape"]
        name = "fully connected" if len(shape) == 2 else f"{shape[2]} x {shape[3]}"
        kind = kinds.setdefault(name, dict.fromkeys(("layers", "weights", "kept", "bytes"), 0))
        kind["layers"] += 1
        for key in ("weights", "kept", "bytes"):
            kind[key] += row[key]
    return dict(sorted(kinds.items()))


def ratios(rows):
    """Rows of layers added up: bytes of the weights as float32 over bytes in the file, and the share kept."""
    weights, kept, size = (sum(row[key] for row in rows if "layer" in row) for key in ("weights", "kept", "bytes"))
    return 4 * weights / size, kept / weights


def stage_table(rows):
    """Rows of googlenet_layers -> DataFrame: steps, bytes and error of the dense nets and after each stage."""
    import pandas as pd

    stages = pd.DataFrame([row for row in rows if "stage" in row]).set_index("stage")
    commas = {name: stages[name].map("{:,}".format) for name in ("bytes", "steps")}
    return stages.assign(**commas).rename(columns={"error_percent": "error %"})


def filter_table(nets):
    """{net: rows of layers} -> DataFrame: layers, weights, kept, bits a weight and ratio, by size of the filter."""
    import pandas as pd

    table = {}
    for net, rows in nets.items():
        for kind, found in by_filter_size([row for row in rows if "layer" in row]).items():
            table[f"{net}, {kind}"] = {
                "layers": found["layers"],
                "weights": f"{found['weights']:,}",
                "kept %": f"{100 * found['kept'] / found['weights']:.1f}",
                "bits per kept weight": f"{8 * found['bytes'] / found['kept']:.1f}",
                "times smaller": f"{4 * found['weights'] / found['bytes']:.1f}",
            }
    return pd.DataFrame.from_dict(table, orient="index")
