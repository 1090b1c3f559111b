"""Every chapter, opened and run in a real JupyterLab."""

import pytest
from lab_browser import ROOT

CHAPTERS = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_runs_clean(name, open_notebook, shots):
    page = open_notebook(name)
    page.run_all(seconds=300)
    page.page.screenshot(path=shots / f"{name.removesuffix('.ipynb')}.png")
    for i, lab in enumerate(page.page.locator(".dcviz-lab").all()):
        lab.screenshot(path=shots / f"{name.removesuffix('.ipynb')}_lab{i}.png")
    assert page.problems() == []
