# %% [markdown] tags=["slide"]
# # 10 · How small can it get?
#
# *Beyond the paper's ratios, and how near the bound.*
#
# **You will learn** how far the paper's three ideas go when each is done well, what every refinement buys, how to
# choose codes that are short as well as near, what the smallest possible file would be, and why a real file can be
# *smaller* than a bound. **You need** chapters 02 to 07. **Time:** 60 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["subslide", "more"]
# Three kinds of numbers, each in columns of its own: **now** (measured as you run the page), **recorded** (trained
# once on 55,000 digits; the note under the table says when and by which command), **published** (quoted).

# %% tags=["skip", "setup"]
import numpy as np
from IPython.display import Math

from dcviz.archive import coders
from dcviz.chapters.ch10_how_small import allocation, bounds, checks as check, figures, frontier, tables
from dcviz.evidence import paper, recordings
from dcviz.ideas import pruning
from dcviz.labs import AllocationLab, FrontierLab, Prediction
from dcviz.nets import datasets
from dcviz.pipeline import sensitivity, shipped as reference

# %% [markdown] tags=["slide"]
# ## 1 · The frontier
#
# {{paper/table1_overview[net=LeNet-300-100].ratio}}x and {{paper/table1_overview[net=LeNet-5].ratio}}x were 2016. Others went on, most of them with new machinery: priors over weights, variational dropout,
# learned probability models. Before you look: how far do *pruning, sharing and Huffman coding* get, if one only does
# them more carefully?

# %% tags=["question", "setup"]
shipped = recordings.load("shipped_nets")
smallest = Prediction(
    "The smallest shipped LeNet-5 with Huffman-coded gaps, error at most 1.0%: how many times smaller than dense?",
    low=40, high=600, unit="x", key="ch10-smallest",
    truth=round(max(r["dense_bytes"] / r["file_bytes"] for r in shipped.rows), 1),
)
smallest

# %% [markdown] tags=["subslide"]
# Commit to a guess. Then look.


# %% tags=["setup"]
def mine(net):
    """(error %, ratio) of the shipped files made from a net; errors recorded on the official test images."""
    found = [(r["test_error_percent"], r["dense_bytes"] / r["file_bytes"]) for r in shipped.rows if r["net"] == net]
    return found + [(r["test_error_percent"], r["ratio"]) for r in block.rows if r["name"] in names[net]]


def again(net):
    """(error %, ratio) of the same recipes with the seeds that do not ship."""
    specs = reference.REFERENCES
    rows = [row for row in seeds.rows if specs[row["net"]].net == net and specs[row["net"]].recipe.seed != row["seed"]]
    return [(row["test_error_percent"], row["ratio"]) for row in rows]


seeds = recordings.load("shipped_seeds")
block, names = recordings.load("lenet_block"), {"lenet-5": reference.BLOCKS, "lenet-300-100": ()}
before = {row["net"]: row["dense_test_error_percent"] for row in shipped.rows}
smallest.then(lambda: figures.frontier_picture("LeNet-5", mine("lenet-5"), before["lenet-5"], again("lenet-5")))

# %% tags=["subslide"]
points = mine("lenet-300-100"), before["lenet-300-100"], again("lenet-300-100")
figures.frontier_picture("LeNet-300-100", *points, low=15, high=300, errors=(1.0, 2.4))

# %% [markdown] tags=["subslide"]
# How to read it. **Up and left is better.** The thin grey lines start at the dense net's error, ours too
# ({{recorded/shipped_nets[name=lenet-5].dense_test_error_percent|.2f}} and
# {{recorded/shipped_nets[name=lenet-300-100].dense_test_error_percent|.2f}}%); who starts lower has it easier, and on
# both nets we start lower than all of them. A star in the list: of what must be known to read the file, it leaves
# something out. Full squares are ratios of stored *bytes*, as ours are. Hollow squares only count *parameters* left: no
# index, no codebook; they could not be loaded from a file of that size. Compare like with like.

