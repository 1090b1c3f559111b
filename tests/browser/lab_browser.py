"""A private JupyterLab and a Chromium that drives it; used by the browser tests and the latency benchmark.

Nothing of the user's Jupyter is read or written: settings, workspaces and runtime files live in a folder
of the test's own.
"""

import contextlib
import functools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlparse

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # nothing leaves this machine
]
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # else cells leave the page
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
OPEN = """import sys
from dcviz.classroom import folder
folder.fill = lambda _: ()
folder.open_lab(sys.argv[1], sys.argv[2:])"""
"""`dcviz open` on a folder of a test's own."""
NOTEBOOK = """import sys
sys.modules["rfc3987_syntax"] = None  # as `dcviz open` does
from notebook.app import main
main(sys.argv[1:])"""
NO_FORM = """() => {
    const beside = document.createElement("div");
    beside.hidden = true;
    beside.append(...Array.from({ length: 201 }, () => document.createElement("input")));
    document.body.append(beside);
}"""
"""Chromium looks for addresses to fill in among all fields, anew after each key; among over 200 it does not."""
ALONE = """async (esm, state) => {
    const calls = [];
    window.model = {
        get: (key) => state[key],
        set: (key, value) => {
            if (JSON.stringify(state[key]) === JSON.stringify(value)) return;
            state[key] = value;
            for (const [name, call] of [...calls]) if (name === `change:${key}`) call();
        },
        on: (names, call) => names.split(" ").forEach((name) => calls.push([name, call])),
        off: () => {},
        save_changes: () => {},
    };
    const el = document.createElement("div");
    el.style = "width: 800px; position: relative; --dcviz-ink: #111; --dcviz-ground: #fff; --dcviz-size: 18px";
    document.body.append(el);
    const view = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    view.default.render({ model, el });
}"""
"""Draw a view from its script and its state, in a page of its own and without Python; its model is ``model``."""
PATIENCE = 180_000  # milliseconds for what must happen at all: a busy machine is no bug


