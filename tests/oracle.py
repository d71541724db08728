"""Runs a cell and its NumPy reference on the same numbers, on whichever back end is active."""

import keras
import numpy as np
from keras import ops

import rnncells
from rnncells import reference

BATCH, STEPS, FEATURES, UNITS = 3, 6, 4, 5

# Keras computes in float64 on TensorFlow alone: on JAX and PyTorch, keras.ops.matmul of two
# float64 arrays is computed in float32, on purpose (its table BIT64_TO_BIT32_DTYPE).
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
if keras.backend.backend() != "tensorflow":
    del TOLERANCE["float64"]
FINEST = min(TOLERANCE, key=TOLERANCE.get)

# The package's cells, each with Keras's own and the two functions of the reference.
SIMPLE = (
    rnncells.SimpleRNNCell,
    keras.layers.SimpleRNNCell,
    reference.simple_step,
    reference.simple_step_back,
)
LSTM = (
    rnncells.LSTMCell,
    keras.layers.LSTMCell,
    reference.lstm_step,
    reference.lstm_step_back,
)
GRU_AFTER = (
    rnncells.GRUCell,
    keras.layers.GRUCell,
    reference.gru_reset_after_step,
    reference.gru_reset_after_step_back,
)
GRU_BEFORE = (
    rnncells.GRUCell,
    keras.layers.GRUCell,
    reference.gru_reset_before_step,
    reference.gru_reset_before_step_back,
)
MINGRU = (rnncells.MinGRUCell, None, reference.mingru_step, reference.mingru_step_back)
LINEAR = (rnncells.LinearRNNCell, None, reference.linear_step, reference.linear_step_back)


def random(*shape, seed=0, dtype="float64"):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def random_weights(layer, seed=1):
    """Random numbers for every weight, biases too: a bias of zero hides mistakes.

    Their size keeps the gradients from exploding, and the last bit's difference with them.
    """
    return [0.4 * random(*w.shape, seed=seed + i) for i, w in enumerate(layer.get_weights())]


def built_rnn(cell, dtype="float32", **options):
    """``RNN(cell)`` with random weights, returning all outputs and the final states."""
    options = {"return_sequences": True, "return_state": True, "dtype": dtype, **options}
    layer = keras.layers.RNN(cell, **options)
    layer.build((BATCH, STEPS, FEATURES))
    layer.set_weights(random_weights(layer))
    return layer


def run_with_gradients(layer, x, states, **inputs):
    """Outputs, final states, and the gradients of sum(outputs * d) for a fixed random d.

    The gradients are those for x, for each first state, and for each weight, in that order.
    Every output counts, and so does every final state. Other inputs are passed on, as a mask.
    """
    dtype = layer.compute_dtype
    weights = [ops.convert_to_tensor(w, dtype) for w in layer.get_weights()]
    arrays = [ops.convert_to_tensor(a, dtype) for a in [x, *states]]

    def loss_and_results(arrays, weights):
        others = [v.value for v in layer.non_trainable_variables]
        results, _ = layer.stateless_call(weights, others, arrays[0], arrays[1:], **inputs)
        parts = [
            ops.sum(r * ops.convert_to_tensor(d, dtype))
            for r, d in zip(results, output_derivatives(results), strict=True)
        ]
        return sum(parts), results

    results, gradients = _differentiate(loss_and_results, arrays, weights)
    return [ops.convert_to_numpy(r) for r in results], [ops.convert_to_numpy(g) for g in gradients]


def output_derivatives(results):
    return [random(*r.shape, seed=90 + i) for i, r in enumerate(results)]


def _differentiate(loss_and_results, arrays, weights):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([*arrays, *weights])
            loss, results = loss_and_results(arrays, weights)
        return results, tape.gradient(loss, [*arrays, *weights], unconnected_gradients="zero")
    if backend == "jax":
        import jax

        gradient = jax.grad(loss_and_results, argnums=(0, 1), has_aux=True)
        (d_arrays, d_weights), results = gradient(arrays, weights)
        return results, [*d_arrays, *d_weights]
    import torch

    leaves = [a.detach().clone().requires_grad_() for a in [*arrays, *weights]]
    loss, results = loss_and_results(leaves[: len(arrays)], leaves[len(arrays) :])
    gradients = torch.autograd.grad(loss, leaves, materialize_grads=True)
    return [r.detach() for r in results], gradients


def reference_with_gradients(step, step_back, weights, x, states):
    """The same as ``run_with_gradients``, from NumPy alone, always in float64."""
    weights = [np.asarray(w, "float64") for w in weights]
    outputs, finals, tape = reference.forward(step, x, states, weights)
    d_outputs, *d_finals = output_derivatives([outputs, *finals])
    d_x, d_states, d_weights = reference.backward(step_back, tape, d_outputs, d_finals, weights)
    return [outputs, *finals], [d_x, *d_states, *d_weights]


def assert_matches_reference(cell, step, step_back, tolerance, seed=1):
    """The oracle test: outputs, states and every gradient against the NumPy equations."""
    layer = built_rnn(cell, cell.dtype_policy)
    layer.set_weights(random_weights(layer, seed))
    x = random(BATCH, STEPS, FEATURES)
    states = [random(BATCH, UNITS, seed=50 + i) for i in range(len(cell.state_names))]
    got = run_with_gradients(layer, x, states)
    expected = reference_with_gradients(step, step_back, layer.get_weights(), x, states)
    for g, e in zip([*got[0], *got[1]], [*expected[0], *expected[1]], strict=True):
        assert_close(g, e, tolerance)


def assert_close(got, expected, tolerance):
    """Equal to within a tolerance, relative to the largest number expected."""
    got, expected = np.asarray(got, "float64"), np.asarray(expected, "float64")
    assert got.shape == expected.shape
    difference = np.max(np.abs(got - expected), initial=0)
    scale = max(1.0, np.max(np.abs(expected), initial=0))
    assert difference <= tolerance * scale, f"differs by {difference:.2e}, scale {scale:.1f}"
