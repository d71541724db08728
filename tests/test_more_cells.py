"""The cells that Keras does not have: equal to NumPy, to their limits, and to published numbers.

Runs on every back end: KERAS_BACKEND=jax pytest tests/test_more_cells.py
"""

import inspect
import itertools
import json

import keras
import numpy as np
import oracle
import pytest
from keras import ops
from oracle import BATCH, FEATURES, FINEST, STEPS, TOLERANCE, UNITS, assert_close, random

from rnncells import (
    GRUCell,
    IndRNNCell,
    LayerNormLSTMCell,
    LSTMCell,
    MGUCell,
    PeepholeLSTMCell,
    RNNCell,
    SimpleRNNCell,
    ZoneoutCell,
    reference,
)
from rnncells.testing import parametrize_with_checks

BACKEND = keras.backend.backend()

# Each case: the cell and the reference's two functions.
CASES = {
    "peephole": (PeepholeLSTMCell, reference.peephole_step, reference.peephole_step_back),
    "layer_norm": (LayerNormLSTMCell, reference.layer_norm_step, reference.layer_norm_step_back),
    "mgu": (MGUCell, reference.mgu_step, reference.mgu_step_back),
    "indrnn": (IndRNNCell, reference.indrnn_step, reference.indrnn_step_back),
}
ALL_CELLS = pytest.mark.parametrize("case", CASES)


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def one_sentence(error):
    message = str(error.value)
    assert message.endswith(".") and "\n" not in message
    return message


def mutant(cls, right, wrong):
    """The class from its own source, with a piece of it replaced."""
    *documented, code = inspect.getsource(inspect.getmodule(cls)).split('"""', 4)
    assert code.count(right) == 1
    scope = {"__name__": "mutant"}
    exec('"""'.join([*documented, code.replace(right, wrong)]), scope)
    return scope[cls.__name__]


@pytest.mark.parametrize("dtype", TOLERANCE)
@ALL_CELLS
def test_outputs_states_and_gradients_are_those_of_numpy(case, dtype):
    cls, step, step_back = CASES[case]
    # A norm divides by a row's spread and magnifies rounding: by twelve with the first weights.
    seed = 10 if case == "layer_norm" else 1
    cell = cls(UNITS, dtype=dtype)
    oracle.assert_matches_reference(cell, step, step_back, TOLERANCE[dtype], seed)


@pytest.mark.parametrize(
    ("case", "right", "wrong"),
    [
        ("peephole", "sigma(o + p_o * c)", "sigma(o + p_o * states[1])"),
        ("peephole", "p_i, p_f, p_o) =", "p_f, p_i, p_o) ="),
        ("layer_norm", "self.norm(c, self.state_gain, self.state_bias)", "c"),
        ("layer_norm", "return h, [h, c]", "return h, [h, self.norm(c, self.state_gain)]"),
        (
            "layer_norm",
            "return self.norm(from_x, self.kernel_gain) + from_h",
            "return from_x + from_h",
        ),
        ("mgu", "self.from_state(f * h, 1)", "self.from_state(h, 1)"),
        ("mgu", "(1 - f) * h + f * g", "f * h + (1 - f) * g"),
        ("indrnn", "self.recurrent_kernel * h", "self.recurrent_kernel * ops.flip(h, -1)"),
        (
            "indrnn",
            "self.activation(self.affine(inputs) +",
            "(self.activation(self.affine(inputs)) +",
        ),
    ],
)
def test_wrong_mathematics_is_caught(case, right, wrong):
    cls, step, step_back = CASES[case]
    cell = mutant(cls, right, wrong)(UNITS, dtype=FINEST)
    with pytest.raises(AssertionError):
        oracle.assert_matches_reference(cell, step, step_back, 1e-3)


# Where what remains is a cell of Keras


def assert_same(ours, theirs, weights, tolerance=1e-6, **call):
    """Two cells in a layer, theirs with its weights, ours with what the function makes of them."""
    ours, theirs = (oracle.built_rnn(cell) for cell in (ours, theirs))
    ours.set_weights(weights(*theirs.get_weights()))
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    for a, b in zip(ours(x, **call), theirs(x, **call), strict=True):
        assert_close(numbers(a), numbers(b), tolerance)


@pytest.mark.parametrize("training", [False, True])
def test_without_peepholes_the_peephole_lstm_is_keras_lstm(training):
    options = {"dropout": 0.5, "seed": 1, "activation": "relu"}
    ours, theirs = PeepholeLSTMCell(UNITS, **options), keras.layers.LSTMCell(UNITS, **options)
    zeros = np.zeros((3, UNITS))
    assert_same(ours, theirs, lambda *weights: [*weights, zeros], training=training)


