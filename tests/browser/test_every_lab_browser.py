"""All labs on one page: in a narrow window, on a projector at 150%, looked at by axe-core, worked by keyboard alone.

In this order, as keys change what labs show, and another size of the window has Python draw every lab anew.
"""

import io
import re

import numpy as np
import pytest
from lab_browser import ROOT, NotebookPage, painted, rest, until_drawn, write_notebook
from PIL import Image
from playwright.sync_api import expect

from dcviz import labs

PROJECTOR = {"width": 853, "height": 533}  # 1280 x 800 at 150%
NARROW = {"width": 900, "height": 700}
WIDE = {"width": 1600, "height": 1000}
DRAGGED = {
    "PruningLab": ".dcviz-histogram",
    "BigNetLab": ".dcviz-histogram",
    "SharingLab": ".dcviz-codebook",
    "LloydLab": ".dcviz-codebook",
}
"""Labs with a handle to drag -> the view that has it. Their linked picture and caption show what it does."""

BOXES = """name => {
    const lab = document.querySelector(`.dcviz-${name}`);
    const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
    const wide = [lab, ...lab.querySelectorAll("*")].filter((e) => e.scrollWidth > e.clientWidth + 1
        && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)).map((e) => e.className);
    const drawings = [...lab.querySelectorAll(".dcviz-view, img.dcviz-figure, .dcviz-gradient")].map(box);
    return {lab: box(lab), drawings, caption: box(lab.querySelector(".dcviz-caption")), wide,
            narrow: lab.classList.contains("dcviz-narrow")};
}"""

WIDEST = {"GradientLab": "reduce='mean'", "HuffmanLab": "layer='fc1', stream='gaps'"}
CELLS = [
    "from dcviz import labs\nguess = labs.Prediction('How many?', options=['one', 'two'], truth='two')",
    *(f"labs.{name}({WIDEST.get(name, '')})" for name in labs.ALL),
    *(f"labs.{name}()" for name in WIDEST),
    "labs.PruningLab(compact=True)",
    "labs.PruningLab(prediction=guess)",
    "labs.Prediction('Which?', options=['one', 'two'])",
    "labs.Prediction('How much?', low=0, high=10, unit='%')",
    "labs.Progress()",
]


@pytest.fixture(scope="module")
def page(browser, server):
    """JupyterLab with all labs in one notebook, one that is compact in a wide window, and one that waits."""
    write_notebook(server.notebooks / "test_every_lab.ipynb", *CELLS)
    context = browser.new_context(viewport=NARROW, device_scale_factor=1.5)
    page = NotebookPage(context, server, "test_every_lab.ipynb")
    page.run_all(400)
    assert page.problems() == []
    expect(page.page.locator(".dcviz-lab")).to_have_count(len(labs.ALL) + len(WIDEST) + 3)
    yield page
    page.close()
    context.close()


def which(page):
    """The question that stands alone and has no range."""
    return page.page.locator(".jp-OutputArea-output > .dcviz-prediction", has_text="Which?")


def resize(page, size):
    """Give the window a size and wait until JupyterLab has been laid out for it, which takes it a frame or two."""
    page.page.set_viewport_size(size)
    page.page.wait_for_function("size => innerWidth === size.width && innerHeight === size.height", arg=size)
    painted(page.page)
    painted(page.page)


def measured(page, name):
    """Where the parts of a lab stand once all its pictures are there, and have been drawn for its room."""
    page.page.locator(f".dcviz-{name}").first.scroll_into_view_if_needed()
    until_drawn(page.page, f".dcviz-{name}")
    return page.page.evaluate(BOXES, name)


