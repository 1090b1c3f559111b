"""What the mouse moves in an exported page, without a kernel: words and pictures of 50 random states are Python's."""

import inspect

import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect

from dcviz import labs
from dcviz.classroom import editions, exports
from dcviz.classroom.exports import pages, snapshots
from dcviz.labkit.base import plain

STATES = 50
LABS = {
    "PruningLab": {"net": "mine", "weights": True, "threshold": 0.02},
    "BigNetLab": {"layer": "classifier.1"},
    "SharingLab": {"net": "mine", "weights": True, "k": 9, "init": "density"},
}
"""What the page shows; a test drags each to 50 places and asks the same lab in Python."""


def weights():
    """Two layers of no net, the same in the page and here."""
    rng = np.random.default_rng(7)
    return {"fc1": rng.laplace(scale=0.02, size=(60, 130)).astype(np.float32), "conv": rng.normal(size=(6, 3, 5, 5))}


def cells():
    """The chapter for this test, as a source."""
    setup = f"import numpy as np\nfrom dcviz import labs\n{inspect.getsource(weights)}"
    shown = ""
    for name, state in LABS.items():
        given = {**state, "weights": "WEIGHTS"} if "weights" in state else state
        call = f"labs.{name}(**{given!r})".replace("'WEIGHTS'", "weights()")
        shown += f"\n# %%\nlab = {call}\nlab\n"
    return f"# A chapter for this test.\n# %% [markdown]\n# # 97 · A test\n\n# %%\n{setup}{shown}"


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The exported page with all labs of LABS, in a browser without a network."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "97_films.py").write_text(cells())
    exports.lay_assets("html", folder / "assets")
    book = snapshots.execute(editions.notebook(folder / "97_films.py", "student"), folder)
    (folder / "97_films.html").write_text(pages.render(nbformat.from_dict(book), "html", "97_films"))
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto((folder / "97_films.html").as_uri())
    yield page
    context.close()
    assert problems == []


def lab_in(page, name):
    """(the lab's box in the page, the same lab in Python)."""
    lab, state = page.locator(f".dcviz-alive .dcviz-{name}"), LABS[name]
    expect(lab.locator(".dcviz-film[data-frames]")).to_have_count(1, timeout=30_000)
    lab.scroll_into_view_if_needed()
    return lab, getattr(labs, name)(**({**state, "weights": weights()} if "weights" in state else state))


def shown(lab):
    """(caption, where the moving parts of the picture are, numbers in the entries) as the page shows them."""
    lab.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shapes = lab.locator(".dcviz-linked canvas").evaluate_all("all => all.map(c => JSON.parse(c.dataset.shapes))")
    entries = lab.locator("input[type=number]").evaluate_all("all => all.map(e => Number(e.value))")
    return lab.locator(".dcviz-caption .dcviz-text").inner_text(), shapes, entries


def same_words(text, markup):
    return " ".join(text.split()) == plain(markup)


def places(canvas, share=(0.52, 0.97)):
    """50 random places in a canvas, between these shares of its width, as pixels."""
    box = canvas.bounding_box()
    for at in np.random.default_rng(1).uniform(*share, STATES):
        yield box["x"] + at * box["width"], box["y"] + box["height"] / 2


@pytest.mark.parametrize("name", ["PruningLab", "BigNetLab"])
def test_a_threshold_dragged_without_a_kernel_shows_what_python_shows(page, name):
    lab, python = lab_in(page, name)
    canvas, seen = lab.locator(".dcviz-histogram canvas"), set()
    canvas.scroll_into_view_if_needed()
    for x, y in places(canvas):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.up()
        caption, shapes, entries = shown(lab)
        python.threshold = float(canvas.get_attribute("data-threshold"))
        assert same_words(caption, python.caption.value)
        assert shapes == [python.figure_view.shapes]
        assert entries == [entry.value for entry in python.entries]
        kept = python.sketch.n - python.view.exact[1]
        share = lab.locator(".dcviz-histogram [role=slider]").get_attribute("aria-valuetext")
        assert f"{kept:,} of {python.sketch.n:,} kept" in share
        seen.add(python.threshold)
    assert len(seen) > STATES * 0.8


def test_k_and_the_start_chosen_without_a_kernel_show_what_python_shows(page):
    lab, python = lab_in(page, "SharingLab")
    rng, slider = np.random.default_rng(3), lab.locator("input[type=range]")
    for _ in range(STATES):
        init = ["linear", "density", "forgy"][rng.integers(3)]
        lab.get_by_role("button", name=init, exact=True).click()
        slider.evaluate("(e, k) => { e.value = k; e.dispatchEvent(new Event('input')); }", int(rng.integers(2, 65)))
        caption, shapes, entries = shown(lab)
        python.init, python.k = init, int(slider.input_value())
        assert same_words(caption, python.caption.value)
        assert shapes == [python.figure_view.shapes]
        assert entries == [python.k]
        centroids = lab.locator(".dcviz-codebook canvas").get_attribute("data-centroids").split()
        assert [float(c) for c in centroids] == pytest.approx(python.centroids, rel=1e-4)
