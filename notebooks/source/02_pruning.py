# %% [markdown] tags=["slide"]
# # 02 · Pruning
#
# *Throw away nine weights of ten, and teach the tenth to do the work of all.*
#
# **You will learn** how one threshold prunes a layer, which layers are sensitive, why a pruned net has to be
# retrained,
# and why cutting in several steps gets further than cutting once. **You need** to know what a layer's weights
# are. **Time:** 45 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["subslide", "more"]
# Everything here is *measured now* on this machine, unless a column or caption says **recorded** (measured once,
# with date and machine) or **paper** (quoted). Pruning as the *Deep Compression* paper uses it (section 2) comes
# from an earlier paper of the same group, *Learning both Weights and Connections for Efficient Neural Networks*,
# NIPS 2015. We call it **NIPS'15**.

# %% tags=["skip", "setup"]
import numpy as np
from IPython.display import Markdown

from dcviz import archive
from dcviz.chapters.ch02_pruning import answers, checks as check, figures, measure
from dcviz.evidence import paper, recordings
from dcviz.ideas import pruning, sketch
from dcviz.labkit import theme
from dcviz.labkit.base import plain
from dcviz.labkit.histograms import two_humps
from dcviz.labkit.picture import Picture
from dcviz.labs import BigNetLab, DigitLab, Prediction, PruningLab, RetrainingLab, SensitivityLab
from dcviz.nets import datasets, models
from dcviz.pipeline import retraining, sensitivity, shipped

# %% [markdown] tags=["slide"]
# ## 1 · One threshold
#
# A trained layer holds many weights that are almost zero. The rule of NIPS'15 could not be simpler: **a weight
# whose magnitude lies below a threshold $t$ is removed.** How small is small? That depends on the layer, so the
# paper measures $t$ in units of the layer's own spread, the standard deviation $\sigma$ of its weights:
#
# $$ \text{keep } w \iff |w| \ge t, \qquad t = q \cdot \sigma . $$

# %% [markdown] tags=["notes", "more"]
# The number $q$ is the *quality parameter*. One $q$ can serve all layers.

# %% [markdown] tags=["subslide", "more"]
# Below is `fc1`, the first layer of LeNet-300-100, as it was trained. The histogram looks like a bell. Make your
# guess, then **drag an upright line**, or type numbers into the three boxes: they all say the same thing.

# %% tags=["setup"]
one_sigma = Prediction(
    "Set quality = 1, a threshold of one standard deviation. What share of fc1's weights goes?",
    unit="%",
    key="ch02-one-sigma",
    truth=lambda lab: measure.share_below_sigma("lenet-300-100", "fc1"),
)
# %% tags=["question", "lecture"]
one_sigma
# %% tags=["subslide", "more"]
PruningLab("lenet-300-100", layer="fc1", threshold=0.02, prediction=one_sigma)
# %% tags=["fragment", "lecture"]
one_sigma.tell()

# %% [markdown] tags=["subslide"]
# **Look at the mask** (kept weights in blue) with the threshold at two standard deviations. Empty stripes come
# back every 28 inputs. An image has 28 pixels in a row, so these are its left and right border, where there is
# hardly ever any ink. The net found out by itself which inputs are worth a weight.
#
# **Look at the error** (press *Measure the error*, or just let go of the line). For a long while nothing happens.
# Then, quite suddenly, it does.

# %% [markdown] tags=["subslide", "more"]
# Here is the formula with this layer's numbers in it:

# %%
fc1 = retraining.weights_of(shipped.dense("lenet-300-100"))["fc1"]
sigma, share = fc1.std(), pruning.sparsity(pruning.mask_from_threshold(fc1, fc1.std()))
formula = (
    rf"$$ t = q\,\sigma = 1 \times {sigma:.4f} = {sigma:.4f} \qquad\text{{prunes}}\qquad {100 * share:.1f}\,\% "
    rf"\text{{ of }} \text{{{fc1.size:,}}} \text{{ weights.}} $$"
)
one_sigma.then(lambda: Markdown(formula))

