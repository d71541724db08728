"""ParallelRNN computes what keras.layers.RNN computes: results and gradients, with every option.

Runs on every back end: KERAS_BACKEND=jax pytest tests/test_parallel.py
"""

import copy
import inspect
import re
import textwrap

import keras
import numpy as np
import oracle
import pytest
from keras import ops
from oracle import BATCH, FEATURES, FINEST, STEPS, TOLERANCE, UNITS, assert_close, random

from rnncells import DiagonalRNNCell, GRUCell, MinGRUCell, ParallelRNN, reference
from rnncells.layers import linear_scan, parallel

BACKEND = keras.backend.backend()
EVERYTHING = {"return_sequences": True, "return_state": True}


def documented_cell():
    """The three lines of DiagonalRNNCell's docstring, as they are printed."""
    (program,) = re.findall(r"(?ms)^    class .*?\n\n", inspect.getdoc(DiagonalRNNCell))
    scope = {"DiagonalRNNCell": DiagonalRNNCell, "__name__": "test_parallel"}
    exec(textwrap.dedent(program), scope)
    return scope["DecayingCell"]


DecayingCell = documented_cell()


class LearnedDecayCell(DiagonalRNNCell):
    """A weight of its own: one a for each unit, the same at every step."""

    def build(self, input_shape):
        super().build(input_shape)
        self.decay = self.add_weight(name="decay", shape=(self.units,))

    def coefficients(self, inputs):
        return ops.sigmoid(self.decay), ops.tanh(self.affine(inputs))


CELLS = [MinGRUCell, DecayingCell, LearnedDecayCell]
MASKS = {
    "none": None,
    "right": [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]],
    "left": [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1, 1], [0, 1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1]],
    "all": [[0] * STEPS] * BATCH,
}
OPTIONS = {
    "sequences": {"return_sequences": True},
    "last": {"return_sequences": False},
    "backwards": {"return_sequences": True, "go_backwards": True},
    "zeros": {"return_sequences": True, "zero_output_for_mask": True},
    "zeros, last": {"return_sequences": False, "zero_output_for_mask": True},
}


def mask_of(name):
    mask = MASKS[name]
    return {} if mask is None else {"mask": ops.convert_to_tensor(np.array(mask, bool))}


def built(layer, steps=STEPS):
    """The layer with random weights, the same for the same cell."""
    layer.build((BATCH, steps, FEATURES))
    layer.set_weights(oracle.random_weights(layer))
    return layer


def everything(layer, steps=STEPS, **inputs):
    """Results, and gradients for the sequences, the first state and the weights."""
    x, h = random(BATCH, steps, FEATURES), random(BATCH, UNITS, seed=50)
    results, gradients = oracle.run_with_gradients(layer, x, [h], **inputs)
    return [*results, *gradients]


def assert_same(got, expected, tolerance):
    for g, e in zip(got, expected, strict=True):
        assert_close(g, e, tolerance)


# The same numbers


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 784])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_results_and_gradients_are_those_of_numpy(dtype, steps):
    layer = built(ParallelRNN(MinGRUCell(UNITS, dtype=dtype), dtype=dtype, **EVERYTHING), steps)
    step, step_back = reference.mingru_step, reference.mingru_step_back
    x, states = random(BATCH, steps, FEATURES), [random(BATCH, UNITS, seed=50)]
    expected = oracle.reference_with_gradients(step, step_back, layer.get_weights(), x, states)
    assert_same(everything(layer, steps), [*expected[0], *expected[1]], TOLERANCE[dtype])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cls", CELLS)
def test_results_and_gradients_are_those_of_the_plain_loop(cls, options, mask):
    options = {"return_state": True, "dtype": FINEST, **OPTIONS[options]}
    ours, plain = (
        built(layer(cls(UNITS, dtype=FINEST), **options))
        for layer in (ParallelRNN, keras.layers.RNN)
    )
    inputs = mask_of(mask)
    assert_same(everything(ours, **inputs), everything(plain, **inputs), TOLERANCE[FINEST])


@pytest.mark.parametrize("steps", [*range(1, 18), 100])
def test_the_scan_is_the_loop_whatever_the_coefficients(steps):
    """Zeros, which a scan that divides cannot take, negative ones, and some above one."""
    a = np.round(2 * random(2, steps, 3, dtype="float32")) / 2
    b, h = random(2, steps, 3, dtype="float32", seed=1), random(2, 3, dtype="float32", seed=2)
    assert steps == 1 or 0 in a
    got = ops.convert_to_numpy(linear_scan(*map(ops.convert_to_tensor, (a, b, h))))
    for t in range(steps):
        h = a[:, t] * h + b[:, t]
        assert_close(got[:, t], h, 1e-6)


# What keras.layers.RNN offers


