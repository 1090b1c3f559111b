"""TeX in a page becomes MathML, which browsers draw by themselves: no script, no web font, no network."""

import html
import re

from dcviz.classroom.exports import ExportError

_CODE = re.compile(r"(<(pre|code|math|script|style)\b.*?</\2>)", re.S)
_TEX = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^$\n]+?(?:\n[^$\n]+?)?)\$(?![\d$])", re.S)
_BAR = re.compile(r"<mo[^>]*>(&#x0007C;|\|)</mo>")


def mathml(tex, block=False):
    """MathML of a formula: mathml("k^2") -> '<math ...>'. ExportError if it cannot be read."""
    try:
        from latex2mathml.converter import convert
    except ImportError as error:
        raise ExportError('formulas need latex2mathml: pip install "dcviz[classroom]"') from error
    try:
        made = convert(tex.strip(), display="block" if block else "inline")
    except Exception as error:  # the converter raises many kinds
        raise ExportError(f"this formula cannot be shown: {tex!r} ({type(error).__name__}: {error})") from error
    return _BAR.sub('<mo stretchy="false" lspace="0" rspace="0">|</mo>', made)  # |w| without gaps


def in_page(markup):
    """HTML with every $...$ and $$...$$ outside of code as MathML."""

    def formula(match):
        block = match["block"] is not None
        return mathml(html.unescape(match["block"] if block else match["inline"]), block)

    parts = _CODE.split(markup)  # text, code, its tag, text, ...
    return "".join(_TEX.sub(formula, part) if i % 3 == 0 else part for i, part in enumerate(parts) if i % 3 != 2)
