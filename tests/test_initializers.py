"""The initializers of gates: what they draw, what they refuse, and that a file keeps them."""

import keras
import numpy as np
import pytest

import rnncells
from rnncells.initializers import Chrono, Keep, UniformGates

UNITS = 1000
MADE = {
    "Keep": lambda **options: Keep(28, **options),
    "Chrono": lambda **options: Chrono(196, **options),
    "UniformGates": UniformGates,
}


def drawn(initializer, shape):
    return keras.ops.convert_to_numpy(initializer(shape))


def steps_kept(bias):
    """A gate of n / (n + 1) keeps for n steps."""
    gate = 1 / (1 + np.exp(-bias.astype("float64")))
    return gate / (1 - gate)


@pytest.mark.parametrize(
    ("initializer", "longest"), [(Keep(28, seed=1), 28), (Chrono(196, seed=1), 195)]
)
def test_the_times_of_keeping_are_spread_evenly(initializer, longest):
    _, f, g, o = drawn(initializer, (4 * UNITS,)).reshape(4, UNITS)
    steps = np.sort(steps_kept(f))
    evenly = np.linspace(1, longest, UNITS)
    assert np.abs(steps - evenly).max() < 0.06 * longest  # Kolmogorov-Smirnov, 1 in 1000: 0.062
    assert not g.any() and not o.any()


def test_uniform_gates_are_spread_evenly_between_closed_and_open():
    i, f, g, o = drawn(UniformGates(seed=1), (4 * UNITS,)).reshape(4, UNITS)
    gate = 1 / (1 + np.exp(-f))
    assert np.abs(np.sort(gate) - np.linspace(0, 1, UNITS)).max() < 0.06
    assert 1 / UNITS <= gate.min() and gate.max() <= 1 - 1 / UNITS
    np.testing.assert_allclose(i, -f)
    assert not g.any() and not o.any()


@pytest.mark.parametrize(("name", "closes"), [("Keep", 0), ("Chrono", -1), ("UniformGates", -1)])
def test_the_input_gate_closes_as_far_as_the_forget_gate_opens_or_is_left_alone(name, closes):
    i, f, *_ = drawn(MADE[name](seed=1), (4 * UNITS,)).reshape(4, UNITS)
    np.testing.assert_array_equal(i, closes * f)
    assert f.any()


@pytest.mark.parametrize("name", MADE)
def test_the_blocks_say_which_gate_keeps(name):
    one = drawn(MADE[name](seed=1), (4 * UNITS,))[UNITS : 2 * UNITS]
    for blocks, shape in [("zrg", (3 * UNITS,)), ("zrg", (2, 3 * UNITS)), ("zg", (2 * UNITS,))]:
        bias = drawn(MADE[name](blocks=blocks, seed=1), shape)
        np.testing.assert_array_equal(np.ravel(bias)[:UNITS], one)
        assert not np.ravel(bias)[UNITS:].any()


@pytest.mark.parametrize("name", MADE)
def test_a_seed_draws_the_same_numbers_and_none_follows_the_global_seed(name):
    def unseeded():
        keras.utils.set_random_seed(3)
        return drawn(MADE[name](), (40,)), drawn(MADE[name](), (40,))

    first, second = unseeded()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(unseeded(), (first, second))
    seeded = MADE[name](seed=7)
    np.testing.assert_array_equal(drawn(seeded, (40,)), drawn(MADE[name](seed=7), (40,)))
    np.testing.assert_array_equal(drawn(seeded, (40,)), drawn(seeded, (40,)))


CELLS = {
    "LSTMCell": ({"unit_forget_bias": False}, "ifgo"),
    "GRUCell": ({}, "zrg"),
    "MinGRUCell": ({}, "zg"),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_takes_it_and_a_file_keeps_it(name, cell, tmp_path):
    options, blocks = CELLS[cell]
    initializer = MADE[name](blocks=blocks, seed=1)
    made = getattr(rnncells, cell)(4, bias_initializer=initializer, **options)
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.RNN(made)])
    np.testing.assert_array_equal(made.bias, drawn(initializer, made.bias.shape))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[0].cell
    np.testing.assert_array_equal(loaded.bias, made.bias)
    again = loaded.bias_initializer
    assert type(again) is type(initializer) and again.get_config() == initializer.get_config()


def test_keras_cells_take_it_as_well():
    initializer = Chrono(196, seed=1)
    keras_cell = keras.layers.LSTMCell(4, bias_initializer=initializer, unit_forget_bias=False)
    keras_cell.build((None, 3))
    np.testing.assert_array_equal(keras_cell.bias, drawn(initializer, (16,)))


@pytest.mark.parametrize("shape", [(30,), (3, 16), (1, 2, 16), ()])
def test_a_shape_that_has_no_such_blocks_is_refused_in_one_sentence(shape):
    with pytest.raises(ValueError, match=r"^Keep: shape: expected \(4 \* units,\).*got .*: name"):
        Keep(28)(shape)


def test_the_forget_bias_of_one_does_not_overwrite_it_in_silence():
    cell = rnncells.LSTMCell(4, bias_initializer=Chrono(196))
    with pytest.raises(ValueError, match="^LSTMCell: unit_forget_bias: expected False"):
        cell.build((None, 3))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Keep(1), "Keep: steps: expected a number above 1; got 1."),
        (lambda: Chrono(2), "Chrono: length: expected an int above 2, the number of steps; got 2."),
        (lambda: Chrono(196.5), "Chrono: length: .*; got 196.5."),
        (lambda: Keep(28, blocks="igo"), "Keep: blocks: expected letters with f or z .*'igo'."),
        (lambda: Keep(28, blocks=4), "Keep: blocks: expected letters .*; got 4."),
        (lambda: UniformGates()((8,)), "UniformGates: shape: expected at least 3 units.*; got 2."),
    ],
)
def test_a_wrong_argument_gets_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        make()
