"""What a person meets on the first day of reuse: options, configurations, states of other shapes.

Runs on every back end: KERAS_BACKEND=jax pytest tests/test_options.py
"""

import copy
import inspect
import json
import re
import textwrap

import keras
import numpy as np
import oracle
import pytest
from keras import ops
from oracle import BATCH, FEATURES, STEPS, UNITS, assert_close, random

from rnncells import (
    AffineRNNCell,
    DiagonalRNNCell,
    GRUCell,
    LinearRNNCell,
    LSTMCell,
    MinGRUCell,
    RNNCell,
    SimpleRNNCell,
)

BACKEND = keras.backend.backend()
PAIRS = [
    (SimpleRNNCell, keras.layers.SimpleRNNCell, {}),
    (LSTMCell, keras.layers.LSTMCell, {}),
    (GRUCell, keras.layers.GRUCell, {}),
    (GRUCell, keras.layers.GRUCell, {"reset_after": False}),
]
ALL_PAIRS = pytest.mark.parametrize(("ours", "theirs", "options"), PAIRS)


def built(cell, **options):
    layer = keras.layers.RNN(cell, **options)
    layer.build((BATCH, STEPS, FEATURES))
    return layer


def numbers(layer, x=None, **call):
    x = random(BATCH, STEPS, FEATURES, dtype="float32") if x is None else x
    return ops.convert_to_numpy(layer(x, **call))


def through_json(cell):
    return type(cell).from_config(json.loads(json.dumps(cell.get_config())))


def reloaded(cell, tmp_path):
    """The cell as it comes back in a model from its file."""
    layers = [keras.Input((STEPS, FEATURES)), keras.layers.RNN(cell)]
    keras.Sequential(layers).save(tmp_path / "model.keras")
    return keras.models.load_model(tmp_path / "model.keras").layers[0].cell


def one_sentence(error):
    message = str(error.value)
    assert message.endswith(".") and "\n" not in message
    return message


# Keyword only


@pytest.mark.parametrize("cls", [SimpleRNNCell, LSTMCell, GRUCell, LinearRNNCell, MinGRUCell])
def test_only_units_is_positional(cls):
    with pytest.raises(TypeError) as error:
        cls(4, "tanh")
    message = one_sentence(error)
    assert message.startswith(f"{cls.__name__}: too many positional arguments; it takes (units, ")


# Dropout


@ALL_PAIRS
def test_dropout_is_keras_s_with_the_same_seed(ours, theirs, options):
    layer = built(theirs(UNITS, dropout=0.5, seed=3, **options))
    twin = built(ours(UNITS, dropout=0.5, seed=3, **options))
    twin.set_weights(layer.get_weights())
    for training in (True, False):
        assert_close(numbers(twin, training=training), numbers(layer, training=training), 1e-6)


class Minimal(AffineRNNCell):
    def call(self, inputs, states):
        h = self.affine(inputs, states[0])
        return h, [h]


class Identity(AffineRNNCell):
    """What it reads, or what it remembers: masks are seen in the outputs."""

    def call(self, inputs, states):
        return self.drop_inputs(inputs), [self.drop_state(states[0]) + 1]


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_a_mask_is_one_for_all_steps_and_one_for_each_sequence(rates):
    layer = keras.layers.RNN(Identity(32, **rates), return_sequences=True, return_state=True)
    outputs, state = layer(np.ones((8, STEPS, 32), "float32"), training=True)
    outputs, state = ops.convert_to_numpy(outputs), ops.convert_to_numpy(state)
    if "dropout" in rates:
        assert set(np.unique(outputs)) == {0, 2}
        assert np.all(outputs == outputs[:, :1])  # one mask for all steps
        assert np.any(outputs[0] != outputs[1])  # one for each sequence
        assert 0.3 < np.mean(outputs == 0) < 0.7
    else:
        kept = sum(2.0**t for t in range(STEPS))  # 2 s + 1, from 0; where dropped 0 s + 1
        assert set(np.unique(state)) == {1, kept}


@pytest.mark.parametrize("cls", [SimpleRNNCell, LSTMCell, GRUCell, MinGRUCell, Minimal])
def test_dropout_is_off_at_inference_and_on_in_training(cls):
    rates = {"dropout": 0.5} | ({} if cls is MinGRUCell else {"recurrent_dropout": 0.5})
    layer, plain = built(cls(UNITS, **rates)), built(cls(UNITS))
    plain.set_weights(layer.get_weights())
    assert_close(numbers(layer), numbers(plain), 0)
    assert_close(numbers(layer, training=False), numbers(plain), 0)
    first, second = numbers(layer, training=True), numbers(layer, training=True)
    assert np.any(first != second) and np.any(first != numbers(plain))


