"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.chapters.ch12_today import measure
from dcviz.evidence import recordings


def bits_a_weight(file):
    """Bits that a recorded file has for each weight of the language model."""
    return 8 * _bytes(file) / measure.weights()


def saves(file, other):
    """Share by which one recorded file is smaller than another."""
    return 1 - _bytes(file) / _bytes(other)


def _bytes(file):
    return next(row["bytes"] for row in recordings.load("today_files").rows if row["name"] == file)
