# %% [markdown] tags=["slide"]
# # 03 · Sparse storage
#
# *Nine of ten weights are gone. Now you have to say which.*
#
# **You will learn** how *Deep Compression* stores a pruned layer: the relative index with fillers, why its width is a
# compromise, when other formats win, and how to read (and correct) the paper's Figure 2. **You need** chapter 02, and
# binary numbers. **Time:** 45 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["notes", "more"]
# Sizes on this page are *computed* exactly, in bits, before Huffman coding (chapter 06).

# %% tags=["setup"]
import numpy as np

from dcviz.chapters.ch03_sparse_storage import answers, checks as check, tables
from dcviz.chapters.ch03_sparse_storage.figures import gap_counts, kept_by_input
from dcviz.evidence import paper, recordings
from dcviz.ideas import relative_index, sparse_formats
from dcviz.labkit import theme
from dcviz.labkit.picture import Picture
from dcviz.labs import IndexBitsLab, Prediction, RelativeIndexLab

masks = tables.paper_masks("lenet-300-100")
fc1 = masks["fc1"]
print(f"fc1 of LeNet-300-100, cut to the paper's density: {np.count_nonzero(fc1):,} of {fc1.size:,} weights kept")

# %% [markdown] tags=["slide"]
# ## 1 · The price of a position
#
# After pruning, the file holds fewer weights. But nobody can use a weight without knowing its place. Suppose that a kept weight
# itself takes 5 bits, as it will after chapter 04. The simplest idea is to write its position in the layer beside it.

# %% tags=["question", "setup"]
bits_of_a_position = Prediction(
    "fc1 has 235,200 weights. How many bits does it take to name one position among them?",
    low=1,
    high=32,
    unit="bits",
    key="ch03-position",
    truth=lambda: sparse_formats.width(fc1.size),
)
bits_of_a_position

# %% tags=["subslide"]
a, n = int(np.count_nonzero(fc1)), fc1.size
width = sparse_formats.width(n)
said = (
    f"{width} bits, because 2**{width - 1} = {2 ** (width - 1):,} < {n:,} <= 2**{width} = {2**width:,}\n"
    f"bits of all positions: {a:,} x {width} = {a * width:,}; of all weights: {a:,} x 5 = {a * 5:,}"
)
bits_of_a_position.then(lambda: print(said))

# %% [markdown]
# The address is far longer than the letter. There are standard formats that do better:
#
# * **Compressed sparse row** (CSR) goes row by row. For each kept weight it stores only the *column*, and once per
#   row a *pointer* to where the row starts. **CSC** does the same by columns.
# * With $a$ kept weights and $n$ rows (or columns) that makes $2a + n + 1$ numbers, says the paper: $a$ weights, $a$
#   columns, $n + 1$ pointers.

# %%
rows, columns = fc1.shape
print(
    f"CSR: 2 x {a:,} + {rows} + 1 = {sparse_formats.paper_numbers(a, rows):,} numbers"
    f" (dense: {n:,}), a column takes {sparse_formats.width(columns)} bits"
)

# %% [markdown]
# Still, a column of `fc1` takes 10 bits: twice the weight. Can we do better?

# %% [markdown] tags=["slide", "more"]
# ## 2 · Count the steps, not the houses
#
# Kept weights are near each other. So do not write *where* the next weight is, but *how far* it is from the last one.
# In a layer of which {{paper/table2_lenet300[layer=ip1].weights_pct_P}}% are kept, the next one is about 12 places away: a small number. That is the **relative
# index**.
#
# Small numbers fit into few bits, but not every gap is small. When a gap is too large for its bits, the paper puts in
# a **filler**: a weight of value zero, stored as if it were kept, as a stepping stone.

# %% [markdown] tags=["notes", "more"]
# Here is the paper's example, Figure 2: sixteen weights, kept at positions {{paper/figure2_relative_index_example.idx.0}}, {{paper/figure2_relative_index_example.idx.1}} and {{paper/figure2_relative_index_example.idx.3}}, with
# {{paper/figure2_relative_index_example.bits}} bits per gap.

# %% tags=["subslide", "setup"]
entries = Prediction(
    "Weights at 1, 4 and 15, gaps of 3 bits. How many entries does the file hold?",
    options=["3", "4", "5"],
    key="ch03-entries",
    truth=lambda lab: str(relative_index.encode([1, 4, 15], 3).gaps.size),
    at={"bits": 3},
)
# %% tags=["question", "lecture"]
entries
# %% tags=["subslide", "more"]
RelativeIndexLab(bits=4, prediction=entries)
# %% tags=["fragment", "lecture"]
entries.tell()

