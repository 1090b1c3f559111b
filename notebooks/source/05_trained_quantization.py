# %% [markdown] tags=["slide"]
# # 05 · Trained quantization
#
# *The codes stay. The values learn.*
#
# **You will learn** how the gradients of thousands of weights move the one value that they share, and why so, what
# training the codebook repairs, when the codebook itself costs too much, and how few bits are enough. **You need**
# chapter 04. **Time:** 45 minutes. No network, no GPU.
# Words: [glossary](../docs/glossary.md).

# %% tags=["skip", "setup"]
import numpy as np

from dcviz.chapters.ch04_weight_sharing.figures import errors_by_bits
from dcviz.chapters.ch05_trained_quantization import answers, checks as check, figures, measure
from dcviz.evidence import paper, recordings
from dcviz.ideas.kmeans import compression_rate
from dcviz.labkit import theme
from dcviz.labkit.base import plain
from dcviz.labkit.picture import Picture
from dcviz.labs import CodebookLab, FinetuneLab, GradientLab, Prediction
from dcviz.pipeline import shipped

# %% [markdown] tags=["slide"]
# ## 1 · Sixteen weights, four values, one step
#
# Fig. 3 of the paper shows one step of training on a layer of 4 × 4 weights. They share four values, so each has a
# code of 2 bits. The usual backward pass gives each of the 16 weights its gradient. But we cannot move 16 weights:
# there are only four numbers to move.

# %% [markdown] tags=["notes", "more"]
# Take the cluster with value 2.00. Its weights have the gradients {{paper/figure3_weight_sharing_example.gradient.0.0}}, {{paper/figure3_weight_sharing_example.gradient.1.3}},
# {{paper/figure3_weight_sharing_example.gradient.2.1}} and {{paper/figure3_weight_sharing_example.gradient.3.0}}.

# %% tags=["setup"]
figure_3 = Prediction(
    "The learning rate is 1. Where does the shared value 2.00 go?",
    options=["1.99", "1.96", "2.01", "2.04"],
    key="ch05-figure3",
    truth=lambda lab: f"{measure.figure3_tuned(2.0):.2f}",
    at={"learning_rate": 1.0, "reduce": "sum"},
)
# %% tags=["question", "lecture"]
figure_3
# %% tags=["subslide", "more"]
GradientLab(learning_rate=0.0, reduce="mean", prediction=figure_3)
# %% tags=["fragment", "lecture"]
figure_3.tell()

# %% [markdown] tags=["subslide"]
# **Read it along the arrows of Fig. 3.** Each weight gets the number of its nearest centroid (top). The gradient has
# the same shape as the weights (bottom left). *Group* it by cluster, *add up* each group, multiply by the learning
# rate, and *subtract* from the centroids. Colour and number say which cluster a cell belongs to; point at a cell to
# light up all of it.
#
# **Try:** change one gradient of cluster 3 to 1. Which of the 16 weights move? Then press **Write the new values
# back, step again**: the weights have new values, but the codes are as they were.

# %% [markdown] tags=["subslide", "more"]
# ### Equation 3
#
# Let $I_{ij}$ be the code of weight $W_{ij}$. Every weight of cluster $k$ *is* the number $C_k$, so by the chain rule
#
# $$ \frac{\partial L}{\partial C_k}
# = \sum_{i,j} \frac{\partial L}{\partial W_{ij}} \frac{\partial W_{ij}}{\partial C_k}
# = \sum_{i,j} \frac{\partial L}{\partial W_{ij}} \, \mathbb{1}(I_{ij} = k) . $$

# %% [markdown] tags=["subslide", "more"]
# A sum, not a mean. For the four weights above, and with the paper's own numbers beside ours:

# %%
quoted = paper.table("figure3_weight_sharing_example")
said = [f"paper: {quoted.source}", "cluster   centroid   our sum   paper's sum   ours, fine-tuned   paper's"]
example = GradientLab()
for i in (3, 2, 1, 0):
    paper_sum, paper_tuned = quoted["reduced_gradient"][str(i)], quoted["fine_tuned"][str(i)]
    said.append(f"{i:>7}{example.centroids[i]:>11.2f}{example.reduced[i]:>10.2f}{paper_sum:>14.2f}"
                f"{example.tuned[i]:>19.2f}{paper_tuned:>10.2f}")
figure_3.then(lambda: print("\n".join(said)))

# %% [markdown] tags=["subslide"]
# ### Why not the mean? Ask the net
#
# Switch the lab to **mean**: the numbers of Fig. 3 do not come out any more. But the better judge is the loss itself.
# Below, LeNet-300-100, pruned, 4 values in each layer. Each shared value of `fc3` is nudged by 0.00001 up and down,
# and the loss is measured. Its slope *is* the gradient. Which rule predicts it?

# %% tags=["nbval-ignore-output"]
found = measure.slopes("lenet-300-100", "fc3", bits=2)
print("value   weights that share it   slope, measured   sum of gradients   mean of gradients")
for i in range(4):
    print(f"{i:>5}{found['weights'][i]:>24}{found['measured'][i]:>18.5f}{found['sum'][i]:>19.5f}{found['mean'][i]:>20.5f}")

# %% [markdown] tags=["subslide"]
# The sum, to the last digit. The mean is too small by the number of weights in the cluster, and worse, by a
# *different* factor in every cluster: with it, large clusters learn more slowly than small ones. No learning rate can
# repair that.

# %% [markdown] tags=["subslide", "more"]
# ### Build it yourself: reduce the gradient


# %%
def my_reduce_gradient(gradient, codes, k):
    """k numbers: the sum of the gradients of all weights with code 0, 1, ... k-1."""
    ### BEGIN SOLUTION
    return np.bincount(codes.ravel(), gradient.ravel(), minlength=k)
    ### END SOLUTION


check.reduce_gradient(my_reduce_gradient)

# %% [markdown] tags=["subslide"]
# ### Build it yourself: move the centroids


# %%
def my_centroid_update(centroids, gradient, codes, learning_rate):
    """The centroids after one step of gradient descent."""
    ### BEGIN SOLUTION
    return centroids - learning_rate * my_reduce_gradient(gradient, codes, len(centroids))
    ### END SOLUTION


check.centroid_update(my_centroid_update)

# %% [markdown] tags=["subslide"]
# ### Build it yourself: the weights again
#
# For the next forward pass each weight looks its value up.


# %%
def my_weights(centroids, codes):
    """The weights, in the shape of the codes."""
    ### BEGIN SOLUTION
    return centroids[codes]
    ### END SOLUTION


check.weights_from_codes(my_weights)

# %% [markdown] tags=["subslide"]
# That is all of trained quantization: forward with `my_weights`, backward as always, `my_reduce_gradient`,
# `my_centroid_update`. In the package it is `dcviz/pipeline/trained_quantization.py`.

# %% [markdown] tags=["slide"]
# ## 2 · Watch the values learn
#
# Now on a whole net. The pruned LeNet-5 gets **one bit** per weight, two values in each layer. k-means put them where
# they fit the *weights* best. Training moves them to where they serve the *digits* best.

# %% tags=["setup"]
finetuned = Prediction(
    "LeNet-5 with 1-bit codes, fine-tuned for two epochs on 4,000 digits: error on 1,000 other digits?",
    low=0.0,
    high=20.0,
    unit="%",
    key="ch05-finetune",
    truth=lambda lab: lab.finished_error(net="lenet-5", bits=1, epochs=2.0),
)
# %% tags=["question", "lecture"]
finetuned
# %% tags=["subslide", "more"]
training_lab = FinetuneLab("lenet-5", layer="fc1", bits=1, prediction=finetuned)
training_lab
# %% tags=["fragment", "lecture"]
finetuned.tell()

