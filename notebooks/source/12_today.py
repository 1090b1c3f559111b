# %% [markdown] tags=["slide"]
# # 12 · The three ideas today
#
# *Pruning, sharing and Huffman coding, ten years on, in a language model that you can open.*
#
# **You will learn** why a chatbot is the paper's batch of one; how Huffman coding makes bfloat16 weights smaller
# without losing a bit; how to prune a net that nobody can afford to retrain; what became of weight sharing at 4, 3 and
# 2 bits, and why plain grids so often win; and what the three ideas together still buy. You will write the steps
# yourself.

# %% [markdown] tags=["subslide", "more"]
# **You need** chapters 02, 03, 04, 06 and 08. **Time:** 75 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).
#
# Numbers are **measured now**, **recorded** (the note under a table says when and by which command), **computed**, or
# **quoted** from the paper that is named. They never share a column.

# %% tags=["skip", "setup"]
import lzma
import textwrap

import numpy as np

from dcviz import archive
from dcviz.chapters.ch08_speed_and_energy import timing
from dcviz.chapters.ch12_today import (
    answers, bfloat16, checks as check, figures, measure, roofline, scores, sharing, tables, together,
)
from dcviz.evidence import recordings
from dcviz.files import MODELS
from dcviz.ideas import huffman
from dcviz.labs import BitsLab, Prediction, TokenLab, WandaLab
from dcviz.nets import dense_files, novels, products, transformer

# %% [markdown] tags=["slide"]
# ## 1 · A language model that fits in your hand
#
# In 2016 the nets to come had hardly any fully connected layers, and it looked as if the paper's largest gains would go
# with them. Then came the **transformer**: nearly all of its weights stand in fully connected layers. And a chatbot
# writes word by word: for each one *all* weights are read, and used once. That is the paper's batch of one (chapter
# 08).

# %% [markdown] tags=["notes", "more"]
# Here is a small one, trained for this workbook on five novels by Jane Austen. Every parameter stands in a fully
# connected layer: six blocks of six matrices each, and a table of 1,024 pieces of words.

# %% tags=["subslide"]
model = products.language_model()
for key, weight in model.items():
    if key.startswith(("blocks.0", "head")):
        print(f"{key.removesuffix('.weight'):16}{str(weight.shape):>12}")
print(f"six blocks and head: {measure.weights():,} weights, {(MODELS / 'austen.safetensors').stat().st_size:,} bytes in bfloat16")

# %% tags=["nbval-ignore-output"]
print(textwrap.fill(products.write(model, "Her sister had", 70, temperature=0.6), 100))

# %% [markdown] tags=["subslide"]
# It has learnt spelling, grammar for half a sentence, and manners; it has nothing to say. How good is it? It gives odds
# for each next piece. A code that believes these odds (chapter 06!) would spend $\log_2 (1/p)$ bits on a piece of
# probability $p$. Divided by the number of characters, that is its **error in bits a character**, the error of this
# whole chapter. A sixth novel, *Northanger Abbey*, is held out: we choose by its first half and ask its second half
# once, at the end.

# %%
text = novels.choosing_text()
packed = 8 * len(lzma.compress(novels.novels().choosing.encode())) / len(novels.novels().choosing)
print(f"bits a character of an unseen novel: as it is 8, xz {packed:.2f}, the model {products.bits_per_character(model, text):.2f}")

# %% [markdown] tags=["subslide"]
# Prediction and compression are the same thing. (The model itself would have to be sent along, too. How long must a
# text be for that to pay?)
#
# **Where this toy misleads** is said wherever it happens. Once for all: models of billions of weights have a few
# *outliers*, inputs a hundred times louder than the rest, that this one does not have. Much of what follows was
# invented because of them.

# %% [markdown] tags=["slide", "more"]
# ## 2 · Huffman today
#
# Weights of large models come as **bfloat16**: the upper half of a float32. One bit of sign, eight of exponent, seven
# of mantissa.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 1 · Take a weight apart


