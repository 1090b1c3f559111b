"""A lab of each kind of view in JupyterLab and Notebook 7 (voila has a file of its own), and one notebook in two tabs.

Nothing comes from another machine, anywidget's own JavaScript included.
"""

import re

from lab_browser import KINDS, NotebookPage, all_kinds_live, rest, until, until_drawn, write_notebook
from playwright.sync_api import expect

TWO = "import numpy as np\nfrom dcviz.labs import PruningLab", KINDS[-1]


def problems(page):
    """What is wrong with the page, less what Notebook 7 says of itself: a plugin of its own without a schema."""
    return [text for text in page.problems() if "(reading 'schema')" not in text]


def test_a_lab_of_each_kind_lives_without_another_host(context, app, shots):
    write_notebook(app.notebooks / "kinds.ipynb", *KINDS)
    page = NotebookPage(context, app, "kinds.ipynb")
    page.run_all()
    all_kinds_live(page.page)
    a_key_is_kept_while_the_film_is_made_anew(page)
    a_drag_leaves_nothing_under_what_code_sets(page)
    a_question_keeps_its_answer_from_film_ghost_and_pin(page)
    page.page.screenshot(path=shots / f"{app.place.replace('/', '-')}.png")
    assert problems(page) == []
    assert page.foreign == []
    assert page.page.locator("body[data-jp-theme-light]").count() == 1, "what the theme of labs looks at"
    page.close()


NEW = """import time; from dcviz.labkit.base import LOCK
with LOCK:  # the lab hears of the key once the page has the new film
    pruning.film.key = None; pruning.film.reel = b""; pruning.add_class("held"); time.sleep(0.5); pruning.tabulate()
    pruning.remove_class("held"); time.sleep(0.5)"""
CODE = """import time; from dcviz.labkit.base import LOCK
with LOCK:  # no lab hears of a drag before the code has moved this one
    lloyd.add_class("held"); time.sleep(0.5); lloyd.k = {k}; lloyd.finish(); lloyd.remove_class("held")"""
UNREAD = """() => {
    const lab = document.querySelector(".dcviz-PruningLab"), { json } = Response.prototype;
    Response.prototype.json = async function () {
        const read = await json.call(this);
        while (lab.classList.contains("held")) await new Promise((on) => setTimeout(on, 20));
        return read;
    };
}"""
"""From now on a page has not read a film before it has heard all that Python sends with it, as on a busy machine."""
LATE = """async ([name, code, handle, keys]) => {
    const lab = document.querySelector(name), press = { key: "ArrowRight", bubbles: true };
    jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code });
    await new Promise((held) => new MutationObserver((_, watch) => {
        if (lab.classList.contains("held")) { watch.disconnect(); held(); }
    }).observe(lab, { attributes: true }));
    const slider = lab.querySelectorAll(".dcviz-handle")[handle];
    for (let i = 0; i < keys; i++) slider.dispatchEvent(new KeyboardEvent("keydown", press));
}"""
"""Run code; press keys once it has begun, before the page can have heard of more."""


def a_key_is_kept_while_the_film_is_made_anew(page):
    """Assert that a key is kept that comes when the page has no film, as when a lab is drawn for another width."""
    said, handle = (
        page.page.locator(f".dcviz-PruningLab {part}")
        for part in (".dcviz-caption .dcviz-text", ".dcviz-histogram [role=slider]")
    )
    before = handle.get_attribute("aria-valuenow")
    page.page.evaluate(UNREAD)
    page.page.evaluate(LATE, [".dcviz-PruningLab", NEW, 0, 1])
    expect(handle).not_to_have_attribute("aria-valuenow", before)
    shown, now = handle.get_attribute("aria-valuenow"), "with LOCK: now = f'{pruning.threshold:#.4g}'"
    until(page.page, lambda: page.ask(now, "now") == repr(shown), "Python hears of the key, and answers")
    expect(said).to_contain_text(f"threshold {float(shown):.4g} =")


def a_drag_leaves_nothing_under_what_code_sets(page):
    """Assert that Lloyd's page shows Python's step after a drag and another k."""
    lab = page.page.locator(".dcviz-LloydLab")
    said, handle = lab.locator(".dcviz-caption .dcviz-text"), lab.locator("[role=slider].dcviz-handle").nth(1)
    handle.press("ArrowRight")
    expect(said).to_contain_text("a start of your own: step 0")
    steps = page.ask("lloyd.k = 6; lloyd.finish()", "lloyd.steps")
    assert int(steps) > 0
    expect(said).to_contain_text(f"6 centroids from linear: step {steps},")
    for k, start in (7, "linear"), (7, "a start of your own"), (5, "linear"):
        if start != "linear":
            handle.press("ArrowRight")
            until(page.page, lambda: page.ask("", "len(lloyd.start) == lloyd.k") == "True", "Python hears of the start")
        page.page.evaluate(LATE, [".dcviz-LloydLab", CODE.format(k=k), 1, 3])
        expect(said).to_contain_text(re.compile(f"{k} centroids from {start}: step [1-9]"))
        rest(page.page, 300)  # the key is let go
        expect(said).to_contain_text(f"{k} centroids from {start}: step {page.ask('', 'lloyd.steps')},")
        expect(lab.locator("[role=slider].dcviz-handle")).to_have_count(k)
        own = page.ask("", "' '.join(f'{c:#.5g}' for c in lloyd.centroids)").strip("'")
        expect(lab.locator(".dcviz-codebook canvas")).to_have_attribute("data-centroids", own)
    assert page.ask("", "lloyd.error") == "''"


