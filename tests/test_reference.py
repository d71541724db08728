"""The NumPy reference against central differences, which know only its forward pass."""

import ast
import inspect
import itertools
import types

import numpy as np
import oracle
import pytest
from oracle import BATCH, FEATURES, STEPS, UNITS, random

from rnncells import reference

CASES = {  # name: gates, shape of the bias
    "linear": (1, None),
    "simple": (1, (UNITS,)),
    "lstm": (4, (4 * UNITS,)),
    "gru_reset_after": (3, (2, 3 * UNITS)),
    "gru_reset_before": (3, (3 * UNITS,)),
    "mingru": (2, (2 * UNITS,)),
    "peephole": (4, (4 * UNITS,)),
    "layer_norm": (4, (4 * UNITS,)),
    "mgu": (2, (2 * UNITS,)),
    "indrnn": (1, (UNITS,)),
}
U_SHAPES = {"mingru": None, "indrnn": (UNITS,)}  # of the others: (UNITS, gates * UNITS)
FURTHER = {"peephole": [(3, UNITS)], "layer_norm": [(4 * UNITS,)] * 2 + [(UNITS,)] * 2}
TWO_STATES = ("lstm", "peephole", "layer_norm")
SMALL = 1e-5  # central differences in float64: error about SMALL**2 + 1e-16 / SMALL


def functions(name, module=reference):
    return getattr(module, f"{name}_step"), getattr(module, f"{name}_step_back")


def problem(name):
    """x, first states and weights for one cell."""
    gates, bias = CASES[name]
    weights = [random(FEATURES, gates * UNITS, seed=1)]
    shapes = [U_SHAPES.get(name, (UNITS, gates * UNITS)), bias, *FURTHER.get(name, [])]
    weights += [random(*shape, seed=2 + i) for i, shape in enumerate(shapes) if shape]
    states = [random(BATCH, UNITS, seed=4 + i) for i in range(2 if name in TWO_STATES else 1)]
    return random(BATCH, STEPS, FEATURES), states, weights


def loss(step, x, states, weights):
    outputs, finals, _ = reference.forward(step, x, states, weights)
    results = [outputs, *finals]
    return sum(
        np.sum(r * d) for r, d in zip(results, oracle.output_derivatives(results), strict=True)
    )


def assert_backward_is_the_derivative(name, module=reference):
    step, step_back = functions(name, module)
    x, states, weights = problem(name)
    _, gradients = oracle.reference_with_gradients(step, step_back, weights, x, states)
    for array, gradient in zip([x, *states, *weights], gradients, strict=True):
        numeric = np.empty_like(array)
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + SMALL
            above = loss(step, x, states, weights)
            array[place] = kept - SMALL
            below = loss(step, x, states, weights)
            array[place] = kept
            numeric[place] = (above - below) / (2 * SMALL)
        error = np.max(np.abs(gradient - numeric)) / np.max(np.abs(numeric))
        assert error < 1e-7, f"{name}: relative error {error:.1e}"


@pytest.mark.parametrize("name", CASES)
def test_backward_is_the_derivative_of_forward(name):
    assert_backward_is_the_derivative(name)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("linear", "h.T @ d_h]", "x.T @ x @ W]"),
        ("simple", "1 - new_h**2", "1 - new_h"),
        ("lstm", "d_c + d_h * o *", "d_h * o *"),
        ("lstm", "d_c * c * f * (1 - f)", "d_c * new_c * f * (1 - f)"),
        ("lstm", "d_c * f]", "d_c]"),
        ("gru_reset_after", "d_g * r]", "d_g]"),
        ("gru_reset_after", "d_h * (h - g) * z", "d_h * (g - h) * z"),
        ("gru_reset_before", "d_h * z + d_rh * r", "d_h * z + d_rh"),
        ("gru_reset_before", "(r * h).T @ d_g", "h.T @ d_g"),
        ("mingru", "(h - g) * z * (1 - z)", "(h - g) * z"),
        ("mingru", "[d_h * z]", "[d_h]"),
        ("peephole", " + d_o * p[2]", ""),
        ("peephole", "(d_o, new_c)", "(d_o, c)"),
        ("peephole", " + d_i * p[0]", " + d_i * p[1]"),
        ("layer_norm", "d_shown * a_c, n_c", "d_shown, n_c"),
        ("layer_norm", "d_a * n_h[0]", "d_a * n_x[0]"),
        ("mgu", "(g - h) + d_fh * h", "(g - h)"),
        ("mgu", "d_h * (1 - f) + d_fh * f", "d_h * (1 - f) + d_fh"),
        ("indrnn", "d_h * (new_h > 0)", "d_h"),
        ("indrnn", "[d_a * u]", "[d_a]"),
    ],
)
def test_a_wrong_derivative_is_caught(name, right, wrong):
    function = functions(name)[1]
    source = inspect.getsource(function)
    assert source.count(right) == 1
    mutant = {**vars(reference)}
    exec(source.replace(right, wrong), mutant)
    module = type("module", (), {f: staticmethod(mutant[f]) for f in mutant if "_step" in f})
    with pytest.raises((AssertionError, ValueError)):
        assert_backward_is_the_derivative(name, module)


