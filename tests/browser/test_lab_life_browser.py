"""Labs on day two, after a restart, by keyboard and with numbers as people type them, in JupyterLab and Notebook 7."""

import io
import json
import re

import pytest
from lab_browser import NotebookPage, until, write_notebook
from PIL import Image
from playwright.sync_api import expect

CELLS = (
    "from dcviz.labs import *\nlab = PruningLab()\nlab",
    "quiet = RetrainingLab(epochs=20)\nquiet",
    "Progress()",
    "Prediction('How many?', low=0, high=9, key='how-many', truth=4)",
    "JourneyLab(weight=5)",
    "guess = Prediction('Which?', options=['a'])\nLloydLab('mine', weights={'all': [1.0, 2.0]}, k=2, prediction=guess)",
    "FinetuneLab()",
    "DecodeLab()",
)


@pytest.fixture(scope="module")
def tab(context, app):
    """The notebook of five labs in the one tab of a front end: to load the page and PyTorch is most of the work."""
    write_notebook(app.notebooks / "day.ipynb", *CELLS)
    page = NotebookPage(context, app, "day.ipynb")
    page.page.set_viewport_size({"width": 1280, "height": 1400})
    page.fresh = False
    yield page
    page.close()


@pytest.fixture
def page(tab):
    """The tab, its cells run anew unless the test before left the labs that come next as they were made."""
    tab.errors.clear()
    if not tab.fresh:
        tab.command("notebook:clear-all-cell-outputs")
        run(tab)
    tab.fresh = False
    return tab


def problems(page):
    """What is wrong with the page, less what Notebook 7 says of itself: a plugin of its own without a schema."""
    return [text for text in page.problems() if "(reading 'schema')" not in text]


def labs(page, state=""):
    return page.page.locator(f".dcviz-lab{state}, .jp-OutputArea-output > .dcviz-prediction{state}")


def run(page):
    """Run all cells and wait until the labs of today are on the page, and none of an earlier day."""
    page.run_all()
    expect(labs(page, ".dcviz-asleep")).to_have_count(0)
    expect(labs(page)).to_have_count(len(CELLS))
    expect(page.page.locator(".dcviz-PruningLab .dcviz-handle")).to_have_attribute("aria-valuenow", re.compile("."))
    page.fresh = True


GIVES_UP = """(() => { const wait = setTimeout;
    window.setTimeout = (done, time, ...rest) => {
        const looks = time === 100 && new Error().stack.includes("get_model");
        return wait(done, looks ? 5000 : time, ...rest);
    };
})()"""
"""A page in which ipywidgets looks for a saved model once and again after 5 s, when it looks no more; as if busy."""


def test_saved_shut_down_and_opened_again_labs_sleep_and_what_is_drawn_moves(page, app, shots):
    expect(page.page.locator(".dcviz-sleep")).to_have_count(0)
    page.command("docmanager:save")
    saved = json.loads((app.notebooks / "day.ipynb").read_text("utf-8"))
    assert saved["metadata"]["widgets"]
    if app.place == "notebooks":  # one front end each way
        page.page.add_init_script(GIVES_UP)
    page.another_day()
    expect(labs(page, ".dcviz-asleep")).to_have_count(len(CELLS))
    assert not page.page.evaluate("jupyterapp.shell.currentWidget.model.dirty"), "to open is no change"
    expect(page.page.get_by_text("asleep: run this cell")).to_have_count(len(CELLS))
    expect(page.page.get_by_text("model not found")).to_have_count(0)
    page.page.screenshot(path=shots / f"asleep_{app.place.replace('/', '_')}.png")
    pruning, journey = page.page.locator(".dcviz-PruningLab"), page.page.locator(".dcviz-JourneyLab")
    expect(page.page.locator(".dcviz-RetrainingLab img.dcviz-figure").first).to_have_js_property("complete", True)
    expect(pruning.locator(".dcviz-caption")).to_contain_text("kept")
    handle = pruning.locator(".dcviz-handle")
    expect(handle).to_have_attribute("aria-valuenow", re.compile("."))
    before = handle.get_attribute("aria-valuenow")
    handle.press("ArrowRight")
    expect(handle).not_to_have_attribute("aria-valuenow", before)
    log = pruning.locator(".widget-checkbox", has_text="logarithmic counts")
    expect(log).to_have_js_property("inert", False)
    quiet = page.page.locator(".dcviz-RetrainingLab")
    moment = (
        ".dcviz-slider >> nth=-1 >> .widget-slider",
        ".dcviz-slider >> nth=-1 >> .dcviz-number",
        ".dcviz-play button",
    )
    for off in (".dcviz-run .jupyter-button", ".dcviz-number", ".widget-dropdown", ".dcviz-python", *moment):
        expect(quiet.locator(off).first).to_have_js_property("inert", True)
    for button in ("Cut and retrain", "Stop"):  # one that was disabled looked less so than the others
        expect(quiet.get_by_role("button", name=button, include_hidden=True)).to_have_css("opacity", "0.35")
    waiting = page.page.locator(".dcviz-LloydLab")
    expect(waiting.locator(".widget-radio-box")).to_have_js_property("inert", True)
    expect(page.page.locator(".dcviz-DecodeLab .dcviz-answer input")).to_have_js_property("inert", True)
    alone = page.page.locator(".jp-OutputArea-output > .dcviz-prediction")
    for still in (quiet, alone, waiting, page.page.locator(".dcviz-FinetuneLab")):
        expect(still.locator(".dcviz-sleep")).to_have_text(
            "asleep: run this cell, after those above it What is grey needs Python."
        )
    expect(pruning.locator(".dcviz-sleep")).to_contain_text("What is drawn here still moves")
    told = journey.locator(".dcviz-journey, .dcviz-view").first.inner_html()
    entry = journey.locator(".dcviz-number input")
    entry.fill("7")
    entry.press("Enter")
    page.page.wait_for_function(
        "([lab, told]) => lab.innerHTML !== told",
        arg=[journey.locator(".dcviz-journey, .dcviz-view").first.element_handle(), told],
    )
    assert problems(page) == []

    run(page)
    expect(page.page.locator(".dcviz-asleep")).to_have_count(0)
    page.command("docmanager:save")
    again = json.loads((app.notebooks / "day.ipynb").read_text("utf-8"))
    size = [len(json.dumps(book["metadata"]["widgets"])) for book in (saved, again)]
    assert size[1] < 1.2 * size[0], "models of an earlier day go"


