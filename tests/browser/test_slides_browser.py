"""Every slide of every chapter, as the lecture edition shows it: nothing runs over its edge, none is empty.

To run a chapter is a matter of half a minute, so one that was measured and has not changed since is not run again:
measured_slides.json has their hashes. DCVIZ_EVERY_SLIDE=1 measures all, and writes that file.
"""

import hashlib
import json
import os
from pathlib import Path

import nbformat
import pytest

from dcviz.classroom import editions, exports
from dcviz.classroom.exports import pages, snapshots
from dcviz.files import atomic_write, read_json

MEASURED = Path(__file__).with_name("measured_slides.json")

ROOM, LEAST = 720, 18
"""Height of a slide, and the size of its letters (of 30) below which the last row cannot read them; both in pixels."""

FITTED = """() => {
    return deck.getSlides().map((slide) => {
        const at = deck.getIndices(slide);
        deck.slide(at.h, at.v, -1);
        return {
            place: `${at.h}.${at.v ?? 0} ${slide.innerText.trim().slice(0, 60)}`,
            high: slide.scrollHeight, wide: slide.scrollWidth, letters: parseFloat(slide.style.fontSize),
            empty: !slide.querySelector("img, svg, table, math") && !slide.innerText.trim(),
        };
    });
}"""


def digest(book):
    """What a chapter's slides are made of: its cells and their places, and the style that sets them."""
    cells = [[cell.cell_type, cell.source, cell.metadata.slideshow.slide_type] for cell in book.cells]
    style = [(exports.HERE / name).read_text("utf-8") for name in ("slides.css", "slides.js")]
    return hashlib.sha256(json.dumps([cells, style]).encode()).hexdigest()[:16]


def wrong(page_file, browser):
    """What is wrong with the slides of a file: a list of dicts."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_function("window.deck !== undefined")
    slides = page.evaluate(FITTED)
    context.close()
    assert len(slides) > 0
    return [s for s in slides if s["high"] > ROOM or s["wide"] > 1280 or s["letters"] < LEAST or s["empty"]]


def rendered(source, folder, book):
    """The file of a chapter's slides, run now."""
    exports.lay_assets("slides", folder / "assets")
    target = folder / f"{source.stem}.slides.html"
    run = snapshots.execute(book, folder)
    target.write_text(pages.render(nbformat.from_dict(run), "slides", source.stem), "utf-8")
    return target


@pytest.mark.parametrize("source", editions.sources(), ids=lambda path: path.stem)
def test_every_slide_fits(source, browser, tmp_path):
    book, measured = editions.notebook(source, "lecture"), read_json(MEASURED)
    found, every = digest(book), "DCVIZ_EVERY_SLIDE" in os.environ
    if measured.get(source.stem) == found and not every:
        return
    assert wrong(rendered(source, tmp_path, book), browser) == []
    if every:
        text = json.dumps({**read_json(MEASURED), source.stem: found}, indent=1, sort_keys=True) + "\n"
        atomic_write(MEASURED, lambda file: file.write(text.encode()))


def test_what_does_not_fit_is_found(browser, tmp_path):
    source = tmp_path / "99_test.py"
    places = "".join(f'# %% tags=["subslide"]\n{code}\n' for code in ("print('x' * 400)", "1 + 1", "None"))
    source.write_text(f'# %% [markdown] tags=["slide"]\n# # Slides\n\n{places}')
    wide, empty = wrong(rendered(source, tmp_path, editions.notebook(source, "lecture")), browser)
    assert wide["wide"] > 1280
    assert empty["empty"]
