"""A net of your own through the pipeline: from a file chooser, a path or a module to a report and a file."""

import tempfile
from pathlib import Path

import traitlets

from dcviz import pipeline
from dcviz.chapters.ch07_full_pipeline.figures import tensor_bytes
from dcviz.errors import DataError, DcvizError
from dcviz.ideas.sparse_formats import expected_bits
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, labelled_slider, row
from dcviz.labkit.buttons import ChooseFile, Download
from dcviz.labkit.markup import visible
from dcviz.pipeline import choosing, parameters, shipped, sources

INDEX_BITS = 5
KEPT = "kept as they are"
MOST_TO_HAND_OVER = 1 << 26
"""Bytes of a file that the browser is given to download; a larger one is saved by ``result.save``."""
LISTED = 20
"""Tensors that the picture shows: the largest."""


class OwnNetLab(Lab):
    """Any net: say how dense and how many bits, read the size to expect, run, and read what became of every byte.

        OwnNetLab()                                     # LeNet-300-100 as shipped, and a button to choose a file
        OwnNetLab("model.safetensors")                  # also .pt, .pth, .dcz: one shot, as there are no data
        OwnNetLab(net, data=loader, loss=loss, evaluate=error)

    net         a torch module, a state dict, a path, or the name of a shipped LeNet
    data, loss, step, evaluate   as for ``pipeline.compress``; without data nothing is retrained

    ``run()`` runs now and waits; ``result`` is then the ``pipeline.Compressed`` (None before), until there is another,
    or another net: ``result.save(path)``, ``result.report``; ``share_kept()`` says how much of the file was kept as it
    is. ``expected`` is the size in bytes that is said before, for weights kept at random places.
    """

    heading = html("Your own net <small>choose how dense, read what to expect, press Run</small>")
    state_names = ("net", "density", "bits", "epochs")

    net = traitlets.Unicode("lenet-300-100")
    density = traitlets.Float(10.0, min=1, max=100)
    bits = traitlets.Int(4, min=2, max=8)
    epochs = traitlets.Int(2, min=0, max=30)

    def __init__(self, net="lenet-300-100", *, data=None, loss=None, step=None, evaluate=None, **state):
        self.result, self._made_by, self._made_of, self._opened = None, None, None, {}
        super().__init__(net=self._open(net, data=data, loss=loss, step=step, evaluate=evaluate), **state)

    def _open(self, source, name=None, **options):
        """Take a source and what it is trained on; returns the name that the lab goes by."""
        if isinstance(source, str):
            name = name or source
        module = shipped.dense(source) if not sources.is_source(source) else sources.module(source)
        name = name or getattr(module, "name", type(module).__name__)
        self._opened[name] = module, {"data": None, **options}
        self._take(name)
        return name

    def _take(self, name):
        """Make a net that was opened the one on show; one that was not is opened."""
        if name not in self._opened:
            self._open(name)
            return
        self.module, self._options = self._opened[name]
        self._sizes = choosing.worth_compressing(self.module)
        targets = parameters.named(self.module, self._sizes)
        self._before = {name: targets[name].weight.nbytes for name in self._sizes}
        self._dense = parameters.dense_bytes(self.module)

    # numbers -----------------------------------------------------------------------------------

    @property
    def trains(self):
        """Whether there are data to retrain on."""
        return self._options["data"] is not None

    @property
    def recipe(self):
        """The ``Recipe`` that the controls describe."""
        return self._recipe()

    def _recipe(self, **setting):
        """The recipe of the controls, but for a setting {state: value}."""
        density, bits, epochs = (setting.get(name, getattr(self, name)) for name in self.state_names[1:])
        epochs = epochs if self.trains else 0
        return choosing.recipe_for(self.module, density=round(density / 100, 4), bits=bits, epochs=epochs)

    def share_kept(self, **setting):
        """Percent of the file that the tensors kept as they are take; None before a run.

        With a setting {state: value}: None, too, if the run was made with another.
        """
        if self.result is None or self._made_by != self._recipe(**setting):
            return None
        report = self.result.report
        return round(100 * report.groups().get(KEPT, 0) / report.file_bytes, 1)

    @property
    def expected(self):
        """Bytes to expect before Huffman coding, fillers and codebooks included, all else kept as it is."""
        weights = sum(self._sizes.values())
        bits = weights * self.bits
        if self.density < 100:
            bits = sum(expected_bits(self.density / 100, n, self.bits, INDEX_BITS) for n in self._sizes.values())
        kept = self._dense - sum(self._before.values())
        return round(bits / 8 + len(self._sizes) * 4 * 2**self.bits + kept)

    # views -------------------------------------------------------------------------------------

    def build(self):
        endings = ",".join(sources.ENDINGS[:4])
        self.upload = ChooseFile(self.guard(self._uploaded), accept=endings, label="Choose a file")
        density = labelled_slider("weights kept", self.density, 1.0, 100.0, 1.0, unit="%")
        bits = labelled_slider("bits per weight code", self.bits, 2, 8)
        parts = [(density, "density"), (bits, "bits")]
        if self.trains:
            parts.append((labelled_slider("epochs of retraining", self.epochs, 0, 30), "epochs"))
        for widget, name in parts:
            self.bind(widget, name)
        self.button = RunButton("Run the pipeline", self._work, self._done, self.fail)
        self.download = Download(label="Download my .dcz", name="my-net.dcz")
        self.picture_view = FigureImage(self.picture(), alt="bytes of each tensor in the file, and before")
        widgets_ = (widget for widget, _ in parts)
        return [row(self.upload), *widgets_, row(self.button, self.download), self.picture_view]

    def run(self):
        """Run the pipeline and wait for it; returns the lab, so that a cell can show it."""
        self.button.start(wait=True)
        return self

    def _uploaded(self, name, content):
        ending = next((end for end in sources.ENDINGS if name.lower().endswith(end)), None)
        name = visible(name, 80)
        if ending is None or ending == ".index.json":
            raise DataError(f"{name}: choose a {', '.join(sources.ENDINGS[:4])} file")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"chosen{ending}"
            path.write_bytes(content)
            try:
                net = self._open(path, name)
            except DcvizError as error:
                raise DataError(str(error).replace(str(path), name)) from error
        self.result = self._made_by = None
        self.net = net
        self.refresh()

    def _work(self, progress):
        with LOCK:
            name, recipe, module, options = self.net, self.recipe, self.module, self._options
        stages = {"pruned": "pruning", "shared": "sharing", "coded": "writing the file"}

        def report(stage, done, total):
            progress((list(stages).index(stage) + done / max(total, 1)) / len(stages), stages[stage])

        return name, recipe, pipeline.compress(module, recipe, progress=report, **options)

    def _done(self, outcome):
        self._made_of, self._made_by, self.result = outcome
        self.react()

    def update(self):
        self._take(self.net)
        if self._made_of != self.net:
            self.result = self._made_by = self._made_of = None
        file = b"" if self.result is None else self.result.stages[-1].source
        self.download.data = file if len(file) <= MOST_TO_HAND_OVER else b""
        self.picture_view.adopt(self.picture())

    def describe(self):
        weights, named = sum(self._sizes.values()), len(self._sizes)
        if self.result is None or self._made_by != self.recipe:
            last = "" if self.result is None else " The picture and the file are of your last run, with another recipe."
            return self.say(
                "<b>{net}</b>: {dense:,} bytes. {named} tensors with {weights:,} weights are compressed, the rest is "
                "kept as it is. At {density:g}% and {bits} bits expect about <b>{expected:,} bytes</b>, {ratio:.1f}x "
                "smaller, before Huffman coding takes off some more. {training} Press <b>Run the pipeline</b>.{last}",
                last=last,
                dense=self._dense,
                named=named,
                weights=weights,
                expected=self.expected,
                ratio=self._dense / self.expected,
                training="" if self.trains else "There are no data, so nothing is retrained.",
            )
        report, stages = self.result.report, self.result.stages
        measured = ""
        if stages[-1].measured is not None:
            measured = html(
                " Measured: {before:.4g} before, {after:.4g} after.",
                before=stages[0].measured,
                after=stages[-1].measured,
            )
        return self.say(
            "<b>{net}: {sentence}.</b> Kept as they are: {kept:,} bytes. Expected were {expected:,}.{measured}",
            sentence=report.sentence,
            kept=report.groups().get(KEPT, 0),
            expected=self.expected,
            measured=measured,
        )

    def picture(self):
        figure, axes = theme.figure(11, 1.8 + 0.34 * min(LISTED, len(self._sizes)))
        after = {} if self.result is None else {row.name: row.file_bytes for row in self.result.report.layers}
        names = sorted(self._sizes, key=lambda name: -self._sizes[name])[:LISTED]
        tensor_bytes(axes, names, [self._before[name] for name in names], [after.get(name) for name in names])
        return figure
