# %% [markdown] tags=["slide"]
# # 07 · The full pipeline
#
# *Prune, retrain, share, fine-tune, code: from a trained net to a file, and back.*
#
# **You will learn** what each stage buys and what it costs, where every byte of the file goes, and whether
# the paper's 40x is real. **You need** chapters 02 to 06, or trust. **Time:** 30 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["notes", "more"]
# Every size on this page is the length of a file that decodes back to the same net, bit for bit. Nothing is estimated.

# %% tags=["skip", "setup"]
import time
from dataclasses import replace

import numpy as np

import dcviz
from dcviz import archive, pipeline
from dcviz.chapters.ch07_full_pipeline import answers, checks as check, tables
from dcviz.chapters.ch07_full_pipeline.figures import byte_shares
from dcviz.evidence import recordings
from dcviz.ideas import pruning
from dcviz.labkit import theme
from dcviz.labkit.base import plain
from dcviz.labkit.picture import Picture
from dcviz.labs import JourneyLab, OwnNetLab, PipelineLab, Prediction
from dcviz.nets import datasets, models, training
from dcviz.pipeline import alexnet, recipes, shipped

# %% [markdown] tags=["slide"]
# ## 1 · Watch the bytes fall
#
# The lab takes LeNet-300-100 as it ships with the workbook ({{recorded/shipped_nets[name=lenet-300-100].dense_bytes|/4 ,.0f}} parameters) and sends it through the whole pipeline:

# %% [markdown] tags=["subslide", "more"]
# | stage | what happens | what is stored |
# |---|---|---|
# | **dense** | nothing yet | every weight, 32 bits |
# | **pruned** | small weights go, the rest is retrained | the weights left, 32 bits, each with a gap |
# | **shared** | weights share a few values, which are fine-tuned | a short code per weight, a gap, a codebook |
# | **coded** | frequent codes and gaps get short bit strings | the same codes and gaps, Huffman-coded |
#
# First commit to a guess. Then press **Run the pipeline**; or run the next two cells, which press it for you.

# %% tags=["subslide", "setup"]
guess = Prediction(
    "Which stage makes the file smaller by the largest factor?",
    options=["pruned", "shared", "coded"],
    key="ch07-stage",
    truth=lambda lab: lab.best_stage(net="lenet-300-100", scale=1.0, bits=5, index_bits=5, init="linear", epochs=10),
)
# %% tags=["question", "lecture"]
guess
# %% tags=["subslide", "more"]
lab = PipelineLab(net="lenet-300-100", epochs=10, prediction=guess)
lab
# %% tags=["fragment", "lecture"]
guess.tell()

# %% tags=["subslide", "nbval-ignore-output"]
lab.reset()
lab.run()
guess.then(lambda: Picture(lab.picture(), plain(lab.caption.value)))

# %% tags=["subslide"]
guess.then(answers.stage)

# %% [markdown] tags=["subslide"]
# Two more things to see in the picture.
#
# * **Huffman coding is free.** The error under *shared* and *coded* is the same to the last digit, because the
#   weights are the same to the last bit. The paper reports {{paper/text_numbers.huffman_saves_pct_of_storage.0}} to
#   {{paper/text_numbers.huffman_saves_pct_of_storage.1}}% saved by it.
# * **The index is about as large as the weights.** Saying *where* a weight sits costs as much as saying *what* it is.
#   Fillers (chapter 03) are the price of short gaps.

# %% [markdown] tags=["notes", "more"]
# This was a lesson's worth of training on 4,000 digits, so the error is higher than it has to be. Section 4 opens the
# files that were trained properly.

# %% [markdown] tags=["more"]
# **Try it:** drag the densities to a quarter of the paper's. What happens to the error, and which stage caused it?
# Then set 2 bits per weight code. Then try `lenet-5`. A run of LeNet-300-100 takes some seconds,
# one of LeNet-5, whose convolutions are more work, about a minute.

# %% [markdown] tags=["slide"]
# ## 2 · Where does every byte go?
#
# The file says it itself. `archive.breakdown` (or `python -m dcviz inspect FILE`) charges each byte to what it is for,
# and the parts add up to the length of the file exactly.

