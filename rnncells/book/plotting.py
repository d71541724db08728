"""The book's figures and their style: one colour for each cell, time always downwards in rows."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

# Okabe and Ito's palette: distinct with every kind of colour vision.
COLORS = {
    "linear": "#56B4E9",
    "simple": "#E69F00",
    "lstm": "#0072B2",
    "gru": "#009E73",
    "identity": "#CC79A7",  # the simple cell with ReLU and identity initialization
    "other": "#666666",
}


def use_book_style():
    """Sets Matplotlib's defaults to those of the book."""
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "grid.color": "#dddddd",
            "legend.frameon": False,
            "lines.linewidth": 2,
        }
    )


def show_states(images, states, titles):
    """Digits beside the states of a cell that reads them: row t of both is step t.

    A thin line marks the last row with ink.

    Args:
        images: (n, rows, columns), the pictures that were read.
        states: (n, rows, units), the state after each row.
        titles: n strings, one above each digit.
    """
    figure, axes = plt.subplots(
        1, 2 * len(images), figsize=(2.9 * len(images), 3), width_ratios=[28, 34] * len(images)
    )
    limit = np.abs(states).max()
    for i, (image, state, title) in enumerate(zip(images, states, titles, strict=True)):
        left, right = axes[2 * i : 2 * i + 2]
        last_ink = np.flatnonzero(image.any(axis=1))[-1]
        left.imshow(image, cmap="gray_r", aspect="auto", interpolation="nearest")
        heat = right.imshow(
            state, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
        )
        left.set(title=title, xlabel="pixel", ylabel="step (row)" if i == 0 else None, xticks=[])
        right.set(title="its state", xlabel=f"{state.shape[1]} units", xticks=[])
        left.set_yticks([0, 9, 18, 27])
        right.set_yticks([])
        for axis in (left, right):
            axis.axhline(last_ink + 0.5, color="black", linewidth=0.8)
    figure.colorbar(heat, ax=axes, shrink=0.8)
    plt.show()


def show_reach(image, maps, titles):
    """A digit beside maps of its own shape, each on its own scale from zero.

    Args:
        image: (rows, columns), the picture that was read.
        maps: n arrays (rows, columns), a size for each pixel.
        titles: n strings, one above each map.
    """
    width = 1.45 * (1 + len(maps))
    _, axes = plt.subplots(1, 1 + len(maps), figsize=(width, 2), sharey=True)
    pictures = [image, *maps]
    colormaps = ["gray_r"] + ["Reds"] * len(maps)
    for axis, picture, title, colors in zip(
        axes, pictures, ["the digit", *titles], colormaps, strict=True
    ):
        axis.imshow(picture, cmap=colors, vmin=0, interpolation="nearest")
        axis.set(title=title, xticks=[], yticks=[0, 9, 18, 27])
    axes[0].set_ylabel("step (row)")
    plt.show()


def show_spread(groups, xlabel, colors=None, mark=None):
    """One dot for each run, in a row for each group: what a mean would hide.

    Args:
        groups: Names, from the top down, and the results of their runs.
        xlabel: What is shown, with its unit.
        colors: Names and their colours; grey for the rest.
        mark: A name and a result, for a dashed line across all rows.
    """
    _, axes = plt.subplots(figsize=(5.4, 0.8 + 0.36 * len(groups)))
    if mark:
        axes.axvline(mark[1], color="black", linestyle="--", linewidth=1)
        axes.set_title(mark[0], x=mark[1], transform=axes.get_xaxis_transform(), fontsize=10)
    for place, (name, values) in enumerate(groups.items()):
        color = (colors or {}).get(name, COLORS["other"])
        axes.scatter(values, [place] * len(values), s=40, color=color, alpha=0.7)
    axes.set(xlabel=xlabel, ylim=(len(groups) - 0.5, -0.5))
    axes.set_yticks(range(len(groups)), labels=list(groups))
    axes.grid(axis="x")
    plt.show()


def show_ratios(panels, other, colors=None):
    """How long programs take, as multiples of another: the median as a dot, a bar over quartiles.

    Args:
        panels: Titles and, for each, the programs' names from the top down with the lower
            quartile, the median and the upper quartile.
        other: The program that takes one.
        colors: Names and their colours; grey for the rest.
    """
    names = list(dict.fromkeys(name for groups in panels.values() for name in groups))
    size = (1.4 + 2.2 * len(panels), 1.2 + 0.36 * len(names))
    shared = {"sharex": True, "sharey": True, "squeeze": False}
    figure, (axes,) = plt.subplots(1, len(panels), figsize=size, **shared)
    for axis, (title, groups) in zip(axes, panels.items(), strict=True):
        axis.axvline(1, color="black", linewidth=0.8)
        for name, (low, middle, high) in groups.items():
            style = {"color": (colors or {}).get(name, COLORS["other"])}
            axis.plot([low, high], [names.index(name)] * 2, **style)
            axis.plot(middle, names.index(name), marker="o", **style)
        axis.set(title=title, ylim=(len(names) - 0.5, -0.5))
        axis.grid(axis="x")
    highest = axes[0].get_xlim()[1]
    ticks = np.arange(0, highest, 0.5 if highest < 3 else 1)
    labels = [f"{tick:g}\n{other}" if tick == 1 else f"{tick:g}" for tick in ticks]
    axes[0].set_xlim(0, highest)
    axes[0].set_xticks(ticks, labels=labels)
    axes[0].set_yticks(range(len(names)), labels=names)
    figure.supxlabel(f"time, as a multiple of that of {other}", fontsize=11)
    plt.show()


