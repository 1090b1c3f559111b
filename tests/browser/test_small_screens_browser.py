"""Labs on a projector at 150% and in a narrow window: handle, effect and words at once, no bar to scroll sideways."""

import re

import pytest
from lab_browser import NotebookPage, Server, painted, until_drawn, write_notebook
from playwright.sync_api import expect

from dcviz import labs
from dcviz.labkit.controls import css

PROJECTOR = {"width": 853, "height": 533}  # 1280 x 800 at 150%
NARROW = {"width": 900, "height": 700}
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

ALONE = "labs.Prediction('Which?', options=['one', 'two'])"


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """JupyterLab with all labs in one notebook, and one that is compact in a wide window."""
    folder = tmp_path_factory.mktemp("small")
    widest = {"GradientLab": "reduce='mean'"}
    cells = [f"labs.{name}({widest.get(name, '')})" for name in labs.ALL]
    write_notebook(folder / "small.ipynb", "from dcviz import labs", *cells, "labs.PruningLab(compact=True)", ALONE)
    server = Server(folder, tmp_path_factory.mktemp("jupyter"))
    context = browser.new_context(viewport=PROJECTOR, device_scale_factor=1.5)
    page = NotebookPage(context, server, "small.ipynb")
    page.run_all(400)
    expect(page.page.locator(".dcviz-lab")).to_have_count(len(labs.ALL) + 1)
    yield page
    problems = page.problems()
    page.close()
    context.close()
    server.stop()
    assert problems == []


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


def test_no_lab_has_a_bar_to_scroll_sideways(page):
    for size in (PROJECTOR, NARROW):
        resize(page, size)
        wide = {name: measured(page, name)["wide"] for name in labs.ALL}
        assert {name: bars for name, bars in wide.items() if bars} == {}, size
        over = page.page.locator(".jp-WindowedPanel-outer, .jp-Notebook").last
        assert over.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), size


def test_a_question_that_stands_alone_is_set_for_its_room(page):
    resize(page, PROJECTOR)
    alone = page.page.locator(".jp-OutputArea-output > .dcviz-prediction")
    words = alone.locator(".dcviz-question .dcviz-text")
    expect(words).to_have_css("font-size", "14px")
    assert alone.bounding_box()["height"] < 150
    resize(page, {"width": 1600, "height": 1000})
    expect(words).to_have_css("font-size", "19px")


def test_a_click_waits_for_the_settings_before_it(page):
    """On a busy kernel a guess was recorded as it stood before its last change."""
    pending = """number => { const question = document.querySelector(".dcviz-question .dcviz-text");
        const manager = question.dcvizModel.widget_manager;
        [...manager._modelsSync.values()].find((one) => one.name === "LayoutModel")._pending_msgs = number; }"""
    alone = page.page.locator(".jp-OutputArea-output > .dcviz-prediction")
    alone.get_by_label("two").check()
    page.page.evaluate(pending, 1)
    alone.get_by_role("button", name="Record my guess").click()
    page.wait_idle()
    expect(alone.locator(".dcviz-truth .dcviz-text")).to_be_hidden()
    page.page.evaluate(pending, 0)
    expect(alone.locator(".dcviz-truth .dcviz-text")).to_have_text("Recorded: “two”.")


def test_a_lab_gets_its_size_back_and_a_compact_one_stays_small(page):
    resize(page, {"width": 1600, "height": 1000})
    page.page.wait_for_function("!document.querySelector('.dcviz-PruningLab').classList.contains('dcviz-narrow')")
    compact = page.page.locator(".dcviz-PruningLab.dcviz-compact.dcviz-narrow")
    compact.scroll_into_view_if_needed()
    until_drawn(page.page, ".dcviz-PruningLab.dcviz-compact.dcviz-narrow")
    assert compact.bounding_box()["width"] <= 850
    parts = [compact.locator(f".dcviz-{part}").first.bounding_box() for part in ("histogram", "linked", "caption")]
    assert max(p["y"] + p["height"] for p in parts) - min(p["y"] for p in parts) <= 450


def test_python_draws_for_the_room_that_the_browser_tells(page):
    """The picture of a lab has the pixels that the display shows, so nothing is scaled."""
    resize(page, PROJECTOR)
    image = page.page.locator(".dcviz-FitLab img.dcviz-figure")
    image.scroll_into_view_if_needed()
    page.page.wait_for_function(
        """() => { const e = document.querySelector(".dcviz-FitLab img.dcviz-figure");
            return Math.abs(e.naturalWidth - 1.5 * e.clientWidth) <= 3; }"""
    )


def test_what_is_drawn_on_a_canvas_turns_dark_with_jupyterlab(page):
    corner = """light => { const canvas = document.querySelector(".dcviz-histogram canvas");
        return (canvas.getContext("2d").getImageData(3, 3, 1, 1).data[0] > 128) === light; }"""
    page.page.locator(".dcviz-histogram").first.scroll_into_view_if_needed()
    for name, light in (("JupyterLab Dark", False), ("JupyterLab Light", True)):
        page.theme(name)
        page.page.wait_for_function(corner, arg=light)


def test_a_picture_out_of_a_lab_turns_dark_with_jupyterlab(browser, tmp_path):
    figure = (
        "from dcviz.labkit import theme\nfrom dcviz.labkit.picture import Picture\nPicture(theme.figure()[0], 'empty')"
    )
    write_notebook(tmp_path / "dark.ipynb", "from dcviz import labs\nlabs.Prediction('Which?')", figure)
    server = Server(tmp_path, tmp_path / "jupyter")
    context = browser.new_context(viewport=NARROW)
    page = NotebookPage(context, server, "dark.ipynb")
    try:
        page.theme("JupyterLab Dark")
        page.run_all()
        image = page.page.locator(".jp-RenderedImage img")
        expect(image).to_have_css("filter", re.compile("invert"))
        page.theme("JupyterLab Light")
        expect(image).to_have_css("filter", "none")
    finally:
        page.close()
        context.close()
        server.stop()


def test_a_note_of_the_bar_covers_the_title_that_it_lies_on(browser):
    page = browser.new_page()
    page.set_content(
        f"<style>{css()}</style><div class='dcviz dcviz-lab dcviz-narrow' style='--dcviz-ground: rgb(1, 2, 3)'>"
        "<div class='dcviz-bar'><div class='dcviz-buttons'><span>as at the start</span></div></div></div>"
    )
    assert page.locator("span").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(1, 2, 3)"
    page.close()
