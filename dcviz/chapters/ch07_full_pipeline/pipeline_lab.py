"""The whole pipeline on a button: prune, retrain, share, fine-tune, code, and watch the bytes fall."""

import itertools

import ipywidgets as widgets
import traitlets

from dcviz import pipeline
from dcviz.chapters.ch07_full_pipeline.figures import byte_shares, waterfall
from dcviz.chapters.ch07_full_pipeline.own_net_lab import OwnNetLab
from dcviz.ideas.kmeans import INITS
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, Stopped, html, joined, labelled_slider, row
from dcviz.labkit.buttons import Download, Play
from dcviz.labkit.ghost import Ghost
from dcviz.labkit.markup import counted
from dcviz.nets import datasets
from dcviz.pipeline import recipes, shipped, sources

LAST = 3
"""Number of the last stage; 0 is the dense net."""


class PipelineLab(Lab):
    """Choose a net and a recipe, press Run, and see each stage's file: its bytes, its ratio, its error.

        PipelineLab()                                   # LeNet-300-100 at the paper's densities
        PipelineLab(net="lenet-5", scale=0.5, bits=4)
        PipelineLab(my_net, data=loader, loss=loss)     # any other net: an ``OwnNetLab``, see there

    State: ``net``; ``scale``, every layer's density over the paper's; ``bits`` of a weight code, ``index_bits`` of a
    gap, ``init`` of the centroids, ``epochs`` of retraining; ``stage``, the last one shown, 0 to 3. ``run()`` runs now
    and waits; ``result`` is the ``pipeline.Compressed`` of the last run that came to its end (None before),
    ``is_current`` whether that run was made with the recipe on show. ``compressed()`` is the result, run now if there
    is none.
    Trains on the bundled digits' training part; errors are on the held-out part.
    """

    heading = html("The pipeline <small>choose a recipe, press Run</small>")
    state_names = ("net", "scale", "bits", "index_bits", "init", "epochs", "stage")

    net = traitlets.Enum(tuple(recipes.PAPER_DENSITIES), "lenet-300-100")
    scale = traitlets.Float(1.0, min=0.1, max=2.0)
    bits = traitlets.Int(5, min=2, max=8)
    index_bits = traitlets.Int(5, min=2, max=8)
    init = traitlets.Enum(INITS, "linear")
    epochs = traitlets.Int(4, min=1, max=30)
    stage = traitlets.Int(LAST, min=0, max=LAST)

    def __new__(cls, net="lenet-300-100", **options):
        """A net that is none of the paper's two LeNets has no densities to scale: its lab is ``OwnNetLab``."""
        if not isinstance(net, str) or sources.is_source(net):
            return OwnNetLab(net, **options)
        return super().__new__(cls)

    def __init__(self, net="lenet-300-100", **state):
        self.result = self._before = None
        self._made_by = None
        super().__init__(net=net, **state)

    def build(self):
        choose = {"style": {"description_width": "initial"}}
        net = widgets.Dropdown(options=list(recipes.PAPER_DENSITIES), description="net", value=self.net, **choose)
        init = widgets.Dropdown(options=INITS, description="initialisation", value=self.init, **choose)
        scale = labelled_slider("densities, times the paper's", self.scale, 0.1, 2.0, 0.05)
        bits = labelled_slider("bits per weight code", self.bits, 2, 8)
        index_bits = labelled_slider("bits per gap", self.index_bits, 2, 8)
        epochs = labelled_slider("epochs of retraining", self.epochs, 1, 30)
        self.bind_all(net=net, init=init, scale=scale, bits=bits, index_bits=index_bits, epochs=epochs)
        self.button = RunButton("Run the pipeline", self._work, self._done, self.fail)
        self.picture_view = FigureImage(self.picture(), alt="bytes and error after each stage")
        self.play = Play(label="play the stages", interval=1500, value=self.stage)
        self.stage_slider = labelled_slider("last stage shown", self.stage, 0, LAST, width="160px")
        for widget in (self.play, self.stage_slider):
            self.bind(widget, "stage")
        self.download = Download(label="Download my .dcz")
        self.ghost = Ghost([(self.download, "data")], self.caption)
        return [
            row(net, init),
            *(scale, bits, index_bits, epochs),
            row(self.button, self.download),
            row(self.play, self.stage_slider),
            self.picture_view,
            self.ghost,
        ]

    @property
    def recipe(self):
        """The ``Recipe`` that the controls describe."""
        return recipes.simple(**self._simple())

    def _simple(self):
        state = self.state() | {"scale": round(self.scale, 3)}  # a browser's slider says 0.9999999999999999 for 1
        del state["stage"]
        return state

    def best_stage(self, **setting):
        """Name of the stage that made the file smaller by the largest factor; None before a run.

        With a setting {state: value}: None, too, if the run was made with another.
        """
        made = None if self._made_by is None else recipes.simple(**(self._simple() | setting))
        if self.result is None or made != self._made_by:
            return None
        stages = self.result.stages
        gains = {after.name: before.file_bytes / after.file_bytes for before, after in itertools.pairwise(stages)}
        return max(gains, key=gains.get)

    @property
    def is_current(self):
        """Whether the last run was made with the recipe that the controls describe."""
        return self._made_by == self.recipe

    def compressed(self):
        """The last run's ``pipeline.Compressed``; without one the pipeline runs now. Stopped if that is stopped."""
        if self.result is None:
            self.run()
        if self.result is None:
            raise Stopped("the run was stopped or failed: run this cell again")
        return self.result

    def run(self):
        """Run the pipeline and wait for it; returns the lab, so that a cell can show it."""
        self.button.start(wait=True)
        return self

    def _work(self, progress):
        digits = datasets.digits()
        with LOCK:
            recipe, net = self.recipe, shipped.dense(self.net)
        retrain, finetune = (s.steps(len(digits.train)) for s in (recipe.retrain, recipe.finetune))
        doing = {"pruned": "pruning and retraining", "shared": "fine-tuning", "coded": "writing the file"}
        before = {"pruned": 0, "shared": retrain, "coded": retrain + finetune}

        def report(stage, done, steps):
            progress((before[stage] + done) / (retrain + finetune + 1), doing[stage])

        return recipe, pipeline.compress(net, recipe, digits.train, test=digits.test, progress=report)

    def _done(self, outcome):
        before, (self._made_by, self.result) = self.result, outcome
        self._before = before if before and before.dense_bytes == self.result.dense_bytes else None  # of the same net
        self.react()

    def reset(self):
        """Back to how the cell made the lab; the last run stays, the one before goes."""
        self._before = None
        super().reset()
        self.refresh()

    def update(self):
        file = b"" if self.result is None else self.result.stages[LAST].source
        self.download.data = file
        self.download.name = f"my-{self.result.stored.name}.dcz" if file else "my.dcz"
        self.play.high = LAST if file else 0
        self.picture_view.adopt(self.picture())

    def describe(self):
        text = ""
        if not self.is_current:
            sizes = joined(", ", (html("{} {:.1%}", name, layer.density) for name, layer in self.recipe.layers.items()))
            text = self.say(
                "<b>{net}</b> will keep: {sizes} of its weights, with codes of {bits} bits ({init} start), gaps of "
                "{index_bits} and {length} of retraining. Press <b>Run the pipeline</b> to see their bytes.",
                sizes=sizes,
                length=counted(self.epochs, "epoch"),
            )
        if self.result is None:
            return text
        if text:
            text += html(" The picture is of your last run, with another recipe. ")
        dense, last = self.result.stages[0], self.result.stages[LAST]
        if self.stage < LAST:
            now = self.result.stages[self.stage]
            return self.say(
                "{text}<b>{net}</b>, {name}: <b>{bytes:,} bytes</b>, {ratio:.1f} times smaller than dense; "
                "error <b>{error:.2f}%</b>. Stage {stage} of {last}.",
                text=text,
                net=last.stored.name,
                name=now.name,
                bytes=now.file_bytes,
                ratio=self.result.dense_bytes / now.file_bytes,
                error=now.error_percent,
                last=LAST,
            )
        fillers = sum(layer.fillers for layer in self.result.report.layers)
        entries = sum(layer.entries for layer in self.result.report.layers)
        return html(
            "{text}<b>{net}: {file_bytes:,} bytes, {ratio:.1f}x smaller.</b> Error on 1,000 held-out "
            "digits {before:.2f}% before, {after:.2f}% after. "
            "{fillers:,} filler zeros are among the {entries:,} entries.",
            text=text,
            net=self.result.stored.name,
            file_bytes=last.file_bytes,
            ratio=self.result.ratio,
            before=dense.error_percent,
            after=last.error_percent,
            fillers=fillers,
            entries=entries,
        )

    def picture(self):
        if self.result is None:
            figure, axes = theme.figure(13, 4.6)  # as large as the picture of a run
            axes.text(0.5, 0.5, "press “Run the pipeline”", ha="center", va="center", fontsize=24, color=theme.GREY)
            axes.set_axis_off()
            return figure
        figure, (left, right) = theme.figure(13, 4.6, columns=2, width_ratios=(1.15, 1))
        stages = [(s.name, s.file_bytes, s.error_percent) for s in self.result.stages]
        before = [] if self._before is None else [s.file_bytes for s in self._before.stages]
        waterfall(left, stages, self.result.dense_bytes, self.stage + 1, before)
        if self.stage == LAST:
            byte_shares(right, self.result.report)
        else:
            right.set_axis_off()
        return figure