def a_question_keeps_its_answer_from_film_ghost_and_pin(page):
    """Assert that code may move a lab that waits, and nothing shows where it went until there is a guess."""
    lab = page.page.locator(".dcviz-PruningLab")
    said, ghost, pin = (
        lab.locator(part) for part in (".dcviz-caption .dcviz-text", ".dcviz-ghost p", ".dcviz-ghost button")
    )
    picture = lab.locator(".dcviz-linked canvas[data-shapes]")
    page.ask("from dcviz.labs import Prediction; pruning.prediction = Prediction('How many?', low=0, high=9, truth=4)")
    expect(lab.locator("xpath=self::*[contains(@class, 'dcviz-waiting')]")).to_have_count(1)
    handle = lab.locator(".dcviz-histogram [role=slider]")
    opened, shapes = said.inner_text(), picture.get_attribute("data-shapes")
    spoken = handle.get_attribute("aria-valuetext")
    page.ask("pruning.threshold = 0.11")
    expect(lab.locator("xpath=self::*[contains(@class, 'dcviz-older')]")).to_have_count(1)
    page.page.wait_for_timeout(600)  # until a ghost takes what is at rest
    assert handle.get_attribute("aria-valuetext") == spoken
    assert pin.evaluate("button => button.closest('[inert]') !== null")
    pin.evaluate("button => button.click()")
    assert (said.inner_text(), picture.get_attribute("data-shapes")) == (opened, shapes)
    assert "threshold 0.11" not in ghost.inner_text()
    page.ask("pruning.prediction.give_up()")
    expect(said).to_contain_text("threshold 0.11")
    expect(handle).to_have_attribute("aria-valuenow", "0.1100")


def state(page):
    """What a tab shows once it has drawn: threshold, caption, where the picture's parts stand."""
    lab = page.page.locator(".dcviz-PruningLab")
    return [
        lab.locator(".dcviz-histogram [role=slider][aria-valuenow]").get_attribute("aria-valuenow"),
        lab.locator(".dcviz-caption .dcviz-text").inner_text(),
        lab.locator(".dcviz-linked canvas[data-shapes]").get_attribute("data-shapes"),
    ]


def in_step(moved, other, before):
    """Assert that two tabs show the same, and no longer `before`."""
    expect(other.page.locator(".dcviz-histogram [role=slider]")).not_to_have_attribute("aria-valuenow", before[0])
    expect(other.page.locator(".dcviz-caption .dcviz-text")).not_to_have_text(before[1])
    expect(other.page.locator(".dcviz-linked canvas")).not_to_have_attribute("data-shapes", before[2])
    until(other.page, lambda: state(moved) == state(other), "the tabs come to show the same")


def test_one_notebook_in_two_tabs_stays_in_step_or_says_that_it_does_not(context, app):
    """Both tabs show the one lab of the one kernel, until one of them runs the cell again."""
    write_notebook(app.notebooks / "two.ipynb", *TWO)
    first = NotebookPage(context, app, "two.ipynb")
    first.run_all()
    expect(first.page.locator(".dcviz-histogram [role=slider]")).to_be_visible()
    first.command("docmanager:save")
    second = NotebookPage(context, app, "two.ipynb")
    handle = second.page.locator(".dcviz-histogram [role=slider]")
    expect(handle).to_be_visible()
    expect(second.page.locator(".dcviz-linked canvas[data-shapes]")).to_be_visible()
    until_drawn(second.page, ".dcviz-PruningLab")
    before = state(second)

    first.page.locator(".dcviz-histogram [role=slider]").press("ArrowRight")
    in_step(first, second, before)

    before, box = state(first), second.page.locator(".dcviz-histogram canvas").bounding_box()
    mouse, y = second.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + 0.6 * box["width"], y)
    mouse.down()
    mouse.move(box["x"] + 0.7 * box["width"], y, steps=12)
    in_step(second, first, before)  # while the button is down
    mouse.up()
    in_step(second, first, before)
    assert problems(first) == problems(second) == []

    second.run_all()  # makes a lab of its own
    said = first.page.locator(".dcviz-PruningLab .dcviz-alert .dcviz-text")
    expect(said).to_contain_text("Not in step")
    first.page.locator(".dcviz-histogram [role=slider]").press("ArrowRight")
    expect(first.page.locator(".dcviz-caption .dcviz-text")).not_to_have_text(state(second)[1])
    assert problems(second) == []
    second.command("docmanager:save")
    first.page.reload()
    first.wait_idle()
    expect(first.page.locator(".dcviz-linked canvas[data-shapes]")).to_be_visible()
    expect(said).to_be_hidden()  # an alert without words
    before = state(first)
    second.page.locator(".dcviz-histogram [role=slider]").press("ArrowRight")
    in_step(second, first, before)
    first.close()
    second.page.close()
