# %% [markdown] tags=["slide"]
# # 08 · Speed and energy
#
# *A smaller file is nice. Is it also a faster net, and a cooler phone?*
#
# **You will learn** why a layer with 9% of its weights is not eleven times faster, how to multiply *straight from
# the compressed form* without ever writing down a float weight, when it pays and when it does not (the batch!), how
# to read a roofline, and how to tell a measured joule from a counted one. You will write the compressed product
# yourself.

# %% [markdown] tags=["subslide", "more"]
# **You need** chapters 01 (memory), 03 (gaps) and 04 (shared weights). **Time:** 60 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["notes", "more"]
# Every number says how it came about: *quoted* from the paper, *recorded* on our machine, *computed*, or *measured
# here and now*. A busy machine gives other times than ours; look at ratios.

# %% tags=["skip", "setup"]
from IPython.display import Markdown

from dcviz import pipeline
from dcviz.chapters.ch08_speed_and_energy import (
    answers, checks as check, energy, figures, phones, tables, timing,
)
from dcviz.evidence import paper, recordings
from dcviz.labkit import theme
from dcviz.labkit.picture import Picture
from dcviz.labs import PhoneLab, Prediction, SpeedLab
from dcviz.nets import datasets
from dcviz.pipeline import shipped, sparse_kernels

# %% [markdown] tags=["slide"]
# ## 1 · Eleven times fewer weights
#
# AlexNet's first fully connected layer, `fc6`, has 9,216 inputs and 4,096 outputs. The paper keeps 9% of its
# weights. The usual way to compute with such a matrix is **CSR**, compressed sparse rows: for each row the values
# that are not zero, and the column of each. Libraries have it ready; the authors used it too.

# %% [markdown] tags=["subslide", "more"]
# Commit to a guess:

# %% tags=["setup"]
times = recordings.load("layer_times")
seconds = {(r["layer"], r["method"], r["batch"]): r["seconds"] for r in times.rows}
faster = seconds["alexnet/fc6", "dense", 1] / seconds["alexnet/fc6", "csr", 1]
csr_faster = Prediction(
    "9% of the weights stay. One input at a time, how many times faster is CSR than dense?",
    low=0.5, high=15.0, unit="times", key="ch08-csr", truth=round(faster, 2),
    at={"layer": "alexnet/fc6", "density": 9.0, "active": 37.6},
)
# %% tags=["question", "lecture"]
csr_faster
# %% tags=["subslide", "more"]
SpeedLab(layer="alexnet/fc8", batch=1, prediction=csr_faster)
# %% tags=["fragment", "lecture"]
csr_faster.tell()

# %% [markdown] tags=["subslide"]
# For each form the lab shows up to three bars:
#
# * the **limit**: no machine with this memory and this arithmetic can be faster. It is computed from bytes and
#   operations;
# * what was **recorded** on our machine, named in the caption;
# * what **your** machine takes, after you press the button. It draws a random layer of that size and density: for
#   time it matters where weights are, not what they are.
#
# Try `vgg-16/fc6`, then `alexnet/fc8`, then `batch` 64. Then pull **weights kept** up to 50%, and press the button.

# %% [markdown] tags=["subslide", "more"]
# **What to see**
#
# * **Dense is memory-bound at batch 1.** Its point lies on the slope of the roofline (right): each weight is fetched,
#   used once, and forgotten. Half an operation per byte; the arithmetic units wait.
# * **CSR fetches 8 bytes for each kept weight**, 4 for the value and 4 for its column. With 9% kept that is not 11
#   but 5.6 times fewer bytes. And it looks up inputs all over the place, which no memory likes.
# * **The compressed form fetches 2 bytes**, one for the gap and one for the code, and passes over inputs that are
#   zero.

# %% [markdown] tags=["subslide", "more"]
# The roofline in one line: moving and computing happen at the same time, so the slower one decides,
#
# $$ t \;\ge\; \max\left(\frac{\text{bytes moved}}{\text{bytes per second}},\;
# \frac{\text{operations}}{\text{operations per second}}\right) . $$