def find_chromium():
    """Path of a Chromium or Chrome on this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next(filter(None, map(shutil.which, names)), None)


def free_port():
    """A port of this machine's loopback that nobody listens on.

    It lies below those that the system gives away, as kernels and other tests may be given one before a server of ours
    has come to listen there.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """JupyterLab on a free loopback port, serving `notebooks`; its own files go to `private`. Or Notebook 7: app.

    app     "lab", opened as `dcviz open` does it, or "notebook"
    settings of JupyterLab, {plugin: {name: value}}
    """

    def __init__(self, notebooks, private, app="lab", settings=SETTINGS):
        self.notebooks, private = Path(notebooks), Path(private)
        self.place = {"lab": "doc/tree", "notebook": "notebooks"}[app]
        options = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}[app]
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        places = {
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",  # signatures of notebooks
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
        }
        env = {**os.environ, **{name: str(private / folder) for name, folder in places.items()}}
        env |= {
            "JUPYTER_PREFER_ENV_PATH": "1",
            "OMP_NUM_THREADS": "1",
            "DCVIZ_PROGRESS": str(private / "progress.json"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        for name, content in settings.items():
            file = private / "settings" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
        self.log = private / "server.log"
        quiet = "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
        notebook = "-c", NOTEBOOK, f"--ServerApp.root_dir={notebooks}", *quiet
        command = [
            *(sys.executable, *(("-c", OPEN, notebooks) if app == "lab" else notebook), "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="),
            *(f"--{options}.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"),
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        self._wait()

    def _wait(self, seconds=PATIENCE / 1000):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/api/status", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-2000:]}")

    def stop(self):
        """End the server and its kernels."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def painted(page):
    """Wait until what has been set by now is drawn: the frame that draws it, and one more."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def rest(page, milliseconds):
    """Let the page's own clock run on: its timers that end before are through then, however slow the machine is."""
    page.evaluate("time => new Promise((done) => setTimeout(done, time))", milliseconds)


def until(page, true, what):
    """Wait until `true()`, for what a page alone cannot say; `what` names it if it does not come."""
    end = time.monotonic() + PATIENCE / 1000
    while not true():
        assert time.monotonic() < end, what
        page.wait_for_timeout(100)  # its events are heard meanwhile


def until_drawn(page, lab):
    """Wait until a lab's pictures are there, whole, and drawn for its room; a picture may be replaced meanwhile.

    lab     a selector; of what it finds, the first
    """
    page.wait_for_function(
        """selector => {
            const lab = document.querySelector(selector);
            if (!lab?.dcvizRoom) return false;
            const [inner, most] = lab.dcvizRoom.split(",").map(Number), css = getComputedStyle(lab);
            const now = lab.clientWidth - parseFloat(css.paddingLeft) - parseFloat(css.paddingRight);
            const whole = [...lab.querySelectorAll("img.dcviz-figure")].every((e) => e.complete && e.naturalWidth > 0);
            const pictures = [...lab.querySelectorAll(".dcviz-linked .dcviz-view, img.dcviz-figure")];
            return Math.abs(inner - now) <= 1 && whole && pictures.every((e) => !most || e.clientHeight <= most + 2);
        }""",
        arg=lab,
    )
    painted(page)


def until_alive(lab):
    """Wait until a lab of an exported page is drawn and its saved picture is gone, so that it stays where it is.

    lab     the locator of something in it
    """
    lab.page.wait_for_function(
        """e => {
            const place = e.closest("[data-lab]");
            return place.querySelector(".dcviz-static").hidden
                && [...place.querySelectorAll(".dcviz-lab")].every((lab) => lab.dcvizRoom)
                && [...place.querySelectorAll(".dcviz-linked canvas")].every((canvas) => canvas.dataset.shapes);
        }""",
        arg=lab.element_handle(),
    )
    painted(lab.page)


def watched(context):
    """A list that grows by each request of a context for another machine; CHROMIUM_FLAGS let none out.

    Only looking on, as a route through Python doubles the work of opening JupyterLab.
    """
    foreign = []

    def look(request):
        if urlparse(request.url).hostname not in ("127.0.0.1", "localhost", None):
            foreign.append(request.url)

    context.on("request", look)
    return foreign


KINDS = (
    "import numpy as np\nfrom dcviz.labs import DigitLab, EnergyLab, GradientLab, HuffmanLab, JourneyLab\n"
    "from dcviz.labs import LloydLab, PruningLab",
    "EnergyLab()",
    "lloyd = LloydLab(k=4)\nlloyd",
    "HuffmanLab()",
    "GradientLab()",
    "JourneyLab(weight=5)",
    "DigitLab()",
    "weights = {'fc1': np.random.default_rng(1).normal(0, 0.1, (300, 784))}\n"
    "pruning = PruningLab('mine', weights=weights, threshold=0.05)\npruning",
)
"""Cells of a notebook with a view of each kind. The last has the histogram, which needs the import only."""

VIEWS = (
    ".dcviz-PruningLab .dcviz-histogram canvas",
    ".dcviz-PruningLab .dcviz-linked canvas[data-shapes]",
    ".dcviz-LloydLab .dcviz-codebook canvas",
    ".dcviz-EnergyLab img.dcviz-figure[alt]",
    ".dcviz-HuffmanLab .dcviz-tree .terminal.leaf >> nth=0",
    ".dcviz-HuffmanLab .dcviz-linked canvas[data-shapes]",
    ".dcviz-GradientLab .dcviz-gradient [data-cluster] >> nth=0",
    ".dcviz-JourneyLab .dcviz-journey svg",
    ".dcviz-DigitLab .dcviz-digit canvas.sheet",
)
"""Where the views of KINDS stand in the page, the histogram first."""


def all_kinds_live(page):
    """Assert that a page shows all the VIEWS of KINDS, that a film plays in it, and that a kernel answers."""
    from playwright.sync_api import expect

    for view in VIEWS:
        expect(page.locator(view)).to_be_visible()
    page.wait_for_function(  # Python may replace it meanwhile
        """() => { const image = document.querySelector(".dcviz-EnergyLab img.dcviz-figure");
            return image?.complete && image.naturalWidth > 100; }"""
    )
    # the first caption follows in the browser; the second lab has no film, so Python says what its caption says
    for lab, handle in (("PruningLab", ".dcviz-histogram [role=slider]"), ("JourneyLab", ".noUi-handle")):
        said = page.locator(f".dcviz-{lab} .dcviz-caption .dcviz-text")
        expect(said).to_contain_text(" ")
        before = said.inner_text()
        page.locator(f".dcviz-{lab} {handle}").press("ArrowRight")
        expect(said).not_to_have_text(before)
    assert page.locator(".jupyter-widgets-error-widget").count() == 0


class NotebookPage:
    """One notebook open in JupyterLab. Collects page errors and requests that left this machine."""

    def __init__(self, context, server, name):
        self.server, self.name, self.errors = server, name, []
        self.foreign = watched(context)
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._load()

    def _load(self):
        self.page.goto(f"{self.server.url}/{self.server.place}/{quote(self.name)}?reset")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        self.page.locator(".jp-Notebook").wait_for()
        self.page.evaluate(NO_FORM)
        self.wait_idle()

    def another_day(self):
        """Shut the kernel down, load the page anew and open the notebook as it was saved."""
        self.leave()
        self._load()

    def show(self, name):
        """Open another notebook in place of this one, whose kernel ends; JupyterLab itself is not loaded again."""
        self.leave()
        self.page.evaluate("jupyterapp.shell.currentWidget.dispose()")
        self.page.locator(".jp-Notebook").wait_for(state="detached")
        self.name = name
        self.foreign.clear()
        self.command("docmanager:open", {"path": name, "factory": "Notebook"})
        self.page.locator(".jp-Notebook").wait_for()
        self.wait_idle()

    def wait_idle(self, seconds=PATIENCE / 1000):
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(
            """() => {
                const c = window.jupyterapp?.shell?.currentWidget?.sessionContext;
                return c && c.isReady && c.session?.kernel?.status === "idle";
            }""",
            timeout=1000 * seconds,
        )

    def ask(self, code, expression="None"):
        """Run code in the kernel, as another cell would, and give the `repr` of an expression after it."""
        return self.page.evaluate(
            """async ([code, wanted]) => {
                const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
                const reply = await kernel.requestExecute({ code, user_expressions: { wanted } }).done;
                return reply.content.user_expressions.wanted.data["text/plain"];
            }""",
            [code, expression],
        )

    def command(self, name, arguments=None):
        """Run a JupyterLab command."""
        return self.page.evaluate(
            "async ([name, args]) => { await jupyterapp.commands.execute(name, args ?? {}); }", [name, arguments]
        )

    def run_all(self, seconds=180):
        """Run every cell and wait for the last."""
        self.page.set_default_timeout(1000 * seconds)
        self.command("notebook:run-all-cells")
        self.wait_idle(seconds)
        self.page.set_default_timeout(PATIENCE)

    def book(self):
        """The notebook as it is in the browser now, with its outputs."""
        import nbformat

        return nbformat.reads(self.page.evaluate("JSON.stringify(jupyterapp.shell.currentWidget.model.toJSON())"), 4)

    def problems(self):
        """What is wrong with the page now: a list of strings, empty if all is well."""
        found = [f"page error: {e}" for e in self.errors] + [f"request off this machine: {u}" for u in self.foreign]
        outputs = self.page.locator("[data-mime-type='application/vnd.jupyter.error']")
        found += [f"error output: {text[:500]}" for text in outputs.all_inner_texts()]
        found += [f"dialog: {text[:300]}" for text in self.page.locator(".jp-Dialog").all_inner_texts()]
        alerts = self.page.locator(".dcviz-text[role=alert]:not([hidden])")
        found += [f"a lab says: {text}" for text in alerts.all_inner_texts()]
        broken = self.page.locator(".jupyter-widgets-error-widget")
        found += [f"widget did not display: {text[:500]}" for text in broken.all_text_contents()]
        prompts = self.page.locator(".jp-InputPrompt").all_inner_texts()
        found += [f"unfinished cell {p}" for p in prompts if "*" in p]
        return found

    def theme(self, name):
        """'JupyterLab Light' or 'JupyterLab Dark'."""
        self.command("apputils:change-theme", {"theme": name})
        light = "true" if "Light" in name else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.page.locator("#main").wait_for()  # hidden for a frame
        painted(self.page)

    def leave(self):
        """Shut the kernel down."""
        self.page.evaluate(
            """async () => {
                const context = jupyterapp.shell.currentWidget?.sessionContext;
                if (context) await context.shutdown();
            }"""
        )

    def close(self):
        """Shut the kernel down and close the page."""
        self.leave()
        self.page.close()


def patient(make):
    """A browser's `make`, but whatever is waited for in what it makes may take as long as PATIENCE."""

    def made(**options):
        new = make(**options)
        new.set_default_timeout(PATIENCE)
        return new

    return made


@contextlib.contextmanager
def chromium(**options):
    """A headless Chromium; give `new_context` what Playwright takes. Needs `find_chromium()`.

    Its pages are asked 20 times a second for what is waited for, not at each frame, as that has them drawn each time.
    """
    from playwright.sync_api import Page, sync_playwright

    Page.wait_for_function = functools.partialmethod(Page.wait_for_function, polling=50)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS, **options)
        browser.new_context, browser.new_page = patient(browser.new_context), patient(browser.new_page)
        try:
            yield browser
        finally:
            browser.close()


def write_notebook(path, *cells):
    """A notebook of code cells, for a test of its own."""
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


SEEN = """lab => [...lab.querySelectorAll(".dcviz-text, .dcviz-ghost p, canvas, svg, table, input, select, button")]
    .filter(e => !("played" in e.dataset)).map(e => e.toDataURL?.() ?? e.value + e.outerHTML)"""
"""What a lab shows apart from the control that was moved, a string for each part."""

MOVE = """e => {
    const tell = (...names) => names.forEach((name) => e.dispatchEvent(new Event(name, { bubbles: true })));
    if (e.tagName === "SELECT") { e.selectedIndex = (e.selectedIndex + 1) % e.options.length; tell("change"); }
    else if (e.type === "range") { e.value = e.value === e.max ? e.min : e.max; tell("input", "change"); }
    else if (e.tagName === "BUTTON" || e.type === "checkbox" || e.type === "radio") e.click();
    else {
        const value = Number(e.value.replace("\u2212", "-"));
        e.value = e.inputMode ? (value > 1 ? value - 1 : value + 1) : "2, 3";
        tell("input", "change");
        e.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    }
}"""


def dead_controls(lab):
    """Controls of a lab in an exported page that change nothing, or are off and do not say why: a list of strings.

    lab     the lab's locator; it is played with, so look at nothing else in it afterwards
    """
    found, controls = [], lab.locator("input, select, button")
    for i in reversed(range(controls.count())):  # what stands first often switches off what follows
        control = controls.nth(i)
        name = control.evaluate("e => e.ariaLabel || e.textContent || e.closest('div')?.textContent || e.type")
        if control.is_disabled():
            why = control.evaluate("e => `${e.closest('[title]')?.title} ${e.ariaLabel} ${e.textContent}`")
            resting = control.evaluate("e => e.closest('.dcviz-play') !== null")  # a step that cannot be made now
            if "needs the notebook" not in why and not resting:
                found.append(f"off without a word: {name}")
        elif control.is_visible() and not control.evaluate("e => e.classList.contains('mod-active')"):  # chosen already
            control.evaluate("e => { e.dataset.played = ''; document.dispatchEvent(new Event('dcviz-pause')); }")
            before = lab.evaluate(SEEN)
            control.evaluate(MOVE)
            painted(lab.page)
            after = lab.evaluate(SEEN)
            if before == after and control.evaluate("e => e.closest('.dcviz-play') !== null"):
                rest(lab.page, 1500)  # what plays goes on
                after = lab.evaluate(SEEN)
            control.evaluate("e => { delete e.dataset.played; }")
            if before == after:
                found.append(f"changes nothing: {name}")
    return found
