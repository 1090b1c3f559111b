"""Your data and your loss, as the training loop asks for them: any DataLoader, or any iterable of batches.

A batch is what your loader gives: a pair (input, target) for a loss function, or whatever your own step function
takes. ``training.fit`` knows two kinds of lesson, this one and the digits, by the same four methods.
"""

import math
from collections.abc import Iterable, Iterator

import torch
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from dcviz.errors import DataError, DcvizError, RecipeError


class Batches:
    """Batches to learn from, and how: ``loss(output, target)`` or ``step(net, batch)``, each giving a scalar tensor.

    batches: walked from the start for every epoch, such as a DataLoader or a list. One without a length is counted in
    one walk. loss: called with ``net(input)`` and the target of each pair; an input that is a dict or a tuple is taken
    apart into arguments. step: everything from net and batch to the loss is yours; batches come as they are, on
    whatever device they are. Exactly one of the two is needed (DataError).
    """

    def __init__(self, batches, loss=None, step=None):
        if (loss is None) == (step is None) or not callable(loss if step is None else step):
            raise DataError("batches of your own need a loss(output, target) or a step(net, batch): one of the two")
        if isinstance(batches, Iterator):
            raise DataError(
                "batches are walked once an epoch, and an iterator can be walked only once: give the DataLoader or "
                "a list itself"
            )
        if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
            raise DataError(f"batches must be a DataLoader or another iterable, not {type(batches).__name__}")
        self.batches, self._loss, self._step = batches, loss, step
        self._length = None

    def check(self, net, schedule, device="cpu", teacher=None):
        """DataError unless ``net`` can learn from the first batch; RecipeError for a schedule made for digits.

        ``net``, and a teacher, are called once, in evaluation mode, and get no gradient.
        """
        if schedule.shift:
            raise RecipeError("shift moves digits by pixels; distort pictures of your own in your data set")
        if schedule.teacher_weight and self._step is not None:
            raise RecipeError("a step of your own brings its own loss: teacher_weight must be 0")
        modes = {module: module.training for module in net.modules()}
        net.eval()
        try:
            with torch.no_grad():
                self._loss_of(net, self.first(), schedule, teacher if schedule.teacher_weight else None, device)
        except DcvizError:
            raise
        except Exception as error:  # the net's own code, the loss's or the data set's
            raise DataError(f"the net cannot learn from the first batch: {type(error).__name__}: {error}") from error
        finally:
            for module, mode in modes.items():
                module.training = mode

    def first(self):
        """The first batch; DataError if there is none."""
        for batch in self.walk():
            return batch
        raise DataError("there are no batches to learn from")

    def walk(self):
        """All batches, from the start; DataError where the iterable fails."""
        try:
            yield from self.batches
        except DcvizError:
            raise
        except Exception as error:  # the data set's own code
            raise DataError(f"the batches cannot be read: {type(error).__name__}: {error}") from error

    def example(self):
        """What the net is called with, one input of the first batch, as a tuple; None if only a step knows."""
        if self._step is not None:
            return None
        given, _ = _pair(self.first())
        return None if isinstance(given, dict) else tuple(given) if isinstance(given, tuple | list) else (given,)

    def steps_per_epoch(self, schedule):
        """Batches of one walk."""
        if self._length is None:
            try:
                self._length = len(self.batches)
            except (TypeError, NotImplementedError):  # a DataLoader over an iterable data set has none
                self._length = sum(1 for _ in self.walk())
            if not self._length:
                raise DataError("there are no batches to learn from")
        return self._length

    def epoch(self, schedule, generator):
        """The batches of one walk; what they draw at random comes from torch's global generator."""
        yield from self.walk()
        raise DataError(f"the batches ended early: there were {self._length} of them before")

    def loss(self, net, batch, schedule, teacher, device="cpu"):
        """The loss of one batch, a finite scalar tensor; DataError for anything else, and where net or loss fail.

        What a step of the caller's own raises goes on as it is.
        """
        if self._step is not None:
            return self._loss_of(net, batch, schedule, teacher, device)
        try:
            return self._loss_of(net, batch, schedule, teacher, device)
        except DcvizError:
            raise
        except Exception as error:  # the net's own code, or the loss's
            raise DataError(f"the net cannot learn from a batch: {type(error).__name__}: {error}") from error

    def _loss_of(self, net, batch, schedule, teacher, device):
        if self._step is not None:
            loss = self._step(net, batch)
        else:
            given, target = tree_map(lambda x: x.to(device) if isinstance(x, torch.Tensor) else x, _pair(batch))
            like = next((p.dtype for p in net.parameters() if p.is_floating_point()), None)
            if like is not None:  # the pipeline works in float32, whatever type the net has
                given = tree_map(
                    lambda x: x.to(like) if isinstance(x, torch.Tensor) and x.is_floating_point() else x, given
                )
            output = _call(net, given)
            loss = self._loss(output, target)
            if teacher is not None:
                with torch.no_grad():
                    wanted = _call(teacher, given)
                loss = taught(loss, output, wanted, schedule)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or loss.is_complex():
            raise DataError(f"a loss is a real tensor of one number, not {type(loss).__name__}")
        if not math.isfinite(loss.item()):
            raise DataError(f"the loss is {loss.item()}: train with a lower lr, or look at the data")
        if torch.is_grad_enabled() and not loss.requires_grad:
            raise DataError("the loss does not depend on any weight that may move: it has no gradient")
        return loss.reshape(())


def taught(loss, logits, teacher_logits, schedule):
    """Distillation: a loss mixed with how far softened logits (n, classes, ...) are from the teacher's."""
    soft = F.kl_div(
        F.log_softmax(logits / schedule.temperature, 1),
        F.log_softmax(teacher_logits / schedule.temperature, 1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - schedule.teacher_weight) * loss + schedule.teacher_weight * schedule.temperature**2 * soft


def _pair(batch):
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise DataError(
            f"a loss needs batches that are pairs (input, target), not {type(batch).__name__}; give a step(net, batch)"
        )
    return tuple(batch)


def _call(net, given):
    if isinstance(given, dict):
        return net(**given)
    return net(*given) if isinstance(given, tuple | list) else net(given)
