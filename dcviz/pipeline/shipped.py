"""The nets that ship with the workbook: how they were made, opening them, and making them again.

Everything here was trained on the 55,000 MNIST training digits that are not among the bundled 5,000, and every
choice (densities, bits, epochs) was made on those 5,000. The official test images serve only to report.
"""

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from dcviz import archive, pipeline
from dcviz.errors import NetError
from dcviz.files import MODELS, atomic_write, check_writable, read
from dcviz.ideas.sketch import from_bytes
from dcviz.nets import datasets, dense_files, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import neurons_first
from dcviz.pipeline.recipe import LayerRecipe, Recipe


@dataclass(frozen=True)
class Reference:
    """How a shipped net is made: the dense net's schedule and seed, then the compression recipe.

    teacher: shipped dense net whose answers the retraining learns from; None for the net's own dense self.
    """

    net: str
    dense: Schedule
    recipe: Recipe
    seed: int = 0
    teacher: str | None = None


TABLE1 = ("lenet-300-100", "lenet-5")
"""The nets of the paper's Table 1 that ship."""

DENSE = {"lenet-300-100": Schedule(epochs=25, lr=1e-3, shift=1), "lenet-5": Schedule(epochs=20, lr=1e-3, shift=1)}
"""First training of the dense nets."""


LAYERS = {"lenet-300-100": ("fc1", "fc2", "fc3"), "lenet-5": ("conv1", "conv2", "fc1", "fc2")}


def _made(net, plan, epochs, finetune, lr=1e-3, finetune_lr=1e-4, teacher=None, cuts=200, **options):
    """How a file of a net is made. plan: density, bits of a code and of a gap of each layer; options: of ``Recipe``."""
    learn = {"shift": 1, "teacher_weight": 0.7}
    recipe = Recipe(
        {name: LayerRecipe(*layer) for name, layer in zip(LAYERS[net], plan, strict=True)},
        retrain=Schedule(epochs=epochs, lr=lr, **learn),
        finetune=Schedule(epochs=finetune, lr=finetune_lr, **learn),
        cuts=cuts,
        ramp=0.6,
        regrow=True,
        dtype="float16",
        bias_dtype="float16",
        **options,
    )
    return Reference(net, DENSE[net], recipe, teacher=teacher)


def _small(net, densities, gaps, epochs, finetune, finetune_lr, teacher=None, bias_bits=4, **more):
    """All that makes a file smaller at once: few weights, 4-bit codes that pay for their length, shared biases."""
    plan = [(density, 4, gap) for density, gap in zip(densities, gaps, strict=True)]
    coding = {"rate": 0.02, "drop_dead": True, "bias_bits": bias_bits}
    return _made(net, plan, epochs, finetune, 2e-3, finetune_lr, teacher, cuts=300, **coding, **more)


REFERENCES = {
    "lenet-300-100": _made("lenet-300-100", ((0.07, 5, 6), (0.09, 5, 6), (0.26, 5, 4)), 30, 5),
    "lenet-5": _made("lenet-5", ((0.66, 5, 3), (0.12, 5, 5), (0.06, 4, 6), (0.19, 4, 4)), 15, 3),
    "lenet-300-100-small": _small("lenet-300-100", (0.03, 0.05, 0.26), (8, 7, 4), 40, 6, 1e-3, "lenet-5"),
    "lenet-300-100-tiny": _small(
        "lenet-300-100", (0.016, 0.033, 0.2), (None,) * 3, 40, 6, 1e-3, "lenet-5", reorder=True, seed=2
    ),
    "lenet-5-small": _small("lenet-5", (0.4, 0.05, 0.011, 0.12), (3, 6, 9, 6), 20, 5, 3e-4),
    "lenet-5-tiny": _small("lenet-5", (0.3, 0.025, 0.0045, 0.08), (4, 7, 10, 6), 25, 6, 1e-3, bias_bits=3),
}
"""The shipped compressed nets by name; the small ones go beyond the paper's ratios."""

BLOCKS = ("lenet-5-micro",)
"""Shipped files of LeNet-5 in which neurons went first; `neurons_first.SHIPPED` has how each is made."""

ALEXNETS = ("alexnet-cifar10", "alexnet-cifar10-pruned", "alexnet-cifar10-paper")
"""Shipped files of AlexNet: the smallest, its pruned stage, and the paper's densities and bits. The dense net is too
large to ship; ``python -m dcviz alexnet`` makes them."""