def show_bands(groups, xlabel, ylabel, colors=None):
    """The mean of several runs as a line, and a band from the lowest of them to the highest.

    Args:
        groups: Names and their runs, each a list with a value for each count from 1 on.
        xlabel: What is counted.
        ylabel: What is shown, with its unit.
        colors: Names and their colours; grey for the rest.
    """
    _, axes = plt.subplots(figsize=(5.4, 3.8))
    for name, runs in groups.items():
        color = (colors or {}).get(name, COLORS["other"])
        counts = np.arange(1, 1 + len(runs[0]))
        axes.fill_between(counts, np.min(runs, 0), np.max(runs, 0), color=color, alpha=0.25, lw=0)
        axes.plot(counts, np.mean(runs, 0), marker="o", markersize=4, color=color, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(True)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    plt.show()


def show_eigenvalues(matrices, titles):
    """The eigenvalues of each matrix in the complex plane, beside the circle of size one.

    Args:
        matrices: n square matrices.
        titles: n strings.
    """
    size = (2.9 * len(matrices), 3.1)
    _, (axes,) = plt.subplots(1, len(matrices), figsize=size, sharey=True, squeeze=False)
    circle = np.exp(2j * np.pi * np.linspace(0, 1, 200))
    for axis, matrix, title in zip(axes, matrices, titles, strict=True):
        values = np.linalg.eigvals(matrix)
        axis.plot(circle.real, circle.imag, color=COLORS["other"], linewidth=1)
        axis.scatter(
            values.real, values.imag, s=22, color=COLORS["linear"], edgecolor="black", lw=0.5
        )
        axis.set(title=title, xlabel="real part", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        axis.set_aspect("equal")
    axes[0].set_ylabel("imaginary part")
    plt.show()


def show_digits_in_plane(points, labels, rows):
    """States of labelled digits in a plane, one panel for each row at which they were taken.

    A dot is one digit's state; the number in a circle stands at the mean of its digit's states.

    Args:
        points: (panels, n, 2), the coordinates.
        labels: (n,), the digit that each point belongs to.
        rows: The row of each panel.
    """
    figure, axes = plt.subplots(2, 2, figsize=(5, 4.4), sharex=True, sharey=True)
    for axis, plane, row in zip(axes.flat, points, rows, strict=True):
        for digit in range(10):
            dots, color = plane[labels == digit], plt.cm.tab10(digit)
            axis.scatter(*dots.T, s=5, color=color, linewidths=0)
            circle = {"boxstyle": "circle,pad=0.1", "facecolor": "white", "edgecolor": color}
            center = {"ha": "center", "va": "center", "fontsize": 9}
            axis.text(*dots.mean(axis=0), digit, bbox=circle, **center)
        axis.set(title=f"after row {row}", xticks=[], yticks=[])
    figure.supxlabel("first axis of the last states", fontsize=11)
    figure.supylabel("second axis", fontsize=11)
    plt.show()


def show_chosen_units(images, states, titles):
    """Digits, and beside each the state of some units as lines that run downwards with the rows.

    A thin line marks the last row with ink.

    Args:
        images: (n, rows, columns), the pictures that were read.
        states: (n, rows, units), the state of each unit after each row, between -1 and 1.
        titles: n strings, one above each digit.
    """
    n, _, units = states.shape
    size = (1.4 + 0.95 * units, 2 * n)
    _, axes = plt.subplots(
        n, 1 + units, figsize=size, sharey=True, squeeze=False, width_ratios=[1.6] + [1] * units
    )
    for row, image, state, title in zip(axes, images, states, titles, strict=True):
        row[0].imshow(image, cmap="gray_r", aspect="auto", interpolation="nearest")
        row[0].set(title=title, ylabel="step (row)", xticks=[], yticks=[0, 9, 18, 27])
        for unit, axis in enumerate(row[1:]):
            axis.axvline(0, color=COLORS["other"], linewidth=0.8)
            axis.plot(state[:, unit], range(len(state)), color=COLORS["simple"])
            axis.set(title=f"unit {unit}", xlim=(-1.15, 1.15), xticks=[-1, 0, 1])
        for axis in row:
            last_ink = np.flatnonzero(image.any(axis=1))[-1]
            axis.axhline(last_ink + 0.5, color="black", linewidth=0.8)
    plt.show()


def show_labelled_curves(curves, xlabel, ylabel, colors=None, log=False, start=1, end=-1):
    """Lines over a count, from ``start`` on, each with its name at one of its ends.

    Args:
        curves: Names and their values.
        xlabel: What is counted.
        ylabel: What is shown, with its unit.
        colors: Names and their colours; grey for the rest.
        log: Whether the vertical axis is logarithmic.
        start: The first count.
        end: Where the names stand: -1, at the last values, or 0, at the first.
    """
    figure, axes = plt.subplots(figsize=(6, 3.6))
    axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    for name, values in curves.items():
        color = (colors or {}).get(name, COLORS["other"])
        counts = np.arange(start, start + len(values))
        axes.plot(counts, values, marker="o", markersize=3, color=color)
    axes.grid(True)
    if end == 0:
        axes.yaxis.tick_right()
        axes.yaxis.set_label_position("right")
        axes.spines[["left", "right"]].set_visible(False)
    _name_at_ends(axes, list(curves), [line.get_xydata()[end] for line in axes.lines], end)
    plt.show()


def _name_at_ends(axes, names, ends, end):
    """Writes the names beside the lines' ends, moved apart where they would meet."""
    height = 0.075  # of a name, in parts of the axis
    axes.autoscale_view()  # now, and not when it is drawn: the places depend on it
    to_parts = axes.transData + axes.transAxes.inverted()
    parts = [to_parts.transform(point)[1] for point in ends]
    order = np.argsort(parts)
    places = np.array(parts)[order]
    for _ in range(100):  # neighbours push each other away, half the overlap each
        overlap = np.maximum(0, height - np.diff(places)) / 2
        places[:-1] -= overlap
        places[1:] += overlap
    for i, place in zip(order, places, strict=True):
        side = {"xytext": (8, 0), "ha": "left"} if end else {"xytext": (-8, 0), "ha": "right"}
        x = to_parts.transform(ends[i])[0]
        axes.annotate(
            names[i],
            (x, place),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=0.75 * np.array(to_rgb(axes.lines[i].get_color())),
            annotation_clip=False,
            **side,
        )


def show_descent(logs, colors):
    """The loss and the norm of the gradient, batch by batch, in two panels.

    Args:
        logs: Names and arrays (batches, 2), the loss and the norm of each.
        colors: Names and their colours.
    """
    _, (upper, lower) = plt.subplots(2, 1, figsize=(5, 3.2), sharex=True)
    for name, log in logs.items():
        loss, norm = np.transpose(log)
        upper.plot(loss, color=colors[name], linewidth=1, label=name)
        lower.plot(norm, color=colors[name], linewidth=1)
    upper.set(ylabel="loss")
    lower.set(ylabel="gradient norm", xlabel="batch", yscale="log")
    upper.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def show_weight_pictures(rows):
    """Matrices from pixels to ten scores as ten pictures each, one matrix a row.

    Red pixels speak for the digit and blue ones against it. Each row has its own scale.

    Args:
        rows: Names, from the top down, and matrices (784, 10).
    """
    _, axes = plt.subplots(len(rows), 10, figsize=(5.8, 0.56 * len(rows) + 0.4))
    for line, (name, matrix) in zip(axes, rows.items(), strict=True):
        limit = np.quantile(np.abs(matrix), 0.995)  # or a few large weights would fade the rest
        colors = plt.get_cmap("RdBu_r", 9)  # few colours make a small file
        scale = {"cmap": colors, "vmin": -limit, "vmax": limit, "interpolation": "nearest"}
        for axis, picture in zip(line, matrix.T.reshape(10, 28, 28), strict=True):
            axis.imshow(picture, **scale)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set(visible=True, color="#bbbbbb")
        place = {"rotation": 0, "ha": "right", "va": "center"}
        line[0].set_ylabel(name, **place)
    for digit, axis in enumerate(axes[0]):
        axis.set_title(str(digit))
    plt.show()


def show_spiral(matrix, state, steps):
    """A state of two numbers, multiplied by a matrix again and again, beside its eigenvalues.

    Args:
        matrix: (2, 2).
        state: (2,), where it starts.
        steps: How often it is multiplied.
    """
    _, (left, right) = plt.subplots(1, 2, figsize=(5.8, 3.1))
    path = np.array([state @ np.linalg.matrix_power(matrix, t) for t in range(steps + 1)])
    circle = np.exp(2j * np.pi * np.linspace(0, 1, 200))
    for axis in (left, right):
        axis.plot(circle.real, circle.imag, color=COLORS["other"], linewidth=1)
        axis.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    left.plot(*path.T, color=COLORS["linear"], marker="o", markersize=4, linewidth=1)
    for step in range(4):
        left.annotate(f"{step}", path[step], xytext=(5, 4), textcoords="offset points", fontsize=10)
    left.set(title="the state, step by step", xlabel="first number", ylabel="second number")
    values = sorted(np.linalg.eigvals(matrix), key=lambda value: -value.imag)
    style = {"s": 40, "color": COLORS["linear"], "edgecolor": "black", "zorder": 3}
    right.scatter(np.real(values), np.imag(values), **style)
    for value in values:
        right.plot([0, value.real], [0, value.imag], color="black", linewidth=1)
    for value, label, rise in ((values[0], "$\\lambda$", 6), (values[1], "$\\bar\\lambda$", -14)):
        place = {"xytext": (-14, rise), "textcoords": "offset points"}
        right.annotate(label, (value.real, value.imag), **place)
    right.set(title="its eigenvalues", xlabel="real part", ylabel="imaginary part")


def show_tape(rows, gates):
    """Numbers over the steps of a short sequence, a row for each name; gates are filled.

    Args:
        rows: Names, from the top down, and a number for each step.
        gates: The names among them whose numbers lie between 0 and 1.
    """
    steps = len(next(iter(rows.values())))
    _, axes = plt.subplots(figsize=(5.4, 0.5 + 0.33 * len(rows)))
    filled = np.array([np.asarray(row) * (name in gates) for name, row in rows.items()])
    axes.imshow(filled, cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    for (place, step), _ in np.ndenumerate(filled):
        number = list(rows.values())[place][step]
        axes.text(step, place, f"{number:g}", ha="center", va="center")
    axes.set_yticks(range(len(rows)), labels=list(rows))
    axes.set_xticks(range(steps), labels=range(1, steps + 1))
    axes.set(xlabel="step")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for edge in range(1, len(rows)):
        axes.axhline(edge - 0.5, color="white", linewidth=3)
    plt.show()


def show_unit_lines(image, panels, colors):
    """A digit beside lines of a few units: row t of the digit and of each panel is step t.

    Thin lines mark the first and the last row with ink.

    Args:
        image: (rows, columns), the picture that was read.
        panels: Titles and, for each, the units' names with their values, (rows,). The names stand
            at the ends of the lines in the last panel.
        colors: The units' names and their colours.
    """
    count = 1 + len(panels)
    _, axes = plt.subplots(1, count, figsize=(1.55 * count, 2.9), sharey=True)
    axes[0].imshow(image, cmap="gray_r", aspect="auto", interpolation="nearest")
    axes[0].set(title="the digit", ylabel="step (row)", yticks=[0, 9, 18, 27], xticks=[])
    for axis, (title, units) in zip(axes[1:], panels.items(), strict=True):
        for name, values in units.items():
            axis.plot(values, range(len(values)), color=colors[name])
        every = np.concatenate(list(units.values()))
        limit = np.ceil(np.abs(every).max())
        low = -limit if every.min() < 0 else 0
        axis.set(
            title=title, xlim=(low - 0.05 * limit, 1.05 * limit), xticks=sorted({low, 0, limit})
        )
        axis.axvline(0, color="#dddddd", linewidth=1, zorder=0)
    ink = np.flatnonzero(image.any(axis=1))
    for axis in axes:
        axis.axhline(ink[0] - 0.5, color="black", linewidth=0.8)
        axis.axhline(ink[-1] + 0.5, color="black", linewidth=0.8)
    for place, name in enumerate(units):
        at = {"xy": (1.05, 0.85 - 0.2 * place), "xycoords": "axes fraction"}
        axes[-1].annotate(name, **at, color=colors[name])
    plt.show()


def show_lines(curves, places, xlabel, ylabel, colors, **settings):
    """Lines whose names stand at their right ends.

    Args:
        curves: Names and their values.
        places: Where the values were taken: on the horizontal axis, and its ticks.
        xlabel: What is varied.
        ylabel: What is shown, with its unit.
        colors: Names and their colours.
        settings: More of the axes, as in ``yscale="log"``.
    """
    _, axes = plt.subplots(figsize=(5.4, 3.4))
    for name, values in curves.items():
        axes.plot(places, values, marker="o", markersize=4, color=colors[name])
        end = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(name, (places[-1], values[-1]), color=colors[name], **end)
    axes.set(xlabel=xlabel, ylabel=ylabel, **settings)
    axes.set_xticks(places, labels=[f"{place:g}" for place in places])
    axes.minorticks_off()
    axes.grid(True)
    plt.show()
