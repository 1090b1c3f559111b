import pytest

from dcviz.chapters.ch08_speed_and_energy import figures
from dcviz.labkit import theme


def test_activity_curves_are_geometric_means_over_layers():
    rows = [
        {"layer": layer, "method": method, "active": share, "seconds": seconds}
        for share in (0.5, 1.0)
        for layer, times in (("a", (8.0, 4.0, 4 * share)), ("b", (18.0, 9.0, share)))
        for method, seconds in zip(figures.METHODS, times, strict=True)
    ]
    _, axes = theme.figure(8, 4)
    lines = figures.activity_curves(axes, rows, (0.4, 0.5))
    assert lines["csr"].get_ydata() == pytest.approx([2, 2])
    assert lines["compressed"].get_ydata() == pytest.approx([12, 6])
    assert lines["compressed"].get_xdata().tolist() == [50, 100]
    assert len(axes.lines) == 2 + 2, "and a thin line for each layer"
