# %% [markdown] tags=["slide"]
# # 01 · Why compress?
#
# *A trained net is a long list of numbers. Why should its length hurt?*
#
# **You will learn** the three problems that *Deep Compression* set out to solve: the net does not **fit**, fetching
# it costs more **energy** than computing with it, and reading it takes **time**. You will see that they are one
# problem. **You need** nothing but curiosity. **Time:** 30 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["notes", "more"]
# How the numbers on this page came about is always said: *quoted* from the paper or a data sheet, *computed* from
# quoted numbers, or *measured* here and now on the files of this workbook.

# %% tags=["skip", "setup"]
from dcviz.chapters.ch01_why_compress import checks as check
from dcviz.chapters.ch01_why_compress.figures import operation_bars, pruning_pairs
from dcviz.chapters.ch03_sparse_storage import tables
from dcviz.evidence import budgets, memories, paper
from dcviz.labkit import theme
from dcviz.labkit.picture import Picture
from dcviz.labs import EnergyLab, FitLab, Prediction

# %% [markdown] tags=["slide"]
# ## 1 · Memory: will it fit?
#
# A net must be *somewhere* while it works. On the processor's own chip there is **SRAM**: fast, frugal, and small.
# Beside it, on a chip of its own, there is **DRAM**: large, slow, and hungry. Microcontrollers keep their
# program in **flash**, and an app has to come through a mobile network first.

# %% [markdown] tags=["subslide", "more"]
# AlexNet won the ImageNet contest of 2012 and started the deep learning years. Commit to a guess:

# %% tags=["setup"]
fits = Prediction(
    "As trained, AlexNet takes 240 MB. After which stage does it first fit into an on-chip SRAM of this list?",
    options=["dense", "pruned", "pruned + shared weights", "pruned + shared + Huffman", "never"],
    key="ch01-fits",
    truth=lambda lab: lab.first_on_chip("alexnet"),
)
# %% tags=["question", "lecture"]
fits
# %% tags=["subslide", "more"]
FitLab(net="alexnet", stage="dense", prediction=fits)
# %% tags=["fragment", "lecture"]
fits.tell()

# %% [markdown] tags=["subslide"]
# Choose one **stage** after the other, and watch the line walk to the left. Each step on the axis is *ten times*
# more, so a short way means a lot. Then try LeNet-5, whose four files are on this machine, and VGG-16, the giant.
#
# **What to see**

# %% [markdown] tags=["subslide", "more"]
# * **Dense, AlexNet fits into DRAM only**, and it was too large for the app stores of 2015: apps above 100 MB had to
#   wait for Wi-Fi. The paper opens with this, because companies had run into it.
# * **One stage moves AlexNet from DRAM into SRAM.** Section 2 shows why that move matters more than the megabytes. The stages
#   before it make the net smaller, but not small enough for the chip.
# * For LeNets, **paper** and **ours** stand side by side. Ours are lengths of files that decode back. The paper's
#   "pruned" size counts the weights only; ours counts the index too. Chapter 03 is about this difference.

# %% [markdown] tags=["subslide", "more"]
# Where does a size come from? Dense, it is the number of parameters times 4 bytes:

# %%
for net, (name, _) in paper.NETS.items():
    n, quoted = budgets.paper_connections(net), budgets.paper_bytes(net, "dense")
    print(
        f"{name:14} {n:>11,} weights x 4 bytes = {memories.size_text(4 * n):>7}    "
        f"paper (quoted): {memories.size_text(quoted)}"
    )

# %% [markdown] tags=["subslide"]
# Every memory in the picture, and where its number is printed. (A memory chip's KB has 1024 bytes; the paper's KB and
# MB are powers of ten.)

# %%
print(tables.sources())

# %% [markdown] tags=["subslide"]
# **Your turn.** Which net do you work with? Put in its number of parameters, in millions. Its compressed sizes are a
# *guess*: they assume that it compresses as well as AlexNet did, which nobody has promised.

# %% tags=["subslide"]
FitLab(net="own", millions=25.6, stage="coded")

# %% [markdown] tags=["slide"]
# ## 2 · Energy: fetching costs more than computing
#
# A multiplication takes energy. So does bringing the two numbers to the multiplier. Which one is the larger bill?

