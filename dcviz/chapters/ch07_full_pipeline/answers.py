"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def stage():
    """Which stages do most."""
    return shown("""
* **Pruning and sharing do the heavy lifting**, and they multiply: fewer weights, and fewer bits for each.
""")


def own_net():
    """What the kept tensors of a net of one's own weigh in its file."""
    return shown("""
* **What was left alone now weighs.** In the dense net the kept tensors were a few bytes in a hundred. Everything around
  them shrank, they did not: that is why a ratio must count them. `recipe_for(net, norms_dtype="float16")` rounds the
  norms, too.
* The accuracy lives on retraining. Set the epochs to 0 and run again.
""")
