"""One weight's journey in an exported page: without a kernel every weight's numbers and bits are the right ones."""

import json

import nbformat
import pytest
from lab_browser import until_alive

from dcviz.chapters.ch07_full_pipeline import journey
from dcviz.classroom import editions, exports
from dcviz.classroom.exports import pages, snapshots

SOURCE = """# A chapter for this test.
# %% [markdown]
# # 99 · A test

# %%
from dcviz.labs import JourneyLab
JourneyLab(weight=5)
"""
READ = """() => ({
  label: document.querySelector(".dcviz-journey svg").getAttribute("aria-label"),
  bits: [...document.querySelectorAll(".dcviz-journey text")]
    .filter((t) => t.getAttribute("font-family") === "monospace" && t.getAttribute("fill") === "var(--dcviz-ground)")
    .map((t) => t.textContent).join(""),
})"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("journey")
    source = folder / "99_test.py"
    source.write_text(SOURCE)
    exports.lay_assets("html", folder / "assets")
    book = snapshots.execute(editions.notebook(source, "student"), folder)
    (folder / "99_test.html").write_text(pages.render(nbformat.from_dict(book), "html", "99_test"))
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto((folder / "99_test.html").as_uri())
    until_alive(page.locator(".dcviz-journey svg").first)
    yield page
    page.close()


def test_every_weight_can_be_chosen_without_a_kernel(page):
    data = journey.file_of()
    slider = page.locator(".dcviz-alive input[type=range]").first
    assert slider.is_enabled()
    for number, one in enumerate(journey.journeys()):
        slider.evaluate("(s, v) => { s.value = v; s.dispatchEvent(new Event('input')); }", number)
        shown = page.evaluate(READ)
        assert shown["label"] == journey.table()[number]["words_only"], number
        assert shown["bits"] == one.gap.text(data) + one.code.text(data), number


def test_all_texts_lie_inside_the_drawing(page):
    boxes = page.evaluate(
        """() => { const svg = document.querySelector(".dcviz-journey svg"), out = svg.getBoundingClientRect();
        return JSON.stringify([...svg.querySelectorAll("text")].map((t) => { const b = t.getBoundingClientRect();
          return [t.textContent, b.left - out.left, b.top - out.top, out.right - b.right, out.bottom - b.bottom]; })
          .filter((b) => b.slice(1).some((x) => x < -1))); }"""
    )
    assert json.loads(boxes) == []
