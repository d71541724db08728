"""Programs drawn at random find no difference between ParallelRNN and keras.layers.RNN.

The same programs each time; ``make fuzz`` draws others. The mutants show that the search finds.
"""

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the search goes through TensorFlow's tapes", allow_module_level=True)

import differential


@pytest.mark.parametrize(
    ("examples", "surroundings"),
    [(100, ["eager"]), (6, ["function", "jit_compile"]), (6, differential.MODELS[:3])],
)
def test_no_program_tells_the_layers_apart(examples, surroundings):
    differential.search(examples, surroundings, derandomize=True)
