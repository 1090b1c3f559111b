import json

import pytest

from dcviz.errors import DataError, OutputError
from dcviz.evidence import recordings, resumed


@pytest.mark.parametrize("name", [*recordings.RECORDINGS, *recordings.PROGRAMS])
def test_every_recording_ships_with_its_command_date_and_machine(name):
    recorded = recordings.load(name)
    assert recorded.command == recordings.PROGRAMS.get(name, f"python -m dcviz record {name}")
    assert recorded.rows
    assert recorded.date in recorded.note
    assert recorded.machine in recorded.note


def test_nothing_is_shipped_that_no_command_makes():
    shipped = {path.stem for path in recordings.FOLDER.glob("*.json")}
    assert shipped - set(recordings.OPTIONAL) == {*recordings.RECORDINGS, *recordings.PROGRAMS}


def test_what_not_every_machine_can_measure_may_be_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    assert recordings.find("gpu_times") is None
    (tmp_path / "gpu_times.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read"):
        recordings.find("gpu_times")


def test_a_rehearsal_is_kept_beside_the_caches(monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path / "recorded")
    monkeypatch.setattr(recordings, "cache_dir", lambda: tmp_path / "caches")
    monkeypatch.setitem(recordings.RECORDINGS, "beads", "beads:count")
    module = type("Module", (), {"count": lambda device="cuda": [{"beads": device}]})
    monkeypatch.setattr(recordings, "import_module", lambda name: module)
    recorded = recordings.record("beads", device="cpu")
    assert recorded.rows == [{"beads": "cpu"}]
    assert recorded.command == "python -m dcviz record beads --device cpu"
    assert not list((tmp_path / "recorded").glob("*"))
    assert recordings.path("beads", "cpu").parent.parent == tmp_path / "caches"
    assert recordings.path("beads", "cpu").exists()
    with pytest.raises(DataError, match="'beads' has no option seconds"):
        recordings.record("beads", seconds=3)


def test_recording_writes_what_was_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    monkeypatch.setattr(recordings.machine, "name", lambda: "an abacus")
    monkeypatch.setitem(recordings.RECORDINGS, "beads", "beads:count")
    monkeypatch.setattr(recordings, "import_module", lambda name: type("Module", (), {"count": lambda: [{"beads": 3}]}))
    recorded = recordings.record("beads")
    assert recordings.load("beads") == recorded
    assert json.loads((tmp_path / "beads.json").read_text())["rows"] == [{"beads": 3}]


def test_missing_damaged_and_unknown_recordings_name_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    with pytest.raises(DataError, match="python -m dcviz record beads"):
        recordings.load("beads")
    (tmp_path / "beads.json").write_text('{"name": "beads"}')
    with pytest.raises(DataError, match="python -m dcviz record beads"):
        recordings.load("beads")
    with pytest.raises(DataError, match="no measurement called 'beads'"):
        recordings.record("beads")


@pytest.mark.parametrize(
    "text",
    [
        *("", "[" * 100_000, "7", "{}", "\0", "[]"),
        '{"name": 1, "command": "c", "date": "d", "machine": "m", "rows": []}',
        '{"name": "n", "command": "c", "date": "d", "machine": "m", "rows": {}}',
        '{"name": "n", "command": "c", "date": "d", "machine": "m", "rows": [7]}',
        '{"name": "n", "command": "c", "date": "d", "machine": "m", "rows": [], "more": 1}',
    ],
    ids=lambda text: text[:70],
)
def test_what_is_no_recording_is_refused(monkeypatch, tmp_path, text):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    (tmp_path / "beads.json").write_text(text)
    with pytest.raises(DataError, match="cannot be read"):
        recordings.load("beads")


def test_a_place_that_cannot_be_written_is_said_before_measuring(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(recordings, "FOLDER", tmp_path / "file")
    monkeypatch.setattr(recordings, "import_module", None)  # nothing may be measured
    with pytest.raises(OutputError, match="files cannot be written there"):
        recordings.record("shipped_nets")


def test_what_was_computed_is_kept_and_damage_is_mended(tmp_path):
    path = tmp_path / "new" / "one.json"
    assert resumed.kept(path, lambda: {"a": (1, 2)}) == {"a": [1, 2]}
    assert resumed.kept(path, lambda: 1 / 0) == {"a": [1, 2]}
    path.write_text("{")
    assert resumed.kept(path, lambda: [3]) == [3] == resumed.kept(path, lambda: 1 / 0)
