"""What the learner said: guesses and answers, kept in one small JSON file beside the notebooks.

The file is `.dcviz/answers.json` in the working folder, or wherever the environment variable
DCVIZ_STATE points. It belongs to the learner: a missing, damaged or unwritable file never stops a lab.
"""

import json
import os
from pathlib import Path

from dcviz.files import atomic_write


def path():
    """Where the answers are kept."""
    return Path(os.environ.get("DCVIZ_STATE") or ".dcviz/answers.json")


def answers():
    """All recorded answers: key -> value; empty if there are none or the file cannot be read."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def record(key, value):
    """Keep `value` (number, string or bool) under `key`. Returns False if the file cannot be written."""
    try:
        text = json.dumps({**answers(), key: value}, indent=1, sort_keys=True)
        atomic_write(path(), lambda file: file.write(text.encode()))
    except OSError:
        return False
    return True
