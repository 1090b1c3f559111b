"""Training shared weights live: the codes stay, the centroids move, and the error is measured on the way."""

import copy

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch05_trained_quantization.figures import centroid_paths, error_axes, error_level, path_axes
from dcviz.errors import check_known
from dcviz.ideas.kmeans import INITS, assign
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, Stopped, html, row
from dcviz.labkit.codebook_view import CodebookView
from dcviz.labkit.histograms import clustered_histogram
from dcviz.labkit.inline import choice_buttons, inline_slider

HIGHEST = 20  # percent of error on the axis while a question is open
LOOKS = 16  # how often a run looks at the centroids and measures the error


class FinetuneLab(Lab):
    """Share a pruned net's weights, then train the centroids on 4,000 digits and watch them move.

        FinetuneLab()                                  # LeNet-300-100, 2 bits
        FinetuneLab("lenet-5", layer="conv2", bits=3)

    Press the button, or call `train()`. Reads `before` and `centroids` {layer: array} (at the start, and now),
    `steps`, `path` (centroids of all layers) and `errors` (percent of 1,000 digits) of the last run; `unshared`
    is the pruned net's own error. Raises NetError for an unknown net or layer.
    """

    heading = html("Trained quantization, live <small>the codes stay, the values learn</small>")
    state_names = ("net", "layer", "bits", "init", "learning_rate", "epochs")

    net = traitlets.Unicode("lenet-300-100")
    layer = traitlets.Unicode()
    bits = traitlets.Int(2, min=1, max=8)
    init = traitlets.Enum(INITS, default_value="linear")
    learning_rate = traitlets.Float(0.001, min=1e-5)
    epochs = traitlets.Float(2.0, min=0)

    def __init__(self, net="lenet-300-100", layer=None, **more):
        from dcviz.nets.models import weight_layers
        from dcviz.pipeline.lesson import pruned_net

        self._pruned = pruned_net(net)
        self.layers = list(weight_layers(self._pruned))
        layer = layer or self.layers[0]
        check_known("layer", layer, self.layers)
        self._prepared, self._shown, self.errors, self._unshared = None, None, [], None
        self._finished, self._last = None, ""
        super().__init__(net=net, layer=layer, **more)

    # numbers -----------------------------------------------------------------------------------

    @property
    def centroids(self):
        """{layer: centroids} as they stand."""
        return self.path[-1]

    @property
    def unshared(self):
        """Error in percent of the pruned net before its weights were shared."""
        if self._unshared is None:
            self._unshared = self._error(self._pruned)
        return self._unshared

    def finished_error(self, **setting):
        """Error in percent at the end of the last run, if it ran to its end with this setting; else None."""
        run = self._finished
        return None if run is None or any(run[name] != value for name, value in setting.items()) else self.errors[-1]

    def _setting(self):
        return {name: getattr(self, name) for name in ("net", "bits", "init", "learning_rate", "epochs")}

    def _error(self, net):
        from dcviz.nets import datasets, training

        return training.error_percent(net, datasets.digits().test)

    def _prepare(self):
        """Share the weights anew when what decides the codes has changed."""
        from dcviz.pipeline.lesson import share
        from dcviz.pipeline.retraining import weights_of

        key = self.bits, self.init
        if key != self._prepared:
            net = copy.deepcopy(self._pruned)
            self.before = share(net, self.bits, self.init).codebooks()
            self.values = {name: w[w != 0] for name, w in weights_of(self._pruned).items()}
            self.steps, self.path, self.errors, self._prepared = [0], [self.before], [], key
            self._finished = None

    # views -------------------------------------------------------------------------------------

    def build(self):
        self.view = CodebookView(height=320, before_label="at the start")
        self.layer_choice = widgets.Dropdown(options=self.layers, description="show layer", layout={"width": "220px"})
        self.layer_choice.style.description_width = "initial"
        self.bits_slider = inline_slider("bits", self.bits, 1, 8, width="200px")
        self.init_choice = choice_buttons(INITS, "start")
        self.rate_slider = inline_slider("learning rate", self.learning_rate, 1e-5, 0.03, log=True, width="240px")
        self.epochs_slider = inline_slider("epochs", self.epochs, 0.25, 5.0, 0.25, width="200px")
        self.bind_all(
            layer=self.layer_choice,
            bits=self.bits_slider,
            init=self.init_choice,
            learning_rate=self.rate_slider,
            epochs=self.epochs_slider,
        )
        self.run = RunButton("Fine-tune", self._train, lambda _: None, self.fail)
        figure, (self._paths, self._right) = theme.figure(11, 3.7, columns=2)
        path_axes(self._paths)
        self.error_line, self._level = error_axes(self._right), None
        self.figure_view = FigureImage(figure, alt="centroids by training step; error by training step")
        return [
            row(self.layer_choice, self.bits_slider, self.init_choice),
            row(self.rate_slider, self.epochs_slider, self.run),
            self.view,
            self.figure_view,
        ]

    def update(self):
        self._prepare()
        if self._shown != self.layer:
            self.view.show(self.values[self.layer])
            self.view.label = f"weight w of {self.layer}, before sharing"
            self._shown = self.layer
        self._show()

    def _show(self):
        now, start = self.centroids[self.layer], self.before[self.layer]
        order = np.argsort(now)
        owned = np.bincount(assign(self.values[self.layer], start), minlength=start.size)
        self.sizes = owned[order]
        self.view.codebook(now[order], self.sizes)
        self.view.before = [float(c) for c in start] if len(self.steps) > 1 else []
        if self._level is None and not self.waits:  # it hints at where training ends
            self._level = error_level(self._right, self.unshared)
        self._draw(self._paths, self._right, self.error_line)
        self.figure_view.redraw()

    def _draw(self, left, right, line):
        centroid_paths(left, self.steps, [step[self.layer] for step in self.path])
        left.set_xlim(-0.03 * max(10, self.steps[-1]), 1.03 * max(10, self.steps[-1]))
        line.set_data(self.steps[: len(self.errors)], self.errors)
        right.set_xlim(-0.03 * max(10, self.steps[-1]), 1.03 * max(10, self.steps[-1]))
        right.set_ylim(0, HIGHEST if self.waits else 1.25 * max([self.unshared, *self.errors]) + 0.5)

    def describe(self):
        k, n = self.before[self.layer].size, self.values[self.layer].size
        text = self.say(
            "{net}, every layer with {bits}-bit codes from <b>{init}</b>; shown <b>{layer}</b>: "
            "{n:,} weights share <b>{k}</b> values, so {n:,} codes stand still and {k} numbers learn.",
            n=n,
            k=k,
        )
        if not self.errors:
            return text + html(" Press <b>Fine-tune</b> to train the centroids on 4,000 digits.{}", self._last)
        moved = np.abs(self.centroids[self.layer] - self.before[self.layer])
        return html(
            "{text} After {steps} steps with learning rate {rate:.3g} the centroids moved by "
            "up to <b>{moved:.3g}</b>. Error on 1,000 digits, measured here: pruned {unshared:.1f}%, "
            "shared <b>{shared:.1f}%</b>, fine-tuned <b>{tuned:.1f}%</b>.",
            text=text,
            steps=self.steps[-1],
            rate=self._trained_at,
            moved=moved.max(),
            unshared=self.unshared,
            shared=self.errors[0],
            tuned=self.errors[-1],
        )

    def picture(self):
        figure, axes = theme.figure(13, 8, rows=2, columns=2)
        grid = axes[0, 0].get_gridspec()
        for unused in axes[0]:
            unused.remove()
        top = figure.add_subplot(grid[0, :])
        before = self.before[self.layer] if len(self.steps) > 1 else ()
        now = np.sort(self.centroids[self.layer])
        label = f"weight w of {self.layer}, before sharing"
        clustered_histogram(top, self.values[self.layer], now, self.sizes, before=before, label=label)
        path_axes(axes[1, 0])
        self._draw(*axes[1], error_axes(axes[1, 1]))
        if not self.waits:
            error_level(axes[1, 1], self.unshared)
        return figure

    # training ----------------------------------------------------------------------------------

    def train(self):
        """Fine-tune now, on this thread; returns the error at the end, in percent."""
        self.run.start(wait=True)
        return self.errors[-1]

    def _train(self, progress):
        from dcviz.nets import datasets, training
        from dcviz.nets.schedules import Schedule
        from dcviz.pipeline.lesson import share

        before = None
        with LOCK:
            key, rate, setting = (self.bits, self.init), self.learning_rate, self._setting()
            schedule = Schedule(epochs=self.epochs, lr=rate, batch_size=64)
            if self._prepared == key and len(self.steps) > 1:
                before = self.before, self._trained_at, self.steps, self.path, self.errors, self._finished
        net = copy.deepcopy(self._pruned)
        shared = share(net, *key)
        with LOCK:
            self.before, self._trained_at = shared.codebooks(), rate
            self.steps, self.path, self.errors = [0], [self.before], [self._error(net)]
            self._finished = None

        def look(done, steps, loss):
            progress(done / steps, f"step {done} of {steps}, loss {loss:.3f}")
            if done % max(1, steps // LOOKS) == 0 or done == steps:
                error = self._error(net)
                net.train()
                with LOCK:
                    if self._prepared != key:  # other codes are on show by now
                        raise Stopped
                    more = [*self.steps, done], [*self.path, shared.codebooks()], [*self.errors, error]
                    self.steps, self.path, self.errors = more  # at once, so that an interrupt cuts none of them off
                    self._last = f" Your last run ({key[0]} bits, {key[1]}) came to {error:.1f}% after {done} steps."
                    if done == steps:
                        self._finished = setting
                    if not self.waits:
                        self._show()

        try:
            training.fit(net, datasets.digits().train, schedule, constraint=shared, report=look)
        finally:  # also when it was stopped: what has been trained so far stays on show
            with LOCK:
                if (
                    before is not None and self._prepared == key and len(self.steps) == 1
                ):  # stopped before its first look
                    self.before, self._trained_at, self.steps, self.path, self.errors, self._finished = before
                self.react()
