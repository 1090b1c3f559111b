"""How long a lab's pictures and caption take to follow, measured in a real Chromium on a real JupyterLab.

    python tests/benchmarks/labs_latency.py [--events 60] [--json] [LAB ...]

One event at a time (a click, a key, a number, a mouse move), from the event to the first task after the frame in which
the caption says something else, and the linked picture, where there is one, shows it (`behind` counts the frames in
which it did not yet); then a burst of events 60 times a second, counting the frames that showed new words;
then how long after the last event, and the release of what was dragged, Python has it. `floor` is what the same machine
needs at the same time to show one changed word of a page: on a busy one it says how much of the rest is waiting. The
machine's load stands below.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from lab_browser import NotebookPage, Server, chromium, find_chromium, write_notebook
from latency import summary

BARS = {"median_ms": 33, "p95_ms": 60, "frames_per_s": 30, "heard_ms": 150}

SLIDE = """(lab, i) => {{
    const handle = lab.querySelectorAll(".noUi-handle")[{which}];
    const key = i % 40 < 20 ? "ArrowRight" : "ArrowLeft";
    handle.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
}}"""
DRAG = """(lab, i) => {
    const canvas = lab.querySelector(".dcviz-histogram canvas"), box = canvas.getBoundingClientRect();
    const x = box.x + box.width * (0.55 + 0.3 * Math.abs(1 - (i % 60) / 30)), y = box.y + box.height / 2;
    const at = { clientX: x, clientY: y, pointerId: 1, isPrimary: true, bubbles: true, buttons: 1, button: 0 };
    canvas.setPointerCapture = () => {};
    if (i === 0) canvas.dispatchEvent(new PointerEvent("pointerdown", at));
    canvas.dispatchEvent(new PointerEvent("pointermove", at));
}"""
CENTROID = """(lab, i) => {
    const canvas = lab.querySelector(".dcviz-codebook canvas"), box = canvas.getBoundingClientRect();
    const x = box.x + box.width * (0.46 + 0.08 * ((i * 0.618) % 1)), y = box.y + box.height / 2;
    const at = { clientX: x, clientY: y, pointerId: 1, isPrimary: true, bubbles: true, buttons: 1, button: 0 };
    canvas.setPointerCapture = () => {};
    if (i === 0) canvas.dispatchEvent(new PointerEvent("pointerdown", at));
    canvas.dispatchEvent(new PointerEvent("pointermove", at));
}"""
LABS = {
    "PruningLab": ("labs.PruningLab('lenet-300-100', layer='fc1', threshold=0.04)", DRAG),
    "BigNetLab": ("labs.BigNetLab(layer='classifier.1', threshold=0.01)", DRAG),
    "SharingLab": ("labs.SharingLab('lenet-300-100', layer='fc1')", SLIDE.format(which=0)),
    "LloydLab": ("labs.LloydLab('lenet-300-100', layer='fc1', k=8)", CENTROID),
    "RelativeIndexLab": (
        "labs.RelativeIndexLab(size=32, step=4)",
        "(lab, i) => lab.querySelector(`[data-position='${16 + (i % 16)}']`).dispatchEvent("
        "new MouseEvent('click', { bubbles: true }))",
    ),
    "GradientLab": (
        "labs.GradientLab()",
        """(lab, i) => {
            const entry = lab.querySelectorAll("input[aria-label^=gradient]")[i % 16];
            entry.value = (0.01 * (i + 1)).toFixed(2);
            entry.dispatchEvent(new Event("change"));
        }""",
    ),
    "CodebookLab": ("labs.CodebookLab(n=5000, bits=5)", SLIDE.format(which=0)),
    "HuffmanLab": (
        "labs.HuffmanLab('lenet-300-100', layer='fc1', stream='weight codes')",
        """(lab, i) => {
            const leaves = lab.querySelectorAll(".terminal.leaf");
            leaves[i % leaves.length].dispatchEvent(new MouseEvent("click", { bubbles: true }));
        }""",
    ),
    "DigitLab": ("labs.DigitLab()", SLIDE.format(which=0)),
}
"""{lab: (code, function of the lab's element and a number that does something new each time)}."""

CELL = """
import ipywidgets
from dcviz import labs
lab = {code}
heard = ipywidgets.HTML("").add_class("heard")
lab.observe(lambda _: setattr(heard, "value", repr(lab)), list(lab.state_names))
display(heard)
lab
"""

WATCH = """name => {
    const lab = document.querySelector(`.dcviz-${name}`);
    const log = window.follow = { samples: [], frames: 0, behind: 0, since: null };
    const picture = lab.querySelector(".dcviz-linked canvas");
    let drawn = picture?.dataset.shapes;
    log.lab = lab;
    new MutationObserver(() => {
        const channel = new MessageChannel(), from = log.since;
        log.since = null;
        channel.port1.onmessage = () => { // the first task after the frame that shows it
            log.frames += 1;
            if (from === null) return;
            log.samples.push(performance.now() - from);
            if (picture && picture.dataset.shapes === drawn) log.behind += 1;
            drawn = picture?.dataset.shapes;
        };
        requestAnimationFrame(() => channel.port2.postMessage(0));
    }).observe(lab.querySelector(".dcviz-caption"), { childList: true, subtree: true, characterData: true });
    new MutationObserver(() => { log.heard = performance.now(); })
        .observe(document.querySelector(".heard"), { childList: true, subtree: true, characterData: true });
}"""

FLOOR = """async () => {
    const word = document.body.appendChild(document.createElement("p")), samples = [];
    for (let i = 0; i < 30; i += 1) {
        await new Promise((later) => setTimeout(later, 60));
        const from = performance.now(), channel = new MessageChannel();
        const shown = new Promise((done) => { channel.port1.onmessage = () => done(performance.now()); });
        word.textContent = i;
        requestAnimationFrame(() => channel.port2.postMessage(0));
        samples.push(await shown - from);
    }
    word.remove();
    return samples.sort((a, b) => a - b)[15];
}"""

BURST = """async ([move, first, events]) => {
    const log = window.follow, act = eval(move), start = performance.now();
    await new Promise((done) => {
        let sent = 0;
        const timer = setInterval(() => {
            const due = Math.min(events, Math.floor((performance.now() - start) * 60 / 1000) + 1);
            for (; sent < due; sent += 1) act(log.lab, first + sent);
            if (sent < events) return;
            clearInterval(timer);
            const dragged = log.lab.querySelector(".dcviz-histogram canvas, .dcviz-codebook canvas");
            dragged?.dispatchEvent(new PointerEvent("pointerup", { pointerId: 1, isPrimary: true, bubbles: true }));
            log.last = performance.now();
            done();
        }, 4);
    });
    return (performance.now() - start) / 1000;
}"""


def measure(names=None, events=60):
    """{lab: {floor_ms, median_ms, p95_ms, max_ms, events, frames_per_s, heard_ms, behind, load}}.

    {"skipped": reason} without a Chromium.
    """
    if find_chromium() is None:
        return {"skipped": "no Chromium or Chrome on this machine"}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        notebooks, private = Path(folder, "notebooks"), Path(folder, "private")
        notebooks.mkdir()
        private.mkdir()
        server = Server(notebooks, private)
        try:
            with chromium() as browser:
                context = browser.new_context(viewport={"width": 1400, "height": 1000})
                for name in names or LABS:
                    code, move = LABS[name]
                    write_notebook(notebooks / f"{name}.ipynb", CELL.format(code=code))
                    found[name] = _follow(NotebookPage(context, server, f"{name}.ipynb"), name, move, events)
        finally:
            server.stop()
    return found


def _follow(book, name, move, events):
    from playwright.sync_api import TimeoutError

    book.run_all()
    page = book.page
    page.locator(f".dcviz-{name} .dcviz-film[data-frames]").first.wait_for(state="attached")
    page.wait_for_timeout(2000)  # let JupyterLab finish what it does after a run
    floor = page.evaluate(FLOOR)
    page.evaluate(WATCH, name)
    for i in range(events + 5):
        page.evaluate("([move, i]) => { follow.since = performance.now(); eval(move)(follow.lab, i); }", [move, i])
        try:
            page.wait_for_function(f"follow.samples.length > {i}", polling=5, timeout=5000)
        except TimeoutError:  # the same words by chance: nothing to show
            page.evaluate(f"follow.samples.length > {i} || follow.samples.push(follow.since = null)")
        page.wait_for_timeout(60)  # a hand is no faster, and Python may answer
    result = summary([sample for sample in page.evaluate("follow.samples")[5:] if sample is not None])
    page.evaluate("follow.frames = 0")
    took = page.evaluate(BURST, [move, events + 5, 120])
    frames, behind = page.evaluate("[follow.frames, follow.behind]")
    page.wait_for_timeout(3000)
    heard = page.evaluate("follow.heard - follow.last")
    book.close()
    more = {"floor_ms": round(floor, 1), "frames_per_s": round(frames / took, 1), "heard_ms": round(heard, 1)}
    more |= {"behind": behind, "load": round(os.getloadavg()[0], 1)}
    return result | more


def table(found):
    """The measured labs as lines of text."""
    if "skipped" in found:
        return f"skipped: {found['skipped']}"
    lines = [f"{'':18}{'floor':>9}{'median':>9}{'p95':>9}{'frames/s':>10}{'Python after':>14}{'behind':>8}{'load':>7}"]
    for name, row in found.items():
        numbers = (
            f"{row['floor_ms']:>6.1f} ms{row['median_ms']:>6.1f} ms{row['p95_ms']:>6.1f} ms{row['frames_per_s']:>10.1f}"
        )
        met = row["median_ms"] <= BARS["median_ms"] and row["p95_ms"] <= BARS["p95_ms"]
        numbers += f"{row['heard_ms']:>11.0f} ms{row['behind']:>8}{row['load']:>7}"
        lines.append(f"{name:18}{numbers}  {'' if met else 'MISSED'}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labs", nargs="*", metavar="LAB", help=f"any of: {', '.join(LABS)} (default: all)")
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = measure(arguments.labs, arguments.events)
    print(json.dumps(measured, indent=1) if arguments.json else table(measured))
