"""All labs on one page, examined by axe-core and worked by keyboard alone."""

import pytest
from lab_browser import NotebookPage, write_notebook
from playwright.sync_api import expect

from dcviz import labs

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

CELLS = [
    "from dcviz import labs\nguess = labs.Prediction('How many?', options=['one', 'two'], truth='two')",
    *(f"labs.{name}()" for name in labs.ALL),
    "labs.PruningLab(prediction=guess)",
    "labs.Prediction('How much?', low=0, high=10, unit='%')",
    "labs.Progress()",
]


@pytest.fixture(scope="module")
def page(server, browser):
    write_notebook(server.notebooks / "test_all_labs.ipynb", *CELLS)
    context = browser.new_context(viewport={"width": 1400, "height": 1050})
    notebook = NotebookPage(context, server, "test_all_labs.ipynb")
    notebook.run_all(seconds=300)
    assert notebook.problems() == []
    expect(notebook.page.locator(".dcviz-lab")).to_have_count(len(labs.ALL) + 2)
    yield notebook
    notebook.close()
    context.close()


def violations(page):
    """Serious and critical findings of axe-core inside the labs, one line each."""
    found = axe.Axe().run(page, ".dcviz", {"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe_finds_nothing_serious_in_any_lab(page, theme):
    page.theme(theme)
    assert violations(page.page) == []
    assert page.problems() == []


CONTROLS = """lab => [...lab.querySelectorAll("a[href], button, input, select, textarea, [tabindex]")].filter(
    e => !e.disabled && e.getClientRects().length && (e.tabIndex >= 0) && e.type !== "radio")"""
HERE = """() => {
    const e = document.activeElement;
    const role = e.getAttribute("role") ?? (e.matches("button") ? "button" : e.type ?? e.localName);
    return { inside: e.closest(".dcviz-lab")?.className ?? "", role, work: Boolean(e.closest(".dcviz-run")),
             name: e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent ?? e.textContent ?? "" };
}"""
KEYS = {
    "slider": ["ArrowRight"],
    "number": ["ArrowUp", "Enter"],
    "select-one": ["ArrowDown"],
    "button": ["Enter"],
    "checkbox": ["Space"],
    "radio": ["ArrowDown"],
    "text": ["1", "Enter"],
    "application": ["ArrowRight", "Space"],  # the sheet that a digit is drawn on
}

SPEAKING = """lab => {
    window.said = 0;  // how often a text of this lab changed, and of no other
    window.listening?.disconnect();
    const inText = (node) => (node.closest ? node : node.parentElement)?.closest(".dcviz-text");
    window.listening = new MutationObserver((all) => { window.said += all.filter((m) => inText(m.target)).length; });
    window.listening.observe(lab, { childList: true, subtree: true, characterData: true });
}"""


@pytest.mark.parametrize("name", labs.ALL)
def test_a_lab_is_worked_by_keys_alone(page, name):
    tab = page.page
    lab = tab.locator(f".dcviz-{name}").first
    lab.evaluate(SPEAKING)
    chosen = "() => jupyterapp.shell.currentWidget.content.activeCellIndex"
    cells, wanted = tab.locator(".jp-Notebook .jp-Cell").count(), lab.evaluate(f"lab => ({CONTROLS})(lab).length")
    assert wanted > 0
    lab.evaluate(f"lab => ({CONTROLS})(lab)[0].focus()")
    active, visited = tab.evaluate(chosen), []
    for _ in range(wanted + 5):
        here = tab.evaluate(HERE)
        if f"dcviz-{name}" not in here["inside"].split():
            break
        assert here["name"].strip(), f"a {here['role']} without a name"
        visited.append(here)
        if not here["work"]:  # minutes of work are for other tests
            for key in KEYS[here["role"]]:
                tab.keyboard.press(key)
        assert tab.evaluate(chosen) == active, f"JupyterLab took a key of {here} for itself"
        tab.keyboard.press("Tab")
    else:
        pytest.fail(f"no way out of {name} with Tab: {visited}")
    assert len(visited) >= min(wanted, 2)
    assert tab.locator(".jp-Notebook .jp-Cell").count() == cells, "JupyterLab took a key for itself"
    if not all(stop["work"] for stop in visited):
        tab.wait_for_function("() => window.said > 0")
    assert lab.locator(".dcviz-alert .dcviz-text:not([hidden])").all_inner_texts() == []
    assert page.errors == []
