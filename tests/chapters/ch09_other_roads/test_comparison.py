"""The ruler of chapter 09: processor time, whatever else the machine does."""

import itertools
import time

import pytest
import torch
from torch import nn

from dcviz.chapters.ch09_other_roads import comparison


def test_a_pass_is_timed_by_the_processors_clock_alone(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(time, "thread_time", lambda: 0.002 * next(ticks))

    def wall():
        raise AssertionError("the clock on the wall counts other programs, too")

    monkeypatch.setattr(comparison.time, "perf_counter", wall)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    times = comparison.milliseconds([net, net], readings=3, seconds=0.01)
    assert times == pytest.approx([2 / 5] * 2), "a tick of 2 ms for five passes, enough to fill 10 ms"
    assert not torch.is_inference_mode_enabled()
