"""Exported pages in a real browser that can reach no host at all: the labs still move, the slides still fit."""

import nbformat
import pytest
from lab_browser import painted, until_alive
from playwright.sync_api import expect

from dcviz.classroom import editions, exports
from dcviz.classroom.exports import pages, snapshots

SOURCE = """# A chapter for this test.
# %% [markdown] tags=["slide"]
# # 99 · A test
#
# **You will learn** nothing.

# %% tags=["skip"]
import numpy as np
from dcviz.labs import HuffmanLab, Prediction, PruningLab
weights = {"fc1": np.random.default_rng(1).normal(0, 0.1, (300, 784))}
symbols = {"m": np.minimum(np.random.default_rng(1).geometric(0.3, 5000) - 1, 23)}

# %% [markdown] tags=["slide"]
# ## 1 · Labs
#
# With $|w| \\ge t$ and
#
# $$ t = \\frac{q}{2}\\,\\sigma . $$

# %% tags=["subslide"]
guess = Prediction("What share goes?", options=["a third", "a half"], truth="a third")
# %% tags=["question", "lecture"]
guess
# %% tags=["subslide", "more"]
PruningLab("mine", weights=weights, threshold=0.05, prediction=guess)
# %% tags=["fragment", "lecture"]
guess.tell()

# %% tags=["subslide"]
HuffmanLab("mine", symbols=symbols, rare=0.0)

# %% [markdown] tags=["subslide"]
# Numbers:

# %%
for i in range(30):
    print(i, "x" * 120)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Folder with 99_test.html and 99_test.slides.html."""
    folder = tmp_path_factory.mktemp("exported")
    source = folder / "99_test.py"
    source.write_text(SOURCE)
    exports.lay_assets("slides", folder / "assets")
    book = snapshots.execute(editions.notebook(source, "lecture"), folder)
    for kind, name in (("html", "99_test.html"), ("slides", "99_test.slides.html")):
        (folder / name).write_text(pages.render(nbformat.from_dict(book), kind, "99_test"))
    return folder


@pytest.fixture(scope="module")
def waiting(exported):
    """Name of a student page beside the others: its lab's question has no answer yet."""
    source = exported / "98_waits.py"
    source.write_text(SOURCE.split('# %% tags=["subslide"]\nHuffmanLab')[0])
    book = snapshots.execute(editions.notebook(source, "student"), exported)
    (exported / "98_waits.html").write_text(pages.render(nbformat.from_dict(book), "html", "98_waits"))
    return "98_waits.html"


@pytest.fixture
def open_page(browser, exported):
    """open_page(name) -> page; afterwards no page error and no request for anything but the files."""
    context = browser.new_context(viewport={"width": 1280, "height": 760})
    problems = []

    def route(request):
        if request.request.url.startswith(("file:", "data:", "blob:")):
            request.continue_()
        else:
            problems.append(request.request.url)
            request.abort()

    context.route("**/*", route)

    def opener(name):
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto((exported / name).as_uri())
        return page

    yield opener
    context.close()
    assert problems == []


def drag(page, place):
    """Drag in a lab's histogram to the right; returns the threshold before and after."""
    until_alive(place)
    handle = place.locator("[role=slider]")
    before = float(handle.get_attribute("aria-valuenow"))
    place.locator(".dcviz-histogram canvas").scroll_into_view_if_needed()
    box = place.locator(".dcviz-histogram canvas").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.6 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], y, steps=8)
    page.mouse.up()
    painted(page)
    return before, float(handle.get_attribute("aria-valuenow"))


def test_a_threshold_is_dragged_without_a_kernel(open_page, shots):
    page = open_page("99_test.html")
    lab = page.locator(".dcviz-PruningLab")
    expect(lab.locator(".dcviz-caption")).to_contain_text("fc1 (300×784) of mine, threshold 0.05")
    before, after = drag(page, lab)
    assert before == pytest.approx(0.05, abs=0.001)
    assert after > before + 0.02
    said = lab.locator(".dcviz-caption .dcviz-text")
    expect(said).to_contain_text(f"threshold {after:.3g}"[:-1])  # its words have moved with it, they are not "as saved"
    assert said.evaluate("e => getComputedStyle(e, '::before').content") == "none"
    page.screenshot(path=shots / "export_html.png", full_page=True)


