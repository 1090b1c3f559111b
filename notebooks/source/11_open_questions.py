# %% [markdown] tags=["slide"]
# # 11 · Open questions
#
# *What the paper left for you.*
#
# **You will learn** what a compressed net can still learn, and how few bytes such a lesson needs; whether the start of
# k-means matters once training is over; whether compression can make a net *better*; and what is left to gain where
# no layer is large. And how to ask such questions so that the answer means something: with a fair rival, several seeds
# and a spread.
#
# **You need** chapters 02, 04 and 05; 07 helps. **Time:** 60 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% tags=["skip", "setup"]
import numpy as np

from dcviz import archive
from dcviz.chapters.ch11_open_questions import answers, checks as check, figures, googlenet, measure, tables
from dcviz.evidence import paper, recordings
from dcviz.labkit import theme
from dcviz.labkit.base import plain
from dcviz.labkit.markup import signed
from dcviz.labkit.picture import Picture
from dcviz.labs import Prediction, TransferLab
from dcviz.nets import batchnorm, datasets, dense_files, models, products, small_digits
from dcviz.pipeline import shipped

# %% [markdown] tags=["slide"]
# ## 1 · The same net, another task
#
# Imagine a million phones that hold the {{recorded/shipped_nets[name=lenet-5].file_bytes|/1e3 .0f}} KB of `lenet-5.dcz`. Now other digits arrive, from another scanner: 8 × 8
# pixels, 17 levels of grey. We stretch them to the 28 × 28 pixels that the net reads.

# %% tags=["subslide"]
other = small_digits.digits()
figure, axes = theme.figure(12, 2.9)
rows = {"MNIST": datasets.digits().train.images[:12], "8 × 8,\nstretched": other.train.images[:12]}
figures.digit_rows(axes, rows)
Picture(figure, "Above: twelve MNIST digits. Below: twelve of the other digits, larger and blurred.")

# %% tags=["nbval-ignore-output"]
small = shipped.compressed("lenet-5").state_dict()
for name, net in (("dense", dense_files.state("lenet-5")), ("compressed", small)):
    familiar, new = (products.error_percent(net, split) for split in (datasets.digits().test, other.test))
    print(f"{name:<12}error on MNIST's digits {familiar:5.1f}%      on the other digits {new:5.1f}%")

# %% [markdown] tags=["subslide"]
# Both nets fail alike: this is no fault of compression. They have to learn. But a phone that keeps its file needs only
# the **difference**, and what that costs depends on what may change:
#
# | what learns | what stays | what must be sent |
# |---|---|---|
# | biases | all weights | the biases |
# | codebook + biases | the codes: which weight has which value | the shared values, the biases |
# | kept weights + biases | the mask: which weights are zero | one number for each kept weight |
# | everything | nothing | one number for each weight, the zeros too |

# %% [markdown] tags=["subslide", "more"]
# A rival without compression: the **dense net**, in which everything learns. And a check that the old task helps at
# all: a net **from scratch**. Every number travels as a 16-bit float; sizes are lengths of real updates which, put
# into the old file, give the new net (`dcviz/chapters/ch11_open_questions/transfer.py`).

# %% tags=["setup"]
update_bytes = Prediction(
    "Codebook and biases learn, everything else stands still. How many bytes does the update of LeNet-5 have?",
    options=["about 860,000", "about 130,000", "about 13,000", "about 1,300"],
    key="ch11-update-bytes",
    truth=lambda lab: tables.about(lab.sizes["codebook"]),
    at={"road": "codebook"},
)
# %% tags=["question", "lecture"]
update_bytes
# %% tags=["subslide", "more"]
phone = TransferLab(road="everything", prediction=update_bytes)
phone
# %% tags=["fragment", "lecture"]
update_bytes.tell()

# %% [markdown] tags=["subslide"]
# Press **Teach**. Each press takes a second or two: 150 steps of training, on as many examples as you choose. Stars
# are your own runs; lines are means of three recorded draws, bands their spread.
#
# **Try:** 10 examples, then 1,000. Who profits from more? Another **draw** takes other examples: how far do your
# stars scatter? Then *kept weights*. Or let the next cell press for you.

