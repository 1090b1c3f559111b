"""SensitivityLab: measures each layer alone, reads the limit off, and shows the damages adding up."""

import numpy as np
import pytest

from dcviz import labs
from dcviz.chapters.ch02_pruning.sensitivity_lab import SensitivityLab
from dcviz.errors import NetError
from dcviz.nets import datasets, training
from dcviz.pipeline import sensitivity, shipped


@pytest.fixture(scope="module")
def measured():
    lab = SensitivityLab("lenet-300-100", images=100)
    lab.measure()
    return lab


def test_nothing_is_measured_before_the_button():
    lab = SensitivityLab("lenet-300-100")
    assert lab.errors == {}
    assert lab.limit is lab.together is lab.most_sensitive is None
    assert lab.all_run.button.disabled
    assert "Nothing measured yet" in lab.caption.value
    assert not lab.used


def test_the_curves_are_the_measured_errors(measured):
    split = datasets.digits().test.take(slice(0, 100))
    assert list(measured.errors) == ["fc1", "fc2", "fc3"]
    net = shipped.dense("lenet-300-100")
    assert measured.errors["fc2"][0] == training.error_percent(net, split)
    place = sensitivity.DENSITIES.index(0.05)
    assert measured.errors["fc2"][place] == sensitivity.error_together(net, split, {"fc2": 0.05})
    x, y = measured.lines["fc2"].get_data()
    assert x.tolist() == [100 * d for d in sensitivity.DENSITIES]
    assert y.tolist() == measured.errors["fc2"].tolist()
    assert measured.used


def test_a_looser_limit_lets_every_layer_go_further(measured):
    measured.allowed = 0.5
    strict = measured.must_keep
    measured.allowed = 20.0
    loose = measured.must_keep
    assert all(loose[name] < strict[name] for name in strict)
    for name, bar in measured.bars.items():
        assert bar.get_width() == pytest.approx(100 * loose[name])
        errors = measured.errors[name][np.array(sensitivity.DENSITIES) >= loose[name]]
        assert errors.max() <= measured.limit + 1e-6
    assert measured.limit_line.get_ydata()[0] == pytest.approx(measured.limit)


def test_all_layers_at_once(measured):
    measured.allowed = 2.0
    error = measured.measure_together()
    split = datasets.digits().test.take(slice(0, 100))
    assert error == sensitivity.error_together(shipped.dense("lenet-300-100"), split, measured.must_keep)
    assert f"{error:.1f}%" in measured.caption.value
    measured.allowed = 20.0  # other densities: measured for the old ones only
    assert measured.together is None
    assert "not measured yet" in measured.caption.value


def test_another_net_has_other_layers(measured):
    measured.net = "lenet-5"
    assert list(measured.lines) == list(measured.bars) == ["conv1", "conv2", "fc1", "fc2"]
    assert "Nothing measured yet" in measured.caption.value
    measured.net = "lenet-300-100"
    assert measured.errors


def test_what_a_question_asks_is_told_whatever_is_on_show(measured):
    measured.allowed, measured.images = 2.0, 100
    at_two = measured.most_sensitive
    assert at_two is not None
    assert measured.sensitive("lenet-300-100", allowed=2.0, images=100) == at_two
    measured.images = 50
    assert measured.most_sensitive is None  # a run on other digits is no answer
    assert measured.sensitive("lenet-300-100", allowed=2.0, images=100) == at_two
    assert measured.sensitive("lenet-300-100", allowed=2.0, images=50) is None
    assert measured.sensitive("lenet-5", allowed=2.0, images=100) is None
    measured.images = 100


def test_the_allowed_error_decides_which_layer_is_most_sensitive():
    lab = SensitivityLab("lenet-5", images=50)
    middle = len(lab.densities) // 2
    curves = {name: np.zeros(len(lab.densities)) for name in ("conv1", "fc1")}
    curves["conv1"][1:], curves["fc1"][middle:] = 1.5, 9.0
    lab._measured["lenet-5", 50] = curves
    assert lab.sensitive("lenet-5", allowed=1.0, images=50) == "conv1"
    assert lab.sensitive("lenet-5", allowed=2.0, images=50) == "fc1"


def test_stop_leaves_the_lab_unmeasured(monkeypatch):
    lab = SensitivityLab("lenet-300-100", images=50)

    def stop_after_two(net, split, densities, report):
        report(1, 33)
        lab.run.stop()
        report(2, 33)

    monkeypatch.setattr(sensitivity, "error_by_density", stop_after_two)
    lab.measure()
    assert lab.errors == {}
    assert lab.error == ""
    assert not lab.run.running


def test_repr_and_picture(measured):
    measured.allowed = 1.5
    text = repr(measured)
    assert text == "SensitivityLab(net='lenet-300-100', allowed=1.5, images=100)"
    assert repr(labs.recreate(text)) == text
    figure = measured.picture()
    assert len(figure.axes) == 2
    assert len(figure.axes[0].get_lines()) == 4  # three layers and the limit


def test_an_unknown_net_is_named():
    with pytest.raises(NetError, match="no net 'resnet'"):
        SensitivityLab("resnet")
