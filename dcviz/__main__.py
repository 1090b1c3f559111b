"""Command line: ``dcviz COMMAND``, or ``python -m dcviz COMMAND``: open, table1, inspect, reproduce, edition, ..."""

import argparse
import json
import os
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from dcviz import __version__
from dcviz.errors import DcvizError
from dcviz.files import check_writable
from dcviz.labkit.markup import visible

PICTURE_NETS = {
    "alexnet": {
        "train": "dcviz.nets.alexnet_training",
        "compress": "dcviz.pipeline.alexnet",
        "measure": "dcviz.chapters.ch07_full_pipeline.alexnet_measure",
    },
    "vgg": {
        "train": "dcviz.nets.vgg_training",
        "compress": "dcviz.pipeline.vgg",
        "measure": "dcviz.chapters.ch07_full_pipeline.vgg_measure",
    },
}
"""{command: {step: the module whose ``main`` does it}}."""


def main(argv=None):
    """Run one command; returns the exit status.

    0; 1 after a message for a typed error or a file that cannot be read or written; 2 after one for wrong arguments;
    130 after an interrupt; 141, silently, when nobody reads the output any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) == "strict":  # a terminal that knows ASCII alone gets \xd7, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            arguments = _arguments(argv)
            arguments.run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except DcvizError as error:
        return _say(error, 1)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except BrokenPipeError:
        _end_output()
        return 141
    except OSError as error:
        _end_output()
        place = f"{error.filename}: " if error.filename else ""
        return _say(f"{place}{error.strerror or error}", 1)
    return 0


def _arguments(argv):
    """What was asked for. A program with a command line of its own (``options``) gets what is not known here."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and "options" not in arguments:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.options = [*arguments.options, *rest]
    return arguments


def _say(why, status):
    print(f"dcviz: {visible(why, 2000)}", file=sys.stderr)
    return status


