"""The Huffman tree under a real mouse and real keys in a real JupyterLab."""

import numpy as np
import pytest
from lab_browser import rest, write_notebook
from playwright.sync_api import expect

CELLS = [
    "import numpy as np\nfrom dcviz.labs import DecodeLab, HuffmanLab, RelativeIndexLab",
    "symbols = {'m': np.minimum(np.random.default_rng(1).geometric(0.3, 5000) - 1, 23)}",
    "HuffmanLab('mine', symbols=symbols, rare=1.0)",
    "DecodeLab('mine', symbols=symbols)",
    "RelativeIndexLab(step=1)",
]


@pytest.fixture(scope="module")
def name(served):
    return write_notebook(served / "test_huffman.ipynb", *CELLS).name


@pytest.fixture
def page(name, open_notebook):
    notebook = open_notebook(name)
    notebook.run_all()
    expect(notebook.page.locator(".dcviz-HuffmanLab .terminal.leaf").first).to_be_visible()
    return notebook


def test_leaves_by_mouse_and_by_key(page, shots):
    lab = page.page.locator(".dcviz-HuffmanLab")
    caption = lab.locator(".dcviz-caption .dcviz-text")
    readout = lab.locator(".readout")
    leaf = lab.get_by_role("button", name="symbol 0,")
    leaf.click()
    expect(leaf).to_have_attribute("aria-pressed", "true")
    expect(readout).to_contain_text("symbol 0")
    expect(caption).to_contain_text("symbol 0")
    expect(lab.locator(".edge.on")).to_have_count(int(readout.inner_text().split()[-2]))  # as many edges as bits
    cells = page.page.locator(".jp-Notebook .jp-Cell").count()
    leaf.focus()
    leaf.press("Home")
    focused = page.page.locator(".terminal:focus")
    expect(focused).to_have_attribute("tabindex", "0")
    first = focused.get_attribute("aria-label")
    focused.press("ArrowRight")
    expect(page.page.locator(".terminal:focus")).not_to_have_attribute("aria-label", first)
    page.page.locator(".terminal:focus").press("Escape")
    expect(readout).to_contain_text("Choose a leaf")
    assert page.page.locator(".jp-Notebook .jp-Cell").count() == cells
    lab.screenshot(path=shots / "huffman.png")
    assert page.problems() == []


def test_a_closed_branch_opens_and_merges_step(page):
    lab = page.page.locator(".dcviz-HuffmanLab")
    branches, leaves = lab.locator(".branch"), lab.locator(".terminal.leaf")
    closed, open_leaves = branches.count(), leaves.count()
    assert closed > 0
    branches.first.press("Enter")
    expect(leaves).not_to_have_count(open_leaves)
    entry = lab.locator(".dcviz-number input").nth(1)
    entry.fill("3")
    entry.press("Enter")
    expect(lab.locator(".readout")).to_contain_text("next merge")
    expect(lab.locator(".dcviz-caption .dcviz-text")).to_contain_text("After 3 of")
    assert page.problems() == []


def test_reset_ends_what_plays(page):
    lab = page.page.locator(".dcviz-RelativeIndexLab")
    caption = lab.locator(".dcviz-caption .dcviz-text")
    play = lab.get_by_role("button", name="play the entries")
    play.click()
    expect(caption).to_contain_text("Entry 2:")
    page.page.locator(".dcviz-HuffmanLab").get_by_role("button", name="play the merges").click()
    expect(play).to_be_visible()  # one thing plays at a time, also of one lab in two views
    play.click()
    lab.get_by_role("button", name="Reset").click()
    expect(caption).to_contain_text("Entry 1:")
    rest(page.page, 1500)
    expect(caption).to_contain_text("Entry 1:")


def test_decoding_by_button(page, shots):
    lab = page.page.locator(".dcviz-DecodeLab")
    caption = lab.locator(".dcviz-caption .dcviz-text")
    lab.get_by_role("button", name="read one bit").click()
    expect(caption).to_contain_text("Read 1 of")
    lab.get_by_label("next symbol").fill("99")
    lab.get_by_role("button", name="Check").click()
    expect(lab.locator(".dcviz-truth .dcviz-text")).to_contain_text("no code word")
    lab.get_by_role("button", name="Check").click()  # of nothing
    expect(lab.locator(".dcviz-truth .dcviz-text")).to_have_text("A whole number is wanted here.")
    lab.screenshot(path=shots / "decode.png")
    assert page.problems() == []


def test_answers_typed_faster_than_the_kernel_are_all_heard(page):
    lab = page.page.locator(".dcviz-DecodeLab")
    entry = lab.get_by_label("next symbol")
    symbols = np.minimum(np.random.default_rng(1).geometric(0.3, 5000) - 1, 23)
    for symbol in symbols[:4]:
        entry.press_sequentially(str(symbol))
        entry.press("Enter")
    expect(entry).to_have_value("")
    expect(lab.locator(".dcviz-caption .dcviz-text")).to_contain_text("decoded 4 of 12")
    assert page.problems() == []