def test_dropout_in_fit_stacked_both_ways_and_stateful(tmp_path):
    cells = [LSTMCell(4, dropout=0.5, seed=1), GRUCell(4, recurrent_dropout=0.5, seed=2)]
    both = keras.layers.Bidirectional(keras.layers.RNN(cells, return_sequences=True))
    last = keras.layers.RNN(Minimal(4, recurrent_dropout=0.5, seed=3), stateful=True)
    inputs = keras.Input(batch_shape=(BATCH, STEPS, FEATURES))
    model = keras.Model(inputs, last(both(inputs)))
    model.compile("sgd", "mse")
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    before = model.get_weights()
    model.fit(x, x[:, 0, :4], batch_size=BATCH, epochs=2, verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True) if a.ndim)
    last.reset_state()
    expected = model.predict(x, batch_size=BATCH, verbose=0)
    last.reset_state()
    assert_close(model.predict(x, batch_size=BATCH, verbose=0), expected, 0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    again.layers[-1].reset_state()
    assert_close(again.predict(x, batch_size=BATCH, verbose=0), expected, 1e-6)


def test_the_same_seed_trains_to_the_same_weights():
    def trained(seed):
        keras.utils.set_random_seed(0)
        cell = LSTMCell(4, dropout=0.5, recurrent_dropout=0.5, seed=seed)
        model = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.RNN(cell)])
        model.compile("sgd", "mse")
        x = random(BATCH, STEPS, FEATURES, dtype="float32")
        model.fit(x, x[:, 0], epochs=2, verbose=0, shuffle=False)
        return model.get_weights()

    for a, b in zip(trained(1), trained(1), strict=True):
        assert_close(a, b, 0)
    assert any(np.any(a != b) for a, b in zip(trained(1), trained(2), strict=True))


def test_a_cell_of_its_own_draws_a_mask_for_each_step():
    cell = LSTMCell(UNITS, dropout=0.5)
    states = cell.get_initial_state(batch_size=BATCH)
    x = np.ones((BATCH, FEATURES), "float32")
    one, other = (ops.convert_to_numpy(cell(x, states, training=True)[0]) for _ in range(2))
    assert np.any(one != other)
    assert_close(ops.convert_to_numpy(cell(x[:2], [s[:2] for s in states])[0]).shape, (2, UNITS), 0)


@pytest.mark.parametrize("rate", [1.0, -0.1, "half", True])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError) as error:
        LSTMCell(4, recurrent_dropout=rate)
    expected = "LSTMCell: recurrent_dropout: expected a share of at least 0 and below 1; got "
    assert one_sentence(error) == f"{expected}{rate!r}."


def test_a_rate_set_later_is_refused():
    cell = LSTMCell(4)
    cell.dropout = 0.5
    with pytest.raises(ValueError, match=r"LSTMCell: dropout: expected it among the constructor"):
        numbers(keras.layers.RNN(cell))


# Constraints


@ALL_PAIRS
def test_constraints_project_after_a_step_as_keras_s(ours, theirs, options):
    limits = {
        "kernel_constraint": keras.constraints.MaxNorm(0.5),
        "recurrent_constraint": "non_neg",
        "bias_constraint": keras.constraints.NonNeg(),
    }
    trained = []
    for cls in (theirs, ours):
        model = keras.Sequential(
            [keras.Input((STEPS, FEATURES)), built(cls(4, **options, **limits))]
        )
        model.set_weights(oracle.random_weights(model))
        model.compile("sgd", "mse")
        x = random(BATCH, STEPS, FEATURES, dtype="float32")
        model.fit(x, x[:, 0], verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained, strict=True):
        assert_close(a, b, 1e-6)
    assert np.all(trained[1][1] >= 0)