# %% tags=["question", "setup"]
table = paper.table("energy_table_45nm_pj")
additions = Prediction(
    "Reading one 32-bit number from DRAM takes as much energy as how many 32-bit float additions?",
    low=1,
    high=2000,
    key="ch01-dram",
    truth=lambda: round(table["dram_32b"] / table["fp32_add"]),
)
additions

# %% tags=["subslide"]
figure, axes = theme.figure(11, 4.6)
operation_bars(axes, table)
said = ", ".join(f"{name} {value:g}" for name, value in table.items() if isinstance(value, float | int))
additions.then(lambda: Picture(figure, f"energy per operation in picojoules: {said}"))

# %%
reads, sums = table["dram_32b"] / table["sram_32b"], table["dram_32b"] / table["fp32_add"]
said = f"one DRAM read = {sums:.0f} float additions = {reads:.0f} SRAM reads     (computed from {table.source})"
additions.then(lambda: print(said))

# %% [markdown] tags=["subslide"]
# Energy of one operation on a chip made in 45 nm technology, **quoted** from the authors' NIPS 2015 paper; smaller
# technologies shift all bars, but the ladder stays. Mind the logarithmic axis: **DRAM is {{computed/ch01_why_compress.sram_reads()|.0f}} times SRAM.** The
# arithmetic is almost free. What costs is *distance*: DRAM sits on another chip.
#
# So a net that runs from DRAM pays for its weights, not for its thinking. The paper's example is a net with a billion
# connections, run 20 times a second. Every connection's weight is fetched once per run:
#
# $$ P = \underbrace{10^9}_{\text{connections}} \times \underbrace{20\ \text{Hz}}_{\text{runs per second}} \times
# \underbrace{ {{paper/energy_table_45nm_pj.dram_32b}}\ \text{pJ}}_{\text{per DRAM read}} $$

# %%
power = 20 * budgets.fetch_joules(1e9, 32, table["dram_32b"])
print(f"computed: {power:.1f} W    paper (quoted): {paper.table('text_numbers')['dram_power_example_w']} W")

# %% [markdown] tags=["subslide"]
# More than a whole phone may draw, and nothing has been computed yet. Now take hold of every assumption yourself:

# %% tags=["setup"]
watts = Prediction(
    "The same net, 35 times smaller and read from on-chip SRAM: how many milliwatts?",
    low=0.0,
    high=400.0,
    unit="mW",
    key="ch01-sram",
    truth=lambda lab: 1e3 * 20 * budgets.fetch_joules(1e9, 32 / 35, table["sram_32b"]),
    at={"ratio": 35},
)
# %% tags=["question", "lecture"]
watts
# %% tags=["subslide", "more"]
EnergyLab(connections=1e9, rate=20.0, ratio=1, prediction=watts)
# %% tags=["fragment", "lecture"]
watts.tell()

# %% [markdown] tags=["subslide"]
# **Two factors multiply.** Compression means fewer bits to fetch: {{paper/table1_overview[net=AlexNet].ratio}} times. And because the net is smaller it may
# move into SRAM, where each fetch is {{computed/ch01_why_compress.sram_reads()|.0f}} times cheaper. The lab shows what that makes together, for the
# same answers. This is why *fitting on the chip* matters so much.
#
# **Be fair about it.** This is arithmetic on a table, not a measurement. It assumes that each weight is fetched
# exactly once per run. In a convolutional layer a weight is used for many pixels, so there the arithmetic counts for
# more than here; in a fully connected layer, run for one image at a time, the assumption is right. It also leaves out
# activations, and the work of decoding.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself


# %%
def my_watts(connections, rate, picojoules):
    """Watts to fetch every connection once per run, `rate` runs a second, `picojoules` a fetch (1 pJ = 1e-12 J)."""
    ### BEGIN SOLUTION
    return connections * rate * picojoules * 1e-12
    ### END SOLUTION


check.watts(my_watts)

# %% [markdown] tags=["slide"]
# ## 3 · Delay: waiting for weights
#
# The first fully connected layer of AlexNet, fc6, has {{computed/ch01_why_compress.fc6_weights()|/1e6 .1f}} million weights: {{computed/ch01_why_compress.fc6_weights()|/2.5e5 .0f}} MB. To classify *one* image, all of
# them must be read, and each is used once. How long does that take at least?