# %% [markdown] tags=["notes", "more"]
# Three old ideas, done carefully, keep up with most of what was published, and with fewer errors; on
# LeNet-300-100 nothing on this list is smaller. The top of the LeNet-5 picture belongs to others: to nets that learn a
# probability model of their own weights while they train (numbers 8 and 15), and to MIRACLE (10 and 11), which stores no
# weights at all, but the number of a random draw that happens to work. Section 6 goes there with the old ideas.

# %% tags=["subslide", "nbval-ignore-output"]
smallest.then(lambda: tables.shipped(shipped.rows))

# %%
print("recorded columns:", shipped.note)

# %% [markdown] tags=["subslide"]
# One lucky seed proves little. The triangles are the same recipes, twice more from the same dense nets with other
# shuffles of the data:

# %%
smallest.then(lambda: tables.seeds(seeds.rows))

# %% tags=["subslide"]
print(seeds.note)

# %% [markdown]
# The size moves by a few percent: how many weights stay is fixed by the recipe, but sharing finds another codebook each
# time. The error moves by a dozen or two among ten thousand digits. Differences below that are noise, here and in the
# published tables. Of the paper's two nets seed 0 ships; of each small one the smallest file whose error on the
# *held-out* digits is within its bar (1.58 and 1.9%, 0.74 and 1.0%). The test images had no say in it: where a triangle
# stands better than the large mark, it stays a triangle.

# %% [markdown] tags=["slide", "more"]
# ## 2 · Take a recipe apart
#
# What does each refinement buy? Start from the **plain recipe**: one cut, retrain, 6-bit codes, 5-bit gaps, float32
# codebooks. Then switch parts on.

# %% [markdown] tags=["subslide", "more"]
# | part | instead of | where from |
# |---|---|---|
# | **gradual**: a hundred small cuts, and cut weights may grow back until the last one | one cut | chapter 02 |
# | **teacher**: learn the dense net's soft answers beside the labels | labels alone | distillation |
# | **shift**: move each digit by up to a pixel while retraining | the same pictures again | augmentation |
# | **few codes**: 15 shared values | 63 | chapter 04 |
# | **rate**: a weight may take a value further away if its code word is shorter | the nearest | section 3 below |
# | **gaps**: for each layer the gap width and direction that fit | 5 bits, row by row | chapter 03 |
# | **tables**: float16, and biases share 15 values | float32 | chapter 07 |
# | **neurons**: dead ones go, the others take a better order | as they come | section 4 below |

# %% [markdown] tags=["subslide", "more"]
# The lab keeps 3% of fc1's weights. Grey points: every recorded set of coding parts with this training. The green line
# adds your parts one by one, from the training upwards. Predict first: which **coding** part alone saves most?

# %% tags=["setup"]
best_part = Prediction(
    "One cut, 3% of fc1, nothing else: which part alone makes the file smallest?",
    options=["4-bit codes (else 6)", "codes pay for their length", "gaps that fit (else 5 bits)",
             "float16, shared biases", "drop dead neurons, reorder"],
    key="ch10-part", truth=lambda lab: lab.best_coding(),
)
# %% tags=["question", "lecture"]
best_part
# %% tags=["subslide", "more"]
FrontierLab(density=3.0, training="one cut", prediction=best_part)
# %% tags=["fragment", "lecture"]
best_part.tell()

# %% [markdown] tags=["subslide"]
# **Try it:**
#
# * Go through the trainings. Which way does the point move, up or left?
# * Switch on all coding parts. Then switch each off again and read the caption: which two overlap, so that together
#   they save less than the sum?
# * Go to 1.5% with the full training, and to the paper's 8% with one cut. What does each halving of the weights buy,
#   and what does it cost?
# * Some combinations were not recorded. Those you can run live.

# %% [markdown] tags=["more"]
# The runs behind these points took 8 epochs on 55,000 digits. **Run it now, quickly** does the same with the bundled
# 4,000 in a few seconds; the star shows where it lands. Fewer digits, more error; the *bytes* are about the same.

# %% tags=["subslide", "nbval-ignore-output"]
FrontierLab(density=3.0, training="gradual + teacher", few_codes=True, rate=True, gaps=True, tables=True).run()

