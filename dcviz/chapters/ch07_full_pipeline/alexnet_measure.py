"""Measure and record the compressed AlexNets: ``python -m dcviz alexnet measure``.

Sizes are lengths of files, errors are those of the nets that the files decode to, at 224 pixels, computed in bfloat16.
With ``--bits``: Table 6 instead, its three pairs of bits on the pruned net of the paper's densities.
"""

import copy
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet
from dcviz.evidence import paper, recordings, resumed
from dcviz.files import atomic_write
from dcviz.ideas import relative_index
from dcviz.ideas.sketch import sketch, to_bytes
from dcviz.nets import cifar, models, picture_training
from dcviz.nets.models_imagenet import AlexNet
from dcviz.pipeline import codebooks, restore, stored_net
from dcviz.pipeline.alexnet import SETTINGS, SUBJECT
from dcviz.pipeline.picture_compression import PRUNED, arguments, share, state
from dcviz.pipeline.trained_quantization import SharedWeights

SPLITS = {"held_out": lambda: cifar.tuning_pictures()[1], "test": lambda: cifar.cifar10("test")}


def report(options):
    """Errors and sizes of the dense net and of every setting's stages: rows. Test pictures for finished nets only.

    Leaves the pruned stages as files, and the dense net's sketches, in ``options.out``.
    """
    out, dense = Path(options.out), _net(options.dense)
    dense_bytes = models.dense_bytes(dense)
    rows = [_row(out, "dense", dense, dense_bytes, dense_bytes)]
    for name, setting in SETTINGS.items():
        stored = pruned_stage(_net(out / name / PRUNED))
        size = archive.save(out / name / f"{SUBJECT.net}-pruned.dcz", stored)
        rows.append(_row(out, f"{name}, pruned", restore(stored), size, dense_bytes, test=False))
        net = restore(archive.load(out / name / f"{SUBJECT.net}.dcz"))
        shared, coded = (archive.file_bytes(stored_net(net, setting.recipe, stage)) for stage in ("shared", "coded"))
        row = _row(out, f"{name}, coded", net, coded, dense_bytes)
        rows += [{**row, "stage": f"{name}, shared", "file_bytes": shared, "ratio": dense_bytes / shared}, row]
    sketches = [sketch(layer.weight.detach().numpy(), name=name) for name, layer in models.weight_layers(dense).items()]
    atomic_write(out / f"{SUBJECT.net}.sketches", lambda file: file.write(to_bytes(sketches)))
    return rows


def by_bits(options):
    """Table 6 on the pruned net of the paper's densities: rows as ``trained_quantization.table6`` takes them.

    Each pair of bits is shared anew and fine-tuned alike, the first is the setting "paper" itself; errors on the 10,000
    test pictures.
    """
    out, setting, dense = Path(options.out), SETTINGS["paper"], state(options.dense, SUBJECT)
    pruned = _net(out / "paper" / PRUNED)
    error = error_percent(out, pruned, "test")
    rows = [
        {
            "experiment": "table6",
            "net": "pruned",
            "layers": "none",
            "conv_bits": None,
            "fc_bits": None,
            "error_percent": error,
        }
    ]
    for quoted in paper.table("table6_alexnet_bits").rows[1:]:
        conv, fc = quoted["conv_bits"], quoted["fc_bits"]
        layers = {
            name: replace(layer, bits=conv if name.startswith("features") else fc)
            for name, layer in setting.recipe.layers.items()
        }
        recipe = replace(setting.recipe, layers=layers)
        with_bits = replace(setting, recipe=recipe)
        folder = out / ("paper" if with_bits == setting else f"bits-{conv}-{fc}")
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{SUBJECT.net}.dcz"
        if not file.exists() and not share(SUBJECT, with_bits, pruned.state_dict(), dense, folder, options):
            raise SystemExit("stopped; the same command goes on")
        untuned = copy.deepcopy(pruned)
        SharedWeights(untuned, codebooks(untuned, recipe), rate=recipe.rate)
        tuned = restore(archive.load(file))
        rows.append(
            {
                "experiment": "table6",
                "conv_bits": conv,
                "fc_bits": fc,
                "file_bytes": file.stat().st_size,
                "error_percent": error_percent(out, untuned, "test"),
                "finetuned_error_percent": error_percent(out, tuned, "test"),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def _net(path):
    net = AlexNet(10)
    net.load_state_dict(state(Path(path), SUBJECT))
    return net.eval()


def _row(out, stage, net, size, dense_bytes, test=True):
    return row(
        stage,
        net,
        size,
        dense_bytes,
        pixels=SUBJECT.pixels,
        computed_in="bfloat16",
        held_out_error_percent=error_percent(out, net, "held_out"),
        test_error_percent=error_percent(out, net, "test") if test else None,
    )


def row(stage, net, size, dense_bytes, **errors):
    """What is recorded of a stage, and printed: its size in bytes, its errors, the share of each layer that is kept."""
    kept = {name: 100 * float((layer.weight != 0).float().mean()) for name, layer in models.weight_layers(net).items()}
    found = {"stage": stage, "file_bytes": size, "ratio": dense_bytes / size, **errors, "kept_percent": kept}
    print(json.dumps(found), flush=True)
    return found


def error_percent(out, net, split):
    """Error of a net on the pictures of ``SPLITS``, minutes of work: kept in ``out``/measured under the net's hash."""
    digest = hashlib.sha256()
    for value in net.state_dict().values():
        digest.update(value.contiguous().numpy())
    file = out / "measured" / f"{digest.hexdigest()[:16]}-{split}.json"
    return resumed.kept(file, lambda: picture_training.error_percent(net, SPLITS[split](), SUBJECT.pixels))


def pruned_stage(net):
    """The ``StoredNet`` of a pruned net before any sharing: weights, rounded to float16 in place, and gaps."""
    layers = []
    for name, layer in models.weight_layers(net).items():
        with torch.no_grad():
            for parameter in (layer.weight, layer.bias):
                parameter.copy_(parameter.half().float())
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        index_bits = relative_index.best_bits(np.flatnonzero(weight), value_bits=16)
        layers.append(Layer(name, weight, bias, Coding(index_bits, dtype="float16", bias_dtype="float16")))
    return StoredNet(SUBJECT.net, tuple(layers))


def main(options=None):
    """The command line; see the top of this module."""
    p = arguments(SUBJECT, "measure", __doc__)
    p.add_argument("--bits", action="store_true", help="Table 6 on the pruned net; some minutes of training")
    options = p.parse_args(options)
    torch.set_num_threads(options.threads)
    name, measure = ("alexnet_bits", by_bits) if options.bits else ("alexnet_cifar10", report)
    recordings.keep(name, recordings.PROGRAMS[name], measure(options))


if __name__ == "__main__":
    main()