# %% tags=["question", "setup"]
layers = {row["layer"]: row for row in budgets.implied_bandwidths()}
fc6 = layers["AlexNet fc6"]["bytes"] // 4
speed = memories.bandwidths()["Tegra K1"]
delay = Prediction(
    "Milliseconds to read fc6 once on the mobile processor Tegra K1, at its peak memory speed of 14.9 GB/s?",
    low=0.0,
    high=50.0,
    unit="ms",
    key="ch01-delay",
    truth=lambda: 1e3 * 4 * fc6 / speed,
)
delay

# %% tags=["subslide"]
delay.then(lambda: print(f"{4 * fc6:,} bytes / {speed / 1e9} GB/s = {1e3 * 4 * fc6 / speed:.1f} ms  (computed)"))

# %% [markdown] tags=["subslide"]
# Now look at what the authors *measured* for this layer: Table 8 of the paper, dense, one image at a time. Divide the
# bytes of the layer by the time, and you get the speed at which the weights must have come in:

# %%
tables.reading()

# %% [markdown] tags=["subslide"]
# On the GPU and on the mobile processor that is about **four fifths of the peak** of the memory. The arithmetic units
# sit and wait: such a layer is *memory-bound*. A layer with fewer bytes is a faster layer, even if not one
# multiplication is saved. (The desktop CPU stays further below its peak; the paper does not say why.)

# %% [markdown] tags=["notes", "more"]
# With many images at once, a *batch*, each weight that was fetched serves all of them, and the wait is shared. A
# phone or a car that must react *now* has no batch. That is the case the paper aims at.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself


# %%
def my_milliseconds(weights, gigabytes_per_second):
    """Milliseconds to read that many float32 weights at that speed (1 GB = 1e9 bytes)."""
    ### BEGIN SOLUTION
    return 1e3 * 4 * weights / (gigabytes_per_second * 1e9)
    ### END SOLUTION


check.milliseconds(my_milliseconds)

# %% [markdown] tags=["slide"]
# ## 4 · Can one simply remove most of a net?
#
# One brain does it. In their talks the authors tell it like this: a newborn has some {{computed/ch01_why_compress.synapses(newborn)}} trillion synapses, a child of
# one year {{computed/ch01_why_compress.synapses(1 year)|,}} trillion, an adolescent {{computed/ch01_why_compress.synapses(adolescent)}} trillion. Grow too many connections, learn, then remove those that are not
# used.

# %% tags=["subslide"]
net = next(row for row in paper.table("nips2015_pruning")["table1"] if row[0] == "AlexNet")
before, after = (float(net[i].rstrip("M")) for i in (2, 4))
figure, (left, right) = theme.figure(11, 4.2, columns=2, gridspec_kw={"width_ratios": [1.4, 1]})
pruning_pairs(left, right, memories.synapses(), before, after)
left.set_title("a brain (analogy)", loc="left")
right.set_title("AlexNet (quoted)", loc="left")
counts = ", ".join(f"{row['age']} {row['trillions']:,}" for row in memories.synapses()["rows"])
Picture(figure, f"trillion synapses: {counts}; AlexNet: {before} million weights, {after} after pruning")

# %% [markdown] tags=["subslide"]
# This is an **analogy**, not an argument: nobody says that the brain ranks its synapses by magnitude, and the counts
# are rough. But it makes the right question plain. Not *"how can we squeeze these numbers?"* but *"do we need them
# all?"*

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * **Memory, energy, delay: one problem.** All three are bytes that have to be held or moved.
# * **Fetching beats computing.** At 45 nm a DRAM read costs as much as hundreds of additions.
# * **The step from DRAM to SRAM is worth more than the ratio**: a factor of {{computed/ch01_why_compress.sram_reads()|.0f}} in energy. Compression makes it possible.
# * **Say how you know.** Quoted, computed and measured are three different things; keep them in different columns.

# %% [markdown] tags=["subslide", "more"]
# **Discuss:** The lab counts a net as fitting if its *file* is smaller than the memory. What else has to be in that
# memory while the net runs? For which of the nets here does it change the answer?
#
# **One weight** goes through all of it, step by step, on one screen: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 02](02_pruning.ipynb) removes weights, and asks how many a net needs.
