"""An executed notebook with saved labs (`dcviz.exports.snapshots`) as one HTML page or one deck of slides."""

import hashlib
import html
import json
import re
from pathlib import Path

from dcviz.exports.formulas import in_page, mathml
from dcviz.exports.snapshots import REFERENCE, SAVED

HERE = Path(__file__).parent


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
                data["text/html"] = _figure(data.pop("image/png"), html.escape(data["text/plain"]))
    page, _ = _exporter(kind).from_notebook_node(book, resources={"metadata": {"name": title}, "dcviz": _json(saved)})
    page = re.sub(r'href="(\d\d_\w+)\.ipynb', rf'href="\1.{"slides.html" if kind == "slides" else "html"}', page)
    return re.sub(r'<a href="\.\./[^"]*"[^>]*>(.*?)</a>', r"\1", page)  # files that do not lie beside the page


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
    question = _question(models) if asked or "image/png" not in data else ""
    parts = [_part(models, lab["root"], "dcviz-title"), question]
    picture, caption = data.pop("image/png", None), _part(models, lab["root"], "dcviz-caption")
    if picture:
        parts.append(_figure(picture, caption))
    if not any(parts):
        return  # no lab of ours: its text stays
    alive = any("_esm" in state and not state["_anywidget_id"].endswith(".Caption") for state in models.values())
    place = ""
    if alive and picture:
        place = f' data-lab="{len(saved["labs"])}"'
        lean = {name: _lean(state, saved) for name, state in models.items()}
        saved["labs"].append({"root": lab["root"], "models": lean, "bound": lab.get("bound", {})})
    data["text/html"] = f'<div class="dcviz dcviz-saved"{place}><div class="dcviz-static">{"".join(parts)}</div></div>'


def _figure(png, caption):
    words = html.escape(" ".join(html.unescape(re.sub(r"<[^>]+>", " ", caption)).split()), quote=True)
    image = f'<img alt="{words}" src="data:image/png;base64,{"".join(png.split())}">'
    return f'<figure class="dcviz-picture">{image}<figcaption>{caption}</figcaption></figure>'


def _part(models, root, kind):
    """The words of the lab's own Caption of a kind; "" if there is none. Labs hold it as a direct child."""
    for child in models[root].get("children", ()):
        state = models.get(child.removeprefix(REFERENCE), {})
        if kind in state.get("_dom_classes", ()) and state.get("value"):
            return f'<div class="{kind}">{state["value"]}</div>'
    return ""


def _question(models):
    """A prediction's question and what there is to choose from, as HTML; "" without one."""
    for state in models.values():
        if "dcviz-prediction" in state.get("_dom_classes", ()):
            inside = [models[child.removeprefix(REFERENCE)] for child in state["children"]]
            asked = next(one["value"] for one in inside if "dcviz-question" in one.get("_dom_classes", ()))
            options = next((one["_options_labels"] for one in inside if "_options_labels" in one), ())
            listed = "".join(f"<li>{html.escape(option)}</li>" for option in options)
            return f'<div class="dcviz-asked"><p>{asked}</p>{f"<ul>{listed}</ul>" if listed else ""}</div>'
    return ""


def _lean(state, saved):
    """A state with its script and style sheet, the same in many widgets, kept once."""
    state = dict(state)
    for key in ("_esm", "_css"):
        if key in state:
            name = hashlib.sha256(state[key].encode()).hexdigest()[:12]
            saved["texts"][name] = state[key]
            state[key] = name
    return state


def _json(value):
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\!--")
