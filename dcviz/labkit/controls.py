"""The small parts every lab is made of: caption, slider with a numeric entry, run button.

Each has a plain Python face, so that tests and other labs use it without a browser.
"""

import hashlib
import json
import math
import threading
import weakref
from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets

from dcviz.errors import Stopped
from dcviz.labkit import theme
from dcviz.labkit.markup import visible, words

HERE = Path(__file__).parent
LOCK = threading.RLock()
"""Held while a lab reacts to a change: in JupyterLab 4 callbacks come on threads of their own."""


def synced(trait):
    """A trait whose value the browser has, too."""
    return trait.tag(sync=True)


def css():
    """The style sheet of all labs: the theme's variables, then labs.css."""
    return theme.css() + (HERE / "labs.css").read_text(encoding="utf-8")


ROOM = HERE / "room.js"
"""How much room a lab has on its page."""
DRAWING = HERE / "drawing.js"
"""What views drawn on a canvas share: `script(ROOM, DRAWING, path)`."""
SVG = HERE / "svg.js"
"""What views drawn in SVG share: `script(SVG, path)`."""


def script(*paths, style=""):
    """The JavaScript of a view, in one or more files; the last one is the view's own.

    As text: anywidget holds every view made of a *file* for ever, to show its changes. It also sets a view's `_css`
    anew for each view that is made, and each time the browser has to style the whole page again: so the script puts
    its `style`, CSS, into the page, once.
    """
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return f"{_once(style)}\n{code}" if style else code


def _once(style):
    """JavaScript that puts a style sheet into the page, unless it is there."""
    name, text = f"dcviz-{hashlib.sha256(style.encode()).hexdigest()[:12]}", json.dumps(style)
    return f"""if (!document.getElementById("{name}")) {{
  const style = Object.assign(document.createElement("style"), {{ id: "{name}", textContent: {text} }});
  document.head.append(style);
}}"""


class Caption(anywidget.AnyWidget):
    """A line of HTML in a live region: `value` is announced by screen readers when it changes.

    Only Markup, made by `dcviz.labkit.markup.html`, is HTML here; a plain string is text, and escaped.
    `alts` are words for a lab's pictures, {class of the picture: words}: ipywidgets' Image takes none.
    """

    _esm = script(ROOM, HERE / "asleep.js", HERE / "caption.js", style=css())
    value = traitlets.Unicode("").tag(sync=True)
    role = traitlets.Unicode("status").tag(sync=True)
    alts = traitlets.Dict().tag(sync=True)
    room: traitlets.List = traitlets.List(help="of its lab: width, a drawing's height or 0, size of text, ratio")
    bound = traitlets.Dict(help="{state: [[model id, trait], ...]} of its lab").tag(sync=True)
    awake: traitlets.List = traitlets.List(help="ids of the controls that drive a film: they need no Python").tag(
        sync=True
    )

    def __init__(self, value="", role="status", kind="caption"):
        super().__init__(value=words(value), role=role)
        self.add_class("dcviz")
        self.add_class(f"dcviz-{kind}")
        self.on_msg(self._heard)

    def _heard(self, _, content, buffers):
        self.room = content.get("room", self.room)

    @traitlets.validate("value")
    def _only_markup(self, proposal):
        return words(proposal["value"])


class NumberEntry(anywidget.AnyWidget):
    """A field for a number as people type it, `0,05` and `1e-3` too; make it with `labelled_entry`.

    What is out of range, no number, or broken where `whole` numbers are wanted is refused in words beside the field:
    `value` stays as it was. One set from Python is moved into the range. Four digits that count are shown, all kept.
    """

    _esm = script(HERE / "typed.js", HERE / "number_entry.js")
    value = synced(traitlets.Union([traitlets.Int(), traitlets.Float()]))
    min, max = synced(traitlets.Float()), synced(traitlets.Float())
    whole = synced(traitlets.Bool(False))
    step = synced(traitlets.Float(0.0, help="where only its multiples are known, what is typed becomes the nearest"))
    description, unit, tooltip = (synced(traitlets.Unicode("")) for _ in range(3))
    field = synced(traitlets.Unicode("100px", help="width of the field"))
    disabled = synced(traitlets.Bool(False))

    def __init__(self, value, low, high, **state):
        super().__init__(min=low, max=high, value=value, **state)
        self.add_class("dcviz-number")

    @traitlets.validate("value")
    def _in_range(self, proposal):
        value = min(max(proposal["value"], self.min), self.max)
        return int(value) if self.whole else float(value)

    @traitlets.observe("min", "max")
    def _moved(self, change):
        self.value = min(max(self.value, self.min), self.max)


class LabelledSlider(widgets.HBox):
    """A slider and a numeric entry for the same number: `value`. Make it with `labelled_slider`."""

    value = traitlets.Union([traitlets.Int(), traitlets.Float()])

    def __init__(self, label, slider, entry):
        self.slider, self.entry = slider, entry
        super().__init__([widgets.Label(label), slider, entry])
        self.add_class("dcviz-row")
        self.add_class("dcviz-slider")
        self.value = slider.value
        traitlets.link((self, "value"), (entry, "value"))
        traitlets.dlink((self, "value"), (slider, "value"))
        slider.observe(lambda change: self._slid(change.new), names="value")

    @property
    def ends(self):
        """The widgets that hold the number itself."""
        return [self.slider, self.entry]

    def _slid(self, new):
        """Take the slider's value, unless it is only ours rounded to its steps: browsers do that on showing it."""
        log = isinstance(self.slider, widgets.FloatLogSlider)
        apart = abs(math.log10(new / self.value)) if log else abs(new - self.value)
        if apart > 0.51 * self.slider.step:
            self.value = new


