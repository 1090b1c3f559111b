"""Text out of a file, a net or a learner is data: shown as it is, never run, wherever it comes out.

    html("<b>{name}</b> keeps {share:.1%}", name=layer, share=0.08)     captions and tables; arguments are escaped
    visible(name, 24)                                                    a line on a terminal
    drawn(name)                                                          text in a matplotlib figure
    script_json(value)                                                   JSON inside a page

An f-string with a tag in it is refused by a test: the template function is the only way from text to HTML.
"""

import json
import math
import re

from markupsafe import Markup, escape

LONGEST = 200
"""Characters of a text between tags; a name that is longer is cut off."""

_CODE = re.compile("`([^`]+)`")


def html(template, *arguments, **named):
    """``template.format(...)`` as Markup, with every argument escaped that is not Markup itself.

        html("<b>{}</b> of {}", "a<b", 3) -> Markup('<b>a&lt;b</b> of 3')

    A string argument is made ``visible`` and cut after LONGEST characters; give ``words(text)`` for a long one.
    """
    shown = {name: _shown(value) for name, value in named.items()}
    return Markup(template).format(*map(_shown, arguments), **shown)


def words(text):
    """Any text as Markup: Markup as it is, everything else ``visible`` and escaped, as long as it is."""
    return text if isinstance(text, Markup) else escape(_lines(str(text)))


def coded(text):
    """Any text as Markup, what stands between backticks set as code: coded("run `x`") -> 'run <code>x</code>'."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(words(text))))  # of words that are escaped


def number(value, digits=3):
    """A number for people, so many digits that count and no power of ten: 1060.4 -> '1,060', -0.012 -> '−0.012'."""
    rounded = float(f"{value:.{digits}g}") + 0.0  # no minus before a zero
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    text = f"{rounded:,.{places}f}".replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(value, places=3):
    """A change with its sign, and no sign before a zero: '+0.018', '−1,310.004', '0.000'."""
    text = f"{value:+,.{places}f}"
    return text.replace("-", "−") if round(value, places) else text[1:]


def percent(share):
    """A share 0..1 in percent: one digit after the point, more where it would read 0 or 100 and is not: '99.96%'."""
    places = 1 if 0.005 <= share <= 0.995 else 2
    while places < 8 and 0 < share < 1 and float(f"{100 * share:.{places}f}") in (0, 100):
        places += 1
    return f"{100 * share:.{places}f}%" if 0 < share < 1 else f"{100 * share:.0f}%"


def joined(separator, parts):
    """``separator.join(parts)`` as Markup; parts that are not Markup are escaped."""
    return words(separator).join(words(part) for part in parts)


def visible(text, most=None):
    r"""A text as one line that can do nothing: what is not printable stands there as its escape.

        visible("a\x1b[2Jb\n") -> 'a\\x1b[2Jb\\n'

    So control characters, ANSI sequences, line ends, and marks that turn the direction of reading are seen, not
    obeyed. At most ``most`` characters (None for all); the last is then "…".
    """
    text = str(text)
    cut = text if most is None else text[: most + 1]  # before it is read through: names may be megabytes
    shown = cut if cut.isprintable() else "".join(map(_printable, cut))
    return shown if most is None or len(shown) <= most else f"{shown[: most - 1]}…"


def counted(count, word, written=None):
    """A count with its word: counted(1, "bit") -> '1 bit'; counted(3, "entry") -> '3 entries'.

    ``written`` is the count as it is to stand there.
    """
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count if written is None else written} {word if count == 1 else many}"


def drawn(text, most=24):
    """``visible`` text for a matplotlib figure, where a dollar is a dollar and begins no formula."""
    return visible(text, most).replace("$", r"\$")


def script_json(value):
    """JSON that may stand inside a script element: no character in it can end or open anything in HTML."""
    text = json.dumps(value, separators=(",", ":"))  # ensure_ascii: U+2028 and U+2029 are escaped already
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _shown(value):
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _lines(value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…")


def _lines(text):
    return "\n".join(map(visible, text.split("\n")))  # in HTML a line end is a space


def _printable(character):
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