def test_a_peephole_lstm_begins_as_an_lstm():
    cell = PeepholeLSTMCell(UNITS)
    cell.build((None, FEATURES))
    assert not np.any(numbers(cell.peepholes))
    assert_close(numbers(cell.bias)[UNITS : 2 * UNITS], np.ones(UNITS), 0)


def test_the_minimal_gated_unit_is_a_gru_with_tied_weights():
    def tied(p):
        z, r, g = np.split(p, 3, axis=-1)
        return np.concatenate([r, g], axis=-1)

    theirs = keras.layers.GRUCell(UNITS, reset_after=False)
    layer = oracle.built_rnn(theirs)
    blocks = [np.split(p, 3, axis=-1) for p in layer.get_weights()]
    layer.set_weights([np.concatenate([-r, r, g], axis=-1) for _, r, g in blocks])
    ours = oracle.built_rnn(MGUCell(UNITS))
    ours.set_weights([tied(p) for p in layer.get_weights()])
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(numbers(ours(x)[0]), numbers(layer(x)[0]), 1e-6)


def test_indrnn_is_a_simple_rnn_with_a_diagonal_matrix():
    ours, theirs = IndRNNCell(UNITS), keras.layers.SimpleRNNCell(UNITS, activation="relu")
    theirs = oracle.built_rnn(theirs)
    W, U, b = theirs.get_weights()
    theirs.set_weights([W, np.diag(np.diag(U)), b])
    ours = oracle.built_rnn(ours)
    ours.set_weights([W, np.diag(U), b])
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(numbers(ours(x)[0]), numbers(theirs(x)[0]), 1e-6)


# The numbers that TensorFlow Addons' own tests expect


def with_weights(cell, features, make):
    cell.build((None, features))
    cell.set_weights([make(w.shape, w.name) for w in cell.weights])
    return cell


def test_the_peephole_lstm_gives_tensorflow_addons_numbers():
    def make(shape, name):
        if name == "bias":
            return np.repeat([0.0, 1.0, 0.0, 0.0], 5)
        return np.ones(shape) if name in ("kernel", "peepholes") else random(*shape)

    cell = with_weights(PeepholeLSTMCell(5), 4, make)
    x = np.eye(4, k=1, dtype="float32")  # one-hot of 1, 2, 3, and zeros
    h, _ = cell(x, cell.get_initial_state(batch_size=4))
    assert_close(numbers(h), np.repeat([[0.417551]] * 3 + [[0.0]], 5, axis=1), 1e-6)


def test_the_layer_normalized_lstm_gives_tensorflow_addons_numbers():
    def make(shape, name):
        return np.full(shape, 1.0 if "gain" in name else 0.0 if "state" in name else 0.5)

    cell = with_weights(LayerNormLSTMCell(2, epsilon=1e-12), 2, make)
    h, c = (np.array([state], "float32") for state in ([0.2, 0.3], [0.0, 0.1]))
    h, (_, c) = cell(np.ones((1, 2), "float32"), [h, c])
    assert_close(numbers(h), [[-0.47406167, 0.47406143]], 1e-5)
    normalized = cell.norm(c, cell.state_gain)  # which is the state there
    assert_close(numbers(normalized), [[-1.0, 1.0]], 1e-5)


# Options


@pytest.mark.parametrize("cls", [PeepholeLSTMCell, LayerNormLSTMCell, MGUCell, IndRNNCell])
@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}], ids=str)
def test_dropout_is_on_in_training_alone(cls, rates):
    layer, plain = oracle.built_rnn(cls(UNITS, seed=1, **rates)), oracle.built_rnn(cls(UNITS))
    plain.set_weights(layer.get_weights()[: len(plain.get_weights())])
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    assert_close(numbers(layer(x)[0]), numbers(plain(x)[0]), 0)
    assert np.any(numbers(layer(x, training=True)[0]) != numbers(plain(x)[0]))


@pytest.mark.parametrize(("bound", "largest"), [(None, 1), (0.25, 0.25), (2 ** (1 / 28), 1.03)])
def test_indrnn_begins_with_memories_of_all_lengths(bound, largest):
    cell = IndRNNCell(400, bound=bound)
    cell.build((None, 1))
    u = numbers(cell.recurrent_kernel)
    assert u.shape == (400,) and 0 <= u.min() < 0.02 * largest
    assert 0.98 * largest * (0.99 if bound else 1) < u.max() <= largest


