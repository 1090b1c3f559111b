"""Every slide of every chapter, as the lecture edition shows it: nothing runs over its edge, none is empty."""

import nbformat
import pytest

from dcviz.classroom import editions, exports
from dcviz.classroom.exports import pages, snapshots

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


@pytest.mark.parametrize("source", editions.sources(), ids=lambda path: path.stem)
def test_every_slide_fits(source, browser, tmp_path, shots):
    exports.lay_assets("slides", tmp_path / "assets")
    book = snapshots.execute(editions.notebook(source, "lecture"), tmp_path)
    page_file = tmp_path / f"{source.stem}.slides.html"
    page_file.write_text(pages.render(nbformat.from_dict(book), "slides", source.stem))
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_function("window.deck !== undefined")
    slides = page.evaluate(FITTED)
    context.close()
    assert len(slides) > 10
    wrong = [s for s in slides if s["high"] > ROOM or s["wide"] > 1280 or s["letters"] < LEAST or s["empty"]]
    assert wrong == []