def span(*boxes):
    """Width and height of what holds all boxes."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return max(right) - min(left), max(bottom) - min(top)


def test_no_lab_has_a_bar_to_scroll_sideways(page):
    for size in (NARROW, PROJECTOR):
        resize(page, size)
        wide = {name: measured(page, name)["wide"] for name in labs.ALL}
        assert {name: bars for name, bars in wide.items() if bars} == {}, size
        over = page.page.locator(".jp-WindowedPanel-outer, .jp-Notebook").last
        assert over.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), size
        cut = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.value)"
        assert page.page.locator(".dcviz-lab input:visible").evaluate_all(cut) == [], size


@pytest.mark.parametrize("name", labs.ALL)
def test_drawings_and_words_fit_a_projector(page, name):
    resize(page, PROJECTOR)
    found = measured(page, name)
    _, high = span(*found["drawings"], found["caption"])
    assert high <= 450


UPON = """([name, button]) => {
    const lab = document.querySelector(`.dcviz-${name}`), bar = lab.querySelector(".dcviz-bar");
    const title = document.createRange();
    title.selectNodeContents(lab.querySelector(".dcviz-heading"));
    [...bar.querySelectorAll("button")].find((one) => one.ariaLabel === button).click();
    const met = (a, b) => a.width > 1 && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return new Promise((done) => new MutationObserver(() => done([...bar.querySelectorAll("button, span")].filter(
        (part) => [...title.getClientRects()].some((line) => met(part.getBoundingClientRect(), line))).map(
        (part) => part.textContent))).observe(bar, { childList: true, subtree: true }));
}"""
"""Press a button of a lab's bar -> what of the bar lies on the title when it has answered."""


def test_what_the_bar_says_does_not_lie_on_the_title(page):
    resize(page, PROJECTOR)
    upon = {name: page.page.evaluate(UPON, [name, "Copy link"]) for name in labs.ALL}
    assert {name: found for name, found in upon.items() if found} == {}
    assert page.page.evaluate(UPON, ["PruningLab", "Reset"]) == []


@pytest.mark.parametrize("name", DRAGGED)
def test_handle_effect_and_words_are_seen_at_once(page, name):
    resize(page, PROJECTOR)
    found = measured(page, name)
    assert found["narrow"]
    wide, high = span(*found["drawings"], found["caption"])
    assert wide <= 850
    assert high <= 450
    seen = page.page.locator(".jp-WindowedPanel-outer, .jp-Notebook").last.evaluate("e => e.clientHeight")
    _, with_effect = span(*found["drawings"])
    assert with_effect <= min(seen, 400), "the handle and the picture that follows stand in the window together"
    page.page.wait_for_function(
        """([name, handle]) => {
            const lab = document.querySelector(`.dcviz-${name}`);
            lab.querySelector(`${handle} canvas`).scrollIntoView({ block: "start" });
            return [...lab.querySelectorAll("canvas")].every((e) => {
                const r = e.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; });
        }""",
        arg=[name, DRAGGED[name]],
    )


def test_a_number_between_two_steps_of_its_slider_is_no_move(page):
    """A slider that is shown rounds its number: the drawn digit was read at 30.2%, and labs had a setting before."""
    page.page.locator(".dcviz-DigitLab .noUi-handle").wait_for()
    rest(page.page, 600)
    expect(page.page.locator(".dcviz-DigitLab .dcviz-caption .dcviz-text")).to_contain_text("(30%)")
    assert set(page.page.locator(".dcviz-ghost p").all_text_contents()) == {""}


def test_python_draws_for_the_room_that_the_browser_tells(page):
    """The picture of a lab has the pixels that the display shows, so nothing is scaled."""
    resize(page, PROJECTOR)
    image = page.page.locator(".dcviz-FitLab img.dcviz-figure")
    image.scroll_into_view_if_needed()
    page.page.wait_for_function(
        """() => { const e = document.querySelector(".dcviz-FitLab img.dcviz-figure");
            return Math.abs(e.naturalWidth - 1.5 * e.clientWidth) <= 3; }"""
    )


def test_a_question_that_stands_alone_is_set_for_its_room(page):
    resize(page, PROJECTOR)
    alone = which(page)
    words = alone.locator(".dcviz-question .dcviz-text")
    expect(words).to_have_css("font-size", "14px")
    assert alone.bounding_box()["height"] < 150
    expect(alone.locator(".widget-hbox")).to_have_css("overflow", "visible")  # a focus ring lies outside its control
    resize(page, WIDE)
    expect(words).to_have_css("font-size", "19px")
    code = page.page.locator(".dcviz-TransferLab .dcviz-caption code").first
    expect(code).to_have_css("font-size", "17.1px")  # as large as the words around it, whatever JupyterLab says