# %% tags=["subslide", "nbval-ignore-output"]
phone.reset()
phone.examples, phone.road = 30, "kept"
phone.teach()
update_bytes.then(lambda: Picture(phone.picture(), plain(phone.caption.value)))

# %% [markdown] tags=["subslide"]
# All recorded errors in one table, on 797 digits that no road has seen:

# %%
recorded = recordings.load("transfer_errors")
print(f"mean error in %, three draws of examples\n{recorded.note}")
update_bytes.then(lambda: tables.transfer_table(recorded.rows))

# %% tags=["subslide"]
update_bytes.then(answers.update)

# %% [markdown] tags=["notes"]
# And an honest surprise: compare the update of the kept weights with the length of the whole compressed file.

# %%
sent = {row["road"]: row["bytes"] for row in recorded.rows if row["road"]}
print(f"update of the kept weights, 16 bits each: {sent['kept']:,} bytes")
print(f"the whole of lenet-5.dcz, positions included: {shipped.compressed_path('lenet-5').stat().st_size:,} bytes")

# %% [markdown] tags=["subslide"]
# The difference is larger than the thing! In the file a weight is a code of 4 or 5 bits, shorter still after Huffman.
# Whoever changes all kept weights had better share them again and send a new file. The road that pays is the first
# one: leave the codes alone.
#
# **Look at the data first.** MNIST's digits fill 20 of the 28 pixels; ours fill all 28, because we stretched them
# without thinking. What if we had framed them as the net is used to?

# %% tags=["nbval-ignore-output"]
framed = small_digits.digits(size=20)
print(f"compressed LeNet-5, nothing trained, digits framed as in MNIST: "
      f"{products.error_percent(small, framed.test):.1f}%")

# %% [markdown] tags=["subslide"]
# Zero bytes sent, zero examples used. Find in the table how many examples the codebook needs to get there. Five minutes
# of looking at pictures are worth hundreds of labels. (We stay with the stretched digits, for the sake of the exercise.)

# %% [markdown] tags=["subslide", "more"]
# ### The same for AlexNet
#
# Is that so for a large net and a harder task? Recorded: an AlexNet learnt CIFAR-10's first five classes, from airplane to
# deer, was pruned, shared and coded, and now learns the other five, from dog to truck, from a hundred pictures of each.
# All of it in a few minutes of one core, so the pictures have 64 pixels only. Then `conv5` ends in a *single* place,
# and `fc6`, made for a map of 6 × 6, sees the same number 36 times: 36 of its weights do the work of one.

# %% tags=["subslide"]
recorded = recordings.load("alexnet_transfer")
before = {row["start"]: row for row in recorded.rows if row["road"] is None}
for start, name in (("dense", "dense"), ("everything", "compressed")):
    row = before[start]
    print(f"{name:<11}{row['bytes']:>12,} bytes, error on the old classes {row['old_error_percent']:.1f}%, "
          f"on the new ones {row['error_percent']:.1f}%")
print(f"error on 1,000 test pictures of the new classes, one draw of examples\n{recorded.note}")
tables.transfer_table(recorded.rows)

# %% [markdown] tags=["subslide"]
# **What came out**, as far as one draw of examples can tell:
#
# * **Few numbers do not carry this far, and what they carry are the biases.** From ten pictures of each class the biases
#   alone come to {{recorded/alexnet_transfer[road=biases; examples=50].error_percent|.1f}}% (guessing: 80), with the shared values to {{recorded/alexnet_transfer[road=codebook; examples=50].error_percent|.1f}}; with a hundred of each, to
#   {{recorded/alexnet_transfer[road=biases; examples=500].error_percent|.1f}} and {{recorded/alexnet_transfer[road=codebook; examples=500].error_percent|.1f}}. The small digits were MNIST's ten classes in another hand. Here the *answers*
#   are new, and a few shared numbers cannot say them.
# %% [markdown] tags=["subslide", "more"]
# * **A learning rate is a part of the method.** In our first recording the shared values learned as fast as single weights
#   do, and "codebook + biases" ended at chance, far *worse than the biases that it contains*. Such a result is a mistake, not
#   a finding. A shared value moves thousands of weights at once; its step must be far smaller than a bias's. With a rate of
#   its own, tuned on held-out pictures (of six the smallest was best), it stands beside the biases, no better and no worse.
# * **With everything free, the compressed net learns as well as the dense one**, though it was the worse net before: its
#   zeros grow again. Under the mask it stays about ten points behind.
# %% [markdown] tags=["subslide", "more"]
# * **The update of the kept weights is again larger than the whole file.** The surprise was not LeNet's alone.
# * **The old task helps**: from scratch, the same few steps end ten points or more behind the free roads, and about where
#   the mask ends.
# * **More examples did not help**, the biases even lose ({{recorded/alexnet_transfer[road=biases; examples=2000].error_percent|.1f}}% with 2,000): in 40 steps the *lesson* is what
#   limits, not the examples.