# %% tags=["subslide", "nbval-ignore-output"]
tables.parts(lab.compressed().stored)

# %% [markdown] tags=["subslide"]
# Look at the last layer, `fc3`. It has only 1,000 weights: codebook, code tables and biases weigh as much as
# the weights themselves. In `fc1` with its {{paper/derived_layer_checks.nets.LeNet-300-100.rows.0.n|,}} weights they vanish. That is the formula of chapter 05 at work,
#
# $$ r = \frac{n b}{n \log_2 k + k b} , $$
#
# where the codebook's $k b$ only matters if $n$ is small.

# %% [markdown] tags=["subslide", "more"]
# ### Predict the file before it is written
#
# How many bytes will the file have, before Huffman coding? Mind everything that a real file has to hold. You are told of
# each layer: `nonzeros`, `fillers`, `weight_bits` (bits of a code), `index_bits` (bits of a gap), `codebook` (number of
# float32 centroids) and `biases` (float32 too). The check writes three files and compares. At most 150 bytes off will
# do; who finds out what else is in the file gets closer, and the closest is kept.


# %% tags=["subslide"]
def my_file_bytes(layers):
    """Bytes of the whole file: layers is a list of dicts, such as layers[0]["fillers"] -> a number."""
    ### BEGIN SOLUTION
    bits = 0
    for layer in layers:
        entries = layer["nonzeros"] + layer["fillers"]
        bits += entries * (layer["weight_bits"] + layer["index_bits"]) + 32 * (layer["codebook"] + layer["biases"])
    return bits / 8
    ### END SOLUTION


check.file_bytes(my_file_bytes)

# %% [markdown] tags=["subslide"]
# ### You decide: a recipe for 15,000 bytes
#
# Choose a density and the bits of a weight code for each layer. The check sends the net through the whole pipeline, with
# two passes of retraining over 4,000 digits (a few seconds), writes the file and measures the error on the 1,000 held-out
# digits: at most 5%. The paper's densities and 5 bits make some 23 KB. Your smallest file is kept.


# %% tags=["subslide"]
def my_recipe():
    """{"fc1": (density, bits), "fc2": ..., "fc3": ...}"""
    ### BEGIN SOLUTION
    return {"fc1": (0.04, 3), "fc2": (0.08, 3), "fc3": (0.3, 4)}
    ### END SOLUTION


check.recipe(my_recipe)

# %% [markdown] tags=["slide"]
# ## 3 · Save it, open it, compare every bit
#
# A size means nothing if the net cannot come back. Save the compressed net, read it again, and compare the bits.

# %% tags=["nbval-ignore-output"]
mine = lab.compressed().stored
size = archive.save("my-lenet.dcz", mine)
opened = archive.load("my-lenet.dcz")
before, after = mine.state_dict(), opened.state_dict()
same = all(before[key].tobytes() == after[key].tobytes() for key in before)
print(f"my-lenet.dcz: {size:,} bytes; all {len(before)} tensors the same bit for bit: {same}")

# %% [markdown] tags=["subslide"]
# The opened file is a net like any other:

# %%
net = pipeline.restore(opened)
net

# %% [markdown] tags=["subslide"]
# A damaged file is refused, and the message says where. Change one byte in the middle and try to open it:

# %% tags=["nbval-ignore-output"]
data = bytearray(open("my-lenet.dcz", "rb").read())
data[len(data) // 2] ^= 1
try:
    archive.loads(bytes(data))
except archive.ArchiveError as error:
    print(error)

# %% [markdown] tags=["subslide"]
# ### The journey of one weight
#
# One weight of `fc1`, from the net that was trained to its bits in the file that ships, and back. **Choose a weight**: three
# of four are in the file, the others were pruned. The hatched band is what the last cut took away.

# %% [markdown] tags=["more"]
# * *dense* and *coded* are read from the shipped files as you watch; the values on the way are **recorded**, from the run
#   that makes that very file (`python -m dcviz record weight_journey`).
# * Look for a weight that was small at first and grew, and for a large one that was pruned.
# * *Shared* is a jump: from here on all weights of a cluster move together.
# * Its bits begin in the middle of a byte. Nobody wrote down where: the decoder comes there by reading all words before.

# %% tags=["subslide"]
JourneyLab(weight=5)

# %% [markdown] tags=["slide"]
# ## 4 · Is 40x real?
#
# The files that ship with the workbook were made by the same pipeline, trained on 55,000 digits
# (`python -m dcviz reproduce lenet-5` makes them again). All choices were made on held-out digits; the official test images were only used
# to report. Below, the paper's Table 1 beside these files, **measured now**: on the official 10,000 test images if they
# are on this machine, else on the 5,000 bundled digits, which the nets never saw in training.

# %% tags=["subslide", "nbval-ignore-output"]
rows = [shipped.measure(name) for name in ("lenet-300-100", "lenet-5")]
print("errors measured on:", rows[0]["images"])
tables.table1(rows)

# %% [markdown] tags=["subslide"]
# Now layer by layer: Table 2 of the paper (LeNet-300-100) beside our file.

# %%
tables.layers("lenet-300-100", archive.describe(shipped.compressed_path("lenet-300-100")))

# %% [markdown] tags=["subslide"]
# And Table 3 (LeNet-5):

# %%
tables.layers("lenet-5", archive.describe(shipped.compressed_path("lenet-5")))

# %% [markdown] tags=["subslide"]
# **How to read the difference.** The paper's rates seem to leave out biases and Huffman tables: 410 float32 biases of
# LeNet-300-100 alone would be 1.6 of its {{paper/table1_overview[net=LeNet-300-100].compressed.size}}. Our bytes include them, and checksums too. On the other hand our nets
# retrain with the dense net as a teacher, which buys more sparsity at the same error.

# %% tags=["subslide"]
breakdown = archive.describe(shipped.compressed_path("lenet-5"))
figure, axes = theme.figure(11, 4.2)
byte_shares(axes, breakdown)
Picture(figure, ", ".join(f"{layer.name}: {layer.file_bytes:,} bytes" for layer in breakdown.layers))

# %% [markdown] tags=["subslide"]
# ### What was in the bytes that are gone?
#
# The file is many times smaller and answers as well. So what did the rest of the dense net say? Much of it nobody had asked
# for:

# %% [markdown] tags=["subslide", "more"]
# * **More digits than the task needs.** A float32 has 24 bits of precision; chapter 05 shows that a few values serve as well.
# * **An order of neurons** that means nothing: hidden neurons may be numbered in any way (chapter 10 makes use of it).
# * **Weights for inputs without ink** (chapter 02), and several weights that do the work of one: after retraining the others
#   take it over.
# * **The dice.** Before training every weight was a random number, and many moved little since. The first table compares
#   the trained weights with the random numbers that they started from: 1 would be "not moved at all", 0 "forgotten".

# %% [markdown] tags=["notes", "more"]
# And a part was asked for, by few pictures. *The same error is not the same net*: the second table counts digits on which
# dense net and file disagree.

# %% tags=["subslide", "nbval-ignore-output"]
import pandas as pd

from dcviz.pipeline.retraining import weights_of

start, dense = (weights_of(net) for net in (models.build("lenet-5", seed=0), shipped.dense("lenet-5")))
gone = {name: w == 0 for name, w in weights_of(pipeline.restore(shipped.compressed("lenet-5"))).items()}
alike = {
    title: {name: round(np.corrcoef(start[name][mask], dense[name][mask])[0, 1], 2) for name, mask in masks.items()}
    for title, masks in (("removed weights", gone), ("kept weights", {name: ~mask for name, mask in gone.items()}))
}
pd.DataFrame(alike).rename_axis("correlation with the random start")

# %% tags=["subslide", "nbval-ignore-output"]
seen, counted = datasets.unseen(), {}
for name in ("lenet-300-100", "lenet-5"):
    nets = shipped.dense(name), pipeline.restore(shipped.compressed(name))
    before, after = (training.predict(net, seen.images) for net in nets)
    counted[name] = {
        "digits": len(seen),
        "dense net wrong": int((before != seen.labels).sum()),
        "file wrong": int((after != seen.labels).sum()),
        "they disagree": int((before != after).sum()),
        "wrong only now": int(((before == seen.labels) & (after != seen.labels)).sum()),
        "right only now": int(((before != seen.labels) & (after == seen.labels)).sum()),
    }
pd.DataFrame(counted).T.map("{:,}".format)

# %% [markdown] tags=["subslide"]
# The kept weights remember the dice even better: the large ones are often those that began large. And of the digits some
# were lost and about as many won. The mean does not say *which*; in a net that judges people, look before you ship.

# %% [markdown] tags=["slide"]
# ## 5 · AlexNet, and every byte of it
#
# LeNets are small. The paper's headline is AlexNet: {{paper/table1_overview[net=AlexNet].ref.size}} in
# {{paper/table1_overview[net=AlexNet].compressed.size}}. Here is one whose making you can follow and whose
# every byte you can check. This AlexNet has all 57 million weights of the layers that
# the paper compresses (its last layer has 10 classes, not 1,000), and was trained on CIFAR-10: 32-pixel pictures, scaled
# up to the 224 pixels that fc6's 9,216 inputs are made for. It is an easier task than ImageNet. Read the ratios with that
# in mind.

# %% [markdown] tags=["subslide", "more"]
# Two files ship: **paper**, with the densities and bits of Table 4, and **small**, pruned harder. All stages, as
# recorded when they were made:

# %%
print(recordings.load("alexnet_cifar10").note)
tables.alexnet()

# %% [markdown] tags=["subslide"]
# (The *pruned* files hold 16-bit floats, as they ship.)

# %% [markdown] tags=["more"]
# **No loss of accuracy?** Compare the test errors. The small net, which keeps one weight in
# {{computed/ch07_full_pipeline.weights_to_one_kept(alexnet-cifar10)|.0f}}, makes *no more* errors than the dense one it was made of:
# {{recorded/alexnet_cifar10[stage=small, coded].test_error_percent|.1f}} against
# {{recorded/alexnet_cifar10[stage=dense].test_error_percent|.1f}}%. The paper's setting, which keeps three times as many
# weights, makes {{recorded/alexnet_cifar10[stage=paper, coded].test_error_percent|.1f}}%. The
# difference is **retraining**: the small net saw the pictures seven and a half times while it was pruned, shared and
# fine-tuned, the other one not quite two and a half times. (The dense net had sixteen passes before, most of them at
# a smaller size.) So two things should be kept apart. *Nothing was lost* against the net we started from, which is what
# the paper claims, too. *Pruning costs nothing* would be more than that: the dense net, trained on for as long, might
# have become better still. Chapter 11 has such a fair rival for GoogLeNet. To go on from here:
# `python -m dcviz alexnet compress`.

# %% [markdown] tags=["subslide", "more"]
# **What does the method cost?** Training, mostly. The NIPS 2015 paper says it for pruning alone: AlexNet took
# {{paper/nips2015_pruning.alexnet_hours.train}} hours to train, and its pruned form another
# {{paper/nips2015_pruning.alexnet_hours.retrain}} hours to retrain (quoted), so the net costs
# {{computed/ch07_full_pipeline.training_factor()|.1f}} times as much as without pruning. The tables of Deep Compression print no times. It is
# paid once, by whoever makes the net, and saved by everybody who downloads, stores or runs it. So pruning is nothing for
# trying out ideas; it is for the net that ships.

# %% [markdown] tags=["subslide", "more"]
# Table 4 beside the file with the paper's own densities and bits, its layers and bytes **measured now**:

# %%
tables.layers("alexnet", archive.describe(shipped.compressed_path("alexnet-cifar10-paper")))

# %% [markdown] tags=["subslide"]
# * **fc6 and fc7 are where the bytes go**, in the paper and here, and 9% of them is still millions of weights.
# * **Same densities, same bits, and nearly the paper's rates**:
#   {{recorded/alexnet_cifar10[stage=paper, coded].ratio|.1f}} times smaller here,
#   {{paper/table4_alexnet.total.ratio_PQH}} in the paper. The method is not tied to its data set; the file is real.
# * Fillers are counted here. At 9% and 4-bit gaps, $0.91^{16}$ = 22% of fc6's entries would be fillers if kept weights
#   lay at random. Compare with the column.

# %% [markdown] tags=["subslide", "more"]
# And the small one:

# %%
breakdown = archive.describe(shipped.compressed_path("alexnet-cifar10"))
tables.layers("alexnet", breakdown)

# %% tags=["subslide"]
figure, axes = theme.figure(11, 4.2)
byte_shares(axes, breakdown)
Picture(figure, ", ".join(f"{layer.name}: {layer.file_bytes:,} bytes" for layer in breakdown.layers))

# %% [markdown] tags=["subslide"]
# fc6 is still {{computed/ch07_full_pipeline.share_of_file(alexnet-cifar10; fc6)|*100 .0f}}% of the file. But the convolutions,
# {{computed/ch07_full_pipeline.share_of_weights(alexnet-cifar10; conv)|*100 .0f}}% of the weights, now take
# {{computed/ch07_full_pipeline.share_of_file(alexnet-cifar10; conv)|*100 .0f}}%: **the harder the big layers are squeezed, the more the others
# count.** SqueezeNet and GoogLeNet, nearly all convolutions, compress less (chapter 11).
#
# **All 57 million weights, now.** The pruned stage ships too, with its weights as 16-bit floats. From there the last two
# steps are minutes of training, or seconds without: k-means in every layer, codes chosen for their length too, Huffman.
# (Here the pipeline counts *pruned* with 32-bit floats, so it is larger than in the table above.)

# %% tags=["subslide", "nbval-ignore-output"]
pruned = shipped.compressed("alexnet-cifar10-pruned")
recipe = alexnet.SETTINGS["small"].recipe
layers = {one.name: replace(recipe.layers[one.name], density=pruning.density(one.weight)) for one in pruned.layers}
start = time.perf_counter()
again = pipeline.compress(pipeline.restore(pruned), replace(recipe, layers=layers, cuts=1, drop_dead=False), None)
print(f"shared and coded in {time.perf_counter() - start:.0f} s; the shipped file was fine-tuned, this one was not")
pd.DataFrame(
    {stage.name: {"bytes": f"{stage.file_bytes:,}", "times smaller": round(again.dense_bytes / stage.file_bytes, 1)}
     for stage in again.stages}
).T

# %% [markdown] tags=["subslide"]
# The file opens to a net that computes:

# %% tags=["nbval-ignore-output"]
import torch

start = time.perf_counter()
net = dcviz.load("alexnet-cifar10")
print(f"opened in {time.perf_counter() - start:.1f} s; logits of a grey picture:")
net(torch.zeros(1, 3, 224, 224)).detach().round(decimals=2)

# %% [markdown]
# **With a network**, take AlexNet or VGG-16 with ImageNet weights through the one-shot pipeline (no retraining) at the
# densities that Tables 4 and 5 print, and see real bytes. It fetches 244 MB, or 553; change `False` to `True`.

# %% tags=["skip", "nbval-ignore-output"]
if fetch_imagenet := False:
    result = pipeline.compress(dcviz.load("alexnet-imagenet"), recipes.as_printed("alexnet"), None)
    display(tables.layers("alexnet", result.report))
    print(f"{result.ratio:.1f}x; without retraining the accuracy is gone, the bytes are the same")

# %% [markdown] tags=["slide"]
# ## 6 · Your own net
#
# So far every net came with the workbook. Now one that did not: batch normalisation, a skip, a layer that widens and one
# that narrows. It learns the digits here, in a plain training loop; put a net and a loader of yours in its place.

# %% tags=["subslide", "nbval-ignore-output"]
class OwnNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
        )
        self.deep = torch.nn.Sequential(
            torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.BatchNorm2d(32), torch.nn.ReLU(), torch.nn.Conv2d(32, 16, 1)
        )
        self.head = torch.nn.Sequential(torch.nn.Linear(784, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))

    def forward(self, x):
        x = self.stem(x)
        return self.head(torch.max_pool2d(x + self.deep(x), 2).flatten(1))


