"""The exercises' checkers, chapter by chapter: ``from dcviz.checks import pruning as check``."""

from importlib import import_module

CHAPTERS = (
    "why_compress",
    "pruning",
    "sparse_storage",
    "weight_sharing",
    "trained_quantization",
    "huffman",
    "full_pipeline",
    "speed",
    "other_roads",
    "how_small",
    "open_questions",
)
"""Modules with the checks of a chapter."""


def __getattr__(name):
    if name in CHAPTERS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def every():
    """{"chapter.name": Check} of all checks there are."""
    from dcviz.checks.base import Check

    found = {}
    for chapter in CHAPTERS:
        module = import_module(f"{__name__}.{chapter}")
        found |= {f"{chapter}.{key}": value for key, value in vars(module).items() if isinstance(value, Check)}
    return found
