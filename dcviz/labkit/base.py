"""The base of all labs. A lab is state + linked views + a caption with the numbers; the maths is elsewhere.

A lab in 30 lines::

    class NoiseLab(Lab):
        \"\"\"What uniform noise does to the digits.\"\"\"

        heading = "Noise"
        state_names = ("layer", "width")                    # in the order of repr
        layer = traitlets.Unicode("fc1")
        width = traitlets.Float(0.01, min=0)

        def build(self):                                    # once; state is set, nothing is drawn yet
            self.width_slider = labelled_slider("noise", self.width, 0.0, 0.1)
            self.bind(self.width_slider, "width", "value")  # two-way: lab.width <-> slider.value
            figure, self.axes = theme.figure(6, 3)
            (self.line,) = self.axes.plot(...)
            self.picture_view = FigureImage(figure, moving=[self.line], alt="error against noise")
            return [row(self.width_slider), self.picture_view]

        def update(self):                                   # after every change of state
            self.result = noise.apply(self.layer, self.width)   # maths from the rooms below, never here
            self.line.set_ydata(self.result)
            self.picture_view.refresh()

        def describe(self):                                 # the caption, all the numbers in it; it is escaped
            return self.say("Noise of <b>{width:.3g}</b> on {layer} makes {errors:.1f}% ...", errors=self.result)

        def picture(self):                                  # the static picture: what GitHub and slides show
            figure, axes = theme.figure(8, 4)
            figures.noise(axes, self.result)
            return figure

Add the class to `_HOMES` in `dcviz/labs.py`; the tests over all labs then find it. They ask that

- `repr(lab)` recreates the lab: all state in `state_names`, everything else has a default;
- every slider comes from `labelled_slider` (so it has a numeric entry);
- the caption is never empty, and `picture()` draws from the functions in its chapter's `figures`;
- a callback that raises shows its message in the lab (`lab.error`) and the lab goes on. Changes of state are
  guarded already; wrap other callbacks: `button.on_click(self.guard(self.clicked))`.

Work beyond 150 ms goes to a `RunButton`. What the mouse moves is a view from `dcviz.labkit.views`.
Several changes at once: `with lab.hold_trait_notifications(): ...`. In tests set traits, then read
`lab.caption.value`, artists and `lab.error`; no browser needed.
"""

import ast
import functools
import html as entities
import math
import os
import re
import textwrap
import warnings
import weakref
from numbers import Real

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.errors import DcvizError, LinkError
from dcviz.labkit import theme
from dcviz.labkit.controls import (
    LOCK,
    Bar,
    Caption,
    LabelledSlider,
    RunButton,
    Stopped,
    css,
    labelled_entry,
    labelled_slider,
    row,
)
from dcviz.labkit.figure_image import FigureImage, Fitted, drawn_once
from dcviz.labkit.film import Film, ends
from dcviz.labkit.ghost import Ghost
from dcviz.labkit.lifetime import FROM_PAGE, collect_now_and_then, held_weakly, hold_shown, let_go
from dcviz.labkit.markup import drawn, html, joined, visible, words
from dcviz.labkit.picture import about, base64_of, sharp
from dcviz.labkit.prediction import Prediction

__all__ = [
    "LOCK",
    "Caption",
    "FigureImage",
    "Lab",
    "LabelledSlider",
    "Prediction",
    "RunButton",
    "Stopped",
    "css",
    "html",
    "joined",
    "labelled_entry",
    "labelled_slider",
    "parse",
    "plain",
    "row",
    "words",
]


MOST_OF_AN_ERROR = 2000
"""Characters of an error's message that a lab shows."""

MOST_OF_A_LINK = 2500
"""Characters of a deep link that can be copied: a longer one has a name in it that nobody would paste."""

BOUND = "application/vnd.dcviz.bound+json"
"""Beside a lab in an export: {state's name: [[model id, trait], ...]}, what `Lab.bind` bound."""


LONGEST = 20_000
"""Characters of a deep link at most."""


class StateError(DcvizError, traitlets.TraitError):
    """A state that a lab cannot have: out of range, of another type, or no finite number."""


