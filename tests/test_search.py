"""Programs drawn at random find no difference between ParallelRNN and keras.layers.RNN.

The same programs each time; ``make fuzz`` draws others. With a fault put in, the search finds one.
"""

import hypothesis
import keras
import pytest
from keras import ops

from rnncells import DiagonalRNNCell
from rnncells.layers import parallel

if keras.backend.backend() != "tensorflow":
    pytest.skip("the search goes through TensorFlow's tapes", allow_module_level=True)

import differential
from differential import Program


@pytest.mark.parametrize(
    ("examples", "surroundings"),
    [(80, ["eager"]), (5, ["function", "jit_compile"])],
)
def test_no_program_tells_the_layers_apart(examples, surroundings):
    differential.search(examples, surroundings, derandomize=True)


def three_axes(cell, sequences, training=False):
    """coefficients of (batch, steps, features), as it once was."""
    a, b = cell.coefficients(sequences)
    return a + ops.zeros_like(b), b


FAULTS = {
    "nothing is tried": (parallel, "goes_row_by_row", lambda *_: True),
    "axes from the front": (DiagonalRNNCell, "all_coefficients", three_axes),
    "training untold": (
        DiagonalRNNCell,
        "checked_coefficients",
        lambda self, inputs, training=False: self.coefficients(inputs),
    ),
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
