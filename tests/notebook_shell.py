"""IPython in this process, for tests that run a chapter's cells without a kernel."""

import contextlib
import sys

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


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