class Lab(widgets.VBox):
    """Base class, see the top of this module. A `prediction` comes first: until it is answered, the lab waits.

    A lab that waits stays as it opened, with its controls off: so open it where it does not answer the question.
    Where it is narrow, and anywhere if ``compact``, drawing, what follows it and the words take 850 x 450 pixels.
    """

    heading = "Lab"
    state_names: tuple[str, ...] = ()

    error = traitlets.Unicode("", help="what the last failing callback said, or ''")
    used = traitlets.Bool(False, help="True once the learner has changed something")
    prediction = traitlets.Instance(Prediction, allow_none=True)
    _made = ()
    _guarding = _following = False
    _on_page = False
    _seen = True
    _note = ""  # what the alert says when nothing went wrong

    def __init__(self, *, prediction=None, compact=False, **state):
        unknown = set(state) - set(self.state_names)
        if unknown:
            known = ", ".join(self.state_names)
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}; its state is {known}")
        collect_now_and_then()
        with held_weakly() as self._made, drawn_once():
            self._make(prediction, state)
        if compact:
            self.add_class("dcviz-compact")

    def _make(self, prediction, state):
        super().__init__()
        for name, value in state.items():
            setattr(self, name, value)
        self.add_class("dcviz")
        self.add_class("dcviz-lab")
        self.add_class(f"dcviz-{type(self).__name__}")
        self.caption = Caption()
        self.alert = Caption(role="alert", kind="alert")
        self._title = Caption(html("<div class='dcviz-heading'>{}</div>", self.heading), role="heading", kind="title")
        self.bar = Bar(self)
        self._bound = {}
        self.observe(self._hide, names=list(self.state_names))  # before a view hears of a move
        self._parts = self.build()
        self._films = [part for part in self._parts if isinstance(part, Film)]
        self._opening = False
        self.prediction = prediction
        self._ask()
        self.refresh()
        self._start = self.state()
        self.caption.bound = {name: ends(pairs) for name, pairs in self._bound.items()}
        self.caption.awake = [name for film in self._films for pairs in film.drivers.values() for name, _ in pairs]
        self.observe(self._changed, names=list(self.state_names))
        self.observe(lambda _: self._ask(), names="prediction")
        self.caption.observe(lambda change: self._fit(change["new"]), names="room")
        if self.prediction is not None and self.prediction.answered:  # in an earlier session, or everywhere
            self._answered(None)
            self.prediction.reveal(self)

    def __setattr__(self, name, value):
        if name in self.state_names:
            numbers = value if isinstance(value, list | tuple) else [value]
            if any(isinstance(number, Real) and not math.isfinite(number) for number in numbers):
                raise StateError(f"{type(self).__name__}: {name} must be finite, not {value!r}")
        try:
            super().__setattr__(name, value)
        except traitlets.TraitError as error:
            raise StateError(str(error)) from error

    # what a lab defines ------------------------------------------------------------------------

    def build(self):
        """Make the views, once, and return them as a list. The state is set already."""
        raise NotImplementedError

    def update(self):
        """Bring all views up to the state."""
        raise NotImplementedError

    def describe(self):
        """The caption with the numbers that the views show: `self.say(template, ...)`, or text without tags."""
        raise NotImplementedError

    def picture(self):
        """A new Figure of the state, made with `theme.figure` and the chapter's `figures`."""
        raise NotImplementedError

    def tabulate(self):
        """Film what the mouse moves (`dcviz.labkit.film`); called once the lab is on a page, and after each change."""

    def along(self, name):
        """{state: value} that a change of the state ``name`` sets, too: what comes with a choice."""
        return {}

    # what a lab uses ---------------------------------------------------------------------------

    def say(self, template, *arguments, **named):
        """`html` of a template that knows the lab's state by its names, too: "<b>{layer}</b> of {net}"."""
        state = {name: getattr(self, name) for name in self.state_names}
        return html(template, *arguments, **(state | named))

    def bind(self, widget, name, trait="value"):
        """Link the lab's state `name` and `widget.trait`, both ways, starting from the lab's value.

        In a page without a kernel what is bound to the same name as a view still moves with it.
        """
        self._bound.setdefault(name, []).append((widget, trait))
        traitlets.link((self, name), (widget, trait))

    def bind_all(self, **widgets):
        """`bind` the `value` of each widget to the state that it is given for: bind_all(k=self.k_slider, ...)."""
        for name, widget in widgets.items():
            self.bind(widget, name)

    def guard(self, function):
        """`function`, but an exception goes to the lab's alert instead of a log nobody reads.

        The alert stays until a callback of the reader's goes well, with all that it sets off.
        """

        @functools.wraps(function)
        def guarded(*args, **kwargs):
            with LOCK:
                outermost = not self._guarding
                if outermost:
                    self._guarding, self.error = True, ""
                try:
                    return function(*args, **kwargs)
                except Exception as error:  # whatever a callback raises, the learner must see it
                    self.fail(error)
                    return None
                finally:
                    if outermost:
                        self._guarding = False
                        if not self.error:
                            self.alert.value = self._note

        return guarded

    def fail(self, error):
        """Show an exception in the lab."""
        self.error = f"{type(error).__name__}: {error}"
        self.alert.value = html("<b>That did not work.</b> {}", words(self.error[:MOST_OF_AN_ERROR]))

    @property
    def waits(self):
        """True while the lab's question has no answer: nothing that happens is shown."""
        return self.prediction is not None and not self.prediction.answered

    def refresh(self):
        """Update views and caption now; state changes do it by themselves. Raises what `update` raises.

        A lab that waits keeps what it showed when it opened.
        """
        with LOCK:
            link = repr(self)
            self.bar.link = link if len(link) <= MOST_OF_A_LINK else ""
            if self._hide():
                return
            self._lead()
            with drawn_once():
                self.update()
            self.caption.value = self.describe()
            self._opening = True
            self.remove_class("dcviz-older")
            for film in self._films:
                film.hear()
            if self._on_page:
                self.tabulate()

    def _hide(self, _=None):
        """Hide a waiting lab that code moves: its controls stand above a picture that may not follow yet."""
        if not (self.waits and self._opening):
            return False
        self._opening = "older"
        self.add_class("dcviz-older")
        return True

    def _lead(self):
        """Bring what drives a film to the lab's state before anything says so: the browser hears in this order.

        Of several states that change together, the first tells all; the links of the others come after it.
        """
        drivers = {pair for film in self._films for pair in film.settings}
        for name, pairs in self._bound.items():
            for widget, trait in drivers.intersection(pairs):
                setattr(widget, trait, getattr(self, name))

    def reset(self):
        """Go back to how the cell made the lab, or to its question's setting once that is answered.

        What was measured or run stays.
        """
        for _ in range(len(self.state_names)):  # one state may move others: choosing a net chooses a layer
            wrong = {name: value for name, value in self._start.items() if self.state()[name] != value}
            if not wrong:
                break
            with self.hold_trait_notifications():
                for name, value in wrong.items():
                    setattr(self, name, value)
        for part in self._parts:
            if isinstance(part, Ghost):
                part.clear()

    def touch(self):
        """Note that the lab was used, and reveal the prediction; changes of state do it by themselves."""
        self.used = True
        if self.prediction is not None:
            self.prediction.reveal(self)

    def react(self):
        """Show what a change of state or a run has made, and that the lab was used."""
        self.refresh()
        self.touch()

    def set_aside(self):
        """Say, from now on, that this lab's cell was run again in another tab, which shows a lab of its own."""
        self._note = self.alert.value = html(
            "<b>Not in step.</b> This cell was run again in another tab. To have its lab here, save there and reload."
        )

    def halt(self, gone=False):
        """Ask every run of the lab to stop. With `gone`, draw and film no more, until a cell shows the lab again."""
        if gone:
            self._seen = self._on_page = False
        for reference in self._made:
            if isinstance(part := reference(), RunButton):
                part.stop()

    def close(self):
        """Take the lab off the page and free it, with all that it made; a run that goes on is asked to stop."""
        for reference in self._made:
            part = reference()
            if part is not None and part is not self:
                part.close()
        super().close()
        let_go(self)

    def _changed(self, change):
        with LOCK:
            if self._following:  # it goes along with another state, and is shown with that
                return
            self._following = True
            try:
                for name, value in self.along(change["name"]).items():
                    setattr(self, name, value)
            finally:
                self._following = False
            self.guard(self.react)()
            if not FROM_PAGE.get():
                for film in self._films:
                    film.moved += 1

    def _ask(self):
        """Take the prediction as it is now, and go on when it is answered."""
        self._arrange()
        (self.add_class if self.waits else self.remove_class)("dcviz-waiting")
        if self.prediction is not None:
            self.prediction.lab = weakref.proxy(self)
            self.prediction.observe(self.guard(self._answered), names="answered")

    def _answered(self, change):
        self.remove_class("dcviz-waiting")
        with self.hold_trait_notifications():
            for name, value in self.prediction.at.items():
                setattr(self, name, value)
        self.refresh()
        self._start = self.state()

    def _arrange(self):
        first = [] if self.prediction is None else [self.prediction]
        self.children = [self._title, self.bar, *first, *self._parts, self.caption, self.alert]
        figures = [widget for widget in _walk(self) if isinstance(widget, FigureImage)]
        drawn = [widget for widget in _walk(self) if isinstance(widget, Fitted) or _has_height(widget)]
        (self.add_class if len(drawn) > 1 else self.remove_class)("dcviz-two")
        self.caption.alts = {view.place: f"{view.alt}; the numbers are in the caption" for view in figures}

    def _fit(self, room):
        """The page told how much room the lab has: draw the pictures for it, and film them anew."""
        if not self._seen:  # its cell was run again meanwhile
            return
        with LOCK:
            changed = [one.fit(*room) for one in _walk(self) if isinstance(one, Fitted)]
            if any(changed) and self._films:
                for film in self._films:
                    film.key = None
                if self._on_page:
                    self.tabulate()

    # how a lab shows itself --------------------------------------------------------------------

    def state(self):
        """{name: value} of everything that `repr` shows, as plain Python values."""
        return {name: _plain_value(getattr(self, name)) for name in self.state_names}

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.state().items())})"

    def png(self):
        """The static picture with the caption under it, PNG bytes; without it where DCVIZ_CAPTION is "beside"."""
        with LOCK:
            figure = _waiting_picture() if self.waits and self._opening == "older" else self.picture()
            if os.environ.get("DCVIZ_CAPTION") != "beside":  # a page that has room for real text
                text = textwrap.fill(drawn(plain(self.caption.value), None), int(figure.get_figwidth() * 10))
                figure.supxlabel(text, x=0.01, ha="left", fontsize=13)
            return sharp(figure)

    def _repr_mimebundle_(self, **kwargs):
        hold_shown(self)
        if not self._seen:
            self._seen = True
            if self.caption.room:
                self._fit(self.caption.room)
        if not self._on_page:
            self._on_page = True
            self.guard(self.tabulate)()
        data, metadata = {**super()._repr_mimebundle_(**kwargs), "text/plain": repr(self)}, {}
        if os.environ.get("DCVIZ_CAPTION") == "beside":
            data[BOUND] = self.caption.bound
        try:
            png = self.png()
            data["image/png"], metadata = base64_of(png), about(png, plain(self.caption.value))
        except Exception as error:  # a lab without its picture is still a lab
            self.fail(error)
        return data, metadata