# From Keras's configuration


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"activation": "relu", "use_bias": False, "kernel_initializer": "ones"},
        {"recurrent_regularizer": keras.regularizers.L2(0.1), "bias_constraint": "non_neg"},
        {"dropout": 0.25, "recurrent_dropout": 0.5, "seed": 3, "name": "mine"},
        {"dtype": "mixed_bfloat16", "trainable": False},
    ],
    ids=["defaults", "no bias", "penalties", "dropout", "half precision"],
)
@ALL_PAIRS
def test_from_config_takes_a_keras_cells_configuration(ours, theirs, options, changed):
    layer = built(theirs(UNITS, **options, **changed), dtype=changed.get("dtype"))
    twin = built(ours.from_config(layer.cell.get_config()), dtype=changed.get("dtype"))
    assert (twin.cell.name, twin.cell.trainable) == (layer.cell.name, layer.cell.trainable)
    twin.set_weights(layer.get_weights())
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    got, expected = (ops.convert_to_numpy(ops.cast(rnn(x), "float32")) for rnn in (twin, layer))
    assert_close(got, expected, 1e-6 if "dtype" not in changed else 1e-2)
    assert [r is None for r in regularizers(twin)] == [r is None for r in regularizers(layer)]
    assert (twin.cell.dropout, twin.cell.recurrent_dropout, twin.cell.seed) == (
        layer.cell.dropout,
        layer.cell.recurrent_dropout,
        layer.cell.seed,
    )


def regularizers(layer):
    return [weight.regularizer for weight in layer.weights]


def test_what_keras_2_wrote_and_changes_nothing_is_passed_over():
    config = {**keras.layers.LSTMCell(4).get_config(), "implementation": 2}
    assert LSTMCell.from_config(config).units == 4


def test_what_is_unknown_and_matters_is_one_sentence():
    config = {**keras.layers.LSTMCell(4).get_config(), "projection": 3}
    with pytest.raises(TypeError) as error:
        LSTMCell.from_config(config)
    message = one_sentence(error)
    assert message.startswith("LSTMCell: expected arguments that it has (activation, bias_con")
    assert message.endswith("unit_forget_bias, units, use_bias); got projection.")


# A configuration is whole, and is what the cell computes


def test_a_configuration_is_whole():
    config = LSTMCell(4).get_config()
    assert set(keras.layers.LSTMCell(4).get_config()) <= set(config)
    assert config["use_bias"] is True and config["recurrent_initializer"] == "orthogonal"


class Scaled(SimpleRNNCell):
    def __init__(self, units, scale=1.0, **kwargs):
        super().__init__(units, use_bias=False, **kwargs)
        self.scale = scale

    def call(self, inputs, states):
        h = self.scale * self.activation(self.affine(inputs, states[0]))
        return h, [h]


def test_a_subclass_keeps_what_it_inherits():
    config = Scaled(4, activation="relu").get_config()
    assert (config["scale"], config["activation"], config["dropout"]) == (1.0, "relu", 0.0)
    assert "use_bias" not in config  # the constructor fixes it
    assert Scaled.from_config(config).get_config() == config


class Delays(AffineRNNCell):
    def __init__(self, units, delays, **kwargs):
        super().__init__(units, **kwargs)
        self.delays = delays
        self.total = sum(delays)

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0])) / self.total
        return h, [h]


def test_a_list_that_was_handed_in_may_change():
    grid = [1]
    cell = Delays(4, grid)
    grid.append(2)
    assert list(cell.delays) == [1] and cell.get_config()["delays"] == [1]
    config = cell.get_config()
    config["delays"].append(5)
    assert cell.get_config()["delays"] == [1]


def test_a_collection_that_is_changed_in_the_cell_is_saved_or_refused():
    cell = Delays(4, [1])
    cell.delays = [1, 2]
    assert through_json(cell).delays == [1, 2]


class Sized(AffineRNNCell):
    def __init__(self, units, size=(3, 3), table=None, **kwargs):
        super().__init__(units, **kwargs)
        self.size, self.table = size, table

    def call(self, inputs, states):
        h = self.affine(inputs, states[0])
        return h, [h]


def test_a_tuple_comes_back_as_a_tuple():
    cell = Sized(4, size=(3, (1, 2)), table={"a": (1,), "b": [(2, 3)]})
    for twin in (Sized.from_config(cell.get_config()), through_json(cell)):
        assert twin.size == (3, (1, 2)) and type(twin.size) is tuple
        assert twin._record.arguments["table"] == {"a": (1,), "b": [(2, 3)]}


@pytest.mark.parametrize("value", [keras.activations.relu, ops.relu])
def test_an_attribute_that_is_set_later_is_saved(value, tmp_path):
    cell = SimpleRNNCell(UNITS)
    cell.activation = value
    again = reloaded(cell, tmp_path)
    assert_close(
        ops.convert_to_numpy(again.activation(np.array([-1.0, 2.0]))), np.array([0.0, 2.0]), 0
    )