# %% [markdown] tags=["subslide"]
# A true bell curve (a Gaussian) would lose {{computed/ch02_pruning.gaussian_below_sigma()|*100 .1f}}% at one standard deviation. Trained layers lose more: their peak
# is narrower and their tails are longer than a Gaussian's. That is good news for pruning. Much of the spread
# comes from few large weights, and the crowd is close to zero.
#
# Two words to keep apart, as papers mix them up:
#
# * **density** $d$ = kept weights / all weights. The paper's tables print it, as "Weights %".
# * **sparsity** $= 1 - d$, the share that is gone.

# %% [markdown] tags=["subslide", "more"]
# **Try it.** Any layer, any net. In LeNet-5 below, start with `conv1`: 20 filters of 5×5, which you can see as
# pictures. Prune it to half and measure the error. Then choose `fc1`, prune *that* to a tenth, and compare.

# %% tags=["subslide"]
PruningLab("lenet-5", layer="conv1", threshold=0.1)

# %% [markdown] tags=["subslide"]
# ### Build it yourself
#
# First the mask: `True` where a weight stays. `np.abs` takes the magnitude of every element. (In this workbook a
# weight on the threshold stays.)


# %%
def my_mask(weights, threshold):
    """A bool array of the shape of `weights`: True where the magnitude is at least `threshold`."""
    ### BEGIN SOLUTION
    return np.abs(weights) >= threshold
    ### END SOLUTION


check.mask(my_mask)

# %% [markdown] tags=["subslide"]
# Now the other way round: you want a certain **density**, and look for the threshold that gives it. Hint:
# `np.quantile(x, p)` is the value below which a share `p` of `x` lies. Of *which* numbers, and which share, is
# for you to find.


# %%
def my_mask_for_density(weights, density):
    """A bool array that keeps the `density` * weights.size weights of largest magnitude."""
    ### BEGIN SOLUTION
    threshold = np.quantile(np.abs(weights), 1 - density)
    return my_mask(weights, threshold)
    ### END SOLUTION


check.mask_for_density(my_mask_for_density)

# %% [markdown] tags=["slide"]
# ## 2 · Which layer hurts first?
#
# Layers are not equal. To see which are sensitive, prune **one layer at a time**, leave all others dense, and measure. This
# is *sensitivity*, and NIPS'15 uses it to choose a threshold for every layer.
#
# LeNet-5 has four layers: two convolutions, `conv1` (500 weights) and `conv2` (25,000), then two fully connected
# ones, `fc1` (400,000) and `fc2` (5,000). Guess first. Then press **Prune each layer in turn**, or run the cell
# after it, which presses the button for you.

# %% tags=["subslide", "setup"]
sensitive = Prediction(
    "Which layer of LeNet-5 must keep the largest share of its weights?",
    options=["conv1", "conv2", "fc1", "fc2"],
    key="ch02-sensitive",
    truth=lambda lab: lab.sensitive("lenet-5", allowed=1.0, images=400),
)
# %% tags=["question", "lecture"]
sensitive
# %% tags=["subslide", "more"]
layers_lab = SensitivityLab("lenet-5", allowed=1.0, images=400, prediction=sensitive)
layers_lab
# %% tags=["fragment", "lecture"]
sensitive.tell()

# %% tags=["subslide", "nbval-ignore-output"]
layers_lab.reset()
layers_lab.measure()
layers_lab.measure_together()
sensitive.then(lambda: Picture(layers_lab.picture(), plain(layers_lab.caption.value)))

# %% [markdown] tags=["subslide"]
# Each curve runs from all weights kept (left) to very few (right). Where a curve crosses the dashed line, that
# layer has cost all the error you allow; the bars at the right show how much of it must stay. **Move the slider**
# and watch the bars.

# %% tags=["subslide"]
sensitive.then(answers.sensitive)

