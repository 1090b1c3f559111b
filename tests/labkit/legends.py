"""Whether the legends of a figure lie on what it shows."""

from matplotlib.transforms import Bbox


def covered(figure):
    """`under_legends` of a figure, which is drawn for it."""
    figure.canvas.draw()
    return under_legends(figure)


def under_legends(figure):
    """[(a legend's first words, what lies under its words and signs)] of a drawn figure; [] is as it should be."""
    boxes = []
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        if legend is not None and legend.get_visible():
            inside = Bbox.union([part.get_window_extent() for part in [*legend.get_texts(), *legend.legend_handles]])
            boxes.append((legend.get_texts()[0].get_text(), inside))
    found = []
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        shown = [part for part in (*axes.lines, *axes.patches, *axes.collections, *axes.images) if part.get_visible()]
        for part in shown:
            found += [(name, describe(part)) for name, box in boxes if lies_in(part, axes, box)]
    return found


def describe(part):
    return f"{type(part).__name__} {part.get_label()!r}"


def lies_in(part, axes, box):
    """Whether any ink of a part of the axes lies in a box of the display."""
    seen = Bbox.intersection(box, axes.bbox) if part.get_clip_on() else box
    if seen is None or seen.width < 1 or seen.height < 1:
        return False
    if hasattr(part, "get_xydata"):  # a line, and its markers
        if len(part.get_xydata()) == 0:
            return False
        path = part.get_transform().transform_path(part.get_path())
        marked = part.get_marker() not in ("", " ", "None", None) and seen.count_contains(path.vertices) > 0
        joined = part.get_linestyle() not in ("", " ", "None", None) and path.intersects_bbox(seen, filled=False)
        return bool(marked or joined)
    if hasattr(part, "get_offsets") and hasattr(part, "get_sizes") and len(part.get_sizes()):  # a cloud of points
        return seen.count_contains(part.get_offset_transform().transform(part.get_offsets())) > 0
    if hasattr(part, "get_paths"):
        return any(part.get_transform().transform_path(path).intersects_bbox(seen) for path in part.get_paths())
    if hasattr(part, "get_path"):
        return bool(part.get_transform().transform_path(part.get_path()).intersects_bbox(seen))
    return Bbox.intersection(part.get_window_extent(), seen) is not None
