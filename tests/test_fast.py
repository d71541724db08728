"""FastRNN computes what keras.layers.RNN computes: results and gradients, with every option.

The plain loop is the standard: other tests compare it with NumPy and with Keras's own layers.
"""

import inspect
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from rnncells import GRUCell, LSTMCell, MinGRUCell, RNNCell, SimpleRNNCell, fast
from rnncells.fast import FastRNN

BATCH, STEPS, FEATURES, UNITS = 5, 7, 3, 4
CLOSE = {"float32": 1e-6, "float64": 1e-12}


class LeakyCell(RNNCell):
    """A user's cell, which knows nothing of FastRNN."""

    def call(self, inputs, states):
        h = 0.9 * states[0] + 0.1 * ops.tanh(self.affine(inputs, states[0]))
        return h, [h]


class PeepholeCell(RNNCell):
    """A weight in the rest, and a third state that only counts."""

    state_names = ("h", "c", "steps")
    num_gates = 2

    def build(self, input_shape):
        super().build(input_shape)
        self.peephole = self.add_weight(name="peephole", shape=(self.units,))

    def call(self, inputs, states):
        h, c, steps = states
        f, g = ops.split(self.affine(inputs, h), 2, axis=-1)
        c = ops.sigmoid(f + self.peephole * c) * c + ops.tanh(g)
        return ops.tanh(c), [ops.tanh(c), c, steps + 1]


CELLS = {
    "simple": SimpleRNNCell,
    "simple, relu": lambda units, **options: SimpleRNNCell(units, activation="relu", **options),
    "lstm": LSTMCell,
    "lstm, no bias": lambda units, **options: LSTMCell(units, use_bias=False, **options),
    "gru": GRUCell,
    "gru, no bias": lambda units, **options: GRUCell(units, use_bias=False, **options),
    "leaky": LeakyCell,
    "peephole": PeepholeCell,
}
EVERYTHING = {"return_sequences": True, "return_state": True}
OPTIONS = {
    "nothing": {},
    "sequences": {"return_sequences": True},
    "state": {"return_state": True},
    "everything": EVERYTHING,
    "backwards": {"go_backwards": True, **EVERYTHING},
    "unrolled": {"unroll": True, **EVERYTHING},
    "zero_output_for_mask": {"zero_output_for_mask": True, **EVERYTHING},
}


def draw(*shape, seed=0):
    return 0.5 * np.random.default_rng(seed).normal(size=shape)


def pair(make_cell, batch=BATCH, steps=STEPS, dtype="float32", **options):
    """FastRNN and the plain loop, with the same weights, never zeros."""
    layers = []
    for layer_class in (FastRNN, keras.layers.RNN):
        layer = layer_class(make_cell(UNITS, dtype=dtype), dtype=dtype, **options)
        layer.build((batch, steps, FEATURES))
        layer.set_weights([draw(*weight.shape, seed=1) for weight in layer.weights])
        layers.append(layer)
    return layers


def results_and_gradients(layer, batch=BATCH, steps=STEPS, **arguments):
    """What the layer returns, and the gradients of a mixture of it by all that goes in."""
    shapes = [(batch, steps, FEATURES)] + [(batch, UNITS)] * len(layer.cell.state_names)
    x, *first = (tf.constant(draw(*shape, seed=3), layer.dtype) for shape in shapes)
    weights = [weight.value for weight in layer.trainable_variables]
    sources = [x, *first, *weights]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        results = tf.nest.flatten(layer(x, initial_state=first, **arguments))
        mixture = [tf.reduce_mean(r * tf.constant(draw(*r.shape), r.dtype)) for r in results]
    gradients = tape.gradient(mixture, sources, unconnected_gradients="zero")
    return [a.numpy() for a in (*results, *gradients)]


def assert_same(ones, others, tolerance=CLOSE["float32"]):
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def refuse(*arguments):
    raise AssertionError("the other loop ran")


ALL_CELLS = pytest.mark.parametrize("make_cell", CELLS.values(), ids=CELLS)


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@ALL_CELLS
def test_results_and_gradients(make_cell, options, dtype):
    ours, plain = pair(make_cell, dtype=dtype, **options)
    assert_same(results_and_gradients(ours), results_and_gradients(plain), CLOSE[dtype])


@pytest.mark.parametrize("shape", [(1, 7), (2, 1), (31, 2), (32, 3), (33, 3), (64, 784)], ids=str)
@pytest.mark.parametrize("name", ["lstm", "gru", "peephole"])
def test_any_size(name, shape):
    ours, plain = pair(CELLS[name], *shape, dtype="float64", **EVERYTHING)
    ones, others = (results_and_gradients(layer, *shape) for layer in (ours, plain))
    assert_same(ones, others, CLOSE["float64"])


@pytest.mark.parametrize("options", [{}, {"unroll": True}], ids=["looped", "unrolled"])
def test_the_program_runs_where_it_says(options, monkeypatch):
    """Otherwise the comparisons above would compare the plain loop with itself."""
    ours, _ = pair(LSTMCell, **options)
    monkeypatch.setattr(ours, "_program", refuse)
    if options:
        results_and_gradients(ours)
    else:
        with pytest.raises(AssertionError, match="the other loop ran"):
            results_and_gradients(ours)


