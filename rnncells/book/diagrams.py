"""Cells drawn as diagrams that grow by one element at a time.

Boxes compute a row of numbers from what the cell reads, circles combine two rows element by
element, and what flows to the right along the top is the state.
"""

import matplotlib.pyplot as plt

from rnncells.book.plotting import COLORS

LSTM_PARTS = ("sum", "input gate", "forget gate", "output gate")
GRU_PARTS = ("leak", "update gate", "reset gate")


def show_lstm(parts):
    """The LSTM cell with its first ``parts`` elements, 1 to 4, the last of them in colour.

    In turn: the sum that keeps the cell state, the input gate, the forget gate, the output gate
    with the tanh before it.

    Raises:
        ValueError: ``parts`` is not one of 1 to 4.
    """
    pen = _Pen(parts, LSTM_PARTS, COLORS["lstm"])
    pen.state("c", height=4)
    pen.reads(width=6.8 if parts == 4 else 5.4)
    pen.circle("+", 5.4, 4, part=1)
    pen.box("g", 5.4, 1.3, part=1)
    pen.arrow((5.4, 0.3), (5.4, 0.95), part=1)
    if parts == 1:
        pen.arrow((5.4, 1.65), (5.4, 3.7), part=1)
    else:
        pen.gate("i", 4.1, 1.3, onto=(5.4, 2.65), part=2)
        pen.arrow((5.4, 1.65), (5.4, 2.35), part=1)
        pen.arrow((5.4, 2.95), (5.4, 3.7), part=1)
    if parts >= 3:
        pen.gate("f", 2.4, 1.3, onto=(2.4, 4), part=3)
    if parts == 4:
        pen.arrow((8, 4), (8, 3.4), part=4)
        pen.box("tanh", 8, 3.05, part=4)
        pen.arrow((8, 2.7), (8, 2.25), part=4)
        pen.gate("o", 6.8, 1.3, onto=(8, 1.95), part=4)
        pen.arrow((8.3, 1.95), (9.7, 1.95), part=4)
        pen.text("$h_t$", 10.05, 1.95, part=4)
    pen.done()


def show_gru(parts):
    """The GRU cell with its first ``parts`` elements, 1 to 3, the last of them in colour.

    In turn: the leaky sum of the state and a candidate with a fixed share a, the update gate z in
    its place, the reset gate.

    Raises:
        ValueError: ``parts`` is not one of 1 to 3.
    """
    pen = _Pen(parts, GRU_PARTS, COLORS["gru"])
    pen.state("h", height=4)
    pen.reads(width=6.6)
    pen.circle("+", 6.6, 4, part=1)
    pen.box("g", 6.6, 1.3, part=1)
    pen.arrow((6.6, 1.65), (6.6, 2.35), part=1)
    pen.arrow((6.6, 2.95), (6.6, 3.7), part=1)
    keep, write = ("$1-a$", "$a$") if parts == 1 else ("z", "$1-z$")
    pen.circle("×", 2.4, 4, part=1)
    pen.circle("×", 6.6, 2.65, part=1)
    if parts == 1:
        pen.text(keep, 2.4, 3.3, part=1)
        pen.text(write, 5.9, 2.65, part=1)
    else:
        pen.gate(keep, 2.4, 1.3, onto=(2.4, 4), part=2)
        pen.arrow((2.4, 2.65), (6.3, 2.65), part=2)
        pen.text(write, 3.3, 2.95, part=2)
    if parts == 3:
        pen.gate("r", 4.4, 1.3, onto=(5.5, 0.3), part=3)
        pen.text("on $h_{t-1}$ only", 5.5, -0.3, part=3)
    pen.arrow((6.6, 0.3), (6.6, 0.95), part=1)
    pen.done()


class _Pen:
    """Draws on axes of 10 by 5 units; what belongs to the newest part is in colour."""

    def __init__(self, parts, names, color):
        if parts not in range(1, len(names) + 1):
            raise ValueError(f"parts: expected 1 to {len(names)}; got {parts!r}.")
        self.newest, self.color = parts, color
        _, self.axes = plt.subplots(figsize=(5.4, 2.6))
        self.axes.set(xlim=(-0.9, 10.5), ylim=(-0.6, 4.6), aspect="equal")
        self.axes.axis("off")

    def pick(self, part):
        return self.color if part == self.newest else "black"

    def text(self, text, x, y, part):
        self.axes.text(x, y, text, ha="center", va="center", color=self.pick(part), fontsize=12)

    def line(self, *points, part):
        xs, ys = zip(*points, strict=True)
        self.axes.plot(xs, ys, color=self.pick(part), linewidth=1.5, zorder=1)

    def arrow(self, *points, part):
        self.line(*points[:-1], part=part)
        style = {
            "arrowstyle": "-|>",
            "color": self.pick(part),
            "lw": 1.5,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        self.axes.annotate("", points[-1], points[-2], arrowprops=style, zorder=1)

    def state(self, name, height):
        self.arrow((0.5, height), (9.7, height), part=1)
        self.text(f"${name}_{{t-1}}$", -0.1, height, part=1)
        self.text(f"${name}_t$", 10.05, height, part=1)

    def reads(self, width):
        self.line((0.5, 0.3), (width, 0.3), part=0)
        self.text("$x_t, h_{t-1}$", -0.3, 0.3, part=0)

    def circle(self, sign, x, y, part):
        self.axes.add_patch(
            plt.Circle((x, y), 0.3, facecolor="white", edgecolor=self.pick(part), lw=1.5, zorder=2)
        )
        self.axes.text(
            x, y, sign, ha="center", va="center_baseline", color=self.pick(part), zorder=3
        )

    def box(self, text, x, y, part):
        frame = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": self.pick(part)}
        self.axes.text(
            x, y, text, ha="center", va="center", color=self.pick(part), bbox=frame, zorder=3
        )

    def gate(self, name, x, y, onto, part):
        """A gate that reads the bus below it and multiplies what passes at ``onto``."""
        self.arrow((x, 0.3), (x, y - 0.4), part=part)
        self.box(name, x, y, part)
        to_x, to_y = onto
        if x == to_x:
            self.arrow((x, y + 0.4), (x, to_y - 0.3), part=part)
        elif to_y > y:
            self.arrow((x, y + 0.4), (x, to_y), (to_x - 0.3, to_y), part=part)
        else:
            self.arrow((x + 0.35, y), (to_x, y), (to_x, to_y + 0.3), part=part)
        self.circle("×", *onto, part)

    def done(self):
        plt.show()