PENDING = """(button, number) => { const question = document.querySelector(".dcviz-question .dcviz-text");
    const manager = question.dcvizModel.widget_manager;
    [...manager._modelsSync.values()].find((one) => one.name === "LayoutModel")._pending_msgs = number;
    button.click(); }"""
"""Click while the kernel owes so many answers."""


def test_a_click_waits_for_the_settings_before_it(page):
    """On a busy kernel a guess was recorded as it stood before its last change."""
    alone = which(page)
    alone.get_by_label("two").check()
    alone.get_by_role("button", name="Record my guess").evaluate(PENDING, 1)
    page.wait_idle()
    expect(alone.locator(".dcviz-truth .dcviz-text")).to_be_hidden()
    alone.get_by_role("button", name="Show me").evaluate(PENDING, 0)  # it stands in line, too
    expect(alone.locator(".dcviz-truth .dcviz-text")).to_have_text("Recorded: “two”.")


def test_a_large_number_is_said_with_thousands_separators(page):
    many = page.page.locator(".dcviz-CodebookLab .dcviz-number").first
    for typed in ("5e7", "abc"):
        many.locator("input").fill(typed)
        many.locator("input").press("Enter")
    expect(many.get_by_role("alert")).to_have_text("“abc” is no number. It is still 50,000,000.")
    many.locator("input").fill("16")
    many.locator("input").press("Enter")


def test_enter_held_down_is_one_click_and_a_click_that_waits_ends_what_plays(page):
    """A run began and was stopped, again and again, as the focus goes from Run to Stop and back."""
    play = page.page.locator(".dcviz-LloydLab .dcviz-play button").last
    play.focus()
    for move in ("down", "down", "up"):
        getattr(page.page.keyboard, move)("Enter")
    expect(play).to_contain_text("pause")
    reset = page.page.locator(".dcviz-LloydLab").get_by_role("button", name="Reset")
    reset.evaluate(PENDING, 1)
    expect(play).to_contain_text("play")  # at once: each step has the kernel owe an answer more
    reset.evaluate(PENDING, 0)


def test_a_lab_gets_its_size_back_and_a_compact_one_stays_small(page):
    resize(page, WIDE)
    page.page.wait_for_function("!document.querySelector('.dcviz-PruningLab').classList.contains('dcviz-narrow')")
    compact = page.page.locator(".dcviz-PruningLab.dcviz-compact.dcviz-narrow")
    compact.scroll_into_view_if_needed()
    until_drawn(page.page, ".dcviz-PruningLab.dcviz-compact.dcviz-narrow")
    assert compact.bounding_box()["width"] <= 850
    parts = [compact.locator(f".dcviz-{part}").first.bounding_box() for part in ("histogram", "linked", "caption")]
    assert max(p["y"] + p["height"] for p in parts) - min(p["y"] for p in parts) <= 450


def test_what_is_drawn_on_a_canvas_turns_dark_with_jupyterlab(page):
    corner = """light => { const canvas = document.querySelector(".dcviz-histogram canvas");
        return (canvas.getContext("2d").getImageData(3, 3, 1, 1).data[0] > 128) === light; }"""
    page.page.locator(".dcviz-histogram").first.scroll_into_view_if_needed()
    for name, light in (("JupyterLab Dark", False), ("JupyterLab Light", True)):
        page.theme(name)
        page.page.wait_for_function(corner, arg=light)


