"""The view of a learner's progress, and that chapters give it something to show."""

import collections

import pytest

from dcviz.chapters import every_check
from dcviz.classroom import editions
from dcviz.classroom.progress import chapters
from dcviz.labkit import learner
from dcviz.labkit.base import plain
from dcviz.labs import Progress


def test_every_chapter_asks_and_every_key_is_its_own():
    numbered = {path.stem for path in editions.SOURCES.glob("*.py") if not path.stem.startswith("00")}
    assert {chapter.stem for chapter in chapters()} == numbered
    keys = collections.Counter(key for chapter in chapters() for key in chapter.predictions)
    assert [key for key, times in keys.items() if times > 1] == []
    for chapter in chapters():
        assert chapter.exercises
        assert chapter.predictions
        assert all(key.startswith(f"ch{chapter.stem[:2]}-") for key in chapter.predictions), chapter.stem
        assert chapter.title.startswith(f"{chapter.stem[:2]} · ")


def test_the_chapters_exercises_are_the_checks_there_are():
    assert {key for chapter in chapters() for key in chapter.exercises} <= every_check().keys()
    for key, check in every_check().items():
        assert check.key == key


def test_every_prediction_in_a_source_has_a_key_that_progress_finds():
    for path in editions.SOURCES.glob("*.py"):
        written = path.read_text("utf-8").count("Prediction(")
        found = next((len(chapter.predictions) for chapter in chapters() if chapter.stem == path.stem), 0)
        assert found == written, path.stem


def test_it_counts_and_its_repr_says_what_it_shows():
    assert repr(Progress()) == "Progress(nothing done yet)"
    chapter = next(c for c in chapters() if c.stem == "02_pruning")
    learner.record("predictions", chapter.predictions[0], 50)
    learner.record("exercises", "pruning.mask", True)
    learner.record("exercises", "pruning.ratio", False)
    learner.record("predictions", "from-another-course", 1)
    view = Progress()
    p, e = len(chapter.predictions), len(chapter.exercises)
    assert repr(view) == f"Progress(02_pruning: 1 of {p} predictions, 1 of {e} exercises)"
    assert f"1 of {p}" in plain(view.table.value)
    assert f"1 of {e}, 1 tried" in plain(view.table.value)
    assert view._repr_mimebundle_()["text/plain"] == repr(view)


def test_the_fewest_bytes_stand_beside_the_chapter():
    learner.record("best", "pruning.densities", 278931)
    learner.record("best", "sparse_storage.gap_widths", "<b>many</b>")
    text = Progress().table.value
    assert "densities 278,931" in plain(text)
    assert "many" not in text


def test_look_again_reads_the_file_anew():
    view = Progress()
    before = view.table.value
    learner.record("exercises", "pruning.mask", True)
    assert view.table.value == before
    view.again.click()
    assert view.table.value != before


def test_reset_asks_first():
    learner.record("exercises", "pruning.mask", True)
    view = Progress()
    assert view.sure.layout.display == "none"
    view.forget.click()
    assert view.sure.layout.display is None
    assert "forgets all" in view.note.value
    view.no.click()
    assert learner.recorded("exercises") == {"pruning.mask": True}
    assert view.sure.layout.display == "none"
    view.forget.click()
    view.yes.click()
    assert learner.recorded("exercises") == {}
    assert repr(view) == "Progress(nothing done yet)"
    assert not learner.path().exists()


@pytest.mark.parametrize("text", ['{"version": 3}', "{"])
def test_a_file_it_cannot_use_is_named_and_shown_as_nothing(text):
    learner.path().write_text(text)
    view = Progress()
    assert learner.path().name in view.note.value
    assert repr(view) == "Progress(nothing done yet)"