@pytest.mark.parametrize("bound", [None, 1.0])
def test_indrnns_bound_holds_after_a_step_of_training(bound, tmp_path):
    cell = IndRNNCell(4, bound=bound)
    model = keras.Sequential([keras.Input((STEPS, 2)), keras.layers.RNN(cell)])
    cell.recurrent_kernel.assign([0.5, 1.0, -1.0, 0.0])
    model.compile(keras.optimizers.SGD(100.0), "mse")
    x = np.abs(random(BATCH, STEPS, 2, dtype="float32"))
    model.fit(x, np.full((BATCH, 4), -50.0, "float32"), verbose=0)
    assert (np.abs(numbers(cell.recurrent_kernel)).max() > 1) == (bound is None)
    again = IndRNNCell.from_config(json.loads(json.dumps(cell.get_config())))
    again.build((None, 2))
    clipped = [0.5, 1.0 if bound else 3.0]
    assert (again.recurrent_kernel.constraint is None) == (bound is None)
    if bound:
        assert_close(numbers(again.recurrent_kernel.constraint(np.array([0.5, 3.0]))), clipped, 0)


def test_without_a_bias_the_layer_normalized_lstm_has_none():
    cell = LayerNormLSTMCell(UNITS, use_bias=False)
    cell.build((None, FEATURES))
    assert [w.name for w in cell.weights if "bias" in w.name] == []
    assert numbers(cell(random(2, FEATURES), [random(2, UNITS)] * 2)[0]).shape == (2, UNITS)


@pytest.mark.parametrize(
    ("bound", "options", "said"),
    [
        (0, {}, "expected a positive number or None; got 0"),
        ("one", {}, "expected a positive number or None; got 'one'"),
        (1, {"recurrent_constraint": "non_neg"}, "expected one of it and recurrent_constraint"),
    ],
)
def test_a_bound_that_is_none_is_refused(bound, options, said):
    with pytest.raises(ValueError) as error:
        IndRNNCell(4, bound=bound, **options)
    assert f"IndRNNCell: bound: {said}" in one_sentence(error)


@pytest.mark.parametrize(
    "cell",
    [
        PeepholeLSTMCell(3, peephole_initializer="ones", unit_forget_bias=False),
        LayerNormLSTMCell(3, epsilon=1e-5, use_bias=False, dropout=0.5),
        MGUCell(3, activation=None, recurrent_activation="hard_sigmoid"),
        IndRNNCell(3, activation="tanh", recurrent_initializer="ones", bound=2),
        ZoneoutCell(LSTMCell(3, activation="relu"), (0.25, 0.5), seed=3, name="mine"),
        ZoneoutCell(keras.layers.GRUCell(3, dtype="mixed_bfloat16"), 0.1),
    ],
    ids=lambda cell: cell.name,
)
def test_a_config_makes_the_same_cell(cell):
    config = json.loads(json.dumps(cell.get_config()))
    twin = type(cell).from_config(config)
    assert json.loads(json.dumps(twin.get_config())) == config


# Zoneout


class Counting(RNNCell):
    """Each number of each state goes up by one: what stayed as it was is seen in the outputs."""

    state_names = ("h", "c")

    def call(self, inputs, states):
        h, c = states
        return h + 1, [h + 1, c + 1]


class Climbing(RNNCell):
    """One state, which is the output: it goes up by one."""

    def call(self, inputs, states):
        h = states[0] + 1
        return h, [h]


def zoned(cls=ZoneoutCell, inner=Climbing, rate=0.25, units=32, **options):
    """``RNN(ZoneoutCell)`` that returns all outputs and the final states."""
    cell = cls(inner(units), rate, **options)
    return keras.layers.RNN(cell, return_sequences=True, return_state=True)


def kept(outputs):
    """Where a number of a climbing state stayed as it was: (batch, steps, units)."""
    steps = np.diff(numbers(outputs), axis=1, prepend=0)
    assert set(np.unique(steps)) <= {0, 1}
    return steps == 0


