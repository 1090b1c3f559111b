# %% [markdown] tags=["slide"]
# # dcviz: Deep Compression, hands on
#
# In 2016 Song Han, Huizi Mao and William Dally showed how to make a trained neural network **{{paper/text_numbers.total_range.0}} to
# {{paper/text_numbers.total_range.1}} times smaller without losing accuracy**, with three ideas: *prune* the weights that matter least, let the rest *share* a few values,
# and *Huffman-code* what is left. This workbook lets you take hold of each idea with the mouse.

# %% [markdown] tags=["subslide", "more"]
# **How to use this page:** run its cells from top to bottom, with `Shift`+`Enter`. It takes five minutes. *Run All Cells*
# does the same in one go, in any chapter: cells that press a lab's button press it, exercises stay to be done, and no guess
# is made for you. **Only fifteen minutes for everything?** [Here is the way through](../docs/fifteen_minutes.md). A word you
# do not know? [The glossary](../docs/glossary.md). The paper in hand? [Figure by figure, where it is](../docs/paper_index.md).

# %% tags=["skip", "setup"]
from dcviz import archive
from dcviz.chapters.ch07_full_pipeline.figures import byte_shares, digits, figure_1
from dcviz.evidence import paper
from dcviz.labkit import theme
from dcviz.labkit.picture import Picture
from dcviz.labs import Progress, PruningLab
from dcviz.nets import datasets, dense_files, machine, products
from dcviz.pipeline import shipped

# %% [markdown] tags=["slide"]
# ## The idea in one picture
#
# Figure 1 of the paper, drawn again. The sizes are the paper's, for four nets, each with the accuracy of the dense net:

# %%
figure, axes = theme.figure(13, 3.2)
numbers = paper.table("text_numbers")
sizes = [text.get_text().replace("\n", " ") for text in figure_1(axes, numbers)]
Picture(figure, "prune: {}; share: {}; Huffman-code: {} (quoted)".format(*sizes))

# %% [markdown] tags=["slide"]
# ## The end result, in half a minute
#
# Here is LeNet-5, a net that reads handwritten digits, twice: as it was trained, and in a compressed file.

# %%
path = shipped.compressed_path("lenet-5")
breakdown = archive.describe(path)
print(f"dense net:       {breakdown.dense_bytes:>9,} bytes of float32 parameters")
print(f"compressed file: {path.stat().st_size:>9,} bytes, {breakdown.ratio:.0f} times smaller")

# %% [markdown] tags=["subslide"]
# Both read the same twelve digits, which neither has ever seen:

# %%
dense, small = dense_files.state("lenet-5"), shipped.compressed("lenet-5").state_dict()
test = datasets.digits().test.take(slice(0, 12))
figure, axes = theme.figure(12, 4.4, rows=2)
for place, (net, title) in enumerate([(dense, "dense net"), (small, "net from the compressed file")]):
    digits(axes[place], test.images, products.predict(net, test.images), test.labels)
    axes[place].set_title(title, loc="left")
Picture(figure, "twelve digits, and under each what the dense net and the net from the file say")

# %% [markdown] tags=["subslide"]
# How often are they wrong? On 1,000 held-out digits, measured now:

# %% tags=["nbval-ignore-output"]
held_out = datasets.digits().test
print(f"dense net        {products.error_percent(dense, held_out):.1f}% wrong")
print(f"compressed file  {products.error_percent(small, held_out):.1f}% wrong")

# %% [markdown] tags=["subslide"]
# And this is what every byte of the file is for. By the end of the workbook you will know each colour:

# %%
figure, axes = theme.figure(11, 4.2)
byte_shares(axes, breakdown)
Picture(figure, ", ".join(f"{layer.name}: {layer.file_bytes:,} bytes" for layer in breakdown.layers))

# %% [markdown] tags=["slide"]
# ## How to work with a lab
#
# A lab is a picture that you can move. This one shows the weights of a layer; whatever is smaller than the threshold is
# cut. Take the threshold with the mouse. Or click it and use the arrow keys. Or type a number.

# %% tags=["subslide"]
lab = PruningLab("lenet-300-100", layer="fc1", threshold=0.05)
lab

# %% [markdown] tags=["subslide"]
# The line of text under a lab always says in words and numbers what the picture shows. And every lab can be named: its
# `repr` is the command that brings it back exactly as it is now. Copy it to a colleague, or into your notes.

# %%
print(repr(lab))

# %% [markdown] tags=["slide"]
# ## The map
#
# | chapter | question |
# |---|---|
# | [01 Why compress?](01_why_compress.ipynb) | Where does it hurt: delay, memory, energy? |
# | [02 Pruning](02_pruning.ipynb) | How many weights does a net need? |
# | [03 Sparse storage](03_sparse_storage.ipynb) | What does it cost to say where the remaining weights are? |
# | [04 Weight sharing](04_weight_sharing.ipynb) | How few different values are enough? |
# | [05 Trained quantization](05_trained_quantization.ipynb) | How does one train a value that thousands of weights share? |
# | [06 Huffman coding](06_huffman.ipynb) | Why do frequent things deserve short names? |
# | [07 The full pipeline](07_full_pipeline.ipynb) | Is 40 times smaller real? |
# | [08 Speed and energy](08_speed_and_energy.ipynb) | Is it any faster? |
# | [09 Other roads](09_other_roads.ipynb) | Which rivals does Deep Compression have, and which are partners? |
# | [10 How small can it get?](10_how_small.ipynb) | How far do the paper's ideas go, and how near is the bound? |
# | [11 Open questions](11_open_questions.ipynb) | What can a compressed net still learn, and what did the paper leave open? |
# | [12 The three ideas today](12_today.ipynb) | What became of pruning, sharing and Huffman coding in language models? |

# %% [markdown] tags=["subslide", "more"]
# All stages on one screen, for **one weight**: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).

# %% [markdown] tags=["notes", "more"]
# Each chapter goes the same way: *predict*, find out in a lab, read why, build the step yourself, and have it checked. The
# checks are on your side: they say what went wrong and why. A wrong answer stops nothing: "Run all" goes on.

# %% [markdown] tags=["more"]
# Numbers come in three kinds, and never share a column: **measured now** (on your machine, as you watch), **recorded**
# (measured once, with date, machine and command), and **quoted** from the paper.

# %% [markdown] tags=["slide", "more"]
# ## Your progress
#
# Your guesses and the exercises you passed are kept in a small file of yours, `dcviz-progress.json`, beside the
# notebooks. It survives a restart; copy it, hand it in, or delete it. (The environment variable `DCVIZ_PROGRESS` names
# another place, or `off`.)

# %%
Progress()

# %% [markdown] tags=["slide"]
# ## This machine
#
# No GPU is needed, and no network.

# %% tags=["nbval-ignore-output"]
for what, value in machine.facts().items():
    print(f"{what:10} {value}")
