"""Cells drawn as diagrams that grow by one element at a time.

Boxes compute a row of numbers from what the cell reads, circles combine two rows element by
element, and what flows to the right along the top is the state.
"""

import matplotlib.pyplot as plt

from rnncells.book.plotting import COLORS

LSTM_PARTS = ("sum", "input gate", "forget gate", "output gate", "functions")
GRU_PARTS = ("leak", "update gate", "reset gate", "functions")


def show_lstm(parts):
    """The LSTM cell with its first ``parts`` elements, 1 to 5, the last of them in colour.

    In turn: the sum that keeps the cell state, the input gate, the forget gate, the output gate,
    and the functions in the boxes, which then read h as well.

    Raises:
        ValueError: ``parts`` is not one of 1 to 5.
    """
    pen = _Pen(parts, LSTM_PARTS, COLORS["lstm"])
    whole = parts == len(LSTM_PARTS)
    pen.state("c", height=4)
    pen.reads(width=6.8 if parts >= 4 else 5.4)
    pen.circle("+", 5.4, 4, part=1)
    pen.box("g", 5.4, 1.3, part=1, function="tanh" if whole else None)
    pen.arrow((5.4, 0.3), (5.4, 0.95), part=1)
    if parts == 1:
        pen.arrow((5.4, 1.65), (5.4, 3.7), part=1)
    else:
        pen.gate("i", 4.1, 1.3, onto=(5.4, 2.65), part=2)
        pen.arrow((5.4, 1.65), (5.4, 2.35), part=1)
        pen.arrow((5.4, 2.95), (5.4, 3.7), part=1)
    if parts >= 3:
        pen.gate("f", 2.4, 1.3, onto=(2.4, 4), part=3)
    if parts >= 4:
        pen.arrow((8, 4), (8, 2.25), part=4)
        pen.gate("o", 6.8, 1.3, onto=(8, 1.95), part=4)
        pen.arrow((8.3, 1.95), (9.7, 1.95), part=4)
        pen.text("$h_t$", 10.05, 1.95, part=4)
    if whole:
        pen.box("tanh", 8, 3.05, part=5)
        pen.text("$h_{t-1}$", -0.1, -0.5, part=5)
        pen.line((0.5, -0.5), (1.3, -0.5), (1.3, 0.3), part=5)
        pen.dot(1.3, 0.3, part=5)
    pen.done()


def show_gru(parts):
    """The GRU cell with its first ``parts`` elements, 1 to 4, the last of them in colour.

    In turn: the leaky sum of the state and a candidate with a fixed leak, the update gate z in its
    place, the reset gate, and the functions in the boxes, whose gates then read h as well.

    Raises:
        ValueError: ``parts`` is not one of 1 to 4.
    """
    pen = _Pen(parts, GRU_PARTS, COLORS["gru"])
    whole = parts == len(GRU_PARTS)
    pen.state("h", height=4)
    pen.reads(width=6.8, y=-0.4)
    pen.circle("+", 6.6, 4, part=1)
    pen.box("g", 6.6, 1.5, part=1, function="tanh" if whole else None)
    pen.arrow((6.6, 1.85), (6.6, 2.35), part=1)
    pen.arrow((6.6, 2.95), (6.6, 3.7), part=1)
    pen.arrow((6.8, -0.4), (6.8, 1.1), part=1)
    keep, write = (r"$1-\alpha$", r"$\alpha$") if parts == 1 else ("z", "$1-z$")
    pen.circle("×", 2.4, 4, part=1)
    pen.circle("×", 6.6, 2.65, part=1)
    if parts == 1:
        pen.text(keep, 2.4, 3.3, part=1)
        pen.text(write, 5.9, 2.65, part=1)
    else:
        pen.gate(keep, 2.4, 1.5, onto=(2.4, 4), part=2, bus=-0.4)
        pen.arrow((2.4, 2.65), (6.3, 2.65), part=2)
        pen.text(write, 3.3, 2.95, part=2)
    if parts >= 3:
        pen.line((1.2, 4), (1.2, 0.4), (5.2, 0.4), part=3)
        pen.arrow((5.8, 0.4), (6.4, 0.4), (6.4, 1.1), part=3)
        pen.gate("r", 4.2, 1.5, onto=(5.5, 0.4), part=3, bus=-0.4)
        pen.dot(1.2, 4, part=3)
    if whole:
        pen.dot(2.4, 0.4, part=4)
        pen.dot(4.2, 0.4, part=4)
    pen.done()


