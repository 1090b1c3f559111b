"""The learner's file survives restarts, damage and read-only places, and nothing else writes to it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcviz.chapters.ch02_pruning import checks as check
from dcviz.chapters.ch03_sparse_storage import checks as decision
from dcviz.classroom import editions
from dcviz.files import ROOT
from dcviz.labkit import learner
from dcviz.labkit.check import CheckFailed


@pytest.fixture
def file(monkeypatch, tmp_path):
    place = tmp_path / "mine" / "progress.json"
    monkeypatch.setenv("DCVIZ_PROGRESS", str(place))
    return place


def test_a_kernel_restart_loses_nothing(file):
    code = "from dcviz.labkit import learner; assert learner.record('predictions', 'ch99-x', 'fc1') == ''"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert learner.recorded("predictions") == {"ch99-x": "fc1"}
    assert learner.recorded("exercises") == {}
    assert learner.record("exercises", "pruning.mask", True) == ""
    assert json.loads(file.read_text()) == {
        "version": 1,
        "predictions": {"ch99-x": "fc1"},
        "exercises": {"pruning.mask": True},
    }


@pytest.mark.parametrize("linked", [False, True])
def test_ten_chapters_that_record_at_the_same_time_lose_nothing(file, tmp_path, linked):
    if linked:  # half of them come by a link to the same file
        file.parent.mkdir()
        (tmp_path / "link.json").symlink_to(file)
    code = """import os, sys
from dcviz.labkit import learner
if sys.argv[2] == "True":
    os.environ["DCVIZ_PROGRESS"] = sys.argv[3]
learner.PATIENCE = 120  # a busy machine; what happens when it runs out is another test's
print("ready", flush=True)
sys.stdin.read()
for n in range(20):
    assert learner.record("predictions", sys.argv[1] + str(n), n) == ""
"""
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    places = [(name, str(linked and name in "abcde"), tmp_path / "link.json") for name in "abcdefghij"]
    open_chapters = [subprocess.Popen([*command, *one], cwd=ROOT, stdin=pipe, stdout=pipe) for one in places]
    assert [chapter.stdout.readline().strip() for chapter in open_chapters] == [b"ready"] * 10
    for chapter in open_chapters:
        chapter.stdin.close()
    assert [chapter.wait(300) for chapter in open_chapters] == [0] * 10
    for chapter in open_chapters:
        chapter.stdout.close()
    assert learner.recorded("predictions") == {f"{name}{n}": n for name in "abcdefghij" for n in range(20)}
    assert not linked or (tmp_path / "link.json").is_symlink()


def test_a_kernel_that_hangs_with_the_lock_stops_nobody(file, monkeypatch):
    monkeypatch.setattr(learner, "PATIENCE", 0.2)
    code = """import sys, time
from dcviz import files
with files.alone(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, file], cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        assert "kept busy by another kernel" in learner.record("predictions", "a", 1)
        other.kill()
    assert learner.record("predictions", "a", 1) == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs devices and named pipes")
@pytest.mark.parametrize("kind", ["/dev/null", "/dev/zero", "pipe", "link to a pipe", "link to a device"])
def test_what_is_no_regular_file_is_neither_read_nor_replaced(monkeypatch, tmp_path, kind):
    place = {"/dev/null": Path("/dev/null"), "/dev/zero": Path("/dev/zero")}.get(kind, tmp_path / "progress.json")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        place.symlink_to("pipe")
    elif kind == "link to a device":
        place.symlink_to("/dev/zero")
    before, devices = place.lstat(), set(os.listdir("/dev"))
    monkeypatch.setenv("DCVIZ_PROGRESS", str(place))
    for why in (learner.trouble(), learner.record("predictions", "a", 1), learner.reset()):
        assert "not a regular file" in why
    assert learner.recorded("predictions") == {}
    after = place.lstat()
    assert (before.st_ino, before.st_mode, before.st_rdev) == (after.st_ino, after.st_mode, after.st_rdev)
    assert set(os.listdir("/dev")) <= devices, "not even a lock is left beside it"


def test_a_link_is_written_through_and_stays(monkeypatch, tmp_path):
    home, link = tmp_path / "home" / "mine.json", tmp_path / "progress.json"
    link.symlink_to(home)  # leads nowhere yet
    monkeypatch.setenv("DCVIZ_PROGRESS", str(link))
    assert learner.record("predictions", "a", 1) == ""
    assert link.is_symlink()
    assert json.loads(home.read_text())["predictions"] == {"a": 1}
    home.write_text("broken")
    assert learner.record("predictions", "b", 2) == ""
    assert link.is_symlink()
    assert home.with_name("mine.damaged.json").read_text() == "broken"
    assert learner.reset() == ""
    assert not home.exists()
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    monkeypatch.setenv("DCVIZ_PROGRESS", str(loop))
    assert "cannot be read" in learner.record("predictions", "a", 1)
    assert loop.is_symlink()