# %%
roof = recordings.load("speed_limits").rows[0]
fc6, said = timing.paper_layers()["alexnet/fc6"], []
for method in timing.METHODS:
    moved = fc6.moved_bytes(method, 1, fc6.active)
    said.append(f"{figures.METHODS[method]:18}{moved:>12,.0f} bytes: {1e3 * moved / roof['read_bytes_per_s']:6.3f} ms "
                f"at {roof['read_bytes_per_s'] / 1e9:.1f} GB/s; recorded {1e3 * seconds['alexnet/fc6', method, 1]:.3f} ms")
csr_faster.then(lambda: print("\n".join(said)))

# %% [markdown]
# Dense comes near its limit. The other two do not: they are no longer bound by how *many* bytes they move but by
# how *awkwardly* they use them, one weight at a time instead of sixteen. That is the price of unstructured pruning on
# a processor made for rows of neighbours.

# %% [markdown] tags=["notes", "more"]
# One thing is easily measured wrong here. Call the same layer again and again, and a layer of 16 MB like `fc8` stays in
# the cache of a large processor, where dense is hard to beat. In a net it does not: between two pictures the 151 MB of
# `fc6` go through that cache too. So the caches are emptied before every call, here and when you press the button.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself


# %%
def my_least_time(bytes_moved, operations, bytes_per_second, operations_per_second):
    """Seconds that a layer takes at least, by the roofline."""
    ### BEGIN SOLUTION
    return max(bytes_moved / bytes_per_second, operations / operations_per_second)
    ### END SOLUTION


check.least_time(my_least_time)

# %% [markdown] tags=["slide"]
# ## 2 · Straight from the compressed form
#
# So far the compressed file had to be unpacked into floats before anyone could compute. Must it? The authors built a
# chip, EIE, that multiplies from codes and gaps. The same idea in software goes **column by column**. Here is a layer
# of 5 outputs and 3 inputs, in the layout of `dcviz.pipeline.sparse_kernels`:

# %%
import torch

weight = torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 0.5], [0.5, 0.0, 0.0], [0.0, 0.5, -1.0]])
layer = sparse_kernels.compress(weight)
gaps, codes = layer.entries & 255, layer.entries >> 8
print(weight.numpy())
for j in range(layer.shape[1]):
    entries = slice(layer.starts[j], layer.starts[j + 1])
    print(f"input {j}: gaps {gaps[entries]}, codes {codes[entries]}")
print("codebook", layer.codebook, " (the last place, 0, is for fillers)")

# %% [markdown] tags=["subslide"]
# To multiply, take one input $a_j$ after the other:
#
# 1. **Is it zero? Go on.** After a ReLU many inputs are, and their whole column is never read.
# 2. Multiply the *codebook* by $a_j$: 32 products, however many weights the column has.
# 3. For each entry add up the gaps to know the row, and add the product that its code names to $y_\text{row}$.
#
# $$ y_i = \sum_{j:\,a_j \ne 0} c_{I_{ij}}\, a_j $$

# %% [markdown] tags=["subslide", "more"]
# No float weight is ever stored. The outputs, 16 KB for `fc6`, stay in the nearest cache. How many inputs are active?
# Count it on the LeNet that ships with the workbook, with real digits:

# %% tags=["nbval-ignore-output"]
pictures = torch.tensor(datasets.digits().test.images)[:, None].float() / 255
for name, share in timing.activity(shipped.dense("lenet-300-100"), pictures).items():
    print(f"{name}: {100 * share:.0f}% of the inputs are not zero")

# %% [markdown] tags=["subslide"]
# In the compressed AlexNets that ship with this workbook, which look at CIFAR-10 pictures, we counted:

# %%
recorded = recordings.load("alexnet_activity")
print(recorded.note)
for row in recorded.rows:
    print(f"{row['net']}, inputs of {row['layer']}: {100 * row['active']:.0f}% are not zero")

# %% [markdown] tags=["subslide"]
# The lab and all recorded times of this chapter take the counts of `alexnet-cifar10-paper`, the net with the paper's
# densities. A trained VGG-16 was not at hand: its layers take AlexNet's counts. How much does that matter?
# Thick lines are geometric means of the six layers, thin ones single layers:

# %%
activity = recordings.load("layer_activity")
figure, axes = theme.figure(11, 4.8)
lines = figures.activity_curves(axes, activity.rows, [r["active"] for r in recorded.rows])
ours, csr = (dict(zip(*lines[method].get_data())) for method in ("compressed", "csr"))
Picture(figure, "; ".join(f"{share:.0f}% active: {ours[share]:.1f}x" for share in ours) + f"; CSR {csr[100]:.1f}x")

# %% tags=["subslide"]
print("times faster than dense, geometric mean of six layers:\nshare active   compressed form   CSR")
for share in ours:
    print(f"{share:9.0f}%{ours[share]:14.1f}x{csr[share]:13.1f}x")
print(activity.note)

# %% [markdown]
# With few inputs active the compressed form is far ahead. With **all** of them active little of that is left: it has
# nothing to skip, and every entry costs it a look into the codebook. It is made for nets with ReLUs.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself
#
# The heart of it, in plain Python. It will be slow, and right.


# %% tags=["subslide"]
def my_product(gaps, codes, starts, codebook, x, rows):
    """y of `rows` floats. Column j has the entries starts[j] .. starts[j + 1] - 1; a gap is stored minus 1."""
    ### BEGIN SOLUTION
    y = [0.0] * rows
    for j in range(len(x)):
        if x[j] == 0:
            continue
        row = -1
        for e in range(starts[j], starts[j + 1]):
            row += gaps[e] + 1
            y[row] += codebook[codes[e]] * x[j]
    return y
    ### END SOLUTION


check.product(my_product)

# %% [markdown] tags=["subslide"]
# Now the same on a real layer: `fc1` of the shipped compressed LeNet-300-100. Its kernel is these few lines, compiled
# (with Numba, if it is installed), plus one trick: while one column is added, the next active one is asked for
# already.

# %%
stored = shipped.compressed("lenet-300-100").layers[0]
fc1 = timing.own_layer("lenet-300-100/fc1", stored.weight)
digit = pictures[0].flatten()
dense = fc1.dense @ digit
straight = sparse_kernels.product(fc1.compressed, digit)
print("the same outputs:", torch.allclose(dense, straight, atol=1e-5))
for method in timing.METHODS:
    print(f"{figures.METHODS[method]:18}{fc1.resident_bytes(method):>9,} bytes in memory")

# %% tags=["subslide", "nbval-ignore-output"]
tables.table(timing.measure(fc1, active=0.2, readings=5))

# %% [markdown] tags=["subslide"]
# The table above is measured here and now. The layer is small: dense it fits into a cache, and a microsecond goes
# into calling anything at all. Compression pays where layers are *large*.

# %% [markdown] tags=["subslide"]
# ### A whole net that runs compressed
#
# One word to `restore`, or to `dcviz.open`, and the fully connected layers of a net keep their codes and gaps for good:

# %%
small = pipeline.restore(shipped.compressed("lenet-300-100"), compressed=True)
expanded = pipeline.restore(shipped.compressed("lenet-300-100"))
print("the same answers:", torch.allclose(small(pictures[:100]), expanded(pictures[:100]), atol=1e-4))
print(small)

# %% [markdown] tags=["subslide"]
# It answers, and nothing else: no tensor of weights is there to train or to save, and the net says so if you try. For
# AlexNet of the paper's size (1,000 classes, random weights at its densities) we recorded both, each in a process of
# its own, one picture at a time:

# %%
alexnet = recordings.load("alexnet_running")
print(alexnet.note + "; processor time of one thread")
tables.running(alexnet.rows)

# %% [markdown] tags=["subslide"]
# The fully connected layers take {{recorded/alexnet_running[form=compressed].linear_bytes|/1e6 .1f}} MB where they took
# {{recorded/alexnet_running[form=expanded].linear_bytes|/1e6 .1f}}, and
# {{recorded/alexnet_running[form=compressed].linear_seconds|*1e3 .1f}} ms where they took
# {{recorded/alexnet_running[form=expanded].linear_seconds|*1e3 .1f}}. The convolutions cost what they cost before. So the
# whole process shrinks by less: most of it is Python, torch and the compiler of our kernel, none of which a phone needs.
# And a part of what it grows by was used while the file was opened and is free again. The C library keeps it for later;
# asked to give it back (`malloc_trim`), it gave most of it.