class _Pen:
    """Draws on axes of 10 by 5 units; what belongs to the newest part is in colour."""

    def __init__(self, parts, names, color):
        if parts not in range(1, len(names) + 1):
            raise ValueError(f"parts: expected 1 to {len(names)}; got {parts!r}.")
        self.newest, self.color = parts, color
        self.has_functions = names[parts - 1] == "functions"
        _, self.axes = plt.subplots(figsize=(5.4, 2.6))
        self.axes.set(xlim=(-0.9, 10.5), ylim=(-0.8, 4.6), aspect="equal")
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

    def reads(self, width, y=0.3):
        self.line((0.5, y), (width, y), part=0)
        self.text("$x_t$", -0.1, y, part=0)

    def dot(self, x, y, part):
        """Where a line is read or joined, as against two lines that only cross."""
        self.axes.plot(x, y, marker="o", markersize=5, color=self.pick(part), zorder=2)

    def circle(self, sign, x, y, part):
        self.axes.add_patch(
            plt.Circle((x, y), 0.3, facecolor="white", edgecolor=self.pick(part), lw=1.5, zorder=2)
        )
        self.axes.text(
            x, y, sign, ha="center", va="center_baseline", color=self.pick(part), zorder=3
        )

    def box(self, text, x, y, part, function=None):
        """A box with its letter in it, or with its function in it and the letter beside it."""
        edge = self.pick(self.newest if function else part)
        if function:
            self.text(text, x - (0.72 if function == "tanh" else 0.48), y, part)
        frame = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": edge}
        label = function or text
        self.axes.text(x, y, label, ha="center", va="center", color=edge, bbox=frame, zorder=3)

    def gate(self, name, x, y, onto, part, bus=0.3):
        """A gate that reads the bus below it and multiplies what passes at ``onto``."""
        self.arrow((x, bus), (x, y - 0.4), part=part)
        self.box(name, x, y, part, function="σ" if self.has_functions else None)
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


def show_unrolled():
    """One cell with its loop, and below it the same cell once for each of four steps."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.4, 4.1), height_ratios=[1.25, 1])
    for axes, low, high in ((top, -0.5, 2.5), (bottom, -0.5, 1.9)):
        axes.set(xlim=(-0.5, 10.3), ylim=(low, high), aspect="equal")
        axes.axis("off")
    _step(top, 4.9, "$x_t$")
    _flow(top, (5.65, 1), (7.2, 1))
    top.text(7.55, 1, "$h_t$", ha="center", va="center", fontsize=13)
    loop = (6.3, 6.3, 3.4, 3.4), (1, 2.1, 2.1, 1)
    top.plot(*loop, color=COLORS["simple"], linewidth=1.5, zorder=1)
    _flow(top, (3.4, 1), (4.15, 1))
    top.text(2.75, 1.5, "$h_{t-1}$", ha="center", va="center", fontsize=13)
    top.text(-0.4, 2.2, "rolled", fontsize=12, fontweight="bold")
    bottom.text(-0.4, 1.7, "unrolled", fontsize=12, fontweight="bold")
    bottom.text(-0.1, 1, "$h_0$", ha="center", va="center", fontsize=13)
    for t in range(1, 5):
        x = 2.3 * t - 0.7
        _step(bottom, x, f"$x_{t}$")
        _flow(bottom, (x - 1.4, 1), (x - 0.75, 1))
        if t < 4:
            bottom.plot((x + 0.75, x + 0.95), (1, 1), color=COLORS["simple"], lw=1.5, zorder=1)
            bottom.text(x + 1.15, 1.35, f"$h_{t}$", ha="center", va="center", fontsize=13)
    _flow(bottom, (9.25, 1), (9.75, 1))
    bottom.text(10.05, 1, "$h_4$", ha="center", va="center", fontsize=13)
    plt.show()


def _step(axes, x, name):
    """A cell centred at (x, 1) with its weights, and what it reads from below."""
    frame = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "black"}
    axes.text(x, 1, "cell\n$W,\\ U$", ha="center", va="center", bbox=frame, fontsize=11, zorder=3)
    _flow(axes, (x, -0.05), (x, 0.4), color="black")
    axes.text(x, -0.3, name, ha="center", va="center", fontsize=13)


def _flow(axes, start, end, color=COLORS["simple"]):
    style = {"arrowstyle": "-|>", "color": color, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style, zorder=1)