# %% [markdown] tags=["subslide"]
# ### One idea at a time
#
# The same runs as a ladder, from the paper's plain recipe to all parts:

# %%
grid = recordings.load("frontier_grid")
best_part.then(lambda: figures.steps_picture(tables.steps(grid.rows)))

# %% tags=["subslide"]
best_part.then(lambda: tables.ablation(grid.rows))

# %% tags=["subslide"]
print(grid.note)

# %% [markdown]
# Two halves. **Training buys error, coding buys bytes.** Cutting to 3% costs error; gradual cuts, regrowth and a teacher
# bring it back at the same size. After that the error hardly moves and the file melts. One part of the coding
# saves {{computed/ch10_how_small.least_and_most_saved(least)|*100 .0f}} to {{computed/ch10_how_small.least_and_most_saved(most)|*100 .0f}}% of what is left;
# it is the product that counts.

# %% [markdown] tags=["notes", "more"]
# Two warnings. Moving the digits makes the task harder and pays off late: eight epochs are too short for it, the shipped
# nets train five times as long. And the order matters: with codes that pay for their length, most of the 63 values
# fall out of use anyway, so "4 bits" saves next to nothing if it comes *after*. An ablation tells you about *its* setting.

# %% [markdown] tags=["slide", "more"]
# ## 3 · Codes that pay for their length
#
# k-means gives each weight its *nearest* shared value. Huffman then makes the best of how often each is used. Nobody
# told k-means that frequent values are cheap! A weight half-way between two values could as well take the more
# frequent one. So minimise both at once, with a price $\lambda$ for a bit:
#
# $$ \sum_w \left(w - c_{z(w)}\right)^2 + \lambda \,\ell_{z(w)}, \qquad \ell_z = \log_2 \frac{1}{p_z}. $$

# %% [markdown] tags=["subslide", "more"]
# Assign with the lengths held fixed; count again; repeat. This is **entropy-constrained** quantization, the heart of
# every modern codec. Try it on the largest 3% of the dense net's fc1 and 15 values:

# %%
fc1 = reference.dense("lenet-300-100").fc1.weight.detach().numpy()
kept = fc1[pruning.mask_from_density(fc1, 0.03)]
tables.prices(kept)

# %% [markdown] tags=["subslide"]
# A small price cuts the bits by a quarter, from {{computed/ch10_how_small.priced(0; bits)|.2f}} to {{computed/ch10_how_small.priced(0.02; bits)|.2f}}. It is
# not free: the distance grows from {{computed/ch10_how_small.priced(0; distance)|.3f}} to {{computed/ch10_how_small.priced(0.02; distance)|.3f}}, so the
# squared error triples. What that does to the answers, only the net can say (the ladder above: hardly anything, once the
# values are fine-tuned). Values that lose their last weight drop out by
# themselves: the method finds the size of the codebook too. Fine-tuning (chapter 05) then moves the values to where the
# weights went.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 1 · One weight chooses


# %%
def my_choice(weight, centroids, bits, price):
    """The code of one weight: centroids (k,), bits (k,) lengths of their code words, price of a bit -> int."""
    ### BEGIN SOLUTION
    return int(np.argmin((weight - centroids) ** 2 + price * bits))
    ### END SOLUTION


check.assign_with_price(my_choice)

# %% [markdown] tags=["subslide"]
# ### You decide: a price, and how many values
#
# LeNet-300-100, cut to 20, 40 and 60% and not retrained. Choose the price of a bit (in units of the layer's variance, as
# in the recipe above) and $k$, the same in all layers: at most 3.5% errors on the 1,000 held-out digits, in at most
# 34,700 bytes. With 31 values and no price the file has {{computed/ch10_how_small.file_at_no_price(31)|,}}. Your smallest file is kept.


# %%
def my_price():
    """(price of a bit, number of shared values)"""
    ### BEGIN SOLUTION
    return 0.2, 4
    ### END SOLUTION


check.price(my_price)

# %% [markdown] tags=["subslide"]
# ### Do the bins have to be k-means?
#
# With Huffman behind it, a quantizer may waste *levels* as long as they are rarely used. **Uniform bins**, equally wide,
# put many levels in the empty tails and few in the middle; Choi and others found that they beat k-means once the codes
# are Huffman-coded (their results stand in the LeNet-5 picture). Recorded on our net at 3%, trained with all parts, the
# rate and the order of neurons left out:

