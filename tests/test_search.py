"""Programs drawn at random find no difference between ParallelRNN and keras.layers.RNN.

The same programs each time; ``make fuzz`` draws others. With a fault put in, the search finds one.
"""

import contextlib

import hypothesis
import keras
import pytest
from keras import ops

from rnncells import DiagonalRNNCell, ParallelRNN
from rnncells.layers import linear_scan, parallel

if keras.backend.backend() != "tensorflow":
    pytest.skip("the search goes through TensorFlow's tapes", allow_module_level=True)

import differential
from differential import MODELS, Program


@pytest.mark.parametrize(
    ("examples", "surroundings"),
    [(80, ["eager"]), (5, ["function", "jit_compile"]), (5, MODELS[:3])],
)
def test_no_program_tells_the_layers_apart(examples, surroundings):
    differential.search(examples, surroundings, derandomize=True)


@contextlib.contextmanager
def mask_as_it_is(cell, change):
    yield


def three_axes(cell, sequences, training=False):
    """coefficients of (batch, steps, features), as it once was."""
    a, b = cell.coefficients(sequences)
    return a + ops.zeros_like(b), b


def no_second_derivative(a, b, h):
    @ops.custom_gradient
    def scan(a, b, h):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([a, b, h])
            states = linear_scan(a, b, h)
        return states, lambda d: [ops.stop_gradient(g) for g in tape.gradient(states, [a, b, h], d)]

    return scan(a, b, h)


FAULTS = {
    "nothing is tried": (parallel, "goes_row_by_row", lambda *_: True),
    "axes from the front": (DiagonalRNNCell, "all_coefficients", three_axes),
    "training untold": (
        DiagonalRNNCell,
        "checked_coefficients",
        lambda self, inputs, training=False: self.coefficients(inputs),
    ),
    "one mask for all rows": (DiagonalRNNCell, "changed_input_mask", mask_as_it_is),
    "every shape is taken": (ParallelRNN, "_demand", lambda *_: None),
    "every situation": (ParallelRNN, "_is_parallel", lambda *_: True),
    "one step's state": (parallel, "linear_scan", lambda a, b, h: linear_scan(a, b, h * 0)),
    "no second derivative": (parallel, "linear_scan", no_second_derivative),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_search_finds(fault, monkeypatch):
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError, match="Program"):
        differential.search(
            200, ["eager"], derandomize=True, phases=[hypothesis.Phase.generate], database=None
        )


def test_what_is_found_is_a_program_to_run_again():
    program = Program(cell="Elapsed", steps=5, mask="all")
    lines = differential.lines_for(program)
    assert "Program(cell='Elapsed', steps=5, mask='all')" in lines
    scope = {"Program": Program}
    assert eval(repr(program), scope) == program
