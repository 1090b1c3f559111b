"""A page that says in the way of each front end whether it is dark: labs can be read on all of them, and follow."""

import base64
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect
from wcag import contrast

from dcviz.labkit import controls, theme

PAGE = """<!doctype html><html lang="en"><head><style>{style}</style></head><body>
<div class="dcviz dcviz-lab"><div class="dcviz-text">a caption</div><img class="dcviz-figure" alt="">
<div class="dcviz-view dcviz">a view</div><form class="dcviz-answer"><input></form></div></body></html>"""
SCHEMES = ["light", "dark"]
VSCODE = {"light": ("#ffffff", "#3b3b3b"), "dark": ("#1f1f1f", "#cccccc")}


def markers():
    """(front end, what it does to the page, whether the page is dark) of all the ways that we know."""
    for light in SCHEMES:
        dark = light == "dark"
        yield "JupyterLab, Notebook, voila", f"body.dataset.jpThemeLight = '{str(not dark).lower()}'", dark
        yield "Colab", f"html.setAttribute('theme', '{light}')", dark
        ground, ink = VSCODE[light]
        colours = f"html.style.cssText = '--vscode-editor-background: {ground}; --vscode-editor-foreground: {ink}'"
        yield "VS Code", f"body.className = 'vscode-{light}'; {colours}", dark
    yield "VS Code, high contrast", "body.className = 'vscode-high-contrast'", True
    light = "body.className = 'vscode-high-contrast vscode-high-contrast-light'"
    yield "VS Code, high contrast and light", light, False


@pytest.fixture
def page(browser):
    context = browser.new_context()
    page = context.new_page()
    yield page
    context.close()


def looks(page):
    """Whether a lab on the page is dark; it must be readable, and all of it of one kind."""
    seen = page.evaluate("""() => {
        const lab = document.querySelector(".dcviz-lab"), css = getComputedStyle(lab);
        const text = getComputedStyle(document.querySelector(".dcviz-text"));
        const figure = getComputedStyle(document.querySelector(".dcviz-figure"));
        const field = getComputedStyle(document.querySelector("input"));
        return {ground: css.backgroundColor, ink: text.color, filter: figure.filter,
                field: [field.backgroundColor, field.color, field.fontSize],
                kept: css.getPropertyValue("--dcviz-kept").trim()};
    }""")
    ground, ink = ("#" + "".join(f"{int(n):02x}" for n in re.findall(r"\d+", seen[of])[:3]) for of in ("ground", "ink"))
    assert contrast(ground, ink) > 7, seen
    assert seen["field"] == [seen["ground"], seen["ink"], "18px"], "what is typed is read as the rest"
    assert contrast(ground, seen["kept"]) > 3, seen
    dark = contrast(ground, "#000000") < contrast(ground, "#ffffff")
    assert seen["kept"] == (theme.role("kept").dark if dark else theme.role("kept").colour)
    assert (seen["filter"] != "none") == dark, "a figure's white paper turns dark, too"
    return dark


def test_the_theme_follows_every_front_end_whatever_the_browser_prefers(page):
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for front_end, script, dark in markers():
            page.set_content(PAGE.format(style=controls.css()))
            page.evaluate(f"() => {{ const html = document.documentElement, body = document.body; {script}; }}")
            assert looks(page) == dark, f"{front_end}: {script}; browser: {scheme}"


def test_where_the_page_says_nothing_the_browser_is_asked(page):
    page.set_content(PAGE.format(style=controls.css()))
    for scheme in (*SCHEMES, *SCHEMES):
        page.emulate_media(color_scheme=scheme)
        assert looks(page) == (scheme == "dark")


def test_views_hear_of_a_change_whoever_made_it(page):
    page.emulate_media(color_scheme="light")
    page.set_content(PAGE.format(style=controls.css()))
    page.evaluate("""() => { window.heard = 0;
        document.querySelector(".dcviz-view").addEventListener("transitionend", () => { window.heard += 1; }); }""")
    view = page.locator(".dcviz-view")
    changes = [
        lambda: page.emulate_media(color_scheme="dark"),
        lambda: page.evaluate("() => { document.body.dataset.jpThemeLight = 'true'; }"),
        lambda: page.evaluate("() => { document.documentElement.setAttribute('theme', 'dark'); }"),
    ]
    for change, colour in zip(changes, ["rgb(242, 242, 242)", "rgb(26, 26, 26)", "rgb(242, 242, 242)"], strict=True):
        before = page.evaluate("window.heard")
        change()
        expect(view).to_have_css("color", colour)
        page.wait_for_function(f"window.heard > {before}")


WAYS = {
    "JupyterLab": '<body data-jp-theme-light="false"><img class="jp-needs-light-background" src="{}">',
    "an exported page": '<body><figure class="dcviz-picture"><img src="{}"></figure>',
    "a lab": '<body data-jp-theme-light="false"><div class="dcviz"><img class="dcviz-figure" src="{}"></div>',
}


@pytest.mark.parametrize("way", WAYS)
def test_what_matplotlib_draws_can_be_read_on_a_dark_page(page, way):
    """All inks of the theme as they come out of the browser: seen from the paper, and none like another's hue."""
    inks = sorted({role.colour for role in theme.ROLES.values()} | {"#000000"})
    swatches = Image.new("RGB", (20 * len(inks) + 20, 20), theme.LIGHT_GROUND)
    for i, ink in enumerate(inks):
        swatches.paste(ink, (20 * i, 0, 20 * i + 20, 20))
    out = io.BytesIO()
    swatches.save(out, "PNG")
    source = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    page.emulate_media(color_scheme="dark")
    page.set_content(
        f"<!doctype html><html><head><style>{controls.css()}</style></head>{WAYS[way].format(source)}</html>"
    )
    shot = Image.open(io.BytesIO(page.locator("img").screenshot())).convert("RGB")
    *seen, paper = ("#" + "".join(f"{n:02x}" for n in shot.getpixel((20 * i + 10, 10))) for i in range(len(inks) + 1))
    assert contrast(paper, "#000000") < 1.3, f"white paper is {paper} on a dark page"
    assert contrast(paper, seen[inks.index("#000000")]) > 7
    assert {ink: colour for ink, colour in zip(inks, seen, strict=True) if contrast(paper, colour) < 3} == {}
    assert len(set(seen)) == len(inks)
    page.emulate_media(color_scheme="light")
    if way == "an exported page":
        assert page.locator("img").evaluate("e => getComputedStyle(e).filter") == "none"