# %%
tables.quantizers(grid.rows)

# %% [markdown] tags=["subslide"]
# Compare at equal *bytes*, not at equal bits: uniform bins with one bit more take about as many bytes as k-means, since
# most of their levels are hardly ever used. And at equal bytes the errors agree up to a few digits. So once the codes
# are Huffman-coded, and the values fine-tuned, nothing is lost by bins that need no search. That is what codecs use.

# %% [markdown] tags=["slide", "more"]
# ## 4 · Which weights, and in which order

# %% [markdown] tags=["more"]
# ### Densities from sensitivity
#
# The recipe's densities were set by hand. Chapter 02 measured how each layer suffers alone; from such curves a rule
# follows: *raise one common limit of error until the layers together keep what you can afford*.

# %% tags=["subslide", "nbval-ignore-output"]
curves = sensitivity.error_by_density(reference.dense("lenet-300-100"), datasets.digits().test)
tables.by_sensitivity(grid.rows, curves)

# %% [markdown]
# The curves want more in fc1 and far less in the last layer than the hand did. Mind what they know: the error *before*
# retraining, of one layer at a time. Retraining repairs layers differently. A good first guess, not a proof.

# %% [markdown] tags=["subslide", "more"]
# ### The same net in another order
#
# Number the hidden neurons differently and move their weights along: rows of one layer, columns of the next. The net
# computes the same. But the *file* walks through the weights in order, and gaps like crowds. Put neurons side by side
# that listen to the same inputs, or the busiest first. Nobody has to store the permutation; there is nothing to undo.

# %% tags=["subslide"]
smallest.then(
    lambda: tables.reordered(["lenet-300-100", "lenet-300-100-small", "lenet-5-small", "lenet-5-tiny"])
)

# %% [markdown] tags=["subslide"]
# Bytes for no error, after all training is done. (The shipped files are kept as they are; chapter after chapter refers
# to them.) In this table it saves most where fewest weights are left: there most neurons are quiet, and a long quiet stretch
# at the end of a layer needs no gaps at all. (LeNet-300-100's smallest file is not in it: its recipe has ordered the neurons
# already, so nothing is left to save.)

# %% [markdown] tags=["slide", "more"]
# ## 5 · The bound
#
# How small could the file be? It has to say two things about each layer: **which** weights are kept, and **what** they
# are. Take a small LeNet-300-100 and its largest layer. If each weight is kept with probability $p$,
# independently of all others, nobody can write down the mask in fewer bits than its entropy:

# %%
small = reference.compressed("lenet-300-100-small")
fc1 = small.layers[0]
Math(bounds.mask_formula(fc1))

# %% [markdown] tags=["subslide"]
# ### Exercise 2 · The mask's bound


# %%
def my_mask_bytes(kept, weights):
    """Bytes that say which `kept` of `weights` weights are kept, if all places are equally likely -> float."""
    ### BEGIN SOLUTION
    p = kept / weights
    if p in (0, 1):
        return 0.0
    return weights * (p * np.log2(1 / p) + (1 - p) * np.log2(1 / (1 - p))) / 8
    ### END SOLUTION


check.mask_bound(my_mask_bytes)

# %% [markdown] tags=["subslide"]
# That is the bound. The file uses gaps and Huffman codes, tables and fillers included.

# %% tags=["question", "setup"]
file_gaps = coders.streams(fc1)[coders.GAPS]
gap_bytes = Prediction(
    f"The bound says {bounds.mask_bound(fc1):,.0f} bytes. How many do the gaps of fc1 take in the real file?",
    low=4000, high=8000, unit="bytes", key="ch10-gaps",
    truth=coders.huffman_size(file_gaps.symbols, file_gaps.width).bytes,
)
gap_bytes

# %% tags=["subslide"]
gap_bytes.tell()

