"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from IPython.display import Markdown

from dcviz.evidence.prose import filled


def stage():
    """Which stages do most."""
    return Markdown(
        filled("""
* **Pruning and sharing do the heavy lifting**, and they multiply: fewer weights, and fewer bits for each.
""")
    )
