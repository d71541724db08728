"""The table at the end of chapter 8: what Keras's loop does with a cell on each back end.

A fault that a later Keras has cured fails here: then its row in the chapter goes.
"""

import keras
import numpy as np
import pytest
from keras import ops

from rnncells import AffineRNNCell, GRUCell

BACKEND = keras.backend.backend()
SEEN = "3.15.1"  # the Keras whose faults the table lists
MASK = np.array([[True] * 5, [True, True, False, False, False]])

pytestmark = pytest.mark.skipif(
    keras.__version__ != SEEN, reason=f"the table is about Keras {SEEN}"
)


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def array(tensor):
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


class TwiceCell(AffineRNNCell):
    """A cell whose output is not its state."""

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return 2 * h, [h]


class NoisyCell(AffineRNNCell):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.seed = keras.random.SeedGenerator(0)

    def call(self, inputs, states):
        h = states[0] + keras.random.normal(ops.shape(states[0]), seed=self.seed)
        return h, [h]


class ShiftedCell(AffineRNNCell):
    """A float32 constant, whatever the cell's dtype."""

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]) + ops.ones((1, self.units)))
        return h, [h]


def test_output_of_a_padded_step():
    x, layer = random(2, 5, 3), keras.layers.RNN(TwiceCell(4))
    masked, alone = array(layer(x, mask=MASK))[1], array(layer(x[1:, :2]))[0]
    assert np.allclose(masked, alone, atol=1e-6) == (BACKEND != "jax")
    if BACKEND == "jax":
        np.testing.assert_allclose(2 * masked, alone, atol=1e-6)  # the state came out


def test_a_cell_that_outputs_its_state_is_safe():
    x, layer = random(2, 5, 3), keras.layers.RNN(GRUCell(4))
    np.testing.assert_allclose(array(layer(x, mask=MASK))[1], array(layer(x[1:, :2]))[0], atol=1e-6)


@pytest.mark.parametrize("method", ["predict", "fit"])
def test_stateful_from_batch_to_batch(method):
    layers = [keras.Input(batch_shape=(2, 5, 3)), keras.layers.RNN(GRUCell(4), stateful=True)]
    model, x = keras.Sequential(layers), random(2, 5, 3)
    if method == "predict":
        before, after = (model.predict(x, batch_size=2, verbose=0) for _ in range(2))
    else:
        model.compile("sgd", "mse")
        model.fit(x, np.zeros((2, 4)), batch_size=2, verbose=0)
        before, after = 0, array(model.layers[0].states[0])
    assert np.any(before != after) == (BACKEND != "jax")


@pytest.mark.parametrize("unroll", [False, True])
def test_zero_output_for_mask(unroll):
    options = {"return_sequences": True, "zero_output_for_mask": True, "unroll": unroll}
    outputs = array(keras.layers.RNN(GRUCell(4), **options)(random(2, 5, 3), mask=MASK))
    assert np.any(outputs[1, 2:]) == (BACKEND == "jax" and unroll)


def test_random_numbers_in_a_cell():
    states = array(keras.layers.RNN(NoisyCell(1), return_sequences=True)(random(1, 5, 3)))
    noise = np.diff(states[0, :, 0], prepend=0)
    assert np.allclose(noise, noise[0], atol=1e-5) == (BACKEND == "jax")


def test_mask_unrolled_and_backwards():
    layer = keras.layers.RNN(GRUCell(4), unroll=True, go_backwards=True)
    if BACKEND == "torch":
        with pytest.raises(AttributeError):
            layer(random(2, 5, 3), mask=MASK)
    else:
        assert layer(random(2, 5, 3), mask=MASK).shape == (2, 4)


def test_a_float32_constant_in_half_precision():
    layer = keras.layers.RNN(ShiftedCell(4, dtype="mixed_float16"), dtype="mixed_float16")
    if BACKEND == "torch":
        assert layer(random(2, 5, 3)).shape == (2, 4)
    else:
        with pytest.raises(Exception, match="half tensor|float16"):
            layer(random(2, 5, 3))


def test_reset_state_goes_to_zeros():
    class StartAtOne(GRUCell):
        def get_initial_state(self, batch_size=None):
            return [ops.ones_like(h) for h in super().get_initial_state(batch_size)]

    layer = keras.layers.RNN(StartAtOne(4), stateful=True)
    layer.build((2, 5, 3))
    assert np.all(array(layer.states[0]) == 1)
    layer.reset_state()
    assert np.all(array(layer.states[0]) == 0)