def zoned(zoneout=reference.zoneout):
    """The LSTM's two functions with zoneout: other masks for h at each step, a rate for c."""
    keeps = [[random(BATCH, UNITS, seed=30 + t) > 0, 0.3] for t in range(STEPS)]
    lstm = functions("lstm")
    return dict(
        zip(("lstm_step", "lstm_step_back"), zoneout(*lstm, itertools.cycle(keeps)), strict=True)
    )


def test_backward_of_zoneout_is_the_derivative_of_its_forward():
    assert_backward_is_the_derivative("lstm", types.SimpleNamespace(**zoned()))


@pytest.mark.parametrize(
    ("right", "wrong"), [("d_new = [(1 - a) * d for", "d_new = [d for"), ("[a * d for", "[d for")]
)
def test_a_wrong_derivative_of_zoneout_is_caught(right, wrong):
    source = inspect.getsource(reference.zoneout)
    assert source.count(right) == 1
    mutant = {}
    exec(source.replace(right, wrong), mutant)
    with pytest.raises(AssertionError):
        assert_backward_is_the_derivative("lstm", types.SimpleNamespace(**zoned(mutant["zoneout"])))


def test_a_step_is_what_a_calculator_says():
    """One unit, one feature, numbers that can be checked by hand."""
    x, h, W, U, b = (np.array([[v]]) for v in (2.0, 0.5, 0.25, -1.0, 0.0))
    assert reference.linear_step(x, [h], [W, U])[0][0] == 0.0  # 2 * 0.25 - 1 * 0.5
    np.testing.assert_allclose(
        reference.simple_step(x, [h], [W, U, b + 1])[0][0], np.tanh(1.0), rtol=1e-15
    )
    saturated = np.array([40.0, 40.0, 40.0, 40.0])  # every gate open, the candidate at one
    zeros = np.zeros((1, 4))
    (new_h, new_c), _ = reference.lstm_step(x, [h, h], [zeros, zeros, saturated])
    np.testing.assert_allclose([new_c[0, 0], new_h[0, 0]], [1.5, np.tanh(1.5)], rtol=1e-12)
    keep = np.array([40.0, 0.0, 0.0])  # z at one: the state stays
    (kept,), _ = reference.gru_reset_before_step(x, [h], [np.zeros((1, 3)), np.zeros((1, 3)), keep])
    np.testing.assert_allclose(kept, h, rtol=1e-12)
    half = np.array([0.0, 3.0])  # z at a half, the candidate at three
    (new_h,), _ = reference.mingru_step(x, [h], [np.zeros((1, 2)), half])
    assert new_h[0, 0] == 1.75


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        values = reference.sigmoid(np.array([-1e4, -1.0, 0.0, 1.0, 1e4]))
    np.testing.assert_allclose(values, [0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1], atol=1e-15)


def test_reference_imports_numpy_alone():
    tree = ast.parse(inspect.getsource(reference))
    imported = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    assert [a.name for n in imported for a in n.names] == ["numpy"]
