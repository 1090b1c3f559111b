"""Which weights of a layer stay, as a picture of the weight matrix or of the filters."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Patch

from dcviz.labkit import theme

_RAMP = LinearSegmentedColormap.from_list("kept", ["#FFFFFF", theme.role("kept").colour])
KEPT_MAP = _RAMP.with_extremes(bad="#BDBDBD")  # the gaps between filters


def mask_image(mask, across=600, down=300):
    """A 2-d picture of a mask: the share of kept weights per pixel, NaN between filters.

    A matrix (rows, columns) is averaged in blocks until it has at most `down` x `across` pixels, so one
    pixel may stand for many weights. Filters (out, in, height, width) stand in a grid with a gap of one:
    a row per output and a column per input, or, with one input, as square as it goes.
    """
    mask = np.asarray(mask)
    if mask.ndim == 4:
        return _filter_grid(mask)
    if mask.ndim != 2:
        raise ValueError(f"expected a matrix or filters of 4 dimensions, not shape {mask.shape}")
    fold = [math.ceil(mask.shape[0] / down), math.ceil(mask.shape[1] / across)]
    if fold == [1, 1]:
        return mask.astype(np.float32)
    rows, columns = (-(-size // f) for size, f in zip(mask.shape, fold, strict=True))
    total = np.zeros((rows, columns), np.float32)
    sums = np.add.reduceat(mask, np.arange(0, mask.shape[0], fold[0]), axis=0, dtype=np.float32)
    total[:] = np.add.reduceat(sums, np.arange(0, mask.shape[1], fold[1]), axis=1)
    height = np.minimum(fold[0], mask.shape[0] - fold[0] * np.arange(rows))
    width = np.minimum(fold[1], mask.shape[1] - fold[1] * np.arange(columns))
    return total / np.outer(height, width)


def mask_picture(axes, mask, across=600, down=300):
    """Draw a mask into `axes`: kept solid, pruned white, with a legend above. Returns the AxesImage.

    For the next mask of the same layer: `image.set_data(mask_image(mask))`.
    """
    image = axes.imshow(
        mask_image(mask, across, down),
        cmap=KEPT_MAP,
        vmin=0,
        vmax=1,
        interpolation="nearest",
        aspect="auto",
        interpolation_stage="rgba",  # three times as fast as the default
    )
    if np.ndim(mask) == 4:
        axes.set(xticks=[], yticks=[])
        outputs, inputs = np.shape(mask)[:2]
        axes.set_xlabel(f"{outputs} filters" if inputs == 1 else f"{inputs} input channels")
        axes.set_ylabel("" if inputs == 1 else f"{outputs} filters")
    else:
        axes.set(xlabel=f"{np.shape(mask)[1]} inputs", ylabel=f"{np.shape(mask)[0]} outputs", xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(True)
    solid = theme.role("kept").colour
    keys = [
        Patch(facecolor=solid, edgecolor="black", label="kept"),
        Patch(facecolor="white", edgecolor="black", label="pruned"),
    ]
    axes.legend(handles=keys, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    return image


def _filter_grid(mask):
    outputs, inputs, height, width = mask.shape
    if inputs == 1:
        columns = math.ceil(math.sqrt(2 * outputs))
        rows = -(-outputs // columns)
    else:
        rows, columns = outputs, inputs
    grid = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), np.nan, np.float32)
    for i, filter_ in enumerate(mask.reshape(-1, height, width)):
        y, x = divmod(i, columns)
        grid[y * (height + 1) + 1 :, x * (width + 1) + 1 :][:height, :width] = filter_
    return grid