class Derived(AffineRNNCell):
    def __init__(self, units, rate=0.5, **kwargs):
        super().__init__(units, **kwargs)
        self.rate = 1 - rate

    def call(self, inputs, states):
        h = self.rate * self.affine(inputs, states[0])
        return h, [h]


def test_an_attribute_that_is_no_argument_and_set_later_is_refused():
    cell = Derived(4, rate=0.25)
    assert cell.get_config()["rate"] == 0.25
    cell.rate = 0.5
    with pytest.raises(ValueError) as error:
        cell.get_config()
    assert "Derived: rate: expected the value that the constructor computed" in one_sentence(error)


class Weighted(AffineRNNCell):
    def __init__(self, units, scale=2.0, **kwargs):
        super().__init__(units, **kwargs)
        self.scale = scale

    def build(self, input_shape):
        super().build(input_shape)
        start = keras.initializers.Constant(self.scale)
        self.scale = self.add_weight(name="scale", shape=(self.units,), initializer=start)

    def call(self, inputs, states):
        h = self.scale * ops.tanh(self.affine(inputs, states[0]))
        return h, [h]


def test_a_weight_in_its_arguments_place_is_not_the_argument(tmp_path):
    again = reloaded(Weighted(UNITS, scale=3.0), tmp_path)
    assert again.get_config()["scale"] == 3.0
    assert np.all(ops.convert_to_numpy(again.scale) == 3)


def test_a_copy_has_its_own_configuration():
    cell = Delays(4, [1, 2])
    twin = copy.deepcopy(cell)
    twin.delays = [3]
    assert cell.get_config()["delays"] == [1, 2] and twin.get_config()["delays"] == [3]


def test_two_classes_of_one_name_in_a_package_are_refused():
    attributes = {"call": Minimal.call, "__module__": "somewhere.one"}
    type("Doubled", (AffineRNNCell,), attributes)
    type("Doubled", (AffineRNNCell,), attributes)  # as when a notebook's cell is run again
    with pytest.raises(TypeError) as error:
        type("Doubled", (AffineRNNCell,), attributes | {"__module__": "somewhere.two"})
    assert "Doubled: expected a name that no other cell of the package somewhere" in one_sentence(
        error
    )
    other = type("Doubled", (AffineRNNCell,), attributes | {"__module__": "two"}, package="mine")
    assert keras.saving.get_registered_name(other) == "mine>Doubled"


# States and inputs of any shape


class Memory(RNNCell):
    """A vector and a matrix: what was read is written into a matrix by an outer product."""

    state_names = ("h", "M")

    def __init__(self, units, spelling=tuple, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [self.units, spelling((self.units, self.units))]

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.units))

    def call(self, inputs, states):
        h, M = states
        x = ops.matmul(inputs, self.kernel)
        M = 0.5 * M + x[:, :, None] * x[:, None, :]
        h = ops.tanh(x + ops.matmul(M, h[..., None])[..., 0])
        return h, [h, M]


def memory_by_hand(x, W):
    h, M = np.zeros((len(x), W.shape[1])), np.zeros((len(x), W.shape[1], W.shape[1]))
    for t in range(x.shape[1]):
        a = x[:, t] @ W
        M = 0.5 * M + a[:, :, None] * a[:, None, :]
        h = np.tanh(a + (M @ h[..., None])[..., 0])
    return h


