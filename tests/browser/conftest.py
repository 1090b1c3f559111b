"""Fixtures for tests in a real browser. They are skipped where there is no Chromium or no Playwright.

Browser, servers and their tab end with the tests of this folder, so that none idles beside what a worker does next.
"""

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


@pytest.fixture(scope="package")
def browser():
    pytest.importorskip("playwright")
    if find_chromium() is None:
        pytest.skip("no Chromium or Chrome on this machine")
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def served(tmp_path_factory):
    """A folder with a copy of the notebooks, so that nothing a test does reaches the originals."""
    folder = tmp_path_factory.mktemp("served")
    if (ROOT / "notebooks").is_dir():
        ignore = shutil.ignore_patterns(".ipynb_checkpoints", "*.dcz")
        shutil.copytree(ROOT / "notebooks", folder, dirs_exist_ok=True, ignore=ignore)
    return folder


@pytest.fixture(scope="package")
def server(browser, served, tmp_path_factory):
    """JupyterLab over the copy of the notebooks."""
    running = Server(served, tmp_path_factory.mktemp("jupyter"))
    yield running
    running.stop()


@pytest.fixture(scope="package")
def notebook_server(browser, served, tmp_path_factory):
    """Notebook 7 over the same folder."""
    pytest.importorskip("notebook")
    running = Server(served, tmp_path_factory.mktemp("jupyter"), "notebook")
    yield running
    running.stop()


@pytest.fixture(scope="module", params=["server", "notebook_server"], ids=["lab", "notebook"])
def app(request):
    """The server of JupyterLab, then of Notebook 7."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="package")
def windows(browser):
    """{address of a front end: the window for its notebooks}."""
    opened = {}
    yield opened
    for window in opened.values():
        window.close()


@pytest.fixture(scope="module")
def context(browser, app, windows):
    """The window of a front end. To load the page in a new one, where nothing is compiled yet, is twice the work."""
    if app.url not in windows:
        windows[app.url] = browser.new_context(viewport=VIEWPORT)
    return windows[app.url]


@pytest.fixture(scope="package")
def tabs(server):
    """The tab of JupyterLab that tests share, in a list; at first there is none."""
    opened = []
    yield opened
    for page in opened:
        page.close()


@pytest.fixture
def open_notebook(browser, server, tabs, request):
    """open_notebook("01.ipynb") -> NotebookPage, in one tab for all tests, as loading JupyterLab is much work.

    Another notebook takes its place there, and ends its kernel; the same one keeps it, for its cells to be run again.
    """
    failed = request.session.testsfailed

    def opener(name):
        if not tabs:
            tabs.append(NotebookPage(browser.new_context(viewport=VIEWPORT), server, name))
            return tabs[0]
        page = tabs[0]
        page.page.set_viewport_size(VIEWPORT)
        if page.name == name:
            page.command("notebook:clear-all-cell-outputs")
        else:
            page.show(name)
        return page

    yield opener
    if tabs and (tabs[0].errors or request.session.testsfailed > failed):  # who comes next gets a clean one
        page = tabs.pop()
        page.close()
        page.page.context.close()