# %% [markdown] tags=["notes", "more"]
# What this does not say: 40 steps for every road, learning rates of which only a few values were tried, 1,000 test
# pictures (differences of two or three points are chance), and an old net of four epochs. In practice one replaces the last layer, too: how many bytes would that add to the update?

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself: the step that a file allows
#
# What does "only the codebook learns" mean for the gradient? Weights that share a value must move together, zeros not
# at all. Turn any gradient into one that keeps mask and codes.


# %% tags=["subslide"]
def my_allowed_gradient(weights, gradient):
    """A gradient of the weights' shape: 0 for pruned weights, one sum for all weights of the same value."""
    ### BEGIN SOLUTION
    allowed = np.zeros(weights.shape)
    for value in np.unique(weights[weights != 0]):
        shared = weights == value
        allowed[shared] = gradient[shared].sum()
    return allowed
    ### END SOLUTION


check.allowed_gradient(my_allowed_gradient)

# %% [markdown] tags=["slide"]
# ## 2 · Does the start still matter?
#
# Section 3.2 of the paper compares three starts of k-means and prefers *linear*; chapter 04 looked at why. But training
# moves the centroids anyway: is the start forgotten? And we own a rival that the paper did not have: the **best
# codebook there is**, by dynamic programming (`kmeans_optimal`).

# %% tags=["subslide", "question", "setup"]
starts = recordings.load("starts_finetuned")
at_once, ks = tables.start_groups(starts.rows, "error_percent")
trained_on, _ = tables.start_groups(starts.rows, "finetuned_error_percent")
best_start = Prediction(
    "Pruned LeNet-300-100, 4 values a layer. Which start makes the fewest mistakes before fine-tuning?",
    options=["forgy", "density", "optimal", "linear"],
    key="ch11-start",
    truth=min(at_once, key=lambda start: at_once[start][0][0]),
)
best_start

# %% tags=["subslide"]
figure, axes = theme.figure(13, 4.8, columns=2, sharey=True)
labels = [f"k = {k}" for k in ks]
for ax, groups, title in zip(axes, (at_once, trained_on), ("before fine-tuning", "after fine-tuning"), strict=True):
    figures.bars_of_error(ax, groups, labels)
    ax.set_title(title)
LEVEL = next(row["error_percent"] for row in starts.rows if row["start"] is None)
for ax in axes:
    ax.axhline(LEVEL, color="black", linestyle="--", linewidth=1.8, label="pruned, not shared")