def test_its_size_is_bounded(file):
    file.parent.mkdir()
    file.write_bytes(b'{"version": 1, "notes": "' + b"x" * learner.MOST + b'"}')
    for why in (learner.trouble(), learner.record("predictions", "a", 1), learner.reset()):
        assert "more than 1,048,576 bytes" in why
    file.unlink()
    assert learner.record("predictions", "a", 1) == ""
    assert "would grow larger" in learner.record("predictions", "b", "x" * learner.MOST)
    assert learner.recorded("predictions") == {"a": 1}


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, b"x", 1j])
def test_only_plain_values_are_kept(file, value):
    assert "cannot be kept" in learner.record("predictions", "a", value)
    assert not file.exists()


def test_by_default_it_lies_in_the_working_folder_where_git_ignores_it(monkeypatch, tmp_path):
    monkeypatch.delenv("DCVIZ_PROGRESS")
    monkeypatch.chdir(tmp_path)
    assert learner.record("predictions", "k", 0.5) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dcviz-progress.json.lock", "dcviz-progress.json"]
    assert {"dcviz-progress*.json", ".dcviz-progress*.lock"} <= set((ROOT / ".gitignore").read_text().split())


def test_off_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("DCVIZ_PROGRESS", "off")
    monkeypatch.chdir(tmp_path)
    assert learner.record("predictions", "k", 1) == "DCVIZ_PROGRESS is off"
    assert learner.recorded("predictions") == {}
    assert learner.trouble() == learner.reset() == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{broken",
            "[]",
            "7",
            "{}",
            '{"version": "1"}',
            '{"version": 1, "predictions": 3}',
            "[" * 100_000,
            "\x00",
        ),
        *('{"version": true}', '{"version": 1, "predictions": {"a": [1]}}', '{"version": 1, "exercises": {"a": null}}'),
    ],
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
        "# %%\nfrom dcviz.labkit import learner\n"
        "learner.record('predictions', 'a', 1), learner.recorded('predictions')\n"
    )
    (tmp_path / "dcviz-progress.json").write_text('{"version": 1, "predictions": {"before": 1}}')
    book = editions.execute(editions.notebook(source), tmp_path)
    assert ast.literal_eval(book.cells[0].outputs[0].data["text/plain"]) == ("DCVIZ_PROGRESS is off", {})
    assert "before" in (tmp_path / "dcviz-progress.json").read_text()


def test_this_test_run_keeps_nothing_of_a_learners(tmp_path):
    assert learner.path().parent == tmp_path.parent, "each test has a file of its own"
    assert not learner.path().exists()
    code = "import os, conftest; print(os.environ['DCVIZ_PROGRESS'])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "off", "notebooks that pytest runs keep nothing at all"


def test_what_an_earlier_exercise_earned_counts_for_the_one_in_its_place(file):
    file.parent.mkdir()
    earned = {old: True for old in learner.SUCCESSORS} | {"pruning.ratio": False}
    file.write_text(json.dumps({"version": 1, "predictions": {}, "exercises": earned}))
    done = learner.recorded("exercises")
    assert done["full_pipeline.file_bytes"] is True
    assert done["pruning.densities"] is False
    assert learner.record("exercises", "pruning.densities", True) == ""
    assert learner.recorded("exercises")["pruning.densities"] is True
    assert json.loads(file.read_text())["exercises"]["pruning.ratio"] is False, "the learner's own record stays"


def test_the_fewest_bytes_are_kept_and_told(file):
    gaps = decision.gap_widths
    good = gaps.solution()
    worse = {**good, "fc3": (5, "C")}
    first = gaps(lambda: worse)
    assert "That is your best so far" in first.message
    assert learner.recorded("best") == {"sparse_storage.gap_widths": first.score}
    second = gaps(lambda: good)
    assert second.score < first.score
    assert f"your new best; it was {first.score:,} bytes" in second.message
    again = gaps(lambda: worse)
    assert f"your best is {second.score:,} bytes" in again.message
    assert learner.recorded("best") == {"sparse_storage.gap_widths": second.score}
    with pytest.raises(CheckFailed, match="not good enough"):
        gaps(lambda: {**good, "fc1": (10, "F")})
    assert learner.recorded("best") == {"sparse_storage.gap_widths": second.score}
    assert learner.recorded("exercises") == {"sparse_storage.gap_widths": True}


@pytest.mark.parametrize("odd", ["text", True, None, [1]])
def test_a_best_that_is_no_number_is_replaced(file, odd):
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "best": {"sparse_storage.gap_widths": odd}}))
    result = decision.gap_widths(decision.gap_widths.solution)
    assert learner.recorded("best") == {"sparse_storage.gap_widths": result.score}
