"""Programs drawn at random find no difference between ParallelRNN and keras.layers.RNN.

The same programs each time; ``make fuzz`` draws others. With a fault put in, the search finds one.
"""

import hypothesis
import keras
import numpy as np
import pytest
from keras import ops

from rnncells import DiagonalRNNCell, ParallelRNN
from rnncells.layers import parallel

if keras.backend.backend() != "tensorflow":
    pytest.skip("the search goes through TensorFlow's tapes", allow_module_level=True)

import differential
from differential import Program


@pytest.mark.parametrize(
    ("examples", "surroundings"),
    [(80, ["eager"]), (5, ["function", "jit_compile"]), (12, ["train", "predict", "export"])],
)
def test_no_program_tells_the_layers_apart(examples, surroundings):
    differential.search(examples, surroundings, derandomize=True)


# Programs in which a layer of this kind once computed other numbers, or failed.
ONCE_WRONG = {
    "a first state that is a variable": Program(state="variable", steps=5),
    "a stateful layer in a model": Program(
        layer_options=(("stateful", True),), surroundings="predict", batch=3
    ),
    "a tape within a tape": Program(derivative="two tapes", training=True, steps=5),
    "forward mode": Program(derivative="forward", steps=5),
    "axes counted from the front": Program(cell="Elapsed", batch=2, steps=6, features=3),
    "a softmax over axis 1": Program(cell="Softmax", batch=2, steps=6, features=3),
    "a loss added": Program(cell="Penalised", batch=3, steps=5, derivative="gradient"),
    "a variable set": Program(cell="Counting", steps=5),
    "an activity regularizer": Program(cell_options=(("activity_regularizer", "l2"),), steps=5),
    "training asked for": Program(cell="InTraining", training=True, steps=5),
    "a layer that drops": Program(cell="DroppingUntold", training=True, steps=5),
    "whole numbers": Program(inputs="int32", steps=5),
    "bytes": Program(inputs="uint8", steps=5),
    "truth values": Program(inputs="bool", steps=5),
    "a layer and a cell of two dtypes": Program(layer_dtype="mixed_float16", steps=5),
    "an attribute changed after the first call": Program(cell="Leaky", steps=5),
    "a pure half precision": Program(layer_dtype="bfloat16", cell_dtype="bfloat16", steps=5),
    "a state that is too wide": Program(state="wide"),
    "two states": Program(state="two"),
    "a state for another batch": Program(state="batch"),
    "one state for all": Program(state="row", batch=3, steps=5, derivative="gradient"),
}


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_what_was_once_wrong(name):
    assert differential.difference(ONCE_WRONG[name]) is None


def three_axes(cell, sequences, training=False):
    """coefficients of (batch, steps, features), as it once was."""
    a, b = cell.coefficients(sequences)
    return a + ops.zeros_like(b), b


FAULTS = {
    "nothing is tried": (parallel, "goes_row_by_row", lambda *_: True),
    "axes from the front": (DiagonalRNNCell, "all_coefficients", three_axes),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_search_finds(fault, monkeypatch):
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError, match="Program"):
        differential.search(
            200, ["eager"], derandomize=True, phases=[hypothesis.Phase.generate], database=None
        )


def test_a_cell_that_is_not_told_of_training_is_seen(monkeypatch):
    def silent(self, inputs, training=False):
        return self.coefficients(inputs)

    monkeypatch.setattr(DiagonalRNNCell, "checked_coefficients", silent)
    program = ONCE_WRONG["training asked for"]
    untold = differential.run(program, ParallelRNN)
    monkeypatch.undo()
    told = differential.run(program, ParallelRNN)
    assert np.any(untold["first result 0"] != told["first result 0"])


def test_what_is_found_is_a_program_to_run_again():
    program = Program(cell="Elapsed", steps=5, mask="all")
    lines = differential.lines_for(program)
    assert "Program(cell='Elapsed', steps=5, mask='all')" in lines
    scope = {"Program": Program}
    assert eval(repr(program), scope) == program