@pytest.mark.parametrize("axes", [2, 3])
def test_a_mask_may_have_an_axis_more(axes):
    mask = np.array(MASKS["holes"], bool).reshape((BATCH, STEPS, 1)[:axes])
    layer = built(ParallelRNN(MinGRUCell(UNITS), **EVERYTHING))
    assert_same(everything(layer, mask=mask), everything(layer, **mask_of("holes")), 0)


def test_a_first_state_that_is_not_given_is_zeros():
    x = random(BATCH, STEPS, FEATURES)
    ours, plain = (built(layer(MinGRUCell(UNITS))) for layer in (ParallelRNN, keras.layers.RNN))
    assert_close(ops.convert_to_numpy(ours(x)), ops.convert_to_numpy(plain(x)), 1e-6)


def test_stateful_carries_the_state_from_call_to_call():
    options = {"return_sequences": True}
    whole = built(ParallelRNN(MinGRUCell(UNITS), **options))
    halves = built(ParallelRNN(MinGRUCell(UNITS), stateful=True, **options), STEPS // 2)
    halves.reset_state()
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    parts = [ops.convert_to_numpy(halves(x[:, s])) for s in (slice(0, 3), slice(3, 6))]
    assert_close(np.concatenate(parts, axis=1), ops.convert_to_numpy(whole(x)), 1e-6)
    halves.reset_state()
    assert_close(ops.convert_to_numpy(halves(x[:, :3])), parts[0], 0)


def test_both_directions():
    x = random(BATCH, STEPS, FEATURES)
    results = []
    for layer in (ParallelRNN, keras.layers.RNN):
        both = built(keras.layers.Bidirectional(layer(MinGRUCell(UNITS), return_sequences=True)))
        assert type(both.backward_layer) is layer
        results.append(ops.convert_to_numpy(both(x, **mask_of("holes"))))
    assert_close(*results, 1e-6)


@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("cls", CELLS)
def test_mixed_precision_computes_in_half_and_keeps_float32(cls, policy, mask):
    layer = built(ParallelRNN(cls(UNITS, dtype=policy), dtype=policy, **EVERYTHING))
    exact = built(ParallelRNN(cls(UNITS), **EVERYTHING))
    x, inputs = random(BATCH, STEPS, FEATURES), mask_of(mask)
    results, compute = layer(x, **inputs), policy.removeprefix("mixed_")
    assert {keras.backend.standardize_dtype(r.dtype) for r in results} == {compute}
    assert {w.dtype for w in layer.weights} == {"float32"}
    error = 0.05 if compute == "bfloat16" else 0.005  # 8 and 11 bits of mantissa
    for got, expected in zip(results, exact(x, **inputs), strict=True):
        got = ops.convert_to_numpy(ops.cast(got, "float32"))
        assert_close(got, ops.convert_to_numpy(expected), error)


def classifier(layer, steps=STEPS, **options):
    layers = [keras.Input((steps, FEATURES)), layer(MinGRUCell(UNITS), **options)]
    model = keras.Sequential([*layers, keras.layers.Dense(2)])
    model.set_weights(oracle.random_weights(model))
    return model


def trained(model, **options):
    model.compile("sgd", "mse", **options)
    x, y = random(8, STEPS, FEATURES, dtype="float32"), random(8, 2, dtype="float32")
    model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_trains_to_the_same_weights(jit_compile):
    if BACKEND == "torch" and jit_compile:
        pytest.skip("jit_compile on PyTorch needs a C++ tool chain")
    ours = trained(classifier(ParallelRNN), jit_compile=jit_compile)
    plain = trained(classifier(keras.layers.RNN), jit_compile=False)
    start = classifier(ParallelRNN).get_weights()
    assert all(np.any(a != b) for a, b in zip(ours.get_weights(), start, strict=True))
    assert_same(ours.get_weights(), plain.get_weights(), 1e-6)


def test_a_trained_model_reloads_without_custom_objects(tmp_path):
    model = trained(classifier(ParallelRNN))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.layers[0]) is ParallelRNN
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(again.predict(x, verbose=0), model.predict(x, verbose=0), 0)


def test_a_copy_is_a_second_layer():
    layer = built(ParallelRNN(MinGRUCell(UNITS)))
    twin = copy.deepcopy(layer)
    assert twin.cell is not layer.cell
    x = random(BATCH, STEPS, FEATURES)
    assert_close(ops.convert_to_numpy(twin(x)), ops.convert_to_numpy(layer(x)), 0)


# When the plain loop serves, with the same numbers


@pytest.fixture
def scans(monkeypatch):
    """The calls of linear_scan."""
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return linear_scan(*arguments)

    monkeypatch.setattr(parallel, "linear_scan", counted)
    return calls


