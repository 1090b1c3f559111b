"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def batch():
    """How far the layers get on one thread of our machine."""
    return shown("""
On one thread of our machine only the small, less pruned `fc8` layers get that far.
""")
