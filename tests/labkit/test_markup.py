"""Text out of files, nets and learners is data, wherever it comes out."""

import ast
import json
import re
from pathlib import Path

import matplotlib.text
import pytest
from markupsafe import Markup

import dcviz
from dcviz.labkit import theme
from dcviz.labkit.markup import (
    LONGEST,
    coded,
    counted,
    drawn,
    html,
    joined,
    number,
    percent,
    script_json,
    signed,
    visible,
    words,
)

PACKAGE = Path(dcviz.__file__).parent
TAG = re.compile(r"<[A-Za-z/!]")
MARKUP_MADE_HERE = {"markup.py", "pages.py"}  # the template function, and a Caption's own value read back
INNER_HTML = {"caption.js": 1, "live.js": 1}  # what a Caption holds


def unsafe_markup(tree):
    """Ways in a syntax tree to put a bare value between tags -> list of 'line: what'."""
    found = []

    def tagged(node):
        return any(
            isinstance(n, ast.Constant) and isinstance(n.value, str) and TAG.search(n.value) for n in ast.walk(node)
        )

    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            literal = "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
            if "\0" in literal and TAG.search(literal):
                found.append((node.lineno, "f-string"))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            sides = node.left, node.right
            bare = [side for side in sides if isinstance(side, ast.Constant | ast.JoinedStr) and tagged(side)]
            if bare and not all(isinstance(side, ast.Constant) for side in sides):
                found.append((node.lineno, "% or +"))
        elif isinstance(node, ast.Attribute) and node.attr in ("format", "format_map", "join") and tagged(node.value):
            found.append((node.lineno, node.attr))
    return [f"{line}: {what}" for line, what in found]


def trusted(tree):
    """Calls that say of a value, not of a constant, that it is markup -> list of lines."""
    kinds = {"Markup": ast.Constant, "html": ast.Constant | ast.Name, "say": ast.Constant | ast.Name}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [(node, getattr(node.func, "id", getattr(node.func, "attr", ""))) for node in calls]
    return [node.lineno for node, name in named if name in kinds and not isinstance(_table(node.args[0]), kinds[name])]


