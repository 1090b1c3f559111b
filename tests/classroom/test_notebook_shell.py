import sys

from notebook_shell import notebook_shell


def test_a_shell_gives_python_s_own_main_module_back():
    main = sys.modules["__main__"]
    with notebook_shell() as shell:
        shell.run_cell("x = 1")
        assert sys.modules["__main__"] is not main
    assert sys.modules["__main__"] is main
