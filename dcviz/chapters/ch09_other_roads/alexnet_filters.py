"""Chapter 9: filters removed from AlexNet's convolutions (Molchanov et al. 2017), one-shot and shortly retrained.

The net is that of ``python -m dcviz alexnet train``, at 224 pixels; no test picture is used. Errors in percent on the
first 1,000 of the 5,000 held-out training pictures, computed in bfloat16; so few leave a noise of about a point.
"""

import functools
import itertools

import torch

from dcviz import archive
from dcviz.chapters.ch09_other_roads import comparison, taylor
from dcviz.evidence import resumed
from dcviz.files import cache_dir
from dcviz.nets import cifar, models, picture_training
from dcviz.nets.alexnet_training import WEIGHTS
from dcviz.nets.models_imagenet import AlexNet
from dcviz.nets.picture_training import PictureSchedule
from dcviz.pipeline import alexnet, picture_compression, stored_net

PIXELS, DROPOUT = 224, 0.1
FRACTIONS = (0.25, 0.5, 0.75, 0.9)
"""Of all channels of the five convolutions, removed."""
RETRAINED = (0.5, 0.75)
WAYS = (("taylor", False), ("taylor", True), ("magnitude", False), ("magnitude", True), ("random", True))
"""Criterion, and whether every layer loses the same share; if not, layers compete."""
RANKING, MEASURED = 300, 1_000
LESSON = PictureSchedule(phases=((PIXELS, 1),), lr=1e-4, batch=64, warmup=10, decay=0.0)
LESSON_PICTURES = 4_096
"""An eleventh of an epoch: 64 steps, for every net and for the rival from which nothing was removed."""
CONVOLUTIONS = tuple(f"features.{i}" for i in (0, 3, 6, 8, 10))


def dense_net():
    """The trained AlexNet from data/cache/alexnet; DataError if ``alexnet train`` did not make it."""
    net = AlexNet(10, DROPOUT)
    net.load_state_dict(picture_compression.state(cache_dir() / "alexnet" / WEIGHTS, alexnet.SUBJECT))
    return net.eval()


to_input = functools.partial(picture_training.to_input, pixels=PIXELS)


def retraining(train, schedule=LESSON, pictures=LESSON_PICTURES):
    """The ``retrain`` of ``taylor.prune`` for CIFAR's pictures: a short lesson on the first of them."""
    few = train.take(slice(0, pictures))

    def retrain(net, turn):
        picture_training.fit(net, few, schedule)

    return retrain


def work(net, pixels=PIXELS):
    """What a narrowed net is and costs: channels of the convolutions, multiplications, bytes of its dense file."""
    counts = comparison.multiplications(net, (3, pixels, pixels))
    layers = models.weight_layers(net)
    return {
        "widths": [layers[name].weight.shape[0] for name in CONVOLUTIONS],
        "multiplications": sum(counts.values()),
        "in_convolutions": sum(counts[name] for name in CONVOLUTIONS),
        "file_bytes": archive.file_bytes(stored_net(net, copied=False)),
    }


def one(net, train, error, criterion, even, fraction, retrain=None, convert=to_input, ranking=RANKING):
    """One row: channels of ``CONVOLUTIONS`` removed by a criterion, error at once, and after ``retrain`` if given.

    error: function (net) -> percent. ``net`` as it is for ``fraction`` 0; ``error_percent`` is None without a lesson.
    """
    few = train.take(slice(0, ranking))
    with torch.autocast("cpu", torch.bfloat16):  # twice as fast; not around the lesson, which would see stale weights
        kept = taylor.lowest(net, few, fraction, criterion, CONVOLUTIONS, to_input=convert, even=even)
    smaller = taylor.remove(net, kept)
    row = {"criterion": criterion, "even": even, "fraction": fraction, **work(smaller), "raw_percent": error(smaller)}
    if retrain is not None:
        retrain(smaller, 0)
    return row | {"error_percent": None if retrain is None else error(smaller)}


def with_times(rows, net, pixels=PIXELS):
    """The rows with ``milliseconds`` of one picture: processor time of one thread, all nets in turns in one run."""
    narrow = [taylor.remove(net, dict(zip(CONVOLUTIONS, map(range, row["widths"]), strict=True))) for row in rows]
    times = comparison.milliseconds(narrow, (3, pixels, pixels), readings=9)
    return [{**row, "milliseconds": found} for row, found in zip(rows, times, strict=True)]


def filters():
    """Rows: criterion (None: nothing removed), even, fraction, what ``work`` measures, errors, time.

    ``raw_percent`` at once, ``error_percent`` after the lesson (None where there was none), ``milliseconds`` a picture.
    Needs CIFAR-10, the trained net and 20 minutes; goes on where it was stopped.
    """
    torch.set_num_threads(1)
    net, (train, held_out) = dense_net(), cifar.tuning_pictures()
    few = held_out.take(slice(0, MEASURED))
    error = functools.partial(picture_training.error_percent, split=few, pixels=PIXELS)
    jobs = {}
    for fraction, (criterion, even) in [(0.0, ("random", True)), *itertools.product(FRACTIONS, WAYS)]:
        taught = fraction in (0, *RETRAINED) and (criterion, even) != ("magnitude", False)
        jobs[f"{criterion} {even} {fraction}"] = functools.partial(
            one, net, train, error, criterion, even, fraction, retraining(train) if taught else None
        )
    with resumed.rows(cache_dir() / "alexnet-filters.json", jobs) as rows:
        rows[0]["criterion"] = None
        return with_times(rows, net)