# %% [markdown] tags=["subslide"]
# Press **Fine-tune** (a few seconds; **Stop** works at any time). Or let the next cell press it for you.

# %% tags=["nbval-ignore-output"]
training_lab.reset()
training_lab.train()
finetuned.then(lambda: Picture(training_lab.picture(), plain(training_lab.caption.value)))

# %% [markdown] tags=["subslide"]
# Crosses are where k-means put the centroids, diamonds where training took them: Fig. 4 of the paper (right) shows
# the same for AlexNet's conv3. They move only a little (in `fc1` both inwards; in the other layers one of the two moves
# outwards), but **away from the mean of their weights**: what fits the weights best is not what answers best. A few numbers per layer, and most of the
# damage is repaired. (We train with Adam; what it is fed is the sum of equation 3.)
#
# **Try:** choose another layer. Then 3 or 4 bits: how much is left to repair? Then a learning rate of 0.03.

# %% [markdown] tags=["slide", "more"]
# ## 3 · What does the codebook cost?
#
# The codes are not everything: someone has to keep the $k$ values. Section 3 of the paper counts them in,
#
# $$ r = \frac{n b}{n \log_2 k + k b} , $$
#
# with $n$ weights of $b$ bits that share $k$ values. Slide $n$ and the bits.

# %% tags=["subslide", "setup"]
rate = Prediction(
    "Fig. 3: 16 weights of 32 bits become 16 codes of 2 bits and 4 values of 32 bits. How many times smaller?",
    low=1.0,
    high=16.0,
    step=0.1,
    unit="×",
    key="ch05-rate",
    truth=lambda lab: compression_rate(16, 32, 4),
    at={"n": 16, "bits": 2},
)
# %% tags=["question", "lecture"]
rate
# %% tags=["subslide", "more"]
CodebookLab(n=1000, bits=5, prediction=rate)
# %% tags=["fragment", "lecture"]
rate.tell()

# %% [markdown] tags=["subslide"]
# Every curve starts low, where the codebook is most of what is stored, and flattens at $b / \log_2 k$, where it is
# forgotten. The bend is near $n \log_2 k = k b$, that is at
#
# $$ n \approx \frac{k b}{\log_2 k} : $$

# %%
for bits in (2, 4, 5, 8):
    print(f"{bits} bits, k = {2**bits:>3}: codes and codebook cost the same at n = {2**bits * 32 / bits:,.0f} weights")

# %% [markdown] tags=["subslide"]
# This is why a small layer such as LeNet-5's conv1 gains so little, and why the codebook is *per layer*: not per
# filter, not per row. Fig. 11 of the paper shows how the storage divides. Beside it, our own files, **measured**:
# every byte of a .dcz file is accounted for.

# %% tags=["subslide"]
shares = measure.storage_shares()
figure, axes = theme.figure(12, 4.8)
figures.storage_shares(axes, shares)
said = "; ".join(f"{name} {weight:.1f} / {index:.1f} / {book:.1f}" for name, (weight, index, book) in shares.items())
source = paper.table("figure11_storage_shares_pct").source
Picture(figure, f"% weight / index / codebook. {said}. Paper: {source}, labels in the figure. Ours: measured bytes.")

# %% [markdown] tags=["subslide"]
# In both, the codebook is the smallest part by far, and *where* a weight is costs as much as *what* it is. Our
# codebooks are smaller still: they hold 16-bit floats, and fewer of them.

# %% [markdown] tags=["slide", "more"]
# ## 4 · How few bits are enough?
#
# Fig. 7 of the paper lowers the bits of the fully connected layers, of the convolutional ones, and of all. Two nets
# are compared: pruned and quantized, and quantized only.