STIRRED = """() => new Promise((done) => {
    let changes = 0;
    const watcher = new MutationObserver((all) => { changes += all.length; });
    for (const lab of document.querySelectorAll(".dcviz-lab"))
        watcher.observe(lab, { attributes: true, childList: true, subtree: true });
    setTimeout(() => { watcher.disconnect(); done(changes); }, 300);
})"""
"""How often something in a lab changes in 0.3 s."""


def test_a_restart_puts_the_labs_on_the_screen_to_sleep(page):
    page.page.evaluate("async () => { await jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }")
    expect(labs(page, ".dcviz-asleep")).to_have_count(len(CELLS))
    expect(page.page.locator(".dcviz-PruningLab .dcviz-bar button:enabled").first).to_be_visible()
    until(page.page, lambda: page.page.evaluate(STIRRED) == 0, "labs that sleep lie still")
    copy = page.page.get_by_role("button", name="Copy link").first
    expect(copy).to_have_js_property("inert", True)  # it would be old
    page.command("docmanager:save")
    book = page.book()
    (saved,) = book.metadata["widgets"].values()
    views = [cell.outputs[-1].data["application/vnd.jupyter.widget-view+json"] for cell in book.cells]
    assert {view["model_id"] for view in views} <= saved["state"].keys(), "for another day"
    run(page)
    assert problems(page) == []


def test_the_bar_by_keyboard(page):
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab = page.page.locator(".dcviz-PruningLab")
    handle = lab.locator(".dcviz-handle")
    start = handle.get_attribute("aria-valuenow")
    handle.press("End")
    expect(lab.locator(".dcviz-caption b").nth(1)).not_to_have_text(start)
    reset, copy, save = (lab.get_by_role("button", name=name) for name in ("Reset", "Copy link", "Save picture"))
    reset.focus()
    page.page.keyboard.press("Enter")
    expect(handle).to_have_attribute("aria-valuenow", start)
    page.wait_idle()  # the link, too, comes from Python
    page.page.keyboard.press("Tab")
    expect(copy).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(lab.locator(".dcviz-bar [role=status]")).to_contain_text("copied")
    link = page.page.evaluate("navigator.clipboard.readText()")
    assert link.startswith("PruningLab(net='lenet-300-100', layer='fc1', threshold=0.07")
    page.page.keyboard.press("Tab")
    expect(save).to_be_focused()
    with page.page.expect_download() as download:
        page.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "PruningLab.png"
    assert min(Image.open(io.BytesIO(download.value.path().read_bytes())).size) > 200
    assert problems(page) == []
    page.fresh = True  # but for this lab, which no later test looks at


def test_the_focus_goes_to_stop_while_a_button_works_and_back(page):
    lab = page.page.locator(".dcviz-RetrainingLab")
    start, stop = (lab.get_by_role("button", name=name) for name in ("Cut and retrain", "Stop"))
    start.focus()
    page.page.keyboard.press("Enter")
    expect(stop).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(start).to_be_focused()
    assert problems(page) == []
    page.fresh = True  # but for this lab, whose settings stay


TYPED = (  # what is typed into "epochs", 0.1 to 20 -> what it is then, or the words of a refusal
    ("0,5", "0.5"),
    ("2.5", "2.5"),
    (" 1e1 ", "10"),
    ("0.123456", "0.1235"),
    ("abc", "“abc” is no number. It is still 0.1235."),
    ("", "A number is wanted here. It is still 0.1235."),
    ("1e9", "From 0.1 to 20. It is still 0.1235."),
    ("-3", "From 0.1 to 20."),
    ("1,000", "may be read in two ways"),
    ("Infinity", "is no number"),
    ("3", "3"),
)
WHOLE = (("7", "7"), ("2.5", "A whole number is wanted here. It is still 7."), ("3.0", "3"), ("99", "From 0 to 24."))


def test_numbers_as_people_type_them_are_taken_as_meant_or_refused_in_words(page):
    lab = page.page.locator(".dcviz-RetrainingLab")
    for label, cases in (("epochs", TYPED), ("moment", WHOLE)):
        slider = lab.locator(".dcviz-slider", has_text=label)
        field, why = slider.locator("input"), slider.get_by_role("alert")
        for typed, then in cases:
            field.fill(typed)
            field.press("Enter")
            if then[0].isdigit():
                expect(field).to_have_value(then)
                expect(why).to_have_text("")
            else:
                expect(why).to_contain_text(then)
                expect(field).to_have_value(typed)
                expect(field).to_have_attribute("aria-invalid", "true")
    density = lab.locator(".dcviz-slider", has_text="density")
    expect(density.locator("input")).to_have_value("8")
    expect(density.locator(".noUi-handle")).to_have_attribute("aria-valuetext", "8")
    density.locator(".noUi-handle").press("ArrowRight")
    expect(density.locator("input")).not_to_have_value("8")
    expect(density.locator(".noUi-handle")).to_have_attribute("aria-valuetext", density.locator("input").input_value())
    assert problems(page) == []
