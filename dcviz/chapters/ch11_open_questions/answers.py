"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def update():
    """What the roads of section 1 came to."""
    return shown("""
**What the table says**, row against row:

* *Few examples: all roads are alike.* With 10 or 30 examples the spread of the draws is larger than the difference
  between the roads that know MNIST. What limits is not freedom, it is what so few pictures can teach. So send the
  shortest update.
* *Many examples: more free numbers help.* The codebook and the biases are a few hundred numbers, and from 300 examples
  on they get no better. The kept weights go on, and everything goes further still.
* *Most of what the codebook road achieves is the biases.* The shared values add a little to them, and only late.
* *Compression did not make the net unable to learn.* With everything free, the compressed net does as well as the
  dense one, or better. Its zeros can grow again.
* *The old task is worth a lot*: from scratch it takes about three times as many examples.
""")


def start():
    """Whether the start mattered, before and after fine-tuning."""
    return shown("""
**Two lessons.**

* *The closest codebook is not always the best net.* With four values the optimum fits the weights far better than
  *linear* and yet answers no better:
  {{computed/ch11_open_questions.start_error(optimal; 4)|.2f}} against
  {{computed/ch11_open_questions.start_error(linear; 4)|.2f}}%, which is seven pictures of ten thousand, so call it a
  draw; with eight it leads by
  {{computed/ch11_open_questions.start_lead(8)|.2f}} points. Squared error counts every weight alike; but the few large
  weights do more for the answer, and *linear* keeps them: the paper's own argument.
* *After fine-tuning it hardly matters.* What is left is about a tenth of a point, ten images of ten thousand, and who
  leads depends on k. All of them end below the dashed line: these few values trained on while the pruned net stood
  still. (Remember that for the next section.)

Our net is forgiving, and ten classes are few. Whether the start matters for AlexNet at 2 bits is still open.
""")


def regularisation():
    """What pruning did where there is little to learn from."""
    return shown("""
**What came out: no gain that outgrows its own spread.** The story is tempting, and for this net and these digits we
cannot confirm it. Two things we can say:

* *The less there is to learn, the less must be kept.* With few digits four of five weights go for nothing; with
  4,000 the same cut costs. How far a net can be compressed is a fact about the net **and** its data.
* *Sharing costs nothing on top.* "Pruned + shared" (with its own short fine-tuning) is nowhere worse than "pruned"
  by more than the spread.
""")
