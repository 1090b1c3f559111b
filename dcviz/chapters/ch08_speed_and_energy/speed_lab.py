"""One fully connected layer in three forms: time, bytes, roofline, and the batch at which dense wins again."""

from dataclasses import replace

import ipywidgets as widgets
import traitlets

from dcviz.chapters.ch08_speed_and_energy import figures, timing
from dcviz.errors import NetError, check_known
from dcviz.evidence import recordings
from dcviz.evidence.memories import size_text
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, joined, labelled_slider, row
from dcviz.labkit.markup import coded
from dcviz.nets.machine import gpu_name

LAYERS = tuple(timing.paper_layers())
DEVICES = ("cpu", "cuda")
CALLED = {"dense": "dense", "csr": "CSR", "compressed": "compressed"}
"""How the caption calls the methods, briefly."""
CARD_METHODS = {"dense": "float32", "csr": "csr", "compressed": "compressed"}
"""{method: what ``gpu_times`` calls it}."""


class SpeedLab(Lab):
    """How long a layer takes dense, sparse, and straight from the compressed form.

        SpeedLab(layer="alexnet/fc6", batch=1, density=9.0, active=37.6)

    layer      one of the paper's fully connected layers; choosing it sets density and active inputs
    batch      inputs at a time
    density    percent of weights kept
    active     percent of inputs that are not zero
    device     "cpu", or "cuda" where there is one here, for timing here and now, or a recorded one (`card`)

    `times` {(method, source): microseconds}: "limit" is computed from bytes and operations and the recorded
    machine's roof, "recorded" is there for recorded settings, "now" after the button or `measure()`.
    `crossover` {method: smallest recorded batch at which dense is as fast, or None}.
    """

    heading = html("Speed <small>one layer, three forms</small>")
    state_names = ("layer", "batch", "density", "active", "device")

    layer = traitlets.Enum(LAYERS, LAYERS[0])
    batch = traitlets.Enum(timing.BATCHES, 1)
    density = traitlets.Float(9.0, min=0.1, max=100)
    active = traitlets.Float(37.6, min=1, max=100)
    device = traitlets.Enum(DEVICES, "cpu")

    def __init__(self, *, layer=LAYERS[0], **state):
        check_known("layer", layer, LAYERS)
        limits = recordings.load("speed_limits").rows[0]
        self.roof = limits["read_bytes_per_s"], limits["operations_per_s"]
        self.recorded = recordings.load("layer_times")
        self.card = recordings.find("gpu_times")
        self._now = {}
        super().__init__(layer=layer, **(self._published(layer) | state))

    # numbers -----------------------------------------------------------------------------------

    def _published(self, name):
        rows = [r for r in self.recorded.rows if r["layer"] == name]
        density = 100 * timing.paper_layers()[name].density
        return {"density": float(f"{density:.6g}"), "active": float(f"{100 * rows[0]['active']:.6g}")}

    @property
    def shape(self):
        """The layer with the lab's density -> timing.FcLayer."""
        return replace(timing.paper_layers()[self.layer], density=self.density / 100)

    @property
    def is_published(self):
        """Whether density and active inputs are those of the recording."""
        published = self._published(self.layer)
        return abs(self.density - published["density"]) < 1e-6 and abs(self.active - published["active"]) < 1e-6

    @property
    def rows(self):
        """Recorded rows of the layer at these settings and on the device, all batches; empty for other settings."""
        if not self.is_published:
            return []
        if self.device == "cpu":
            return [r for r in self.recorded.rows if r["layer"] == self.layer]
        ours = {theirs: method for method, theirs in CARD_METHODS.items()}
        rows = self.card.rows if self.card else []
        return [
            row | {"method": ours[row["method"]]}
            for row in rows
            if row["what"] == "time"
            and (row["layer"], row["caches"]) == (self.layer, "cold" if self.shape.cold else "warm")
            and row["method"] in ours
        ]

    @property
    def limits(self):
        """(Bytes, operations) a second of the device whose times are shown; None of a GPU that nobody recorded."""
        if self.device == "cpu":
            return self.roof
        found = [row for row in self.card.rows if row["what"] == "limits"] if self.card else []
        return (found[0]["read_bytes_per_s"], found[0]["operations_per_s"]) if found else None

    @property
    def times(self):
        """{(method, source): microseconds}, see above."""
        found = {}
        for method in timing.METHODS if self.limits else ():
            seconds = self.shape.least_seconds(method, *self.limits, self.batch, self.active / 100)
            found[method, "limit"] = 1e6 * seconds
        for recorded in self.rows:
            if recorded["batch"] == self.batch:
                found[recorded["method"], "recorded"] = 1e6 * recorded["seconds"]
        for timed in self._now.get(self._settings(), []):
            found[timed.method, "now"] = 1e6 * timed.seconds
        return found

    @property
    def speedup(self):
        """{method: times faster than dense}, from what was measured now, else recorded, else {}."""
        for source in ("now", "recorded"):
            times = {m: t for (m, s), t in self.times.items() if s == source}
            if "dense" in times:
                return {method: times["dense"] / t for method, t in times.items()}
        return {}

    @property
    def crossover(self):
        """{method: smallest recorded batch at which dense is at least as fast, or None}; {} if not recorded."""
        there = {row["method"] for row in self.rows}
        methods = [method for method in ("csr", "compressed") if {"dense", method} <= there]
        return {method: timing.crossover_batch(self.rows, method) for method in methods}

    # views -------------------------------------------------------------------------------------

    def build(self):
        wide = {"layout": {"width": "260px"}}
        self.layer_choice = widgets.Dropdown(options=LAYERS, description="layer", **wide)
        self.batch_choice = widgets.Dropdown(options=timing.BATCHES, description="batch", layout={"width": "160px"})
        offered = self._devices()
        self.device_choice = widgets.Dropdown(options=offered, description="device", layout={"width": "280px"})
        self.density_slider = labelled_slider("weights kept", self.density, 0.1, 100.0, log=True, unit="%")
        self.active_slider = labelled_slider("active inputs", self.active, 1.0, 100.0, 1.0, unit="%")
        self.bind_all(
            layer=self.layer_choice,
            batch=self.batch_choice,
            device=self.device_choice,
            density=self.density_slider,
            active=self.active_slider,
        )
        self.run = RunButton("Time it here, now", self._measure, self._done, self.fail)
        figure, (left, right) = theme.figure(13, 4.6, columns=2, gridspec_kw={"width_ratios": [1.25, 1]})
        self.bars, self.points = figures.time_bars(left), figures.roofline(right, *self.roof)
        self.figure_view = FigureImage(figure, self._moving(), alt="time of a call in three forms, and the roofline")
        figure, axes = theme.figure(13, 3.6)
        self.lines, self.at = figures.crossover(axes, timing.BATCHES)
        self.crossover_view = FigureImage(figure, [*self.lines.values(), self.at], alt="speed-up over dense by batch")
        return [
            row(self.layer_choice, self.batch_choice, self.device_choice),
            self.density_slider,
            self.active_slider,
            self.run,
            self.figure_view,
            self.crossover_view,
        ]

    def _devices(self):
        """[(words, device)] to choose from: the GPU here, or else the recorded one; or what a link asks for."""
        offered = [("cpu", "cpu")]
        if card := gpu_name():
            offered.append((f"cuda: {card}", "cuda"))
        elif self.card:
            offered.append((f"{self._card_name()} (recorded)", "cuda"))
        elif self.device == "cuda":
            offered.append(("cuda (there is none)", "cuda"))
        return offered

    def _card_name(self):
        return next(row["name"] for row in self.card.rows if row["what"] == "device")

    def update(self):
        self._fill(self.bars, self.points, self.lines, self.at)
        self.figure_view.refresh()
        self.crossover_view.refresh()

    def _moving(self):
        return [*(artist for pair in self.bars.values() for artist in pair), *self.points.values()]

    def _fill(self, bars, points, lines, at):
        times = self.times
        figures.show_times(bars, times)
        for method, point in points.items():
            shown = [times[method, s] for s in ("now", "recorded", "limit") if (method, s) in times]
            if self.device != "cpu" or not shown:  # the roof that is drawn is the processor's
                point.set_data([], [])
                continue
            used = self.shape.operations(method, self.batch, self.active / 100)
            intensity = self.shape.intensity(method, self.batch, self.active / 100)
            point.set_data([intensity], [used / shown[0] / 1e3])
        seconds = {(r["method"], r["batch"]): r["seconds"] for r in self.rows}
        for method, line in lines.items():
            both = ((b, s) for (m, b), s in seconds.items() if m == method and ("dense", b) in seconds)
            faster = {b: seconds["dense", b] / s for b, s in both}
            line.set_data(list(faster), list(faster.values()))
        at.set_xdata([self.batch] * 2)

    def describe(self):
        layer, kinds = self.shape, CALLED
        resident = joined(
            ", ", (html("{} <b>{}</b>", kinds[m], size_text(layer.resident_bytes(m))) for m in timing.METHODS)
        )
        moved = [size_text(layer.moved_bytes(m, self.batch, self.active / 100)) for m in timing.METHODS]
        said = [
            self.say(
                "<b>{layer}</b> ({columns:,} → {rows:,}), {density:.4g}% of weights kept, {active:.4g}% of inputs "
                "active, batch {batch}. In memory: {resident}; a call moves {moved}.",
                columns=layer.columns,
                rows=layer.rows,
                resident=resident,
                moved=", ".join(moved),
            )
        ]
        if self.speedup:
            faster = joined(
                ", ", (html("{} <b>{:.2f}×</b>", kinds[m], times) for m, times in self.speedup.items() if m != "dense")
            )
            source = "measured now" if self._settings() in self._now else "recorded"
            said.append(html("Times faster than dense ({}): {}.", source, faster))
        elif self.limits is None:
            said.append("No GPU was recorded: nothing is known of one, until you press the button where there is one.")
        else:
            said.append("These settings were not recorded: only the limit is known, until you press the button.")
        if self.crossover:
            said.append(self._crossover_words())
        cold = ", caches emptied" if layer.cold else ""
        if self.device == "cpu":
            how, note = "processor time of one thread", coded(self.recorded.note)
        else:
            how = "time on the GPU, inputs that are zero are not passed over there"
            note = coded(f"{self._card_name()}, {self.card.note}" if self.card else "no GPU recorded")
        return joined(" ", said) + html(" <i>{note}; {how}{cold}.</i>", note=note, how=how, cold=cold)

    def _crossover_words(self):
        first = [html("{} at batch <b>{}</b>", CALLED[m], batch) for m, batch in self.crossover.items() if batch]
        if not first:
            return f"Dense overtakes none up to batch {max(r['batch'] for r in self.rows)}."
        return html("Dense first overtakes {}.", joined(", ", first))

    def picture(self):
        figure, axes = theme.figure(13, 8.4, rows=2, columns=2, gridspec_kw={"width_ratios": [1.25, 1]})
        grid = axes[1, 0].get_gridspec()
        for unused in axes[1]:
            unused.remove()
        lines, at = figures.crossover(figure.add_subplot(grid[1, :]), timing.BATCHES)
        self._fill(figures.time_bars(axes[0, 0]), figures.roofline(axes[0, 1], *self.roof), lines, at)
        return figure

    # work --------------------------------------------------------------------------------------

    def measure(self):
        """Time the layer here and now, on this thread of Python; returns `times`."""
        self.run.start(wait=True)
        return self.times

    def _settings(self):
        return tuple(self.state().values())

    def _measure(self, progress):
        with LOCK:
            settings, shape, device = self._settings(), self.shape, self.device
            batch, active = self.batch, self.active / 100
        if device == "cuda" and not gpu_name():
            raise NetError("there is no CUDA device on this machine; choose cpu")
        progress(0.1, "drawing random weights")
        forms = timing.random_layer(shape)
        progress(0.5, "timing")
        how = {"readings": 5, "cold": shape.cold, "report": lambda done, total: progress(0.5 + done / total / 2)}
        return settings, timing.measure(forms, batch, active, device, **how)

    def _done(self, result):
        settings, rows = result
        self._now[settings] = rows
        self.react()

    def along(self, name):
        """A layer comes with its density and active inputs."""
        return self._published(self.layer) if name == "layer" else {}
