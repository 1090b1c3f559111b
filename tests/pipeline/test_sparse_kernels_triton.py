"""The Triton kernels equal dense products: on a GPU where there is one, else by Triton's interpreter.

Whether kernels are interpreted is settled when Triton is imported, so other processes run this file.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed", allow_module_level=True)


def run(what, **options):
    done = subprocess.run([sys.executable, __file__, what], env=os.environ | options, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_products_equal_dense_ones():
    import torch

    options = {} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"}
    assert run("products", **options) == ["products", "30"]


def test_the_kernels_compile_for_gpus_that_are_not_here(tmp_path):
    """The interpreter takes more than the compiler does; this needs no GPU."""
    made = run("machine_code", TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0")
    assert made == ["_vector", "80", "_vector", "90", "_batch", "80", "_batch", "90"]


def machine_code():
    """Compile both kernels for two kinds of GPU, and print their names."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile as compiled

    from dcviz.pipeline import sparse_kernels_triton as kernels

    arrays = {"entries": "*i16", "starts": "*i32", "codebook": "*fp32", "x": "*fp32", "y": "*fp32"}
    sizes = {"BLOCK": kernels._BLOCK}, {"BLOCK": kernels._BATCH_BLOCK, "BATCH": kernels._BATCH}
    for kernel, more, size in zip((kernels._vector, kernels._batch), ({}, {"n": "i32"}), sizes, strict=True):
        signature = arrays | more | dict.fromkeys(size, "constexpr")
        for kind in (80, 90):
            source = ASTSource(fn=kernel, signature=signature, constexprs=size)
            made = compiled(source, target=GPUTarget("cuda", kind, 32))
            assert made.asm["cubin"]
            print(kernel.__name__, kind)


def products():
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
    {"products": products, "machine_code": machine_code}[sys.argv[1]]()
