"""What the papers print: their tables, figures read off, and numbers computed from both.

The workbook sets its own results beside the paper's and never in the same column. All quoted numbers
come from here, from data/paper_tables.json, each record with its source; nothing is typed in twice.

    paper.tables() -> ["table1_overview", "table2_lenet300", ...]
    table = paper.table("table2_lenet300")
    table["total"]["ratio_PQH"] -> 40
    table.rows[0]["weights_pct_P"] -> 8
    table.source -> "arXiv:1510.00149v5, Table 2"
    table.kind -> "quoted"

Standard library only, and no other module of dcviz but errors: any room may use it.
"""

from copy import deepcopy
from functools import lru_cache

from dcviz.errors import DataError
from dcviz.files import DATA, shipped_json

NETS = {
    "lenet-300-100": ("LeNet-300-100", "table2_lenet300"),
    "lenet-5": ("LeNet-5", "table3_lenet5"),
    "alexnet": ("AlexNet", "table4_alexnet"),
    "vgg-16": ("VGG-16", "table5_vgg16"),
}
"""{our name of a net: (its name in the paper, the table of its layers)}, in the order of the tables."""

PATH = DATA / "paper_tables.json"


class Table(dict):
    """One record of the file: a dict of its own fields, plus a name, a source and its rows."""

    def __init__(self, name, fields):
        super().__init__(fields)
        self.name = name

    @property
    def source(self):
        """Where the numbers are printed, in one line for a caption -> str."""
        details = self["source"]
        return f"{'; '.join(details['sources'])}, {details['where']}"

    @property
    def kind(self):
        """How they came about: "quoted" as printed, "digitized" from a figure, or "derived" -> str."""
        return self["source"]["kind"]

    @property
    def rows(self):
        """The rows as a list of dicts keyed by column, whichever way they are stored.

        Raises DataError for a record that is no table of rows, such as a figure's curves.
        """
        if "rows" not in self:
            raise DataError(f"{self.name} has no rows; its fields are {', '.join(self)}")
        return [row if isinstance(row, dict) else dict(zip(self["columns"], row, strict=True)) for row in self["rows"]]


def tables():
    """Names of all records, in the order of the paper -> list of str. Raises DataError as table does."""
    return [name for name in _load() if not name.startswith("_")]


def table(name):
    """The record of this name -> Table, a copy that the caller may change.

    Raises DataError for an unknown name, and when data/paper_tables.json is missing or damaged.
    """
    if name not in tables():
        raise DataError(f"no table {name!r}; there are {', '.join(tables())}")
    return Table(name, deepcopy(_load()[name]))


def layers(net):
    """{our name of a layer: its row} of the table of a net's layers; the paper's ip1 is our fc1.

    Raises DataError for a net that Tables 2 to 5 do not have.

        layers("lenet-5")["fc1"]["weights_pct_P"] -> 8
    """
    if net not in NETS:
        raise DataError(f"the paper has no table of the layers of {net!r}; it has of {', '.join(NETS)}")
    return {row["layer"].replace("ip", "fc"): row for row in table(NETS[net][1]).rows}


def densities(net, scale=1.0):
    """{our name of a layer: share of its weights kept}, 0..1, as Tables 2 to 5 print it, times ``scale``, at most 1.

    Raises DataError for a net that the tables do not have.

        densities("lenet-300-100", 0.5) -> {"fc1": 0.04, "fc2": 0.045, "fc3": 0.13}
    """
    return {name: min(1.0, scale * row["weights_pct_P"] / 100) for name, row in layers(net).items()}


def published(model):
    """Later results on a net: rows of records_since that were confirmed and have an error -> list of dicts.

    Each has ``counts``: "bytes" where the ratio is of stored sizes, "parameters" where it only counts weights left,
    and the errors before (None if not printed) and after, in percent. ``model`` is how the paper calls the net; for
    "LeNet-5" its Caffe version is meant too.

        published("LeNet-300-100")[0]["ratio"] -> 40
    """
    found = []
    for row in table("records_since").rows:
        if row["model"].removesuffix("-Caffe") == model and row["confirmed"] and row["error_after"] is not None:
            kind = row.get("kind", "")
            counted = "parameters" if "parameter" in kind or "sparse" in kind else "bytes"
            found.append(row | {"counts": counted})
    return found


@lru_cache(maxsize=1)
def _load():
    return shipped_json(PATH)
