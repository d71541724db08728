"""The figures show the numbers that they are given."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rnncells import plotting


@pytest.fixture
def figure(monkeypatch):
    """The figure that a function drew, kept open."""
    monkeypatch.setattr(plt, "show", lambda: None)
    with plt.rc_context():
        plotting.use_book_style()
        yield plt.gcf
    plt.close("all")


def test_states_stand_beside_their_digit(figure):
    images, states = np.random.rand(2, 28, 28), np.random.rand(2, 28, 5) - 0.5
    images[:, 21:] = 0
    plotting.show_states(images, states, ["a 7", "a 1"])
    axes = figure().axes[:4]
    shown = [axis.images[0].get_array() for axis in axes]
    for got, expected in zip(shown, [images[0], states[0], images[1], states[1]], strict=True):
        np.testing.assert_array_equal(got, expected)
    assert [axis.get_title() for axis in axes[::2]] == ["a 7", "a 1"]
    assert axes[1].lines[0].get_ydata()[0] == 20.5  # below the last ink
    low, high = axes[1].images[0].get_clim()
    assert low == -high == -np.abs(states).max()  # zero is the middle colour


def test_curves_count_from_start_and_are_listed_from_the_top(figure):
    curves = {"low": [1.0, 2.0], "high": [3.0, 4.0]}
    plotting.show_curves(curves, "row", "norm", {"high": "red"}, log=True, start=0)
    axes = figure().axes[0]
    assert [line.get_label() for line in axes.lines] == ["high", "low"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 3], [1, 4]])
    assert axes.lines[0].get_color() == "red"
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("row", "norm", "log")


def test_eigenvalues_are_those_of_the_matrix(figure):
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # eigenvalues i and -i
    plotting.show_eigenvalues([turn, 0.5 * turn], ["one", "half"])
    for axes, size in zip(figure().axes, [1, 0.5], strict=True):
        points = axes.collections[0].get_offsets()
        np.testing.assert_allclose(sorted(points.tolist()), [[0, -size], [0, size]], atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(axes.lines[0].get_xydata(), axis=1), 1)


def test_every_digit_has_its_points_and_its_colour_in_each_panel(figure):
    points, labels = np.random.rand(4, 50, 2), np.arange(50) % 10
    plotting.show_digits_in_plane(points, labels, [6, 13, 20, 27])
    for axes, plane, row in zip(figure().axes, points, [6, 13, 20, 27], strict=True):
        assert axes.get_title() == f"after row {row}"
        for digit, dots in enumerate(axes.collections):
            np.testing.assert_allclose(dots.get_offsets(), plane[labels == digit])
            np.testing.assert_allclose(dots.get_facecolor()[0], plt.cm.tab10(digit))
    assert [text.get_text() for text in figure().legends[0].texts] == list("0123456789")


def test_no_two_cells_share_a_colour():
    assert len(set(plotting.COLORS.values())) == len(plotting.COLORS)