def error(net):
    """Errors on the held-out digits, in percent."""
    with torch.no_grad():
        return 100 * float((net(held_out[0]).argmax(1) != held_out[1]).float().mean())


torch.manual_seed(0)
own, digits = OwnNet(), datasets.digits()
pictures, held_out = (
    (training.to_input(split.images), torch.tensor(split.labels)) for split in (digits.train, digits.test)
)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*pictures), batch_size=64, shuffle=True)
optimizer = torch.optim.Adam(own.parameters(), 2e-3)
for _ in range(2):
    for images, labels in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(own(images), labels).backward()
        optimizer.step()
print(f"trained: {error(own.eval()):.1f}% errors on 1,000 digits that it has not seen")

# %% [markdown] tags=["subslide"]
# The lab names what it compresses and says what size to expect, before anything is trained. **Choose a file** opens a
# `.safetensors`, `.pt` or `.dcz` file of yours instead; a path or a state dict works, too:
# `OwnNetLab("model.safetensors")`. A file brings no code and no data, so it goes through in one shot, without retraining.

# First commit to a guess: the lab compresses the large matrices and convolutions. What is small or delicate it keeps
# exactly as it is: norms, the first convolution, matrices of a few hundred weights.

# %% tags=["subslide", "setup"]
kept = Prediction(
    "A tenth of the weights stays, with 4 bits for each: what share of the file do the tensors kept as they are take?",
    low=0.0,
    high=100.0,
    unit="%",
    key="ch07-own-net",
    truth=lambda lab: lab.share_kept(density=10.0, bits=4, epochs=2),
)
# %% tags=["question", "lecture"]
kept
# %% tags=["subslide", "more", "nbval-ignore-output"]
to_train = {"data": loader, "loss": torch.nn.functional.cross_entropy, "evaluate": error}
own_lab = OwnNetLab(own, **to_train, density=10.0, bits=4, epochs=2, prediction=kept)
own_lab
# %% tags=["fragment", "lecture"]
kept.tell()

