"""What the mouse moves in an exported page, without a kernel: words and pictures of 50 random states are Python's."""

import inspect

import nbformat
import numpy as np
import pytest
from lab_browser import dead_controls, painted, rest, until_alive
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
    "LloydLab": {"net": "mine", "weights": True, "layer": "conv", "k": 5, "init": "density"},
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
    for place in page.locator("[data-lab]").all():  # one that comes alive moves those below it
        until_alive(place)
    yield page
    context.close()
    assert problems == []


def lab_in(page, name):
    """(the lab's box in the page, the same lab in Python)."""
    lab, state = page.locator(f".dcviz-alive .dcviz-{name}"), LABS[name]
    expect(lab.locator(".dcviz-film[data-frames]")).to_have_count(1)
    lab.scroll_into_view_if_needed()
    return lab, getattr(labs, name)(**({**state, "weights": weights()} if "weights" in state else state))


def shown(lab):
    """(caption, where the moving parts of the picture are, numbers in the entries) as the page shows them."""
    painted(lab.page)
    shapes = lab.locator(".dcviz-linked canvas").evaluate_all("all => all.map(c => JSON.parse(c.dataset.shapes))")
    entries = lab.locator(".dcviz-number input").evaluate_all("all => all.map(e => Number(e.value))")
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


def near(shapes):
    """Shapes whose numbers may differ by a tenth of a pixel, rounded here and there."""
    return [pytest.approx(shape, abs=0.11) if all(isinstance(x, float) for x in shape) else shape for shape in shapes]


def same_start(lab, python):
    """Whether page and Python show the same words, centroids and picture for the same start and step."""
    caption, (shapes,), _ = shown(lab)
    assert same_words(caption, python.caption.value)
    assert shapes == near(python.figure_view.shapes)
    centroids = lab.locator(".dcviz-codebook canvas").get_attribute("data-centroids").split()
    assert [float(c) for c in centroids] == pytest.approx(python.centroids, rel=1e-4)
    assert int(lab.locator(".dcviz-codebook canvas").get_attribute("data-empty")) == python.empty


def test_steps_and_dragged_centroids_without_a_kernel_show_what_python_shows(page):
    lab, python = lab_in(page, "LloydLab")
    play = lab.get_by_role("button", name="play the steps")
    for name, step in (("One step", python.step), ("One step", python.step), ("Until nothing moves", python.finish)):
        lab.get_by_role("button", name=name).click()
        step()
        same_start(lab, python)
    expect(play).to_be_enabled()
    canvas, handles = lab.locator(".dcviz-codebook canvas"), lab.locator("[role=slider]")
    canvas.scroll_into_view_if_needed()
    rng, seen = np.random.default_rng(4), set()
    for x, y in places(canvas, (0.12, 0.9)):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.up()
        if rng.random() < 0.3:  # one centroid onto another: one of them owns nothing
            handles.nth(int(rng.integers(5))).press(str(rng.choice(["Home", "End", "Shift+ArrowLeft"])))
        shown(lab)  # once it is drawn
        told = handles.evaluate_all("all => all.map(e => Number(e.getAttribute('aria-valuenow')))")
        start = [round(c / python.view.grid) * python.view.grid for c in told]
        assert start == pytest.approx(told, rel=1e-3)
        python.view.dragged = start
        same_start(lab, python)
        seen.add(tuple(start))
    assert len(seen) > STATES * 0.8
    expect(play).to_be_disabled()  # where these starts lead only Python knows
    expect(play).to_contain_text("needs the notebook")


def test_each_k_moved_to_without_a_kernel_shows_its_start_and_its_steps(page):
    lab, python = lab_in(page, "LloydLab")
    slider, rng = lab.locator("input[type=range]"), np.random.default_rng(5)
    play = lab.get_by_role("button", name="play the steps")
    for k in [16, *rng.permutation(np.arange(2, 16)).tolist()]:
        slider.evaluate("(e, k) => { e.value = k; e.dispatchEvent(new Event('input')); }", k)
        python.k = int(slider.input_value())
        same_start(lab, python)
        expect(lab.locator("[role=slider]")).to_have_count(k)
        expect(play).to_be_enabled()
        lab.get_by_role("button", name="One step").click()
        python.step()
        same_start(lab, python)
        if k % 3 == 0:
            lab.get_by_role("button", name="Until nothing moves").click()
            python.finish()
            same_start(lab, python)
        if k % 3 == 1:  # from here a start of one's own, and on to another k
            lab.locator("[role=slider]").nth(0).press("ArrowRight")
            expect(play).to_be_disabled()


def test_the_setting_before_stays_as_a_ghost_and_one_can_be_pinned(page):
    lab, python = lab_in(page, "PruningLab")
    canvas, picture = lab.locator(".dcviz-histogram canvas"), lab.locator(".dcviz-linked canvas")
    ghost, pin = lab.locator(".dcviz-ghost p"), lab.locator(".dcviz-ghost button")
    at = list(places(canvas))[:4]

    def drag(place):
        rest(page, 600)
        caption, shapes, _ = shown(lab)
        page.mouse.move(*place)
        page.mouse.down()
        page.mouse.up()
        shown(lab)
        return " ".join(caption.split()), shapes

    canvas.scroll_into_view_if_needed()
    before, _ = drag(at[0])
    expect(ghost).to_have_text(f"Before: {before}")
    assert picture.get_attribute("data-ghost") == str(len(python.figure_view.shapes))
    before, _ = drag(at[1])
    expect(ghost).to_have_text(f"Before: {before}")
    pin.click()
    expect(pin).to_have_attribute("aria-pressed", "true")
    pinned, _ = drag(at[2])
    expect(ghost).to_have_text(f"Pinned: {pinned}")
    before, _ = drag(at[3])
    expect(ghost).to_have_text(f"Pinned: {pinned}")
    assert ghost.get_attribute("role") == "status"
    pin.click()
    expect(ghost).to_have_text(f"Before: {before}")


@pytest.mark.parametrize("name", LABS)
def test_no_control_is_dead_without_a_word(page, name):
    lab = page.locator(f".dcviz-alive .dcviz-{name}")
    expect(lab.locator(".dcviz-film[data-frames]").first).to_be_attached()
    assert dead_controls(lab) == []
