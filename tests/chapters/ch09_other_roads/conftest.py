"""A few digits, the same for all tests of this folder."""

import pytest
import torch

from dcviz.nets import datasets


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    """200 held-out digits."""
    return datasets.digits().test.take(slice(0, 200))