def assert_inference_is_the_expectation(cls, dtype=FINEST, rates=(0.125, 0.5)):
    """Outputs, states and all gradients of an LSTM under zoneout are NumPy's."""
    layer = oracle.built_rnn(cls(LSTMCell(UNITS, dtype=dtype), rates), dtype)
    weights = layer.get_weights()[:3]  # then the random generator's state
    x = random(BATCH, STEPS, FEATURES)
    states = [random(BATCH, UNITS, seed=50 + i) for i in range(2)]
    trained = layer.trainable_variables
    got = run_with_gradients(layer, x, [*states, np.zeros((BATCH, 2))])
    lstm = reference.lstm_step, reference.lstm_step_back
    expected = expected_under(lstm, itertools.repeat(rates), weights, x, states)
    assert len(trained) == 3
    for g, e in zip(got, expected, strict=True):
        assert_close(g, e, TOLERANCE[dtype])


def run_with_gradients(layer, x, states, **inputs):
    """As oracle's, without what speaks of the counter: outputs, states, and their gradients."""
    count = len(states) - 1
    results, gradients = oracle.run_with_gradients(layer, x, states, **inputs)
    return [*results[: 1 + count], *gradients[: 1 + count], *gradients[2 + count :]]


def expected_under(functions, keep, weights, x, states):
    step, step_back = reference.zoneout(*functions, keep)
    results, gradients = oracle.reference_with_gradients(step, step_back, weights, x, states)
    return [*results, *gradients]


def assert_numbers_are_kept_at_random(cls, rate=0.25):
    """In training each number stays with the given probability, anew at each step."""
    layer = zoned(cls, rate=rate, seed=1)
    x = np.zeros((8, 40, 1), "float32")
    stayed = kept(layer(x, training=True)[0])
    assert abs(stayed.mean() - rate) < 0.02  # of 10,240 draws: 4.7 standard deviations
    at_each_step = np.moveaxis(stayed, 1, 0).reshape(40, -1)
    assert len(np.unique(at_each_step, axis=0)) == 40
    assert len(np.unique(stayed.reshape(8, -1), axis=0)) == 8
    again = kept(layer(x, training=True)[0])
    assert np.any(again != stayed)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_zoneout_at_inference_is_the_expectation(dtype):
    assert_inference_is_the_expectation(ZoneoutCell, dtype)


def test_zoneout_in_training_keeps_each_number_with_its_probability():
    assert_numbers_are_kept_at_random(ZoneoutCell)


@pytest.mark.parametrize(
    ("right", "wrong", "seen_by"),
    [
        ("p * o + (1 - p) * n", "(1 - p) * o + p * n", assert_inference_is_the_expectation),
        ("kept if output is state else output", "output", assert_inference_is_the_expectation),
        ("step), o, n)", "step), n, o)", assert_numbers_are_kept_at_random),
        (
            "ops.stack([seed, step])",
            "ops.stack([seed, 0 * step])",
            assert_numbers_are_kept_at_random,
        ),
        ("ops.shape(like)", "ops.shape(like[:1])", assert_numbers_are_kept_at_random),
        ("seed=self.seed_generator)", "seed=1)", assert_numbers_are_kept_at_random),
    ],
)
def test_wrong_zoneout_is_caught(right, wrong, seen_by):
    with pytest.raises(AssertionError):
        seen_by(mutant(ZoneoutCell, right, wrong))


def test_in_training_a_number_is_exactly_the_old_or_the_new_and_gradients_are_numpys():
    """The masks are read off the outputs; with them, NumPy has the same numbers."""
    layer = oracle.built_rnn(ZoneoutCell(SimpleRNNCell(UNITS, dtype=FINEST), 0.5, seed=1), FINEST)
    x, states = random(BATCH, STEPS, FEATURES), [random(BATCH, UNITS, seed=50)]
    got = run_with_gradients(layer, x, [*states, np.zeros((BATCH, 2))], training=True)
    first = np.asarray(states[0], FINEST)[:, np.newaxis]
    masks = got[0] == np.concatenate([first, got[0][:, :-1]], axis=1)
    assert 0.2 < masks.mean() < 0.8
    simple = reference.simple_step, reference.simple_step_back
    keep = ([mask] for mask in np.moveaxis(masks, 1, 0))
    expected = expected_under(simple, keep, layer.get_weights()[:3], x, states)
    for g, e in zip(got, expected, strict=True):
        assert_close(g, e, TOLERANCE[FINEST])


