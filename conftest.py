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


def pytest_collection_modifyitems(items):
    """What takes longest begins first: with browsers, killed processes, kernels."""
    places = ("tests/browser/", "tests/test_kill.py", "notebooks/", "")
    items.sort(key=lambda item: next(i for i, place in enumerate(places) if item.nodeid.startswith(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file's tests stay together and in order, for cells need the cells before; two servers for all browser tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            chapters = file.endswith("test_notebooks_browser.py")
            return "browser" if file.startswith("tests/browser/") and not chapters else file

    config.option.loadscopereorder = False  # keep the order above
    return Files(config, log)