# %%
def my_split(bits):
    """(sign, exponent, mantissa) of a bfloat16, given as the integer of its 16 bits."""
    ### BEGIN SOLUTION
    return bits >> 15, bits >> 7 & 255, bits & 127
    ### END SOLUTION


check.split(my_split)

# %% tags=["subslide", "question", "setup"]
patterns = [bfloat16.patterns(weight) for weight in model.values()]
bits = np.concatenate(patterns)
exponent = Prediction(
    "Eight bits of exponent: how many are they worth, by Shannon's entropy, in the weights of our model?",
    low=0.5, high=8.0, unit="bits", key="ch12-exponent",
    truth=lambda: round(bfloat16.entropies(bits)["exponent"], 2),
)
exponent

# %% tags=["subslide"]
exponent.then(lambda: figures.fields_picture(bits))

# %% [markdown] tags=["subslide"]
# The mantissa is noise: seven bits, worth seven. The sign is a fair coin. But the exponent says how *large* a weight
# is, and weights crowd around zero (chapter 02's histogram, on a log scale). Only the exponents can be coded.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 2 · How long is the file?
#
# Take the code lengths of your own Huffman coder from chapter 06, if you kept it: put `my_code_lengths` in place of
# `huffman.code_lengths`.


# %%
def my_coded_bytes(counts, lengths):
    """Bytes of all weights: one for sign and mantissa of each, and the exponents' code words."""
    ### BEGIN SOLUTION
    return int(counts.sum()) + -(-int((counts * lengths).sum()) // 8)
    ### END SOLUTION


check.coded_bytes(my_coded_bytes)

# %% tags=["subslide"]
counts = bfloat16.counts(bits)["exponent"]
lengths = huffman.code_lengths(counts)
said = f"{check.coded_bytes.solution(counts, lengths):,} bytes of {2 * bits.size:,}, without tables"
exponent.then(lambda: print(said))

# %% [markdown] tags=["subslide"]
# A real file has tables too. Beside it what general compressors make of the same bytes; everything is decoded and
# compared:

# %%
exponent.then(lambda: tables.compressors(bits))

# %% tags=["subslide"]
exponent.then(answers.exponent)

# %%
lenet = np.concatenate([bfloat16.nearest(weight) for weight in dense_files.weights("lenet-300-100").values()])
exponent.then(lambda: print({part: round(worth, 2) for part, worth in bfloat16.entropies(lenet).items()}))

# %% [markdown] tags=["subslide"]
# **Why not everywhere, then?** A code word's place depends on all words before it. A processor that decodes one after
# the other is slower than the memory it wants to save. So the file has to say where *chunks* begin, and thousands of
# threads start side by side: our `.dcz` does that (chapter 06), DFloat11 does it on a GPU. Saving bytes is easy;
# decoding them *in time* is the work.

# %% [markdown] tags=["slide"]
# ## 3 · Pruning today
#
# The paper prunes, then retrains. Who can retrain a model that took months on thousands of GPUs? The question of 2023
# was: how far can one prune **at once**, with nothing but a few lines of text?

# %% [markdown] tags=["subslide", "more"]
# Start with a net that you know. LeNet-300-100, 8% of `fc1` and `fc2` kept, nothing retrained (1,000 held-out digits,
# the inputs of 500 others):

# %% tags=["nbval-ignore-output"]
tables.lenet_pruned()

# %% [markdown] tags=["subslide"]
# Magnitude alone ruins it. But a weight does not act alone: it multiplies an input. A large weight on a pixel that is
# always white does nothing. **Wanda** (Sun, Liu, Bair, Kolter, 2023) scores a weight by
#
# $$ |w_{ij}| \cdot \lVert x_j \rVert_2 , $$
#
# its magnitude times the norm of its input over some examples. One pass forward, no gradient, no training.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 3 · Wanda's mask


# %%
def my_wanda(weight, x, keep):
    """bool (rows, columns): in each row the `keep` weights with the largest |w| times norm of their input x (n, columns)."""
    ### BEGIN SOLUTION
    score = np.abs(weight) * np.sqrt((x**2).sum(0))
    mask = np.zeros(weight.shape, bool)
    for row, best in zip(mask, np.argsort(-score, axis=1, kind="stable")):
        row[best[:keep]] = True
    return mask
    ### END SOLUTION


check.wanda(my_wanda)

# %% [markdown] tags=["subslide"]
# Compare within the **whole layer**, as the paper does, or within **each output** (a row), so that no output starves?
# For large language models the authors found that rows are better; for LeNet's pictures the table says otherwise. Now
# our language model, its six blocks cut at once. The calibration text is 64 windows of the training novels.

# %% tags=["setup"]
best_score = Prediction(
    "Half of the weights of every block go at once, none is moved. Which score harms the language model least?",
    options=list(scores.WAYS[:-1]), key="ch12-wanda", at={"kept": 50}, truth=lambda lab: lab.best(kept=50),
)
# %% tags=["question", "lecture"]
best_score
# %% tags=["subslide", "more"]
WandaLab(prediction=best_score)
# %% tags=["fragment", "lecture"]
best_score.tell()

# %% [markdown] tags=["subslide"]
# **Try it:** keep 50% and go through the scores; then 30%. Where does the text begin to fall apart? Which numbers
# tell you before your ear does?

# %%
rows = recordings.load("today_pruning")
best_score.then(lambda: tables.pruning(rows.rows))

# %% tags=["subslide"]
print(rows.note)

# %% tags=["subslide"]
best_score.then(answers.wanda)

# %% [markdown] tags=["subslide"]
# ### Correct what stays
#
# Pruning changes outputs. Could the weights that stay make up for those that went? For one row $w$ and inputs $x$ the
# best new weights on the kept places $K$ minimise $\lVert x\,w - x\,w' \rVert^2$: a least-squares problem, with the
# answer
#
# $$ w'_K = G_{KK}^{-1} \, (G w)_K , \qquad G = x^\top x . $$
#
# That is the idea of **SparseGPT** (Frantar, Alistarh, 2023), and of Optimal Brain Surgeon (1993) before it. It takes
# care to do this for rows of thousands of weights without solving a system for each; ours are short, so we just solve.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 4 · Least squares, one row


# %%
def my_correct(row, kept, gram):
    """The row after pruning: zero where `kept` is False, the others such that x @ new comes nearest to x @ row."""
    ### BEGIN SOLUTION
    new = np.zeros(len(row))
    new[kept] = np.linalg.solve(gram[np.ix_(kept, kept)], (gram @ row)[kept])
    return new
    ### END SOLUTION


check.correct(my_correct)

# %% [markdown] tags=["subslide"]
# In the tables above it is the row "corrected": Wanda's mask, then this. No gradient, no step of training.

# %% [markdown] tags=["subslide", "more"]
# ### Two of every four
#
# Chapter 08 showed why free choice is slow: a processor likes neighbours. Since 2020 graphics cards have a compromise
# built in: **2:4 sparsity**. Of every four neighbours in a row two are zero. Two values and two 2-bit places: always
# the same size, no gaps, no fillers, and the multipliers get twice as much done.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 5 · 2:4


# %%
def my_two_of_four(score):
    """bool (rows, columns): of every four neighbours in a row the two with the highest score."""
    ### BEGIN SOLUTION
    rows, columns = score.shape
    mask = np.zeros((rows, columns // 4, 4), bool)
    best = np.argsort(-score.reshape(rows, -1, 4), axis=2, kind="stable")[:, :, :2]
    np.put_along_axis(mask, best, True, axis=2)
    return mask.reshape(rows, columns)
    ### END SOLUTION


check.two_of_four(my_two_of_four)

# %% tags=["subslide"]
best_score.then(lambda: tables.two_of_four(rows.rows))

# %% tags=["notes"]
print(f"ours: {rows.note}; quoted: {tables.WANDA}, WikiText")

# %% [markdown] tags=["subslide"]
# The fixed pattern costs several times what free choice costs: two large neighbours may not both stay. Correcting
# brings back a good part. The quoted columns are of another net, another text and another unit (perplexity); compare
# down a column, never across.

# %% [markdown] tags=["slide", "more"]
# ## 4 · Weight sharing today
#
# The paper shares 32 values in a layer. Today's question is the same, the answers differ: **who shares a table**, and
# **what is in it**?
#
# | | table | weight = |
# |---|---|---|
# | the paper | $2^b$ values a layer, k-means | table[code] |
# | SqueezeLLM (2023) | $2^b$ values a *row*, k-means weighted by how much the loss feels each weight | table[code] |
# | formats of local runners (Q4_0) | one *scale* for 32 neighbours | scale × (code − 8) |

# %% [markdown] tags=["subslide", "more"]
# How much does the loss feel a weight? To second order it is the curvature; the mean **squared gradient** over some
# examples stands in for it, and costs one pass backward.

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 6 · The best compromise


# %%
def my_weighted_centroid(values, importance):
    """The value that makes sum(importance * (value - weight)^2) smallest."""
    ### BEGIN SOLUTION
    return float((values * importance).sum() / importance.sum())
    ### END SOLUTION


check.weighted_centroid(my_weighted_centroid)

# %% [markdown] tags=["subslide"]
# On LeNet-300-100, one codebook a layer, nothing fine-tuned:

# %% tags=["nbval-ignore-output"]
tables.lenet_shared()

# %% [markdown] tags=["subslide"]
# At 1 bit the weights that matter pull the two values to where they stand, and that helps. At 2 bits it *hurts*. Why
# might that be? The squared gradient is measured at the weights as they *were*: it holds for small changes. With four
# values all weights move far, all together, and hundreds of weights that the loss did not feel one by one are felt as a
# crowd.

# %% [markdown] tags=["subslide", "more"]
# ### The lab

# %% tags=["setup"]
three_bits = Prediction(
    "3 bits, one k-means codebook a layer. How many bits a character does the language model lose?",
    low=0.0, high=2.0, unit="bits", key="ch12-three-bits",
    truth=lambda lab: round(lab.lost(bits=3, method="k-means", group="layer", apart=0.0), 3),
    at={"bits": 3, "method": "k-means", "group": "layer", "apart": False},
)
# %% tags=["question", "lecture"]
three_bits
# %% tags=["subslide", "more"]
BitsLab(prediction=three_bits)
# %% tags=["fragment", "lecture"]
three_bits.tell()

# %% [markdown] tags=["subslide"]
# **Try it:**

# %% [markdown] tags=["more"]
# * 8 bits, then 4, 3, 2. When do you *hear* it?
# * 4 bits, k-means, a table for each 32 neighbours. What is the file full of?
# * A grid with one scale a layer, at 3 bits; then a scale for each 32. What does a group buy, what does it cost?
# * Switch Huffman codes on. Which method gains more from it, and why? (Chapter 10, section 3.)
# * Keep 0.5% apart. Begin the sentence as you like, and press the button.

# %% tags=["subslide"]
shares = recordings.load("today_sharing")
dense = rows.rows[0]["bits_per_character"]
three_bits.then(lambda: tables.shared(shares.rows, 3, dense))

# %% tags=["subslide"]
tables.shared(shares.rows, 4, dense)

# %% tags=["subslide"]
three_bits.then(lambda: tables.apart(shares.rows, dense))

# %%
print(shares.note)

# %% [markdown] tags=["subslide"]
# **What the tables say.**
#
# * *Eight bits are free*, whoever shares what. (Except in bytes: a table of 256 values for every row of 128 weights is
#   longer than the weights. Rows of a large model have 4,096 or more, and there the table is small change. **The toy
#   misleads.**)
# * *At 4 and 3 bits the group is what counts.* One scale for a whole layer is poor, a scale for each output nearly
#   mends it, and one for each 32 neighbours, half a bit a weight more, halves what is left.
# %% [markdown] tags=["subslide", "more"]
# * *k-means fits better than a grid*, with one table a layer by far. Weighting it by squared gradients changes
#   little here, at 3 bits for the better with a table a layer, for the worse with one for each output.
# * *Huffman helps grids most*: levels that are hardly used cost hardly anything. Coded, a 3-bit grid with a scale for
#   each output is as good as k-means and shorter. Chapter 10 found the same on digits.
# * *Weights kept apart* save a coarse grid: it is stretched by a few large weights, and without these it fits the rest.
#   In large models, with their outliers, that matters much more; SqueezeLLM keeps less than one weight in a hundred
#   apart (*quoted*, arXiv:2306.07629).
# %% [markdown] tags=["subslide", "more"]
# * *Two bits hurt*, and here the methods are worlds apart. Read the sentences.
#
# **Where integers win.** A codebook has to be *looked up*: 16 values in a table, one access for each weight, and the
# product is in floating point. `scale × (code − 8)` needs no table; the codes of a whole group can be multiplied as
# 8-bit or 4-bit integers, which hardware does many at a time, and the scale comes once for 32 of them. That is why
# local runners use grids although a codebook fits better.

# %% [markdown] tags=["slide", "more"]
# ## 5 · The batch of one today
#
# Chapter 08's instruments on our model: all products that one token needs, in three forms, and beside it one
# matrix of the size that models of 7 billion weights have (4,096 × 4,096), read from memory.

# %% tags=["subslide"]
times = recordings.load("token_times")
tables.tokens(times.rows, "austen")

# %% tags=["subslide"]
tables.tokens(times.rows, "7b")

# %% tags=["subslide"]
print(f"milliseconds a token (of the whole batch, divided by its size); {times.note}")

# %% [markdown] tags=["subslide"]
# * *One text at a time costs most.* A token of a batch of 64 takes a small part of the time: each weight is fetched once
#   for all.
# * *Half of the weights are not half of the time.* At 50% kept neither sparse form gains anything to speak of at a batch
#   of one; at 20% both take less than half of dense's time on the large matrix. CSR fetches 8 bytes for each kept weight;
#   and the compressed form has lost its second advantage: after a ReLU most inputs were zero, in a transformer hardly one.
# %% [markdown] tags=["more"]
# * *Our small model is no judge of speed*: its matrices stay in the cache, and one text at a time most of it goes
#   into calling 37 products, not into computing them. (Recorded on a busy machine, in processor time of one thread.)

# %% [markdown] tags=["subslide", "more"]
# ### Exercise 7 · Tokens a second


# %%
def my_tokens_per_second(weights, bits, bytes_per_second, operations_per_second, batch):
    """Tokens a second of all `batch` texts together, at most."""
    ### BEGIN SOLUTION
    reading = weights * bits / 8 / bytes_per_second
    computing = 2 * weights * batch / operations_per_second
    return batch / max(reading, computing)
    ### END SOLUTION


check.tokens_per_second(my_tokens_per_second)

# %% tags=["subslide", "setup"]
gain = Prediction(
    "7 billion weights, one text. From 16 bits a weight to 4.5 (4, and a scale for every 32): how many times faster?",
    low=1.0, high=8.0, unit="times", key="ch12-gain", truth=lambda lab: round(lab.gain(4.5), 2),
    at={"billions": 7.0, "bits": 4.5, "batch": 1},
)
# %% tags=["question", "lecture"]
gain
# %% tags=["subslide", "more"]
TokenLab(prediction=gain)
# %% tags=["fragment", "lecture"]
gain.tell()

# %% [markdown] tags=["subslide"]
# **Try it:** pull the bits down at batch 1. Then 64 texts at once: what became of the gain? Put in your own machine.
# How fast does its memory read?

# %% tags=["nbval-ignore-output"]
speed = timing.read_bandwidth(clock="processor")  # time of this thread alone: others may be at work
print(f"one thread of this machine reads {speed / 1e9:.1f} GB/s")
gain.then(lambda: tables.formats(7, speed))

# %% [markdown] tags=["subslide"]
# Nothing is *computed* faster: there are as many multiplications as before, and unpacking on top. What got shorter is
# the way from the memory. **At a batch of one, compression is speed**: the paper's section 6.3, ten years on. A server
# that answers 64 people at once reads each weight once for all of them; there arithmetic decides, and the gain goes.
# (Left out: what a text itself keeps in memory, the KV cache. It grows with every text and every token, and is
# compressed by the same ideas.)

# %% [markdown] tags=["slide", "more"]
# ## 6 · All three, on a language model
#
# Prune (Wanda, corrected), share (k-means by importance, one codebook a layer), code (Huffman, gaps and codes), write a
# file, read it back, measure. Now, with half of the weights and 4 bits:

# %% tags=["nbval-ignore-output"]
import torch

torch.set_num_threads(1)
net = transformer.language_model()
grams, felt = measure.calibrated()
pruned = together.pruned(net, 0.5, "corrected", grams)
stored = together.three_steps(pruned, 4, felt)
data = archive.dumps(stored)
small = together.opened(archive.loads(data), net)
print(f"{len(data):,} bytes, {transformer.bits_per_character(small, text):.3f} bits a character")
print(transformer.write(small, "Her sister had", 40))

# %% [markdown] tags=["subslide"]
# Every file below was written, read back, and measured from what came back. The last column is the second half of
# *Northanger Abbey*, which nobody had looked at before.

# %%
found = recordings.load("today_files")
asked = {"bfloat16, exponents Huffman-coded": exponent, "shared: k-means, 3 bits, Huffman": three_bits}
shown = [row for row in found.rows if row["name"] not in asked or asked[row["name"]].answered]
tables.files(shown, measure.weights())

# %% tags=["subslide"]
figures.files_picture(shown)

# %%
print(found.note)

# %% [markdown] tags=["subslide"]
# **What does the paper's idea still buy?** From the 4-bit format of a local runner it goes down in three steps: a
# codebook and Huffman codes in place of a grid save
# {{computed/ch12_today.saves(shared: k-means, 4 bits, Huffman; grid, 4 bits, groups of 32)|*100 .0f}}%; half of the weights
# pruned, the others corrected, save
# {{computed/ch12_today.saves(all three: corrected, 50% kept, 4 bits; shared: k-means, 4 bits, Huffman)|*100 .0f}}% of the rest.
# But look at the points: around {{computed/ch12_today.bits_a_weight(all three: corrected, 50% kept, 4 bits)|.1f}} bits a weight, *three bits and no pruning* are just as good.
# Pruning and few bits compete for the same slack. **Below two and a half bits a weight pruning wins**: half of the
# weights with 3 bits each write better than all of them with 2. There the mask says more for its bits than a third code
# does.

# %% [markdown] tags=["notes", "more"]
# And the costs: the pruned file is a file. To compute from it at speed takes the machine of chapter 08, or a pattern
# like 2:4. The grid can be multiplied as it lies. That is why formats with 4 bits are everywhere and pruned language
# models are not, although the bytes are in their favour.
#
# Two things were not done here, and would help all rows: retraining (chapters 02 and 05), and bits chosen layer by
# layer.

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * Transformers are made of fully connected layers, and a chatbot is a batch of one: the paper's case, not its past.
# * **Huffman** lives on in the exponents: a third of bfloat16 is air. Decoding in time is the hard part.
# * **Pruning** at once works if one looks at the inputs, and works better if the weights that stay are corrected.
#   Hardware wants 2:4, and that costs.
# * **Sharing** became local: a scale for 32 neighbours. Codebooks fit better, integers compute faster.
# %% [markdown] tags=["subslide", "more"]
# * At a batch of one, bytes are time. At a batch of 64 they are not.
#
# **Discuss:** which of these results would you expect to turn round in a model a thousand times larger? Which one of
# them could you test with what is on this page?
#
# **One weight** through all stages, on one screen: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).

# %% [markdown] tags=["notes", "more"]
# Back to [the map](00_start_here.ipynb).
