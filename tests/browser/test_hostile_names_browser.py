"""Labs, tables, predictions, exported pages and slides with a net in which every name is an attack: nothing runs."""

import sys
from pathlib import Path

import nbformat
import pytest
from lab_browser import write_notebook

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile import NAMES

from dcviz.classroom import editions, exports
from dcviz.classroom.exports import pages, snapshots

RAN = "() => window.dcvizRan ?? 0"
SET_UP = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from hostile import NAMES, NET, STORED, WEIGHTS, stored_net
from dcviz.archive import coders
from dcviz.chapters.ch06_huffman import figures as coding
from dcviz.chapters.ch07_full_pipeline import tables
from dcviz.ideas import sketch
from dcviz.labkit import histograms
from dcviz.labkit.check import Result
from dcviz.labs import DecodeLab, HuffmanLab, IndexBitsLab, LloydLab, Prediction, PruningLab, SharingLab
net = stored_net()
"""
CELLS = (
    "HuffmanLab(net, layer=STORED[0], step=1, symbol=1)",
    "DecodeLab(net, layer=STORED[1], stream='weight codes')",
    "PruningLab(NET, layer=NAMES[10], weights=WEIGHTS, prediction=Prediction(NAMES[0], options=NAMES, truth=NAMES[1]))",
    "SharingLab(NET, layer=NAMES[5], weights=WEIGHTS)",
    "LloydLab(NET, layer=NAMES[6], weights=WEIGHTS)",
    "IndexBitsLab(NET, layer=NAMES[-1], weights=WEIGHTS)",
    "tables.parts(net)",
    "Result(NAMES[0], True, NAMES[1])",
    "histograms.two_humps(*2 * [sketch.sketch(WEIGHTS[NAMES[0]])], NAMES[5])",
    "coding.streams_picture(coders.streams(net.layers[0]), NAMES[0])",
    "lab = PruningLab(NET, layer=NAMES[2], weights=WEIGHTS)\nlab.layer = NAMES[0] + '?'\nlab",
)
LABS, ALIVE = 7, 6  # in a page without a kernel: those with a view of the browser's, and a picture


def test_nothing_runs_in_jupyterlab(open_notebook, served):
    write_notebook(served / "hostile.ipynb", SET_UP, *CELLS)
    notebook = open_notebook("hostile.ipynb")
    page = notebook.page
    notebook.run_all()
    page.wait_for_function(f"() => document.querySelectorAll('.dcviz-lab .dcviz-caption').length >= {LABS}")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-OutputArea img')].every(i => i.complete && i.naturalWidth > 0)"
    )
    page.wait_for_function("() => document.querySelectorAll('.jp-OutputArea :is(img, canvas)').length >= 8")
    page.locator(".terminal").first.wait_for()
    for place in page.locator(".terminal").all()[:4]:  # a tree says what is pointed at
        place.dispatch_event("pointerenter")
    assert page.evaluate(RAN) == 0
    assert page.locator(".jp-OutputArea :is(script, iframe, [onerror], [onload], [onmouseover])").count() == 0
    assert (
        page.locator(".dcviz-caption img, .dcviz-caption svg, .dcviz-question img, [href^='javascript:']").count() == 0
    )
    problems = [p for p in notebook.problems() if not p.startswith("a lab says: That did not work. NetError")]
    assert problems == []
    assert not (served / "owned.txt").exists()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Folder with 99_hostile.html and 99_hostile.slides.html; an output has markup and scripts of its own, too."""
    folder = tmp_path_factory.mktemp("hostile")
    cells = (*CELLS, f"from IPython.display import HTML\nHTML({ATTACK!r})")
    shown = "\n\n".join(f'# %% tags=["subslide"]\n{cell}' for cell in cells)
    source = folder / "99_hostile.py"
    source.write_text(
        f'# %% [markdown] tags=["slide"]\n# # 99 · Hostile\n\n# %% tags=["skip"]\n{SET_UP}\n\n{shown}\n', "utf-8"
    )
    exports.lay_assets("slides", folder / "assets")
    book = snapshots.execute(editions.notebook(source, "lecture"), folder)
    for kind, name in (("html", "99_hostile.html"), ("slides", "99_hostile.slides.html")):
        (folder / name).write_text(pages.render(nbformat.from_dict(book), kind, "99_hostile"), "utf-8")
    return folder


ATTACK = "".join(name for name in NAMES[:3]) + "<script src='http://attack.example/x.js'></script>"


@pytest.mark.parametrize("name", ["99_hostile.html", "99_hostile.slides.html"])
def test_nothing_runs_in_an_exported_page(browser, exported, name):
    context = browser.new_context(viewport={"width": 1280, "height": 760})
    asked = []  # what goes out; the policy stops a request before that

    def route(request):
        if not request.request.url.startswith(("file:", "data:", "blob:")):
            asked.append(request.request.url)
        request.continue_()

    context.route("**/*", route)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((exported / name).as_uri())
    if "slides" in name:
        page.wait_for_function("window.deck !== undefined")
        buttons = page.locator(".dcviz-try")
        assert buttons.count() == ALIVE
        page.evaluate("() => Promise.all([...document.querySelectorAll('[data-lab]')].map(window.dcvizLive))")
    page.wait_for_function(f"() => document.querySelectorAll('.dcviz-alive').length === {ALIVE}")
    page.wait_for_function(f"() => document.querySelectorAll('.dcviz-static[hidden]').length === {ALIVE}")
    assert page.evaluate(RAN) == 0
    assert page.locator(".dcviz-saved :is(script, iframe, [onerror], [onload], [onmouseover])").count() == 0
    assert page.evaluate("() => [...document.querySelectorAll('figure img')].every(i => i.naturalWidth > 100)")
    assert asked == []
    assert errors == []
    context.close()


def test_the_speakers_view_still_opens(browser, exported):
    context = browser.new_context()
    page = context.new_page()
    page.goto((exported / "99_hostile.slides.html").as_uri())
    page.wait_for_function("window.deck !== undefined")
    with context.expect_page() as opened:
        page.keyboard.press("s")
    view = opened.value
    view.wait_for_selector("#current-slide iframe")
    assert view.evaluate("() => document.title").endswith("Speaker View")
    context.close()
