"""Every role can be read on a light and a dark page, and without its colour."""

import numpy as np
import pytest
from wcag import contrast

from dcviz.labkit import theme


@pytest.mark.parametrize("name", theme.ROLES)
def test_contrast_on_both_grounds(name):
    role = theme.role(name)
    assert contrast(role.colour, theme.LIGHT_GROUND) >= 3
    assert contrast(role.dark, theme.DARK_GROUND) >= 3


def test_contrast_is_the_wcag_ratio():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize(
    "group",
    [
        ("kept", "pruned"),
        ("ours", "paper", "recorded", "guess"),
        ("weight bits", "index bits", "filler", "codebook", "bias", "header"),
    ],
)
def test_roles_that_meet_differ_without_colour(group):
    signs = [(theme.role(n).hatch, theme.role(n).line, theme.role(n).marker) for n in group]
    assert len(set(signs)) == len(group)
    assert len({s[0] for s in signs}) == len(group)  # as areas
    assert len({s[1:] for s in signs}) == len(group)  # as lines


def test_anonymous_series_differ_without_colour():
    assert len({(r.line, r.marker) for r in theme.SERIES}) == len(theme.SERIES)
    assert len({r.hatch for r in theme.SERIES}) == len(theme.SERIES)
    assert theme.series(len(theme.SERIES)) == theme.series(0)


def test_css_names_every_role_for_both_themes():
    light, *dark = theme.css().strip().split("\n")
    assert len(dark) == 2, "told by the front end, and by the browser"
    for name in theme.ROLES:
        assert all(f"--dcviz-{name.replace(' ', '-')}:" in rule for rule in (light, *dark))


def test_figure_stays_out_of_pyplot():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    figure, axes = theme.figure(4, 3)
    axes.plot([1, 2], **theme.line_style("paper"))
    axes.bar([1], [2], **theme.bar_style("pruned"))
    figure.canvas.draw()
    assert pyplot.get_fignums() == before
    assert axes.xaxis.label.get_fontsize() >= 13


def test_unknown_role_names_the_known():
    with pytest.raises(KeyError, match="pruned"):
        theme.role("nobody")


def test_a_text_with_a_halo_is_read_on_black():
    figure, axes = theme.figure(1, 1)
    axes.axvspan(0, 1, color="black")
    axes.text(0.5, 0.5, "7", **theme.halo())
    figure.canvas.draw()
    seen = np.asarray(figure.canvas.buffer_rgba())[40:60, 40:75, :3]
    assert (seen == 255).all(axis=-1).any()
    assert (seen == 0).all(axis=-1).any()
