"""A network in place of the inner product: it contains SVD, learns what SVD cannot, and comes back from its file."""

import numpy as np
import pytest
import torch

from dcviz import archive
from dcviz.archive import Layer, StoredNet
from dcviz.chapters.ch09_other_roads import nnmf, svd
from dcviz.errors import NetError
from dcviz.nets import training
from dcviz.pipeline import shipped


def parameters(n, m, own, shared, hidden):
    """Numbers that the factors hold: vectors of rows and columns, and the network."""
    return (n + m) * (own + shared) + hidden * (2 * own + shared + 2) + shared + 1


def test_entries_are_what_the_formula_says():
    factors = nnmf.Factors(4, 5, own=2, shared=3, hidden=6, seed=1)
    f = {key: value.detach().numpy().astype(float) for key, value in factors.named_parameters()}
    for i, j in ((0, 0), (3, 4), (1, 2)):
        products = f["rows_shared"][i] * f["columns_shared"][j]
        inside = f["rows_own"][i] @ f["of_rows"] + f["columns_own"][j] @ f["of_columns"]
        inside = inside + products @ f["of_products"] + f["offset"]
        value = f["scale"] * (products @ f["straight"] + np.tanh(inside) @ f["out"])
        assert factors.matrix()[i, j] == pytest.approx(value.item(), rel=1e-5)
    numbers = sum(p.numel() for p in factors.parameters())
    assert numbers == parameters(4, 5, 2, 3, 6)


def test_starting_from_svd_it_ends_no_worse():
    weight = shipped.dense("lenet-300-100").fc2.weight.detach().numpy()[:30, :60]
    start = svd.factors(weight, 3)
    fitted = nnmf.fit(weight, 0, 3, hidden=4, steps=150, start=start)
    assert fitted.relative_error < svd.relative_error(svd.spectrum(weight), 3)
    assert fitted.parameters == parameters(30, 60, 0, 3, 4)
    again = nnmf.fit(weight, 0, 3, hidden=4, steps=150, start=start)
    assert np.array_equal(again.factors.matrix(), fitted.factors.matrix())


def test_it_fits_a_bent_matrix_that_no_low_rank_fits():
    rng = np.random.default_rng(0)
    weight = np.tanh(3 * np.outer(rng.normal(size=20), rng.normal(size=25)))
    fitted = nnmf.fit(weight, 1, 1, hidden=6, steps=600)
    assert fitted.relative_error < 0.6 * svd.relative_error(svd.spectrum(weight), 1)


def test_the_file_has_the_factors_and_brings_the_computed_weights_back(digits):
    net = shipped.dense("lenet-300-100")
    fitted = nnmf.fit(net.fc2.weight.detach().numpy(), 1, 6, steps=20)
    data = archive.dumps(nnmf.store(net, {"fc2": fitted.factors}))
    assert len(data) == pytest.approx(4 * (266_610 - 30_000 + fitted.parameters), abs=800)
    back = nnmf.restore(archive.loads(data))
    assert np.array_equal(back.fc2.weight.detach().numpy(), fitted.factors.matrix())
    assert torch.equal(back.fc2.bias, net.fc2.bias)
    assert torch.equal(back.fc1.weight, net.fc1.weight)
    assert training.error_percent(back, digits) <= 100
    without = nnmf.fit(net.fc2.weight.detach().numpy(), 0, 2, steps=1)
    stored = archive.loads(archive.dumps(nnmf.store(net, {"fc2": without.factors})))
    assert np.array_equal(nnmf.restore(stored).fc2.weight.detach().numpy(), without.factors.matrix())


def test_factors_that_do_not_fit_are_refused():
    net = shipped.dense("lenet-300-100")
    stored = nnmf.store(net, {"fc2": nnmf.Factors(100, 300, 1, 2, 3)})
    lost = StoredNet(stored.name, tuple(layer for layer in stored.layers if not layer.name.endswith("columns_shared")))
    with pytest.raises(NetError, match="do not fit together"):
        nnmf.restore(lost)
    odd = [
        Layer(x.name, np.ones((5, 5), np.float32), bare=True) if x.name.endswith("of_rows") else x
        for x in stored.layers
    ]
    with pytest.raises(NetError, match="do not fit together"):
        nnmf.restore(StoredNet(stored.name, tuple(odd)))
    with pytest.raises(NetError, match="only a matrix"):
        nnmf.fit(np.ones((2, 2, 2)), 1, 1)
