"""Retraining what pruning left: the second half of section 2, in torch.

Cut weights are zero while the surviving ones learn to do without them. Cut a little, retrain, cut more: the
NIPS'15 paper found that this reaches 9x on AlexNet where a single cut reaches 5x.
"""

import bisect

import numpy as np
import torch

from dcviz.errors import WeightError
from dcviz.ideas.pruning import check_weights, mask_from_density
from dcviz.nets.models import weight_layers
from dcviz.pipeline import parameters
from dcviz.pipeline.recipe import check_cuts


def weights_of(net):
    """{layer name: NumPy copy of its weights}; WeightError names a layer with NaN or infinity, or without numbers."""
    return {name: check_weights(layer.weight, name).copy() for name, layer in weight_layers(net).items()}


class Masked:
    """Constraint for ``training.fit``: weights whose mask is False are zero and stay zero.

    ``masks``: {layer name: bool array of the weight's shape}; layers without one train freely.
    """

    def __init__(self, net, masks):
        self.net = net
        self._layers = {}
        self.cut(masks)

    def cut(self, masks):
        """Take new masks and zero what they exclude.

        NetError for a layer that the net does not have, WeightError for a mask of another shape.
        """
        self._layers = parameters.named(self.net, masks)
        for name, mask in masks.items():
            shape = tuple(self._layers[name].weight.shape)
            if np.shape(mask) != shape:
                raise WeightError(f"the mask of {name} has the shape {np.shape(mask)}, its weights {shape}")
        self.masks = {name: torch.as_tensor(np.array(mask)) for name, mask in masks.items()}
        self._zero()

    def parameters(self):
        """Every parameter of the net: the mask is enforced after each step."""
        return list(self.net.parameters())

    def after_backward(self):
        """A pruned weight has no gradient, so the optimiser gathers no momentum for it."""
        for name, mask in self.masks.items():
            weight = self._layers[name].weight
            if weight.grad is not None:  # frozen, or not used by this loss
                weight.grad.mul_(mask.to(weight.device))

    def after_step(self):
        """Pruned weights are zero again."""
        self._zero()

    def resume(self, step):
        """An interrupted run goes on at ``step``: the masks are what they were."""

    def _zero(self):  # to +0.0: a -0.0 would be another bit pattern in the file
        with torch.no_grad():
            for name, mask in self.masks.items():
                weight = self._layers[name].weight
                weight.masked_fill_(~mask.to(weight.device), 0.0)


class Gradual(Masked):
    """Constraint that prunes while it retrains: ``cuts`` cuts, evenly over the first ``ramp`` of the steps.

    One cut is one-shot pruning, a few are the paper's iterative pruning, hundreds are gradual pruning. Each cut
    keeps the largest weights at densities that shrink by equal *ratios* to ``densities`` {layer: 0..1}. With
    ``regrow``, weights that were cut may grow again until the next cut, and win their place back if they end up
    larger than one that had been kept; after the last cut the mask is final.
    """

    def __init__(self, net, densities, steps, cuts=1, ramp=0.5, regrow=False):
        check_cuts(cuts, ramp)
        self._densities, self._cuts, self._regrow = densities, cuts, regrow
        self._targets = parameters.named(net, densities)
        self._at = [round(ramp * steps * cut / max(cuts - 1, 1)) for cut in range(cuts)]
        self._step = self._done = 0
        super().__init__(net, {})
        self._cut_if_due()

    def _cut_if_due(self):
        due = bisect.bisect_right(self._at, self._step)
        if due > self._done:  # of several cuts at one step the last is enough
            self._done = due
            share = self._done / self._cuts
            self.cut(
                {
                    name: mask_from_density(check_weights(self._targets[name].weight, name), d**share)
                    for name, d in self._densities.items()
                }
            )

    def resume(self, step):
        """Go on at ``step`` of an interrupted run, whose weights the net has by now: its zeros are what was cut."""
        self._step, self._done = step, bisect.bisect_right(self._at, step)
        self.masks = {}
        if not self._free:
            self.cut({name: check_weights(self._targets[name].weight, name) != 0 for name in self._densities})

    @property
    def _free(self):
        return self._regrow and self._done < self._cuts

    def after_backward(self):
        """Mask the gradients, unless cut weights may still grow again."""
        if not self._free:
            super().after_backward()

    def after_step(self):
        """Hold the mask; cut when the next cut is due."""
        if not self._free:
            super().after_step()
        self._step += 1
        self._cut_if_due()