# %% [markdown] tags=["subslide"]
# On which side of the bound is it? Above, and Huffman wastes something; below, and it beat Shannon. Can that be? Look at what
# three neurons kept, beside the same number of weights at random places:

# %%
figures.mask_picture(fc1)

# %% [markdown] tags=["subslide"]
# The bound is no law of nature; it is the price *if weights are kept independently*. A trained mask is anything but: kept
# weights stand in crowds, where the strokes of the digits are. In numbers, how likely is a weight to be kept, given
# what we know about its neighbours to the left and above?

# %%
for neighbours, (weights, chance) in bounds.chances(fc1).items():
    print(f"{neighbours:>15} kept: {weights:>8,} such weights, {100 * chance:5.1f}% of them kept")

# %% [markdown] tags=["subslide"]
# Who knows the neighbours is surprised less often. The right measure is the **conditional entropy**: the entropy within
# each group, weighted by the size of the groups. For the neighbour on the left alone:

# %%
Math(bounds.conditional_formula(fc1))

# %% [markdown] tags=["subslide"]
# ### Exercise 3 · Conditional entropy


# %%
def my_conditional_entropy(bits, left):
    """Bits per weight: bits (n,) 0/1 which are kept, left (n,) 0/1 whether the left neighbour is -> float."""
    ### BEGIN SOLUTION
    total = 0.0
    for group in (bits[left == 0], bits[left == 1]):
        p = group.mean() if group.size else 0
        if 0 < p < 1:
            total += group.size * (p * np.log2(1 / p) + (1 - p) * np.log2(1 / (1 - p)))
    return float(total / bits.size)
    ### END SOLUTION


check.conditional_entropy(my_conditional_entropy)

# %% [markdown] tags=["subslide"]
# Gaps notice crowds: in a crowd the gap is 1 again and again, and Huffman gives it a short word. Shuffle the weights
# and the advantage is gone:

# %%
gap_bytes.then(lambda: bounds.mask_table(fc1).map("{:,}".format))

# %% [markdown] tags=["subslide"]
# The last row is a real coder, [a page long](../dcviz/chapters/ch10_how_small/context_coding.py): an **arithmetic coder** with four counters, one
# for each state of the two neighbours. Each counter learns on the way how often its weights are kept, so not even a
# table is stored. Video codecs work like this (CABAC), and the standard for compressed neural nets (NNC) too.
#
# Why not Huffman on the mask itself? Because **a Huffman word has at least one bit**. Nearly all of the mask's bits are
# zeros, each worth a small fraction of a bit; a word of a whole bit is many times too long (chapter 06, section 7).
# Gaps get around it: one word for a whole run of zeros. Arithmetic coding has no words at all: it narrows an interval,
# by fractions of a bit.

# %% [markdown] tags=["subslide", "more"]
# ### The whole file beside its bound

# %%
table = bounds.whole(small)
bounds.with_ratios(table, small.dense_bytes())

# %% tags=["subslide"]
figures.bound_picture(table, "lenet-300-100-small")

# %% [markdown] tags=["subslide"]
# Read the columns from left to right.
#
# * **Fixed-length** is the file before Huffman coding, chapter 07's stage *shared*.
# * **Huffman: the file** is what ships. It is below the one-by-one bound thanks to crowds.
# * **ANS** codes fractions of bits (chapter 06), but each symbol of its table costs a byte or two, and gaps have hundreds of
#   symbols. In so small a file the table eats the gain.
# %% [markdown] tags=["more"]
# * **By neighbours** codes the mask with the four counters and the codes with ANS; no fillers are needed. This is where
#   the next percents are.
# * The **bound** is the sum of the entropies one by one, with codebooks and biases but no header.

# %% [markdown] tags=["subslide", "more"]
# And the smallest file, LeNet-5 at about a hundredth of its weights:

# %%
tiny = reference.compressed("lenet-5-tiny")
smallest.then(lambda: bounds.with_ratios(bounds.whole(tiny), tiny.dense_bytes()))

# %% [markdown] tags=["subslide"]
# Here the order is what you expect: the file stays above its bound. Crowds are rare among so few weights: even the coder
# that looks at the neighbours needs only about one percent less than the bound for *which weights*. And every table and
# filler shows.

