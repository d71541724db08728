"""The cells: equal to NumPy and to Keras, and complete under everything that RNN offers.

Runs on every back end: KERAS_BACKEND=jax pytest tests/test_cells.py
"""

import copy
import inspect
import subprocess
import sys

import keras
import numpy as np
import oracle
import pytest
from keras import ops
from oracle import BATCH, FEATURES, FINEST, STEPS, TOLERANCE, UNITS, assert_close, random

import rnncells
from rnncells import (
    AffineRNNCell,
    GRUCell,
    LinearRNNCell,
    LSTMCell,
    MinGRUCell,
    RNNCell,
    SimpleRNNCell,
)

BACKEND = keras.backend.backend()

# Each case: our cell, Keras's, the reference's two functions, and the options of both cells.
CASES = {
    "linear": (*oracle.LINEAR, {}),
    "simple": (*oracle.SIMPLE, {}),
    "lstm": (*oracle.LSTM, {}),
    "gru_reset_after": (*oracle.GRU_AFTER, {}),
    "gru_reset_before": (*oracle.GRU_BEFORE, {"reset_after": False}),
    "mingru": (*oracle.MINGRU, {}),
}
WITH_KERAS = [name for name in CASES if name not in ("linear", "mingru")]
ALL_CELLS = pytest.mark.parametrize("case", CASES)
KERAS_CELLS = pytest.mark.parametrize("case", WITH_KERAS)


def our_cell(case, **options):
    cls, _, _, _, fixed = CASES[case]
    return cls(UNITS, **fixed, **options)


def keras_cell(case, **options):
    _, cls, _, _, fixed = CASES[case]
    return cls(UNITS, **fixed, **options)


def assert_same_layers(ours, theirs, tolerance, **inputs):
    x = random(BATCH, STEPS, FEATURES)
    got, expected = ours(x, **inputs), theirs(x, **inputs)
    for g, e in zip(keras.tree.flatten(got), keras.tree.flatten(expected), strict=True):
        assert_close(ops.convert_to_numpy(g), ops.convert_to_numpy(e), tolerance)


# The same numbers as something independent


@pytest.mark.parametrize("dtype", TOLERANCE)
@ALL_CELLS
def test_outputs_states_and_gradients_are_those_of_numpy(case, dtype):
    _, _, step, step_back, _ = CASES[case]
    oracle.assert_matches_reference(our_cell(case, dtype=dtype), step, step_back, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@KERAS_CELLS
def test_outputs_states_and_gradients_are_those_of_keras(case, dtype):
    ours = oracle.built_rnn(our_cell(case, dtype=dtype), dtype)
    theirs = oracle.built_rnn(keras_cell(case, dtype=dtype), dtype)
    ours.cell.set_weights(theirs.cell.get_weights())
    x = random(BATCH, STEPS, FEATURES)
    states = [random(BATCH, UNITS, seed=50 + i) for i in range(len(ours.state_size))]
    got = oracle.run_with_gradients(ours, x, states)
    expected = oracle.run_with_gradients(theirs, x, states)
    for g, e in zip([*got[0], *got[1]], [*expected[0], *expected[1]], strict=True):
        assert_close(g, e, TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("case", "options"),
    [(case, options) for case in WITH_KERAS for options in ({"use_bias": False},)]
    + [(case, {"activation": a}) for case in WITH_KERAS for a in ("relu", None)]
    + [(case, {"recurrent_activation": "hard_sigmoid"}) for case in WITH_KERAS[1:]]
    + [("lstm", {"unit_forget_bias": False})],
)
def test_options_mean_what_they_mean_in_keras(case, options):
    ours = oracle.built_rnn(our_cell(case, dtype=FINEST, **options), FINEST)
    theirs = oracle.built_rnn(keras_cell(case, dtype=FINEST, **options), FINEST)
    assert_same_layers(ours, theirs, TOLERANCE[FINEST])


@pytest.mark.parametrize("unit_forget_bias", [True, False])
@pytest.mark.parametrize("start", ["zeros", keras.initializers.Constant(0.5)])
def test_the_forget_bias_starts_as_in_keras(unit_forget_bias, start):
    options = {"unit_forget_bias": unit_forget_bias, "bias_initializer": start}
    ours, theirs = our_cell("lstm", **options), keras_cell("lstm", **options)
    ours.build((None, FEATURES))
    theirs.build((None, FEATURES))
    assert_close(ours.get_weights()[2], theirs.get_weights()[2], 0)


@KERAS_CELLS
def test_initializers_and_regularizers_reach_the_weights_that_keras_gives_them(case):
    options = {
        "kernel_initializer": keras.initializers.Constant(1),
        "recurrent_initializer": keras.initializers.Constant(2),
        "bias_initializer": keras.initializers.Constant(3),
        "kernel_regularizer": keras.regularizers.L1(1.0),
        "recurrent_regularizer": keras.regularizers.L1(10.0),
        "bias_regularizer": keras.regularizers.L1(100.0),
    }
    ours, theirs = our_cell(case, **options), keras_cell(case, **options)
    ours.build((None, FEATURES))
    theirs.build((None, FEATURES))
    for w, v in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(w, v, 0)
    assert_close(sum(map(float, ours.losses)), sum(map(float, theirs.losses)), 1e-6)


def test_the_linear_cell_is_the_tutorials():
    cell = LinearRNNCell(64)
    cell.build((None, 28))
    kernel, recurrent_kernel = cell.get_weights()
    assert kernel.shape == (28, 64) and recurrent_kernel.shape == (64, 64)
    for w in (kernel, recurrent_kernel):
        assert 0.045 < np.abs(w).max() <= 0.05 and abs(w.mean()) < 0.005


# Everything that keras.layers.RNN offers, against the same layer with Keras's cell

MASKS = {
    "right": [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]],
    "left": [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1, 1], [0, 1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1]],
    "all": [[0] * STEPS] * BATCH,
}
RNN_OPTIONS = [
    {"return_sequences": True},
    {"return_sequences": False},
    {"go_backwards": True},
    {"unroll": True},
    {"unroll": True, "go_backwards": True},
    {"zero_output_for_mask": True},
]


