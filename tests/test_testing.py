"""check: the line that a chapter prints must be able to stop it."""

import keras
import numpy as np
import pytest

from rnncells.testing import check


def test_it_prints_one_line_that_does_not_depend_on_the_difference(capsys):
    check("h", np.ones(3), np.ones(3) + 1e-9)
    check("states", [keras.ops.ones(2), 1.0], [np.ones(2), 1.0], tolerance=1e-12)
    check("bits", np.ones(3), np.ones(3), tolerance=0)
    assert capsys.readouterr().out == (
        "h: equal to within 1e-06\nstates: equal to within 1e-12\nbits: exactly equal\n"
    )


@pytest.mark.parametrize(
    ("got", "expected", "what"),
    [
        (np.ones(3), np.ones(3) + 2e-6, "h: array 0 differs by 2.0e-06; expected at most 1e-06."),
        (np.ones(3), np.ones((1, 3)), r"h: array 0 has shape \(3,\); expected \(1, 3\)."),
        ([np.ones(3), np.nan], [np.ones(3), 1.0], "h: array 1 differs by nan"),
        ([np.ones(3), np.inf], [np.ones(3), 1.0], "h: array 1 differs by inf"),
        ([], [], "h: 0 arrays; expected some."),
        ([np.ones(2)], [np.ones(2)] * 2, "h: 1 arrays; expected 2."),
    ],
)
def test_it_stops_where_they_differ(got, expected, what, capsys):
    with pytest.raises(AssertionError, match=what):
        check("h", got, expected)
    assert capsys.readouterr().out == ""


def test_an_infinity_equals_itself():
    check("h", [np.inf, -np.inf, 1.0], [np.inf, -np.inf, 1.0], tolerance=0)


def test_the_tolerance_is_relative_above_one():
    check("h", 1e6, 1e6 + 0.5)
    with pytest.raises(AssertionError):
        check("h", 1e6, 1e6 + 2)