# %% [markdown] tags=["subslide"]
# Then press **Now all layers at once**. Each layer alone stays within the limit; together they do not. The
# damages add up.

# %% [markdown] tags=["notes", "more"]
# How did the paper divide the cuts among the layers? Below, its densities beside ours. Mind the columns: with
# *retraining*, which comes next, a layer can go much further than alone and without.

# %% tags=["nbval-ignore-output"]
sensitive.then(lambda: measure.layer_shares("lenet-5", layers_lab.keeps("lenet-5", allowed=1.0, images=400)))

# %% [markdown] tags=["slide"]
# ## 3 · Retrain: the survivors take over
#
# Prune all layers of LeNet-300-100 as far as the paper did, to {{paper/table2_lenet300[layer=ip1].weights_pct_P}}%,
# {{paper/table2_lenet300[layer=ip2].weights_pct_P}}% and {{paper/table2_lenet300[layer=ip3].weights_pct_P}}%, and the net is broken:

# %% tags=["nbval-ignore-output"]
cut = measure.densities("lenet-300-100", 0.08)
error = sensitivity.error_together(shipped.dense("lenet-300-100"), datasets.digits().test, cut)
print(f"density {cut}: {error:.1f}% of 1,000 held-out digits wrong")

# %% [markdown] tags=["subslide"]
# **See it happen to a digit of your own.** Draw one on the sheet below, with the mouse or a finger. Two nets read it while
# you draw: LeNet-300-100 as it was trained, and the same net with the largest weights of each layer only. Drag
# **density** down. The net does not fail all at once: first it gets unsure, then it takes your digit for another one.

# %%
DigitLab()

# %% [markdown] tags=["subslide"]
# Now the second half of the idea: **train the remaining weights again**, with the cut ones held at zero. Three
# passes over 4,000 digits, a few seconds. Watch two things at once while it runs:
#
# 1. the **error** in the lower picture. How far down does it come?
# 2. the **histogram** of the survivors, top right. When the cut is made, everything between the dashed lines is
#    gone. What will retraining do to that gap?
#
# The lab cuts with **your** `my_mask_for_density` once it has passed its check.

# %% tags=["subslide", "setup"]
repaired = Prediction(
    "After three passes over 4,000 digits, how many of 100 held-out digits will the pruned net get wrong?",
    low=0.0,
    high=60.0,
    unit="%",
    key="ch02-retrained",
    truth=lambda lab: lab.finished_error(density=8.0, method="one cut", epochs=3.0),
)
# %% tags=["question", "lecture"]
repaired
# %% tags=["subslide", "more"]
mine = check.mask_for_density.trusted(my_mask_for_density)
lab = RetrainingLab(density=8.0, method="one cut", epochs=3.0, prediction=repaired, prune=mine)
lab
# %% tags=["fragment", "lecture"]
repaired.tell()

# %% [markdown] tags=["subslide"]
# Press **Cut and retrain** (you can stop it at any time), or run this cell, which does the same and keeps the
# picture. Afterwards drag **moment** from 0 to 24: it winds the film of the run back and forth.

# %% tags=["nbval-ignore-output"]
lab.reset()
lab.retrain()
repaired.then(lambda: Picture(lab.picture(), plain(lab.caption.value)))

# %% [markdown] tags=["subslide"]
# What happened to the histogram?

# %% [markdown] tags=["more"]
# * **Before the cut**: one hump around zero. Note its scale; the crowd in the middle is far higher than anything
#   that follows.
# * **Cut**: nothing is left between the dashed lines, so there are **two** humps with cliffs at the threshold:
#   *bimodal*.
# * **Retrained**: the cliffs soften, the two humps stay, and they grow wider. Two forces are at work. Weights
#   near the threshold **move away** from it, to both sides: they had been chosen for the old net, and nothing
#   holds them there. Some slide into the gap, as no rule forbids a survivor to be small. And as the cut weights'
#   work has to be done by someone, the **survivors take over** and many grow larger, which fills the tails.

