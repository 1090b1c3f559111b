"""`dcviz open`: what the learner wrote stays, new versions come beside it, every link holds."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest
from lab_browser import free_port

from dcviz.classroom import folder
from dcviz.errors import OutputError
from dcviz.files import ROOT
from dcviz.labkit import theme

ONE = "notebooks/02_pruning.ipynb"


@pytest.fixture
def release(monkeypatch, tmp_path):
    """release(text) ships a chapter with this text, and one page, from then on."""
    page = tmp_path / "glossary.md"
    page.write_text("# Words\n")

    def ship(text, output=""):
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text, id="a")])
        nbformat.write(ran(book, output), tmp_path / "shipped.ipynb")
        monkeypatch.setattr(folder, "shipped", lambda: {ONE: tmp_path / "shipped.ipynb", "docs/glossary.md": page})

    ship("first = 1")
    return ship


def ran(book, output):
    book.cells[0].outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
    return book


def written(path, text=None, output=""):
    """Write code, or only an output, into a notebook as a learner does."""
    book = nbformat.read(path, 4)
    if text is not None:
        book.cells[0].source = text
    nbformat.write(ran(book, output), path)
    return path.read_bytes()


def source(path):
    return nbformat.read(path, 4).cells[0].source


def test_the_folder_has_all_chapters_and_every_link_holds(tmp_path):
    assert "files put into" in folder.fill(tmp_path)[0]
    assert {path.name for path in (tmp_path / "notebooks").glob("*.ipynb")} == {
        path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")
    }
    assert (tmp_path / folder.FIRST).is_file()
    pages = [path for path in tmp_path.rglob("*") if path.suffix in (".ipynb", ".md")]
    assert len(pages) > 15
    for page in pages:
        for link in re.findall(r"\]\((?!\w+:)([^)#\s]+)", folder._prose(page)):
            assert (page.parent / link).is_file(), f"{page.name}: {link}"
    assert folder.fill(tmp_path) == [], "all was there"


def test_what_the_learner_wrote_stays_and_new_versions_come_beside_it(tmp_path, release):
    assert folder.fill(tmp_path) == [f"2 files put into {tmp_path}"]
    mine = written(tmp_path / ONE, "mine = 1")
    assert folder.fill(tmp_path) == [], "there is no new version to speak of"
    release("second = 2")
    (said,) = folder.fill(tmp_path)
    assert said == f"{ONE}: yours, left as it is; the new version is beside it, 02_pruning (new version).ipynb"
    beside = tmp_path / "notebooks" / "02_pruning (new version).ipynb"
    assert (tmp_path / ONE).read_bytes() == mine
    assert source(beside) == "second = 2"
    assert folder.fill(tmp_path) == [], "said once"
    written(beside, "mine = 2")
    release("third = 3")
    assert "02_pruning (new version 2).ipynb" in folder.fill(tmp_path)[0]
    assert (source(beside), source(tmp_path / ONE)) == ("mine = 2", "mine = 1")
    assert source(tmp_path / "notebooks" / "02_pruning (new version 2).ipynb") == "third = 3"


def test_a_chapter_that_was_only_run_gives_its_place_to_the_new_version(tmp_path, release):
    folder.fill(tmp_path)
    written(tmp_path / ONE, output="what it printed")
    assert folder.fill(tmp_path) == []
    release("second = 2")
    assert folder.fill(tmp_path) == [f"{ONE}: the new version, nothing of yours was in the old one"]
    assert source(tmp_path / ONE) == "second = 2"
    (tmp_path / ONE).unlink()
    assert folder.fill(tmp_path) == [f"1 files put into {tmp_path}"], "a deleted one comes back"


@pytest.mark.parametrize("memory", [None, "", "[]", "{", '{"notebooks/02_pruning.ipynb": 7}'])
def test_without_a_memory_everything_else_counts_as_the_learners(tmp_path, release, memory):
    folder.fill(tmp_path)
    written(tmp_path / ONE, "mine = 1")
    (tmp_path / folder.SHIPPED).unlink()
    if memory is not None:
        (tmp_path / folder.SHIPPED).write_text(memory)
    assert "left as it is" in folder.fill(tmp_path)[0]
    assert source(tmp_path / ONE) == "mine = 1"


@pytest.mark.parametrize("mine", [b"", b"no notebook", b'{"cells": 7}', b"[" * 100_000, b"\xff"])
def test_what_is_no_notebook_is_the_learners_too(tmp_path, release, mine):
    folder.fill(tmp_path)
    (tmp_path / ONE).write_bytes(mine)
    release("second = 2")
    assert "left as it is" in folder.fill(tmp_path)[0]
    assert (tmp_path / ONE).read_bytes() == mine


def test_a_folder_or_a_dead_link_of_that_name_stays(tmp_path, release):
    (tmp_path / ONE).mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "glossary.md").symlink_to(tmp_path / "nowhere.md")
    assert len(folder.fill(tmp_path)) == 2
    assert (tmp_path / ONE).is_dir()
    assert not (tmp_path / "nowhere.md").exists()
    assert (tmp_path / "docs" / "glossary (new version).md").is_file()


def test_a_checkouts_own_folder_needs_nothing_and_a_file_is_no_folder(tmp_path):
    assert folder.place() == ROOT
    assert folder.fill(ROOT) == []
    assert not (ROOT / folder.SHIPPED).exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        folder.fill(tmp_path / "file")


def test_names_with_umlauts_and_chinese_characters(tmp_path, release):
    place = tmp_path / "Übung 練習"
    folder.fill(place)
    written(place / ONE, "größe = '大'")
    release("zweite = 'ü'")
    assert "yours" in folder.fill(place)[0]
    assert source(place / ONE) == "größe = '大'"


def test_open_starts_jupyterlab_on_the_first_chapter_with_our_settings(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "dcviz", "open", str(tmp_path / "work"), "--jupyter", "--no-browser"]
    command += ["--allow-root", "--ServerApp.ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token="]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    env = {**os.environ, **{name: str(tmp_path / name) for name in places}, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if f"127.0.0.1:{port}/" in line:
                break
        assert "files put into" in lines[0], lines
        assert line.strip().endswith(f"/lab/tree/{folder.FIRST}")
        wanted = json.loads((folder.JUPYTER / "labconfig" / "default_setting_overrides.json").read_text())
        for plugin, settings in wanted.items():
            known = asked(port, f"lab/api/settings/{plugin}")["schema"]["properties"]
            assert {name: known[name]["default"] for name in settings} == settings
        assert asked(port, f"api/contents/{folder.FIRST}?content=0")["type"] == "notebook"
        for page in ("lab", f"notebooks/{folder.FIRST}"):  # of JupyterLab, of Notebook 7
            assert 'rel="stylesheet" href="/custom/custom.css"' in asked(port, page, read=bytes.decode)
        assert asked(port, "custom/custom.css", read=bytes.decode) == theme.css()
        assert '"buildCheck": false' in asked(port, "lab", read=bytes.decode)
    finally:
        process.terminate()
        process.communicate()


def asked(port, what, patience=180, read=json.loads):
    """The answer of a server that has said its address, a little before it listens there."""
    end = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}", timeout=patience) as answer:
                return read(answer.read())
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > end:
                raise
            time.sleep(0.1)
