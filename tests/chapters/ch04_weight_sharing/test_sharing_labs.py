"""Chapter 4's labs without a browser: set traits, read artists, views and captions."""

import numpy as np
import pytest

from dcviz import labs
from dcviz.chapters.ch04_weight_sharing.figures import error_by_size, round_top, round_tops, share_top
from dcviz.chapters.ch04_weight_sharing.lloyd_lab import LloydLab
from dcviz.chapters.ch04_weight_sharing.sharing_lab import SharingLab
from dcviz.errors import NetError
from dcviz.ideas.kmeans import Lloyd, assign, compression_rate, initialise, kmeans
from dcviz.ideas.kmeans_optimal import optimal
from dcviz.labkit.base import plain
from dcviz.labkit.codebook_view import BINS, CodebookView
from dcviz.labkit.prediction import Prediction

RNG = np.random.default_rng(4)
PRUNED = np.concatenate([RNG.normal(0.3, 0.05, 400), RNG.normal(-0.3, 0.05, 500), [-0.9], np.zeros(99)])
WEIGHTS = {"fc1": PRUNED.reshape(20, 50).astype(np.float32), "conv1": RNG.normal(size=(6, 1, 5, 5)).astype(np.float32)}
KEPT = np.sort(WEIGHTS["fc1"][WEIGHTS["fc1"] != 0]).astype(float)


def sharing(**state):
    return SharingLab("mine", weights=WEIGHTS, **state)


def lloyd(**state):
    return LloydLab("mine", weights=WEIGHTS, **state)


def test_sharing_shows_the_start_of_the_surviving_weights():
    lab = sharing(k=12, init="density")
    np.testing.assert_allclose(lab.values, KEPT)
    np.testing.assert_allclose(lab.centroids, initialise(KEPT, 12, "density"))
    np.testing.assert_allclose(lab.view.centroids, lab.centroids)
    codes = assign(KEPT, lab.centroids)
    assert lab.view.sizes == list(np.bincount(codes, minlength=12))
    assert lab.rate == compression_rate(KEPT.size, 32, 12)
    assert f"{KEPT.size:,} weights" in plain(lab.caption.value)
    assert f"{lab.rate:.2f}×" in plain(lab.caption.value)
    assert np.frombuffer(lab.view.counts, "<u4").sum() == KEPT.size