# %% [markdown] tags=["slide", "more"]
# ## 3 · The batch
#
# With 64 inputs at once, dense fetches each weight once and uses it 64 times. What happens to the advantage?

# %% tags=["question", "setup"]
dense_catches_up = Prediction(
    "VGG-16 fc8 (23% kept) with CSR: from which batch on is dense at least as fast?",
    options=["2", "16", "64", "never up to 128"],
    key="ch08-batch",
    truth=tables.crossover(times.rows, "vgg-16/fc8", "csr"),
)
dense_catches_up

# %% tags=["subslide"]
dense_catches_up.then(lambda: tables.crossovers([row for row in times.rows if not row["layer"].startswith("lenet")]))

# %% tags=["subslide"]
dense_catches_up.then(lambda: SpeedLab(layer="vgg-16/fc8", batch=64, density=23.0, active=45.0))

# %% [markdown] tags=["subslide"]
# The table gives the smallest recorded batch at which dense is at least as fast. In the lab go through the batches
# and watch the square on the roofline: it walks up the slope, until it arrives under the flat roof. From there on
# dense keeps the arithmetic units busy, while the sparse forms still do their arithmetic one weight at a time. Zero
# inputs are no help any more either: hardly an input is zero in all 64 pictures of a batch.

# %% tags=["subslide"]
dense_catches_up.then(answers.batch)

# %% [markdown] tags=["notes"]
# How did the paper's machines do (section 4)? How much did each product gain there from 64 inputs at once?

# %%
i7 = paper.table("table8_time_us")["data"]["Core i7-5930k"]
for form in ("dense", "sparse"):
    gain = i7[f"{form}_b1"][0] / i7[f"{form}_b64"][0]
    print(f"AlexNet fc6, {form}: {gain:.1f} times less time per input at batch 64 than at batch 1")

# %% [markdown] tags=["subslide"]
# A dense product on all cores makes full use of a batch; their sparse one hardly did.
#
# **So compression speeds up the one picture that cannot wait**: a phone, a car, a drone. A server that collects 64
# requests first gains less, or loses.

# %% [markdown] tags=["notes", "more"]
# And today? A language model that writes for one person, word by word, is a batch of one: for each word it reads all of
# its weights once, and nearly all of them stand in fully connected layers. [Chapter 12](12_today.ipynb) measures it.

# %% [markdown] tags=["subslide", "more"]
# And how much has to be pruned before it pays? One layer, 4,096 × 4,096, one input at a time, and *all inputs active*, the
# case that suits the compressed form least, as no column is passed over:

# %%
densities = recordings.load("layer_densities")
figure, axes = theme.figure(11, 4.6)
figures.density_curves(axes, densities.rows)
rows = {(r["density"], r["method"]): r["seconds"] for r in densities.rows}
pays = {m: max(d for d, n in rows if n == m and rows[d, m] < rows[d, "dense"]) for m in timing.METHODS[1:]}
Picture(figure, "; ".join(f"{figures.METHODS[m]} beats dense up to {100 * d:.0f}% kept" for m, d in pays.items()))

# %%
print("; ".join(f"{figures.METHODS[m]} beats dense up to {100 * d:.0f}% kept" for m, d in pays.items()))
print(densities.note)

# %% [markdown] tags=["subslide"]
# ### Build it yourself


# %%
def my_crossover(dense, sparse):
    """The smallest batch at which dense is at least as fast; 0 if there is none. Both are {batch: seconds}."""
    ### BEGIN SOLUTION
    return min((batch for batch in dense if dense[batch] <= sparse[batch]), default=0)
    ### END SOLUTION


check.crossover(my_crossover)

# %% [markdown] tags=["slide"]
# ## 4 · Table 8, and ours
#
# The paper's times for a desktop processor (Core i7-5930K, batch 1) beside ours. The machines are ten years apart, so
# do not compare microseconds across the columns: compare **speed-ups**.

# %% tags=["subslide"]
csr_faster.then(lambda: tables.table_8(times.rows))

