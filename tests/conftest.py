"""Shared by all tests: one torch thread, so that parallel jobs do not fight and results repeat; no deadlines."""

import gc
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


@pytest.fixture(autouse=True)
def _own_answers(monkeypatch, tmp_path):
    """No test reads or writes a learner's progress but its own."""
    monkeypatch.setenv("DCVIZ_PROGRESS", str(tmp_path / "progress.json"))


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