# %% [markdown] tags=["subslide", "more"]
# ### Does Huffman beat zip?
#
# All gaps and weight codes of the net, stream by stream, each coder's output decoded again and compared. General
# compressors get every stream in the form that suits them better, a byte per symbol or packed bits.

# %% tags=["subslide", "nbval-ignore-output"]
bounds.by_compressor(small)

# %% [markdown] tags=["subslide"]
# zstd comes near Huffman: it ends with Huffman and ANS coders of its own. zip, gzip (the same method) and tar spend
# bytes on headers and on looking for repetitions that are not there. Streams this short punish every table.

# %% [markdown] tags=["subslide", "more"]
# ### And the standard's coder?
#
# There is an ISO standard for compressed neural nets, NNC. The heart of it, DeepCABAC, is arithmetic coding by context,
# as in "by neighbours" above: for each weight in turn, is it zero, what sign, how large, each with chances that follow
# the weights before. Its reference implementation, the package `nncodec`, has to be compiled, so these rows are recorded.
# All columns hold the same: which weights and what they are, without codebooks, biases and headers.

# %% tags=["subslide"]
rivals = recordings.load("nnc_sizes")
smallest.then(lambda: tables.standard(rivals.rows))

# %%
print(f"{rivals.rows[0]['coder']}; {rivals.note}")

# %% [markdown] tags=["subslide"]
# On the LeNets the standard saves {{computed/ch10_how_small.standard_saves(lenet-5)|*100 .0f}} to
# {{computed/ch10_how_small.standard_saves(lenet-5-tiny)|*100 .0f}}% of Huffman's bytes, most on the smallest file: it stores no tables. The four
# counters on this page get most of that. On AlexNet nothing is left of the advantage: two million bytes do not notice a
# table, and gaps have a width of their own in every layer.

# %% [markdown] tags=["slide"]
# ## 6 · Neurons first, single weights second
#
# Look at where the smallest file so far spends its bytes: most of them say *where* single weights are, in layers most of
# whose neurons are dead. So let the **neurons go first**. Of LeNet-5's 20 and 50 filters and 500 units a handful stay,
# those that carry most, with all their weights. That block is a net so small that it can be trained for a long time.
# Meanwhile the paper's second step runs inside it: single weights are cut, little by little.

# %% [markdown] tags=["subslide", "more"]
# Which weight goes first? Not the smallest one. A weight $w$ whose loss curves by $h$ costs about $h w^2 / 2$ when it
# goes, and keeping it costs **bits**: its code, and saying that it is there, which is cheap in a full row and dear in an
# empty one. So the weights go whose loss rises least for each bit saved. Squared gradients, averaged while the net
# trains, stand for $h$.

# %% [markdown] tags=["notes", "more"]
# Then the kept weights share a few values, a few more weights at a time (chapter 05 gives each its code at once): those
# that are nearest to a shared value take it for good, and the others train on and make up for it. And the biases of the
# convolutions go: LeNet-5 has no ReLU behind them, so they pass through as constants, and those of fc1 can say the same.
#
# The file says which layers there are, their shapes, and how many neurons live. The mask inside the block and the codes
# are one arithmetic code a layer, as in section 5; shared values take a byte each. The dead neurons cost nothing. It is
# a `.dcz` file like the others ([version 2](../docs/format.md#version-2), live blocks), and opening it gives back all
# {{recorded/shipped_nets[name=lenet-5].dense_bytes|/4 ,.0f}} parameters.

# %% tags=["subslide", "nbval-ignore-output"]
smallest.then(lambda: tables.block(block.rows))

# %%
print(block.note)

# %% [markdown] tags=["subslide"]
# The code of a value knows the signs of its neighbours on the left and above: inside a filter, and inside what a map
# feeds to a unit, signs come in crowds. The mask knows its rows and columns.