# %% tags=["subslide"]
names = [name.replace("alexnet/", "AlexNet ").replace("vgg-16/", "VGG ") for name in timing.six_layers()]
quoted = paper.table("derived_timing")["data"]["Core i7-5930k"]["speedup_b1"]
ours = {m: [seconds[n, "dense", 1] / seconds[n, m, 1] for n in timing.six_layers()] for m in timing.METHODS[1:]}
figure, axes = theme.figure(13, 4.8)
figures.ratio_bars(axes, names, {
    "CSR, paper (quoted)": ("paper", quoted), "CSR, ours (recorded)": ("pruned", ours["csr"]),
    "compressed, ours (recorded)": ("kept", ours["compressed"])}, "times faster than dense")
said = "speed-up over dense at batch 1, six layers: the paper's CSR, our CSR, our compressed form"
csr_faster.then(lambda: Picture(figure, said))

# %% [markdown] tags=["subslide"]
# A part of the pattern is the same: a lot on VGG-16's fc7, little on `fc8`, which keeps a quarter of its weights. One layer
# is not: VGG-16's fc6, where the paper's CSR gains {{paper/derived_timing.data.Core i7-5930k.speedup_b1.3|.1f}} times and ours
# {{computed/ch08_speed_and_energy.speed_up(vgg-16/fc6; csr)|.1f}}. The sparse times are nearly equal
# ({{paper/table8_time_us.data.Core i7-5930k.sparse_b1.3|/1e3 .1f}} and
# {{recorded/layer_times[layer=vgg-16/fc6; method=csr; batch=1].seconds|*1e3 .1f}} ms); it is the *dense* product that our
# machine does in {{recorded/layer_times[layer=vgg-16/fc6; method=dense; batch=1].seconds|*1e3 .1f}} ms, theirs in
# {{paper/table8_time_us.data.Core i7-5930k.dense_b1.3|/1e3 .1f}}. A speed-up has two ends. And CSR is slow there: a kept weight
# costs {{computed/ch08_speed_and_energy.nanoseconds_an_entry(vgg-16/fc6)|.2f}} ns in fc6, {{computed/ch08_speed_and_energy.nanoseconds_an_entry(vgg-16/fc7)|.2f}} in fc7,
# though both keep 4%. The likely cause: fc6's 25,088 inputs take 100 KB, twice what the fastest cache of our machine holds,
# and CSR looks them up in no order; fc7's take 16 KB.

# %% [markdown] tags=["subslide", "more"]
# **Careful with the paper's summary.** Figure 9's caption says {{paper/figure9_speedup_labels.caption.cpu}}×, {{paper/figure9_speedup_labels.caption.gpu}}× and {{paper/figure9_speedup_labels.caption.mgpu}}× for CPU, GPU and mobile GPU. Table 8
# gives:

# %%
for machine, row in paper.table("derived_timing")["data"].items():
    print(f"{machine:14} geometric mean of Table 8: {row['speedup_b1_geomean']:.2f} times faster, "
          f"{row['energy_gain_b1_geomean']:.2f} times less energy")

# %% [markdown] tags=["subslide"]
# The caption's {{paper/figure9_speedup_labels.caption.mgpu}}× for the mobile GPU is its gain in *energy*. Small slips like this are easily made, and easily
# found if the table is printed next to the figure. With batch 64 the paper's sparse layers *lose* nearly everywhere;
# the authors say so. Here is that table beside ours (microseconds per input):

# %%
dense_catches_up.then(lambda: tables.table_8(times.rows, batch=64))

# %% [markdown] tags=["subslide"]
# ### And on a GPU?
#
# The paper timed a graphics card, too, a Titan X. Its columns of Tables 8 and 9, and beside them a card of today if one
# has been recorded (batch 1):

# %%
card = recordings.find("gpu_times")
tables.gpu(card)

# %%
Markdown(tables.NO_GPU if card is None else f"{tables.card(card)}, {card.note}")

# %% [markdown] tags=["subslide"]
# What will differ from 2016 can be computed before anyone measures. The Titan X read `fc6` at
# {{computed/ch08_speed_and_energy.titan_gigabytes(alexnet/fc6)|.0f}} GB a second. A card that reads ten times as fast has
# the dense layer in {{computed/ch08_speed_and_energy.titan_tenth(dense)|.0f}} µs, and the compressed one in
# {{computed/ch08_speed_and_energy.titan_tenth(compressed)|.1f}}. So short a time is no longer that of the layer alone:
# starting a program on the card takes time as well. Hence the record holds each layer three times: **cold**, as inside a
# net; **warm**, call after call, launches and all; and from a **graph**, recorded once and played back without launches.

