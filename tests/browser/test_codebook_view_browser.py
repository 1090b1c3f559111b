"""codebook_view.js alone, with a model of its own: centroids on one place come apart, a drag survives another k."""

import pytest
from lab_browser import ALONE

from dcviz.labkit.codebook_view import CodebookView

MODEL = """async esm => {
  const state = {
    counts: new DataView(new Uint32Array(64).fill(5).buffer), low: -1, high: 1, grid: 1 / 64, height: 300, label: "w",
    draggable: true, centroids: [-0.5, -0.5, -0.5, 0.5], dragged: [], sizes: [], before: [], log_y: false,
    show_cdf: false, centroids_label: "centroid", before_label: "before", released: 0, again: 0,
  };
  await (ALONE)(esm, state);
}""".replace("ALONE", ALONE)


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.evaluate(MODEL, str(CodebookView()._esm))
    page.wait_for_function("document.querySelector('canvas')?.dataset.centroids")
    yield page
    page.close()


def dragged(page):
    return page.evaluate("model.get('dragged')")


def place(page, i):
    """Where a centroid's handle stands in the page."""
    left, top, height = (
        float(page.locator("[role=slider]").nth(i).evaluate(f"e => parseFloat(e.style.{side})"))
        for side in ("left", "top", "height")
    )
    box = page.locator("canvas").bounding_box()
    return box["x"] + left, box["y"] + top + height / 2


@pytest.mark.parametrize(("way", "expected"), [(1, 2), (-1, 0)])
def test_centroids_on_one_place_come_apart_to_either_side(page, way, expected):
    x, y = place(page, 1)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100 * way, y, steps=4)
    page.mouse.up()
    now = dragged(page)
    moved = [i for i, c in enumerate(now) if c != [-0.5, -0.5, -0.5, 0.5][i]]
    assert moved == [expected]
    assert (now[expected] + 0.5) * way > 0.1
    assert now == sorted(now)


def test_another_k_ends_a_drag_and_is_shown(page):
    x, y = place(page, 3)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y)
    before = dragged(page)
    page.evaluate("model.set('centroids', [-0.5, 0, 0.25, 0.5, 0.75])")
    page.mouse.move(x + 80, y)
    page.mouse.up()
    assert dragged(page) == before
    page.wait_for_function("document.querySelectorAll('[role=slider]').length === 5")
    page.wait_for_function("document.querySelector('canvas').dataset.centroids.split(' ').length === 5")


def test_quick_keys_are_kept_though_python_answers_them_one_by_one_without_a_film(page):
    handle, start = page.locator("[role=slider]").nth(3), [-0.5, -0.5, -0.5, 0.5]

    def at(place):
        return [*start[:3], place / 64]

    for _ in range(3):
        handle.press("ArrowLeft")
    assert dragged(page) == at(29)
    page.evaluate("told => model.set('centroids', told)", at(31))  # Python's answer to the first
    handle.press("ArrowLeft")
    assert dragged(page) == at(28)
    page.evaluate("told => model.set('centroids', told)", at(28))  # to the last
    page.evaluate("told => model.set('centroids', told)", at(40))  # steps from there
    handle.press("ArrowLeft")
    assert dragged(page) == at(39)
    page.evaluate("told => { model.set('centroids', told); model.set('dragged', []); }", start)  # undone by code
    handle.press("ArrowLeft")
    assert dragged(page) == at(31)


def test_a_centroid_dragged_back_to_where_python_began_is_a_change(page):
    """Steps were made from 31/64 and have come to 1/2: the first move back there says so, as the steps are to go."""
    start = [-0.5, -0.5, -0.5, 31 / 64]
    page.evaluate("start => model.set('dragged', start)", start)
    page.evaluate("""() => {
        window.heard = [];
        model.on("change:dragged", () => {
            heard.push(model.get("dragged"));
            if (model.get("dragged").length) model.set("centroids", model.get("dragged")); // as the film does
        });
    }""")
    handle = page.locator("[role=slider]").nth(3)
    handle.press("ArrowLeft")
    assert page.evaluate("heard") == [[], start]
    assert page.evaluate("model.get('again')") == 1
    handle.press("ArrowLeft")
    assert dragged(page) == [*start[:3], 30 / 64]
    assert page.evaluate("model.get('again')") == 1


def test_an_older_k_that_python_says_for_a_moment_takes_no_focus_away(page):
    named = "document.activeElement.ariaLabel ?? document.activeElement.getAttribute('aria-label')"
    for i, told in ((1, [-0.5, 0, 0.5]), (1, [-0.5, -0.2, 0, 0.5]), (3, [-0.5, 0, 0.5]), (2, [-0.5, -0.2, 0, 0.5])):
        page.locator("[role=slider]").nth(i).focus()
        page.evaluate("told => model.set('centroids', told)", told)
        assert page.evaluate(named) == f"centroid {min(i, len(told) - 1)}"
        assert page.locator("[role=slider]").count() == len(told)
