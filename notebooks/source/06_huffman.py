# %% [markdown] tags=["slide"]
# # 06 · Huffman coding
#
# *Frequent things deserve short names.*
#
# **You will learn** why a symbol of probability *p* deserves log₂(1/*p*) bits, how Huffman's merging comes as
# near to that as whole bits can, why a file needs only the *lengths* of the code words, what all this saves in
# a real file, and what zip makes of a neural net. You will write the code lengths, the code words and the decoder
# yourself.
#
# **You need** chapters 03 (gaps) and 04 (shared weights). **Time:** 60 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% tags=["skip", "setup"]
import heapq

import numpy as np
from IPython.display import Math

from dcviz.archive import coders
from dcviz.chapters.ch06_huffman import checks as check, figures, humps, tables
from dcviz.evidence import recordings
from dcviz.labs import DecodeLab, HuffmanLab, Prediction
from dcviz.pipeline import shipped

# %% [markdown] tags=["slide"]
# ## 1 · Some symbols come all the time
#
# After pruning and sharing, a layer is two streams of small whole numbers:
#
# * **weight codes**: for each kept weight, which of the shared values it takes (chapter 04);
# * **gaps**: how far it is from the previous one (chapter 03), stored as *gap* − 1.

# %% [markdown] tags=["subslide", "more"]
# So far every code takes the same number of bits. Look how unevenly they are used in the largest layer of the
# compressed LeNet-300-100 that ships with this workbook:

# %%
fc1 = coders.streams(shipped.compressed("lenet-300-100").layers[0])
weight_codes, gaps = fc1["weight codes"], fc1["gaps"]
figures.streams_picture(fc1, "fc1")

# %% [markdown] tags=["subslide"]
# The weight codes have two hills: values just below and just above zero, with a valley where pruning took the
# small weights away. Code 0, if it stands alone at the left, is the zero of the fillers. The gaps fall off
# steeply, because kept weights come in crowds; the bar at the right end counts the fillers.

# %% [markdown] tags=["more"]
# A **Huffman code** gives frequent symbols short bit strings and rare ones long bit strings. Commit to a guess
# before you touch the tree. Then take it in hand:
#
# * click a leaf (or press `Tab`, then the arrow keys) to see the path to it, left is 0 and right is 1 (the file sorts the
#   leaves first, so its word may be another of the same length: section 3);
# * move **merges done** to 0, and press play: see how the tree grows;
# * edges are as thick as the share of the symbols that pass through them.

# %% tags=["subslide", "setup"]
mean_length = Prediction(
    f"At fixed length each weight code of fc1 takes {weight_codes.width} bits. "
    "How many will Huffman need, on average?",
    low=1.0, high=6.0, unit="bits", key="ch06-mean-length", at={"layer": "fc1", "symbol": 15},
    truth=lambda lab: tables.huffman_length(weight_codes),
)
# %% tags=["question", "lecture"]
mean_length
# %% tags=["subslide", "more"]
HuffmanLab("lenet-300-100", layer="fc3", stream="weight codes", prediction=mean_length)
# %% tags=["fragment", "lecture"]
mean_length.tell()

# %% [markdown] tags=["subslide"]
# ### What a symbol deserves
#
# A bit answers one yes-or-no question. A good question splits what is left in two halves of equal weight.
# Something that happens half the time takes one such question, a quarter of the time two, and in general
#
# $$\text{a symbol of probability } p \text{ deserves } \log_2 \frac{1}{p} \text{ bits.}$$

# %% [markdown] tags=["notes", "more"]
# In the middle panel of the lab each symbol is a point: what it deserves, against what it gets. On the dashed
# line both agree. Huffman's words have whole bits, so the points can only stand on the steps near it.

# %% [markdown] tags=["subslide", "more"]
# Averaged over the symbols as they occur, what they deserve is the **entropy**. With this layer's own numbers:

# %%
mean_length.then(lambda: Math(tables.entropy_formula(weight_codes)))

# %% [markdown]
# and what they get is the **mean code length**:

# %%
mean_length.then(lambda: Math(tables.mean_formula(weight_codes)))

# %% [markdown]
# Shannon showed in 1948 that no code for single symbols gets below the entropy. Huffman showed in 1952 how to
# find the best code with whole bits; it always stays less than one bit above.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 1 · Entropy
#
# Careful with symbols that never occur: what is 0 · log 0 for a computer?


# %%
def my_entropy(counts):
    """Bits per symbol: counts (alphabet,) integers -> float."""
    ### BEGIN SOLUTION
    p = counts[counts > 0] / counts.sum()
    return float((p * np.log2(1 / p)).sum())
    ### END SOLUTION


check.entropy(my_entropy)

# %% [markdown] tags=["slide"]
# ## 2 · Merge the two lightest
#
# Huffman's construction fits in a sentence: **take the two lightest nodes, make them the children of a new node
# that weighs as much as both, and go on until one node is left.** Every merge adds one bit to the words of all
# symbols below it, so it should happen to the lightest.

# %% [markdown] tags=["notes", "more"]
# Watch it on a small layer. Before each step, say which two nodes come next; the dashed rings show them.

# %% tags=["subslide"]
HuffmanLab("lenet-5", layer="conv1", stream="gaps", step=0)

# %% [markdown] tags=["subslide"]
# No word is the beginning of another one, because symbols sit at the *ends* of paths only. Such a **prefix
# code** needs no commas: whoever follows the bits from the root knows when a word is over.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 2 · Code lengths
#
# Keep a heap of `(weight, number, symbols below)`. The number makes ties unambiguous, so that Python never
# compares the lists. `heapq.heappop(heap)` takes the smallest entry, `heapq.heappush(heap, entry)` puts one in.


