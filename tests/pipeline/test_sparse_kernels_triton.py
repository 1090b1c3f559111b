"""The Triton kernels equal dense products: on a GPU where there is one, else by Triton's interpreter.

Whether kernels are interpreted is settled when Triton is imported, so another process runs this file's ``main``.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed", allow_module_level=True)


def test_products_equal_dense_ones():
    import torch

    options = {} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, __file__], env=os.environ | options, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["products", "30"]


def main():
    """Compare the kernels with dense products, and print how many were compared."""
    import torch

    from dcviz.pipeline import sparse_kernels

    device = "cuda" if torch.cuda.is_available() else "cpu"
    random, compared = np.random.default_rng(0), 0
    for rows, columns in ((17, 1100), (40, 300), (3, 1)):
        for density in (0.0, 0.004, 0.3, 1.0):  # empty rows, gaps beyond 256, blocks that follow on each other
            if rows == 3 and density == 0.004:
                continue
            drawn = random.choice(np.array([-0.5, 0.25, 1.0], np.float32), (rows, columns))
            weight = np.where(random.random((rows, columns)) < density, drawn, 0).astype(np.float32)
            layer = sparse_kernels.compress(weight)
            for shape in ((columns,), (1, columns), (70, columns)) if rows > 3 else ((columns,), (2, columns)):
                x = torch.from_numpy(random.normal(size=shape).astype(np.float32))
                y = sparse_kernels.product(layer, x.to(device), "triton").cpu()
                expected = x.double() @ torch.from_numpy(weight).double().T
                assert y.shape == expected.shape
                assert torch.allclose(y.double(), expected, atol=2e-4), (rows, columns, density, shape)
                compared += 1
    print("products", compared)


if __name__ == "__main__":
    main()
