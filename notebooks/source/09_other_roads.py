# %% [markdown] tags=["slide"]
# # 09 · Other roads
#
# *Six ways to make a net small, one ruler for all of them.*
#
# **You will learn** how Deep Compression's rivals work, what each of them is good at, and which of them are no rivals
# at all but partners: low-rank factors, a network in place of the inner product, removing whole filters, small nets
# taught by large ones, and plain 8-bit weights. **You need** chapters 02 and 07; 04 helps. **Time:** 60 minutes. No
# network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["subslide", "more"]
# Papers about small nets compare numbers that were counted in different ways. Here every size is the length of a file
# that decodes to the net whose error stands beside it. Columns marked **recorded** took longer than a lesson and were
# measured once; everything else is measured now.

# %% tags=["skip", "setup"]
import numpy as np

from dcviz import archive, pipeline
from dcviz.chapters.ch09_other_roads import checks as check, comparison, figures, int8, nnmf, svd, tables, taylor
from dcviz.evidence import recordings
from dcviz.labkit import theme
from dcviz.labkit.base import plain
from dcviz.labkit.markup import signed
from dcviz.labkit.picture import Picture
from dcviz.labs import FilterLab, Prediction, RankLab, TemperatureLab
from dcviz.nets import datasets, models, training
from dcviz.pipeline import shipped

# %% [markdown] tags=["slide"]
# ## 1 · Two thin matrices
#
# A fully connected layer multiplies its input by an $n \times m$ matrix $W$. If the rows of $W$ are mixtures of only
# $d$ patterns, two thin matrices say the same with fewer weights, and as many multiplications as weights:
#
# $$ W \approx U V, \qquad U: n \times d, \quad V: d \times m, \qquad nm \;\longrightarrow\; (n + m)\, d. $$

# %% [markdown] tags=["notes", "more"]
# The *singular value decomposition* finds the best such pair for every $d$ at once: it sorts the patterns by their
# size, the singular values, and you keep the first $d$. The paper's Table 7 lists this road as *SVD (Denton 2014)*.
#
# The lab shows what eight neurons of `fc1` look for, whole and at rank $d$. Guess first, then move the rank. The next
# cell measures the error at a dozen ranks.

# %% tags=["subslide", "setup"]
lowest_rank = Prediction(
    "fc1 of LeNet-300-100 has rank 300. How low can it get before the error rises by more than half a point?",
    low=1, high=300, key="ch09-rank",
    truth=lambda lab: lab.lowest_rank("fc1"),
)
# %% tags=["question", "lecture"]
lowest_rank
# %% tags=["subslide", "more"]
ranks = RankLab(layer="fc1", rank=20, prediction=lowest_rank)
ranks
# %% tags=["fragment", "lecture"]
lowest_rank.tell()

# %% tags=["subslide", "nbval-ignore-output"]
ranks.reset()
ranks.sweep()
lowest_rank.then(lambda: Picture(ranks.picture(), plain(ranks.caption.value)))

# %% [markdown] tags=["subslide"]
# * **The eye sees it first.** The lower the rank, the more alike the neurons look: they are mixtures of the same few
#   strokes.
# * **The spectrum falls fast and then drags on.** There is no cliff to cut at. What you cut off is small in every
#   single direction, but there are many directions.
# * **A third of the matrix can be missing** (the caption counts it, by the root of the squares) before the answers suffer;
#   at half, a few digits in a hundred change sides. Distance between *weights* is not distance between *answers*. So after
#   cutting, train: press **Fine-tune the factors** at rank 8 or 12 and look for the triangle.
# %% [markdown] tags=["more"]
# * Choose `fc2`. It can do with about ten of its hundred ranks, without any training at all.

# %% [markdown] tags=["subslide", "more"]
# With this layer's numbers:

# %%
n, m = ranks.low.shape
for d in (20, 64, svd.break_even(n, m), svd.break_even(n, m) + 1):
    weights = svd.parameters(n, m, d)
    print(f"rank {d:>3}: ({n} + {m}) x {d} = {weights:>7,} weights, {n * m / weights:4.1f} times fewer than {n * m:,}")