# %% tags=["subslide"]
def my_code_lengths(counts):
    """Bits of each symbol's word: counts (alphabet,) -> list of lengths, 0 where a symbol never occurs."""
    ### BEGIN SOLUTION
    heap = [(int(count), i, [i]) for i, count in enumerate(counts) if count]
    heapq.heapify(heap)
    lengths = [0] * len(counts)
    if len(heap) == 1:
        lengths[heap[0][2][0]] = 1
    number = len(counts)
    while len(heap) > 1:
        (a, _, left), (b, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in left + right:
            lengths[symbol] += 1
        heapq.heappush(heap, (a + b, number, left + right))
        number += 1
    return lengths
    ### END SOLUTION


check.code_lengths(my_code_lengths)

# %% [markdown] tags=["subslide"]
# Your function plugs into the lab. Once it has passed, its lengths appear as stars beside ours, and the
# caption compares the means. (With ties the tree may differ. The mean may not.)

# %% tags=["subslide"]
HuffmanLab("lenet-5", layer="fc2", stream="weight codes", code_lengths=check.code_lengths.trusted(my_code_lengths))

# %% [markdown] tags=["slide"]
# ## 3 · Only the lengths go into the file
#
# The decoder needs the code, too. Must the file hold the whole tree? No. Swapping the two children of any node
# changes the words but not their lengths, so not the size either. Both sides can agree on *one* tree for given
# lengths: leaves sorted by length, then by symbol, from left to right. That is the **canonical** code. The file
# stores one small number per symbol, and the words come by counting up:
#
# * the first word is all zeros;
# * each next word is the one before **plus 1**, with **zeros appended** where the length grows.

# %% [markdown] tags=["notes", "more"]
# Switch *canonical order* off and on. The words change; depth by depth, the leaves stay the same.

# %% tags=["subslide"]
HuffmanLab("lenet-300-100", layer="fc3", stream="gaps", canonical=True, symbol=2)

# %% [markdown] tags=["subslide"]
# ### Exercise 3 · Canonical words


# %%
def my_canonical(lengths):
    """Code words as text: lengths (alphabet,) -> list of '0'/'1' strings, '' where the length is 0."""
    ### BEGIN SOLUTION
    words = [""] * len(lengths)
    code, before = 0, 0
    for symbol in sorted((i for i, n in enumerate(lengths) if n), key=lambda i: (lengths[i], i)):
        if before:
            code = (code + 1) << (lengths[symbol] - before)
        before = lengths[symbol]
        words[symbol] = f"{code:0{before}b}"
    return words
    ### END SOLUTION


check.canonical(my_canonical)

# %% [markdown] tags=["slide"]
# ## 4 · What it saves

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 4 · Mean length
#
# A rare symbol may have a long word; it hardly matters. So the mean must weigh each length by how often it is
# used.


# %%
def my_mean_length(counts, lengths):
    """Bits per symbol on average: counts, lengths (alphabet,) arrays -> float."""
    ### BEGIN SOLUTION
    return float((counts * lengths).sum() / counts.sum())
    ### END SOLUTION


check.mean_length(my_mean_length)

# %% [markdown] tags=["subslide"]
# Nobody can read the words without the table of lengths, so a file holds the table, too.

# %% [markdown] tags=["subslide", "more"]
# ### You decide: gaps for a coded file
#
# In chapter 03 you chose the width of a gap and the walk for each layer, when every gap took its full width. Now gaps
# and codes are Huffman-coded. Is a wide gap still dear? Which of the two walks has the *less even* gaps? Same net, same
# choices; with the paper's 5 bits, row by row, the file has {{computed/ch06_huffman.paper_widths()|,}} bytes. Stay within 23,500, tables included.


# %% tags=["subslide"]
def my_gap_widths():
    """{"fc1": (bits, "C" or "F"), "fc2": ..., "fc3": ...}"""
    ### BEGIN SOLUTION
    return {"fc1": (8, "C"), "fc2": (8, "F"), "fc3": (5, "C")}
    ### END SOLUTION


check.gap_widths(my_gap_widths)

# %% [markdown] tags=["subslide"]
# ### Layer by layer
#
# Beside the paper's Table 2. "Bytes" are lengths of real streams, code tables included; "saved" compares them
# with the same symbols at fixed length.

# %% tags=["subslide"]
mean_length.then(lambda: tables.layers("lenet-300-100"))

# %% [markdown] tags=["subslide"]
# and LeNet-5, beside Table 3:

# %%
tables.layers("lenet-5")

# %% [markdown] tags=["subslide"]
# Look for three patterns.
#
# * **The more uneven, the more is saved.** Gaps with one dominant value do best; a layer whose codes are used
#   almost evenly has little to give.
# * **Huffman stays within a few hundredths of the entropy**, except where one symbol is very frequent (conv1's
#   gaps). Section 7 says why.
# * **Small layers pay for their tables.** A dozen bytes are nothing in fc1 and a tenth of the stream in the
#   last layer.

# %% [markdown] tags=["notes", "more"]
# (One number in the paper cannot be right as printed: Table 3 says that Huffman coding makes the weight codes
# of its last layer *longer*, {{paper/table3_lenet5[layer=ip2].weight_bits_PQ}} →
# {{paper/table3_lenet5[layer=ip2].weight_bits_PQH}} bits. No best code does that, unless a code table is counted in.)

# %% [markdown] tags=["subslide", "more"]
# ### The whole file
#
# Section 4 of the paper says that Huffman coding saves {{paper/text_numbers.huffman_saves_pct_of_storage.0}} to
# {{paper/text_numbers.huffman_saves_pct_of_storage.1}}% of the storage. A file holds more than codes:
# codebooks, biases, tables. What will be left of the saving?

# %% tags=["setup"]
whole_file = Prediction(
    "By how much does Huffman coding shrink the whole file of LeNet-300-100?",
    low=0, high=50, unit="%", key="ch06-whole-file",
    truth=lambda lab: round(100 * tables.whole_file_saving("lenet-300-100"), 1),
)
# %% tags=["question", "lecture"]
whole_file
# %% tags=["subslide", "more"]
HuffmanLab("lenet-300-100", layer="fc1", stream="gaps", rare=0.5, prediction=whole_file)
# %% tags=["fragment", "lecture"]
whole_file.tell()

# %% tags=["subslide"]
whole_file.then(tables.whole_files)

# %% [markdown] tags=["subslide"]
# In the paper's own tables the two LeNets stay a little below what it says, AlexNet lies within, VGG-16
# above. Our files are in the table (AlexNet: the one with the paper's densities, trained on CIFAR-10). Whoever quotes a
# saving should name the opponent, too: fixed-length codes with bits to spare are easy to beat. Ours take no more bits than
# the alphabet of each layer needs.

# %% [markdown] tags=["subslide", "more"]
# ### Figure 5, and ours
#
# The paper shows the two distributions for AlexNet's last layer. Here they are for our AlexNet, with the paper's density
# and bits: ten classes, so 41 thousand weights in place of 4.1 million, of which a quarter is kept. Compare the
# shapes above and below: which is the same, and which is not?

# %% tags=["subslide"]
ours = tables.last_streams("alexnet-cifar10-paper")
figures.figure_5(tables.figure5(), {name: one.counts for name, one in ours.items()}, "AlexNet on CIFAR-10")

# %% tags=["subslide"]
tables.last_layers("alexnet-cifar10-paper")

# %% [markdown] tags=["subslide"]
# The gaps fall off in the same way. The weight codes do not: the paper's make two hills, with codes in the valley that
# hardly any weight uses; ours make one.
#
# (The paper's counts are read off the printed bars. The smallest bars are drawn at a minimum height, so rare
# symbols may be rarer than they look. And one thing does not fit: Figure 5 has 32 different gaps, which take 5 bits; Table 4
# says that AlexNet's index has 4 bits in every layer, so at most 16 gaps, as in ours. The two cannot show the same file.)

# %% [markdown] tags=["subslide", "more"]
# ### Where are the two humps?
#
# Pruning leaves a hole around zero in every layer, so kept *weights* always stand on two sides. Why do the codes of our fc8
# make one hill, then? Three suspects: it keeps more of its weights than other layers; a few of them reach far out, so that
# the hole is narrow beside them; or k-means puts no shared value into the hole. Choose one before you look.
#
# Here are the fully connected layers of the same file, and fc8 cut once more, to the density of the other two. Above: the
# kept weights, over the largest of the layer. Below: how often each code is used.

# %% tags=["subslide"]
kept = humps.compared("alexnet-cifar10-paper", "alexnet-cifar10")
figures.humps_picture({name: one for name, one in kept.items() if "dense" not in name})

# %% tags=["subslide"]
tables.humps(kept)

# %% [markdown] tags=["subslide"]
# **Bimodality** is a rule of thumb, (skewness² + 1) / kurtosis: 5/9 for a flat distribution, and more where there are
# two humps.
#
# All three have a part in it.
#
# * The **hole**: no kept weight of fc6 lies below {{computed/ch06_huffman.hole(fc6)|.2f}} of the largest, none of fc7 below
#   {{computed/ch06_huffman.hole(fc7)|.2f}}: two humps far apart. The hole of fc8 ends at {{computed/ch06_huffman.hole(fc8)|.2f}}.
# * **Density** is one cause of it: cut on to {{computed/ch06_huffman.kept_of(fc6)|*100 .0f}}%, fc8 passes 5/9. It is not all:
#   the dense net's fc6, cut once to fc8's {{computed/ch06_huffman.kept_of(fc8)|*100 .0f}}%, still has two humps. **Reach** is the
#   other: the weights of fc6 go to {{computed/ch06_huffman.reach(fc6)|.1f}} standard deviations, those of fc8 to
#   {{computed/ch06_huffman.reach(fc8)|.1f}}.

# %% [markdown] tags=["subslide"]
# * The *codes* make one hill, even in fc6: shared values stand only where weights are, so the codes on both sides of
#   the hole are neighbours. That depends on the **start** of k-means. Take fc8 of our other AlexNet, pruned but not shared,
#   and 32 values. If they start evenly, as the paper's do, {{computed/ch06_huffman.values_in_the_hole(linear)}} of them ends
#   in the hole, and no weight takes it; if they start by density, {{computed/ch06_huffman.values_in_the_hole(density)}}.
#   The wider the hole, the more values an even start leaves there: that would make a valley like the paper's.

# %% [markdown] tags=["slide", "more"]
# ## 5 · Read it back
#
# A code is worth what its decoder gives back. Here are the first bits of a layer as they stand in the file, and
# the canonical tree. Read a bit, go down; at a leaf write down the symbol, and start again at the root. Or read
# whole words at a glance: type the **next symbol** and press *Check*.

# %% tags=["subslide"]
DecodeLab("lenet-5", layer="conv1", stream="gaps", count=12)

# %% [markdown] tags=["subslide"]
# When all are decoded, the caption turns the gaps into positions: you have just unpacked the beginning of a
# layer by hand.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 5 · Decode
#
# In a .dcz file the first bit is the *most significant* bit of the first byte: `f"{byte:08b}"` writes them in
# reading order. The last byte is filled up with zeros, which may look like words; so the decoder must know when
# to stop.


# %% tags=["subslide"]
def my_decode(data, words, n):
    """The first n symbols: data bytes, words[symbol] as '0'/'1' text ('' if absent) -> list of symbols."""
    ### BEGIN SOLUTION
    symbol_of = {word: symbol for symbol, word in enumerate(words) if word}
    symbols, word = [], ""
    for bit in "".join(f"{byte:08b}" for byte in data):
        if len(symbols) == n:
            break
        word += bit
        if word in symbol_of:
            symbols.append(symbol_of[word])
            word = ""
    return symbols
    ### END SOLUTION


check.decode(my_decode)

# %% [markdown] tags=["slide"]
# ## 6 · Why not just zip it?
#
# zip, gzip, bz2, xz and zstd have had decades of tuning. Do they do better on the very same symbols? Each gets
# them in the form it likes best, and every result was unpacked again and compared. There is also a coder
# without whole bits: **ANS** (asymmetric numeral systems), which turns the whole message into one large number.
# Its code is [a page long](../dcviz/ideas/ans.py).

# %% tags=["subslide", "question", "setup"]
sizes = {name: coders.sizes(stream) for name, stream in fc1.items()}
asked = ["fixed-length", "Huffman", "ANS", "zip", "bz2", "xz"]
best_coder = Prediction(
    "Which makes the gaps of fc1 smallest, tables included?",
    options=asked,
    key="ch06-coder",
    truth=min((size for size in sizes["gaps"] if size.coder in asked), key=lambda size: size.bytes).coder,
)
best_coder

# %% tags=["subslide", "nbval-ignore-output"]
best_coder.then(lambda: tables.by_coder(gaps, sizes["gaps"]))

# %% tags=["subslide", "nbval-ignore-output"]
best_coder.then(lambda: figures.coders_picture(fc1, sizes, "fc1"))

# %% [markdown] tags=["subslide"]
# What to see:
#
# * **zip and gzip look for repeated strings**, and finish with a Huffman code. There are hardly any repetitions
#   in weight codes, so they end up with a Huffman code *and* the cost of having looked. Gaps and codes one
#   after the other are close to independent draws; for those a plain Huffman code is nearly all one can do.
# * **ANS and Huffman stay within a percent of each other**: ANS has no whole bits, but a larger table, which eats part of
#   what that wins. Huffman's decoder is a plain table look-up, easy to put into hardware. It was a good choice.
# %% [markdown] tags=["subslide", "more"]
# * **The dashed line is a bound for coders that take symbols one by one.** A compressor that adapts to
#   neighbourhoods may dip below it: where on the image you are says something about which weights were kept. If
#   one of them comes out ahead of Huffman, that is why. No law is broken; the symbols are not quite
#   independent. Proof: shuffle them, and look again. Huffman and ANS do not care about the order:

# %% tags=["nbval-ignore-output"]
mean_length.then(lambda: tables.shuffled(weight_codes))

# %% [markdown] tags=["subslide"]
# And the file as a whole? In the *dense* net there is little to gain: of the four bytes of a float32 weight three are
# noise. The fourth, sign and exponent, is not; put these bytes side by side (second column), and every compressor finds
# more. Lossless coders made for weights do just that, and still the net stays large. Once it is pruned and shared, a general compressor does surprisingly well, and the .dcz file itself is
# incompressible: there is no redundancy left to find.

# %% tags=["subslide", "nbval-ignore-output"]
tables.zipped_nets("lenet-300-100")

# %% [markdown] tags=["subslide"]
# ### The authors' own file
#
# The authors of the paper published a compressed SqueezeNet: pruned, shared, 4-bit gaps with fillers, *without* Huffman
# figures. dcviz reads it to the last byte (`dcviz.archive.authors`). Here are that file, what general compressors make of it,
# and the same net as a .dcz file:

# %%
import pandas as pd

recorded = recordings.load("squeezenet_recoded")
print(recorded.note)
pd.DataFrame(recorded.rows).set_index("file").rename_axis(None).map("{:,}".format)

# %% [markdown] tags=["subslide"]
# Huffman coding saves a sixth, and zip nearly as much: "why not just zip it?" is a fair question. SqueezeNet is all
# convolutions with 8-bit codes. Each code is a byte, two gaps are a byte, and zip ends with a Huffman code over bytes: it
# *is* Huffman coding, with the wrong pairs of gaps glued together. xz looks at neighbours, and at the authors' 4-bit gaps
# it even **beats** Huffman: {{recorded/squeezenet_recoded[file=published file, xz].bytes|,}} bytes against
# {{recorded/squeezenet_recoded[file=.dcz, Huffman, 4-bit gaps].bytes|,}}. Only with a gap width of its own in every layer is
# the .dcz file the smallest. Codes of 5 bits packed across the borders of bytes, as in the paper's large layers, take that advantage away.

# %% [markdown] tags=["slide", "more"]
# ## 7 · Never below one bit
#
# Huffman has one weakness. A word has at least one bit, even for a symbol that comes 99% of the time and
# deserves 0.01.
#
# Take the simplest way to say which weights were kept: one bit for each, 1 for kept and 0 for pruned. At the
# densities of this workbook its entropy is a fraction of a bit. Huffman, weight by weight, gives both symbols a
# one-bit word and saves nothing. Two remedies: code **blocks** of several weights as one symbol, so that they
# share a bit; or use ANS, which has no whole bits.

# %% tags=["subslide"]
layers = shipped.compressed("lenet-300-100").layers
figures.one_bit_picture({layer.name: np.count_nonzero(layer.weight) / layer.weight.size for layer in layers})

# %% [markdown] tags=["subslide"]
# The paper takes a third way, and you have known it since chapter 03: **gaps**. A gap is a whole run of zeros
# in one symbol, a block that is as long as it needs to be. For fc1:

# %%
tables.mask_codes("lenet-300-100", "fc1")

# %% [markdown] tags=["subslide"]
# That is the quiet cleverness of relative index plus Huffman: together they come down to the entropy of the
# mask, and here even below it, because the kept weights stand in crowds and gaps notice. (The mask's entropy
# takes weights one by one. The block codes are shown without their tables, which for blocks of 8 are no longer
# small.)

# %% [markdown] tags=["slide", "more"]
# ## Summary
#
# * A symbol of probability *p* deserves log₂(1/*p*) bits; the average of that is the entropy.
# * Merging the two lightest nodes gives the best code with whole bits, less than one bit above the entropy.
# * The file stores code *lengths*; canonical words follow from them.
# * Huffman coding loses nothing and asks for no retraining. It saves what is uneven: a lot in gaps, less in
#   weight codes.
# %% [markdown] tags=["subslide", "more"]
# * General compressors come near, mostly from above; where neighbours tell something, one of them may win.
# * Huffman stops at one bit per symbol; gaps are the way around.
#
# **One weight:** its two code words, and the bytes they stand in: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [07 · The full pipeline](07_full_pipeline.ipynb), where all stages meet and every byte is accounted
# for.