# %% [markdown] tags=["subslide"]
# Press **Next entry** to the end, and watch the third. Then click cells to keep or prune weights, or type
# positions. **Try:** 1 bit per gap. A weight at position 0. Nothing kept. Everything kept. When does the last
# zero of a layer need a filler?

# %% [markdown] tags=["subslide", "more"]
# With all entries written, it looks like this:

# %%
entries.then(lambda: RelativeIndexLab(step=16))

# %% [markdown] tags=["subslide"]
# **The rules.** Start at position $-1$, just before the layer. For each kept weight:
#
# 1. If it is more than $2^b$ places ahead, write a filler: gap $2^b$, value zero. Step there. Look again.
# 2. Write its gap and its value.
#
# A gap is at least 1, so with $b$ bits store **gap − 1**: the numbers $0 \dots 2^b-1$ stand for gaps $1 \dots 2^b$.
# Reading is a running sum. With $s_i$ the stored numbers,
#
# $$ \text{position}_i = -1 + \sum_{j \le i} (s_j + 1). $$

# %% [markdown] tags=["notes", "more"]
# After the last weight nothing follows; the shape of the layer says where it ends.

# %% [markdown] tags=["subslide", "more"]
# ### The paper's own figure, and its off-by-one
#
# Figure 2 prints different numbers. Here they are beside what a file must hold:

# %%
entries.then(tables.figure_2)

# %% [markdown] tags=["subslide"]
# Two things do not fit together in the figure (`diff`):
#
# * It shows a gap of **8 with 3 bits**. But 3 bits hold 0 to 7. The figure shows gaps; what fits is gap − 1.
# * Its **first** `diff` is 1, the distance from position 0. All others are distances from the entry before. If gap −
#   1 is stored, a weight at position 0 would need to store −1.

# %% [markdown] tags=["notes", "more"]
# The program that the authors published settles it: it stores gap − 1, adds 1 while it sums, and starts at −1. dcviz
# does the same. Both agree about fillers.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself: encode
#
# `weights` is a layer as a flat array, zeros included. Fillers are the part that goes wrong; think before you type.


# %% tags=["subslide"]
def my_encode(weights, bits):
    """A flat layer -> (stored gaps, values), two lists; fillers have value 0.0."""
    ### BEGIN SOLUTION
    gaps, values, previous = [], [], -1
    for position in np.flatnonzero(weights):
        while position - previous > 2**bits:
            gaps.append(2**bits - 1)
            values.append(0.0)
            previous += 2**bits
        gaps.append(position - previous - 1)
        values.append(weights[position])
        previous = position
    return gaps, values
    ### END SOLUTION


check.encode(my_encode)

# %% [markdown] tags=["subslide"]
# ### Build it yourself: decode
#
# Two lines of NumPy are enough. `np.cumsum` is the running sum.


# %%
def my_decode(gaps, values, size):
    """Stored gaps and values -> the layer as an array of `size` weights."""
    ### BEGIN SOLUTION
    weights = np.zeros(size)
    weights[np.cumsum(np.array(gaps, dtype=int) + 1) - 1] = values
    return weights
    ### END SOLUTION


check.decode(my_decode)

# %% [markdown] tags=["subslide"]
# **The bill:** every entry, real or filler, holds a gap of $b$ bits and a weight. A filler is as dear as a weight.

# %% [markdown] tags=["slide"]
# ## 3 · How many bits for a gap?
#
# Few bits: each gap is short, but many fillers are needed. Many bits: no fillers, but every gap is as wide as the longest
# needs. In between there is a best width. Where is it for `fc1`, of which every 12th or 13th weight is kept?

# %% tags=["setup"]
best = Prediction(
    "fc1 keeps 8% of its weights, 6 bits each. Which number of bits per gap makes it smallest?",
    low=1,
    high=16,
    unit="bits",
    key="ch03-best",
    truth=lambda lab: relative_index.best_bits(np.flatnonzero(fc1), 6),
    at={"layer": "fc1", "percent": 8.0, "bits": 3},
)
# %% tags=["question", "lecture"]
best
# %% tags=["subslide", "more"]
IndexBitsLab(net="lenet-300-100", layer="fc3", bits=3, value_bits=6, compare=False, prediction=best)
# %% tags=["fragment", "lecture"]
best.tell()