def _end_output():
    """Where the output cannot be written, what is left of it goes nowhere, so that Python's end is quiet."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser():
    prog = "dcviz" if Path(sys.argv[0]).stem == "dcviz" else "python -m dcviz"
    parser = argparse.ArgumentParser(prog=prog, description="Deep Compression, down to a real file.")
    parser.add_argument("--version", action="version", version=f"dcviz {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    open_ = commands.add_parser("open", help="put the chapters into a folder and start JupyterLab on the first")
    open_.add_argument("folder", type=Path, nargs="?", help="what you wrote there stays (default: see README)")
    open_.add_argument("--jupyter", nargs=argparse.REMAINDER, default=[], help="all that follows goes to jupyter lab")
    open_.set_defaults(run=_open)

    table1 = commands.add_parser("table1", help="the paper's Table 1 beside the shipped files, measured now")
    table1.add_argument("--json", action="store_true", help="a list of objects, ours only")
    table1.add_argument("--all", action="store_true", help="also the smaller files, beyond the paper's ratios")
    table1.set_defaults(run=_table1)

    inspect = commands.add_parser("inspect", help="what every byte of a .dcz file is for")
    inspect.add_argument("file", type=Path)
    inspect.add_argument("--json", action="store_true")
    inspect.set_defaults(run=_inspect)

    shrink = commands.add_parser("shrink", help="a checkpoint of your own as a .dcz file: .safetensors, .pt or .pth")
    shrink.add_argument("checkpoint", type=Path, help="file, index of several files, or the folder with it")
    shrink.add_argument("-o", "--out", type=Path, required=True, help="the .dcz file")
    shrink.add_argument("--density", type=float, default=1.0, help="share of weights kept, 0 to 1 (default: 1)")
    shrink.add_argument("--bits", type=int, default=6, help="bits of a weight code, 1 to 16 (default: 6)")
    shrink.add_argument("--only", action="append", default=[], metavar="PATTERN", help="compress tensors like 'fc*'")
    shrink.add_argument("--skip", action="append", default=[], metavar="PATTERN", help="keep tensors like '*norm*'")
    shrink.add_argument("--lossless", action="store_true", help="keep every bit and only code them")
    shrink.add_argument("--beside", action="store_true", help="say what zip, zstd and xz make of the same bytes: slow")
    shrink.add_argument("--json", action="store_true")
    shrink.set_defaults(run=_shrink)

    expand = commands.add_parser("expand", help="the tensors of a .dcz file as a .safetensors file")
    expand.add_argument("file", type=Path)
    expand.add_argument("-o", "--out", type=Path, required=True, help="the .safetensors file")
    expand.set_defaults(run=_expand)

    reproduce = commands.add_parser("reproduce", help="make a shipped net again from nothing")
    reproduce.add_argument("net")
    reproduce.add_argument("--out", type=Path, default=Path("build"), help="folder for the files (default: build)")
    reproduce.add_argument("--quick", action="store_true", help="about a minute: few epochs, a worse result")
    reproduce.add_argument("--json", action="store_true")
    reproduce.set_defaults(run=_reproduce)

    record = commands.add_parser("record", help="measure again what a chapter shows as recorded")
    record.add_argument("name")
    record.add_argument("--device", help="gpu_times: cuda (default), or cpu for a rehearsal with tiny layers")
    record.add_argument("--seconds", type=float, help="gpu_times: what it may take at most (default: 480)")
    record.set_defaults(run=_record)

    edition = commands.add_parser("edition", help="make the notebooks of an edition from their sources")
    edition.add_argument("edition", choices=("student", "instructor", "lecture"))
    edition.add_argument("out", type=Path)
    edition.add_argument("--only", nargs="+", metavar="CHAPTER", help="chapters by the beginning of their names")
    edition.add_argument("--no-run", action="store_true", help="without outputs")
    edition.set_defaults(run=_edition)

    export = commands.add_parser("export", help="chapters as web pages or slides, without kernel and network")
    export.add_argument("kind", choices=("html", "slides"))
    export.add_argument("out", type=Path)
    export.add_argument("--only", nargs="+", metavar="CHAPTER", help="chapters by the beginning of their names")
    export.add_argument("--edition", help="make pages of this edition (default: student)")
    export.set_defaults(run=_export)
    for command, name in (("alexnet", "AlexNet"), ("vgg", "VGG-16")):
        about = f"train, compress or measure {name} on CIFAR-10: hours, resumable"
        net = commands.add_parser(command, help=about)
        net.add_argument("step", choices=PICTURE_NETS[command])
        net.add_argument("options", nargs=argparse.REMAINDER, help="options of that step; --help lists them")
        net.set_defaults(run=_picture_net, command=command)
    about = "LeNet-5 with few live neurons in a very small file: minutes, resumable"
    block = commands.add_parser("block", help=about, add_help=False)
    block.set_defaults(run=_block, options=[])
    api = commands.add_parser("api", help="pages of everything public, made from the docstrings")
    api.add_argument("out", type=Path)
    api.set_defaults(run=_api)
    return parser


def _open(arguments):
    from dcviz.classroom import folder

    folder.open_lab(arguments.folder or folder.place(), arguments.jupyter)


def _table1(arguments):
    from dcviz.chapters.ch07_full_pipeline import tables
    from dcviz.pipeline import shipped

    names = (*shipped.REFERENCES, *shipped.BLOCKS) if arguments.all else shipped.TABLE1
    rows = [shipped.measure(name) for name in names]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    table = tables.table1(rows)
    for source in (tables.PAPER, tables.OURS):
        print(f"{source}\n{table[source].to_string()}\n")
    print(f"Sizes in bytes are lengths of files that decode back. Errors measured now on: {rows[0]['images']}.")


def _inspect(arguments):
    from dcviz import archive

    breakdown = archive.describe(arguments.file)
    if arguments.json:
        layers = [{"layer": layer.name, **vars(layer), "file_bytes": layer.file_bytes} for layer in breakdown.layers]
        for layer in layers:
            del layer["name"]
        summary = {"net": breakdown.net, "file_bytes": breakdown.file_bytes, "dense_bytes": breakdown.dense_bytes}
        print(json.dumps({**summary, "parts": breakdown.parts, "layers": layers}, indent=1))
        return
    print(f"{visible(arguments.file)}: {visible(breakdown.net, 60)}, {breakdown.sentence}\n")
    for part, size in breakdown.parts.items():
        print(f"  {part:20}{size:>12,}  {100 * size / breakdown.file_bytes:6.2f}%")
    print(f"  {'all':20}{sum(breakdown.parts.values()):>12,}\n")
    print(
        f"  {'layer':12}{'weights':>12}{'kept %':>8}{'fillers':>9}{'values':>8}{'weight bits':>13}"
        f"{'index bits':>12}{'bytes':>11}{'of dense %':>12}"
    )
    for layer in breakdown.layers:
        name, kept = visible(layer.name, 32), 100 * layer.nonzeros / max(layer.weights, 1)
        of_dense = f"{100 * layer.file_bytes / layer.dense_bytes:.2f}" if layer.dense_bytes else layer.kind
        print(
            f"  {name:12}{layer.weights:>12,}{kept:>8.2f}{layer.fillers:>9,}{layer.codebook or '-':>8}"
            f"{layer.weight_bits:>13.2f}{layer.index_bits:>12.2f}{layer.file_bytes:>11,}{of_dense:>12}"
        )


def _shrink(arguments):
    from dcviz.pipeline import shrinking

    with _bar("shrink", "B") as progress:
        done = shrinking.shrink(
            arguments.checkpoint,
            arguments.out,
            density=arguments.density,
            bits=arguments.bits,
            only=arguments.only,
            skip=arguments.skip,
            lossless=arguments.lossless,
            progress=progress,
        )
    others = shrinking.beside(arguments.checkpoint) if arguments.beside else {}
    if arguments.json:
        rows = [vars(row) for row in done.rows]
        summary = {"file_bytes": done.file_bytes, "dense_bytes": done.dense_bytes, "left_out": done.left_out}
        print(json.dumps({**summary, "beside": others, "tensors": rows}, indent=1))
        return
    print(f"  {'tensor':40}{'shape':>20}{'dtype':>9}  {'kept %':>7}{'change %':>10}  what was done")
    for row in done.rows:
        shape = " x ".join(map(str, row.shape)) or "one number"
        print(
            f"  {visible(row.key, 40):40}{shape:>20}{row.dtype:>9}  {100 * row.density:>7.2f}"
            f"{100 * row.error**0.5:>10.2f}  {row.how}"
        )
    smaller = f"{done.ratio:.2f}x smaller" if done.ratio > 1 else "not smaller: so little has nothing to gain"
    print(f"\n{visible(arguments.out)}: {done.file_bytes:,} bytes for {done.dense_bytes:,} of numbers, {smaller}")
    for name, size in others.items():
        print(f"  {name:14} {size:>15,} bytes, {done.dense_bytes / size:.2f}x")
    if done.left_out:
        print(f"left out, since they are no tensors with a name: {visible(', '.join(done.left_out), 300)}")
    print(
        "Every bit is kept."
        if arguments.lossless
        else "One shot: nothing was retrained. 'change' is the size of the change beside that of the weights. What it "
        "does to accuracy only your own data can tell: measure before you use the file, and see docs/your-own-net.md."
    )


def _expand(arguments):
    from dcviz.pipeline import shrinking

    with _bar("expand", " records") as progress:
        size = shrinking.expand(arguments.file, arguments.out, progress=progress)
    print(f"{visible(arguments.out)}: {size:,} bytes")


@contextmanager
def _bar(what, unit):
    """A function of (done, total) that moves a bar on stderr, if that is a terminal."""
    from tqdm import tqdm

    with tqdm(desc=what, unit=unit, unit_scale=True, file=sys.stderr, disable=None) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _reproduce(arguments):
    from dcviz.pipeline import shipped

    result = shipped.reproduce(arguments.net, arguments.out, quickly=arguments.quick)
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    print(f"trained on {result['trained_on']}; errors on {result['errors_on']}")
    for stage in result["stages"]:
        bits = stage.get("bits_per_character")
        error = f"{stage['error_percent']:.2f}%" if bits is None else f"{bits:.3f} bits a character"
        print(f"  {stage['stage']:8}{stage['file_bytes']:>12,} bytes   error {error}")
    print(f"  ratio {result['ratio']:.1f}x")
    for path, sha256 in result["files"].items():
        print(f"  {sha256}  {visible(path)}")


def _record(arguments):
    from dcviz.evidence import recordings

    options = {option: getattr(arguments, option) for option in ("device", "seconds")}
    options = {option: value for option, value in options.items() if value is not None}
    recorded = recordings.record(arguments.name, **options)
    place = recordings.path(arguments.name, arguments.device)
    print(f"{len(recorded.rows)} rows, {recorded.note}: {visible(place)}")


def _edition(arguments):
    from dcviz.classroom import editions

    for path in editions.write(arguments.edition, arguments.out, arguments.only, run=not arguments.no_run):
        print(visible(path))


def _export(arguments):
    from dcviz.classroom import exports

    for path in exports.write(arguments.kind, arguments.out, arguments.only, arguments.edition):
        print(visible(path))


def _picture_net(arguments):
    import_module(PICTURE_NETS[arguments.command][arguments.step]).main(arguments.options)


def _block(arguments):
    from dcviz.pipeline import neurons_first

    neurons_first.main(arguments.options)


def _api(arguments):
    from dcviz.classroom import api_page

    check_writable(arguments.out)
    print(visible(api_page.write(arguments.out)))


if __name__ == "__main__":
    sys.exit(main())