def violations(page):
    """Serious and critical findings of axe-core inside the labs, one line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page, ".dcviz", {"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe_finds_nothing_serious_in_any_lab(page, theme):
    resize(page, WIDE)
    page.theme(theme)
    assert violations(page.page) == []
    assert page.problems() == []


CONTROLS = """lab => [...lab.querySelectorAll("a[href], button, input, select, textarea, [tabindex]")].filter(
    e => !e.disabled && e.getClientRects().length && (e.tabIndex >= 0) && e.type !== "radio")"""
HERE = """() => {
    const e = document.activeElement;
    const role = e.getAttribute("role") ?? (e.matches("button") ? "button" : e.type ?? e.localName);
    return { inside: e.closest(".dcviz-lab")?.className ?? "", role, work: Boolean(e.closest(".dcviz-run")),
             name: e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent ?? e.textContent ?? "" };
}"""
KEYS = {
    "slider": ["ArrowRight"],
    "number": ["ArrowUp", "Enter"],
    "select-one": ["ArrowDown"],
    "button": ["Enter"],
    "checkbox": ["Space"],
    "radio": ["ArrowDown"],
    "text": ["1", "Enter"],
    "application": ["ArrowRight", "Space"],  # the sheet that a digit is drawn on
}

SPEAKING = """lab => {
    window.said = 0;  // how often a text of this lab changed, and of no other
    window.listening?.disconnect();
    const inText = (node) => (node.closest ? node : node.parentElement)?.closest(".dcviz-text");
    window.listening = new MutationObserver((all) => { window.said += all.filter((m) => inText(m.target)).length; });
    window.listening.observe(lab, { childList: true, subtree: true, characterData: true });
}"""


@pytest.mark.parametrize("name", labs.ALL)
def test_a_lab_is_worked_by_keys_alone(page, name):
    tab = page.page
    lab = tab.locator(f".dcviz-{name}").nth(int(name in WIDEST))  # as it opens
    lab.evaluate(SPEAKING)
    chosen = "() => jupyterapp.shell.currentWidget.content.activeCellIndex"
    cells, wanted = tab.locator(".jp-Notebook .jp-Cell").count(), lab.evaluate(f"lab => ({CONTROLS})(lab).length")
    assert wanted > 0
    lab.evaluate(f"lab => ({CONTROLS})(lab)[0].focus()")
    active, visited = tab.evaluate(chosen), []
    for _ in range(wanted + 5):
        here = tab.evaluate(HERE)
        if f"dcviz-{name}" not in here["inside"].split():
            break
        assert here["name"].strip(), f"a {here['role']} without a name"
        visited.append(here)
        if not here["work"]:  # minutes of work are for other tests
            for key in KEYS[here["role"]]:
                tab.keyboard.press(key)
            assert tab.evaluate(HERE)["inside"] == here["inside"], f"the focus is lost from {here}"
        assert tab.evaluate(chosen) == active, f"JupyterLab took a key of {here} for itself"
        tab.keyboard.press("Tab")
    else:
        pytest.fail(f"no way out of {name} with Tab: {visited}")
    assert len(visited) >= min(wanted, 2)
    assert tab.locator(".jp-Notebook .jp-Cell").count() == cells, "JupyterLab took a key for itself"
    if not all(stop["work"] for stop in visited):
        tab.wait_for_function("() => window.said > 0")
    assert lab.locator(".dcviz-alert .dcviz-text:not([hidden])").all_inner_texts() == []
    assert page.errors == []


def grounds(images):
    """How bright the ground of each picture on a page is painted, 0 to 255: the middle of its pixels."""
    shots = (image.screenshot() for image in images.all())
    return [np.median(Image.open(io.BytesIO(shot)).convert("L")) for shot in shots]


def test_a_stored_picture_turns_dark_with_jupyterlab_before_a_cell_has_run(served, open_notebook):
    path = served / "test_dark.ipynb"
    path.write_bytes((ROOT / "notebooks" / "00_start_here.ipynb").read_bytes())
    page = open_notebook(path.name)
    images = page.page.locator(".jp-OutputArea-output img")
    expect(images).to_have_count(4)
    for name in "Dark", "Light":
        page.theme(f"JupyterLab {name}")
        seen = grounds(images)
        assert all(ground < 40 if name == "Dark" else ground > 250 for ground in seen), (name, seen)


def test_a_picture_out_of_a_lab_turns_dark_where_only_labs_bring_the_theme(served, open_notebook):
    figure = (
        "from dcviz.labkit import theme\nfrom dcviz.labkit.picture import Picture\nPicture(theme.figure()[0], 'empty')"
    )
    write_notebook(served / "test_dark_lab.ipynb", "from dcviz import labs\nlabs.Prediction('Which?')", figure)
    page = open_notebook("test_dark_lab.ipynb")
    switch = "off => { document.querySelector('link[href$=\"custom.css\"]').disabled = off; }"
    page.page.evaluate(switch, True)
    page.theme("JupyterLab Dark")
    page.run_all()
    image = page.page.locator(".jp-RenderedImage img")
    expect(image).to_have_css("filter", re.compile("invert"))
    page.theme("JupyterLab Light")
    expect(image).to_have_css("filter", "none")
    page.page.evaluate(switch, False)