# %% [markdown] tags=["subslide"]
# Move **b** and read the line below. The bars make a **U**: at the left the fillers (crosses) tower, at the right the
# gaps (slanted lines) grow by one bit per weight and step. Then:
#
# * Lower **kept** to 2%. On average gaps get four times as long, two bits more. The best b moves by more than that:
#   section 4 tells why.
# * Raise **bits per weight** to 32. A filler stores a weight too, so fillers get dear and the best b grows.
# * Walk by **columns**: same weights, other gaps, another best b.

# %% [markdown] tags=["subslide", "more"]
# For `fc1` the formula reads, with the numbers of this layer:

# %%
index = relative_index.encode(np.flatnonzero(fc1), 5)
print(
    f"b = 5: ({a:,} weights + {index.fillers:,} fillers) x (5 + 6) bits = {index.gaps.size * 11:,} bits"
    f" = {index.gaps.size * 11 / 8:,.0f} bytes, {32 * n / (index.gaps.size * 11):.0f} times less than dense"
)

# %% [markdown] tags=["subslide"]
# And the paper? Its text speaks of {{paper/text_numbers.index_bits_text.conv}} bits for convolutional and
# {{paper/text_numbers.index_bits_text.fc}} for fully connected layers; its tables use one
# width for a whole net (quoted):

# %%
for name in ("table2_lenet300", "table3_lenet5", "table4_alexnet", "table5_vgg16"):
    table = paper.table(name)
    print(f"{table.source:32} index bits in all layers: {sorted({row['index_bits_PQ'] for row in table.rows})}")

# %% [markdown] tags=["subslide"]
# ### Build it yourself: the best width
#
# Use your own functions, or `relative_index.total_bits(positions, bits, value_bits)`.


# %%
def my_best_bits(weights, value_bits):
    """Bits per gap, 1 to 12, with the fewest bits in total; the smallest if several are equally good."""
    ### BEGIN SOLUTION
    positions = np.flatnonzero(weights)
    return min(range(1, 13), key=lambda bits: relative_index.total_bits(positions, bits, value_bits))
    ### END SOLUTION


check.best_bits(my_best_bits)

# %% [markdown] tags=["subslide"]
# ### You decide: width and walk, layer by layer
#
# All three layers now, in a real file. For each choose the bits of a gap, and the *walk*: "C" goes row by row, "F"
# column by column. (The weights have codes of 5 bits, as they will after chapter 04.) The paper's 5 bits, row by row
# everywhere, make {{computed/ch03_sparse_storage.paper_widths()|,}} bytes. Stay within 32,200. Your smallest file is kept.


# %%
def my_gap_widths():
    """{"fc1": (bits, "C" or "F"), "fc2": ..., "fc3": ...}"""
    ### BEGIN SOLUTION
    return {"fc1": (5, "F"), "fc2": (5, "C"), "fc3": (3, "C")}
    ### END SOLUTION


check.gap_widths(my_gap_widths)

# %% [markdown] tags=["slide"]
# ## 4 · Is a mask random?
#
# If each weight were kept by the toss of a coin with probability $p$, the chance that a gap is longer than $m = 2^b$
# would be $q = (1-p)^m$: one filler. Longer than $2m$: $q^2$, one more. So the expected entries per weight of the
# layer are
#
# $$ p\,(1 + q + q^2 + \dots) = \frac{p}{1-q}. $$

# %% [markdown] tags=["subslide", "more"]
# But masks are not random. Here is how many weights each *pixel* of the digit keeps in `fc1`:

# %%
figure, axes = theme.figure(6.5, 4.6)
kept_by_input(axes, fc1, (28, 28))
border, middle = fc1.sum(axis=0)[:28].mean(), fc1.sum(axis=0).reshape(28, 28)[10:18, 10:18].mean()
Picture(figure, f"weights kept per pixel, of {rows}: {border:.1f} in the top row, {middle:.1f} in the middle")

# %% [markdown] tags=["subslide"]
# The corners, where no digit ever has ink, keep almost nothing; some pixels at the rim of the strokes keep many. So
# kept weights form clusters. Does that help?

# %% tags=["setup"]
cluster = Prediction(
    "fc1's mask is clustered. With 5 bits per gap, does it need fewer fillers than the same weights shuffled, or more?",
    options=["fewer", "as many", "more"],
    key="ch03-cluster",
    truth=lambda lab: lab.against_shuffled(bits=5),
    at={"layer": "fc1", "percent": 8.0},
)
# %% tags=["question", "lecture"]
cluster
# %% tags=["subslide", "more"]
IndexBitsLab(net="lenet-300-100", layer="fc3", bits=5, value_bits=6, prediction=cluster)
# %% tags=["fragment", "lecture"]
cluster.tell()

