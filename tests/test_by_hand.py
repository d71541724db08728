"""The backward pass that chapter 10 writes by hand gives the gradients, and is what it shows."""

import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments import by_hand
from rnncells import LSTMCell

CHAPTER = Path(__file__).parent.parent / "chapters" / "10_fast_cells.ipynb"
STEPS, BATCH, FEATURES, UNITS = 5, 3, 2, 4


@pytest.fixture(scope="module")
def arrays():
    """x (steps, batch, features), W, U, b, and a direction for the last h."""
    random = np.random.default_rng(0)
    shapes = [(STEPS, BATCH, FEATURES), (FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)]
    return [tf.constant(random.normal(size=shape)) for shape in [*shapes, (BATCH, UNITS)]]


def by_hand_of(x, W, U, b, d_h):
    saved = by_hand.forward(x, W, U, b)
    return [saved[1][-1], *by_hand.backward(x, W, U, saved, d_h)]


@pytest.mark.parametrize("jit", [False, True])
def test_it_gives_what_automatic_differentiation_gives(arrays, jit):
    x, *weights, d_h = arrays
    layer = keras.layers.RNN(LSTMCell(UNITS, dtype="float64"), dtype="float64")
    sequences = tf.transpose(x, [1, 0, 2])
    layer.build(sequences.shape)
    layer.set_weights(weights)
    with tf.GradientTape() as tape:
        h = layer(sequences)
    variables = [weight.value for weight in layer.trainable_variables]
    expected = [h, *tape.gradient(h, variables, output_gradients=d_h)]
    got = tf.function(by_hand_of, jit_compile=jit)(*arrays)
    assert len(got) == len(expected) == 4
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_it_gives_what_central_differences_give(arrays):
    x, *weights, d_h = arrays
    run = tf.function(lambda *weights: tf.reduce_sum(by_hand.forward(x, *weights)[1][-1] * d_h))
    _, *gradients = by_hand_of(*arrays)
    random = np.random.default_rng(1)
    for k, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        direction = random.normal(size=weight.shape)
        moved = [[*weights[:k], weight + e * direction, *weights[k + 1 :]] for e in (1e-5, -1e-5)]
        slope = (run(*moved[0]) - run(*moved[1])) / 2e-5
        assert float(slope) == pytest.approx(float(np.sum(gradient * direction)), abs=1e-8)


@pytest.mark.parametrize("name", ["loop", "gates", "forward", "before", "derivatives", "backward"])
def test_the_chapter_shows_this_code(name):
    cells = json.loads(CHAPTER.read_text())["cells"]
    shown = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert inspect.getsource(getattr(by_hand, name)).strip() in shown