# %%
Markdown("(No card, no launches to compare.)") if card is None else tables.launches(card)

# %% [markdown] tags=["subslide"]
# On the card our form goes **row by row**. Column by column, as on the processor, thousands of threads would add to the
# same few outputs and wait for each other. The price: an input that is zero is read like any other. A machine's best
# layout depends on the machine, and so does what sparsity is worth. Does your machine have a card? Then the lab's
# **device** offers it, and *Time it here, now* runs there.

# %% [markdown] tags=["slide"]
# ## 5 · Energy: measured or counted?
#
# Energy is power times time. The authors had meters: a sensor on the graphics card, counters in the processor, and an
# external meter for the mobile board, from which they worked out the share of processor and memory. Does your machine let anyone read its counters?

# %% tags=["nbval-ignore-output"]
small = timing.random_layer(timing.paper_layers()["lenet-5/fc1"])
calls = timing.contestants(small, timing.inputs(800, active=0.3))
print("meter:", energy.meter() or "none that this user may read")
for method, call in calls.items():
    joules = energy.measure(call, seconds=0.3)
    print(f"  {figures.METHODS[method]:18}", f"{1e6 * joules.joules:.2f} µJ a call" if joules else "not measured")

# %% [markdown] tags=["subslide"]
# Without a meter one can only *count*: so many bytes from DRAM or from a cache, so many multiplications, each with
# its price from the 45 nm table of chapter 01. Whether weights come from the cache or from DRAM is decided by the
# caches of *your* processor:

# %% tags=["nbval-ignore-output"]
print(", ".join(f"{name} {size >> 10} KB" for name, size in energy.caches().items()) or "not told by this system")

# %% tags=["subslide", "nbval-ignore-output"]
tables.table_9()

# %% [markdown] tags=["subslide"]
# Do not compare the millijoules of the two blocks. The paper's meters saw a whole processor at 70 to 80 W, caches,
# clock, idle cores and all. Our count sees three prices and nothing else. It says how the *unavoidable* part shrinks: where
# a layer moves from DRAM into a cache, thousands of times. Two warnings. The price of an SRAM read is that of a *small*
# memory; a cache of many megabytes costs more. And a processor cannot make use of such a gain, because fetching and decoding
# its own instructions costs far more than an addition. A chip made for the purpose, like EIE, can.

# %% [markdown] tags=["subslide", "more"]
# Figure 10 draws the gains. Tables 8 and 9 multiplied give its bars again, so you can trust both:

# %%
bars = energy.paper_efficiency()
layers = paper.table("table9_power_w")["layers"]
figure, axes = theme.figure(13, 4.8)
figures.ratio_bars(axes, names, {
    "CPU sparse": ("pruned", [bars[n, "Core i7-5930k", "sparse_b1"] for n in layers]),
    "GPU sparse": ("kept", [bars[n, "Titan X", "sparse_b1"] for n in layers]),
    "mobile GPU sparse": ("retrained", [bars[n, "Tegra K1", "sparse_b1"] for n in layers])},
    "times less energy\nthan CPU dense")
Picture(figure, "Figure 10 from Tables 8 and 9 (quoted): energy of the pruned layers against CPU dense, batch 1")

# %% [markdown] tags=["subslide"]
# And our count beside it, without the jump into a cache: all weights from DRAM, dense and compressed alike. What is
# left are fewer bytes and fewer multiplications.

# %%
gains = {method: [] for method in timing.METHODS}
for name in timing.six_layers():
    fc = timing.paper_layers()[name]
    joules = {m: energy.model(fc, m, active=fc.active, memory="DRAM").joules for m in timing.METHODS}
    for method in gains:
        gains[method].append(joules["dense"] / joules[method])
figure, axes = theme.figure(13, 4.8)
figures.ratio_bars(axes, names, {
    "CPU sparse (paper, measured)": ("paper", [bars[n, "Core i7-5930k", "sparse_b1"] for n in layers]),
    "CSR (45 nm count)": ("pruned", gains["csr"]),
    "compressed form (45 nm count)": ("kept", gains["compressed"])}, "times less energy\nthan dense")