def _waiting_picture():
    """What a waiting lab shows that code has changed behind its question."""
    figure, axes = theme.figure(8, 1.6)
    axes.set_axis_off()
    axes.text(0.5, 0.5, "This lab waits for your guess.", ha="center", va="center")
    return figure


def parse(text):
    """The deep link that `repr(lab)` prints, taken apart without running it.

        parse("PruningLab(threshold=0.04)") -> ('PruningLab', {'threshold': 0.04})

    Raises LinkError, a ValueError, for anything but one call with literal keyword arguments, and for texts that are too
    long to be one.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        raise LinkError(f"not a lab's repr: no text of at most {LONGEST:,} characters")
    try:
        with warnings.catch_warnings():  # of odd escapes in somebody else's text
            warnings.simplefilter("ignore")
            call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("not a call with keywords only")
        state = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        if len(state) < len(call.keywords) or None in state:
            raise ValueError("a keyword twice, or none")
        return call.func.id, state
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:  # the last two: deep nesting
        raise LinkError(f"not a lab's repr: {visible(text, 200)} ({visible(error, 200)})") from error


def plain(markup):
    """The text of a line of HTML: plain('<b>9</b> of 10') -> '9 of 10'."""
    spaced = re.sub(r"<(p|br|li|div|tr|td)\b[^>]*>", " ", markup)
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", "", spaced)).split())


def _walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _walk(child)


def _has_height(widget):
    """Whether it is a drawing of the browser's."""
    return isinstance(widget, anywidget.AnyWidget) and widget.has_trait("height")


def _plain_value(value):
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, (list, tuple)):
        return type(value)(_plain_value(v) for v in value)
    if isinstance(value, dict):
        return {k: _plain_value(v) for k, v in value.items()}
    return value