@pytest.mark.parametrize("inner", [LSTMCell, GRUCell, keras.layers.LSTMCell, keras.layers.GRUCell])
@pytest.mark.parametrize("training", [False, True])
def test_a_rate_of_zero_is_the_inner_cell(inner, training):
    plain = oracle.built_rnn(inner(UNITS))
    layer = oracle.built_rnn(ZoneoutCell(inner(UNITS), 0.0))
    for ours, theirs in zip(layer.trainable_variables, plain.trainable_variables, strict=True):
        ours.assign(theirs)
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    *got, steps = layer(x, training=training)
    for a, b in zip(got, plain(x, training=training), strict=True):
        assert_close(numbers(a), numbers(b), 0)
    assert_close(numbers(steps), np.tile([[STEPS, 0.0]], (BATCH, 1)), 0)


@pytest.mark.parametrize("inner", [LSTMCell, keras.layers.LSTMCell, keras.layers.GRUCell])
def test_the_output_is_the_state_after_zoneout(inner):
    layer = oracle.built_rnn(ZoneoutCell(inner(UNITS), 0.5))
    x = random(BATCH, STEPS, FEATURES, dtype="float32")
    for training in (False, True):
        outputs, h, *_ = layer(x, training=training)
        assert_close(numbers(outputs[:, -1]), numbers(h), 0)


def test_each_state_has_its_own_rate_and_its_own_draws():
    layer = zoned(inner=Counting, rate=(0.0, 0.5), units=200, seed=2)
    _, h, c, _ = layer(np.zeros((2, 8, 1), "float32"), training=True)
    assert_close(numbers(h), np.full((2, 200), 8.0), 0)
    assert 3.5 < numbers(c).mean() < 4.5
    layer = zoned(inner=Counting, rate=0.5, units=200, seed=2)
    _, h, c, _ = layer(np.zeros((2, 1, 1), "float32"), training=True)
    assert 0.3 < np.mean(numbers(h) == numbers(c)) < 0.7


def test_the_same_seed_draws_the_same():
    x = np.zeros((2, 5, 1), "float32")
    runs = [[kept(zoned(seed=seed)(x, training=True)[0])] for seed in (1, 1, 2)]
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])


def test_under_a_mask_other_rows_draw_anew_at_each_step():
    """A counter that a padded row holds still would give all others the same draw again."""
    mask = np.arange(8) < np.array([[1], [8], [8]])
    outputs, h, _ = zoned(seed=1)(
        np.zeros((3, 8, 1), "float32"), mask=ops.convert_to_tensor(mask), training=True
    )
    stayed = kept(outputs)
    assert np.all(stayed[0, 1:])
    assert len(np.unique(stayed[1], axis=0)) == 8
    assert_close(numbers(h)[0], numbers(outputs)[0, 0], 0)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_steps_are_counted_beyond_what_half_precision_can_count(dtype):
    cell = ZoneoutCell(Climbing(1, dtype=dtype), 0.5)
    states = [ops.cast(s, cell.compute_dtype) for s in (np.zeros((1, 1)), np.array([[254, 3]]))]
    counted = []
    for _ in range(3):
        _, states = cell(np.zeros((1, 1)), states)
        counted.append(numbers(states[1])[0].tolist())
    assert counted == [[255, 3], [0, 4], [1, 4]]


def test_zoneout_in_fit_stacked_both_ways_stateful_and_saved(tmp_path):
    def layer(cell, **options):
        return keras.layers.RNN(cell, return_sequences=True, **options)

    both = keras.layers.Bidirectional(
        layer([ZoneoutCell(LSTMCell(4, dropout=0.5), 0.5), ZoneoutCell(GRUCell(4), 0.25, seed=2)])
    )
    last = layer(ZoneoutCell(keras.layers.GRUCell(4), 0.5), stateful=True)
    inputs = keras.Input(batch_shape=(4, STEPS, FEATURES))
    model = keras.Model(inputs, last(both(inputs)))
    model.compile("sgd", "mse")
    before = model.get_weights()
    x = random(8, STEPS, FEATURES, dtype="float32")
    model.fit(x, x, batch_size=4, epochs=2, verbose=0)
    moved = [np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(moved)  # and the generators among them
    last.reset_state()
    expected = model.predict(x[:4], batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(again.predict(x[:4], batch_size=4, verbose=0), expected, 1e-6)
    assert type(again.layers[-1].cell.cell) is keras.layers.GRUCell
    assert last.cell._seeds is None  # nothing of a compiled step is kept


def test_the_same_seed_trains_to_the_same_weights():
    def trained(seed):
        keras.utils.set_random_seed(0)
        cell = ZoneoutCell(SimpleRNNCell(4), 0.5, seed=seed)
        model = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.RNN(cell)])
        model.compile("sgd", "mse")
        x = random(BATCH, STEPS, FEATURES, dtype="float32")
        model.fit(x, x[:, 0], verbose=0, shuffle=False)
        return model.get_weights()[:3]

    first, second, other = (trained(seed) for seed in (1, 1, 2))
    for a, b in zip(first, second, strict=True):
        assert_close(a, b, 0)
    assert any(np.any(a != b) for a, b in zip(first, other, strict=True))


