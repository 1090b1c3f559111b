"""For tests and notebooks alike: no learner's progress is read or written, and a wrong answer is an error.

The whole suite runs in several processes.
"""

import os

import pytest

os.environ["DCVIZ_PROGRESS"] = "off"
os.environ["DCVIZ_CHECKS"] = "raise"


def pytest_xdist_auto_num_workers(config):
    """One worker more than cores, for tests wait for browsers and kernels; a part of the suite starts no workers."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return (os.cpu_count() or 1) + 1 if whole else 0


CHAPTERS = "tests/browser/test_notebooks_browser.py"
ALL_LABS = "tests/labkit/test_all_labs.py", "tests/labkit/test_interruptions.py"


def together(test):
    """What runs in one process and in order: a file; files that share a server; files that share a lab of each kind."""
    file = test.partition("::")[0]
    if file in ALL_LABS:
        return "all labs"
    return "browser" if file.startswith("tests/browser/") and file != CHAPTERS else file


def pytest_collection_modifyitems(items):
    """What takes longest begins first: browsers, labs, programs that are started and killed, notebooks."""
    places = ("tests/browser/", *ALL_LABS, "tests/test_", "notebooks/", "")
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
