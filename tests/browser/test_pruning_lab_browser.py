"""The pruning lab, moved by a real mouse and real keys in a real JupyterLab."""

import nbformat
import pytest
from lab_browser import painted, until_drawn, write_notebook
from playwright.sync_api import expect

from dcviz.labs import PruningLab

CELLS = ["from dcviz.labs import PruningLab\nlab = PruningLab(threshold=0.05)\nlab"]


@pytest.fixture(scope="module")
def name(served):
    return write_notebook(served / "test_pruning.ipynb", *CELLS).name


@pytest.fixture
def lab_page(name, open_notebook):
    page = open_notebook(name)
    page.run_all()
    expect(page.page.locator(".dcviz-histogram [role=slider]")).to_be_visible()
    expect(page.page.locator(".dcviz-caption .dcviz-text")).to_contain_text("0.05")
    page.page.locator(".dcviz-linked canvas[data-shapes]").wait_for()
    until_drawn(page.page, ".dcviz-PruningLab")
    return page


def threshold(page):
    painted(page.page)
    return float(page.page.locator(".dcviz-histogram [role=slider]").get_attribute("aria-valuenow"))


def drag(page, start, end, release=True):
    """Drag in the histogram from `start` to `end`, shares of its width."""
    box = page.page.locator(".dcviz-histogram canvas").bounding_box()
    y = box["y"] + box["height"] / 2
    page.page.mouse.move(box["x"] + start * box["width"], y)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + end * box["width"], y, steps=12)
    if release:
        page.page.mouse.up()


def test_mouse_drag_moves_threshold_picture_and_caption(lab_page, shots):
    page = lab_page.page
    caption, picture = page.locator(".dcviz-caption .dcviz-text"), page.locator(".dcviz-linked canvas")
    said, shown = caption.inner_text(), picture.get_attribute("data-shapes")
    page.screenshot(path=shots / "pruning_before.png")
    drag(lab_page, 0.6, 0.7)
    assert threshold(lab_page) > 0.06
    expect(caption).not_to_have_text(said)
    expect(picture).not_to_have_attribute("data-shapes", shown)
    expect(caption).to_contain_text("measured here")  # letting go measures the error
    page.wait_for_function(  # browser and Python agree on the share
        """() => {
            const handle = document.querySelector(".dcviz-histogram [role=slider]");
            const share = handle.getAttribute("aria-valuetext").split(": ")[1].split("%")[0];
            const caption = document.querySelector(".dcviz-caption .dcviz-text").textContent;
            return share && caption.includes(`${share}% pruned`);
        }"""
    )
    page.screenshot(path=shots / "pruning_after.png")
    ghost = page.locator(".dcviz-ghost p")
    expect(ghost).to_have_text(f"Before: {' '.join(said.split())}")
    page.get_by_role("button", name="Reset").click()
    expect(ghost).to_have_text("")
    expect(caption).to_contain_text("0.05")
    assert lab_page.problems() == []


def test_keys_move_the_threshold_and_jupyterlab_keeps_its_hands_off(lab_page):
    page = lab_page.page
    handle = page.locator(".dcviz-histogram [role=slider]")
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    before, said = threshold(lab_page), page.locator(".dcviz-caption .dcviz-text").inner_text()
    handle.focus()
    for _ in range(3):
        handle.press("ArrowRight")
    expect(page.locator(".dcviz-caption .dcviz-text")).not_to_have_text(said)
    assert threshold(lab_page) > before
    handle.press("Home")
    expect(handle).to_have_attribute("aria-valuenow", "0.000")
    expect(page.locator(".dcviz-caption .dcviz-text")).to_contain_text(": 0% pruned")
    expect(handle).to_be_focused()
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    assert lab_page.problems() == []


