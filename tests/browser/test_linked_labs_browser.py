"""Labs of chapters 02, 03, 05, 06 and 10 in an exported page without a kernel: random states say what Python says."""

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
SHOWN = {
    "RelativeIndexLab": {"step": 2},
    "GradientLab": {},
    "CodebookLab": {"n": 1000, "bits": 5},
    "HuffmanLab": {"net": "lenet-300-100", "layer": "fc3", "stream": "weight codes"},
    "DigitLab": {"density": 20.0},
    "AllocationLab": {},
}


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The exported page with all labs of SHOWN, in a browser without a network."""
    folder = tmp_path_factory.mktemp("linked")
    cells = "".join(f"\n# %%\nlabs.recreate({repr_of(name)!r})\n" for name in SHOWN)
    source = f"# For this test.\n# %% [markdown]\n# # 96 · A test\n\n# %%\nfrom dcviz import labs\n{cells}"
    (folder / "96_linked.py").write_text(source)
    exports.lay_assets("html", folder / "assets")
    book = snapshots.execute(editions.notebook(folder / "96_linked.py", "student"), folder)
    (folder / "96_linked.html").write_text(pages.render(nbformat.from_dict(book), "html", "96_linked"))
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto((folder / "96_linked.html").as_uri())
    for place in page.locator("[data-lab]").all():  # one that comes alive moves those below it
        until_alive(place)
    yield page
    context.close()
    assert problems == []


def repr_of(name):
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in SHOWN[name].items())})"


class Both:
    """A lab in the page and the same lab in Python."""

    def __init__(self, page, name):
        self.page, self.python = page, labs.recreate(repr_of(name))
        self.box = page.locator(f".dcviz-alive .dcviz-{name}")
        expect(self.box.locator(".dcviz-film[data-frames]").first).to_be_attached()
        self.sliders = self.box.locator("input[type=range]")
        self.rng = np.random.default_rng(3)

    def slide(self, i, value):
        self.sliders.nth(i).evaluate(
            "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', { bubbles: true })); }", value
        )

    def compare(self, what=""):
        painted(self.page)
        said = " ".join(self.box.locator(".dcviz-caption .dcviz-text").inner_text().split())
        assert said == plain(self.python.caption.value), f"{what}: {said} | {plain(self.python.caption.value)}"
        assert self.python.error == ""

    def shapes(self):
        drawn = self.box.locator(".dcviz-linked canvas").evaluate("c => JSON.parse(c.dataset.shapes)")
        assert drawn == [[pytest.approx(x, abs=0.11) for x in shape] for shape in self.python.figure_view.shapes]


def test_relative_index_without_a_kernel_is_python_s(page):
    both = Both(page, "RelativeIndexLab")
    python, rng = both.python, both.rng
    for _ in range(STATES):
        action = rng.choice(["cell", "cell", "cell", "bits", "size", "Next entry", "All", "From the start", "play"])
        if action == "cell":
            position = int(rng.integers(python.size))
            both.box.locator(f"[data-position='{position}']").click()
            python.positions = sorted({position} ^ set(python.positions))
        elif action in ("bits", "size"):
            value = int(rng.integers(1, 9) if action == "bits" else rng.integers(4, 33))
            both.slide(("bits", "size").index(action), value)
            setattr(python, action, value)
        elif action != "play":
            button = both.box.get_by_role("button", name=action)
            if button.is_enabled():
                button.click()
            ahead = {"Next entry": min(python.step + 1, len(python.entries)), "All": len(python.entries)}
            python.step = ahead.get(action, 0)
        both.compare(action)
        table = both.box.locator(".dcviz-table .dcviz-text").inner_text()
        assert " ".join(table.split()) == plain(python.table.value)
        kept = both.box.locator("[data-position][aria-pressed=true]")
        assert [int(cell.get_attribute("data-position")) for cell in kept.all()] == python.positions
        assert both.box.locator(".widget-text input").input_value() == python.text.value


def test_blocks_without_a_kernel_are_python_s(page):
    both = Both(page, "AllocationLab")
    python, rng = both.python, both.rng
    choices = [(name, value) for name in python.state_names for value in python.traits()[name].values]
    buttons = both.box.locator("button.jupyter-button")
    for _ in range(STATES // 5):
        at = int(rng.integers(len(choices)))
        buttons.nth(at).click()
        setattr(python, *choices[at])
        both.compare(choices[at])
        both.shapes()


def test_gradients_without_a_kernel_add_up_as_python_s(page):
    both = Both(page, "GradientLab")
    python, rng = both.python, both.rng
    first = both.box.get_by_label("gradient, row 1, column 1")
    for typed, why in (("0,05", ""), ("abc", "“abc” is no number."), ("1e9", "From −1,000 to 1,000."), ("-0.2", "")):
        first.fill(typed)
        first.press("Enter")
        assert first.evaluate("e => e.validationMessage") == why
        if not why:
            python.view.gradients = [float(typed.replace(",", ".")), *python.gradients[1:]]
            python.cell = 0
        both.compare(typed)
    for _ in range(STATES):
        action = rng.choice(["gradient", "gradient", "rate", "reduce"])
        if action == "gradient":
            at, value = int(rng.integers(16)), round(float(rng.normal()), int(rng.integers(1, 4)))
            entry = both.box.get_by_label(f"gradient, row {at // 4 + 1}, column {at % 4 + 1}")
            entry.fill(str(value))
            entry.press("Enter")
            python.view.gradients = [value if i == at else g for i, g in enumerate(python.gradients)]
            python.cell = at
        elif action == "rate":
            value = round(float(rng.uniform(0, 5)), 2)
            both.slide(0, value)
            python.learning_rate = value
        else:
            python.reduce = str(rng.choice(["sum", "mean"]))
            both.box.get_by_role("button", name=python.reduce, exact=True).click()
        both.compare(action)
        for title, values in ((python.reduce, python.reduced), ("fine-tuned", python.tuned)):
            block = both.box.locator(".block", has=page.locator("h4", has_text=title))
            cells = block.locator("[data-cluster]").all_inner_texts()
            assert cells == [f"{v + 0:.2f}".replace("-0.00", "0.00").replace("-", "−") for v in values]
    expect(both.box.get_by_label("weight, row 1, column 1")).to_be_disabled()  # k-means needs Python
    expect(both.box.get_by_label("weight, row 1, column 2")).to_have_value("−0.98")


def test_the_codebook_s_cost_without_a_kernel_is_python_s(page):
    both = Both(page, "CodebookLab")
    python, rng = both.python, both.rng
    for _ in range(STATES):
        place, bits = int(rng.integers(45, 401)), int(rng.integers(1, 13))
        both.slide(0, place)
        both.slide(1, bits)
        python.n, python.bits = python.n_slider.at(place), bits
        both.compare((place, bits))
        both.shapes()
        numbers = both.box.locator(".dcviz-number input")
        assert [int(numbers.nth(i).input_value()) for i in (0, 1)] == [python.n, bits]


def choose(both, symbol):
    """Click a leaf, which may be hidden as it is made by a later merge."""
    leaf = both.box.locator(f".terminal.leaf[data-node='{symbol}']")
    leaf.evaluate("e => e.dispatchEvent(new MouseEvent('click', { bubbles: true }))")


def test_the_huffman_tree_without_a_kernel_is_python_s(page):
    both = Both(page, "HuffmanLab")
    python, rng = both.python, both.rng
    merges = len(python.tree.merges)
    for _ in range(STATES):
        action = rng.choice(["leaf", "leaf", "step", "canonical", "rare"])
        if action == "leaf":
            python.rare = 0.0
            both.slide(1, 0)
            symbol = int(rng.choice(python.kinds))
            choose(both, symbol)
            python.symbol = -1 if symbol == python.symbol else symbol
        elif action == "step":
            step = int(rng.integers(merges + 1))
            both.slide(0, step)
            python.step = -1 if step == merges else step
        elif action == "canonical":
            box = both.box.get_by_label("canonical order")
            box.click()
            python.canonical = not python.canonical
        else:
            if python.symbol >= 0:  # else Python opens the branches above it
                choose(both, python.symbol)
                python.symbol = -1
            python.rare = int(rng.integers(51)) / 10
            both.slide(1, python.rare)
        both.compare(action)
        both.shapes()
        leaves = both.box.locator(".terminal.leaf").evaluate_all("all => all.map(g => Number(g.dataset.node))")
        kinds = zip(python.view.tree["kind"], python.view.tree["node"], strict=True)
        assert leaves == [node for kind, node in kinds if kind == "leaf"]


def test_a_typed_number_of_merges_moves_play_too(page):
    box = Both(page, "HuffmanLab").box
    box.get_by_label("canonical order").set_checked(False)
    entry = box.get_by_label("merges done, as a number")
    entry.fill("3")
    entry.press("Enter")
    box.get_by_role("button", name="play the merges").click()
    expect(entry).to_have_value("5")  # it goes on from 3
    box.get_by_role("button", name="pause").click()


def test_a_typed_share_becomes_one_that_has_a_tree(page):
    box = Both(page, "HuffmanLab").box
    entry = box.get_by_label("close branches below (%), as a number")
    for typed, then in {"1,26": "1.3", "0.26": "0.3", "0": "0"}.items():
        entry.fill(typed)
        entry.press("Enter")
        expect(entry).to_have_value(then)


def test_numbers_without_a_kernel_are_taken_as_typed_or_refused_in_words(page):
    density = page.locator(".dcviz-alive .dcviz-DigitLab .dcviz-number")
    caption, field = page.locator(".dcviz-alive .dcviz-DigitLab .dcviz-caption"), density.locator("input")
    merges = page.locator(".dcviz-alive .dcviz-HuffmanLab").get_by_label("merges done, as a number")
    for typed, why in {"0,05": "From 1 to 100. It is still 20.", "abc": "“abc” is no number. It is still 20."}.items():
        field.fill(typed)
        field.press("Enter")
        expect(density.get_by_role("alert")).to_have_text(why)
        expect(caption).to_contain_text("(20%)")
    field.fill("12,5")
    field.press("Enter")
    expect(density.get_by_role("alert")).to_have_text("")
    expect(caption).to_contain_text("(12.6%)")  # the nearest step of the slider
    field.fill(" 20%")
    field.press("Enter")
    expect(caption).to_contain_text("(20%)")
    merges.fill("2.5")
    merges.press("Enter")
    expect(merges).to_have_attribute("aria-invalid", "true")


def test_a_digit_drawn_without_a_kernel_is_read_as_by_python(page):
    both = Both(page, "DigitLab")
    python, rng = both.python, both.rng
    sheet, view = both.box.locator("canvas.sheet"), both.box.locator(".dcviz-digit")
    seen = set()
    for _ in range(STATES):
        action = rng.choice(["density", "density", "draw", "Clear", "Another example"])
        if action == "density":
            exponent = 0.02 * int(rng.integers(101))  # of the percent
            both.slide(0, exponent)
            python.slider.value = 10**exponent
        elif action == "draw":
            sheet.scroll_into_view_if_needed()
            box = sheet.bounding_box()
            points = rng.uniform(0.15, 0.85, (3, 2)) * [box["width"], box["height"]] + [box["x"], box["y"]]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point, steps=4)
            page.mouse.up()
        else:
            both.box.get_by_role("button", name=action).click()
        painted(page)
        python.drawing = view.get_attribute("data-drawing")
        both.compare(action)
        shown = [[float(x) for x in net.split()] for net in view.get_attribute("data-shares").split("|")]
        np.testing.assert_allclose(shown, [python.dense, python.pruned], atol=6e-5)
        seen.add(python.drawing)
    assert len(seen) > 8


PAUSED_AT = """(caption, words) => {  // pressed in the page, as from here it may come some entries later
    window.said = [];
    new MutationObserver(() => {
        if (window.said.at(-1) === caption.textContent) return;
        window.said.push(caption.textContent);
        if (!caption.textContent.includes(words)) return;
        for (const button of caption.closest(".dcviz-lab").querySelectorAll(".dcviz-play button"))
            if (button.textContent.includes("pause")) button.click();
    }).observe(caption, { childList: true, subtree: true, characterData: true });
}"""


def test_entries_play_one_after_another_without_a_kernel(page):
    lab = page.locator(".dcviz-alive .dcviz-RelativeIndexLab")
    caption = lab.locator(".dcviz-caption .dcviz-text")
    for position in (1, 4, 15, 20):
        cell = lab.locator(f"[data-position='{position}']")
        if cell.count() and cell.get_attribute("aria-pressed") == "false":
            cell.click()
    if lab.get_by_role("button", name="From the start").is_enabled():
        lab.get_by_role("button", name="From the start").click()
    expect(caption).to_contain_text("Nothing is written yet")
    caption.evaluate(PAUSED_AT, "Entry 2:")
    lab.get_by_role("button", name="play the entries").click()
    page.wait_for_function("() => window.said.at(-1)?.includes('Entry 2:')")
    assert "Entry 1:" in page.evaluate("window.said")[-2]
    expect(lab.get_by_role("button", name="play the entries")).to_be_visible()
    rest(page, 1500)
    expect(caption).to_contain_text("Entry 2:")


@pytest.mark.parametrize("name", SHOWN)
def test_no_control_is_dead_without_a_word(page, name):
    lab = page.locator(f".dcviz-alive .dcviz-{name}")
    expect(lab.locator(".dcviz-film[data-frames]").first).to_be_attached()
    assert dead_controls(lab) == []
