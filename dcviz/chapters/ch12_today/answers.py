"""What this chapter says once a question has its answer: its text would tell. For `Prediction.then`."""

from dcviz.evidence.prose import shown


def exponent():
    """What coded exponents save, here and in what others report."""
    return shown("""
Two thirds, and nothing is lost: the model writes the same words. zip, xz and zstd look for repetitions and see noise
in every second byte; who knows what a float is takes the exponents out first.

This is no toy result. **DFloat11** (Zhang and others, 2025) codes exponents of language models with Huffman and
reports about 70% of the size; **ZipNN** (Hershcovitch and others, 2024) reports 33% saved on popular models.
(*Quoted*, arXiv:2504.11651 and arXiv:2411.05239.) And the LeNet-300-100 of chapter 02?
""")


def wanda():
    """How the scores did on the language model, and why."""
    return shown("""
**What the table says.** Half of the blocks' weights can go at once and few would hear it; below 40% it hurts. Wanda
beats magnitude here, but by a hair, and rows are not better than the whole layer. On LeNet the gain was huge. Why? A
score that looks at the inputs can only use a *difference* between inputs. LeNet's corners are always black. Our model
scales its inputs to the same size before every layer, and is too small to grow the loud ones that large models have:
there magnitude pruning at 50% is ruin and Wanda is not (quoted in the table below). **Here the toy misleads.**
""")
