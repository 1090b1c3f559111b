# %% [markdown] tags=["slide"]
# # 04 · Weight sharing
#
# *Thousands of weights, a handful of values.*
#
# **You will learn** how a layer gets by with a few shared values, where k-means should start, what one of its steps
# does, how far it ends from the best there is, and why the best fit is not the whole story. **You need** chapter 02
# (pruning); k-means is explained here. **Time:** 45 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["notes", "more"]
# Pruning has thrown most of the weights out. The ones that are left are still 32-bit floats, each with a value of its
# own. Section 3 of the paper asks: do they have to be?

# %% tags=["skip", "setup"]
import numpy as np

from dcviz.chapters.ch04_weight_sharing import answers, checks as check, figures, measure
from dcviz.evidence import paper, recordings
from dcviz.ideas.kmeans import compression_rate, kmeans
from dcviz.labkit import theme
from dcviz.labkit.picture import Picture
from dcviz.labs import LloydLab, Prediction, SharingLab
from dcviz.pipeline import lesson

# %% [markdown] tags=["subslide"]
# We work on LeNet-300-100, pruned to the paper's densities and retrained for a moment, on 4,000 digits. (A lesson's
# worth of retraining, a few seconds: its error is higher than that of the compressed net that ships with the workbook.
# The result ships, too, so that you need not wait.)

# %% tags=["nbval-ignore-output"]
values = {name: w[w != 0] for name, w in lesson.pruned_weights("lenet-300-100").items()}
for name, w in values.items():
    print(f"{name}: {w.size:>6,} weights are left, {len(np.unique(w)):>6,} different values among them")

# %% [markdown] tags=["slide"]
# ## 1 · How few values are enough?
#
# **Weight sharing:** put the weights of a layer into $k$ clusters and replace each by the value of its cluster, the
# *centroid*. Then a weight needs no 32 bits any more, only the number of its cluster: a *code* of $\log_2 k$ bits.
# The $k$ centroids are stored once, in the layer's *codebook*. The original net is not retrained yet: that is chapter
# 05.
#
# Go to the extreme, $k = 2$: in the whole layer just one positive and one negative value (and the zeros of the pruned
# places). First commit to a guess. Then set **k** to 2, tick **after k-means**, and press **Measure the error of all three
# starts**.

# %% tags=["subslide", "setup"]
two_values = Prediction(
    "Every layer of the pruned net keeps only 2 different values. How many of 100 digits does it get wrong then?",
    low=0,
    high=100,
    unit="%",
    key="ch04-two-values",
    truth=lambda lab: lab.measured.get((True, 2, "linear", 0, True)),
)
# %% tags=["question", "lecture"]
two_values
# %% tags=["subslide", "more"]
SharingLab("lenet-300-100", layer="fc1", k=13, init="linear", prediction=two_values)
# %% tags=["fragment", "lecture"]
two_values.tell()

# %% [markdown] tags=["subslide"]
# **What the pictures show.** On top, the weights that pruning left: two humps, with a gap where the small ones used
# to be. Bands of two blues are the clusters, diamonds are the centroids. Below on the left, how far off a weight is
# when it is replaced by its centroid, by the size of the weight; on the right, the errors that you measure.

# %% tags=["subslide"]
two_values.then(answers.two_values)

# %% [markdown] tags=["subslide"]
# ### The formula
#
# Clusters $C_1 \dots C_k$ with centroids $c_i$ should be tight. Equation 2 of the paper makes
#
# $$ \sum_{i=1}^{k} \; \sum_{w \in C_i} |w - c_i|^2 $$
#
# as small as possible. Section 3 counts what is gained: $n$ weights of $b$ bits become $n$ codes and a codebook of
# $k$ values,
#
# $$ r = \frac{n b}{n \log_2 k + k b} . $$

# %% [markdown] tags=["subslide", "more"]
# With the numbers of this layer:

# %%
n = values["fc1"].size
for k in (2, 4, 32, 256):
    bits = int(np.log2(k))
    rate = compression_rate(n, 32, k)
    print(f"k = {k:>3}: r = {n:,}·32 / ({n:,}·{bits} + {k}·32) = {rate:5.2f}")

# %% [markdown] tags=["subslide"]
# ### Build it yourself: the rate


# %%
def my_rate(n, b, k):
    """How many times smaller n weights of b bits become when they share k values."""
    ### BEGIN SOLUTION
    return n * b / (n * np.log2(k) + k * b)
    ### END SOLUTION


check.compression_rate(my_rate)

# %% [markdown] tags=["subslide"]
# ### Build it yourself: the codes
#
# Which centroid does a weight belong to? The nearest one.


# %%
def my_assign(weights, centroids):
    """Index of the nearest centroid for every weight, in the shape of the weights."""
    ### BEGIN SOLUTION
    distance = np.abs(weights[..., None] - centroids)
    return distance.argmin(axis=-1)
    ### END SOLUTION