@pytest.mark.parametrize("spelling", [tuple, list])
def test_a_state_may_be_a_matrix(spelling, tmp_path):
    class Spelled(Memory):
        def __init__(self, units, **kwargs):
            super().__init__(units, spelling=spelling, **kwargs)

    layer = built(Spelled(UNITS))
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(numbers(layer, x), memory_by_hand(x, layer.get_weights()[0]), 1e-5)
    model = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.RNN(Spelled(UNITS))])
    model.compile("adam", "mse")
    model.fit(x, x[:, 0, :1] + np.zeros((1, UNITS)), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(again.predict(x, verbose=0), model.predict(x, verbose=0), 0)


@pytest.mark.parametrize(("size", "shapes"), [((2, 4), [(2,), (4,)]), ([(2, 4)], [(2, 4)])])
def test_what_a_state_size_means(size, shapes):
    class Many(RNNCell):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.state_size = size
            self.output_size = 3

        def call(self, inputs, states):
            return inputs, [state + 1 for state in states]

    states = Many(1).get_initial_state(batch_size=BATCH)
    assert [tuple(s.shape) for s in states] == [(BATCH, *shape) for shape in shapes]
    x = random(BATCH, STEPS, 3, dtype="float32")
    assert_close(numbers(keras.layers.RNN(Many(1)), x), x[:, -1], 0)


SIZES = [0, [4, -1], [], None, 4.0, "4", [4, (2, 0)], np.int64(4)]
if BACKEND == "tensorflow":
    import tensorflow as tf

    SIZES.append(tf.TensorShape([4]))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_another_state_size_is_one_sentence(size):
    class Odd(Minimal):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.state_size = size

    with pytest.raises(ValueError) as error:
        Odd(4)
    assert "Odd: state_size: expected a positive int, or a list" in one_sentence(error)


def test_names_and_sizes_agree():
    class Two(Minimal):
        state_names = ("h", "c")

        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.state_size = units

    with pytest.raises(ValueError) as error:
        Two(4)
    assert "Two: state_size: expected as many states as state_names has names (h, c); got 4" in (
        one_sentence(error)
    )


class Convolving(RNNCell):
    """Pictures as inputs; the state is flat, as keras.layers.RNN wants the output."""

    def build(self, input_shape):
        self.filter = self.add_weight(name="filter", shape=(3, 3, input_shape[-1], 1))

    def call(self, inputs, states):
        picture = ops.conv(inputs, self.filter, padding="same")
        h = ops.tanh(ops.reshape(picture, (-1, self.units)) + 0.5 * states[0])
        return h, [h]


def test_a_step_may_be_a_picture():
    x = random(BATCH, STEPS, 6, 6, 2, dtype="float32")
    model = keras.Sequential([keras.Input((STEPS, 6, 6, 2)), keras.layers.RNN(Convolving(36))])
    model.compile("adam", "mse")
    model.fit(x, np.zeros((BATCH, 36)), verbose=0)
    assert model.predict(x, verbose=0).shape == (BATCH, 36)
    cell = model.layers[0].cell
    with pytest.raises(ValueError) as error:
        cell(x[:, 0, :5], cell.get_initial_state(batch_size=BATCH))
    assert "inputs: expected shape (batch, 6, 6, 2), as built; got" in one_sentence(error)


# Hooks


class ElementwiseCell(AffineRNNCell):
    """No matrix before h: one number a unit."""

    recurrent_shape = None

    def build(self, input_shape):
        super().build(input_shape)
        self.u = self.add_weight(name="u", shape=(self.units,))

    def call(self, inputs, states):
        h = ops.relu(self.affine(inputs) + self.u * states[0])
        return h, [h]


class ProjectedLSTMCell(LSTMCell):
    """h is narrower than c: U is (narrow, 4 * units)."""

    def __init__(self, units, narrow=2, **kwargs):
        super().__init__(units, **kwargs)
        self.narrow = narrow
        self.state_size, self.output_size = [narrow, self.units], narrow

    @property
    def recurrent_shape(self):
        return (self.narrow, 4 * self.units)

    def build(self, input_shape):
        super().build(input_shape)
        self.projection = self.add_weight(name="projection", shape=(self.units, self.narrow))

    def call(self, inputs, states):
        h, [_, c] = super().call(inputs, states)
        h = ops.matmul(h, self.projection)
        return h, [h, c]


class ReservoirCell(SimpleRNNCell):
    """An initialization of one's own, and weights that are not trained."""

    frozen = ("kernel", "recurrent_kernel")

    def initial_recurrent_kernel(self, shape, dtype=None):
        return 0.5 * super().initial_recurrent_kernel(shape, dtype)

    def initial_kernel(self, shape, dtype=None):
        return ops.ones(shape, dtype)


@pytest.mark.parametrize("cls", [ElementwiseCell, ProjectedLSTMCell, ReservoirCell])
def test_what_a_subclass_may_change_is_public(cls, tmp_path):
    from rnncells.testing import check_cell

    expected = {"every_weight_gets_a_gradient": "two are frozen"} if cls is ReservoirCell else {}
    results = check_cell(cls(4), on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert set(failed) <= set(expected), failed
    again = reloaded(cls(4), tmp_path)
    assert [tuple(w.shape) for w in again.weights] == [
        tuple(w.shape) for w in built(cls(4)).weights
    ]


def test_frozen_weights_stay_and_the_others_move():
    model = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.RNN(ReservoirCell(4))])
    before = {w.name: ops.convert_to_numpy(w) for w in model.weights}
    U = before["recurrent_kernel"]
    assert np.all(before["kernel"] == 1)
    assert_close(U @ U.T, 0.25 * np.eye(4), 1e-6)
    model.compile("sgd", "mse")
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    model.fit(x, x[:, 0], verbose=0)
    moved = [w.name for w in model.weights if np.any(ops.convert_to_numpy(w) != before[w.name])]
    assert moved == ["bias"] and len(before) == 3