LESSONS = {"lenet-300-100": "lenet-300-100-lesson", "lenet-5": "lenet-5-lesson"}
"""Shipped files of the nets of Table 1 after a lesson's pruning, not shared yet; ``lesson.make`` makes them."""

LANGUAGE = "austen"
"""The language model of chapter 12; ``nets.transformer_training`` makes it."""


def reference(name):
    """The ``Reference`` called ``name``; NetError lists the known ones."""
    if name not in REFERENCES:
        raise NetError(f"no net called {name!r} ships with dcviz; known are {', '.join((*REFERENCES, *BLOCKS))}")
    return REFERENCES[name]


def net_of(name):
    """The net that a shipped file is made of: "lenet-300-100" or "lenet-5"; NetError as ``reference``."""
    return "lenet-5" if name in BLOCKS else reference(name).net


def dense(name):
    """A fresh copy of a shipped dense net, in evaluation mode."""
    import torch

    net = models.build(net_of(name))
    net.load_state_dict({key: torch.tensor(values) for key, values in dense_files.state(net.name).items()})
    return net


def dense_weights(name):
    """{layer: float32 weights} of a shipped dense net; read only, and without torch, as ``stored_weights``."""
    return dense_files.weights(net_of(name))


@functools.cache
def bytes_after(name, stage):
    """Bytes of a shipped net at a stage -> int: the length of a .dcz file of that stage.

    All stages hold the same net, the shipped compressed one, and all index bits are counted. NetError as
    ``compressed_path``.
    """
    if stage == "coded":
        return compressed_path(name).stat().st_size
    return archive.file_bytes(pipeline.as_after(stage, compressed(name)))


def compressed_path(name):
    """Where the compressed file of a shipped net lies; NetError lists the known names."""
    known = (*REFERENCES, *BLOCKS, *ALEXNETS, *LESSONS.values(), LANGUAGE)
    if name not in known:
        raise NetError(f"no file of {name!r} ships with dcviz; known are {', '.join(known)}")
    return MODELS / f"{name}.dcz"


def compressed(name):
    """The ``StoredNet`` in a shipped compressed file."""
    return archive.load(compressed_path(name))


@functools.cache
def stored_weights(name):
    """{layer: float32 weights} of a shipped compressed file; read only."""
    weights = {layer.name: layer.weight for layer in compressed(name).layers}
    for values in weights.values():
        values.setflags(write=False)
    return weights


@functools.cache
def sketches(name):
    """[Sketch] of a dense net that is too large to ship, layer by layer: "alexnet-cifar10". NetError for another."""
    path = MODELS / f"{name}.sketches"
    try:
        return from_bytes(read(path, 64 << 20))
    except OSError as error:
        raise NetError(f"no sketches of {name!r} ship with dcviz: {path} cannot be read ({error})") from error


def report_split():
    """The images that errors are reported on: the official 10,000 if they are here, else the bundled 5,000."""
    return datasets.mnist().test if datasets.mnist_available() else datasets.unseen()


def measure(name, split=None):
    """One row of Table 1, measured now on the shipped files: a dict.

    net, dense_bytes, file_bytes, ratio, dense_error_percent, error_percent, images (which ones).
    """
    split = split or report_split()
    breakdown = archive.describe(compressed_path(name))
    return {
        "net": name,
        "dense_bytes": breakdown.dense_bytes,
        "file_bytes": breakdown.file_bytes,
        "ratio": breakdown.ratio,
        "dense_error_percent": training.error_percent(dense(name), split),
        "error_percent": training.error_percent(pipeline.restore(compressed(name)), split),
        "images": split.name,
    }


def quick(reference, images):
    """The same recipe with so few epochs over that many images that it takes about a minute; the result is worse."""
    epochs = max(1.0, 40_000 / images)
    recipe = replace(
        reference.recipe,
        retrain=replace(reference.recipe.retrain, epochs=epochs),
        finetune=replace(reference.recipe.finetune, epochs=0.3 * epochs),
    )
    return replace(reference, dense=replace(reference.dense, epochs=epochs), recipe=recipe)