def test_a_lab_with_an_open_question_waits_without_a_kernel_too(open_page, waiting, shots):
    page = open_page(waiting)
    lab = page.locator(".dcviz-alive")
    until_alive(lab)
    expect(lab).to_contain_text("What share goes?")
    box = lab.get_by_label("logarithmic counts")
    handle = lab.locator("[role=slider]")
    for part in (lab.locator(".dcviz-histogram canvas"), handle, lab.locator("input[type=checkbox]").first):
        assert part.evaluate("e => e.closest('[inert]') !== null")
    before, after = drag(page, lab)
    handle.focus()  # an inert one takes no focus
    page.keyboard.press("ArrowRight")
    painted(page)
    assert float(handle.get_attribute("aria-valuenow")) == after == before
    expect(lab.locator(".dcviz-caption")).to_contain_text("threshold 0.05 ")
    for words in (".dcviz-title", ".dcviz-caption"):  # a screen reader still reads them
        assert lab.locator(words).evaluate("e => e.closest('[inert]') === null")
    page.screenshot(path=shots / "export_waits.png", full_page=True)

    lab.get_by_role("button", name="Show me without guessing").click()
    expect(lab.get_by_role("button", name="Show me without guessing")).to_have_count(0)
    expect(lab.locator("[inert]")).to_have_count(0)
    before, after = drag(page, lab)
    assert after > before + 0.02
    picture = lab.locator(".dcviz-histogram canvas").evaluate("c => c.toDataURL()")
    box.check()
    canvas = lab.locator(".dcviz-histogram canvas").element_handle()
    page.wait_for_function("([c, old]) => c.toDataURL() !== old", arg=[canvas, picture])


def test_controls_that_are_bound_to_a_view_work_and_others_are_off(open_page):
    page = open_page("99_test.html")
    lab = page.locator(".dcviz-PruningLab")
    until_alive(lab)
    box = lab.get_by_label("logarithmic counts")
    picture = lab.locator(".dcviz-histogram canvas").evaluate("c => c.toDataURL()")
    box.check()
    canvas = lab.locator(".dcviz-histogram canvas").element_handle()
    page.wait_for_function("([c, old]) => c.toDataURL() !== old", arg=[canvas, picture])
    expect(lab.locator("select")).to_be_disabled()
    expect(lab.get_by_role("button", name="Measure the error")).to_have_count(0)


def test_a_huffman_leaf_is_clicked_without_a_kernel(open_page):
    page = open_page("99_test.html")
    lab = page.locator(".dcviz-HuffmanLab")
    until_alive(lab)
    leaf = lab.get_by_role("button", name="symbol 0,")
    leaf.click()
    expect(leaf).to_have_attribute("aria-pressed", "true")
    expect(lab.locator(".readout")).to_contain_text("symbol 0")
    expect(lab.locator(".dcviz-caption")).to_contain_text("symbol 0")
    entry = lab.get_by_label("symbol", exact=True)
    entry.fill("99")
    entry.press("Enter")
    expect(lab.locator(".dcviz-caption")).to_contain_text("Symbol 99 does not occur here")
    expect(lab.locator(".dcviz-caption")).not_to_contain_text("symbol 0")


def test_without_scripts_pictures_and_captions_are_there(browser, exported):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((exported / "99_test.html").as_uri())
    expect(page.locator(".dcviz-static figure img")).to_have_count(2)
    for i in range(2):
        figure = page.locator(".dcviz-static figure").nth(i)
        expect(figure.locator("figcaption")).to_be_visible()
        assert len(figure.locator("img").get_attribute("alt")) > 40
        assert figure.locator("img").bounding_box()["width"] > 600
    expect(page.locator("math")).to_have_count(2)
    context.close()


def test_slides_fit_ask_first_and_come_alive(open_page, shots):
    page = open_page("99_test.slides.html")
    page.wait_for_function("window.deck !== undefined")
    texts = []
    for i in range(page.evaluate("deck.getSlides().length")):
        page.evaluate("i => { const at = deck.getIndices(deck.getSlides()[i]); deck.slide(at.h, at.v, -1); }", i)
        size, high, wide, text = page.evaluate(
            "() => { const s = deck.getCurrentSlide();"
            " return [parseFloat(s.style.fontSize), s.scrollHeight, s.scrollWidth, s.innerText]; }"
        )
        assert high <= 720, text
        assert wide <= 1280, text
        assert size >= 15, text
        texts.append(text)
        page.screenshot(path=shots / f"export_slide{i}.png")
    question = next(i for i, text in enumerate(texts) if "What share goes?" in text)
    lab = next(i for i, text in enumerate(texts) if "threshold 0.05" in text)
    assert question < lab
    assert "175" not in texts[question]
    page.evaluate("i => { const at = deck.getIndices(deck.getSlides()[i]); deck.slide(at.h, at.v, -1); }", lab)
    told = page.locator(".fragment", has_text="It is “a third”")
    expect(told).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(told).to_have_css("opacity", "1")
    page.locator("section.present section.present .dcviz-try").click()
    before, after = drag(page, page.locator("section.present section.present .dcviz-alive"))
    assert after > before + 0.02
    page.screenshot(path=shots / "export_slide_alive.png")
