"""For tests and notebooks alike: no learner's progress is read or written, and a wrong answer is an error.

The whole suite runs in several processes.
"""

import importlib.util
import os
import shutil
import sys

import pytest

sys.modules.setdefault("rfc3987_syntax", None)  # as in `dcviz.classroom.folder`: nbval, too, imports jsonschema
pytest_plugins = ["nbval.plugin"]  # so it is not loaded before this file, `-p no:nbval`
os.environ["DCVIZ_PROGRESS"] = "off"
os.environ["DCVIZ_CHECKS"] = "raise"


def pytest_xdist_auto_num_workers(config):
    """One worker more than cores, for tests wait for browsers and kernels; a part of the suite starts no workers."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return (os.cpu_count() or 1) + 1 if whole else 0


def pytest_configure(config):
    """In the whole suite the notebooks are run in a browser, if there is one; in a part of it, as asked for.

    In the whole suite what one process has compiled is kept for the next: tests start a hundred that import dcviz.
    """
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # for workers, and what they start
    browser = any(
        map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"))
    )
    if whole and browser and importlib.util.find_spec("playwright"):
        os.environ[RUN_IN_BROWSER] = "1"  # the workers read it, too


def pytest_ignore_collect(collection_path, config):
    """Not twice: `test_notebooks_browser.py` compares the outputs as nbval does."""
    return True if collection_path.suffix == ".ipynb" and RUN_IN_BROWSER in os.environ else None


RUN_IN_BROWSER = "DCVIZ_NOTEBOOKS_RUN_IN_BROWSER"
CHAPTERS = "tests/browser/test_notebooks_browser.py"
SLIDES = "tests/browser/test_slides_browser.py"
FRONT_ENDS = "tests/browser/test_front_ends_browser.py", "tests/browser/test_lab_life_browser.py"
NO_SERVER = tuple(
    f"tests/browser/test_{name}_browser.py"
    for name in ("codebook_view", "exports", "film", "films", "journey", "linked_labs", "theme", "typing", "voila")
)
ALL_LABS = "tests/labkit/test_all_labs.py", "tests/labkit/test_interruptions.py"


def together(test):
    """What runs in one process and in order: a file; files that share a server; files that share a lab of each kind.

    Not all on one server, which would be the last to end: those that look at two front ends have their own, chapters
    run in two processes, a server each; what needs no server goes wherever there is time, slides one by one.
    """
    file = test.partition("::")[0]
    if file in ALL_LABS:
        return "all labs"
    if file in FRONT_ENDS:
        return "front ends"
    if file == SLIDES:
        return test
    if file == CHAPTERS:
        number = test.partition("[")[2][:2]
        return f"{file} {'odd' if number and int(number) % 2 else 'even'}"
    return "browser" if file.startswith("tests/browser/") and file not in NO_SERVER else file


def pytest_collection_modifyitems(items):
    """What takes longest begins first: browsers, labs, programs that are started and killed, notebooks."""
    long = ("tests/browser/test_every_lab_browser.py", *FRONT_ENDS, CHAPTERS)
    places = (*long, "tests/browser/", *ALL_LABS, "tests/test_", "notebooks/", "")
    items.sort(key=lambda item: next(i for i, place in enumerate(places) if item.nodeid.startswith(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give the workers what belongs together, in the order above."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return together(nodeid)

    config.option.loadscopereorder = False  # by number of tests
    return Together(config, log)