# %% [markdown] tags=["notes", "more"]
# NIPS'15 shows the same two pictures for AlexNet's first fully connected layer: a single peak before, two humps
# and wider tails after.

# %% [markdown] tags=["subslide", "more"]
# Both forces at work in the run above, in numbers:

# %% tags=["nbval-ignore-output"]
lab.reset()
if lab.film is None:
    lab.retrain()
edges, before, after_cut, now, threshold = lab.histograms()
middle = np.abs(edges[1:] + edges[:-1]) / 2
for when, counts in (("right after the cut", after_cut), ("after retraining", now)):
    small, large = counts[middle < 0.9 * threshold].sum(), counts[middle > 2 * threshold].sum()
    print(
        f"{when:20} {100 * small / counts.sum():5.1f}% of fc1's survivors well inside the gap, "
        f"{100 * large / counts.sum():4.1f}% beyond twice the threshold"
    )

# %% [markdown] tags=["subslide"]
# ### Build it yourself
#
# One step of retraining is a step of gradient descent, and then the mask. Real optimisers also carry a
# *velocity*: a running sum of gradients,
#
# $$ v \leftarrow \mu v + g, \qquad w \leftarrow w - \eta\, v, \qquad w \leftarrow m \odot w , $$
#
# with gradient $g$, momentum $\mu$, learning rate $\eta$ and mask $m$. The last part is where it goes wrong. Mask
# only the *gradient*, and the velocity gathered earlier still moves the pruned weights: they come back to life.