# %% [markdown] tags=["notes", "more"]
# In the picture of section 1 this file stands at {{recorded/lenet_block[name=lenet-5-micro].ratio|,.0f}}x and
# {{recorded/lenet_block[name=lenet-5-micro].test_error_percent|.2f}}%, beside MIRACLE: the sizes of its paper (10 and 11) and
# two real files of an exchange format built on it (19 and 20). Those two hold neither the architecture nor the random
# generator that the reader must have; of ours, {{recorded/lenet_block[name=lenet-5-micro].parts.header}} bytes say names,
# shapes and how many neurons live. It is one net of one seed.

# %% [markdown] tags=["subslide", "more"]
# ### What are the bytes for?
#
# A byte can go to more **neurons**, to more **single weights**, or to more **bits** for each of them. The lab has
# {{computed/ch10_how_small.blocks()}} blocks: three widths ("4-6-16": 4 filters of conv1 live, 6 of conv2, 16 units of
# fc1), three numbers of weights, three lengths of a code. They are *short* trainings, {{recorded/block_grid.0.passes}} passes over {{recorded/block_grid.0.digits|,}} digits and
# {{recorded/block_grid.0.share_passes}} with shared values; the file above took
# {{recorded/lenet_block[name=lenet-5-micro].plan.passes}} and
# {{recorded/lenet_block[name=lenet-5-micro].plan.share_passes}} over all 55,000. Compare them with each other only.
# Files of one budget compete: what would you give up?

# %% tags=["setup"]
best_block = Prediction(
    "At most 1,000 bytes, neurons and weights as you like: codes of how many bits make the fewest errors?",
    options=[f"{bits} bits" for bits in allocation.BITS], key="ch10-allocation",
    truth=lambda lab: f"{allocation.best(1000)[2]} bits",
)
# %% tags=["question", "lecture"]
best_block
# %% tags=["subslide", "more"]
AllocationLab(budget=1000, width="4-6-16", weights=2000, bits=2, prediction=best_block)
# %% tags=["fragment", "lecture"]
best_block.tell()

# %% [markdown] tags=["subslide"]
# **Try it:**
#
# * Find the best block within 1,000 bytes, then within 700 and 1,300. What do you give up first?
# * One width, one length of codes: go through the numbers of weights. In which block does *a weight* cost most, and
#   which part of the file pays for it?
# * Same width: 4 bits for 800 weights, or 2 bits for 2,000? Which file is smaller, and which makes fewer errors?

# %% tags=["subslide"]
best_block.then(lambda: tables.allocation())

# %%
print(recordings.load("block_grid").note)

# %% [markdown]
# To say *which* they are, 1,300 weights take {{computed/ch10_how_small.bits_of(4-6-16; which)|.1f}} bits each in
# the narrowest block and {{computed/ch10_how_small.bits_of(10-20-64; which)|.1f}} in the widest. One seed each: where
# two blocks differ by a few tenths of a percent, another seed may turn them round. And the best block of all,
# {{computed/ch10_how_small.best_block(error)|.2f}}% in {{computed/ch10_how_small.best_block(bytes)|,}} bytes, is far from
# the shipped file's {{recorded/lenet_block[name=lenet-5-micro].error_percent|.2f}}% in
# {{recorded/lenet_block[name=lenet-5-micro].file_bytes|,}} on the same digits: that one
# trained much longer and chose codes for their length.

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * Training buys error, coding buys bytes. Fewer weights at the same error is the big lever; each part of the coding
#   saves {{computed/ch10_how_small.least_and_most_saved(least)|*100 .0f}} to {{computed/ch10_how_small.least_and_most_saved(most)|*100 .0f}}%, and they
#   multiply.
# * Choose codes for their length, not only for their distance.
# * The order of hidden neurons is free. Use it.
# %% [markdown] tags=["subslide", "more"]
# * A bound holds under its assumptions. Trained masks are clustered, and real files go below the bound for independent
#   weights; conditional entropy says how far one can go.
# * Huffman cannot go below one bit a symbol. Gaps are one way around, arithmetic coding the other.
#
# **Discuss:** such a ratio on digits: would you expect it on a net that is not ten times too large for its task?
# What would you have to store if the decoder knew your random seed?
#
# **One weight:** where a few of these bits stand in a file: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).

# %% [markdown] tags=["more"]
# **Next:** [chapter 11](11_open_questions.ipynb), open questions.
