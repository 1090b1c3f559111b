"""Labs under test keep the learner's answers in a folder of their own."""

import pytest


@pytest.fixture(autouse=True)
def _own_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("DCVIZ_PROGRESS", str(tmp_path / "progress.json"))
