"""A figure whose moving parts are drawn in the browser: matplotlib draws the rest once, and says where they stand."""

import zlib

import anywidget
import numpy as np
import traitlets

from dcviz.labkit.controls import DRAWING, HERE, LOCK, ROOM, css, script, synced
from dcviz.labkit.figure_image import Fitted, encode, waits

ABSENT = 0xFFFF
"""The level of what is no weight: the gaps between filters."""


class LinkedPicture(Fitted, anywidget.AnyWidget):
    """Shows `figure` as `FigureImage` does, but what moves is drawn in the browser, so that a `Film` can move it.

        view = LinkedPicture(figure, moving=[line, *bars], alt="error against k")
        line.set_data(...); view.refresh()      # Python moved something
        view.redraw()                           # anything else changed: axes, titles, styles
        view.adopt(other_figure, moving)        # another figure in the same place

    moving    artists drawn in the browser, in this order, over a picture of the rest: Line2D, patches, one AxesImage
              with `levels`, and an axis (axes.yaxis), whose limits may then move, too: give it its widest numbers first
    shapes    where they stand, a list of numbers each: what films set. `where()` gives it for the artists as they are
    alt       what the picture shows, in words
    levels    a picture to threshold for the AxesImage: uint16 (planes, height, width), a weight each, ABSENT where
              there is none. A pixel shows the share of its weights with a level above `row`
    """

    _esm = script(ROOM, DRAWING, HERE / "linked_picture.js", style=css())
    background = synced(traitlets.Bytes(b""))
    size = synced(traitlets.List(traitlets.Float()))
    styles = synced(traitlets.List())
    shapes = synced(traitlets.List())
    pixels = synced(traitlets.Bytes(b""))
    alt = synced(traitlets.Unicode(""))

    def __init__(self, figure, moving=(), alt="", levels=None, sharp=1.5):
        super().__init__(alt=f"{alt}; the numbers are in the caption")
        self.row = 0
        self.add_class("dcviz-linked")
        self._begin(figure, sharp)
        self.adopt(figure, moving, levels)

    def adopt(self, figure, moving=(), levels=None):
        """Show another figure in the same place (other axes, another layer's shape)."""
        self._redesign(figure)
        self.moving = list(moving)
        for artist in self.moving:
            artist.set_animated(True)
        self._resize()
        with self.hold_sync():
            if levels is not None:
                self._levels = np.shape(levels)
                self.pixels = zlib.compress(np.ascontiguousarray(levels, "<u2").tobytes(), 1)
            self.redraw()

    def redraw(self):
        """Draw everything anew: after a change of axes, labels or texts."""
        if waits(self, anew=True):
            return
        with LOCK, self.hold_sync():
            self.figure.canvas.draw()
            for axis in filter(_is_axis, self.moving):  # its name stays
                axis.axes.draw_artist(axis.label)
            self.background = encode(self.figure.canvas)
            high = self.figure.bbox.height / self._scale
            self.size = [round(self.figure.bbox.width / self._scale, 1), round(high, 1)]
            self.refresh()

    def _resize(self):
        super()._resize()
        if any(map(_is_axis, self.moving)):  # other numbers on it must not move the axes
            self.figure.set_layout_engine("constrained")
            self.figure.get_layout_engine().execute(self.figure)
            self.figure.set_layout_engine("none")

    def refresh(self):
        """Send where the moving artists stand and how they look, after a change of their data or style."""
        if waits(self):
            return
        with LOCK, self.hold_sync():
            self.styles = self.looks()
            self.move()

    def move(self):
        """Send where the moving artists stand; their style is as it was."""
        if not waits(self):
            self.shapes = self.where()

    def where(self, artists=None):
        """Where the moving artists, or some of them, stand now.

        For each, x and y in turn, in pixels of the page; of levels, the row.
        """
        shapes = [self._place(artist) for artist in (self.moving if artists is None else artists)]
        together: dict = {}  # films have thousands of bars, and a transform takes as long for one as for all
        for i, shape in enumerate(shapes):
            if isinstance(shape, tuple):
                transform, points = shape
                _, places, parts = together.setdefault(id(transform), (transform, [], []))
                places.append(i)
                parts.append(points)
        for transform, places, parts in together.values():
            points, start = self._on_page(transform.transform(np.concatenate(parts))), 0
            for i, part in zip(places, parts, strict=True):
                shapes[i] = _listed(points[start : start + len(part)])
                start += len(part)
        return shapes

    def places(self, axes, points):
        """Where points of the data (n, 2) stand, as `shapes` counts: for many states at once -> [x, y, x, y, ...]."""
        return self._points(axes.transData.transform(points))

    def looks(self):
        """In which style the moving artists are drawn: for films in which it changes."""
        return [self._style(artist) for artist in self.moving]

    def _points(self, points):
        """Pixels of the figure -> `_listed` pixels of the page."""
        return _listed(self._on_page(np.reshape(points, (-1, 2))))

    def _on_page(self, points):
        """Pixels of the figure (n, 2) -> pixels of the page, from the top left; nan for what is not finite."""
        points = np.asarray(points, float) / self._scale
        points[:, 1] = self.figure.bbox.height / self._scale - points[:, 1]
        points[~np.isfinite(points).all(axis=1)] = np.nan
        return np.clip(points, -1e5, 1e5).round(1)

    def _place(self, artist):
        """A shape of `where`; of a line or a bar, its transform and points."""
        if not artist.get_visible():
            return []
        if hasattr(artist, "cmap"):  # an AxesImage
            return [self.row]
        if _is_axis(artist):
            return self._ticks(artist)
        if hasattr(artist, "get_xydata"):  # a Line2D
            return artist.get_transform(), artist.get_xydata()
        if hasattr(artist, "get_corners") and not artist.angle:  # a Rectangle, as bars are: films have thousands
            left, top, wide, high = artist.get_x(), artist.get_y(), artist.get_width(), artist.get_height()
            right, bottom = left + wide, top + high
            corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
            return artist.get_data_transform(), corners
        outline = artist.get_transform().transform_path(artist.get_path())
        return self._points(outline.to_polygons(closed_only=False)[0])

    def _ticks(self, axis):
        """An axis' ticks inside its limits: place along the axis and words, in turn."""
        across = axis.axes.xaxis is axis
        locations = np.asarray(axis.get_majorticklocs(), float)
        names = axis.get_major_formatter().format_ticks(locations)
        low, high = sorted(axis.get_view_interval())
        points = np.zeros((len(locations), 2))
        points[:, 0 if across else 1] = locations
        places = np.reshape(self._points(axis.axes.transData.transform(points)), (-1, 2))[:, 0 if across else 1]
        inside = (locations >= low - 1e-9 * (high - low)) & (locations <= high + 1e-9 * (high - low))
        pairs = zip(places.tolist(), names, inside, strict=True)
        return [part for place, name, here in pairs if here for part in (place, name)]

    def _style(self, artist):
        from matplotlib.colors import to_hex

        pixel = self.figure.dpi / 72 / self._scale  # of the page, in a point
        box = artist.get_window_extent() if hasattr(artist, "cmap") else artist.axes.bbox
        clip = self._points([[box.x0, box.y1], [box.x1, box.y0]])
        if _is_axis(artist):
            label = artist.get_major_ticks()[0].label1
            grid = artist.get_gridlines()[0]
            return {
                "kind": "axis",
                "clip": clip,
                "across": artist.axes.xaxis is artist,
                "font": round(label.get_fontsize() * pixel, 1),
                "ink": to_hex(label.get_color()),
                "grid": to_hex(grid.get_color()) if grid.get_visible() else "",
                "alpha": 1,
            }
        common = {"clip": clip if artist.get_clip_on() else [], "alpha": artist.get_alpha() or 1}
        if hasattr(artist, "cmap"):
            colours = [artist.cmap(0.0), artist.cmap(1.0), artist.cmap.get_bad()]
            return {"kind": "levels", "shape": list(self._levels), "colours": [to_hex(c) for c in colours], **common}
        if hasattr(artist, "get_xydata"):
            return {"kind": "line", **self._line(artist, pixel, to_hex), **common}
        return {
            "kind": "patch",
            "face": to_hex(artist.get_facecolor()) if artist.get_fill() else "",
            "edge": to_hex(artist.get_edgecolor()) if artist.get_edgecolor()[3] else "",
            "width": round(artist.get_linewidth() * pixel, 2),
            "hatch": artist.get_hatch() or "",
            **common,
        }

    def _line(self, line, pixel, to_hex):
        dashed = line.get_linestyle() not in ("None", "", " ", "none")
        _, dashes = line._dash_pattern if dashed else (0, None)  # in points, scaled by the line's width
        marker = line._marker
        mark = []
        if marker.get_marker() not in ("", "None", " ", None, "none"):
            sign = marker.get_path().transformed(marker.get_transform().scale(line.get_markersize() * pixel))
            for outline in sign.to_polygons(closed_only=False):
                mark.append((np.asarray(outline) * [1, -1]).round(2).ravel().tolist())
        face = line.get_markerfacecolor()
        hollow = not marker.is_filled() or (isinstance(face, str) and face.lower() == "none")
        return {
            "stroke": to_hex(line.get_color()) if dashed else "",
            "width": round(line.get_linewidth() * pixel, 2),
            "dashes": [round(d * pixel, 2) for d in dashes or ()],
            "marker": mark,
            "face": "" if hollow else to_hex(face),
            "edge": to_hex(line.get_markeredgecolor()),
            "edge_width": round(line.get_markeredgewidth() * pixel, 2),
        }


def _listed(points):
    """Points (n, 2) -> [x, y, x, y, ...], without what is nan."""
    return points[~np.isnan(points[:, 0])].ravel().tolist()


def _is_axis(artist):
    return hasattr(artist, "get_major_formatter")