def test_entries_and_layers(lab_page, shots):
    page = lab_page.page
    at, quality, density = (page.locator(".dcviz-number input").nth(i) for i in range(3))
    density.fill("10")
    density.press("Enter")
    expect(page.locator(".dcviz-caption .dcviz-text")).to_contain_text("90.0% pruned")
    quality.fill("0,05")  # between two rows of the film, which shows the nearest first
    quality.press("Enter")
    expect(page.locator(".dcviz-caption .dcviz-text")).to_contain_text("0.00375 = 0.05 × std")
    expect(at).to_have_value("0.00375")
    expect(quality).to_have_value("0.05")
    page.locator(".dcviz-lab select").select_option("fc2")
    expect(page.locator(".dcviz-caption .dcviz-text")).to_contain_text("fc2 (100×300)")
    page.locator(".dcviz-histogram").screenshot(path=shots / "pruning_fc2.png")
    assert lab_page.problems() == []


def test_a_lab_on_the_page_twice_has_one_pin_and_saves_one_picture(served, open_notebook):
    write_notebook(served / "test_twice.ipynb", *CELLS, "lab")
    page = open_notebook("test_twice.ipynb")
    page.run_all()
    labs = page.page.locator(".dcviz-PruningLab")
    expect(labs).to_have_count(2)
    first, second = (labs.nth(i).locator(".dcviz-ghost button") for i in range(2))
    for lab in labs.all():
        lab.locator(".dcviz-histogram [role=slider]").wait_for()
    words = page.page.locator(".dcviz-ghost p")
    first.click()
    expect(second).to_have_text("Unpin")
    pinned = words.first.inner_text()
    assert pinned.startswith("Pinned: ")
    labs.nth(1).locator(".dcviz-histogram [role=slider]").press("PageUp")
    expect(labs.nth(0).locator(".dcviz-caption .dcviz-text")).not_to_contain_text(pinned.removeprefix("Pinned: "))
    assert words.all_inner_texts() == [pinned, pinned]
    second.click()
    expect(first).to_have_text("Pin this setting")
    assert words.nth(0).inner_text() == words.nth(1).inner_text()
    saved = []
    page.page.on("download", lambda file: saved.append(file))
    for i in (0, 1):
        labs.nth(i).get_by_role("button", name="Save picture").click()
        expect(labs.nth(i).get_by_role("button", name="Save picture")).to_contain_text("saved")
    assert len(saved) == 2
    assert page.problems() == []


def test_readable_in_the_dark_theme_and_on_a_narrow_page(lab_page, shots):
    page = lab_page.page
    lab_page.theme("JupyterLab Dark")
    page.screenshot(path=shots / "pruning_dark.png")
    page.wait_for_function(  # light text on a dark ground
        """() => {
            const css = getComputedStyle(document.querySelector(".dcviz-caption .dcviz-text"));
            const sum = (colour) => colour.match(/\\d+/g).slice(0, 3).reduce((total, part) => total + Number(part), 0);
            return sum(css.color) - sum(css.backgroundColor) > 400;
        }"""
    )
    lab_page.theme("JupyterLab Light")
    page.set_viewport_size({"width": 800, "height": 1000})
    painted(page)
    until_drawn(page, ".dcviz-PruningLab")
    page.screenshot(path=shots / "pruning_narrow.png")
    page.wait_for_function(
        """() => {
            const right = (selector) => document.querySelector(selector).getBoundingClientRect().right;
            return innerWidth === 800 && right(".dcviz-lab") <= right(".jp-OutputArea-output") + 1;
        }"""
    )
    assert lab_page.problems() == []


def test_without_a_kernel_a_saved_notebook_shows_picture_and_caption(served, open_notebook):
    path = write_notebook(served / "test_saved.ipynb", *CELLS)
    book = nbformat.read(path, as_version=4)
    picture, about = PruningLab(threshold=0.05)._repr_mimebundle_()  # as saved: the widget's id means nothing later
    book.cells[0].outputs = [nbformat.v4.new_output("execute_result", picture, metadata=about, execution_count=1)]
    nbformat.write(book, path)
    page = open_notebook("test_saved.ipynb")
    image = page.page.locator(".jp-OutputArea-output img")
    expect(image).to_be_visible()
    page.page.wait_for_function("document.querySelector('.jp-OutputArea-output img')?.naturalWidth > 800")
    assert image.get_attribute("width") == str(about["image/png"]["width"])
    assert page.problems() == []