@pytest.mark.parametrize("unroll", [False, True])
def test_the_plain_loop_serves_unroll(scans, unroll):
    ours, plain = (
        built(layer(MinGRUCell(UNITS), unroll=unroll)) for layer in (ParallelRNN, keras.layers.RNN)
    )
    x = random(BATCH, STEPS, FEATURES)
    assert_close(ops.convert_to_numpy(ours(x)), ops.convert_to_numpy(plain(x)), 1e-6)
    assert bool(scans) == (not unroll)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the others compile for each length")
def test_the_plain_loop_serves_a_number_of_steps_that_is_not_known(scans):
    import tensorflow as tf

    layer, plain = (built(rnn(MinGRUCell(UNITS))) for rnn in (ParallelRNN, keras.layers.RNN))
    any_length = tf.TensorSpec((BATCH, None, FEATURES))
    compiled = tf.function(layer, input_signature=[any_length])
    for steps in (1, STEPS):
        x = random(BATCH, steps, FEATURES, dtype="float32")
        assert_close(compiled(x), plain(x), 1e-6)
    assert not scans


def test_a_model_takes_sequences_of_any_length():
    ours = classifier(ParallelRNN, steps=None)
    for steps in (4, 1, STEPS):
        x = random(BATCH, steps, FEATURES, dtype="float32")
        expected = classifier(keras.layers.RNN, steps).predict(x, verbose=0)
        assert_close(ours.predict(x, verbose=0), expected, 1e-6)


def test_the_plain_loop_serves_a_cell_of_another_dtype(scans):
    layer = built(ParallelRNN(MinGRUCell(UNITS, dtype="mixed_bfloat16"), **EVERYTHING))
    plain = built(keras.layers.RNN(MinGRUCell(UNITS, dtype="mixed_bfloat16"), **EVERYTHING))
    x = random(BATCH, STEPS, FEATURES)
    assert_same(*([ops.convert_to_numpy(r) for r in rnn(x)] for rnn in (layer, plain)), 0)
    assert not scans


# One sentence for each mistake


def one_sentence(error):
    message = str(error.value)
    assert message.endswith(".") and "\n" not in message
    return message


class OwnCall(MinGRUCell):
    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs)) + states[0]
        return h, [h]


@pytest.mark.parametrize(
    ("cell", "came"),
    [
        (GRUCell(UNITS), "a GRUCell"),
        (keras.layers.LSTMCell(UNITS), "a LSTMCell"),
        (OwnCall(UNITS), "a OwnCall"),
        ([MinGRUCell(UNITS), MinGRUCell(UNITS)], "a list of 2"),
        (keras.layers.StackedRNNCells([MinGRUCell(UNITS)]), "a StackedRNNCells"),
        (MinGRUCell, "a "),
        (None, "a NoneType"),
    ],
)
def test_another_cell_is_refused(cell, came):
    with pytest.raises(ValueError) as error:
        ParallelRNN(cell)
    message = one_sentence(error)
    assert message.startswith("ParallelRNN: cell: expected one DiagonalRNNCell")
    assert f"got {came}" in message and message.endswith("run it with keras.layers.RNN.")


@pytest.mark.parametrize("cls", [DiagonalRNNCell, type("Empty", (DiagonalRNNCell,), {})])
def test_an_abstract_cell_is_not_made(cls):
    with pytest.raises(TypeError) as error:
        cls(UNITS)
    assert f"{cls.__name__} is abstract: it has no coefficients" in one_sentence(error)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recurrent_initializer", "zeros"),
        ("recurrent_regularizer", "l2"),
        ("recurrent_constraint", "non_neg"),
        ("recurrent_dropout", 0.5),
    ],
)
def test_options_of_a_recurrent_kernel_that_is_not_there_are_refused(name, value):
    with pytest.raises(ValueError) as error:
        MinGRUCell(UNITS, **{name: value})
    assert f"MinGRUCell: {name}: expected it left out" in one_sentence(error)
    cell = MinGRUCell(UNITS)
    cell.build((None, FEATURES))
    assert [w.name for w in cell.weights] == ["kernel", "bias"]


@pytest.mark.parametrize(
    ("coefficients", "what"),
    [
        (lambda b: b, "coefficients: expected a pair (a, b), as in h = a * h + b; got a tensor"),
        (lambda b: (b, b, b), "coefficients: expected a pair (a, b), as in h = a * h + b; got a t"),
        (lambda b: (b, 1.0), "coefficients: b: expected shape (batch, 5); got a float"),
        (lambda b: (b, b[:, :1]), "coefficients: b: expected shape (batch, 5); got a tensor of"),
        (lambda b: (b, b[:, 0]), "coefficients: b: expected shape (batch, 5); got a tensor of"),
    ],
)
def test_what_coefficients_returns_is_checked_when_the_layer_is_built(coefficients, what):
    method = {"coefficients": lambda self, inputs: coefficients(self.affine(inputs))}
    layer = ParallelRNN(type("Broken", (DiagonalRNNCell,), method)(UNITS))
    with pytest.raises(ValueError) as error:
        layer.build((None, STEPS, FEATURES))
    assert what in one_sentence(error)


