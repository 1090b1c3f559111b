"""Fixtures for tests in a real browser. They are skipped where there is no Chromium or no Playwright."""

import os
import shutil
from pathlib import Path

import pytest
from lab_browser import PATIENCE, ROOT, NotebookPage, Server, chromium, find_chromium

VIEWPORT = {"width": 1400, "height": 1050}


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: needs Chromium; a private JupyterLab is started")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def shots(tmp_path_factory):
    """Where screenshots go: $DCVIZ_SHOTS, else a temporary folder; never the repository."""
    folder = Path(os.environ.get("DCVIZ_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser():
    pytest.importorskip("playwright")
    if find_chromium() is None:
        pytest.skip("no Chromium or Chrome on this machine")
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    """JupyterLab over a copy of the notebooks, so that nothing a test does reaches the originals."""
    folder = tmp_path_factory.mktemp("served")
    if (ROOT / "notebooks").is_dir():
        ignore = shutil.ignore_patterns(".ipynb_checkpoints", "*.dcz")
        shutil.copytree(ROOT / "notebooks", folder, dirs_exist_ok=True, ignore=ignore)
    running = Server(folder, tmp_path_factory.mktemp("jupyter"))
    yield running
    running.stop()


@pytest.fixture
def open_notebook(browser, server):
    """open_notebook("01.ipynb") -> NotebookPage; closed and its kernel shut down after the test."""
    opened = []

    def opener(name, **options):
        context = browser.new_context(viewport=VIEWPORT, **options)
        page = NotebookPage(context, server, name)
        opened.append((context, page))
        return page

    yield opener
    for context, page in opened:
        page.close()
        context.close()
