"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def together():
    """What the curves of bits and errors say, the paper's and ours."""
    return shown("""
**The paper's message, and ours.**

* *Convolutional layers need more bits* than fully connected ones. AlexNet's fc layers get by with 3 bits
  ({{paper/figure7_bits_vs_accuracy.fc.top1_pruned_quant.2}}% right, of
  {{paper/text_numbers.alexnet_ref_top1_acc}}); at 2 bits they lose
  {{computed/ch05_trained_quantization.figure7_loss(pruned; 2)|.1f}} points, and
  {{computed/ch05_trained_quantization.figure7_loss(unpruned; 2)|.1f}} where the net is not pruned.
  Its conv layers collapse below 4.
* *Pruning and quantization do not disturb each other.* Where few bits begin to hurt, the pruned net even suffers
  **less**, in the paper and here: it has fewer weights to serve with its few values, and its zeros come free.
* With many bits our pruned curve stays a little above the other: that is the price of pruning, not of sharing.
* LeNet-5 is far more forgiving than AlexNet: ten classes, clean images. Do not take its low bits for a rule.
""")
