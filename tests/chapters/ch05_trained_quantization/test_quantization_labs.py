"""Chapter 5's labs without a browser: Fig. 3 exactly, the codebook's share, live fine-tuning."""

import numpy as np
import pytest

from dcviz import labs
from dcviz.chapters.ch05_trained_quantization.codebook_lab import LAYERS, CodebookLab
from dcviz.chapters.ch05_trained_quantization.figures import number
from dcviz.chapters.ch05_trained_quantization.finetune_lab import FinetuneLab
from dcviz.chapters.ch05_trained_quantization.gradient_lab import GradientLab
from dcviz.chapters.ch05_trained_quantization.measure import PAPER, slopes, table6
from dcviz.errors import NetError
from dcviz.evidence import paper, recordings
from dcviz.ideas.kmeans import compression_rate
from dcviz.labkit.base import plain
from dcviz.labkit.prediction import Prediction

FIGURE3 = paper.table("figure3_weight_sharing_example")


def quoted(name):
    return [FIGURE3[name][str(i)] for i in range(4)]


def test_gradient_lab_opens_as_figure_3():
    lab = GradientLab()
    assert np.reshape(lab.view.codes, (4, 4)).tolist() == FIGURE3["cluster_index"]
    np.testing.assert_allclose(lab.view.centroids, quoted("centroids"), atol=1e-9)
    np.testing.assert_allclose(lab.view.reduced, quoted("reduced_gradient"), atol=1e-9)
    np.testing.assert_allclose(lab.view.tuned, quoted("fine_tuned"), atol=1e-9)
    assert "These are Fig. 3's numbers" in plain(lab.caption.value)
    assert "4 values instead of 16" in plain(lab.caption.value)
    assert "3.2" not in plain(lab.caption.value), "a question of this chapter"


def test_gradient_lab_the_mean_misses_the_figure():
    lab = GradientLab(reduce="mean")
    np.testing.assert_allclose(lab.reduced, np.array(quoted("reduced_gradient")) / [4, 5, 3, 4], atol=1e-9)
    assert not np.allclose(lab.tuned, quoted("fine_tuned"), atol=0.005)
    assert "Fig. 3's numbers" not in plain(lab.caption.value)


def test_gradient_lab_edits_reach_everything_and_reset_undoes_them():
    lab = GradientLab()
    figure3 = repr(lab)
    gradients = list(lab.gradients)
    gradients[0] += 1.0
    lab.view.gradients = gradients  # what the browser does when a cell is edited
    assert lab.reduced[3] == pytest.approx(1.04)
    assert lab.tuned[3] == pytest.approx(2.0 - 1.04)
    lab.learning_rate = 0.5
    assert lab.tuned[3] == pytest.approx(2.0 - 0.52)
    assert lab.predicted_change == pytest.approx(-0.5 * np.sum(lab.reduced**2))
    lab.reset_button.click()
    assert repr(lab) == figure3


def test_gradient_lab_the_caption_speaks_of_the_cluster_that_was_changed():
    lab = GradientLab()
    assert "Cluster 1 owns 5 weights" in plain(lab.caption.value)  # the largest
    lab.view.gradients = [1.0, *lab.gradients[1:]]
    assert "Cluster 3 owns 4 weights" in plain(lab.caption.value)
    assert "1.00" in plain(lab.caption.value)
    assert labs.recreate(repr(lab)).caption.value == lab.caption.value
    lab.view.gradients = [*lab.gradients[:4], 0.5, *lab.gradients[5:]]
    assert f"Cluster {lab.codes[4]} owns" in plain(lab.caption.value)
    lab.reset()
    assert "Cluster 1 owns 5 weights" in plain(lab.caption.value)


def test_gradient_lab_steps_keep_the_codes_even_where_values_cross():
    lab = GradientLab(learning_rate=50.0)  # value 3 falls from 2 to 0, below value 2
    codes, tuned = lab.view.codes, list(lab.tuned)
    assert tuned[3] < tuned[2]
    lab.keep_button.click()
    assert lab.view.codes == codes
    np.testing.assert_allclose(lab.centroids, tuned, atol=1e-5)
    again = labs.recreate(repr(lab))
    assert repr(again) == repr(lab)
    assert again.view.codes == codes
    lab.view.weights = [1.0, *lab.weights[1:]]  # an edit by hand clusters anew
    assert lab.kept_codes == []
    assert lab.centroids.tolist() == sorted(lab.centroids)
    lab.reset()
    assert "These are Fig. 3's numbers" in plain(lab.caption.value)
    assert lab.error == ""


def test_gradient_lab_with_fewer_values_than_clusters():
    lab = GradientLab()
    lab.weights = [0.5] * 8 + [-0.5] * 8
    assert lab.error == ""
    assert lab.centroids.tolist() == [-0.5, 0.5]
    assert lab.reduced.size == lab.tuned.size == 2


def test_numbers_are_never_minus_zero():
    assert number(-0.001) == "0.00"
    assert number(-0.04) == "−0.04"


