"""What decides which file comes out of a net: numbers, without torch, for pages that only show files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dcviz.errors import RecipeError
from dcviz.ideas.kmeans import INITS
from dcviz.nets.schedules import Schedule, check_seed, is_finite, is_whole

QUANTIZERS = ("kmeans", "uniform")

MOST_CUTS = 100_000
"""Cuts of one run: more than any training here has steps."""


def check_cuts(cuts, ramp):
    """RecipeError unless ``cuts`` is a whole number of 1 to ``MOST_CUTS`` and ``ramp`` lies in 0..1."""
    if not (is_whole(cuts, 1, MOST_CUTS) and is_finite(ramp) and 0 <= ramp <= 1):
        raise RecipeError(
            f"pruning needs at least one cut, at most {MOST_CUTS:,}, and a ramp in 0..1, not {cuts!r} and {ramp!r}"
        )


@dataclass(frozen=True)
class LayerRecipe:
    """What happens to one layer: share of weights kept (0..1], bits of a weight code, bits of a relative index.

    ``bits`` of 5 allow 32 symbols. In a pruned layer one of them is the zero that fillers need, as in the
    authors' own files, so 31 centroids are left; with ``density`` 1 every position is stored and all 32 are.
    ``index_bits`` None takes the width of a gap that gives the smallest file.
    """

    density: float
    bits: int
    index_bits: int | None = 5

    def __post_init__(self):
        if not (is_finite(self.density) and 0 < self.density <= 1):
            raise RecipeError(f"density must be above 0 and at most 1, not {self.density!r}")
        if not is_whole(self.bits, 1, 16) or not (self.index_bits is None or is_whole(self.index_bits, 1, 16)):
            raise RecipeError(f"bits and index_bits must be 1 to 16, not {self.bits!r} and {self.index_bits!r}")
        if self.density < 1 and self.bits < 2:
            raise RecipeError("a pruned layer needs at least 2 bits: one symbol is the filler zero")

    @property
    def sparse(self):
        """True if only the non-zero weights are stored."""
        return self.density < 1

    @property
    def k(self):
        """Number of centroids."""
        return 2**self.bits - self.sparse


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what file comes out of a net, apart from the data.

    layers: {name: LayerRecipe}; a name is that of a module with a ``weight``, whose bias goes along, or the key of one
        tensor of the state dict. What is not named is kept exactly, and counted
    retrain: schedule of pruning with retraining, during which the net is cut ``cuts`` times over the first
        ``ramp`` of the steps; ``regrow`` lets cut weights come back before the last cut
    init: centroid initialisation, "linear", "density" or "forgy" (section 3.2)
    quantizer: "kmeans", or "uniform" for bins of equal width between the smallest and the largest weight
    finetune: schedule of training the shared values (section 3.3)
    rate: what a bit costs when weights get their codes, in units of squared distance over the layer's variance; 0 takes
        the nearest centroid, more prefers short codes (entropy-constrained assignment)
    drop_dead: zero the weights and biases of neurons that nothing listens to any more (``chains``)
    reorder: put hidden neurons in the order that makes the file smallest, where they may change places (``chains``)
    dtype, bias_dtype: how codebooks and biases are stored; bias_bits: let biases share 2**bias_bits values
        Tensors of float16 and bfloat16 stay what they are. norms_dtype: "float16" stores what has one dimension and is
        not named, biases and norms, as float16 too; None keeps them exactly
    order: "C" (row by row), "F" (column by column) or "best" (per layer, whichever gives the smaller file)
    """

    layers: Mapping[str, LayerRecipe]
    retrain: Schedule = field(default_factory=Schedule)
    finetune: Schedule = field(default_factory=Schedule)
    cuts: int = 1
    ramp: float = 0.5
    regrow: bool = False
    init: str = "linear"
    quantizer: str = "kmeans"
    rate: float = 0.0
    drop_dead: bool = False
    reorder: bool = False
    dtype: str = "float32"
    bias_dtype: str = "float32"
    bias_bits: int | None = None
    norms_dtype: str | None = None
    order: str = "best"
    seed: int = 0

    def __post_init__(self):
        named = isinstance(self.layers, Mapping) and all(isinstance(name, str) for name in self.layers)
        if not named or not all(isinstance(layer, LayerRecipe) for layer in self.layers.values()):
            raise RecipeError("a recipe's layers are {name: LayerRecipe(density, bits)}")
        if self.norms_dtype not in (None, "float16"):
            raise RecipeError(f"norms_dtype must be float16 or None, not {self.norms_dtype!r}")
        if not (isinstance(self.retrain, Schedule) and isinstance(self.finetune, Schedule)):
            raise RecipeError("retrain and finetune are Schedules")
        if self.init not in INITS:
            raise RecipeError(f"init must be one of {', '.join(INITS)}, not {self.init!r}")
        if self.quantizer not in QUANTIZERS:
            raise RecipeError(f"quantizer must be one of {', '.join(QUANTIZERS)}, not {self.quantizer!r}")
        if self.order not in ("C", "F", "best"):
            raise RecipeError(f"order must be C, F or best, not {self.order!r}")
        if not (is_finite(self.rate) and self.rate >= 0):
            raise RecipeError(f"rate must be finite and not negative, but is {self.rate!r}")
        if self.bias_bits is not None and not is_whole(self.bias_bits, 1, 16):
            raise RecipeError(f"bias_bits must be 1 to 16 or None, not {self.bias_bits!r}")
        check_cuts(self.cuts, self.ramp)
        check_seed(self.seed)
        for dtype in (self.dtype, self.bias_dtype):
            if dtype not in ("float32", "float16"):
                raise RecipeError(f"dtypes must be float32 or float16, not {dtype!r}")
