"""Every chapter, opened and run in a real JupyterLab, and its outputs compared with those that are stored.

Where there is no Chromium, nbval runs the notebooks without it: a chapter is run once, not for two reasons twice.
"""

import os

import pytest
from lab_browser import ROOT
from nbval.plugin import IPyNbFile, coalesce_streams

CHAPTERS = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


def differences(session, name, book):
    """What nbval finds in the outputs of a run notebook that is not in the stored one: a list of strings."""
    stored = IPyNbFile.from_parent(session, path=ROOT / "notebooks" / name)
    cells, found = [cell for cell in book.cells if cell.cell_type == "code"], []
    for ours, now in zip(stored.collect(), cells, strict=True):
        assert ours.cell.source == now.source
        assert ours.cell.execution_count is not None
        outputs = [coalesce_streams(cell.outputs) for cell in (now, ours.cell)]
        if ours.options["check"] and not ours.compare_outputs(*outputs):
            found.append("\n".join([f"{ours.name} of {name}:", *ours.comparison_traceback]))
    return found


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_runs_clean_and_shows_what_is_stored(name, open_notebook, shots, request):
    page = open_notebook(name)
    page.run_all(seconds=300)
    if "DCVIZ_SHOTS" in os.environ:
        page.page.screenshot(path=shots / f"{name.removesuffix('.ipynb')}.png")
        for i, lab in enumerate(page.page.locator(".dcviz-lab").all()):
            lab.screenshot(path=shots / f"{name.removesuffix('.ipynb')}_lab{i}.png")
    assert page.problems() == []
    assert differences(request.session, name, page.book()) == []


def test_a_changed_output_is_found(request):
    import nbformat

    name = CHAPTERS[1]
    book = nbformat.read(ROOT / "notebooks" / name, 4)
    assert differences(request.session, name, book) == []
    cell = next(cell for cell in book.cells if cell.get("outputs") and cell.outputs[0].output_type == "stream")
    cell.outputs[0].text = cell.outputs[0].text.replace("=", "is", 1)
    (found,) = differences(request.session, name, book)
    assert name in found
    cell.outputs.clear()
    (found,) = differences(request.session, name, book)
    assert "Missing output fields" in found