MASKS = {
    "of padding": [[1, 1, 1, 1, 1, 0, 0]],
    "at the start": [[0, 0, 1, 1, 1, 1, 1]],
    "in the middle": [[1, 1, 0, 0, 1, 1, 1]],
    "of everything": [[0] * STEPS],
    "of nothing": [[1] * STEPS],
}


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_is_handed_to_the_plain_loop(mask, zero, monkeypatch):
    ours, plain = pair(GRUCell, zero_output_for_mask=zero, **EVERYTHING)
    monkeypatch.setattr(ours, "_program", refuse)
    mask = tf.constant(np.array(mask * BATCH, "bool"))
    ones, others = (results_and_gradients(layer, mask=mask) for layer in (ours, plain))
    assert_same(ones, others)


def model_of(layer, batch=None, steps=STEPS):
    inputs = keras.Input(batch_shape=(batch, steps, FEATURES))
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))
    model.layers[-1].set_weights([draw(UNITS, 2), draw(2)])
    return model


@pytest.mark.parametrize("compile_it", [False, True], ids=["plain", "jit_compile"])
@ALL_CELLS
def test_training(make_cell, compile_it):
    """The last batch is smaller, so that the batch is not known when the step is traced."""
    weights = []
    for layer in pair(make_cell):
        model = model_of(layer)
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=compile_it)
        x, y = draw(83, STEPS, FEATURES), draw(83, 2)
        model.fit(x, y, batch_size=40, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights() + [model.predict(x[:1], verbose=0)])
    assert_same(*weights)


def test_an_unknown_number_of_steps():
    layers = pair(LSTMCell, steps=None, return_sequences=True)
    ones, others = (
        model_of(layer, steps=None).predict(draw(BATCH, STEPS, FEATURES), verbose=0)
        for layer in layers
    )
    assert_same([ones], [others])


def test_mixed_precision():
    ours, plain = (
        layer_class(LSTMCell(UNITS, dtype="mixed_bfloat16"), dtype="mixed_bfloat16")
        for layer_class in (FastRNN, keras.layers.RNN)
    )
    x = draw(BATCH, STEPS, FEATURES)
    ours(x)
    plain.build(x.shape)
    plain.set_weights(ours.get_weights())
    np.testing.assert_array_equal(ours(x).numpy(), plain(x).numpy())


def test_stateful():
    x = draw(2, BATCH, STEPS, FEATURES)
    ours, plain = pair(LSTMCell, stateful=True, return_sequences=True)
    for batch in x:
        assert_same([ours(batch).numpy()], [plain(batch).numpy()])
    assert_same([s.numpy() for s in ours.states], [s.numpy() for s in plain.states])
    ours.reset_state()
    plain.reset_state()
    assert_same([ours(x[0]).numpy()], [plain(x[0]).numpy()])


@pytest.mark.parametrize("merge_mode", ["concat", "sum"])
def test_bidirectional_and_stacked(merge_mode):
    x, outputs = draw(BATCH, STEPS, FEATURES), []
    for layer_class in (FastRNN, keras.layers.RNN):
        inner = layer_class(GRUCell(UNITS), return_sequences=True)
        both = keras.layers.Bidirectional(inner, merge_mode=merge_mode)
        model = keras.Sequential([both, layer_class(LSTMCell(UNITS))])
        model.build(x.shape)
        model.set_weights([draw(*weight.shape, seed=1) for weight in model.get_weights()])
        outputs.append(model(x).numpy())
    assert_same(outputs[:1], outputs[1:])


def test_a_frozen_cell():
    ours, plain = pair(LSTMCell, **EVERYTHING)
    ours.trainable = plain.trainable = False
    assert_same(results_and_gradients(ours), results_and_gradients(plain))


def test_there_is_no_gradient_of_the_gradient():
    """As a penalty on the inputs' gradient would need it."""
    layer = pair(GRUCell)[0]
    x = tf.constant(draw(BATCH, STEPS, FEATURES), "float32")
    with pytest.raises(tf.errors.UnimplementedError):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(layer(x) ** 2)
            penalty = tf.reduce_sum(inner.gradient(total, x) ** 2)
        outer.gradient(penalty, x)


def test_saved_and_loaded(tmp_path):
    ours, _ = pair(LSTMCell)
    model, x = model_of(ours), draw(BATCH, STEPS, FEATURES)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[1], FastRNN)
    assert_same([loaded(x).numpy()], [model(x).numpy()])


def test_exported(tmp_path):
    model, x = model_of(pair(LSTMCell)[0]), draw(BATCH, STEPS, FEATURES).astype("float32")
    model.export(tmp_path / "served", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "served")
    assert_same([loaded.serve(x).numpy()], [model(x).numpy()])


@ALL_CELLS
def test_affine_is_a_product_with_affine_matrix(make_cell):
    cell = pair(make_cell)[0].cell
    x, h = (tf.constant(draw(BATCH, width), "float32") for width in (FEATURES, UNITS))
    affine = cell.affine(x, h)
    together = tf.concat(affine, 1) if isinstance(affine, tuple) else affine
    product = tf.concat([x, tf.ones((BATCH, 1)), h], 1) @ fast.affine_matrix(cell)
    assert_same([product.numpy()], [together.numpy()])