axes[0].set_ylabel("error (%)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
said = "; ".join(
    f"{start}: " + ", ".join(f"{b[0]:.2f} to {a[0]:.2f}" for b, a in zip(at_once[start], trained_on[start], strict=True))
    for start in measure.STARTS
)
said = (f"Error %, 10,000 test images, before and after, k = {', '.join(map(str, ks))}. {said}. "
        f"Not shared: {LEVEL:.2f}. {starts.note}.")
best_start.then(lambda: Picture(figure, said))

# %% [markdown] tags=["subslide"]
# How good are the same codebooks as *codebooks*? Their squared error, equation 2, over that of the best there is:

# %%
inertia, _ = tables.start_groups(starts.rows, "inertia")
print(f"{starts.note}\n\n{'':<10}" + "".join(f"{f'k = {k}':>9}" for k in ks))
for start, found in inertia.items():
    print(f"{start:<10}" + "".join(f"{mean / best[0]:>9.2f}" for (mean, *_), best in zip(found, inertia["optimal"])))

# %% tags=["subslide"]
best_start.then(answers.start)

# %% [markdown] tags=["slide"]
# ## 3 · Can compression make a net better?
#
# In the paper's Table 1 and in many reports since, the compressed net is sometimes a little *better* than the dense
# one. One explanation: a net with fewer free numbers cannot learn its training digits by heart. If that is the reason,
# the gain must grow where there is little to learn from. That can be tested.
#
# **The trap.** Pruning comes with *more training*. So the fair rival is not the dense net before pruning, but the
# dense net **trained for just as long**. And a single run proves nothing: other digits, other first weights, another
# result. First the tool.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself: mean and spread


# %%
def my_mean_and_spread(errors):
    """(mean, standard deviation) of the errors of several runs."""
    ### BEGIN SOLUTION
    errors = np.asarray(errors, float)
    mean = errors.mean()
    return mean, np.sqrt(((errors - mean) ** 2).sum() / (len(errors) - 1))
    ### END SOLUTION


check.mean_and_spread(my_mean_and_spread)

# %% [markdown] tags=["subslide"]
# Now LeNet-300-100, trained on 250, 500, 1,000 or 4,000 digits, four times each with other digits and other first
# weights; then pruned while it trains on, then with 15 shared values a layer.

# %% tags=["question", "setup"]
recorded = recordings.load("small_sets")
few_digits = Prediction(
    "250 digits to learn from. Prune 80% of the weights. Against the dense net that trained as long, the error...",
    options=["falls by more than a point", "stays within a point", "rises by more than a point"],
    key="ch11-regularisation",
    truth=tables.in_words(tables.gains(recorded.rows, 250)["pruned", 0.2][0]),
)
few_digits

# %% tags=["subslide"]
figure, axes = theme.figure(13, 4.6, columns=4)
for ax, n in zip(axes, tables.sizes(recorded.rows), strict=True):
    points, levels = tables.small_set_points(recorded.rows, n)
    figures.density_curves(ax, points, levels, f"{n:,} digits")
axes[0].set_ylabel("error (%)")
handles, names = axes[0].get_legend_handles_labels()
figure.legend(handles, names, loc="outside lower center", ncols=4)
said = f"Error %, 10,000 test images, mean and deviation of four runs; {recorded.note}. The table has the numbers."
few_digits.then(lambda: Picture(figure, said))

# %% [markdown] tags=["subslide"]
# Each run of one seed shares digits and first weights with its rival, so we may take the difference run by run: it
# scatters less than the errors themselves.

# %%
print(f"points by which the error falls against 'dense, longer': mean ± deviation of four runs\n{recorded.note}")
few_digits.then(lambda: tables.gain_table(recorded.rows))

# %% tags=["subslide"]
few_digits.then(answers.regularisation)

# %% [markdown] tags=["subslide"]
# And the trap is real. Take 4,000 digits and a fifth of the weights, and compare with either rival:

# %%
for rival in ("dense", "dense, longer"):
    mean, deviation, n = tables.gains(recorded.rows, 4000, rival)["pruned", 0.2]
    print(f"against {rival!r:<17} the pruned net's error falls by {signed(mean, 1)} ± {deviation:.1f} points ({n} runs)")

# %% [markdown]
# Against the wrong rival, pruning *improves* the net. Against the fair one, it harms it. Same runs, opposite titles.
#
# **What this does not say:** all training here is short, 200 steps and 200 more; one small net; one way to prune. The
# paper's gains are a tenth of a point on well-trained nets; four runs cannot see that. How many could? (The spread
# of a mean shrinks with the root of the number of runs.)

# %% [markdown] tags=["slide", "more"]
# ## 4 · No large layer
#
# Most of AlexNet's 61 million weights sit in three fully connected layers, and there nine of ten can go. But the nets for
# pictures that came next dropped those layers. (Transformers brought them back: nearly all of their weights are in fully
# connected layers; [chapter 12](12_today.ipynb) compresses one.) **SqueezeNet** has none at all; **GoogLeNet** has a
# single one, a seventh of its weights. Is there anything left to compress?

# %% [markdown] tags=["subslide", "more"]
# The authors answered for SqueezeNet themselves: they published the compressed net, {{paper/author_artifact_squeezenet.bytes.file|,}} bytes. We read their
# file and write the same numbers as `.dcz`, bit for bit. For GoogLeNet they did not, and there is an obstacle: the
# version that everybody uses today, torchvision's, has **batch normalisation** (the net of 2014 had none), and the pipeline knows only weights and biases. But once training is over, normalisation is a
# fixed factor and a fixed shift for each channel,
#
# $$ y = \gamma \, \frac{(w x + b) - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta , $$
#
# and a convolution with other weights and another bias does just that.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself: fold it


# %%
def my_fold(weight, bias, gamma, beta, mean, variance, eps):
    """(weight, bias) of one layer that does what layer and normalisation do."""
    ### BEGIN SOLUTION
    scale = gamma / np.sqrt(variance + eps)
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), beta + scale * (bias - mean)
    ### END SOLUTION