def reproduce(name, out, *, quickly=False, progress=None):
    """Make a shipped net again from nothing, in folder ``out``: dense training, then the recipe.

    Writes NET.safetensors and NAME.dcz there; returns a dict of paths, SHA-256 hashes, sizes and errors.
    A machine makes the same bytes every time. Uses the 55,000 training digits, or with
    ``quickly`` the 5,000 bundled ones where the full set is missing. The language model learns from its novels, its
    error is in bits a character, and its file is shared and coded only, nothing pruned. OutputError, before any
    training, where nothing can be written in ``out``.
    """
    progress = progress or pipeline.Bars()  # torch comes with it: an interrupt within an import may end Python itself
    out = Path(out)
    if name == LANGUAGE:
        check_writable(out, 2 * (MODELS / f"{LANGUAGE}.safetensors").stat().st_size)
        return _reproduce_language(out, quickly)
    spec = reference("lenet-5" if name in BLOCKS else name)
    check_writable(out, 2 * (MODELS / f"{spec.net}.safetensors").stat().st_size)
    few = quickly and not datasets.mnist_available()
    data = datasets.digits().train if few else datasets.mnist_without_bundled()
    spec = quick(spec, len(data)) if quickly else spec
    held_out = datasets.digits().test if quickly else datasets.unseen()
    net = models.build(spec.net, seed=spec.seed)
    training.fit(net, data, spec.dense, seed=spec.seed, report=lambda done, steps, loss: progress("dense", done, steps))
    weights, file = out / f"{spec.net}.safetensors", out / f"{name}.dcz"
    save_dense(weights, net)
    if name in BLOCKS:
        stages, ratio = _reproduce_block(name, net.eval(), data, held_out, out, quickly, progress)
    else:
        teacher = dense(spec.teacher) if spec.teacher else None
        result = pipeline.compress(net, spec.recipe, data, test=held_out, teacher=teacher, progress=progress)
        stages, ratio = [(s.name, s.file_bytes, s.error_percent) for s in result.stages], result.ratio
        archive.save(file, result.stored)
    return {
        "net": name,
        "quick": quickly,
        "trained_on": data.name,
        "errors_on": held_out.name,
        "stages": [{"stage": stage, "file_bytes": size, "error_percent": error} for stage, size, error in stages],
        "ratio": ratio,
        "files": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in (weights, file)},
    }


def _reproduce_block(name, net, data, held_out, out, quickly, progress):
    """[(stage, bytes, error %)] of a file in which neurons go first, and its ratio; a checkpoint lies beside it."""
    plan = replace(neurons_first.SHIPPED[name], passes=4, share_passes=3) if quickly else neurons_first.SHIPPED[name]
    folder = out / f"{name}-{'quick' if quickly else 'run'}"
    stored = neurons_first.make(plan, net, folder, lambda *done: progress("neurons first", *done[:2]), data)
    size = archive.save(out / f"{name}.dcz", stored)
    found = (("dense", stored.dense_bytes(), net), ("coded", size, pipeline.restore(stored)))
    stages = [(stage, length, training.error_percent(each, held_out)) for stage, length, each in found]
    return stages, stored.dense_bytes() / size


def _reproduce_language(out, quickly):
    """``reproduce`` for the language model: hours of training, which go on where they were stopped, then 4 bits."""
    from dcviz.nets import novels, transformer, transformer_training

    plan = transformer_training.Plan(steps=60) if quickly else transformer_training.Plan()
    checkpoint = out / f"{LANGUAGE}-{'quick' if quickly else 'run'}.safetensors"
    run = transformer_training.train(checkpoint, plan, report=lambda line: print(line, flush=True))
    weights, file = out / f"{LANGUAGE}.safetensors", out / f"{LANGUAGE}.dcz"
    transformer_training.export(run, weights)
    net = run.averaged()
    none, text = Schedule(epochs=0), novels.choosing_text()
    layers = {key: LayerRecipe(1.0, bits=4) for key in models.weight_layers(net)}
    result = pipeline.compress(net, Recipe(layers=layers, retrain=none, finetune=none, dtype="float16"), None)
    archive.save(file, result.stored)
    kept = {"dense": weights.stat().st_size, "coded": file.stat().st_size}
    nets = {"dense": net, "coded": pipeline.restore(archive.load(file))}
    return {
        "net": LANGUAGE,
        "quick": quickly,
        "trained_on": "five novels by Jane Austen",
        "errors_on": "the beginning of Northanger Abbey",
        "stages": [
            {"stage": s, "file_bytes": kept[s], "bits_per_character": transformer.bits_per_character(nets[s], text)}
            for s in kept
        ],
        "ratio": models.dense_bytes(net) / kept["coded"],
        "files": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in (weights, file)},
    }


def save_dense(path, net):
    """Write a net's float32 parameters as safetensors, in one step."""
    from safetensors.torch import save

    state = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    atomic_write(path, lambda file: file.write(save(state, metadata={"net": net.name})))
