"""Shared by all tests: one torch thread, so that parallel jobs do not fight and results repeat; no deadlines."""

import gc
import itertools
import os

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine is no bug: how long an example takes is not what the tests are about.
settings.register_profile("dcviz", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dcviz")


def pytest_collection_finish():
    """What is there by now stays; the collector of garbage need not look at it again each time a test calls it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _own_answers(monkeypatch, tmp_path_factory):
    """No test reads or writes a learner's progress but its own. Few write any, so none gets a folder for it."""
    place = tmp_path_factory.getbasetemp() / f"progress-{next(_numbers)}.json"
    monkeypatch.setenv("DCVIZ_PROGRESS", str(place))


@pytest.fixture
def few_digits(monkeypatch):
    """A tenth of the digits to train on, for tests that ask what a run does, not how good a net gets."""
    from dcviz.nets import datasets

    digits = datasets.digits()
    few = datasets.Digits(digits.train.take(slice(0, 400)), digits.test)
    monkeypatch.setattr(datasets, "digits", lambda: few)


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """A machine without data sets: DCVIZ_DATA unset, an empty cache."""
    monkeypatch.delenv("DCVIZ_DATA", raising=False)
    monkeypatch.setenv("DCVIZ_CACHE", str(tmp_path / "cache"))
    from dcviz.nets import datasets

    datasets.mnist.cache_clear()
    yield tmp_path
    datasets.mnist.cache_clear()


os.environ.setdefault("OMP_NUM_THREADS", "1")
