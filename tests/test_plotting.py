"""The figures show the numbers that they are given."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rnncells.book import plotting


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


def test_maps_stand_beside_their_digit_each_on_its_own_scale(figure):
    image, maps = np.random.rand(28, 28), [np.random.rand(28, 28), 9 * np.random.rand(28, 28)]
    plotting.show_reach(image, maps, ["near", "far"])
    axes = figure().axes
    for axis, expected in zip(axes, [image, *maps], strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), expected)
        assert axis.images[0].get_clim() == (0, expected.max())
    assert [axis.get_title() for axis in axes] == ["the digit", "near", "far"]


def test_every_run_is_a_dot_in_the_row_of_its_cell(figure):
    plotting.show_spread({"lstm": [0.99, 0.98], "simple": [0.97]}, "accuracy", {"lstm": "red"})
    axes = figure().axes[0]
    first, second = axes.collections
    np.testing.assert_allclose(first.get_offsets(), [[0.99, 0], [0.98, 0]])
    np.testing.assert_allclose(second.get_offsets(), [[0.97, 1]])
    np.testing.assert_allclose(first.get_facecolor()[0][:3], [1, 0, 0])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["lstm", "simple"]


def test_ratios_are_dots_with_bars_beside_the_line_at_one(figure):
    panels = {
        "short": {"fast": (0.4, 0.5, 0.7), "slow": (1.1, 1.2, 1.4)},
        "long": {"slow": (1, 1, 1)},
    }
    plotting.show_ratios(panels, "ours", {"fast": "red"})
    left, right = figure().axes
    assert [axes.get_title() for axes in (left, right)] == ["short", "long"]
    assert [text.get_text() for text in left.get_yticklabels()] == ["fast", "slow"]
    line, bar, dot, *_ = left.lines
    assert line.get_xdata() == [1, 1]
    np.testing.assert_allclose(bar.get_xydata(), [[0.4, 0], [0.7, 0]])
    np.testing.assert_allclose(dot.get_xydata(), [[0.5, 0]])
    assert bar.get_color() == dot.get_color() == "red"
    np.testing.assert_allclose(right.lines[2].get_xydata(), [[1, 1]])  # in the row of its name
    assert "1\nours" in [text.get_text() for text in left.get_xticklabels()]
    assert left.get_xlim() == right.get_xlim() and left.get_xlim()[0] == 0


def test_a_band_reaches_from_the_lowest_run_to_the_highest(figure):
    plotting.show_bands({"gru": [[0.1, 0.2], [0.3, 0.6]]}, "epochs", "accuracy")
    axes = figure().axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[1, 0.2], [2, 0.4]])
    corners = axes.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} >= {(1, 0.1), (1, 0.3), (2, 0.2), (2, 0.6)}
    assert axes.lines[0].get_label() == "gru"


def test_eigenvalues_are_those_of_the_matrix(figure):
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # eigenvalues i and -i
    plotting.show_eigenvalues([turn, 0.5 * turn], ["one", "half"])
    for axes, size in zip(figure().axes, [1, 0.5], strict=True):
        points = axes.collections[0].get_offsets()
        np.testing.assert_allclose(sorted(points.tolist()), [[0, -size], [0, size]], atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(axes.lines[0].get_xydata(), axis=1), 1)


def test_every_digit_has_its_points_and_its_number_at_their_mean(figure):
    points, labels = np.random.rand(4, 50, 2), np.arange(50) % 10
    plotting.show_digits_in_plane(points, labels, [6, 13, 20, 27])
    for axes, plane, row in zip(figure().axes, points, [6, 13, 20, 27], strict=True):
        assert axes.get_title() == f"after row {row}"
        for digit, (dots, number) in enumerate(zip(axes.collections, axes.texts, strict=True)):
            np.testing.assert_allclose(dots.get_offsets(), plane[labels == digit])
            np.testing.assert_allclose(dots.get_facecolor()[0][:3], plt.cm.tab10(digit)[:3])
            assert number.get_text() == str(digit)
            np.testing.assert_allclose(number.get_position(), plane[labels == digit].mean(axis=0))


def test_units_run_downwards_beside_their_digit(figure):
    images, states = np.zeros((2, 28, 28)), np.random.rand(2, 28, 3) - 0.5
    images[0, :21] = images[1, :25] = 1
    plotting.show_chosen_units(images, states, ["a 7", "a 1"])
    axes = np.reshape(figure().axes, (2, 4))
    for row, image, state, last_ink in zip(axes, images, states, [20.5, 24.5], strict=True):
        np.testing.assert_array_equal(row[0].images[0].get_array(), image)
        for unit, axis in enumerate(row[1:]):
            np.testing.assert_array_equal(axis.lines[1].get_xdata(), state[:, unit])
            np.testing.assert_array_equal(axis.lines[1].get_ydata(), range(28))
            assert axis.lines[2].get_ydata()[0] == last_ink
            assert axis.get_title() == f"unit {unit}"
        low, high = row[1].get_ylim()
        assert low > high  # time runs downwards


@pytest.mark.parametrize("end", [-1, 0])
def test_names_stand_at_the_ends_of_their_lines_and_do_not_meet(figure, end):
    curves = {"high": [1.0, 9.0, 2.0], "low": [0.99, 5.0, 1.99]}
    plotting.show_labelled_curves(curves, "row", "norm", {"low": "red"}, start=0, end=end)
    axes = figure().axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 1], [1, 9], [2, 2]])
    assert axes.lines[1].get_color() == "red"
    assert [text.get_text() for text in axes.texts] == ["low", "high"]  # from below
    (x, low), (_, high) = (text.xy for text in axes.texts)
    assert high - low == pytest.approx(0.075, abs=1e-3)
    right = x > 0.5
    assert right == (end == -1)


def test_a_descent_is_its_losses_above_its_norms(figure):
    log = np.array([[2.3, 1.0], [2.1, 9.0]])
    plotting.show_descent({"no clipping": log}, {"no clipping": "red"})
    upper, lower = figure().axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), log[:, 0])
    np.testing.assert_array_equal(lower.lines[0].get_ydata(), log[:, 1])
    assert lower.get_yscale() == "log"


def test_a_mark_is_a_line_across_all_rows_with_its_name_above(figure):
    plotting.show_spread({"lstm": [0.99], "simple": [0.97]}, "accuracy", mark=("logistic", 0.92))
    axes = figure().axes[0]
    assert list(axes.lines[0].get_xdata()) == [0.92, 0.92]
    assert axes.get_title() == "logistic"
    assert axes.title.get_position()[0] == 0.92


def test_no_two_cells_share_a_colour():
    assert len(set(plotting.COLORS.values())) == len(plotting.COLORS)


def test_a_tape_shows_its_numbers_and_fills_its_gates(figure):
    plotting.show_tape({"number": [3, 1], "i": [0, 1]}, gates=("i",))
    axes = figure().axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "1"]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0, 0], [0, 1]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["number", "i"]


def test_units_are_lines_beside_their_digit(figure):
    image, gate, state = np.zeros((28, 28)), np.random.rand(28), 3 * np.random.rand(28) - 2
    image[4:21] = 1
    panels = {"gate f": {"keeps": gate}, "c": {"keeps": state}}
    plotting.show_unit_lines(image, panels, {"keeps": "red"})
    digit, left, right = figure().axes
    np.testing.assert_array_equal(left.lines[0].get_xdata(), gate)
    np.testing.assert_array_equal(right.lines[0].get_xdata(), state)
    assert [text.get_text() for text in right.texts] == ["keeps"]
    assert list(left.get_xticks()) == [0, 1]
    low, zero, high = right.get_xticks()
    assert (low, zero) == (-high, 0)
    assert high >= np.abs(state).max()
    for axis in (digit, left, right):  # above the first ink and below the last
        assert [line.get_ydata()[0] for line in axis.lines[-2:]] == [3.5, 20.5]


def test_names_stand_at_the_ends_of_their_lines(figure):
    plotting.show_lines({"LSTM": [1, 0.9]}, [5, 80], "delay", "right", {"LSTM": "blue"})
    axes = figure().axes[0]
    (name,) = axes.texts
    assert (name.get_text(), name.xy) == ("LSTM", (80, 0.9))
    assert list(axes.get_xticks()) == [5, 80]