# %% [markdown]
# A warning hides in that table: above the break-even rank, factors are *larger* than the matrix. Small layers have little
# to gain: the last layer, 10 × 100, breaks even at rank 9 of 10.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself


# %%
def my_low_rank(weight, rank):
    """The matrix of that rank closest to weight (n, m)."""
    ### BEGIN SOLUTION
    u, s, v = np.linalg.svd(weight, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ v[:rank]
    ### END SOLUTION


check.low_rank(my_low_rank)

# %% [markdown] tags=["slide"]
# ## 2 · A network in place of the inner product
#
# Entry $(i, j)$ of $UV$ is an inner product: multiply the numbers of row $i$ and of column $j$, and add up. Must it
# be *add up*? Dziugaite and Roy (2015) put a small network $f$ there, the same one for all entries, and tell it more:
#
# $$ W_{ij} \approx f\big(u_i,\; v_j,\; u'_i \odot v'_j\big) . $$

# %% [markdown] tags=["notes", "more"]
# If $f$ just adds up the products, that is SVD again, so with as many numbers it cannot be much worse. It may be
# better if the matrix is bent in a way that no sum of products can follow. Is a layer's weight matrix bent?
# Here is one fit, now: `fc2` at vectors of 4 numbers, started from the SVD.

# %% tags=["nbval-ignore-output"]
low = svd.LowRank(shipped.dense("lenet-300-100"), "fc2")
fitted = nnmf.fit(low.module.weight.detach(), own=0, shared=4, steps=200, start=low.factors(4))
print(f"SVD, rank 4:     {svd.parameters(*low.shape, 4):,} numbers, {svd.relative_error(low.spectrum, 4):.1%} missing")
print(f"network, d' = 4: {fitted.parameters:,} numbers, {fitted.relative_error:.1%} missing")

# %% [markdown] tags=["subslide"]
# And recorded, with more time and more sizes. To be fair, each network stands between SVD of its rank and of the next.

# %% tags=["nbval-ignore-output"]
factorised = recordings.load("other_roads_factorisations")
print(factorised.note)
tables.factorisations(factorised.rows)

# %% [markdown] tags=["subslide"]
# **What to see.** The network is nearer to the weights by a hair, about as much as one more rank of plain SVD would
# buy. In *answers* it can win by more: compare the errors of `fc1` at 24 numbers and of `fc2` at 4, with hardly more
# numbers than SVD has. Where SVD does well already (`fc2` at 12), nothing is left to win. And there is a price that
# the table does not show: nobody can *multiply* by such a layer without computing every weight first. It saves bytes
# on disk, but neither memory nor time.

# %% [markdown] tags=["slide", "more"]
# ## 3 · Whole filters
#
# Chapter 08 ended with a sigh: sparse is not fast. What if we removed not weights but whole *filters*? Take filter 7
# out of `conv2`, its bias too, and what the next layer did with its output. What is left is a smaller **dense** net.
# Any machine runs it faster, with the kernels that it has.

# %% [markdown] tags=["subslide", "more"]
# Which filters? Three ways to rank them:
#
# * **random**: the opponent that every clever idea has to beat;
# * **magnitude**: filters with small weights go first, as in chapter 02;
# * **taylor** (Molchanov and others, 2017): ask the loss. Silencing a channel moves its activation $z$ to zero, so to
#   first order the loss $C$ moves by
#
# $$ \Theta = \Big|\, \frac{1}{M} \sum_{\text{places}} \frac{\partial C}{\partial z}\, z \,\Big| , $$
#
# averaged over pictures, and divided by the l2 norm of the layer's scores. One backward pass ranks all filters of the
# net.

# %% tags=["subslide", "setup"]
best_ranking = Prediction(
    "LeNet-5's conv2: which ranking keeps the error lowest, before any retraining?",
    options=list(taylor.CRITERIA), key="ch09-criterion",
    truth=lambda lab: lab.best("conv2"),
)
# %% tags=["question", "lecture"]
best_ranking
# %% tags=["subslide", "more"]
filters = FilterLab(layer="conv2", gone=20, prediction=best_ranking)
filters
# %% tags=["fragment", "lecture"]
best_ranking.tell()

# %% tags=["subslide", "nbval-ignore-output"]
filters.reset()
filters.sweep()
best_ranking.then(lambda: Picture(filters.picture(), plain(filters.caption.value)))

# %% [markdown] tags=["subslide"]
# **Try it:** choose `conv1`, whose pictures are easier to read, and let six filters go. What do the first to go have
# in common? Type 19: one filter has to do all the seeing. Then press **Retrain what is left**: how far does one
# second of training bring it back?

# %% [markdown] tags=["subslide", "more"]
# Does the formula tell the truth? It is a guess from one backward pass; the truth needs a test run for every
# filter. Here are both, for all twenty filters of `conv1`:

# %% tags=["nbval-ignore-output"]
net, few = shipped.dense("lenet-5"), datasets.digits().train.take(slice(0, 200))
truth = taylor.oracle(net, few, "conv1").argsort().argsort()
for criterion in taylor.CRITERIA:
    found = taylor.scores(net, few, criterion, ["conv1"])["conv1"].argsort().argsort()
    print(f"{criterion:>9}: rank correlation with the truth {signed(np.corrcoef(truth, found)[0, 1], 2)}")

# %% [markdown] tags=["subslide"]
# ### Fewer multiplications, and really faster
#
# Let half of `conv2` go and take the time of both nets, no sparse kernel anywhere:

# %% tags=["nbval-ignore-output"]
kept = taylor.lowest(net, few, 0.5, layers=["conv2"])
small = taylor.remove(net, kept)
for title, some in (("LeNet-5", net), ("half of conv2 gone", small)):
    work = comparison.multiplications(some)
    size = len(archive.dumps(pipeline.stored_net(some)))
    print(f"{title:>18}: {sum(work.values()):>9,} multiplications, {size:>9,} bytes")
before, after = comparison.milliseconds([net, small], batch=16)
print(f"16 digits: {before:.2f} ms before, {after:.2f} ms after, processor time; {before / after:.2f} times faster")

# %% [markdown]
# (Processor time, so that other programs on your machine do not count.) The multiplications fall by more than the time:
# moving pictures and calling layers takes its share.

# %% [markdown] tags=["notes", "more"]
# Note what happened to the bytes: `fc1` lost half of its inputs with the filters, and `fc1` is nearly the whole file.

# %% [markdown] tags=["subslide", "more"]
# The same code works on AlexNet. Take a quarter of the channels out of each of its five convolutions, whichever they
# are, and count (counting needs no trained weights):

# %%
alexnet = models.build("alexnet", num_classes=10)
widths = {name: layer.weight.shape[0] for name, layer in models.weight_layers(alexnet).items()}
narrow = taylor.remove(alexnet, {name: range(3 * n // 4) for name, n in widths.items() if name.startswith("features")})
for title, some in (("AlexNet", alexnet), ("a quarter gone", narrow)):
    work = comparison.multiplications(some, (3, 224, 224))
    convolutions = sum(count for name, count in work.items() if name.startswith("features"))
    parameters = sum(p.numel() for p in some.parameters())
    print(f"{title:>14}: {convolutions:,} multiplications in convolutions, {parameters:,} parameters")
del alexnet, narrow

# %% [markdown]
# Three quarters of the filters do little more than half of the work, because a convolution's work is *inputs times
# outputs*, and both shrink.

# %% [markdown] tags=["subslide", "more"]
# ### In rounds, with retraining
#
# Recorded: LeNet-5 loses a share of all its channels and neurons, at once, or in three rounds with an epoch on 4,000
# digits after each. Layers compete with each other, which is what the l2 norm is for.

# %% tags=["subslide", "nbval-ignore-output"]
pruned_filters = recordings.load("other_roads_filters")
print(pruned_filters.note)
tables.filters(pruned_filters.rows)

# %% [markdown] tags=["subslide"]
# Read this table twice; it is more honest than most.
#
# * **At once, before any retraining, random beats both rankings** at 60 and at 80%:
#   {{computed/ch09_other_roads.filters_at_once(random; 0.6)|.1f}} and {{computed/ch09_other_roads.filters_at_once(random; 0.8)|.1f}}% errors against *taylor*'s
#   {{computed/ch09_other_roads.filters_at_once(taylor; 0.6)|.1f}} and {{computed/ch09_other_roads.filters_at_once(taylor; 0.8)|.1f}}. (Means of two draws, which
#   lie far apart: {{recorded/other_roads_filters[criterion=random; fraction=0.6; seed=0].raw_percent|.1f}} and
#   {{recorded/other_roads_filters[criterion=random; fraction=0.6; seed=1].raw_percent|.1f}}% at 60.) Layers compete here, and
#   both rankings take nearly all from the neurons of `fc1`; random takes the same share everywhere.
# %% [markdown] tags=["subslide", "more"]
# * **Retraining forgives.** With 60% of the channels gone, all three end close together. Whoever shows you a criterion
#   without the random opponent shows you half of the experiment.
# * **Where it gets tight, the loss knows best**: at 95% the Taylor ranking is far ahead.
# * **Not every channel costs the same.** At equal *channels*, random does fewer multiplications than the clever ones,
#   as those prefer to remove neurons, which are many and cheap. If time is what you want to save, the ranking must
#   know the price: Molchanov and others subtract a little of each channel's cost from its score.

# %% [markdown] tags=["subslide", "more"]
# ### The same for AlexNet
#
# Recorded: the AlexNet that `python -m dcviz alexnet train` taught CIFAR-10 at 224 pixels loses a quarter to nine tenths of the
# channels of its five convolutions, all at once. Each channel of `conv5` takes 36 columns of `fc6` with it. Layers
# compete, as Molchanov and others have it, or each loses the same share. Then a short lesson, the same for all: 64
# steps, an eleventh of an epoch. The whole net gets it too; it is the fair rival.

# %% tags=["subslide", "nbval-ignore-output"]
cut_alexnet = recordings.load("alexnet_filters")
ways = [tables.way(row) for row in cut_alexnet.rows[1:6]]
figure, (left, right) = theme.figure(13, 5.8, columns=2, sharey=True)
lines = figures.filter_curves(left, tables.alexnet_curves(cut_alexnet.rows, "raw_percent"), ways, "at once (recorded)")
after = tables.alexnet_curves(cut_alexnet.rows, "error_percent")
figures.filter_curves(right, after, ways, "after a short lesson (recorded)")
left.set_ylabel("error (%)")
figure.legend(handles=list(lines.values()), loc="outside upper center", ncols=3)
Picture(figure, "AlexNet: error on 1,000 held-out pictures against multiplications left, at once and after a lesson. "
                f"The table has the numbers of one of the cuts. {cut_alexnet.note}.")

# %% tags=["subslide", "nbval-ignore-output"]
print(f"half of all filters gone; {cut_alexnet.note}")
tables.alexnet_filters(cut_alexnet.rows)

# %% [markdown] tags=["subslide"]
# **What to see.**
#
# * **Here the ranking matters, and Molchanov's claim holds.** LeNet-5 forgave everything; AlexNet does not. With half of
#   every layer's filters gone, the lesson brings *taylor* back to
#   {{recorded/alexnet_filters[criterion=taylor; even=True; fraction=0.5].error_percent|.1f}}% (the whole net:
#   {{recorded/alexnet_filters[criterion=None].error_percent|.1f}}); *magnitude* stays behind it with
#   {{recorded/alexnet_filters[criterion=magnitude; even=True; fraction=0.5].error_percent|.1f}}, *random* further with
#   {{recorded/alexnet_filters[criterion=random; even=True; fraction=0.5].error_percent|.1f}}. The lesson is short, which is the hard case: the longer one trains, the
#   closer the three would come.
# %% [markdown] tags=["subslide", "more"]
# * **Competing layers find what is cheap, if the scores can be compared.** *Taylor* hardly touches `conv1`, and with a
#   quarter of all filters gone it loses nothing, untaught. (After the lesson it is no better than *taylor* with equal
#   shares at equal *work*: look along the curve, not down the column.) By *magnitude* the same competition leaves **one**
#   of the 384 filters of `conv3`: the norms within a layer are much alike, and divided by the layer's l2 norm they are
#   all about $1/\sqrt{n}$, so the widest layer goes first. A normalisation that is right for one criterion ruins another.
# * **A third of the work is not a third of the time.** One picture at a time, the fully connected layers wait for memory
#   (chapter 08), and only `conv5` makes one of them smaller.

# %% [markdown] tags=["notes", "more"]
# What this does not say: one net, one seed, 1,000 held-out pictures, so two points up or down are chance. Molchanov and
# others remove a few channels at a time, with training in between, and far more of it.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself


# %%
def my_taylor_scores(activation, gradient):
    """Scores (channels,) with l2 norm 1; both arrays (pictures, channels, height, width)."""
    ### BEGIN SOLUTION
    felt = np.abs((activation * gradient).mean((2, 3))).mean(0)
    return felt / np.linalg.norm(felt)
    ### END SOLUTION


check.taylor_scores(my_taylor_scores)

# %% [markdown] tags=["slide"]
# ## 4 · A small net with a good teacher
#
# Why start large at all? Train a small net from the beginning. But let it learn from the large one: not only "this is
# a 3", but "a 3, though it looks a little like an 8". Hinton, Vinyals and Dean (2015) call this **distillation**. The
# teacher's answer is softened by a *temperature* $T$:
#
# $$ p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} . $$

# %% [markdown] tags=["notes", "more"]
# At $T = 1$ a good teacher is so sure of itself that its answer is hardly more than the label. Warm it up.

# %% [markdown] tags=["subslide", "more"]
# How much is in those small probabilities? A hard test: the student **never sees a 3**. It gets the other nine
# digits, and the teacher's opinion of them. Afterwards we raise the bias of its answer "3" until a tenth of its
# answers are 3s (that needs no labels), and show it 3s for the first time.

# %% tags=["setup"]
never_seen = Prediction(
    "At T = 8: of the 3s that the student meets for the first time, how many does it name right?",
    low=0, high=100, unit="%", key="ch09-unseen",
    truth=lambda lab: lab.found(8.0, "3"),
)
# %% tags=["question", "lecture"]
never_seen
# %% tags=["subslide", "more"]
teacher = TemperatureLab(digit=3, temperature=8.0, missing="3", prediction=never_seen)
teacher
# %% tags=["fragment", "lecture"]
never_seen.tell()

# %% tags=["subslide", "nbval-ignore-output"]
teacher.reset()
teacher.teach()
never_seen.then(lambda: Picture(teacher.picture(), plain(teacher.caption.value)))

# %% [markdown] tags=["subslide"]
# **Try it:** teach at $T = 1$, then at $T = 20$. Leave out the 7 in place of the 3. Leave out none: does the teacher
# still help? Recorded, two students each:

# %% tags=["nbval-ignore-output"]
students = recordings.load("other_roads_temperatures")
print(students.note)
never_seen.then(lambda: tables.temperatures(students.rows))

# %% [markdown] tags=["subslide"]
# The student knows a 3 that it never saw, from being told which 2s, 5s and 8s look a little like one; the student of
# labels can only guess. (What it does get right comes from raising the bias: its answer is "3" where it is at a
# loss.)

# %% [markdown] tags=["notes", "more"]
# And the temperature? For the unseen digit it hardly matters here: the small probabilities are in the teacher's
# answer at $T = 1$ too, and this student had nothing else to learn from. With all digits seen, the warm teachers do
# help more than the cold one, by a point; above $T = 4$ it makes no difference. Two students a row are few:
# differences of half a point are chance.
#
# You have met the teacher before: from chapter 02 on, our pruned nets were *retrained* with the dense net's
# answers (`teacher_weight`). Section 7 shows what that is worth.

# %% [markdown] tags=["more"]
# **And you have met the idea in chapter 05.** k-means copies the large net's *weights* with few numbers; training the
# codebook then gives that up and asks only that the *answers* be right. Distillation never copies weights at all: it asks for
# the large net's answers from the start. Both put a function with few free numbers in the place of one with many, and both
# let the output, not the weights, say what is near. The difference is what is fixed beforehand: there the codes (which
# weights move together), here a smaller shape. So they combine: a pruned net with shared weights is a student, too.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself


# %%
def my_soften(logits, temperature):
    """Softmax of 1-D logits at a temperature; safe for large logits."""
    ### BEGIN SOLUTION
    powers = np.exp((logits - logits.max()) / temperature)
    return powers / powers.sum()
    ### END SOLUTION


check.soften(my_soften)

# %% [markdown] tags=["slide"]
# ## 5 · Just round it
#
# The first step of the road that phones take: no training, no index, no codebook. (Phones round the *activations* to
# 8 bits too, so that they can multiply whole numbers; the scales of those are set with a few hundred pictures, the
# *calibration*. Here only weights are rounded, and computed with as floats.) Divide a layer's weights by one
# scale and round to whole numbers from −127 to 127. Or take a scale for each output, so that a quiet neuron does not
# suffer from a loud one. Files and errors, measured now:

# %% tags=["nbval-ignore-output"]
dense, test = shipped.dense("lenet-300-100"), datasets.digits().test
size = len(archive.dumps(pipeline.stored_net(dense)))
print(f"32 bits: {size:>9,} bytes, error {training.error_percent(dense, test):4.1f}%")
for bits in (8, 4, 3, 2):
    for per in int8.PER:
        stored = int8.store(dense, per, bits)
        row = comparison.entry("int", stored, 1, int8.restore, error_percent=test)
        print(f"{bits:>2} bits: {row['file_bytes']:>9,} bytes, error {row['error_percent']:4.1f}%, a scale per {per}")

# %% [markdown] tags=["subslide"]
# At 8 bits nothing is lost, at a quarter of the bytes, for no effort at all: **the first thing to try in practice.**
# At 3 bits a scale for each output matters, and at 2 it all breaks, where shared values that were *trained* (chapter
# 05) still hold: evenly spaced levels waste themselves on places where no weight is.

# %% [markdown] tags=["slide", "more"]
# ## 6 · One table
#
# All roads from the same LeNet-300-100, on the same 55,000 digits, two or three epochs each (a small net from scratch
# gets eight), sizes from files. Nobody's best; everybody's same chance. The official test images were read once, for
# this.

# %% tags=["subslide", "nbval-ignore-output"]
recorded = recordings.load("other_roads")
print(recorded.note)
table = tables.roads(recorded.rows)
table[:10]

# %% tags=["subslide", "nbval-ignore-output"]
table[10:]

# %% tags=["subslide", "nbval-ignore-output"]
figure, axes = theme.figure(12, 6.4)
alone = [row for row in recorded.rows if not row["combined"]]
figures.all_roads(axes, alone)
axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
Picture(figure, "Test error against bytes in the file, a line for every road; left and low is good. Recorded.")

# %% [markdown] tags=["subslide"]
# * **On bytes nobody comes near Deep Compression.** With at most 2% error the others are up to
#   {{computed/ch09_other_roads.best_of_the_others(2)|.1f}} times smaller, it is
#   {{recorded/other_roads[road=Deep Compression; setting=1 x the paper's densities].ratio|.1f}}. (After a few epochs, that
#   is. The shipped net, trained ten times as long, makes
#   {{recorded/shipped_nets[name=lenet-300-100].test_error_percent|.2f}}% errors, the dense one
#   {{recorded/shipped_nets[name=lenet-300-100].dense_test_error_percent|.2f}}.)
# * **On work it is the other way round.** Look at the column of multiplications: SVD, fewer neurons and small nets
#   *do* less, on any machine. Deep Compression does less only where a sparse kernel skips the zeros (chapter 08).
# %% [markdown] tags=["more"]
# * **Cutting a large net beats training a small one, down to about 90 KB.** Compare SVD and *small net, labels* at about
#   the same bytes. At the smallest sizes it turns around: rank 8 makes
#   {{recorded/other_roads[road=SVD; setting=rank 8 and 8].error_percent|.1f}}% errors in
#   {{recorded/other_roads[road=SVD; setting=rank 8 and 8].file_bytes|,}} bytes, the net with 12 and 12 neurons
#   {{recorded/other_roads[road=small net, labels; setting=12 and 12 neurons].error_percent|.1f}}% in
#   {{recorded/other_roads[road=small net, labels; setting=12 and 12 neurons].file_bytes|,}}.
# %% [markdown] tags=["subslide", "more"]
# * **The teacher did not help the small nets here.** With 55,000 labels there is little left to add, and the small nets
#   are too small to use it. In section 4, with fewer digits, it did. A negative result is a result.
# * **int8 is the bargain**: four times smaller, no error that one could see, and no data needed. (Cutting the rank needs
#   no data either, but there the error shows, and fine-tuning does.)

# %% [markdown] tags=["notes", "more"]
# Now the paper's own comparison, Table 7, beside ours. Theirs is AlexNet on ImageNet, ours is LeNet-300-100 (errors
# on the 5,000 held-out digits); the *order* is what can be compared.

# %% tags=["subslide", "nbval-ignore-output"]
curves = recordings.load("other_roads_figure6")
print(curves.note)
tables.table7(recorded.rows, curves.rows)

# %% [markdown] tags=["subslide"]
# And Fig. 6: how far does each idea go alone, and pruning and quantization together?

# %% tags=["nbval-ignore-output"]
figure, (left, right) = theme.figure(13, 5.2, columns=2, sharey=True)
figures.figure6(left, tables.paper_curves(), "paper: AlexNet (Fig. 6)")
lines = figures.figure6(right, tables.curves(curves.rows), "ours: LeNet-300-100 (recorded)")
figure.legend(handles=list(lines.values()), loc="outside upper center", ncols=4)
Picture(figure, "Accuracy gained against size left: pruning, quantization, both, SVD. Left paper, right ours.")

# %% tags=["subslide", "nbval-ignore-output"]
tables.smallest_table(curves.rows)

# %% [markdown] tags=["subslide"]
# The shape is the paper's: each idea alone falls off a cliff, and together they reach a size that neither reaches
# alone. Look closer at ours, and you see why. The curve of both is the curve of pruning, moved to the left: at the
# same density, 5-bit codes lose nothing that pruning had not lost already. **The two wastes are independent.** (Our
# curves leave the line sooner than the paper's: three epochs of retraining are few. SVD does better on our net.)

# %% [markdown] tags=["slide", "more"]
# ## 7 · What combines with what?
#
# Some of these are not rivals. They remove *different kinds* of waste (recorded in the same run):

# %% tags=["nbval-ignore-output"]
tables.roads(recorded.rows, combined=True)

# %% [markdown] tags=["subslide"]
# Hold *SVD, then Deep Compression* against Deep Compression alone at half the paper's densities: fewer bytes
# ({{recorded/other_roads[road=SVD, then Deep Compression].file_bytes|,}} against
# {{recorded/other_roads[road=Deep Compression; setting=0.5 x the paper's densities].file_bytes|,}}), fewer errors
# ({{recorded/other_roads[road=SVD, then Deep Compression].error_percent|.2f}} against
# {{recorded/other_roads[road=Deep Compression; setting=0.5 x the paper's densities].error_percent|.2f}}%) **and** a sixth of
# the multiplications. That is the table's best deal. (To be fair: it had the factors' two
# epochs on top, and a teacher. The row *distillation in Deep Compression* tells what the teacher is worth.)

# %% [markdown] tags=["subslide", "more"]
# | first | then | why it works, or does not |
# |---|---|---|
# | SVD | Deep Compression | the factors are ordinary weights: prune and share them. Less work *and* few bytes |
# | SVD, filters, distillation | int8 | always: rounding does not care where weights come from; 4 times on top |
# | filters | Deep Compression | channels that nobody needs go first; what is left has less to prune |
# | distillation | Deep Compression | the dense net teaches the pruned one; not a byte more in the file |
# | int8 | weight sharing | no: both say what value a weight has. Choose one |
# | SVD | pruning of the product | no: zeros in $UV$ are not zeros in $U$ and $V$ |

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * **Say what you want to save**: bytes on disk, multiplications, or effort. Each has another winner.
# * **Low rank and whole filters** save work on any machine; **pruning** saves bytes; **int8** saves effort.
# * **Closest in weights is not closest in answers.** Fine-tune after every cut.
# * **Always run the simple opponent too**: random filters, one more rank, a small net from scratch.

# %% [markdown] tags=["subslide", "more"]
# **Discuss:** A colleague shows a new criterion for filters with a table: theirs 1.3%, magnitude 1.6%, both after
# retraining. Which two rows would you ask for before you believe it?
#
# **One weight** on the road of Deep Compression, step by step: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 10](10_how_small.ipynb) takes the one road that won on bytes and asks how far it goes.
