"""The learner's file survives restarts, damage and read-only places, and nothing else writes to it."""

import ast
import json
import os
import subprocess
import sys

import pytest

from dcviz import editions, learner
from dcviz.checks import pruning as check
from dcviz.checks.base import CheckFailed
from dcviz.files import ROOT


@pytest.fixture
def file(monkeypatch, tmp_path):
    place = tmp_path / "mine" / "progress.json"
    monkeypatch.setenv("DCVIZ_PROGRESS", str(place))
    return place


def test_a_kernel_restart_loses_nothing(file):
    code = "from dcviz import learner; assert learner.record('predictions', 'ch99-x', 'fc1') == ''"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert learner.recorded("predictions") == {"ch99-x": "fc1"}
    assert learner.recorded("exercises") == {}
    assert learner.record("exercises", "pruning.mask", True) == ""
    assert json.loads(file.read_text()) == {
        "version": 1,
        "predictions": {"ch99-x": "fc1"},
        "exercises": {"pruning.mask": True},
    }


def test_chapters_open_at_the_same_time_do_not_undo_one_another(file):
    code = """import sys
from dcviz import learner
for n in range(60):
    learner.record("predictions", sys.argv[1] + str(n), n)
"""
    open_chapters = [subprocess.Popen([sys.executable, "-c", code, name], cwd=ROOT) for name in "abc"]
    assert [chapter.wait(120) for chapter in open_chapters] == [0, 0, 0]
    assert learner.recorded("predictions") == {f"{name}{n}": n for name in "abc" for n in range(60)}


def test_by_default_it_lies_in_the_working_folder_where_git_ignores_it(monkeypatch, tmp_path):
    monkeypatch.delenv("DCVIZ_PROGRESS")
    monkeypatch.chdir(tmp_path)
    assert learner.record("predictions", "k", 0.5) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["dcviz-progress.json"]
    assert "dcviz-progress*.json" in (ROOT / ".gitignore").read_text().split()


def test_off_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("DCVIZ_PROGRESS", "off")
    monkeypatch.chdir(tmp_path)
    assert learner.record("predictions", "k", 1) == "DCVIZ_PROGRESS is off"
    assert learner.recorded("predictions") == {}
    assert learner.trouble() == learner.reset() == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["", "{broken", "[]", "7", "{}", '{"version": "1"}', '{"version": 1, "predictions": 3}', "[" * 100_000, "\x00"],
)
def test_a_damaged_file_is_set_aside_not_lost(file, text):
    file.parent.mkdir()
    file.write_text(text)
    assert learner.recorded("predictions") == {}
    assert "damaged" in learner.trouble()
    assert learner.record("predictions", "a", 1) == ""
    assert learner.recorded("predictions") == {"a": 1}
    assert learner.trouble() == ""
    assert file.with_name("progress.damaged.json").read_text() == text


def test_bytes_that_are_no_text_are_damage_too(file):
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\x00")
    assert "damaged" in learner.trouble()
    assert learner.record("exercises", "a", True) == ""


def test_an_unknown_version_is_left_as_it_is(file):
    file.parent.mkdir()
    text = '{"version": 2, "predictions": ["other"]}'
    file.write_text(text)
    for why in (learner.trouble(), learner.record("predictions", "a", 1), learner.reset()):
        assert "version 2" in why
    assert learner.recorded("predictions") == {}
    assert file.read_text() == text


def test_what_a_later_dcviz_added_to_the_same_version_is_kept(file):
    file.parent.mkdir()
    file.write_text('{"version": 1, "predictions": {}, "notes": "mine"}')
    assert learner.record("exercises", "a", True) == ""
    assert json.loads(file.read_text())["notes"] == "mine"


def test_a_place_that_cannot_be_written_or_read_is_a_sentence_not_an_exception(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "progress.json", tmp_path / "folder"):
        monkeypatch.setenv("DCVIZ_PROGRESS", str(place))
        assert "cannot be" in learner.record("predictions", "a", 1)
        assert learner.recorded("predictions") == {}
    assert "cannot be read" in learner.trouble()


def test_reset_forgets(file):
    learner.record("predictions", "a", 1)
    assert learner.reset() == ""
    assert learner.recorded("predictions") == {}
    assert not file.exists()
    assert learner.reset() == ""


def test_checks_keep_tried_and_passed_and_passed_stays(file):
    assert not check.mask(lambda *_: None).passed
    assert learner.recorded("exercises") == {}
    with pytest.raises(CheckFailed):
        check.mask(lambda weights, threshold: weights > threshold)
    assert learner.recorded("exercises") == {"pruning.mask": False}
    assert check.mask(check.mask.solution).message.startswith("right, on ")
    with pytest.raises(CheckFailed):
        check.mask(lambda weights, threshold: weights > threshold)
    assert learner.recorded("exercises") == {"pruning.mask": True}


def test_a_passed_check_says_when_it_cannot_be_kept(file):
    file.parent.mkdir()
    file.write_text('{"version": 9}')
    result = check.mask(check.mask.solution)
    assert result.passed
    assert "Not kept" in result.message


def test_making_editions_neither_reads_nor_writes_it(monkeypatch, tmp_path):
    monkeypatch.delenv("DCVIZ_PROGRESS")
    source = tmp_path / "99_example.py"
    source.write_text(
        "# %%\nfrom dcviz import learner\nlearner.record('predictions', 'a', 1), learner.recorded('predictions')\n"
    )
    (tmp_path / "dcviz-progress.json").write_text('{"version": 1, "predictions": {"before": 1}}')
    book = editions.execute(editions.notebook(source), tmp_path)
    assert ast.literal_eval(book.cells[0].outputs[0].data["text/plain"]) == ("DCVIZ_PROGRESS is off", {})
    assert "before" in (tmp_path / "dcviz-progress.json").read_text()


def test_this_test_run_keeps_nothing():
    assert os.environ["DCVIZ_PROGRESS"] == "off"
