"""A retraining run as a film: every now and then the error, and histograms of all layers."""

import math
from dataclasses import dataclass, field

import numpy as np

from dcviz.nets import training
from dcviz.pipeline import retraining

MOMENTS = 24  # pictures taken during a run besides the first, and so many times is the error measured
BINS = 56


@dataclass
class Film:
    """What a run looked like. ``of`` says what was pruned how, ``total`` how many steps were planned.

    setting         {state: value} of the lab when the run began
    pictures        one tuple each of the four below, so that an interrupt never leaves half a picture
    steps, errors   step number and error in percent of each picture
    counts, inside  per picture {layer: histogram} and {layer: non-zero weights below the old threshold}
    """

    of: tuple
    label: str
    total: int
    setting: dict = field(default_factory=dict)
    pictures: list = field(default_factory=list)

    steps, errors, counts, inside = (
        property(lambda self, part=part: [picture[part] for picture in self.pictures]) for part in range(4)
    )

    def at(self, moment):
        """Index of the picture for a moment 0..MOMENTS; the last one if the run has not come that far."""
        return min(moment, len(self.pictures) - 1)

    def shoot(self, net, data, schedule, constraint, edges, thresholds, progress, looked):
        """Train `net` in place and take pictures; `looked()` is called after each, what `progress` raises ends it.

        edges {layer: bin edges}, thresholds {layer: magnitude}: for the histograms and the counts inside.
        """

        def look(step):
            error = training.error_percent(net, data.test)
            net.train()
            weights = {name: w[w != 0] for name, w in retraining.weights_of(net).items()}
            histograms = {name: counts(w, edges[name]) for name, w in weights.items()}
            inside = {name: int(np.sum(np.abs(w) < thresholds[name])) for name, w in weights.items()}
            self.pictures.append((step, error, histograms, inside))
            looked()

        def report(done, steps, loss):
            progress(done / steps, f"step {done:,} of {steps:,}, error {self.pictures[-1][1]:.1f}%")
            if done >= math.ceil(steps * len(self.pictures) / MOMENTS):
                look(done)

        look(0)
        training.fit(net, data.train, schedule, constraint=constraint, report=report)


def edges_of(weights):
    """Bin edges with room for weights that grow, float64 (BINS + 1,)."""
    limit = 1.15 * float(np.quantile(np.abs(weights), 0.9995))
    return np.linspace(-limit, limit, BINS + 1)


def counts(weights, edges):
    """Non-zero weights per bin, those beyond the edges in the outermost bins -> int array (len(edges) - 1,)."""
    inside = np.clip(weights[weights != 0], edges[0], edges[-1])
    return np.histogram(inside, edges)[0]