def test_codebook_lab_counts_as_section_3():
    lab = CodebookLab()
    assert lab.rate == compression_rate(16, 32, 4) == pytest.approx(3.2)
    assert (lab.code_bytes, lab.codebook_bytes) == (4, 16)
    assert lab.choice.value == "Fig. 3's example"
    lab.choice.value = "AlexNet fc6, pruned"
    assert (lab.n, lab.bits) == LAYERS["AlexNet fc6, pruned"]
    assert lab.overhead < 1e-4
    assert "negligible" in plain(lab.caption.value)
    lab.bits = 12
    assert lab.choice.value == "a layer of your own"
    assert lab.bars[1].get_width() == pytest.approx(100 * lab.codebook_bytes / (4 * lab.n))
    assert lab.dot.get_ydata()[0] == lab.rate


def test_codebook_lab_leaves_out_the_curve_that_answers():
    guess = Prediction("?", low=1.0, high=16.0, truth=lambda lab: lab.rate, at={"n": 16, "bits": 2})
    lab = CodebookLab(n=1000, bits=5, prediction=guess)

    def at_16():
        lines = [line for line in lab.picture().axes[0].lines if line.get_visible() and len(line.get_xdata()) > 2]
        return [np.interp(16, line.get_xdata(), line.get_ydata()) for line in lines]

    def drawn():
        return [bits for bits, parts in lab.curves.items() if all(part.get_visible() for part in parts)]

    assert drawn() == [1, 4, 8, 12]
    assert not np.isclose(at_16(), 3.2, rtol=0.02).any()
    veiled = lab.figure_view.background
    guess.commit(3.0)
    assert drawn() == [1, 2, 4, 8, 12]
    assert np.isclose(at_16(), 3.2, rtol=0.02).any()
    assert lab.figure_view.background != veiled
    assert lab.error == ""


def test_codebook_lab_the_slider_moves_n():
    lab = CodebookLab()
    lab.n_slider.entry.value = 330
    assert lab.n == 330
    assert lab.n_slider.slider.value == round(50 * np.log10(330))
    lab.n_slider.slider.value = 250
    assert lab.n == lab.n_slider.entry.value == 100_000
    lab.n_slider.slider.value = 243
    assert lab.n == 72_400
    lab.n = 8
    assert lab.n_slider.slider.value == lab.n_slider.slider.min
    assert lab.error == ""


def test_codebook_lab_one_bit_is_no_bits():
    said = plain(CodebookLab(n=8, bits=1).caption.value)
    assert "codes of 1 bit, k = 2" in said
    assert "Codes 1 byte +" in said


def test_codebook_lab_says_when_sharing_makes_it_larger():
    lab = CodebookLab(n=16, bits=8)
    assert lab.rate < 1
    assert "larger" in plain(lab.caption.value)


@pytest.fixture(scope="module")
def trained():
    lab = FinetuneLab(bits=1, epochs=0.5)
    lab.train()
    return lab


def test_finetune_moves_values_and_not_codes(trained):
    assert trained.error == ""
    assert trained.steps[0] == 0
    assert trained.steps[-1] == 32  # half of 4,000 digits in batches of 64
    assert len(trained.steps) == len(trained.path) == len(trained.errors)
    for layer in trained.layers:
        assert trained.centroids[layer].shape == (2,)
        assert not np.array_equal(trained.centroids[layer], trained.before[layer])
    np.testing.assert_allclose(trained.view.before, trained.before["fc1"])
    np.testing.assert_allclose(trained.view.centroids, np.sort(trained.centroids["fc1"]))
    assert list(trained.error_line.get_ydata()) == trained.errors
    assert f"fine-tuned {trained.errors[-1]:.1f}%" in plain(trained.caption.value)


def test_finetune_another_layer_keeps_the_run_and_other_bits_forget_it(trained):
    trained.layer = "fc2"
    assert len(trained.errors) > 1
    np.testing.assert_allclose(trained.view.before, trained.before["fc2"])
    trained.bits = 3
    assert (trained.errors, trained.steps) == ([], [0])
    assert trained.before["fc2"].size == 8
    assert "Press Fine-tune" in plain(trained.caption.value)
    assert repr(labs.recreate(repr(trained))) == repr(trained)


def test_finetune_stops_when_told(monkeypatch):
    lab = FinetuneLab(bits=2, epochs=1.0)
    show = lab._show

    def show_then_stop():
        show()
        lab.run.stop()

    monkeypatch.setattr(lab, "_show", show_then_stop)
    lab.run.start(wait=True)
    assert lab.run.message.value == "stopped"
    assert not lab.run.running
    assert lab.steps[-1] < 63
    with pytest.raises(NetError, match="fc7"):
        FinetuneLab(layer="fc7")


def test_the_loss_answers_a_shared_value_with_the_sum():
    found = slopes("lenet-300-100", "fc3", 2)
    np.testing.assert_allclose(found["measured"], found["sum"], rtol=1e-3, atol=1e-7)
    assert found["weights"].sum() == 260
    assert not np.allclose(found["measured"], found["mean"], rtol=0.5)


def test_table_6_has_top_5_as_the_paper_prints_it():
    table = table6(recordings.load("quantization_bits").rows)
    quoted = {(row["conv_bits"], row["fc_bits"]): row for row in paper.table("table6_alexnet_bits").rows}
    row = table.loc["conv 4 bits, fc 2 bits"]
    assert row[PAPER, "top-5 error %"] == f"{quoted[4, 2]['top5_err']:.2f}"
    assert row[PAPER, "change, top-5"] == f"{quoted[4, 2]['top5_increase']:+.2f}"
    assert table.loc["conv 32 bits, fc 32 bits"][PAPER, "change, top-5"] == ""