# The complete cells of the docstrings, as they are printed


def documented(cls):
    (program,) = re.findall(r"(?ms)^    class .*?\n\n", inspect.getdoc(cls))
    scope = {"keras": keras, cls.__name__: cls, "__name__": "documented"}
    exec(textwrap.dedent(program), scope)
    return next(v for v in reversed(scope.values()) if isinstance(v, type))


def maximum(x, weights):
    return np.maximum(x.max(axis=1), 0)  # the first state is zeros


def tanh_of_the_affine_map(x, weights):
    W, U, b = weights
    h = np.zeros((len(x), len(U)))
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ W + h @ U + b)
    return h


def decay(x, weights):
    W, b = weights
    return sum(0.9 ** (STEPS - 1 - t) * (x[:, t] @ W + b) for t in range(STEPS))


@pytest.mark.parametrize(
    ("cls", "units", "expected"),
    [
        (RNNCell, FEATURES, maximum),
        (AffineRNNCell, UNITS, tanh_of_the_affine_map),
        (DiagonalRNNCell, UNITS, decay),
    ],
)
def test_the_complete_cells_of_the_docstrings_are_complete(cls, units, expected):
    layer = built(documented(cls)(units))
    layer.set_weights(oracle.random_weights(layer))
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(numbers(layer, x), expected(x, layer.get_weights()), 1e-5)


# Cells inside, arguments more


class Normalised(AffineRNNCell):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.norm = keras.layers.LayerNormalization(dtype=self.dtype_policy)

    def call(self, inputs, states):
        h = ops.tanh(self.norm(self.affine(inputs, states[0])))
        return h, [h]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_an_inner_layer_is_built_and_loaded(policy, tmp_path):
    layer = keras.layers.RNN(Normalised(UNITS, dtype=policy), dtype=policy)
    model = keras.Sequential([keras.Input((STEPS, FEATURES)), layer])
    model.compile("adam", "mse")
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    model.fit(x, np.zeros((BATCH, UNITS)), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(again.predict(x, verbose=0), model.predict(x, verbose=0), 0)


class Wrapping(RNNCell):
    """Builds the cell that it holds without asking whether it is built."""

    def __init__(self, cell, **kwargs):
        super().__init__(cell.units, **kwargs)
        self.cell = cell
        self.state_size = cell.state_size

    def build(self, input_shape):
        self.cell.build(input_shape)

    def call(self, inputs, states):
        return self.cell(inputs, states)


def test_a_cell_in_a_cell_is_built_once(tmp_path):
    cell = Wrapping(SimpleRNNCell(UNITS))
    model = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.RNN(cell)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(again.predict(x, verbose=0), model.predict(x, verbose=0), 0)


def test_build_may_name_its_argument_as_it_likes():
    class Short(Minimal):
        def build(self, shape):
            super().build(shape)

    cell = Short(UNITS)
    cell(random(BATCH, FEATURES, dtype="float32"), cell.get_initial_state(batch_size=BATCH))
    assert tuple(cell.kernel.shape) == (FEATURES, UNITS)


class Attending(AffineRNNCell):
    def call(self, inputs, states, constants=None):
        h = ops.tanh(self.affine(inputs, states[0]) + constants[0])
        return h, [h]


def test_a_call_may_take_more_when_it_is_called_by_hand():
    cell = Attending(UNITS)
    x = random(BATCH, FEATURES, dtype="float32")
    states = cell.get_initial_state(batch_size=BATCH)
    shift = np.ones((1, UNITS), "float32")
    h, _ = cell(x, states, constants=[shift])
    assert_close(ops.convert_to_numpy(h), np.tanh(x @ cell.get_weights()[0] + 1), 1e-6)


def test_what_rnn_does_not_pass_is_one_sentence():
    with pytest.raises(ValueError) as error:
        keras.layers.RNN(Attending(UNITS))(random(BATCH, STEPS, FEATURES, dtype="float32"))
    message = str(error.value)
    assert "Attending: call: expected" in message and "constants" in message


def test_the_linear_cell_has_no_bias():
    with pytest.raises(ValueError) as error:
        LinearRNNCell(4, use_bias=True)
    assert "LinearRNNCell: use_bias: expected False" in one_sentence(error)
    assert LinearRNNCell(4, use_bias=False).get_config()["use_bias"] is False