# %% tags=["question", "setup"]
recorded = recordings.load("quantization_bits")
together = Prediction(
    "2 bits in all layers of LeNet-5, no fine-tuning. Which net makes fewer mistakes?",
    options=["quantized only", "pruned + quantized"],
    key="ch05-together",
    truth=measure.fewer_mistakes(measure.figure7_curves(recorded.rows, "all"), bits=2),
)
together

# %% tags=["subslide"]
figure, axes = theme.figure(14, 8.6, rows=2, columns=3, sharey="row")
for column, layers in enumerate(("fc", "conv", "all")):
    title = f"paper, AlexNet: {layers} layers"
    errors_by_bits(axes[0, column], measure.figure7_quoted(layers), title=title, log=False, ylabel="top-1 error (%)")
    title = f"ours, LeNet-5: {layers} layers"
    errors_by_bits(axes[1, column], measure.figure7_curves(recorded.rows, layers), title=title)
ours = measure.figure7_curves(recorded.rows, "all")
said = "; ".join(f"{label}: " + ", ".join(f"{e:.1f}" for e in errors) for label, (_, errors) in ours.items())
quoted = paper.table("figure7_bits_vs_accuracy")
said = (
    f"Top: 100 − top-1 accuracy, {quoted.source}, {quoted.kind}. Bottom: error %, 10,000 test images, {recorded.note}. "
    f"All layers, 1 to 8 bits: {said}."
)
together.then(lambda: Picture(figure, said))

# %% tags=["subslide"]
together.then(answers.together)

# %% [markdown] tags=["subslide"]
# Table 6 of the paper picks three settings. The same bits on our pruned LeNet-5, shared and then fine-tuned for half
# an epoch:

# %%
print(f"ours: error on the 10,000 test images, {recorded.note}")
measure.table6(recorded.rows)

# %% [markdown] tags=["subslide"]
# With 8 and 5 bits, AlexNet loses nothing; with 4 and 2 it loses two points of top-1 and
# {{paper/table6_alexnet_bits[conv_bits=4].top5_increase}} of top-5. That is the price list from which the
# paper picks 8 bits for convolutional and 5 bits for fully connected layers. Our net loses nothing that 10,000 images
# could tell (0.01 points are one image). So the file that ships with this workbook takes fewer bits:

# %%
for name, layer in shipped.reference("lenet-5").recipe.layers.items():
    print(f"{name}: codes of {layer.bits} bits")

# %% [markdown] tags=["subslide"]
# ### And on AlexNet?
#
# The same three pairs of bits on our AlexNet (CIFAR-10 pictures at 224 pixels), pruned to the densities of Table 4, each
# shared anew and fine-tuned for a fifth of an epoch:

# %%
on_alexnet = recordings.load("alexnet_bits")
print(f"ours: error on the 10,000 test pictures, {on_alexnet.note}")
measure.table6(on_alexnet.rows, "our AlexNet, CIFAR-10 (recorded)")

# %% [markdown]
# The same order as in the paper: the first two pairs cost nothing, the third costs something, of which fine-tuning wins a
# little back. Ten classes are easier than a thousand, so it costs less.

# %% [markdown] tags=["slide", "more"]
# ## What to take home
#
# * The gradient of a shared value is the **sum** of its weights' gradients: they all move together, so their effects
#   add up.
# * Codes are chosen once; training moves only the codebook. A few numbers per layer repair most of what sharing broke.
# * The codebook costs $k b$ bits per layer: nothing for large layers, everything for tiny ones.
# * Pruning and quantization work together: each alone stops earlier (Fig. 6 and 7 of the paper).

# %% [markdown] tags=["subslide", "more"]
# **Discuss:** the codes never change during training. What could be gained if they did, and what would it cost?
#
# **One weight:** how far fine-tuning moved it, with all weights of its cluster: [its journey](07_full_pipeline.ipynb#The-journey-of-one-weight).
#
# **Next:** [chapter 06, Huffman coding](06_huffman.ipynb): not all codes are equally frequent.
