"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def sensitive():
    """Why one layer of LeNet-5 must keep more than another."""
    return shown("""
Why is one layer so much more sensitive than another? Three things to ask of each:

* **How large is it?** A small one has little to spare: `conv1` has 500 weights, `fc1` 800 times as many for one and the
  same image.
* **How hard do its weights work?** A filter of `conv1` is moved over 24×24 places, so one weight is used 576 times an
  image. A weight of `fc1` is used once.
* **Who comes after it?** What a layer gets wrong, everybody after it gets wrong.

On AlexNet NIPS'15 found the first convolution, which looks at the image itself, the most sensitive.
""")


def method():
    """What the picture of the three ways of cutting says."""
    return shown("""
Read the picture from left to right.

* **Without retraining** the net falls apart at once. Retraining is what makes pruning work at all.
* **As long as a tenth or more stays**, it does not matter how you cut; one cut is as good as any. (No curve
  gets back to the dense net's error: it learned from 55,000 digits, and here it retrains on 4,000.)
* **The harder the cut, the more the way counts.** Gradual cuts lead from 3% on. At 1% a single cut makes
  {{computed/ch02_pruning.times_the_errors(one cut; gradual; 0.01)|.1f}} times as many errors as gradual ones, and
  {{computed/ch02_pruning.times_the_errors(one cut; five cuts; 0.01)|.1f}} times as many as five cuts.

Why? Magnitude is a guess at importance, made for the net *as it is*. After a small cut and some training the
survivors have new values, and the next guess is a better one. And with regrowth a wrong guess can be taken
back. The paper's own count (9 times instead of 5) includes one more thing that we took away: it retrains fully
after *every* cut, so its iterative nets trained longer.
""")


def penalty():
    """What the two penalties did, before and after retraining."""
    return shown(r"""
**Before retraining** L1 does better between 10% and 3%, with either seed: its small weights were closer to zero,
so losing them hurts less. At 2% both nets are broken. **After retraining** the gap closes, and L2 is ahead at most
densities, by a few digits of a thousand. That is less than two seeds differ, so on this small problem call it a draw.

NIPS'15 found the same order on AlexNet, and there it counted: L1 is better right after pruning, **L2 gives the best
nets once retrained** (quoted). So the paper prunes nets trained with L2. The recording has one strength $\lambda$ for
each penalty, and both dense nets make about {{recorded/pruning_penalties.0.dense|.0f}}% errors; with other strengths
the picture may shift.
""")
