"""IPython without a history: a kernel, or in this process for tests that run a chapter's cells without one."""

import contextlib
import sys

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

NO_HISTORY = "--HistoryManager.hist_file=:memory:"
"""For a kernel: those of other workers would write into the same file at the same time."""


@contextlib.contextmanager
def notebook_shell():
    """A shell without a history. Python's own ``__main__`` comes back: processes that a later test spawns need it."""
    config, main = Config(), sys.modules["__main__"]
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    try:
        yield shell
    finally:
        shell.reset(new_session=False)
        sys.modules["__main__"] = main
