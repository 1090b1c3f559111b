"""The ghost of the setting before: what Python tells the browser of it. What it shows is tested in a browser."""

import numpy as np

from dcviz import labs
from dcviz.labkit.ghost import Ghost

WEIGHTS = {"fc1": np.random.default_rng(2).normal(0, 0.1, (20, 30)).astype(np.float32)}


def test_a_ghost_knows_what_makes_a_setting_and_what_shows_it():
    lab = labs.PruningLab("mine", weights=WEIGHTS)
    assert isinstance(lab.ghost, Ghost)
    assert lab.ghost.settings == [[lab.view.model_id, "threshold"]]
    assert (lab.ghost.caption, lab.ghost.pictures) == (lab.caption.model_id, [lab.figure_view.model_id])


def test_reset_clears_it_once_all_else_is_as_at_the_start():
    lab, seen = labs.SharingLab("mine", weights=WEIGHTS, k=4), []
    lab.k = 9
    lab.ghost.observe(lambda change: seen.append(lab.k), "cleared")
    lab.reset()
    assert seen == [4]


def test_the_labs_that_compare_settings_have_one():
    assert labs.RetrainingLab().ghost.pictures == []  # an earlier run keeps its line there
    pipeline = labs.PipelineLab()
    assert pipeline.ghost.settings == [[pipeline.download.model_id, "data"]]