# %% tags=["subslide", "nbval-ignore-output"]
own_lab.reset()
own_lab.run()
kept.then(lambda: Picture(own_lab.picture(), plain(own_lab.caption.value)))

# %% tags=["subslide"]
kept.then(answers.own_net)

# %% [markdown] tags=["subslide"]
# Two files to keep: the net, and a picture of where its bytes went. `dcviz.open` brings the net back into a module of the
# same class. How to choose densities, what is kept as it is and what is refused: [Your own net](../docs/your-own-net.md).

# %% tags=["subslide", "nbval-ignore-output"]
small = own_lab.result
small.save("own-net.dcz")
small.report.picture().savefig("own-net.png")
print(f"opened again: {error(dcviz.open('own-net.dcz', into=OwnNet())):.1f}% errors")

# %% [markdown] tags=["subslide"]
# Every tensor of the file:

# %% tags=["nbval-ignore-output"]
kept.then(lambda: small.report.table().round(1))

# %% [markdown] tags=["slide"]
# ## What to take home
#
# * Pruning and weight sharing multiply; Huffman coding adds {{computed/ch06_huffman.huffman_saves(lenet-5)|*100 .0f}} to
#   {{computed/ch06_huffman.huffman_saves(lenet-300-100)|*100 .0f}}% for nothing.
# * Count everything: fillers, codebooks, code tables, biases. A file cannot cheat.
# * The big layers decide the ratio; the small ones carry the overhead.

# %% [markdown] tags=["more"]
# **Discuss:** LeNet-5's `conv1` keeps two thirds of its weights and still gets many bits each. Why not squeeze it harder?
# What would that save?
#
# **Next:** [chapter 08](08_speed_and_energy.ipynb) asks whether a smaller net is also a faster one.
