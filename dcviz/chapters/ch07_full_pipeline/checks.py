"""Checks of chapter 07: predict the bytes of a file before it is written, and choose a recipe for a budget."""

from dcviz.labkit.decision import Decision, by_layer


def _told(rng):
    from dcviz.pipeline import choices  # torch only when it is needed

    return [(layers,) for layers, _ in choices.files_before_huffman()]


def _miss(answers):
    """The largest distance, in bytes, between a prediction and the length of the real file."""
    from dcviz.errors import RecipeError
    from dcviz.pipeline import choices

    misses = []
    for answer, (_, size) in zip(answers, choices.files_before_huffman(), strict=True):
        try:
            misses.append(abs(float(answer) - size))
        except (TypeError, ValueError):
            raise RecipeError(f"a number of bytes is asked for, not {type(answer).__name__}") from None
    largest = max(misses)
    if not largest < 1e12:
        raise RecipeError("a number of bytes is asked for, and it has to be finite")
    return choices.Outcome(round(largest))


def _predicted(fillers=True, filler_codes=True, codebooks=True, biases=True, code_bits=True, unit=8):
    """A prediction from the layers' numbers, with parts left out."""

    def predict(layers):
        bits = 0
        for layer in layers:
            entries = layer["nonzeros"] + (layer["fillers"] if fillers else 0)
            bits += entries * layer["index_bits"]
            bits += (entries if filler_codes else layer["nonzeros"]) * (layer["weight_bits"] if code_bits else 32)
            bits += 32 * layer["codebook"] * codebooks + 32 * layer["biases"] * biases
        return bits / unit

    return predict


file_bytes = Decision(
    "file_bytes",
    spec="Predict the bytes of a file of LeNet-300-100 before it is written, without Huffman coding; codebooks and "
    "biases are float32. `layers` is a list of dicts: nonzeros, fillers, weight_bits, index_bits, codebook, biases. At "
    "most 150 bytes off, in each of three files.",
    solution=_predicted(),
    inputs=_told,
    outcome=_miss,
    score="the prediction that is farthest off misses the real file by",
    budget=150,
    mistakes={
        "you forgot the fillers: each is an entry": _predicted(fillers=False),
        "a filler has a gap, but it needs a weight code too (the zero)": _predicted(filler_codes=False),
        "you did not count the codebooks": _predicted(codebooks=False),
        "you did not count the biases (the paper does not either, it seems, but a file has to hold them)": (
            _predicted(biases=False)
        ),
        "that is bits, not bytes": _predicted(unit=1),
        "a kept weight takes its code, not 32 bits": _predicted(code_bits=False),
        "that is the file of the dense net": lambda layers: 4 * 266_610,
        "a number is asked for": lambda layers: "32 KB",
    },
)


def _trained(answers):
    from dcviz.pipeline import choices

    return choices.trained(answers[0])


recipe = Decision(
    "recipe",
    spec="Return {layer: (density, bits of a weight code)}. LeNet-300-100 goes through the whole pipeline, with two "
    "passes of retraining over 4,000 digits: at most 5% errors on the 1,000 held-out ones, in at most 15,000 bytes, "
    "71 times smaller than dense.",
    solution=by_layer((0.04, 3), (0.08, 3), (0.3, 4)),
    outcome=_trained,
    budget=15_000,
    limit=5.0,
    mistakes={
        "that is the paper's recipe: safe, and with bytes to spare": by_layer((0.08, 5), (0.09, 5), (0.26, 5)),
        "so few weights and bits need more retraining than two passes": by_layer((0.01, 2), (0.03, 2), (0.1, 2)),
        "a density is a share between 0 and 1, not a percentage": by_layer((4, 3), (8, 3), (30, 4)),
        "a pruned layer needs 2 bits at least: one code is the filler's zero": by_layer((0.04, 1), (0.08, 3), (0.3, 4)),
        "each layer needs a density and bits": by_layer(0.04, 0.08, 0.3),
        "the two are in the wrong order: the density first, then the bits": by_layer((3, 0.04), (3, 0.08), (4, 0.3)),
    },
)
