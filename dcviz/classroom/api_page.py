"""A page of everything public, made from the docstrings when it is wanted: ``python -m dcviz api api.md``.

It reads the sources and runs none of them, so it needs neither torch nor a browser.
"""

import ast

from dcviz.files import ROOT

PACKAGE = ROOT / "dcviz"


def page():
    """The whole page, Markdown: modules by name, their public classes, methods and functions with first sentences."""
    modules = [(_dotted(path), path) for path in sorted(PACKAGE.rglob("*.py"))]
    modules = sorted((name, path) for name, path in modules if not name.rpartition(".")[2].startswith("_"))
    lines = [
        "# Everything public",
        "",
        "Made from the docstrings by `python -m dcviz api`; `help(name)` shows the whole text of each.",
        "",
        ", ".join(f"[{name}](#{_anchor(name)})" for name, _ in modules),
    ]
    for name, path in modules:
        lines += ["", f"## {name}", "", *_module(ast.parse(path.read_text("utf-8")))]
    return "\n".join(lines) + "\n"


def _module(tree):
    lines = [_first(tree)]
    entries = [_entry(node) for node in _public(tree.body)]
    return lines + ([""] if entries else []) + [line for entry in entries for line in entry]


def _entry(node, indent=""):
    """Lines of one class (with its methods) or function."""
    lines = [f"{indent}- `{_signature(node)}`: {_first(node)}".rstrip(": ")]
    if isinstance(node, ast.ClassDef):
        methods = [child for child in _public(node.body) if ast.get_docstring(child)]
        lines += [line for child in methods for line in _entry(child, "  ")]
    return lines


def _signature(node):
    if isinstance(node, ast.ClassDef):
        makers = [child for child in node.body if isinstance(child, ast.FunctionDef) and child.name == "__init__"]
        return f"class {node.name}{_arguments(makers[0]) if makers else ''}"
    if any(ast.unparse(word) in ("property", "functools.cached_property") for word in node.decorator_list):
        return node.name
    return node.name + _arguments(node)


def _arguments(node):
    arguments = node.args
    everything = [*arguments.posonlyargs, *arguments.args]
    if everything and everything[0].arg in ("self", "cls"):
        (arguments.posonlyargs or arguments.args).pop(0)
    return f"({ast.unparse(arguments)})"


def _public(body):
    """The public classes and functions of a module or class."""
    nodes = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node for node in nodes if not node.name.startswith("_")]


def _first(node):
    """The first sentence of a docstring, on one line."""
    text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split()).replace("``", "`")
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _dotted(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _anchor(name):
    return name.replace(".", "").lower()