def _table(node):
    """Of a template out of a table in capitals, WORDS["all"], the table: a constant of its module."""
    inside = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id.isupper()
    return node.value if inside else node


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_bare_value_stands_between_tags(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert unsafe_markup(tree) == []
    assert path.name in MARKUP_MADE_HERE or trusted(tree) == []


@pytest.mark.parametrize(
    "code",
    [
        "f'<b>{name}</b>'",
        "'<b>%s</b>' % name",
        "'<b>{}</b>'.format(name)",
        "'<b>' + name",
        "name + '</b>'",
        "'<br>'.join(names)",
        "f'a</p>{name}'",
    ],
)
def test_a_bare_value_would_be_found(code):
    assert unsafe_markup(ast.parse(code))


def test_what_is_no_markup_is_left_alone():
    assert not unsafe_markup(ast.parse("f'{a} < {b}'; f'{a}'; '<b>' '</b>'; html('<b>{}</b>', name); 'a < %d' % 3"))
    assert trusted(ast.parse("Markup(name)"))
    assert trusted(ast.parse("html(f'{name}')"))
    assert trusted(ast.parse("self.say(name + '</b>')"))
    assert trusted(ast.parse("html(state['name'])"))
    assert not trusted(ast.parse("Markup(''); html('{}', name); html(WORDS['all'], name)"))


def test_scripts_take_text_as_text():
    for path in PACKAGE.rglob("*.js"):
        code = path.read_text("utf-8")
        assert len(re.findall(r"\.innerHTML *=[^=]", code)) == INNER_HTML.get(path.name, 0), path.name
        assert not re.search(r"outerHTML|insertAdjacentHTML|createContextualFragment|srcdoc", code), path.name


def test_the_template_escapes_its_arguments_and_only_them():
    made = html("<b>{}</b> of {name:}, {share:.1%}, {inner}", "a<b", name="'&\"", share=0.125, inner=html("<i>x</i>"))
    assert made == "<b>a&lt;b</b> of &#39;&amp;&#34;, 12.5%, <i>x</i>"
    assert isinstance(made, Markup)
    assert isinstance(made + "<", Markup)
    assert made + "<" == f"{made}&lt;"


def test_a_long_argument_is_cut_and_words_are_not():
    assert len(html("{}", "x" * 10**6)) == LONGEST
    assert html("{}", words("x" * 1000)) == "x" * 1000


def test_words_and_joined():
    assert words("a<b\nc\x1b") == "a&lt;b\nc\\x1b"
    assert words(html("<i>{}</i>", "<")) == "<i>&lt;</i>"
    assert joined(", ", ["<", html("<b>{}</b>", 1), 2]) == "&lt;, <b>1</b>, 2"
    assert isinstance(joined(", ", []), Markup)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fc1", "fc1"),
        ("größer · 数", "größer · 数"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\rb\nc\td\0", r"a\rb\nc\td\x00"),
        ("a\x9b31mb\x7f", r"a\x9b31mb\x7f"),
        ("a\u202eb\u2066c\u200f", r"a\u202eb\u2066c\u200f"),
        ("\u2028\u2029\ufeff\u200b", r"\u2028\u2029\ufeff\u200b"),
        ("\udc80", r"\udc80"),
        (Path("a/b\n"), r"a/b\n"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_its_escape(text, shown):
    assert visible(text) == shown
    assert visible(text).isprintable()


def test_long_names_are_shortened():
    assert visible("x" * 10**5, 10) == "x" * 9 + "…"
    assert visible("\0" * 10**5, 10) == r"\x00\x00\…"[:9] + "…"
    assert visible("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize("name", [r"$\frac{$", "$x$", r"\$", "$", "$$", r"\\$a$", "{$}_^"])
def test_a_dollar_in_a_figure_is_a_dollar(name):
    figure, axes = theme.figure(2, 2)
    text = axes.set_title(drawn(name))
    assert text._preprocess_math(text.get_text())[1] is False
    figure.canvas.draw()


def test_the_same_name_without_it_would_raise():
    figure, axes = theme.figure(2, 2)
    axes.set_title(r"$\frac{$")
    with pytest.raises(ValueError, match="frac"):
        figure.canvas.draw()
    assert matplotlib.text.Text(text=drawn("$x$")).get_text() == r"\$x\$"


def test_json_in_a_page_is_json_and_nothing_else():
    value = {"a<!--b": ["</script>", "&amp;", "\u2028\u2029", "<![CDATA[", "\0"]}
    text = script_json(value)
    assert json.loads(text) == value
    assert not re.search("[<>&\u2028\u2029\0]", text)


def test_a_change_has_its_sign_and_a_zero_none():
    assert [signed(value) for value in (0.0184, -0.0041, -0.0004, 0)] == ["+0.018", "−0.004", "0.000", "0.000"]
    assert [signed(value, 0) for value in (1310, -2340, -0.4)] == ["+1,310", "−2,340", "0"]


def test_counted():
    assert [counted(n, "bit") for n in (0, 1, 2)] == ["0 bits", "1 bit", "2 bits"]
    assert counted(3, "entry") == "3 entries"
    assert counted(2, "bit", "1 to 2") == "1 to 2 bits"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1060.4, "1,060"),
        (1430, "1,430"),
        (12.345, "12.3"),
        (0.012345, "0.0123"),
        (100.0, "100"),
        (20.0, "20"),
        (0.0, "0"),
        (-0.0, "0"),
        (-0.05, "−0.05"),
        (999.96, "1,000"),
        (5e12, "5,000,000,000,000"),
    ],
)
def test_a_number_for_people_has_three_digits_that_count_and_no_power_of_ten(value, said):
    assert number(value) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.5, "50.0%"),
        (0.7391, "73.9%"),
        (1 - 84 / 235_200, "99.96%"),
        (1 - 3 / 37_748_736, "99.99999%"),
        (1, "100%"),
        (0, "0%"),
        (1e-6, "0.0001%"),
    ],
)
def test_a_share_reads_0_or_100_percent_only_where_it_is(share, said):
    assert percent(share) == said


def test_what_stands_between_backticks_is_code_and_the_rest_is_text():
    assert coded("by `python -m x <net>`, <b>") == "by <code>python -m x &lt;net&gt;</code>, &lt;b&gt;"
    assert coded("one ` alone") == "one ` alone"