def test_the_inner_cells_masks_are_one_for_all_steps():
    class Echo(SimpleRNNCell):
        def call(self, inputs, states):
            h = self.drop_inputs(inputs) + 0 * states[0]
            return h, [h]

    cell = ZoneoutCell(Echo(32, dropout=0.5), 0.0)
    layer = keras.layers.RNN(cell, return_sequences=True)
    outputs = numbers(layer(np.ones((2, STEPS, 32), "float32"), training=True))
    assert set(np.unique(outputs)) == {0, 2} and np.all(outputs == outputs[:, :1])


def test_the_inner_cell_is_told_whether_it_is_trained():
    class Told(RNNCell):
        def call(self, inputs, states, training=False):
            h = states[0] + (1 if training else 2)
            return h, [h]

    for training, expected in ((True, 1.0), (False, 2.0)):
        outputs, *_ = zoned(inner=Told, rate=0.0)(np.zeros((1, 1, 1)), training=training)
        assert np.all(numbers(outputs) == expected)


def test_the_inner_cells_first_states_are_kept():
    class FromOne(Climbing):
        def get_initial_state(self, batch_size=None):
            return [ops.ones((batch_size, self.units))]

    states = ZoneoutCell(FromOne(3), 0.5).get_initial_state(batch_size=2)
    assert_close(numbers(states[0]), np.ones((2, 3)), 0)
    assert_close(numbers(states[1]), np.zeros((2, 2)), 0)


def test_a_cell_that_is_called_by_hand_draws_each_time():
    cell = ZoneoutCell(Climbing(200), 0.5, seed=1)
    states = cell.get_initial_state(batch_size=1)
    drawn = [numbers(cell(np.zeros((1, 1)), states, training=True)[0]) for _ in range(2)]
    assert np.any(drawn[0] != drawn[1]) and 0.3 < drawn[0].mean() < 0.7


def test_a_cell_of_another_dtype_is_made_from_the_configuration():
    config = ZoneoutCell(LSTMCell(4), 0.5).get_config()
    cell = ZoneoutCell.from_config({**config, "dtype": "mixed_bfloat16"})
    assert cell.cell.compute_dtype == cell.compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("cell", "rate", "options", "said"),
    [
        (lambda: keras.layers.LSTM(4), 0.1, {}, "cell: expected one Keras cell, as in Zoneout"),
        (lambda: keras.layers.Dense(4), 0.1, {}, "cell: expected one Keras cell, as in Zoneout"),
        (lambda: 4, 0.1, {}, "cell: expected one Keras cell, as in Zoneout"),
        (lambda: LSTMCell(4), 1.0, {}, "rate: expected a number of at least 0 and below 1, or 2"),
        (lambda: LSTMCell(4), (0.1,), {}, "rate: expected a number of at least 0 and below 1"),
        (lambda: GRUCell(4), (0.1, 0.2), {}, "rate: expected a number of at least 0 and below"),
        (lambda: GRUCell(4), "half", {}, "rate: expected a number of at least 0 and below 1"),
        (
            lambda: GRUCell(4),
            0.1,
            {"dtype": "float64"},
            "dtype: expected the inner cell's, float32; got float64",
        ),
    ],
)
def test_what_cannot_be_zoned_out_is_one_sentence(cell, rate, options, said):
    with pytest.raises(ValueError) as error:
        ZoneoutCell(cell(), rate, **options)
    assert f"ZoneoutCell: {said}" in one_sentence(error)


# Everything that RNN, a training and a file ask of a cell

UNREAD = {"every_state_matters": "the count of steps is read in training alone"}


@parametrize_with_checks(
    [
        PeepholeLSTMCell(4),
        LayerNormLSTMCell(8),  # four numbers can lie so close that bfloat16 cannot part them
        MGUCell(4),
        IndRNNCell(4, bound=1),
        ZoneoutCell(LSTMCell(4), (0.05, 0.5)),
    ],
    lambda cell: UNREAD if isinstance(cell, ZoneoutCell) else {},
)
def test_the_kit_passes(cell, check):
    check(cell)
