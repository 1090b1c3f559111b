"""voila serves a notebook with labs as a dashboard, live; what it cannot fetch it does without."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from lab_browser import KINDS, PATIENCE, ROOT, all_kinds_live, free_port, until, watched, write_notebook

pytest.importorskip("voila")


@pytest.fixture
def dashboard(tmp_path):
    """URL of voila serving one notebook."""
    notebook = write_notebook(tmp_path / "dashboard.ipynb", *KINDS)
    port = free_port()
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}
    env = {**os.environ, **{name: str(tmp_path / folder) for name, folder in places.items()}}
    env |= {"OMP_NUM_THREADS": "1", "DCVIZ_PROGRESS": "off", "JUPYTER_PREFER_ENV_PATH": "1"}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with (tmp_path / "voila.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/voila/static/voila.js", timeout=5).close()
            break
        except urllib.error.HTTPError:
            break  # it answers
        except OSError:
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}/"
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_a_lab_of_each_kind_lives_in_voila(browser, dashboard, shots):
    context = browser.new_context(viewport={"width": 1300, "height": 1200})
    foreign = watched(context)
    page = context.new_page()
    page.goto(dashboard, timeout=3 * PATIENCE)  # it answers when all cells have run
    all_kinds_live(page)
    page.screenshot(path=shots / "voila.png")
    context.close()
    known = "mathjax", "fontawesome"  # voila's own page asks for formulas and icons; the labs need neither
    assert not [url for url in foreign if not any(name in url.lower() for name in known)], foreign


def test_a_request_for_another_machine_is_seen_and_stays_here(browser):
    context = browser.new_context()
    foreign, page = watched(context), context.new_page()
    failures = []
    context.on("requestfailed", lambda request: failures.append(request.failure))
    asked = ["https://elsewhere.example/a", "http://192.0.2.1/b"]
    failed = page.evaluate("urls => Promise.all(urls.map(u => fetch(u).then(() => '', e => e.message)))", asked)
    assert all(failed)
    assert foreign == asked
    until(page, lambda: len(failures) >= 2, "both requests fail")
    assert failures == ["net::ERR_NAME_NOT_RESOLVED"] * 2, "an address made of numbers, too, is no host"
    context.close()