Picture(figure, "times less energy than dense: the paper's CPU, and the 45 nm count with all weights from DRAM")

# %% [markdown] tags=["subslide"]
# ### Build it yourself


# %%
def my_millijoules(microseconds, watts):
    """Energy of a layer in millijoules."""
    ### BEGIN SOLUTION
    return microseconds * watts / 1e3
    ### END SOLUTION


check.millijoules(my_millijoules)

# %% [markdown] tags=["slide"]
# ## 6 · Is a phone viable?
#
# Put it all together: a file to download, bytes to hold, milliseconds and millijoules for each picture. Everything
# here is an **estimate**, and every assumption can be changed.

# %% tags=["setup"]
viable = Prediction(
    "AlexNet on the Tegra K1, compressed: by what factor does the energy for one picture fall?",
    low=1.0, high=60.0, unit="times", key="ch08-phone",
    truth=lambda lab: phones.energy_falls("alexnet", "Tegra K1 (2014)"), at={"net": "alexnet"},
)
# %% tags=["question", "lecture"]
viable
# %% tags=["subslide", "more"]
PhoneLab(net="vgg-16", phone="Tegra K1 (2014)", rate=20.0, prediction=viable)
# %% tags=["fragment", "lecture"]
viable.tell()

# %% [markdown] tags=["subslide"]
# **What to see**
#
# * **The download is solved**: {{paper/table1_overview[net=AlexNet].compressed.size}} instead of
#   {{paper/table1_overview[net=AlexNet].ref.size}}.
# * **In memory the net is larger than its file**: our kernel wants two whole bytes per weight, where Huffman coding
#   takes about one. That is the trade between small and fast.
# %% [markdown] tags=["subslide", "more"]
# * **Time hardly changes for VGG-16**: its convolutions do the work, and this estimate does not make them faster.
#   Deep Compression made *fully connected* layers fast. GoogLeNet and its successors for pictures have hardly any;
#   transformers are made of little else, and the question is back.
# * **Energy falls a lot**, because fetching weights was most of it. Type 12 into the **cache** of the Tegra, then 16:
#   see what moving into SRAM does.
# * Set **compressed entries** to 50 million a second, a slow core: now unpacking costs more than fetching saved.

# %% [markdown] tags=["subslide", "more"]
# Ten years of phones, and one microcontroller of 2024 that has an NPU, a unit for 8-bit integers. Two nets: AlexNet, and one
# token of the language model of [chapter 12](12_today.ipynb), as it ships. `int8` is dense, a byte for each weight, on the
# NPU, where the maker tells how fast that is. Estimates all, and not every number of a chip could be seen in print:

# %%
viable.then(lambda: tables.viable())

# %% [markdown] tags=["subslide"]
# * **The NPU wins the race**: it multiplies so many bytes at once that a dense layer costs it nothing but the fetching.
#   In energy our form stays ahead for AlexNet, of which pruning left few bytes to fetch.
# * **The language model** (`austen` in the lab above) is not pruned, only shared: every weight is an entry, and one core
#   that unpacks 500 million a second is slower than a dense product from the cache. Fewer bits alone make no sparse
#   kernel fast.
# * **The microcontroller** reads weights from a flash chip outside, slowly. What fits into its own memory runs; the rest
#   waits. Its core would not reach the 500 million entries that are assumed for phones: type a smaller number in the lab.

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * **Bytes decide at batch 1**, arithmetic at large batches. The roofline says which.
# * **Sparsity is not speed.** CSR turns 11 times fewer weights into far less than 11 times less time; a layout made
#   for the purpose, with small codes and zero inputs passed over, does better.
# * **Say batch, threads, density and machine**, or a speed-up means nothing.
# * **Measured, recorded, counted, estimated**: four different things.

# %% [markdown] tags=["subslide", "more"]
# **Discuss:** Today's phones multiply 8-bit dense matrices in hardware. Which columns of this chapter would that
# change? What would pruning in blocks of 16 neighbours do to the awkwardness of section 1, and to the accuracy?
#
# **One weight**, from its bits back to its place, as an accelerator would read it: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 09](09_other_roads.ipynb) puts Deep Compression's rivals on the same scales.
