"""The book's figures and their style: one colour for each cell, time always downwards in rows."""

import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's palette: told apart with every kind of colour vision.
COLORS = {
    "linear": "#56B4E9",
    "simple": "#E69F00",
    "lstm": "#0072B2",
    "gru": "#009E73",
    "identity": "#CC79A7",  # the simple cell with ReLU and an identity start
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


def show_gates(image, maps):
    """A digit beside heat maps of what a cell computed while it read: row t of each is step t.

    Thin lines mark the first and the last row with ink. Gates are shown from 0 to 1; a map of
    something else, with negative numbers, from its largest number to minus that.

    Args:
        image: (rows, columns), the picture that was read.
        maps: Names and arrays (rows, units).
    """
    count = 1 + len(maps)
    figure, axes = plt.subplots(1, count, figsize=(1.5 * count, 2.6), sharey=True)
    axes[0].imshow(image, cmap="gray_r", aspect="auto", interpolation="nearest")
    axes[0].set(title="the digit", ylabel="step (row)", yticks=[0, 9, 18, 27], xlabel="pixel")
    for axis, (name, values) in zip(axes[1:], maps.items(), strict=True):
        limit = np.abs(values).max()
        scale = {"cmap": "viridis", "vmin": 0, "vmax": 1}
        if values.min() < 0:
            scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
        heat = axis.imshow(values, aspect="auto", interpolation="nearest", **scale)
        axis.set(title=name, xlabel=f"{values.shape[1]} units")
        figure.colorbar(
            heat,
            ax=axis,
            orientation="horizontal",
            ticks=[scale["vmin"], scale["vmax"]],
            format="%.2g",
        )
    rows = np.flatnonzero(image.any(axis=1))
    for axis in axes:
        axis.set_xticks([])
        axis.axhline(rows[0] - 0.5, color="black", linewidth=0.8)
        axis.axhline(rows[-1] + 0.5, color="black", linewidth=0.8)
    plt.show()


def show_curves(curves, xlabel, ylabel, colors=None, log=False, start=1):
    """Lines over a count, from ``start`` on, with a legend above in the order of their last values.

    Args:
        curves: Names and their values.
        xlabel: What is counted.
        ylabel: What is shown, with its unit.
        colors: Names and their colours; Matplotlib's own for the rest.
        log: Whether the vertical axis is logarithmic.
        start: The first count.
    """
    _, axes = plt.subplots(figsize=(5.4, 3.8))
    colors = colors or {}
    for name, values in sorted(curves.items(), key=lambda item: -item[1][-1]):
        counts = np.arange(start, start + len(values))
        axes.plot(counts, values, marker="o", markersize=4, label=name, color=colors.get(name))
    axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    axes.grid(True)
    # A line of the legend holds two names, or more short ones.
    columns = 2 if len(curves) < 3 else max(1, 33 // max(map(len, curves)))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)
    plt.show()


def show_spread(groups, xlabel, colors=None):
    """One dot for each run, in a row for each group: what a mean would hide.

    Args:
        groups: Names, from the top down, and the results of their runs.
        xlabel: What is shown, with its unit.
        colors: Names and their colours; grey for the rest.
    """
    _, axes = plt.subplots(figsize=(5.4, 0.8 + 0.36 * len(groups)))
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

    Args:
        points: (panels, n, 2), the coordinates.
        labels: (n,), the digit that each point belongs to.
        rows: The row of each panel.
    """
    figure, axes = plt.subplots(2, 2, figsize=(5.4, 5), sharex=True, sharey=True)
    for axis, plane, row in zip(axes.flat, points, rows, strict=True):
        dots = [
            axis.scatter(*plane[labels == digit].T, s=6, color=plt.cm.tab10(digit), linewidths=0)
            for digit in range(10)
        ]
        axis.set(title=f"after row {row}", xticks=[], yticks=[])
    names = {"loc": "outside upper center", "ncols": 10, "handletextpad": 0, "columnspacing": 0.8}
    figure.legend(dots, range(10), markerscale=3, **names)
    figure.supxlabel("first axis of the last states", fontsize=11)
    figure.supylabel("second axis", fontsize=11)
    plt.show()