@pytest.mark.parametrize("mask", [None, *MASKS])
@pytest.mark.parametrize("options", RNN_OPTIONS, ids=str)
@KERAS_CELLS
def test_rnn_with_our_cell_is_rnn_with_keras_cell(case, options, mask):
    if BACKEND == "torch" and mask and options == {"unroll": True, "go_backwards": True}:
        pytest.skip("Keras 3.15 on PyTorch raises for a mask with unroll and go_backwards")
    ours = oracle.built_rnn(our_cell(case), **options)
    theirs = oracle.built_rnn(keras_cell(case), **options)
    inputs = {"mask": ops.convert_to_tensor(np.array(MASKS[mask], bool))} if mask else {}
    assert_same_layers(ours, theirs, 1e-6, **inputs)


@ALL_CELLS
def test_stateful_carries_the_state_from_call_to_call(case):
    whole = oracle.built_rnn(our_cell(case))
    halves = keras.layers.RNN(our_cell(case), return_sequences=True, stateful=True)
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    halves.build((BATCH, STEPS // 2, FEATURES))
    halves.set_weights(whole.get_weights())
    parts = [ops.convert_to_numpy(halves(x[:, s])) for s in (slice(0, 3), slice(3, 6))]
    assert_close(np.concatenate(parts, axis=1), ops.convert_to_numpy(whole(x)[0]), 1e-6)
    halves.reset_state()
    assert_close(ops.convert_to_numpy(halves(x[:, :3])), parts[0], 0)


def test_stacked_and_bidirectional_are_those_of_keras():
    def model(cells):
        stack = keras.layers.StackedRNNCells(cells)
        return keras.Sequential(
            [
                keras.Input((STEPS, FEATURES)),
                keras.layers.Bidirectional(keras.layers.RNN(stack)),
            ]
        )

    ours = model([our_cell("lstm"), our_cell("gru_reset_after"), our_cell("simple")])
    theirs = model([keras_cell("lstm"), keras_cell("gru_reset_after"), keras_cell("simple")])
    weights = oracle.random_weights(theirs)
    ours.set_weights(weights)
    theirs.set_weights(weights)
    assert_same_layers(ours, theirs, 1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@ALL_CELLS
def test_mixed_precision_computes_in_half_and_keeps_float32(case, policy):
    layer = oracle.built_rnn(our_cell(case, dtype=policy), policy)
    exact = oracle.built_rnn(our_cell(case))
    x = random(BATCH, STEPS, FEATURES)
    output, *states = layer(x)
    compute = policy.removeprefix("mixed_")
    assert {keras.backend.standardize_dtype(t.dtype) for t in (output, *states)} == {compute}
    assert {w.dtype for w in layer.weights} == {"float32"}
    error = 0.05 if compute == "bfloat16" else 0.005  # 8 and 11 bits of mantissa
    expected = ops.convert_to_numpy(exact(x)[0])
    assert_close(ops.convert_to_numpy(ops.cast(output, "float32")), expected, error)


@pytest.mark.skipif(BACKEND == "torch", reason="jit_compile on PyTorch needs a C++ tool chain")
@ALL_CELLS
def test_jit_compile_trains_to_the_same_weights(case):
    def trained(jit_compile):
        model = classifier(our_cell(case))
        model.set_weights(oracle.random_weights(model))
        model.compile("sgd", "mse", jit_compile=jit_compile)
        fit_once(model)
        return model.get_weights()

    for compiled, plain in zip(trained(True), trained(False), strict=True):
        assert_close(compiled, plain, 1e-5)


# A cell of one's own


class Minimal(AffineRNNCell):
    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h]


@keras.saving.register_keras_serializable("somebody")
def half(x):
    return x / 2


class Leaky(AffineRNNCell):
    """Arguments of its own, one of them pinned, two states, a weight of its own."""

    state_names = ("h", "trace")

    def __init__(self, units, rate=0.5, activation="tanh", **kwargs):
        super().__init__(units, use_bias=False, **kwargs)
        self.rate = rate
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(name="scale", shape=(self.units,), initializer="ones")

    def call(self, inputs, states, training=False):
        h, trace = states
        h = self.activation(self.affine(inputs, h)) * self.scale
        trace = self.rate * trace + (1 - self.rate) * h
        return trace, [h, trace]


class Projecting(AffineRNNCell):
    """States and an output of three different sizes."""

    state_names = ("h", "count")

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [self.units, 1]
        self.output_size = 2

    def call(self, inputs, states):
        h, count = states
        h = ops.tanh(self.affine(inputs, h))
        return h[:, :2], [h, count + 1]


class WithLayer(AffineRNNCell):
    """A layer inside, which nobody builds by hand, and an object as argument."""

    def __init__(self, units, mixer=None, **kwargs):
        super().__init__(units, **kwargs)
        self.mixer = mixer or keras.layers.Dense(units)

    def call(self, inputs, states):
        h = ops.tanh(self.mixer(self.affine(inputs, states[0])))
        return h, [h]


class Appending(AffineRNNCell):
    """Treats its states as the list that the contract promises."""

    def call(self, inputs, states):
        states[0] = ops.tanh(self.affine(inputs, states[0]))
        return states[0], states


OWN = [
    Minimal,
    Leaky,
    Projecting,
    WithLayer,
    Appending,
    LinearRNNCell,
    SimpleRNNCell,
    LSTMCell,
    GRUCell,
    MinGRUCell,
]


def classifier(cell):
    return keras.Sequential(
        [keras.Input((STEPS, FEATURES)), keras.layers.RNN(cell), keras.layers.Dense(2)]
    )


def fit_once(model):
    x = random(8, STEPS, FEATURES, dtype="float32")
    y = np.eye(2, dtype="float32")[np.arange(8) % 2]
    return model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]


@pytest.mark.parametrize("cls", OWN)
def test_a_cell_trains_and_reloads_without_custom_objects(cls, tmp_path):
    model = classifier(cls(UNITS))
    before = model.get_weights()
    model.compile("adam", "mse")
    losses = fit_once(model)
    assert losses[1] < losses[0]
    moved = [np.any(a != b) for a, b in zip(model.get_weights(), before, strict=True)]
    assert all(moved), "a weight that training does not move"
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(again.predict(x, verbose=0), model.predict(x, verbose=0), 0)


@pytest.mark.parametrize("cls", OWN)
def test_a_cell_works_in_the_wrappers(cls):
    stack = keras.layers.StackedRNNCells([cls(UNITS), cls(3)])
    one_way = keras.layers.RNN(stack, return_sequences=True)
    both = keras.layers.Bidirectional(one_way)  # of two copies, made from the config
    x = random(BATCH, STEPS, FEATURES)
    assert one_way(x).shape == (BATCH, STEPS, cls(3).output_size)
    assert both(x).shape == (BATCH, STEPS, 2 * cls(3).output_size)
    both.set_weights(one_way.get_weights() * 2)
    flipped = np.flip(ops.convert_to_numpy(one_way(np.flip(x, axis=1).copy())), axis=1)
    expected = np.concatenate([ops.convert_to_numpy(one_way(x)), flipped], axis=-1)
    assert_close(ops.convert_to_numpy(both(x)), expected, 1e-6)


def test_a_saved_model_loads_in_a_fresh_process_that_imports_rnncells(tmp_path):
    model = classifier(LSTMCell(UNITS))
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    program = (
        "import keras, numpy, rnncells; m = keras.models.load_model('model.keras');"
        "numpy.save('y.npy', m.predict(numpy.load('x.npy'), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert_close(np.load(tmp_path / "y.npy"), model.predict(x, verbose=0), 1e-6)


@pytest.mark.parametrize(
    "cell",
    [
        LSTMCell(3, activation=half, recurrent_activation="hard_sigmoid", unit_forget_bias=False),
        GRUCell(3, reset_after=False, use_bias=False, name="mine", dtype="float64"),
        SimpleRNNCell(3, activation=None, kernel_regularizer=keras.regularizers.L2(0.1)),
        SimpleRNNCell(3, activation="relu", recurrent_initializer=keras.initializers.Identity(0.5)),
        LinearRNNCell(3, kernel_initializer=keras.initializers.RandomNormal(seed=3)),
        MinGRUCell(3, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.1)),
        Leaky(3, rate=0.25, activation=half, kernel_initializer="zeros", trainable=False),
        WithLayer(3, mixer=keras.layers.Dense(3, activation="relu")),
    ],
)
def test_a_config_makes_the_same_cell(cell):
    config = cell.get_config()
    twin = type(cell).from_config(config)
    assert twin.get_config() == config
    assert twin.trainable == cell.trainable
    for made in (twin, copy.deepcopy(cell)):
        made.build((None, FEATURES))
        cell.built or cell.build((None, FEATURES))
        made.set_weights(cell.get_weights())
        x, states = random(BATCH, FEATURES), [random(BATCH, 3)] * len(cell.state_names)
        for a, b in zip(
            keras.tree.flatten(made(x, states)),
            keras.tree.flatten(cell(x, states)),
            strict=True,
        ):
            assert_close(ops.convert_to_numpy(a), ops.convert_to_numpy(b), 0)


def test_a_class_defined_twice_does_no_harm(tmp_path):
    """What running a notebook's cell again does: a second class of the same name."""

    def define(factor):
        class Again(AffineRNNCell):
            def call(self, inputs, states):
                h = factor * self.affine(inputs, states[0])
                return h, [h]

        return Again

    first = classifier(define(1.0)(UNITS))
    second = define(2.0)
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    before = first.predict(x, verbose=0)
    first.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(first.predict(x, verbose=0), before, 0)
    assert isinstance(again.layers[0].cell, second)


def test_a_class_that_moved_is_loaded_by_its_old_name(tmp_path):
    model = classifier(type("Moved", (Minimal,), {"__module__": "notebook"})(UNITS))
    model.save(tmp_path / "model.keras")
    here = type("Moved", (Minimal,), {"__module__": "mycells"})
    keras.saving.get_custom_objects().pop("notebook>Moved")
    with pytest.raises(TypeError, match="Could not locate class 'Moved'"):
        keras.models.load_model(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", {"notebook>Moved": here})
    assert type(again.layers[0].cell) is here


def test_a_namesake_elsewhere_does_not_replace_ours(tmp_path):
    ours = classifier(LSTMCell(UNITS))
    type("LSTMCell", (Minimal,), {"__module__": "__main__"})
    ours.save(tmp_path / "model.keras")
    assert type(keras.models.load_model(tmp_path / "model.keras").layers[0].cell) is LSTMCell


# A mistake ends in one sentence: class, attribute, expected, got


def one_sentence(error):
    message = str(error.value)
    assert message.endswith(".") and "\n" not in message
    return message


@pytest.mark.parametrize("cls", [RNNCell, type("Empty", (RNNCell,), {})])
def test_an_abstract_cell_is_not_made(cls):
    with pytest.raises(TypeError) as error:
        cls(4)
    assert cls.__name__ in one_sentence(error) and "call(inputs, states)" in str(error.value)


@pytest.mark.parametrize("units", [0, -1, 2.0, "4", None, True, [4]])
def test_units_are_a_positive_int(units):
    with pytest.raises(ValueError) as error:
        LSTMCell(units)
    expected = f"LSTMCell: units: expected a positive int; got {units!r}."
    assert one_sentence(error) == expected


def test_units_may_be_numpys():
    assert type(LSTMCell(np.int64(4)).units) is int


def test_state_names_are_not_one_string():
    with pytest.raises(TypeError) as error:
        type("Misnamed", (Minimal,), {"state_names": ("memory")})
    assert "Misnamed: state_names: expected a tuple" in one_sentence(error)


def init(self, units):
    AffineRNNCell.__init__(self, units)


def init_with_args(self, *args, **kwargs):
    AffineRNNCell.__init__(self, *args, **kwargs)


@pytest.mark.parametrize("init", [init, init_with_args])
def test_a_constructor_that_cannot_be_repeated_is_named_when_saving(init, tmp_path):
    model = classifier(type("Fixed", (Minimal,), {"__init__": init})(UNITS))
    with pytest.raises(ValueError) as error:
        model.save(tmp_path / "model.keras")
    assert "Fixed: __init__: expected **kwargs" in one_sentence(error)


def test_missing_and_unknown_arguments_are_named():
    with pytest.raises(TypeError, match="GRUCell.*units"):
        GRUCell()
    with pytest.raises((TypeError, ValueError), match="unitz"):
        GRUCell(4, unitz=4)


def returns(what, **attributes):
    """A cell whose call returns ``what(affine, states)``."""

    def call(self, inputs, states):
        return what(self.affine(inputs, states[0]), states)

    return type("Broken", (AffineRNNCell,), {"call": call, **attributes})


@pytest.mark.parametrize(
    ("cls", "attribute", "expected", "got"),
    [
        (returns(lambda a, s: a), "call", "a pair (output", "shape (None, 5)"),
        (returns(lambda a, s: (a, a)), "new states", "a list of 1 (h)", "shape (None, 5)"),
        (returns(lambda a, s: (a, (a,))), "new states", "a list of 1 (h)", "a tuple of 1"),
        (returns(lambda a, s: (a, None)), "new states", "a list of 1 (h)", "NoneType"),
        (returns(lambda a, s: (a, [a, a])), "new states", "a list of 1 (h)", "got 2"),
        (
            returns(lambda a, s: (a, [a]), state_names=("h", "c")),
            "new states",
            "a list of 2 (h, c)",
            "got 1",
        ),
        (
            returns(lambda a, s: (a[:, :5], [a]), num_gates=2),
            "new states[0]",
            "shape (batch, 5)",
            "(None, 10)",
        ),
        (
            returns(lambda a, s: (a, [a[:, :5]]), num_gates=2),
            "call",
            "(batch, 5), its output_size",
            "(None, 10)",
        ),
        (
            returns(lambda a, s: (a, [ops.sum(a, axis=1)])),
            "new states[0]",
            "shape (batch, 5)",
            "(None,)",
        ),
    ],
)
def test_what_call_returns_is_checked_when_the_model_is_built(cls, attribute, expected, got):
    if BACKEND == "torch" and got == "NoneType":
        pytest.skip("Keras on PyTorch cannot trace a None: the first real call checks")
    with pytest.raises(ValueError) as error:
        classifier(cls(UNITS))
    message = one_sentence(error)
    for part in ("Broken: ", attribute, expected, got):
        assert part in message


def test_a_call_that_fails_is_named_with_what_it_was_given():
    class Lying(Minimal):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.state_size = units + 1

    with pytest.raises(ValueError) as error:
        classifier(Lying(UNITS))
    message = one_sentence(error)
    assert f"Lying: call: expected a step of shape (None, {FEATURES}) and states of" in message
    assert f"widths [{UNITS + 1}] to pass through it; got" in message


def test_states_without_names_are_counted():
    class Unnamed(Minimal):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.state_size = [units, units]

    with pytest.raises(ValueError, match="expected a list of 2; got 1"):
        classifier(Unnamed(UNITS))


def test_a_cell_that_asks_for_the_compute_dtype_runs_in_mixed_precision():
    class Keeping(AffineRNNCell):
        def call(self, inputs, states):
            keep = ops.cast(states[0] > 0, self.compute_dtype)
            h = keep * states[0] + (1 - keep) * ops.tanh(self.affine(inputs, states[0]))
            return h, [h]

    layer = oracle.built_rnn(Keeping(UNITS, dtype="mixed_bfloat16"), "mixed_bfloat16")
    assert keras.backend.standardize_dtype(layer(random(2, 3, 4))[0].dtype) == "bfloat16"


@pytest.mark.parametrize("first", [True, False])
def test_a_build_of_ones_own_may_call_the_base_first_or_last(first, tmp_path):
    class Own(AffineRNNCell):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.dense = keras.layers.Dense(units)
            self.peephole = None

        def build(self, input_shape):
            if first:
                super().build(input_shape)
            self.dense.build((None, self.units))
            self.peephole = self.add_weight(shape=(self.units,), initializer="ones")
            if not first:
                super().build(input_shape)

        def call(self, inputs, states):
            h = ops.tanh(self.dense(self.affine(inputs, states[0])) + self.peephole * states[0])
            return h, [h]

    model = classifier(Own(UNITS))
    model.compile("adam", "mse")
    fit_once(model)
    model.save(tmp_path / "model.keras")
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(again.predict(x, verbose=0), model.predict(x, verbose=0), 0)


def test_the_forget_bias_is_one_block_whatever_the_number_of_gates():
    coupled = type("Coupled", (LSTMCell,), {"num_gates": 3})(2)
    assert ops.convert_to_numpy(coupled.initial_bias((6,))).tolist() == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (
            lambda self, inputs, batch_size, dtype: None,
            "expected (batch_size=None) as arguments; got (inputs",
        ),
        (lambda self, batch_size=None: ops.zeros((batch_size, 5)), "expected a list of 1 (h); got"),
        (lambda self, batch_size=None: [ops.zeros((1, 5))], "expected shape (2, 5); got a tensor"),
        (
            lambda self, batch_size=None: [ops.zeros((batch_size, 5), dtype="int32")],
            "get_initial_state[0]: expected dtype float32, as before; got int32",
        ),
    ],
)
def test_first_states_of_ones_own_are_tried_at_build(method, message):
    cls = type("Own", (Minimal,), {"get_initial_state": method})
    with pytest.raises(ValueError) as error:
        cls(UNITS).build((None, FEATURES))
    assert one_sentence(error).startswith("Own: get_initial_state")
    assert message in str(error.value)


