"""An executed notebook with saved labs (`dcviz.classroom.exports.snapshots`) as one HTML page or one deck of slides."""

import base64
import hashlib
import re
from pathlib import Path

from markupsafe import Markup

from dcviz.classroom.exports import reveal_home
from dcviz.classroom.exports.formulas import in_page, mathml
from dcviz.classroom.exports.snapshots import REFERENCE, SAVED
from dcviz.labkit import theme
from dcviz.labkit.base import plain
from dcviz.labkit.markup import coded, html, joined, script_json, words
from dcviz.labkit.picture import img

HERE = Path(__file__).parent
POLICY = {
    "default-src": "'none'",
    "script-src": "'self' file: blob:",  # ours beside the page, and the views' modules, which ours makes
    "style-src": "'self' file: 'unsafe-inline'",
    "img-src": "'self' file: data:",
    "font-src": "'self' file: data:",
    "base-uri": "'none'",
    "form-action": "'none'",
}
"""What a page may load and run: nothing inline, nothing from another host. Read from a disk, "self" is file:."""

SPEAKER = "plugin/notes/speaker-view.html"

_PRINTING = re.compile(r"<script>\s*if\( window\.location\.search\.match.*?</script>", re.S)
"""An inline script of nbconvert's slides, which adds an empty style sheet."""


def render(book, kind, title):
    """The page: HTML text. ``kind`` is "html" or "slides"; the notebook's outputs are changed on the way."""
    saved = {"texts": {}, "labs": []}
    for cell in book.cells:
        cell.metadata.get("jupyter", {}).pop("outputs_hidden", None)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if SAVED in data:
                _embed(data, saved, asked=kind == "html")
            elif "text/latex" in data:
                tex = data.pop("text/latex").strip().removeprefix("$").removesuffix("$").strip("$")
                data["text/html"] = mathml(tex.removeprefix(r"\displaystyle"), block=True)
            elif "image/png" in data:
                data["text/html"] = _figure(data.pop("image/png"), coded(data["text/plain"]))
    resources = {
        "metadata": {"name": title},
        "dcviz": script_json(saved),
        "policy": policy(kind),
        "theme_css": theme.css(),
    }
    page, _ = _exporter(kind).from_notebook_node(book, resources=resources)
    page = _PRINTING.sub("", page, count=1)
    page = re.sub(r'href="(\d\d_\w+)\.ipynb', rf'href="\1.{"slides.html" if kind == "slides" else "html"}', page)
    return re.sub(r'<a href="\.\./[^"]*"[^>]*>(.*?)</a>', r"\1", page)  # files that do not lie beside the page


def policy(kind):
    """The Content-Security-Policy of pages of a kind, as a meta element."""
    allowed = dict(POLICY)
    if kind == "slides":  # the speaker's view: a window of its own with one script and the slides in frames
        script = re.search(r"<script>(.*?)</script>", (reveal_home() / SPEAKER).read_text("utf-8"), re.S)[1]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        allowed |= {"script-src": f"{allowed['script-src']} 'sha256-{digest}'", "frame-src": "'self' file:"}
    rules = "; ".join(f"{what} {where}" for what, where in allowed.items())
    return html('<meta http-equiv="Content-Security-Policy" content="{}">', words(rules))


def _exporter(kind):
    from jinja2 import FileSystemLoader, pass_context
    from nbconvert import HTMLExporter, SlidesExporter

    class Page(SlidesExporter if kind == "slides" else HTMLExporter):
        @pass_context
        def markdown2html(self, context, source):
            return in_page(super().markdown2html(context, source))

    options = {"reveal_url_prefix": "assets/reveal", "reveal_theme": "white"} if kind == "slides" else {}
    return Page(template_file=f"{kind}.html.j2", extra_loaders=[FileSystemLoader(HERE)], **options)


def _embed(data, saved, asked=True):
    """In an output with a saved lab: HTML of its picture and words; the lab itself goes to ``saved``.

    ``asked`` repeats the question of a lab's prediction; on slides it has a slide of its own.
    """
    lab = data.pop(SAVED)
    models = lab["models"]
    question = _question(models) if asked or "image/png" not in data else Markup("")
    parts = [_part(models, lab["root"], "dcviz-title"), question]
    picture, caption = data.pop("image/png", None), _part(models, lab["root"], "dcviz-caption")
    if picture:
        parts.append(_figure(picture, caption))
    if not any(parts):
        return  # no lab of ours: its text stays
    alive = any("_esm" in state and not state["_anywidget_id"].endswith(".Caption") for state in models.values())
    place = Markup("")
    if alive and picture:
        place = html(' data-lab="{}"', len(saved["labs"]))
        lean = {name: _lean(state, saved) for name, state in models.items()}
        saved["labs"].append({"root": lab["root"], "models": lean, "bound": lab.get("bound", {})})
    saved_lab = '<div class="dcviz dcviz-saved"{}><div class="dcviz-static">{}</div></div>'
    data["text/html"] = str(html(saved_lab, place, joined("", parts)))


def _figure(png, caption):
    image = img(base64.b64decode(png), plain(caption))
    return html('<figure class="dcviz-picture">{}<figcaption>{}</figcaption></figure>', image, caption)


def _part(models, root, kind):
    """The words of the lab's own Caption of a kind; "" if there is none. Labs hold it as a direct child."""
    for child in models[root].get("children", ()):
        state = models.get(child.removeprefix(REFERENCE), {})
        if kind in state.get("_dom_classes", ()) and state.get("value"):
            return html('<div class="{}">{}</div>', kind, _captions(state))
    return Markup("")


def _question(models):
    """A prediction's question and what there is to choose from, as HTML; "" without one."""
    for state in models.values():
        if "dcviz-prediction" in state.get("_dom_classes", ()):
            inside = [models[child.removeprefix(REFERENCE)] for child in state["children"]]
            asked = next(_captions(one) for one in inside if "dcviz-question" in one.get("_dom_classes", ()))
            options = next((one["_options_labels"] for one in inside if "_options_labels" in one), ())
            listed = joined("", (html("<li>{}</li>", words(option)) for option in options))
            if listed:
                listed = html("<ul>{}</ul>", listed)
            return html('<div class="dcviz-asked"><p>{}</p>{}</div>', asked, listed)
    return Markup("")


def _captions(state):
    """What a Caption shows: it let nothing through but what `dcviz.labkit.markup.html` made. Of other widgets, text."""
    value = state["value"]
    return Markup(value) if str(state.get("_anywidget_id", "")).endswith(".Caption") else words(value)


def _lean(state, saved):
    """A state with its script, the same in many widgets, kept once."""
    if "_esm" not in state:
        return state
    name = hashlib.sha256(state["_esm"].encode()).hexdigest()[:12]
    saved["texts"][name] = state["_esm"]
    return {**state, "_esm": name}