def test_sharing_counts_empty_clusters_and_centroids_of_large_weights():
    lab = sharing(k=13, init="linear")
    sizes = np.bincount(assign(KEPT, initialise(KEPT, 13)), minlength=13)
    assert lab.empty == np.count_nonzero(sizes == 0) > 0
    assert f"{lab.empty} of them empty" in plain(lab.caption.value)
    largest = np.sort(np.abs(KEPT))[-KEPT.size // 100 + 1]
    assert f"have {np.sum(np.abs(lab.centroids) >= largest)} centroid" in plain(lab.caption.value)


def test_sharing_after_kmeans_and_every_start_has_its_error_line():
    lab = sharing(k=6)
    before = lab.inertia
    lab.lloyd = True
    assert lab.inertia < before
    np.testing.assert_allclose(lab.centroids, kmeans(KEPT, 6, "linear").centroids)
    for init, line in lab.size_lines.items():
        x, y = error_by_size(KEPT, kmeans(KEPT, 6, init).centroids)
        np.testing.assert_allclose(line.get_xdata(), x)
        np.testing.assert_allclose(line.get_ydata(), y)
    assert lab.error == ""


def test_error_by_size_from_running_sums_is_the_same():
    for k in (2, 9):
        centroids = kmeans(KEPT, k).centroids
        np.testing.assert_allclose(error_by_size(Lloyd(KEPT), centroids), error_by_size(KEPT, centroids), rtol=1e-6)


def test_sharing_s_film_shows_what_python_shows():
    lab = sharing(k=5)
    lab.tabulate()
    ks = range(2, 65)
    for init, k in (("forgy", 33), ("linear", 2), ("density", 64)):
        lab.init, lab.k = init, k
        row = lab.film.frame(["linear", "density", "forgy"].index(init) * len(ks) + ks.index(k))
        assert row[0] == lab.caption.value
        assert row[1:3] == [lab.view.centroids, lab.view.sizes]
        assert row[3:] == [lab.figure_view.shapes, lab.figure_view.styles]


def test_sharing_s_film_tells_nothing_until_its_question_is_answered():
    question = Prediction("which?", options=["linear", "density"], truth="linear", at={"init": "linear"})
    lab = sharing(k=5, init="density", prediction=question)
    lab.tabulate()
    assert "have" not in plain(lab.caption.value)
    assert [len(line.get_xdata()) > 0 for line in lab.size_lines.values()] == [False, True, False]
    assert sum(map(bool, lab.figure_view.shapes[1:4])) == 1
    question.commit("density")
    assert sum(map(bool, lab.figure_view.shapes[1:4])) == 3


def test_the_lab_of_an_earlier_question_tells_nothing_of_the_starts_before_theirs():
    lab = sharing(k=5, prediction=Prediction("how many?", key="ch04-two-values", truth=3))
    starts = Prediction("which?", options=["linear", "density"], key="ch04-large", truth="linear")
    lab.prediction.commit(2)
    for k in (6, 7):  # before that question has its answer, and after
        lab.k = k
        lab.tabulate()
        told = starts.answered
        assert ("of their own size" in lab.caption.value) == told
        assert sum(map(bool, lab.figure_view.shapes[1:4])) == (3 if told else 1)
        row = lab.film.frame(k - 2)
        assert (row[0], row[3]) == (lab.caption.value, lab.figure_view.shapes)
        starts.commit("linear")


def test_sharing_another_layer_draw_and_round_trip():
    lab = sharing(k=8)
    lab.layer = "conv1"
    assert lab.values.size == 150
    assert "conv1" in lab.view.label
    lab.draw.click()
    assert (lab.init, lab.seed) == ("forgy", 1)
    np.testing.assert_allclose(lab.centroids, initialise(lab.values, 8, "forgy", 1))
    again = labs.recreate(repr(lab), weights=WEIGHTS)
    assert repr(again) == repr(lab)
    assert again.caption.value == lab.caption.value


def test_sharing_tells_what_cannot_be():
    lab = sharing(k=8)
    lab.k = 5000
    assert "5000" in lab.error
    lab.k = 4
    assert lab.error == ""
    with pytest.raises(NetError, match="fc9"):
        sharing(layer="fc9")


def test_sharing_measures_the_three_starts_on_the_digits():
    lab = SharingLab("lenet-300-100", k=4)
    error = lab.measure()
    assert lab.error == ""
    assert set(lab.measured) == {(True, 4, i, 0, m) for i in ("linear", "density", "forgy") for m in (False, True)}
    assert error == lab.measured[True, 4, "linear", 0, False]
    assert 0 <= min(lab.measured.values()) < 20  # k-means on a pruned net: far from guessing
    assert f"{error:.2f}%" in plain(lab.caption.value)
    assert lab.dots["density", True].get_ydata()[0] == lab.measured[True, 4, "density", 0, True]
    counts = lab.view.counts
    lab.pruned = False
    assert lab.values.size == 235_200, "all weights of the dense net are shared now, and shown"
    assert lab.view.counts != counts


def test_lloyd_steps_down_to_where_nothing_moves():
    lab = lloyd(k=5, init="forgy", seed=3)
    lab.step()
    assert lab.steps == 1
    lab.finish()
    assert lab.converged
    assert lab.steps == len(lab.history) - 1 < 300
    assert all(a >= b for a, b in zip(lab.inertias, lab.inertias[1:], strict=False))
    np.testing.assert_allclose(lab.centroids, kmeans(KEPT, 5, "forgy", 3).centroids)
    np.testing.assert_allclose(lab.view.before, initialise(KEPT, 5, "forgy", 3))
    assert "Nothing moves any more" in plain(lab.caption.value)
    path, dot, _ = lab.inertia_artists
    assert list(path.get_ydata()) == lab.inertias
    assert dot.get_xdata()[0] == lab.steps
    heights = [bar.get_height() for bar in lab.bars if bar.get_visible()]
    np.testing.assert_allclose(heights, 100 * lab.sizes / KEPT.size)
    last = lab.steps
    lab.step()
    assert lab.steps == last


def test_lloyd_plays_until_nothing_moves():
    lab = lloyd(k=5, init="forgy", seed=3)
    while lab.play.value < lab.play.high:  # what its button does in the browser
        lab.play.value += 1
    assert lab.converged
    assert lab.steps == lab.play.high == len(lab.history) - 1
    lab.play.value = 0
    assert lab.steps == 0 < lab.play.high
    lab.reset()
    lab.play.set_state({"value": lab.play.high})  # as "Until nothing moves" does before there is a film
    assert lab.converged
    assert lab.steps == lab.play.value == lab.play.high


def test_lloyd_keeps_what_code_set_while_a_drag_was_on_its_way():
    lab = lloyd(k=4)

    def page(widget, known, **state):
        data = {"method": "update", "state": {**state, "dcviz_moved": [known, 1]}}
        widget.comm.handle_msg({"content": {"data": data}})

    start = [-0.2, -0.1, 0.1, 0.2]
    page(lab.view, 0, dragged=start, centroids=[0.0] * 4)  # with what the film showed
    assert (lab.start, lab.steps, lab.view.centroids, lab.film.moved) == (start, 0, start, 0)
    lab.finish()
    steps, known = lab.steps, lab.film.moved
    assert steps > 0
    assert known > 0
    page(lab.view, 0, dragged=[-0.3, -0.1, 0.1, 0.2], again=1)
    page(lab.play, 0, value=0)
    assert (lab.start, lab.steps, lab.view.dragged, lab.play.value) == (start, steps, start, steps)
    page(lab.k_slider.slider, known, value=6)
    page(lab.view, known, dragged=start, released=1)  # of four: this page had not heard of its own six
    assert (lab.k, lab.start, lab.view.dragged, len(lab.view.centroids)) == (6, [], [], 6)
    assert lab.film.moved == known


def test_lloyd_empty_clusters_stay_and_are_marked():
    lab = lloyd(k=13, init="linear", steps=2)
    assert lab.empty > 0
    at = np.flatnonzero(lab.sizes == 0)
    np.testing.assert_array_equal(lab.crosses.get_xdata(), at)
    np.testing.assert_array_equal(lab.centroids[at], lab.history[1][at])
    assert f"{lab.empty} empty" in plain(lab.caption.value)


def test_lloyd_steps_go_when_the_mouse_comes_back_to_the_start_that_they_were_made_from():
    lab = LloydLab("mine", weights={"fc1": np.random.default_rng(3).normal(size=300)}, start=[-0.4, 0.0, 0.4])
    lab.steps = 2
    lab.view.dragged = [-0.4, 0.0, 0.4]  # no change
    assert lab.steps == 2
    lab.view.again += 1
    assert (lab.start, lab.steps) == ([-0.4, 0.0, 0.4], 0)


def test_lloyd_dragging_is_a_new_start_that_can_be_forgotten():
    lab = lloyd(k=3, steps=4)
    lab.view.dragged = [-0.4, 0.0, 0.4]
    assert (lab.start, lab.steps) == ([-0.4, 0.0, 0.4], 0)
    assert "a start of your own" in plain(lab.caption.value)
    again = labs.recreate(repr(lab), weights=WEIGHTS)
    np.testing.assert_allclose(again.centroids, lab.centroids)
    lab.forget()
    assert lab.view.dragged == []
    np.testing.assert_allclose(lab.centroids, initialise(KEPT, 3))
    lab.view.dragged = [0.1, 0.2, 0.3]
    lab.k = 4
    assert (lab.start, lab.centroids.size) == ([], 4)
    assert [bar.get_visible() for bar in lab.bars] == [i < 4 for i in range(len(lab.bars))]
    assert lab.error == ""


def test_lloyd_s_film_has_the_steps_from_here_and_the_sums_for_every_start():
    lab = lloyd(k=4, init="forgy", seed=2, steps=1)
    lab.tabulate()
    table = lab.film.table()
    lab.finish()
    for k in (4, 2, 16):
        lab.k = k
        lab.finish()
        steps, sizes = table["named"][str(k)], [np.diff(Lloyd(KEPT).edges(c)).tolist() for c in lab.history]
        assert len(steps) == lab.steps + 1
        np.testing.assert_allclose([now for now, _, _ in steps], lab.history, rtol=1e-7)
        assert [owned for _, owned, _ in steps] == sizes
        assert [inertia for _, _, inertia in steps] == pytest.approx(lab.inertias)
    assert (lab.k, lab.film.table()) == (16, table), "it holds all of them"
    lab.k, lab.seed = 4, 3
    grid, counts, sums = lab.view.grid, *map(np.array, table["below"][:2])
    own = np.sort(np.random.default_rng(1).integers(round(KEPT[0] / grid), round(KEPT[-1] / grid), 4))
    cuts = np.concatenate([own[1:] + own[:-1] - table["first"], [-1]])
    lab.view.dragged = (own * grid).tolist()
    assert np.diff(counts[cuts], prepend=0).tolist() == lab.sizes.tolist()
    means = np.diff(sums[cuts], prepend=0) / lab.sizes + table["centre"]
    lab.step()
    np.testing.assert_allclose(means, lab.centroids)


def test_lloyd_takes_a_start_and_ignores_one_that_is_not_written():
    assert lloyd(start=None).start == []
    lab = lloyd(start=np.array([0.2, -0.1]))
    assert (lab.k, lab.start) == (2, [-0.1, 0.2])


def test_lloyd_optimum_is_the_exact_one():
    lab = lloyd(k=6, show_optimum=True, steps=300)
    best = optimal(KEPT, 6).inertia
    assert lab.best.inertia == best
    assert lab.inertia_artists[2].get_visible()
    assert lab.inertia_artists[2].get_ydata()[0] == best
    assert f"{best:.4g}" in plain(lab.caption.value)


def test_codebook_view_gets_histogram_and_exact_sizes():
    view = CodebookView()
    view.show(KEPT)
    counts = np.frombuffer(view.counts, "<u4")
    assert (counts.size, counts.sum()) == (BINS, KEPT.size)
    assert view.low < KEPT[0]
    assert view.high > KEPT[-1]
    view.codebook(np.array([0.0, 1.0]), np.array([3, 0]))
    assert (view.centroids, view.sizes) == ([0.0, 1.0], [3, 0])
    view.show(np.zeros(3))  # one value: still an axis with a width
    assert view.high > view.low


def test_error_by_size_is_the_rounding_error():
    sizes, errors = error_by_size(np.array([0.1, 0.1, -1.0]), np.array([0.0, 0.2]), bins=2)
    np.testing.assert_allclose(errors, [0.1, 1.0])
    np.testing.assert_allclose(sizes, [0.325, 0.775])


def test_axes_end_at_a_few_round_values():
    assert [round_top(0.013), round_top(9.9), round_top(0)] == [0.015, 15, 1]
    assert [share_top(74), share_top(99.9)] == [100, 100]
    tops = round_tops(0.02, 4)
    assert [round_top(x) for x in np.geomspace(0.02, 4, 500)] == pytest.approx(
        [min(top for top in tops if top >= 1.02 * x) for x in np.geomspace(0.02, 4, 500)]
    )


def test_the_stored_picture_has_the_lower_half_of_the_lab():
    lab = SharingLab("lenet-300-100", layer="fc1", k=8)
    lab.measured[True, 8, "linear", 0, False] = 3.0
    lab.update()
    _, errors, measured, *_ = lab.picture().axes
    drawn = [list(line.get_ydata()) for line in errors.lines]
    assert all(list(line.get_ydata()) in drawn for line in lab.size_lines.values())
    assert any(list(line.get_ydata()) == [3.0] for line in measured.lines)
