"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def two_values():
    """Why a pruned net gets by with two values, and another one does not."""
    return shown("""
Surprised? Untick **pruned net** and measure 2 values for the *unpruned* net too. It falls apart. A pruned net has
its zeros for free: with two centroids it has three values, and the gap between the humps is where it needed none.
""")


def large():
    """What the lower left picture shows of the three starts."""
    return shown("""
Look at the lower left picture. A start that goes where the crowd is serves small weights to the third digit, and the
few large ones are **rounded away**. One that does not care how many weights there are serves every size alike.
""")


def closest():
    """How the three starts end, beside the exact optimum."""
    return shown("""
(Bars of forgy: the mean of five draws.) A bar above 1 is a valley that is not the deepest. With 32 centroids the
start that the paper recommends ends **farthest** from the optimum of equation 2: its centroids in the empty
stretches own few weights, or none, and the crowd has to share the others.

So is the paper wrong? Not so fast: *inertia counts weights, accuracy does not*. A thousand small weights served a
little better make the sum smaller; ten large ones served badly can change what the net answers. That has to be
measured on the net.
""")
