"""The worked example in CONTRIBUTING.md is run, and held to what all labs promise."""

import importlib.util
import inspect
import re

import pytest
import test_all_labs
from test_all_labs import walk

from dcviz.files import ROOT
from dcviz.labkit.base import parse
from dcviz.labkit.controls import LabelledSlider

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
CODE = re.search(r"^```python\n(.+?)^```", TEXT, re.S | re.M)[1]
PROMISES = [
    test
    for name, test in vars(test_all_labs).items()
    if name.startswith("test_") and list(inspect.signature(test).parameters) == ["lab"] and "repr" not in name
]


@pytest.fixture(scope="module")
def coin_lab(tmp_path_factory):
    path = tmp_path_factory.mktemp("example") / "coin_lab.py"
    path.write_text(CODE, "utf-8")
    spec = importlib.util.spec_from_file_location("coin_lab", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CoinLab


def test_it_is_about_30_lines_of_code():
    inside = CODE[CODE.index("class ") :]
    assert 25 <= len([line for line in inside.splitlines() if line.strip()]) <= 36


def test_promises_are_found():
    assert len(PROMISES) >= 7


@pytest.mark.parametrize("promise", PROMISES, ids=lambda test: test.__name__)
def test_the_example_keeps_what_all_labs_promise(coin_lab, promise):
    promise(coin_lab())


def test_the_example_moves(coin_lab):
    lab = coin_lab(heads=0.5)
    assert "1.000 bits" in lab.caption.value
    slider = next(widget for widget, _ in walk(lab) if isinstance(widget, LabelledSlider))
    slider.entry.value = 0.9
    assert "0.469 bits" in lab.caption.value
    assert repr(lab) == "CoinLab(heads=0.9)"
    assert repr(coin_lab(**parse(repr(lab))[1])) == repr(lab)