# %% tags=["subslide"]
def my_masked_step(weights, gradient, velocity, mask, rate, momentum):
    """The weights after one step; where `mask` is False they are zero."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity + gradient
    return (weights - rate * velocity) * mask
    ### END SOLUTION


check.masked_step(my_masked_step)

# %% [markdown] tags=["slide"]
# ## 4 · Once, five times, or all the time?
#
# NIPS'15 found that AlexNet can be pruned 5 times with one cut and retraining, but **9 times** if one cuts a
# little, retrains, cuts a little more, and so on (quoted). Let us see on LeNet-300-100, with the same number of
# training steps for all:
#
# * **one cut**: to the final density at once, then retrain,
# * **five cuts**: the density shrinks by equal ratios in the first half of the training,
# * **gradual**: a hundred small cuts, and until the last one a weight that was cut **may grow again** and win its
#   place back.

# %% [markdown] tags=["notes", "more"]
# Choose a method in the lab, press the button, choose the next: up to four runs stay in the picture. Cut hard, to
# 2%: at 10% you will hardly see a difference.

# %% tags=["subslide", "setup"]
recorded = recordings.load("pruning_methods")
method = Prediction(
    "Only 2% of fc1 stay. Which way leaves the lowest error?",
    options=list(measure.METHODS),
    key="ch02-method",
    truth=lambda lab: measure.best(recorded.rows, 0.02),
)
# %% tags=["question", "lecture"]
method
# %% tags=["subslide", "more"]
RetrainingLab(density=2.0, method="one cut", epochs=4.0, prediction=method)
# %% tags=["fragment", "lecture"]
method.tell()

# %% [markdown] tags=["subslide"]
# One run is one run. Below, all densities, ten passes over the digits, two seeds each (band: from one to the
# other). These took a few minutes, so they are **recorded**.

# %%
figure, axes = theme.figure(11, 5)
figures.by_method(axes, recorded.rows)
axes.set_title("LeNet-300-100, 1,000 held-out digits (recorded)", loc="left")
method.then(lambda: Picture(figure, f"lowest error with 1% of fc1 left: {measure.best(recorded.rows, 0.01)}"))

# %% tags=["subslide"]
print("ours:  ", recorded.note)
print("paper: ", paper.table("nips2015_pruning")["iterative"], "(quoted)")
method.then(lambda: measure.reach_table(recorded.rows, limit=5.0))

# %% tags=["subslide"]
method.then(answers.method)

# %% [markdown] tags=["slide"]
# ## 5 · Which penalty, L1 or L2?
#
# Before pruning, a net was trained; and training usually adds a penalty on the weights' size, which pushes them
# towards zero:
#
# $$ \text{L1:}\;\; \lambda \sum |w| \qquad\qquad \text{L2:}\;\; \lambda \sum w^2 . $$
#
# L1 pulls every weight with the same force, however small it is, so small ones end **at** zero. L2 pulls large
# weights hard and lets go of small ones. Which one is better for a net that will be pruned?

# %% tags=["subslide", "question", "setup"]
penalty = Prediction(
    "Which penalty leaves the lower error right after a hard cut, before retraining?",
    options=["L1", "L2"],
    key="ch02-penalty",
    truth=lambda: measure.better_penalty(recordings.load("pruning_penalties").rows, "before"),
)
penalty

# %% tags=["subslide"]
penalties = recordings.load("pruning_penalties")
figure, axes = theme.figure(11, 5)
figures.by_penalty(axes, penalties.rows)
axes.set_title("LeNet-300-100 from nothing, on 4,000 digits (recorded)", loc="left")
said = f"better after a hard cut, not retrained: {measure.better_penalty(penalties.rows, 'before')}"
penalty.then(lambda: Picture(figure, said))

# %% tags=["subslide"]
print(penalties.note)
penalty.then(lambda: measure.penalty_table(penalties.rows))

# %% tags=["subslide"]
penalty.then(answers.penalty)

# %% [markdown] tags=["slide"]
# ## 6 · How far does it go?
#
# The NIPS'15 paper's table, beside the nets that ship with this workbook. Ours were pruned gradually, with the
# dense net as teacher, on 55,000 digits (chapter 07 tells how). The files also share weights, so "error pruned"
# includes that.

# %% tags=["subslide", "nbval-ignore-output"]
print(paper.table("nips2015_pruning").source)
print("our errors measured now on:", shipped.report_split().name)
measure.beside_nips2015()

# %% [markdown]
# LeNet rows are measured from the shipped files; AlexNet and VGG-16 are the paper's alone. ("K" and "M" are the
# paper's own rounding.)

# %% [markdown] tags=["subslide", "more"]
# ### Twelve times fewer weights is not twelve times fewer bytes
#
# A pruned layer has to say *where* its weights are. NIPS'15 spends {{paper/nips2015_pruning.index_bits.fc}} bits on each weight of a fully connected
# layer ({{paper/nips2015_pruning.index_bits.conv}} in a convolution), besides its 32-bit value. With density $d = 1 - \text{sparsity}$ and $b$ index bits,
#
# $$ \text{ratio} = \frac{32}{d\,(32 + b)} . $$

# %% [markdown] tags=["notes", "more"]
# Go back to the first lab, threshold 0: nothing is pruned, and the sparse file is *larger* than the dense one. It
# also counts something this formula leaves out, the *fillers*. They are the story of chapter 03.

# %% [markdown] tags=["subslide", "more"]
# ### You decide: three densities for a budget
#
# Cut LeNet-300-100 once, without retraining. At most 5% of the 1,000 held-out digits may go wrong, and the file may
# have at most 300,000 bytes (the dense net has {{recorded/other_roads[road=dense].file_bytes|,}}). The check cuts the net, **writes the file**, reads it back
# and measures. What did section 2 say about small layers and large ones? There are many right answers. Your smallest
# file is kept, so try to beat it.


# %% tags=["subslide"]
def my_densities():
    """{"fc1": share that stays, "fc2": ..., "fc3": ...}"""
    ### BEGIN SOLUTION
    return {"fc1": 0.2, "fc2": 0.4, "fc3": 0.6}
    ### END SOLUTION


check.densities(my_densities)

# %% [markdown] tags=["slide"]
# ## 7 · AlexNet: {{computed/ch02_pruning.alexnet_weights()|/1e6 .0f}} million weights, and none of them here
#
# The paper's headline is about AlexNet. Dense, it takes {{recorded/alexnet_cifar10[stage=dense].file_bytes|/1e6 .0f}} MB with ten classes, too much to ship. What ships is a
# *sketch* of every layer: a histogram and a fine distribution function of $|w|$, ten kilobytes a layer. That is enough to
# drag a threshold. (This AlexNet was trained by us on CIFAR-10, ten kinds of small pictures, scaled up to 224 pixels;
# the paper's was trained on ImageNet.)
#
# The lab carries one **quality** $q = t/\sigma$ to all eight layers, as NIPS'15 proposes.

# %% tags=["subslide", "setup"]
fc6_kept = Prediction(
    "q = 1 in all layers: how much of fc6, the largest layer, is kept?",
    low=0, high=100, unit="%", key="ch02-alexnet",
    truth=lambda lab: round(lab.kept_percent("classifier.1", quality=1.0), 1),
)
# %% tags=["question", "lecture"]
fc6_kept
# %% tags=["subslide", "more"]
BigNetLab(layer="classifier.1", threshold=0.003, prediction=fc6_kept)
# %% tags=["fragment", "lecture"]
fc6_kept.tell()

# %% [markdown] tags=["subslide"]
# * **All layers look alike before pruning**: bells. Weights that lie like a bell leave the same share beyond one standard
#   deviation, whatever the layer. (Section 1 has its rest.) So the same quality keeps about as much everywhere.
# * **The paper's bars are not level.** It keeps {{paper/table4_alexnet[layer=conv1].weights_pct_P}}% of conv1 and
#   {{paper/table4_alexnet[layer=fc6].weights_pct_P}}% of fc6. The threshold of each layer was set by its
#   *sensitivity* (section 2), not by its bell.
# * **fc6 and fc7 decide.** Ninety-five of a hundred weights are in them. Whatever is done to the convolutions hardly
#   shows in the megabytes.

# %% [markdown] tags=["subslide", "more"]
# Pruned and retrained, a layer has **two humps** again, on AlexNet as on LeNet. Here is conv3, first dense, then what
# is left of it in the file that ships:

# %%
dense = next(one for one in shipped.sketches("alexnet-cifar10") if one.name == "features.6")
left = shipped.stored_weights("alexnet-cifar10-pruned")["features.6"]
two_humps(dense, sketch.sketch(left[left != 0], bins=len(dense.counts), limit=dense.limit), "AlexNet's conv3")

# %% [markdown] tags=["subslide"]
# Two compressed AlexNets ship, one with the paper's densities, one pruned much harder. Chapter 07 says what that does to
# the error.

# %%
import pandas as pd

kept = {}
for title, name in (("paper's densities", "alexnet-cifar10-paper"), ("smallest", "alexnet-cifar10")):
    layers = archive.describe(shipped.compressed_path(name)).layers
    kept[f"{title}: kept %"] = {layer.name: round(100 * layer.nonzeros / layer.weights, 1) for layer in layers}
pd.DataFrame(kept).rename(index=models.paper_names("alexnet"))

# %% [markdown] tags=["slide"]
# ## What to take home
#
# * Pruning is one comparison: $|w| \ge t$, with $t = q\sigma$ or whatever gives the density you want.
# * Layers differ. Small, early, much used ones (`conv1`) are the most sensitive; big fully connected ones the least.
# * Cutting breaks the net, retraining repairs it. The survivors take over, and their histogram has two humps.
# * For hard cuts, cut little by little, and let weights come back: it gets further with the same effort.
# %% [markdown] tags=["subslide", "more"]
# * Say whether you mean weights or bytes.
#
# **Discuss:** after retraining, some survivors are smaller than weights that were cut. Is that a flaw of the
# method? Which of the three ways of retraining makes use of it?
#
# **One weight:** what pruning and retraining did to a single weight of `fc1`, and what came after: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 03](03_sparse_storage.ipynb) stores what is left: how to write down *where* a weight is in
# five bits.