def test_a_state_keeps_its_dtype():
    class Counting(AffineRNNCell):
        state_names = ("h", "count")

        def call(self, inputs, states):
            h, count = states
            return self.affine(inputs, h), [h, ops.cast(count, "int32") + 1]

    with pytest.raises(ValueError) as error:
        Counting(UNITS).build((None, FEATURES))
    expected = "Counting: call's new states[1]: expected dtype float32, as before; got int32."
    assert one_sentence(error) == expected


def test_what_call_returns_is_checked_even_where_build_is_the_cells_own():
    class Late(Leaky):
        def call(self, inputs, states):
            return self.scale * self.affine(inputs, states[0]), list(states[:1])

    with pytest.raises(ValueError, match=r"Late: call's new states: expected .* got 1"):
        classifier(Late(UNITS))


@pytest.mark.parametrize("shape", [(28, 28, 1), (None,), (28, None)])
def test_a_step_of_the_wrong_rank_is_named_at_build(shape):
    with pytest.raises(ValueError) as error:
        SimpleRNNCell(4).build((None, *shape))
    message = one_sentence(error)
    assert "SimpleRNNCell: inputs: expected" in message and str((None, *shape)) in message


@pytest.mark.parametrize(
    ("x", "states", "what"),
    [
        ((2, 3, 4), [(2, 5)], "inputs: expected one step of shape (batch, features)"),
        ((), [(2, 5)], "inputs: expected one step of shape (batch, features)"),
        ((2, 3), [(2, 5)], "inputs: expected 4 features, as built; got 3"),
        ((2, 4), (2, 5), "states: expected a list of 1 (h); got a tensor of shape (2, 5)"),
        ((2, 4), [(2, 5), (2, 5)], "states: expected a list of 1 (h); got 2"),
        ((2, 4), [(2, 6)], "states[0]: expected shape (batch, 5); got a tensor of shape (2, 6)"),
    ],
)
def test_a_caller_is_told_what_was_wrong(x, states, what):
    cell = SimpleRNNCell(UNITS)
    cell.build((None, 4))
    arrays = [random(*s) for s in states] if isinstance(states, list) else random(*states)
    with pytest.raises(ValueError) as error:
        cell(random(*x), arrays)
    assert f"SimpleRNNCell: {what}" in one_sentence(error)