def choices(names):
    """Names out of a net as a Dropdown's options: what is chosen is the name, what is shown is `visible`."""
    return tuple((visible(name, 40), name) for name in names)


def labelled_slider(label, value, low, high, step=None, *, log=False, width="320px", unit="", help=""):
    """A slider with label and numeric entry; ints give an int slider, `log` one in powers of ten.

    The entry takes any number between `low` and `high`, also between two steps of the slider. Observe
    `.value`. `help` is the tooltip.
    """
    integer = all(isinstance(v, int) for v in (value, low, high)) and not log
    common = {"readout": False, "layout": widgets.Layout(width=width), "tooltip": help or label}
    if integer:
        slider = widgets.IntSlider(value, low, high, step or 1, **common)
    elif log:
        ends = math.log10(low), math.log10(high)
        slider = widgets.FloatLogSlider(value, min=ends[0], max=ends[1], step=step or 0.01, **common)
    else:
        slider = widgets.FloatSlider(value, min=low, max=high, step=step or (high - low) / 200, **common)
    entry = NumberEntry(value, low, high, whole=integer, unit=unit, tooltip=f"{label}, as a number")
    return LabelledSlider(f"{label} ({unit})" if unit else label, slider, entry)


def labelled_entry(label, value, low, high, *, unit="", width="130px", whole=False):
    """A numeric entry with its label: for numbers that a view's mouse also moves. Observe `.value`."""
    text = f"{label} ({unit})" if unit else label
    return NumberEntry(value, low, high, description=text, unit=unit, whole=whole, field=width, tooltip=label)


def row(*children):
    """Children side by side, wrapping on a narrow screen."""
    box = widgets.HBox(children)
    box.add_class("dcviz-row")
    return box


class Bar(anywidget.AnyWidget):
    """What every lab has at its top: Reset, Copy link (its repr), Save picture."""

    _esm = script(HERE / "bar.js")
    link = synced(traitlets.Unicode(""))

    def __init__(self, lab):
        super().__init__()
        self.add_class("dcviz-bar")
        self._lab = weakref.ref(lab)
        self.on_msg(self._asked)

    def _asked(self, _, message, buffers):
        lab = self._lab()
        if lab is not None and message.get("do") == "reset":
            lab.guard(lab.reset)()
            self.send({"to": message.get("from")})
        if lab is not None and message.get("do") == "picture":
            picture = lab.guard(lab.png)()
            if picture is not None:
                self.send({"to": message.get("from"), "picture": f"{type(lab).__name__}.png"}, [picture])


class RunButton(widgets.HBox):
    """A button for work that takes longer than a blink, with a progress bar and a stop button.

    work(progress) runs on a thread of its own; it takes what it needs of the lab's state at once, under LOCK, since the
    reader may move on meanwhile; it calls progress(fraction, text="") now and then, which
    raises Stopped once stop was pressed. What work returns goes to done(result) under the labs' lock;
    an exception goes to failed(error). From Python: `start()`, `stop()`, `wait()`, or `start(wait=True)`.
    """

    running = traitlets.Bool(False)

    def __init__(self, label, work, done=None, failed=None):
        self.work, self.done, self.failed = work, done, failed
        self.button = widgets.Button(description=label, button_style="primary")
        self.halt = widgets.Button(description="Stop", disabled=True)
        self.bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="220px", display="none"))
        self.message = widgets.Label("")
        super().__init__([self.button, self.halt, self.bar, self.message])
        self.add_class("dcviz-run")
        self._stop, self._thread = threading.Event(), None
        self.button.on_click(lambda _: self.start())
        self.halt.on_click(lambda _: self.stop())

    def start(self, wait=False):
        """Run the work, unless it is running already; with `wait`, on this thread and until it is over.

        With `wait` and a run that goes on: once that is over, so that the work is done with the settings of now.
        """
        if wait and self._thread is not threading.current_thread():
            self.wait()
        with LOCK:
            if self.running:
                return
            self.running, self.halt.disabled = True, False
            self._stop.clear()
            self.button.disabled = True  # after Stop is there: the focus goes to it
            self.bar.value, self.bar.layout.display = 0, None
            self.message.value = ""
        if wait:
            self._run()
        else:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self):
        """Ask the work to stop at its next call of progress."""
        self._stop.set()

    def close(self):
        """Take the button off the page; work that goes on is asked to stop."""
        if self.running:
            self.stop()
        super().close()

    def wait(self, timeout=None):
        """Wait until the work is over, and what its end began; True if it is. timeout: seconds for each."""
        while (thread := self._thread) is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(timeout)
            if thread.is_alive():
                return False
        return not self.running

    def progress(self, fraction, text=""):
        """For the work: how far it is, 0 to 1. Raises Stopped when it should end."""
        if self._stop.is_set():
            raise Stopped
        self.bar.value = min(max(float(fraction), 0), 1)
        if text:
            self.message.value = visible(text, 200)

    def _run(self):
        end = ""
        try:
            result = self.work(self.progress)
            with LOCK:
                if self.done is not None:
                    self.done(result)
        except Stopped:
            end = "stopped"
        except Exception as error:  # work is the lab's or the learner's: show what went wrong, go on
            end = "failed"
            if self.failed is None:
                end = visible(f"{type(error).__name__}: {error}", 200)
            else:
                self.failed(error)
        finally:
            with LOCK:
                self.button.disabled = False  # before Stop goes: the focus goes back to it
                self.bar.layout.display, self.halt.disabled, self.message.value = "none", True, end
                self.running = False  # last: who waits for it may start again at once