# Cells that are not of the form.


class SeesInputsCell(RNNCell):
    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0])) + ops.mean(inputs)
        return h, [h]


class MixesUnitsCell(RNNCell):
    def call(self, inputs, states):
        a = self.affine(inputs, states[0])
        h = ops.tanh(a - ops.mean(a, axis=-1, keepdims=True))
        return h, [h]


class MixesSequencesCell(RNNCell):
    def call(self, inputs, states):
        a = self.affine(inputs, states[0])
        h = ops.tanh(a - ops.mean(a, axis=0))
        return h, [h]


class SecondProductCell(RNNCell):
    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = h + ops.tanh(ops.matmul(h, self.recurrent_kernel))
        return h, [h]


class OtherStateCell(RNNCell):
    state_names = ("h", "m")

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[1]))
        return h, [h, 0.5 * (h + states[1])]


class OtherOutputCell(RNNCell):
    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return 2 * h, [h]


class OtherAffineCell(RNNCell):
    def affine(self, inputs, h):
        return ops.matmul(inputs, self.kernel) + 0.5 * ops.matmul(h, self.recurrent_kernel)

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h]


class WiderStateCell(RNNCell):
    state_names = ("h", "m")

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, 2 * units]

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h, 0.5 * states[1]]


class NoisyCell(RNNCell):
    def call(self, inputs, states, training=False):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h]


REFUSED = {
    "inputs in the rest": (SeesInputsCell(UNITS), "whose call uses its inputs beside affine"),
    "units mixed": (MixesUnitsCell(UNITS), "in whose rest a unit sees another one"),
    "sequences mixed": (MixesSequencesCell(UNITS), "in whose rest a unit sees another one"),
    "second product": (SecondProductCell(UNITS), "in whose rest a unit sees another one"),
    "reset before": (GRUCell(UNITS, reset_after=False), "uses its inputs beside affine"),
    "other state": (OtherStateCell(UNITS), "whose call uses affine for another state"),
    "other output": (OtherOutputCell(UNITS), "whose output is not its first state"),
    "other affine": (OtherAffineCell(UNITS), "whose affine is not [x, 1, h] @ affine_matrix()"),
    "wider state": (WiderStateCell(UNITS), "with states of the widths [4, 8], not 4 each"),
    "training": (NoisyCell(UNITS), "whose call asks whether it is training"),
    "no recurrent kernel": (MinGRUCell(UNITS), "which has no recurrent_kernel"),
}


@pytest.mark.parametrize(("cell", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_cell_of_another_form_is_refused(cell, reason):
    layer = FastRNN(cell)
    with pytest.raises(ValueError) as error:
        layer.build((BATCH, STEPS, FEATURES))
    message = str(error.value)
    assert message.startswith("FastRNN: cell: expected an RNNCell whose call is affine(inputs, ")
    assert f"got {type(cell).__name__}" in message and reason in message
    assert message.endswith(": run it with keras.layers.RNN.")


@pytest.mark.parametrize("cell", [keras.layers.LSTMCell(UNITS), [LSTMCell(UNITS)], None])
def test_what_is_no_cell_of_ours_is_refused(cell):
    with pytest.raises(ValueError, match="^FastRNN: cell: expected an RNNCell .* got "):
        FastRNN(cell)


def test_other_back_ends_are_refused():
    program = "import os; os.environ['KERAS_BACKEND'] = 'jax'; import rnncells.fast"
    pytest.importorskip("jax")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 1
    assert "ImportError: rnncells.fast: expected the back end tensorflow" in run.stderr


# A wrong program is caught.

BROKEN = {
    "no product with U on the way back": (
        "U_transposed = tf.transpose(",
        "U_transposed = 0 * tf.transpose(",
    ),
    "the states before, one step late": ("[s[None], after[:-1]]", "[after[:1], after[:-1]]"),
    "no gradient of the outputs": ("d = [d[0] + d_outputs[t], *d[1:]]", "pass"),
    "the loop back runs forward": ("range(steps - 1, -1, -1)", "range(steps)"),
    "the second state's gradient, never changed": ("len(d))]", "1)] + d[1:]"),
    "the rest's weights forgotten": ("[d_matrix, *d])", "[d_matrix, *[0 * part for part in d]])"),
}


@pytest.mark.parametrize(("right", "wrong"), BROKEN.values(), ids=BROKEN)
def test_a_wrong_program_is_caught(right, wrong):
    source = inspect.getsource(fast)
    assert source.count(right) == 1
    broken = types.ModuleType("broken")
    with keras.saving.custom_object_scope({}):
        exec(source.replace(right, wrong).replace('"rnncells.fast")', '"broken")'), vars(broken))
    ours, plain = pair(PeepholeCell, **EVERYTHING)
    ours._program = broken.compiled(ours.cell, True)
    with pytest.raises(AssertionError):
        assert_same(results_and_gradients(ours), results_and_gradients(plain))
