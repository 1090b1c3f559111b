"""Tokens a second of a language model by what is moved and computed: chapter 08's roofline for a whole model."""

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
QUOTED = {"BF16 / FP16": 16.0, "DFloat11 (about)": 11.2, "Q8_0": 8.5, "Q4_0": 4.5}
"""{format: bits a weight, scales included}. Q8_0 and Q4_0: 34 and 18 bytes for 32 weights (llama.cpp, ggml-quants.h);
DFloat11: about 70% of bfloat16 (Zhang and others, arXiv:2504.11651)."""


def tokens_per_second(weights, bits, bytes_per_second, operations_per_second, batch=1):
    """Tokens of all ``batch`` texts together, a second, at most -> float.

    One step gives every text one token: it reads all weights once, and each weight multiplies and adds for every text.
    The texts' own memory of what they read (the KV cache) is left out.
    """
    seconds = max(weights * bits / 8 / bytes_per_second, 2 * weights * batch / operations_per_second)
    return batch / seconds


def knee(bits, bytes_per_second, operations_per_second):
    """The batch from which arithmetic decides, not memory -> float."""
    return bits / 16 * operations_per_second / bytes_per_second