check.assign(my_assign)

# %% [markdown] tags=["slide"]
# ## 2 · Where should the centroids start?
#
# k-means improves a codebook step by step, but from where? Section 3.2 compares three starts (Fig. 4 of the paper
# shows them on {{paper/figure4_initialisation.left_panel_clusters}} clusters of AlexNet's conv3, so our lab opens with as many):

# %% [markdown] tags=["subslide", "more"]
# | start | the $k$ centroids are |
# |---|---|
# | **forgy** | $k$ weights picked at random |
# | **density** | evenly spaced in the *share of weights below* $w$: as many weights between any two of them |
# | **linear** | evenly spaced between the smallest and the largest weight |
#
# Go back up to the lab, or use this one. Switch between the three and watch the dashed curve, the *cumulative*
# share: *density* puts its dots at even **heights**, *linear* at even **places**.

# %% tags=["subslide", "setup"]
large_ones = Prediction(
    "Which start serves the few largest weights best?",
    options=["forgy", "density", "linear"],
    key="ch04-large",
    truth=lambda lab: measure.best_for_large(values["fc1"], 13),
)
# %% tags=["question", "lecture"]
large_ones
# %% tags=["subslide", "more"]
SharingLab("lenet-300-100", layer="fc1", k=13, init="density", prediction=large_ones)
# %% tags=["fragment", "lecture"]
large_ones.tell()

# %% tags=["subslide"]
large_ones.then(answers.large)

# %% [markdown] tags=["subslide"]
# Section 3.2 chooses by that: large weights matter more than small ones, but there are few of them. Tick **after k-means**:
# the crowd pulls. Is the start that was best still best?

# %% [markdown] tags=["subslide", "more"]
# The same in numbers, for the start itself, before any k-means:

# %% tags=["nbval-ignore-output"]
w = values["fc1"]
large = np.sort(np.abs(w))[-w.size // 100]
said = [
    f"fc1, k = 13; the largest 1% of the weights: |w| ≥ {large:.3f}\n",
    "start     centroids of that size   their rounding error (rms)   inertia",
]
for init in ("forgy", "density", "linear"):
    start = kmeans(w, 13, init, max_iterations=0)
    sizes, errors = figures.error_by_size(w[np.abs(w) >= large], start.centroids, bins=1)
    served = np.sum(np.abs(start.centroids) >= large)
    said.append(f"{init:8}{served:>24}{errors[0]:>29.3f}{start.inertia:>10.2f}")
large_ones.then(lambda: print("\n".join(said)))

# %% [markdown] tags=["subslide"]
# ### Build it yourself: the density start
#
# The linear start is one call, `np.linspace(weights.min(), weights.max(), k)`. The density start takes a little more.


# %%
def my_density_init(weights, k):
    """The weights at positions int((i + 0.5) / k * n) of all n weights in order."""
    ### BEGIN SOLUTION
    ordered = np.sort(weights, axis=None)
    return ordered[((np.arange(k) + 0.5) / k * ordered.size).astype(int)]
    ### END SOLUTION


check.density_init(my_density_init)

# %% [markdown] tags=["subslide"]
# ### You decide: k and start, layer by layer
#
# Share the weights of the *unpruned* LeNet-300-100, without fine-tuning. At most 3% of the 1,000 held-out digits may go
# wrong (the dense net: {{recorded/other_roads[road=dense].held_out_percent|.1f}}%), and the file may have at most 70,000 bytes. $k$ need not be a power of 2: the file's codes
# are Huffman-coded (chapter 06), so every value counts. Your smallest file is kept.


# %%
def my_codebooks():
    """{"fc1": (k, "linear", "density" or "forgy"), "fc2": ..., "fc3": ...}"""
    ### BEGIN SOLUTION
    return {"fc1": (4, "density"), "fc2": (6, "density"), "fc3": (8, "linear")}
    ### END SOLUTION


check.codebooks(my_codebooks)

# %% [markdown] tags=["slide"]
# ## 3 · One step at a time
#
# Lloyd's algorithm is two sentences, said over and over:
#
# 1. **Assign:** every weight goes to its nearest centroid.
# 2. **Average:** every centroid goes to the mean of its weights.
#
# Each of them can only make the sum of equation 2 smaller, so it ends, somewhere. Press **One step** and watch;
# crosses mark where the centroids started. You can also **drag** a centroid (or use the arrow keys) and start from
# there.

# %% tags=["subslide", "setup"]
steps = Prediction(
    "8 centroids on fc1, linear start: after how many steps does nothing move any more?",
    low=1,
    high=300,
    unit="steps",
    key="ch04-steps",
    truth=lambda lab: measure.steps_until_still(values["fc1"], 8, "linear"),
)
# %% tags=["question", "lecture"]
steps
# %% tags=["subslide", "more"]
LloydLab("lenet-300-100", layer="fc1", k=8, init="linear", prediction=steps)
# %% tags=["fragment", "lecture"]
steps.tell()

# %% [markdown] tags=["subslide"]
# **Try these three things.**
#
# * **Empty clusters.** Set k to 12, start *linear*. One centroid stands in the gap that pruning left and owns
#   nothing: it is drawn hollow. The mean of no weights is undefined, so it stays where it is, and its place in the
#   codebook is wasted. Does the algorithm ever wake it up?
# * **A start of your own.** Drag three centroids on top of each other. What do they become?
# * **Local optima.** Tick **exact optimum** and compare the ends of linear, density and a few forgy draws. They differ:
#   Lloyd only ever walks downhill, and stops in the first valley.

# %% [markdown] tags=["notes", "more"]
# In one dimension a step is cheap. Sort the weights once; then each cluster is a run between two midpoints, found by
# binary search, and its mean is a difference of two running sums: $k$ searches per step, however many weights there
# are.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself: one update


# %%
def my_lloyd_update(weights, codes, centroids):
    """Each centroid moved to the mean of the weights that have its code; an empty cluster's stays."""
    ### BEGIN SOLUTION
    moved = np.array(centroids, float)
    for i in range(len(moved)):
        members = weights[codes == i]
        if members.size:
            moved[i] = members.mean()
    return moved
    ### END SOLUTION


check.lloyd_update(my_lloyd_update)

# %% [markdown] tags=["subslide"]
# Now plug your own start into the lab. (Until `my_density_init` has passed its check, the lab uses its own.)

# %% tags=["subslide", "nbval-ignore-output"]
mine = check.density_init.trusted(my_density_init)
LloydLab("lenet-300-100", layer="fc1", init="density", start=mine and mine(values["fc1"], 8))

# %% [markdown] tags=["slide"]
# ## 4 · How far from the best?
#
# In one dimension the best codebook can be computed: every cluster is a run of the sorted weights, and the best way
# to cut them into $k$ runs is made of best ways to cut fewer weights into $k - 1$ runs (*dynamic programming*, see
# `dcviz/ideas/kmeans_optimal.py`). So we can say exactly what a start leaves on the table.

# %% tags=["subslide", "nbval-ignore-output", "question", "setup"]
rows = measure.starts_against_optimum(values["fc1"], (4, 8, 16, 32))
closest = Prediction(
    "After k-means has settled: which start comes closest to the smallest possible inertia, on fc1 with 32 centroids?",
    options=["forgy", "density", "linear"],
    key="ch04-optimum",
    truth=measure.closest_to_optimum(rows),
)
closest

# %% tags=["subslide", "nbval-ignore-output"]
figure, axes = theme.figure(11, 4.4)
figures.against_optimum(axes, rows)
said = "; ".join(f"k = {r['k']}: " + ", ".join(f"{i} {r[i]:.2f}" for i in ("linear", "density", "forgy")) for r in rows)
closest.then(lambda: Picture(figure, f"Inertia over the exact optimum, measured now. {said}."))

# %% tags=["subslide"]
closest.then(answers.closest)

# %% [markdown] tags=["slide"]
# ## 5 · Accuracy by bits and start
#
# Fig. 8 of the paper does that for AlexNet. Here it is beside the same experiment on our LeNet-300-100, *unpruned*,
# where the three starts differ most. Dashed line: the net before sharing. Note the different scales.

# %% tags=["subslide"]
recorded = recordings.load("weight_sharing_bits")
quoted = paper.table("figure8_initialisation_accuracy")
names = {"linear": "linear", "density": "density", "forgy": "forgy_random"}
theirs = {i: (quoted["bits"], [100 - a for a in quoted["top1"][name]]) for i, name in names.items()}
dense = next(row["error_percent"] for row in recorded.rows if row["net"] == "dense" and row["bits"] is None)
figure, axes = theme.figure(14, 4.8, columns=3)
figures.errors_by_bits(axes[0], theirs, title="paper: AlexNet", log=False, ylabel="top-1 error (%)")
for place, what, title in (
    (axes[1], "start_error_percent", "ours: start alone"),
    (axes[2], "error_percent", "ours: after k-means"),
):
    figures.errors_by_bits(place, figures.recorded_curves(recorded.rows, "dense", what), title=title, reference=dense)
    place.set_ylim(0.8, 120)
Picture(figure, f"Left: {quoted.source}, {quoted.kind}. Middle and right: {recorded.note}.")

# %% tags=["subslide"]
measure.figure8_table(recorded.rows)

# %% [markdown] tags=["subslide"]
# **How to read it.**

# %% [markdown] tags=["more"]
# * *The start alone* shows the argument in its pure form: from 3 bits on, linear beats density, and density beats
#   forgy (the mean of three draws), by far.
# * *k-means repairs most of it*, because our layers are small and it may run until nothing moves. A lead of linear is
#   left at 3 and, barely, at 4 bits. In the paper the curves stay apart; density is ahead at 3 bits there, linear
#   from 4 on.
# * *After half an epoch of fine-tuning* (last columns) the three are equal within what 10,000 test images can tell.
# * At 1 and 2 bits the linear start puts its centroids at the far ends, where hardly a weight is, and loses; k-means
#   brings them back.

# %% [markdown] tags=["subslide", "more"]
# And the *pruned* net, from the same recording:

# %%
pruned = next(row["error_percent"] for row in recorded.rows if row["net"] == "pruned" and row["bits"] is None)
figure, axes = theme.figure(13, 4.6, columns=3, sharey=True)
for place, what, title in (
    (axes[0], "start_error_percent", "start alone"),
    (axes[1], "error_percent", "after k-means"),
    (axes[2], "finetuned_error_percent", "after fine-tuning"),
):
    figures.errors_by_bits(place, figures.recorded_curves(recorded.rows, "pruned", what), title=title, reference=pruned)
linear = figures.recorded_curves(recorded.rows, "pruned", "error_percent")["linear"][1]
said = (
    f"LeNet-300-100, pruned: {pruned:.2f}% before sharing; linear start and k-means with 1, 2, 3, 4 bits: "
    + ", ".join(f"{e:.2f}%" for e in linear[:4])
    + f". {recorded.note}."
)
two_values.then(lambda: Picture(figure, said))

# %% [markdown] tags=["subslide"]
# On a pruned LeNet the choice of the start hardly matters: pruning has already removed the crowd near zero that pulls
# centroids away from the large weights. **Sharing and pruning help each other.** MNIST is also an easy task;
# do not expect 2 bits to be enough for ImageNet (chapter 05 has the paper's numbers).

# %% [markdown] tags=["subslide", "more"]
# ### A layer of AlexNet
#
# The same lab on the weights of AlexNet that survived pruning (trained by us on CIFAR-10; they ship as a file).
# Fig. 4 of the paper is about conv3, with {{paper/figure4_initialisation.left_panel_clusters}} clusters; so is this one.

# %% tags=["subslide"]
large_ones.then(lambda: SharingLab("alexnet-cifar10-pruned", layer="features.6", k=13))

# %% [markdown] tags=["subslide"]
# Two hills and a gap between them: that is what the threshold has cut out. The *linear* start wastes centroids on the
# empty gap: the one at {{computed/ch04_weight_sharing.centroid_without_weights()|.4f}} owns no weight. Tick **after k-means**: the others move to their weights, this one stays where
# it is, because the mean of no weights is undefined (section 3). It is a wasted place in the codebook.

# %% [markdown] tags=["subslide", "more"]
# ### Why not one codebook for the whole net?
#
# The paper gives every layer a codebook of its own, and shares no value between layers. Two reasons. A codebook is cheap:
# $k$ values of 32 bits. And layers have weights of different size, so that values which fit one layer are too coarse for
# another. In numbers, for 16 values on the three layers of LeNet-300-100, measured now:

# %% tags=["nbval-ignore-output"]
common = kmeans(np.concatenate(list(values.values())), 16, "linear").centroids
print("layer   spread of its weights   rounding error (rms), own codebook   one codebook for all")
for name, w in values.items():
    own = kmeans(w, 16, "linear").centroids
    errors = [np.sqrt(((w - c[np.abs(w[:, None] - c).argmin(1)]) ** 2).mean()) for c in (own, common)]
    print(f"{name:5}{w.std():>24.3f}{errors[0]:>37.4f}{errors[1]:>23.4f}")
print(f"\nbytes saved by one codebook instead of three: {2 * 16 * 4}")

# %% [markdown] tags=["subslide"]
# The largest layer loses least, because it decides where the common values lie; the smallest loses most. And training (chapter 05)
# would have to move one value for all layers at once, though each layer's gradient asks for something else.

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * $k$ shared values turn 32-bit weights into $\log_2 k$-bit codes and one small codebook.
# * *Linear* serves all sizes of weights alike; *density* and *forgy* serve the crowd and round the large weights away.
# * k-means only walks downhill, can leave clusters empty, and from a linear start ends *above* the optimum of
#   equation 2. The paper recommends it all the same: accuracy is the aim, inertia a stand-in.

# %% [markdown] tags=["subslide", "more"]
# **Discuss:** equation 2 counts every weight alike. How would you change it so that it counts what the net cares
# about? (You would need gradients. Which ones?)
#
# **One weight:** which centroid it took, and what that did to its value: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 05, trained quantization](05_trained_quantization.ipynb): the codes stay, and the values learn.
