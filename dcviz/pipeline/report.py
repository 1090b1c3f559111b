"""What became of every byte, to read, to go on with, and to look at: the report of a compressed net."""

from dataclasses import fields

from dcviz.archive import Breakdown

GROUPS = {
    "weights": ("codebooks", "code_tables", "weight_bits", "weight_bits_fillers"),
    "positions": ("index_bits", "index_bits_fillers", "lane_starts"),
    "biases": ("biases",),
    "kept as they are": ("kept",),
    "names and sums": ("header", "checksums"),
}
"""{what a reader asks for: the parts of the file (``archive.PARTS``) that are it}."""


class Report(Breakdown):
    """A ``Breakdown`` that can be read: ``print``, ``table()`` (a DataFrame), ``picture()`` (a figure to save)."""

    @classmethod
    def of(cls, breakdown):
        """The report of a ``Breakdown``."""
        return cls(**{field.name: getattr(breakdown, field.name) for field in fields(Breakdown)})

    def table(self):
        """A row a tensor and a last one of all: a DataFrame with numbers, bytes and percent.

        "dense" is what the tensors take in the net; the header counts in the last row only, so that row is the file.
        """
        import pandas as pd

        rows = [
            {
                "shape": " x ".join(map(str, layer.shape)),
                "weights": layer.weights,
                "kept %": 100 * layer.nonzeros / max(layer.weights, 1),
                "values": layer.codebook,
                "bits a weight kept": layer.weight_bits,
                "bits a position": layer.index_bits,
                "bytes": layer.file_bytes,
            }
            for layer in self.layers
        ]
        table = pd.DataFrame(rows, index=[layer.name for layer in self.layers])
        weights = sum(layer.weights for layer in self.layers)
        whole = {
            "shape": "",
            "weights": weights,
            "kept %": 100 * sum(layer.nonzeros for layer in self.layers) / max(weights, 1),
            "values": sum(layer.codebook for layer in self.layers),
            "bits a weight kept": float("nan"),
            "bits a position": float("nan"),
            "bytes": self.file_bytes,
        }
        return pd.concat([table, pd.DataFrame(whole, index=["the file"])]).rename_axis("tensor")

    def groups(self):
        """{what it is for: bytes} of the whole file; the values add up to its length."""
        found = {name: sum(self.parts.get(part, 0) for part in parts) for name, parts in GROUPS.items()}
        found["other"] = self.file_bytes - sum(found.values())
        return {name: size for name, size in found.items() if size}

    def picture(self):
        """A matplotlib figure: bytes of each tensor (the largest twenty), and what the file's bytes are for."""
        from matplotlib.figure import Figure

        largest = sorted(self.layers, key=lambda layer: -layer.file_bytes)[:20][::-1]
        groups = self.groups()
        figure = Figure((9, 1.6 + 0.25 * max(len(largest), len(groups))), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        left.barh(range(len(largest)), [layer.file_bytes for layer in largest], color="#4477aa")
        names = [_printable(layer.name.replace("\n", " "))[:40] for layer in largest]
        left.set_yticks(range(len(largest)), labels=names, parse_math=False)
        left.set(xlabel="bytes in the file", title=f"{self.file_bytes:,} bytes, {self.ratio:.1f} times smaller")
        right.barh(list(groups)[::-1], list(groups.values())[::-1], color="#ccbb44", hatch="//", edgecolor="#555555")
        right.set(xlabel="bytes", title="what they are for")
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(axis="x", labelrotation=30)
        return figure

    def __str__(self):
        groups = ", ".join(f"{name} {size:,}" for name, size in self.groups().items())
        table = self.table().to_string(float_format=lambda x: f"{x:.1f}", na_rep="")
        return _printable(f"{self.net}: {self.sentence}\nbytes: {groups}\n\n{table}")


def _printable(text):
    """Text in which names out of a file cannot move a terminal's cursor."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)