# %% [markdown] tags=["subslide"]
# The dash-dotted line with stars is the same number of weights, shuffled.

# %%
cluster.then(lambda: tables.fillers("lenet-300-100"))

# %% tags=["subslide"]
cluster.then(lambda: tables.fillers("lenet-5"))

# %% tags=["subslide"]
cluster.then(answers.sum_of_gaps)

# %%
gaps = np.diff(np.flatnonzero(fc1), prepend=-1)
shuffled = np.diff(np.sort(np.random.default_rng(0).choice(n, a, replace=False)), prepend=-1)
figure, axes = theme.figure(9, 4.2)
gap_counts(axes, gaps, shuffled, 100)
said = (
    f"gaps beyond 32: {np.count_nonzero(gaps > 32):,}, shuffled {np.count_nonzero(shuffled > 32):,}; "
    f"the longest is {gaps.max():,}, shuffled {shuffled.max():,}"
)
cluster.then(lambda: Picture(figure, said))

# %% [markdown] tags=["subslide"]
# Look at both ends: at the short gaps, and at the very long ones. (The kink at 28 is the width of a digit's
# picture: when a stroke goes down, the next kept pixel is one row below.)

# %% tags=["subslide"]
cluster.then(answers.even_masks)

# %% [markdown] tags=["subslide"]
# Is it so for the net that the authors published themselves, SqueezeNet with 4-bit gaps (recorded; the file is
# not part of this workbook)?

# %%
print(recordings.load("squeezenet_fillers").note)
cluster.then(tables.squeezenet_fillers)

# %% [markdown] tags=["subslide"]
# ### A small mystery in Table 4
#
# From the compression rates that the paper prints for AlexNet one can work out how many entries each layer must have
# had. Beside it, what a random mask of the printed density needs; the range is the rounding of that density.

# %% tags=["subslide"]
tables.alexnet_entries()

# %% [markdown] tags=["subslide"]
# In `fc8` there are more entries than at random. In `fc6` and `fc7` there are **fewer**:
# {{paper/derived_layer_checks.nets.AlexNet.rows[layer=fc6].entries_pct_implied_PQ}}%, where a random mask that keeps 9% would
# need about {{computed/ch03_sparse_storage.random_entries(9; 4)|.1f}}%. What could
# explain that? A mask of another kind, perhaps; or a density that is really a bit lower than printed:

# %%
for percent in (8, 8.5, 9):
    needed = 100 * sparse_formats.expected_entries(percent / 100, 4)
    print(f"random mask that keeps {percent:>3}%: {needed:.1f}% entries")

# %% [markdown]
# From the paper alone it cannot be decided. That is what checking numbers looks like: most fit, a few do not, and one
# says so.

# %% [markdown] tags=["slide", "more"]
# ## 5 · Against the other formats
#
# Every format at its best, in bytes, with 5 bits per kept weight; only `dense` has 32. For each layer the relative
# index uses its own best width.

# %% tags=["subslide"]
tables.formats("lenet-300-100", widths=best.answered)

# %% tags=["subslide"]
tables.formats("lenet-5")

# %% [markdown] tags=["subslide"]
# * **Relative index** wins wherever a layer is really sparse. In the large layers it is a fifth smaller than the
#   better of CSR and CSC, whose indices count from the start of each row or column.
# * **Bitmap**, one bit per weight that says *kept or not*, wins in `conv1`, which keeps two thirds. A gap takes at
#   least one bit per *kept* weight, a bitmap one per *weight*; so for dense layers the bitmap is hard to beat.
# * Before you invent a format, know the floor. For a random mask with density $p$ no format can do better on average
#   than the entropy $n\,H(p)$ for the positions. In the lab it is the last bar. There is room left, and chapter 06
#   takes most of it.

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * Positions can cost more than the weights. Count them, always: "9 times fewer weights" is not "9 times smaller".
# * Relative index: store gap − 1, start at −1, bridge long gaps with zero fillers. Decode with a running sum.
# * The width of a gap is a compromise. Fillers cost a gap *and* a weight.
# * Clusters make fillers, not fewer of them; but they make gaps predictable.

# %% [markdown] tags=["subslide", "more"]
# **Discuss:** A GPU wants to read many rows at once. What does the relative index do to that, and what would CSR's
# pointers buy? How could you have both?
#
# **One weight:** its gap, bit by bit, in the file that ships: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 04](04_weight_sharing.ipynb) makes the weights themselves small.