check.fold_batchnorm(my_fold)

# %% [markdown] tags=["subslide"]
# On the whole net, with random statistics: 57 normalisations gone, nothing changed but the last digits.

# %% tags=["nbval-ignore-output"]
import torch

net = models.build("googlenet", seed=0, num_classes=10)
pictures = torch.rand(4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
net.train()(pictures)  # one pass, so that the statistics are not the trivial ones
with torch.no_grad():
    before, after = net.eval()(pictures), batchnorm.fold(net)(pictures)
print(f"largest difference {(before - after).abs().max():.1e} of outputs up to {before.abs().max():.2f}")

# %% [markdown] tags=["subslide"]
# ### What is left, layer by layer

# %%
squeezed = recordings.load("squeezenet_layers")
own = googlenet.layer_rows(archive.describe(shipped.compressed_path("lenet-5")))
inception = recordings.load("googlenet_layers")
blocked = [row for row in inception.rows if "layer" in row]
figure, axes = theme.figure(13, 6.4, columns=3)
titles = "LeNet-5", "GoogLeNet", "SqueezeNet"
for ax, title, rows in zip(axes, titles, (own, blocked, squeezed.rows), strict=True):
    blocks = googlenet.by_block(rows)
    figures.layer_shares(ax, list(blocks), *([block[key] for block in blocks.values()] for key in ("weights", "bytes")))
    ax.set_title(title)
axes[0].legend(loc="upper right")
text = "; ".join(
    f"{title}: {100 * kept:.0f}% kept, weights {ratio:.1f} times smaller"
    for title, (ratio, kept) in zip(titles, map(googlenet.ratios, (own, blocked, squeezed.rows)), strict=True)
)
Picture(figure, f"{text}. LeNet-5: our file, measured now. SqueezeNet: the authors' weights as .dcz, {squeezed.note}.")

# %% tags=["subslide"]
print(f"LeNet-5: measured now. SqueezeNet:\n{squeezed.note}")
googlenet.filter_table({"LeNet-5": own, "GoogLeNet": blocked, "SqueezeNet": squeezed.rows})

# %% [markdown] tags=["subslide"]
# GoogLeNet is ours, on CIFAR-10 at 64 pixels, and trained for six epochs only. So do not compare its error with anybody
# else's, but with the fair rival's, the dense net that trained on for as long as the other was pruned. It ends at
# {{recorded/googlenet_layers[stage=dense, longer].error_percent|.1f}}%, the pruned net at
# {{recorded/googlenet_layers[stage=pruned].error_percent|.1f}}: five points are lost. Half an epoch of retraining is short, and there is no large layer to take the weights from. Sharing costs next to nothing.

# %% tags=["subslide"]
print(inception.note)
googlenet.stage_table(inception.rows)

# %% [markdown] tags=["subslide"]
# **Where is the gain?** In LeNet-5 one layer, `fc1`, holds nearly all weights, and almost all of them can go: one
# generous layer makes the whole ratio. SqueezeNet is frugal by design. A third of its weights stay, its first layer and
# most of its small squeezing layers are not pruned at all, and what is won there comes from shorter codes alone.
#
# One layer stands out, `conv_final`, the largest: pruned most, and it earns the best ratio. A 1 × 1 convolution with a
# thousand outputs *is* a fully connected layer, applied to every pixel. So the rule is not "convolutions cannot be
# compressed". It is: **a layer can be compressed as far as it is larger than its task**. Where the designer took the
# surplus out, the pruner finds little.

# %% [markdown] tags=["subslide", "more"]
# Which is no defeat. Design and compression multiply:

# %%
quoted = paper.table("table1_overview")
row = next(row for row in quoted.rows if row["net"] == "AlexNet")
print(f"AlexNet, {quoted.source}: {row['ref']['size']}, compressed {row['compressed']['size']}")
print(f"SqueezeNet: {4 * sum(r['weights'] for r in squeezed.rows) / 1e6:.1f} MB, compressed "
      f"{sum(r['bytes'] for r in squeezed.rows) / 1e6:.2f} MB (weights and biases)\n{squeezed.note}")

# %% [markdown] tags=["slide"]
# ## 5 · The whole workbook on one page
#
# | chapter | step | what to remember |
# |---|---|---|
# | 01 | why | memory and energy are spent on moving weights, not on multiplying them |
# | 02 | prune, retrain | small weights go; retraining, cut by cut, is what makes it free |
# | 03 | store | a position costs bits too: relative index, fillers, the right width |
# | 04 | share | sixteen or thirty-two values serve a whole layer |
# | 05 | train the values | the gradient of a shared value is a sum; the codes stay |
# | 06 | Huffman | frequent symbols get short codes; never more than one bit from the entropy |
# | 07 | pipeline | the stages multiply; the file decodes bit for bit |
# | 08 | speed, energy | fewer bytes are fewer joules; fewer milliseconds only where memory was the limit |
# | 09 | other roads | factorise, remove filters, distil, int8: what they win and what combines |
# | 10 | how small | beyond the paper's ratios, and where the floor is |
# | 11 | open questions | tested with rivals, seeds and a spread |
# | 12 | today | the same three ideas in a language model: exponents, Wanda, a few bits a weight |

# %% [markdown] tags=["notes", "more"]
# The paper's Table 1 once more, beside the files that came with this workbook: `python -m dcviz table1`.

# %% [markdown] tags=["subslide", "more"]
# ### Where to go next
#
# * **Hardware**: the same authors' EIE (ISCA 2016) computes straight from the compressed form, as chapter 08 did.
# * **Why does it work?** The lottery ticket hypothesis (Frankle and Carbin, ICLR 2019): a small part of the dense net,
#   trained alone from the same first weights, does as well. Try it: `dcviz.pipeline.retraining.Masked` and the first weights.
# * **Is it the weights or the comparison?** Blalock and others (*What is the state of neural network pruning?*, 2020)
#   found that few papers compare on equal terms. After section 3 you know what they mean.
# %% [markdown] tags=["subslide", "more"]
# * **Language models**: GPTQ and SparseGPT (Frantar and others, 2022 and 2023) quantize and prune nets thousands of
#   times larger, without retraining. Their one idea more: correct the remaining weights for the error just made.

# %% [markdown] tags=["subslide", "more"]
# ### Questions that are open here, too
#
# 1. An update of *some* codes: which 100 weights should change their value? What would it cost to say which?
# 2. Our update sends 16-bit floats. Differences are small: how few bits would do? (You own a Huffman coder.)
# 3. Does a net pruned for one task keep what the next task needs? Prune on the digits 0 to 4, teach 5 to 9.
# %% [markdown] tags=["subslide", "more"]
# 4. GoogLeNet, trained to the end: how far does it go? All tools are here (`dcviz.nets.picture_training`,
#    `dcviz.chapters.ch11_open_questions.googlenet`), and a night on your computer is more than we had.

# %% [markdown] tags=["notes", "more"]
# Answer one of them with a fair rival, five seeds and a spread, and you have done research.

# %% [markdown] tags=["more"]
# **One weight** through all stages, on one screen: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 12](12_today.ipynb), the three ideas today. Or back to [the map](00_start_here.ipynb).