@ALL_CELLS
def test_first_states_are_zeros_of_the_declared_sizes(case):
    cell = our_cell(case, dtype="mixed_bfloat16")
    states = cell.get_initial_state(batch_size=BATCH)
    assert [tuple(s.shape) for s in states] == [(BATCH, UNITS)] * len(cell.state_names)
    assert {keras.backend.standardize_dtype(s.dtype) for s in states} == {"bfloat16"}
    assert not any(np.any(ops.convert_to_numpy(ops.cast(s, "float32"))) for s in states)
    with pytest.raises(ValueError) as error:
        cell.get_initial_state()
    assert "get_initial_state: expected batch_size" in one_sentence(error)


# Mutants: wrong mathematics that every shape test lets through, and the oracle does not

MUTANTS = [
    ("linear", "self.affine(inputs, states[0])", "self.affine(inputs, inputs[:, :1] + states[0])"),
    ("simple", "self.affine(inputs, states[0])", "self.affine(inputs, keras.ops.tanh(states[0]))"),
    ("lstm", "i, f, g, o = ops.split(self", "f, i, g, o = ops.split(self"),
    ("lstm", "i, f, g, o = ops.split(self", "i, f, o, g = ops.split(self"),
    ("lstm", "sigma(f) * c +", "sigma(f) * h +"),
    ("lstm", "sigma(o) * phi(c)", "sigma(o) * c"),
    ("lstm", "return h, [h, c]", "return h, [c, h]"),
    ("lstm", "return h, [h, c]", "return h, [h, states[1]]"),
    ("gru_reset_after", "z * h + (1 - z) * g", "z * g + (1 - z) * h"),
    ("gru_reset_after", "return r * hg", "return hg"),
    ("gru_reset_after", "h + self.bias[1]", "h + self.bias[0]"),
    ("gru_reset_after", "hz, hr, *hg = ops.split(", "hr, hz, *hg = ops.split("),
    ("gru_reset_before", "self.drop_state(r * h)", "self.drop_state(h)"),
    ("gru_reset_before", "[:, : 2 * self.units]", "[:, self.units :]"),
    ("mingru", "return z, (1 - z) * g", "return 1 - z, z * g"),
    ("mingru", "return z, (1 - z) * g", "return z, g"),
    ("mingru", "xz, g = ops", "g, xz = ops"),
]


@pytest.mark.parametrize(("case", "right", "wrong"), MUTANTS)
def test_wrong_mathematics_is_caught(case, right, wrong):
    cls, _, step, step_back, options = CASES[case]
    *documented, code = inspect.getsource(inspect.getmodule(cls)).split('"""', 4)
    assert code.count(right) == 1
    scope = {"__name__": "mutant"}
    exec('"""'.join([*documented, code.replace(right, wrong)]), scope)
    mutant = scope[cls.__name__](UNITS, dtype=FINEST, **options)
    with pytest.raises(AssertionError):
        oracle.assert_matches_reference(mutant, step, step_back, 1e-3)


def test_the_package_says_what_is_public():
    assert set(rnncells.__all__) <= set(dir(rnncells))
    assert all(inspect.getdoc(getattr(rnncells, name)) for name in rnncells.__all__)
