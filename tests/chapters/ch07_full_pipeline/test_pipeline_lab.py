"""The pipeline lab: a run fills the picture and the caption; another recipe empties them again."""

import pytest
import torch

from dcviz import archive
from dcviz.errors import Stopped
from dcviz.labkit.base import plain
from dcviz.labs import PipelineLab, Prediction, recreate
from dcviz.pipeline import recipes


@pytest.fixture(scope="module")
def lab():
    torch.set_num_threads(1)
    guess = Prediction("Which?", options=["pruned", "shared"], truth=lambda lab: lab.best_stage(bits=4, epochs=1))
    lab = PipelineLab(epochs=1, bits=4, prediction=guess).run()
    assert "codes of 4 bits (linear start), gaps of 5 and 1 epoch of retraining. Press Run" in plain(lab.caption.value)
    guess.give_up()
    return lab


def test_a_run_shows_what_the_files_hold(lab):
    assert lab.error == ""
    size = len(archive.dumps(lab.result.stored))
    assert f"{size:,} bytes" in plain(lab.caption.value)
    assert f"{lab.result.ratio:.1f}x smaller" in plain(lab.caption.value)
    assert lab.result.report.file_bytes == size
    axes = lab.picture_view.figure.axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [stage.file_bytes for stage in lab.result.stages]
    assert lab.best_stage() in ("pruned", "shared")
    assert f"It is “{lab.best_stage()}”" in lab.prediction.note.value
    assert lab.best_stage(epochs=2) is None, "that is another run"


def test_the_stages_play_one_after_another_and_the_file_can_be_had(lab):
    assert archive.loads(lab.download.data).name == lab.result.stored.name
    assert lab.download.name == "my-lenet-300-100.dcz"
    assert lab.play.high == 3
    lab.play.value = 1  # what the button does in the browser
    assert lab.stage == lab.stage_slider.value == 1
    pruned = lab.result.stages[1]
    assert f"lenet-300-100, pruned: {pruned.file_bytes:,} bytes" in plain(lab.caption.value)
    bars = lab.picture_view.figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == [stage.file_bytes for stage in lab.result.stages[:2]]
    lab.stage = 3
    assert lab.result is not None
    assert PipelineLab().download.data == b""


def test_the_recipe_is_what_the_controls_say(lab):
    recipe = lab.recipe
    assert recipe == recipes.simple("lenet-300-100", 1.0, 4, 5, "linear", 1)
    assert {name: layer.density for name, layer in recipe.layers.items()} == recipes.PAPER_DENSITIES["lenet-300-100"]


def test_another_recipe_keeps_the_last_result_and_says_whose_it_is():
    lab = PipelineLab(epochs=1).run()
    lab.scale = 0.9999999999999999  # a browser's slider for 1
    assert lab.is_current
    result, picture = lab.result, lab.png()
    lab.bits = 6
    assert lab.result is lab.compressed() is result
    assert not lab.is_current
    assert lab.best_stage() is None
    assert "Press Run" in plain(lab.caption.value)
    assert "your last run, with another recipe" in plain(lab.caption.value)
    assert f"{result.stages[-1].file_bytes:,} bytes" in plain(lab.caption.value)
    assert lab.png() != picture, "other words under the same picture"
    lab.bits = 5
    assert lab.best_stage() is not None


def test_the_deep_link_recreates_the_recipe(lab):
    assert recreate(repr(lab)).recipe == lab.recipe


def test_stop_leaves_the_lab_as_it_was_and_ready_for_another_run():
    lab = PipelineLab(epochs=1)
    lab.button.progress = lambda fraction, text="": lab.button.stop() or type(lab.button).progress(lab.button, fraction)
    lab.run()
    assert lab.result is None
    assert lab.button.message.value == "stopped"
    with pytest.raises(Stopped):
        lab.compressed()
    del lab.button.progress
    assert lab.run().result is not None


def test_the_run_before_stays_as_an_outline_until_reset(lab):
    def outlines():
        return sum(not bar.get_fill() for bar in lab.picture().axes[0].patches)

    assert outlines() == 0
    lab._done((lab._made_by, lab.result))
    assert outlines() == len(lab.result.stages)
    lab.reset()
    assert outlines() == 0