class Elapsed(DiagonalRNNCell):
    """Counts axes from the front."""

    def coefficients(self, inputs):
        return ops.exp(-ops.abs(inputs[:, :1])), self.affine(inputs)


class Told(DiagonalRNNCell):
    def coefficients(self, inputs, training=False):
        return (0.9 if training else 0.5), self.affine(inputs)


class Centred(DiagonalRNNCell):
    """Looks at the other rows."""

    def coefficients(self, inputs):
        b = self.affine(inputs)
        return 0.5, b - ops.mean(b, axis=0, keepdims=True)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("cls", [Elapsed, Told, Centred])
def test_coefficients_are_written_for_one_step(cls, training):
    x = random(BATCH, STEPS, FEATURES)
    ours, plain = (
        ops.convert_to_numpy(built(rnn(cls(UNITS)))(x, training=training))
        for rnn in (ParallelRNN, keras.layers.RNN)
    )
    assert_close(ours, plain, 1e-6)


@pytest.mark.parametrize(
    ("features", "width", "what"),
    [
        (FEATURES - 1, UNITS, "inputs: expected 4 features, as built; got 3"),
        (FEATURES, UNITS + 1, "states[0]: expected shape (batch, 5); got a tensor of shape (3, 6)"),
    ],
)
def test_a_caller_is_told_what_the_plain_loop_tells(features, width, what):
    x, h = random(BATCH, STEPS, features), ops.convert_to_tensor(random(BATCH, width))
    for layer in (ParallelRNN, keras.layers.RNN):
        with pytest.raises(ValueError) as error:
            built(layer(MinGRUCell(UNITS)))(x, initial_state=[h])
        assert f"MinGRUCell: {what}" in str(error.value)


# Mutants: wrong mathematics that every shape test lets through, and the plain loop does not

SITUATIONS = [
    ("sequences", "none", 7),  # not as many as the blocks hold
    ("backwards", "holes", STEPS),
    ("zeros", "holes", STEPS),
    ("last", "left", STEPS),
]
MUTANTS = [
    ("a * a_all, a * b_all + b", "a * a_all, b_all + b"),
    ("a * a_all, a * b_all + b", "a + a_all, a * b_all + b"),
    ("first.append(a * first[-1] + b)", "first.append(first[-1] + b)"),
    ("blocks * size, units))[:, :steps]", "blocks * size, units))[:, -steps:]"),
    ("h = a * h + b\n        states", "h = ops.stop_gradient(a) * h + b\n        states"),
    ("first = [h[:, None, None]", "first = [ops.stop_gradient(h)[:, None, None]"),
    ("ops.where(mask, a, 1)", "ops.where(mask, a, 0)"),
    ("ops.where(mask, b, 0)", "b"),
    ("sequences = ops.flip(sequences, axis=1)", "pass"),
    ("mask = mask if mask is None else ops.flip(mask, axis=1)", "pass"),
    ("            return ops.where(mask, h, 0)", "            return h"),
    ("h if mask is None else self._masked(h, mask)", "h"),
    ("[h[:, -1]]", "[h[:, 0]]"),
]


def situations(make_layer):
    """Everything that a layer gives, in a few situations that show all of its code at work."""
    for options, mask, steps in SITUATIONS:
        layer = built(make_layer(return_state=True, **OPTIONS[options]), steps)
        yield everything(layer, steps, **mask_of(mask))


@pytest.mark.parametrize(("right", "wrong"), [("", ""), *MUTANTS])
def test_wrong_mathematics_is_caught(right, wrong):
    source = inspect.getsource(parallel).replace('("rnncells.layers.parallel")', '("mutant")')
    assert not right or source.count(right) == 1
    scope = {"__name__": "mutant"}
    exec(source.replace(right, wrong) if right else source, scope)
    attributes = {"num_gates": 2, "coefficients": MinGRUCell.coefficients, "__module__": "mutant"}
    mutant = type("MinGRUCell", (scope["DiagonalRNNCell"],), attributes)
    ours = situations(lambda **options: scope["ParallelRNN"](mutant(UNITS), **options))
    plain = situations(lambda **options: keras.layers.RNN(MinGRUCell(UNITS), **options))

    def compare():
        for got, expected in zip(ours, plain, strict=True):
            assert_same(got, expected, 1e-3 if right else 1e-6)

    if right:
        with pytest.raises(AssertionError):
            compare()
    else:
        compare()  # the source itself, run in the same way
