"""For tests and notebooks alike: no learner's progress is read or written, and a wrong answer is an error."""

import os

os.environ["DCVIZ_PROGRESS"] = "off"
os.environ["DCVIZ_CHECKS"] = "raise"
