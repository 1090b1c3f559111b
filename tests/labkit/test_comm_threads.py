"""In JupyterLab the learner's moves come on a thread of their own, also while a cell draws: no figure is spoiled."""

import threading
import time

import traitlets

from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, labelled_slider

MOVES = 200


class Line(Lab):
    """A line at a height."""

    state_names = ("height",)
    height = traitlets.Float(0.5, min=0, max=1)

    def build(self):
        self.slider = labelled_slider("height", self.height, 0.0, 1.0, 0.001)
        self.bind(self.slider, "height")
        figure, axes = theme.figure(4, 3)
        (self.line,) = axes.plot([0, 1], [self.height] * 2)
        axes.set(ylim=(0, 1), title="a title")
        self.view = FigureImage(figure, moving=[self.line], alt="a line")
        return [self.slider, self.view]

    def update(self):
        self.line.set_ydata([self.height] * 2)
        self.view.refresh()

    def describe(self):
        return f"{self.height}"

    def picture(self):
        figure, axes = theme.figure(4, 3)
        axes.plot([0, 1], [self.height] * 2)
        return figure


def test_moves_on_another_thread_spoil_no_figure_while_a_cell_draws():
    lab, own, seen, threads = Line(), Line(), [], set()
    plain, shown = own.png(), own.view.value

    def heard(change):
        threads.add(threading.current_thread())
        seen.append((lab.height, change.new))

    def drag():
        for move in range(MOVES):
            lab.slider.slider.set_state({"value": 0.001 * (move + 1)})  # what a comm's message does in the kernel
            time.sleep(0.001)

    lab.view.observe(heard, "value")
    hand, wrong, drawn = threading.Thread(target=drag), 0, 0
    hand.start()
    while hand.is_alive():  # the long cell
        own.view.redraw()
        wrong += own.png() != plain or own.view.value != shown
        drawn += 1
        time.sleep(0.05)  # the lock of the labs is not a fair one: a cell that only draws would keep the hand waiting
    hand.join()
    assert (wrong, lab.error) == (0, ""), "what the cell drew"
    assert drawn > 1
    assert threads == {hand}
    fresh = Line()
    heights = [height for height, _ in seen]
    assert heights == sorted(heights), "in the order of the moves"
    assert heights[-1] == 0.001 * MOVES
    assert len(heights) > MOVES / 4, "most moves change a pixel"
    for height, picture in seen:
        fresh.height = height
        assert fresh.view.value == picture, "what the learner saw"
