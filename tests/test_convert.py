"""Conversion: other libraries' weights give other libraries' numbers, and come back as they were.

PyTorch's layers are here twice: as NumPy equations from its documentation, and as they are where
it is installed. TensorFlow 1's are what its own cells computed, in tf_keras 2.21.
"""

import keras
import numpy as np
import oracle
import pytest
from keras import ops

from rnncells import GRUCell, LinearRNNCell, LSTMCell, MinGRUCell, SimpleRNNCell
from rnncells.convert import (
    from_keras,
    from_tensorflow1,
    from_torch,
    pytorch,
    tensorflow1,
    to_keras,
    to_tensorflow1,
    to_torch,
)

BATCH, STEPS, FEATURES, UNITS = 2, 3, 4, 5
TOLERANCE = 1e-6
X = oracle.random(BATCH, STEPS, FEATURES, dtype="float32")

MODES = {
    "tanh": lambda n, **o: SimpleRNNCell(n, **o),
    "relu": lambda n, **o: SimpleRNNCell(n, activation="relu", **o),
    "LSTM": lambda n, **o: LSTMCell(n, **o),
    "GRU": lambda n, **o: GRUCell(n, **o),
}
KERAS = {
    "tanh": keras.layers.SimpleRNN,
    "relu": lambda n, **o: keras.layers.SimpleRNN(n, activation="relu", **o),
    "LSTM": keras.layers.LSTM,
    "GRU": keras.layers.GRU,
}
GATES = {"tanh": 1, "relu": 1, "LSTM": 4, "GRU": 3}
# Levels, both directions, biases.
FORMS = [(1, False, True), (1, False, False), (3, False, True), (1, True, True), (2, True, True)]

ALL_MODES = pytest.mark.parametrize("mode", MODES)
ALL_FORMS = pytest.mark.parametrize("form", FORMS, ids=str)


def rnn(cell):
    return keras.layers.RNN(cell, return_sequences=True)


def our_layer(mode, form, units=UNITS):
    """A stack in one direction is one layer; in both, a list of them."""
    levels, both, use_bias = form
    cells = [MODES[mode](units, use_bias=use_bias) for _ in range(levels)]
    if not both:
        return rnn(cells if levels > 1 else cells[0])
    return [keras.layers.Bidirectional(rnn(cell)) for cell in cells]


def run(layers, x=X):
    for layer in layers if isinstance(layers, list) else [layers]:
        x = layer(x)
    return ops.convert_to_numpy(x)


def built(layer, features=FEATURES):
    """Built, with random biases: zeros hide mistakes."""
    layer.build((BATCH, features) if not hasattr(layer, "cell") else (BATCH, STEPS, features))
    layer.set_weights(oracle.random_weights(layer))
    return layer


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        oracle.assert_close(got[name], array, TOLERANCE)


def assert_sentence(call, *parts):
    with pytest.raises(ValueError) as caught:
        call()
    said = str(caught.value)
    assert said.startswith("convert: ") and said.endswith(".") and "\n" not in said
    for part in ("expected", "; got ", *parts):
        assert part in said, said


# PyTorch. Its equations, from the documentation of torch.nn.RNN, LSTM and GRU (2.13):
#     h' = act(W_ih x + b_ih + W_hh h + b_hh)
#     i, f, g, o = W_ih x + b_ih + W_hh h + b_hh;  c' = s(f) c + s(i) tanh(g);  h' = s(o) tanh(c')
#     r, z = s(W_i x + b_i + W_h h + b_h);  n = tanh(W_in x + b_in + r (W_hn h + b_hn))
#     h' = (1 - z) n + z h


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def torch_step(mode, from_x, from_h, h, c):
    if mode == "LSTM":
        i, f, g, o = np.split(from_x + from_h, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    if mode == "GRU":
        (xr, xz, xn), (hr, hz, hn) = (np.split(a, 3, axis=-1) for a in (from_x, from_h))
        r, z = sigmoid(xr + hr), sigmoid(xz + hz)
        n = np.tanh(xn + r * hn)
        return (1 - z) * n + z * h, c
    a = from_x + from_h
    return (np.tanh(a) if mode == "tanh" else np.maximum(a, 0)), c


def torch_direction(mode, state_dict, end, x):
    W, U = (state_dict[f"weight_{kind}{end}"] for kind in ("ih", "hh"))
    b, d = (state_dict.get(f"bias_{kind}{end}", 0) for kind in ("ih", "hh"))
    h = c = np.zeros((len(x), U.shape[1]))
    outputs = []
    for t in range(x.shape[1]):
        h, c = torch_step(mode, x[:, t] @ W.T + b, h @ U.T + d, h, c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def torch_layer(mode, state_dict, x=X):
    for level in range(10):
        if f"weight_ih_l{level}" not in state_dict:
            return x
        outputs = [torch_direction(mode, state_dict, f"_l{level}", x)]
        if f"weight_ih_l{level}_reverse" in state_dict:
            back = torch_direction(mode, state_dict, f"_l{level}_reverse", x[:, ::-1])
            outputs.append(back[:, ::-1])
        x = np.concatenate(outputs, axis=-1)


def state_dict_of(mode, form):
    (levels, both, bias), rows, found = form, GATES[mode] * UNITS, {}
    for level in range(levels):
        features = FEATURES if level == 0 else UNITS * (1 + both)
        for end in [f"_l{level}", f"_l{level}_reverse"][: 1 + both]:
            found |= {f"weight_ih{end}": (rows, features), f"weight_hh{end}": (rows, UNITS)}
            found |= {f"bias_{kind}{end}": (rows,) for kind in ("ih", "hh")} if bias else {}
    seeds = enumerate(found.items())
    return {name: 0.4 * oracle.random(*shape, seed=k) for k, (name, shape) in seeds}


@ALL_MODES
@ALL_FORMS
def test_pytorchs_weights_give_pytorchs_numbers(mode, form):
    state_dict = state_dict_of(mode, form)
    layer = our_layer(mode, form)
    from_torch(state_dict, layer)
    oracle.assert_close(run(layer), torch_layer(mode, state_dict), TOLERANCE)


@ALL_MODES
@ALL_FORMS
def test_pytorch_computes_our_numbers_with_our_weights(mode, form):
    layer = our_layer(mode, form)
    run(layer)
    for part in layer if isinstance(layer, list) else [layer]:
        part.set_weights(oracle.random_weights(part))
    state_dict = to_torch(layer)
    assert {n: a.shape for n, a in state_dict.items()} == {
        n: a.shape for n, a in state_dict_of(mode, form).items()
    }
    oracle.assert_close(torch_layer(mode, state_dict), run(layer), TOLERANCE)


@ALL_MODES
@pytest.mark.parametrize("form", [FORMS[0], FORMS[-1]], ids=str)
def test_pytorchs_own_layers(mode, form):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-backends)")
    levels, both, bias = form
    options = {"num_layers": levels, "bidirectional": both, "bias": bias, "batch_first": True}
    if mode in ("tanh", "relu"):
        theirs = torch.nn.RNN(FEATURES, UNITS, nonlinearity=mode, **options)
    else:
        theirs = getattr(torch.nn, mode)(FEATURES, UNITS, **options)

    def outputs():
        with torch.no_grad():
            return theirs(torch.tensor(X))[0].cpu().numpy()

    ours = our_layer(mode, form)
    from_torch(theirs.state_dict(), ours)
    oracle.assert_close(run(ours), outputs(), TOLERANCE)
    oracle.assert_close(torch_layer(mode, to_torch(ours)), outputs(), TOLERANCE)

    for part in ours if isinstance(ours, list) else [ours]:
        part.set_weights(oracle.random_weights(part))
    theirs.load_state_dict({n: torch.tensor(a) for n, a in to_torch(ours).items()}, strict=True)
    oracle.assert_close(outputs(), run(ours), TOLERANCE)


def test_where_we_have_one_bias_the_second_is_zeros():
    lstm, gru = (to_torch(built(rnn(cell))) for cell in (LSTMCell(UNITS), GRUCell(UNITS)))
    assert not lstm["bias_hh_l0"].any() and lstm["bias_ih_l0"].any()
    assert gru["bias_hh_l0"].any() and gru["bias_ih_l0"].any()


@pytest.mark.parametrize("mode", ["tanh", "LSTM", "GRU"])
def test_keras_own_layers_and_bare_cells_take_them_too(mode):
    state_dict = state_dict_of(mode, FORMS[0])
    layer, cell = KERAS[mode](UNITS, return_sequences=True), MODES[mode](UNITS)
    from_torch(state_dict, layer)
    from_torch(state_dict, cell)
    oracle.assert_close(run(layer), torch_layer(mode, state_dict), TOLERANCE)
    oracle.assert_close(run(rnn(cell)), torch_layer(mode, state_dict), TOLERANCE)
    assert_same(to_torch(layer), to_torch(cell))


def without(*names, **more):
    arrays = {n: a for n, a in state_dict_of("LSTM", FORMS[0]).items() if n not in names}
    return arrays | more


class Coupled(LSTMCell):
    """A subclass with an LSTM's weights, and another equation."""

    def call(self, inputs, states):
        h, c = states
        i, _, g, o = ops.split(self.affine(inputs, h), 4, axis=-1)
        c = (1 - ops.sigmoid(i)) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class WithMore(LSTMCell):
    """A subclass with an LSTM's equation, and another weight."""

    def build(self, input_shape):
        super().build(input_shape)
        self.start = self.add_weight(name="start", shape=(self.units,))


PROJECTED = {"weight_hr_l0": np.zeros((2, UNITS))}
WRONG_FOR_TORCH = {
    "a key is missing": (without("weight_hh_l0"), LSTMCell(5), ["no weight_hh_l0:"]),
    "no bias": (without("bias_ih_l0", "bias_hh_l0"), LSTMCell(5), ["no bias_hh_l0, bias_ih_l0"]),
    "a bias": (without(), LSTMCell(5, use_bias=False), ["also bias_hh_l0, bias_ih_l0", "use_bias"]),
    "a projection": (without(**PROJECTED), LSTMCell(5), ["weight_hr_l0", "projection"]),
    "more levels": (state_dict_of("LSTM", FORMS[2]), rnn(LSTMCell(5)), ["weight_ih_l1", "levels"]),
    "directions": (state_dict_of("LSTM", FORMS[3]), rnn(LSTMCell(5)), ["also bias_hh_l0_reverse"]),
    "units": (without(), LSTMCell(6), ["weight_ih_l0: expected shape (24, features)", "(20, 4)"]),
    "another cell": (without(), GRUCell(5), ["weight_ih_l0: expected shape (15, features)"]),
    "rank": (without(bias_ih_l0=np.zeros((20, 1))), LSTMCell(5), ["bias_ih_l0", "(20, 1)"]),
    "reset before": (
        state_dict_of("GRU", FORMS[0]),
        GRUCell(5, reset_after=False),
        ["reset_after", "expected True, as in PyTorch; got False"],
    ),
    "activation": (without(), LSTMCell(5, activation="relu"), ["expected tanh", "got relu"]),
    "gates' activation": (
        without(),
        LSTMCell(5, recurrent_activation="hard_sigmoid"),
        ["expected sigmoid", "got hard_sigmoid"],
    ),
    "no nonlinearity": (without(), LinearRNNCell(5), ["expected tanh or relu", "got linear"]),
    "no such cell": (without(), MinGRUCell(5), ["expected a SimpleRNNCell, LSTM", "MinGRUCell"]),
    "no layer": (without(), keras.layers.Dense(5), ["got Dense"]),
    "another equation": (without(), Coupled(5), ["got Coupled"]),
}


@pytest.mark.parametrize("case", WRONG_FOR_TORCH)
def test_what_does_not_fit_pytorch_is_one_sentence(case):
    state_dict, layer, parts = WRONG_FOR_TORCH[case]
    assert_sentence(lambda: from_torch(state_dict, layer), *parts)
    assert not layer.built


def test_a_weight_that_is_made_only_now_is_seen():
    layer = rnn(WithMore(5))
    assert_sentence(lambda: from_torch(without(), layer), "no weights but kernel", "got start")
    assert not layer.cell.bias.numpy()[:5].any()


def test_an_empty_list_is_one_sentence():
    assert_sentence(lambda: to_torch([]), "an empty list")


def test_features_are_compared_and_nothing_changes():
    layer = built(keras.layers.RNN(LSTMCell(UNITS)), features=7)
    before = layer.get_weights()
    parts = ["expected weights for 7 features", "got 4"]
    assert_sentence(lambda: from_torch(state_dict_of("LSTM", FORMS[0]), layer), *parts)
    for weight, old in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def stacks_of_both_directions():
    cells = [LSTMCell(UNITS), LSTMCell(UNITS)]
    return keras.layers.Bidirectional(keras.layers.RNN(cells, return_sequences=True))


NOT_PYTORCHS = {
    "two kinds": (rnn([LSTMCell(5), GRUCell(5)]), ["expected LSTM, as at level 0; got GRU"]),
    "two widths": (rnn([LSTMCell(5), LSTMCell(6)]), ["units", "expected 5, as at level 0; got 6"]),
    "two activations": (
        rnn([SimpleRNNCell(5), SimpleRNNCell(5, activation="relu")]),
        ["expected tanh, as at level 0; got relu"],
    ),
    "levels that read one direction": (
        stacks_of_both_directions(),
        ["expected 10, all outputs of level 0; got 5", "a list of layers"],
    ),
    "one way below, both above": (
        [rnn(LSTMCell(5)), keras.layers.Bidirectional(rnn(LSTMCell(5)))],
        ["as many directions", "got 3 cells"],
    ),
    "another activation": (rnn(SimpleRNNCell(5, activation="sigmoid")), ["got sigmoid"]),
    "reset before": (rnn(GRUCell(5, reset_after=False)), ["reset_after", "got False"]),
    "another weight": (rnn(WithMore(5)), ["no weights but kernel", "got start"]),
}


@pytest.mark.parametrize("case", NOT_PYTORCHS)
def test_what_pytorch_does_not_have_is_one_sentence(case):
    layer, parts = NOT_PYTORCHS[case]
    run(layer)
    assert_sentence(lambda: to_torch(layer), *parts)


def test_a_layer_without_weights_is_one_sentence():
    for call in (to_torch, lambda layer: to_keras(layer, keras.layers.LSTM(UNITS))):
        assert_sentence(lambda call=call: call(rnn(LSTMCell(UNITS))), "has none yet", "call it")


# Keras. The layout is ours.


def keras_cells(mode, levels):
    cell = {"LSTM": keras.layers.LSTMCell, "GRU": keras.layers.GRUCell}[mode]
    return [cell(UNITS) for _ in range(levels)]


PAIRS = {
    "simple": lambda: (keras.layers.SimpleRNN(UNITS), rnn(SimpleRNNCell(UNITS))),
    "linear": lambda: (
        keras.layers.SimpleRNN(UNITS, activation=None, use_bias=False),
        rnn(LinearRNNCell(UNITS)),
    ),
    "lstm": lambda: (keras.layers.LSTM(UNITS), rnn(LSTMCell(UNITS))),
    "gru": lambda: (keras.layers.GRU(UNITS), rnn(GRUCell(UNITS))),
    "gru, before": lambda: (
        keras.layers.GRU(UNITS, reset_after=False),
        rnn(GRUCell(UNITS, reset_after=False)),
    ),
    "stack": lambda: (rnn(keras_cells("LSTM", 2)), rnn([LSTMCell(UNITS), LSTMCell(UNITS)])),
    "both ways": lambda: (
        keras.layers.Bidirectional(rnn(keras_cells("GRU", 2))),
        keras.layers.Bidirectional(rnn([GRUCell(UNITS), GRUCell(UNITS)])),
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_keras_and_ours(case):
    theirs, ours = PAIRS[case]()
    theirs.return_sequences = True
    run(theirs)
    theirs.set_weights(oracle.random_weights(theirs))
    from_keras(theirs, ours)
    oracle.assert_close(run(ours), run(theirs), TOLERANCE)
    ours.set_weights(oracle.random_weights(ours, seed=100))
    to_keras(ours, theirs)
    oracle.assert_close(run(theirs), run(ours), TOLERANCE)


def test_keras_cell_and_our_layer():
    theirs, ours = built(keras.layers.LSTMCell(UNITS)), rnn(LSTMCell(UNITS))
    from_keras(theirs, ours)
    oracle.assert_close(run(ours), run(rnn(theirs)), TOLERANCE)


def test_an_activation_is_what_it_computes():
    def hard_sigmoid(a):  # Keras 2's
        return ops.clip(0.2 * a + 0.5, 0, 1)

    def made_with(function):
        return LSTMCell(UNITS, recurrent_activation=function)

    theirs = built(keras.layers.LSTMCell(UNITS, recurrent_activation="hard_sigmoid"))
    parts = ["recurrent_activation", "expected hard_sigmoid, as in the layer with the weights"]
    assert_sentence(lambda: from_keras(theirs, made_with(hard_sigmoid)), *parts)
    from_keras(theirs, made_with(lambda a: ops.hard_sigmoid(a)))


UNLIKE = {
    "kind": (GRUCell(5), ["expected as in the layer with the weights, LSTM at level 0; got GRU"]),
    "levels": (rnn([LSTMCell(5), LSTMCell(5)]), ["LSTM at level 1"]),
    "directions": (keras.layers.Bidirectional(rnn(LSTMCell(5))), ["LSTM at level 0 backwards"]),
    "units": (LSTMCell(6), ["units", "expected 5", "got 6"]),
    "bias": (LSTMCell(5, use_bias=False), ["use_bias", "expected True", "got False"]),
    "activation": (LSTMCell(5, activation="relu"), ["expected tanh", "got relu"]),
    "features": (built(LSTMCell(5), features=9), ["expected weights for 9 features", "got 4"]),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_what_keras_does_otherwise_is_one_sentence(case):
    ours, parts = UNLIKE[case]
    theirs = built(keras.layers.LSTM(UNITS))
    assert_sentence(lambda: from_keras(theirs, ours), *parts)


def test_a_gru_that_resets_elsewhere_is_one_sentence():
    theirs = built(keras.layers.GRU(UNITS, reset_after=False))
    parts = ["reset_after", "expected False", "got True", "with reset_after=False"]
    assert_sentence(lambda: from_keras(theirs, GRUCell(UNITS)), *parts)


# TensorFlow 1. Its cells filled their variables, in this order, from one wave each, read the next,
# and had these outputs at the first and the last step.


def wave(start, *shape):
    return np.sin(start + np.arange(np.prod(shape))).reshape(shape).astype("float32")


def variables(**shapes):
    return {name: wave(10 * k, *shape) for k, (name, shape) in enumerate(shapes.items())}


def gates(scope, rows, units):
    return {
        f"{scope}/gates/kernel:0": (rows, 2 * units),
        f"{scope}/gates/bias:0": (2 * units,),
        f"{scope}/candidate/kernel:0": (rows, units),
        f"{scope}/candidate/bias:0": (units,),
    }


def one_kernel(scope, rows, columns):
    return {f"{scope}/kernel:0": (rows, columns), f"{scope}/bias:0": (columns,)}


BOTH = {}
for way in ("fw", "bw"):
    for level, rows in enumerate((6, 4)):
        scope = f"bidirectional_rnn/{way}/multi_rnn_cell/cell_{level}/basic_lstm_cell"
        BOTH |= one_kernel(scope, rows, 8)

# The variables' shapes, our layer, forget_bias, and (batch, first and last step, units).
OLD = {
    "BasicRNNCell": (
        one_kernel("rnn/basic_rnn_cell", 6, 2),
        lambda: rnn(SimpleRNNCell(2)),
        1.0,
        [
            [[-0.659480, -0.948052], [-0.236538, -0.555805]],
            [[-0.866573, -0.959327], [-0.495097, -0.895032]],
        ],
    ),
    "BasicLSTMCell, forget_bias 0.5": (
        one_kernel("rnn/basic_lstm_cell", 6, 8),
        lambda: rnn(LSTMCell(2)),
        0.5,
        [
            [[-0.168551, 0.004565], [-0.340659, -0.227793]],
            [[-0.055767, 0.004562], [-0.418261, -0.063149]],
        ],
    ),
    "LSTMCell": (
        one_kernel("rnn/lstm_cell", 6, 8),
        lambda: rnn(LSTMCell(2)),
        1.0,
        [
            [[-0.168551, 0.004565], [-0.365654, -0.216332]],
            [[-0.055767, 0.004562], [-0.425376, -0.048617]],
        ],
    ),
    "GRUCell": (
        gates("rnn/gru_cell", 6, 2),
        lambda: rnn(GRUCell(2, reset_after=False)),
        1.0,
        [
            [[-0.713488, -0.350865], [-0.586197, -0.266852]],
            [[-0.684939, -0.224151], [-0.693224, -0.329362]],
        ],
    ),
    "MultiRNNCell of GRUCell and LSTMCell": (
        gates("rnn/multi_rnn_cell/cell_0/gru_cell", 7, 3)
        | one_kernel("rnn/multi_rnn_cell/cell_1/lstm_cell", 5, 8),
        lambda: rnn([GRUCell(3, reset_after=False), LSTMCell(2)]),
        1.0,
        [
            [[0.108129, 0.257132], [0.157323, 0.352125]],
            [[0.113568, 0.229881], [0.140811, 0.361244]],
        ],
    ),
    "bidirectional_dynamic_rnn": (
        BOTH,
        lambda: keras.layers.Bidirectional(rnn([LSTMCell(2), LSTMCell(2)])),
        1.0,
        [
            [[0.029654, 0.089450, 0.231218, -0.310543], [0.061155, 0.167231, 0.128521, -0.289023]],
            [[0.034072, 0.097646, 0.240263, -0.246379], [0.061047, 0.149152, 0.116848, -0.269043]],
        ],
    ),
}


@pytest.mark.parametrize("case", OLD)
def test_tensorflow_1s_variables_give_its_cells_numbers(case):
    shapes, make, forget_bias, expected = OLD[case]
    layer, arrays = make(), variables(**shapes)
    from_tensorflow1(arrays, layer, forget_bias)
    outputs = run(layer, wave(50, 2, 3, 4))
    oracle.assert_close(outputs[:, [0, -1]], expected, 2e-6)

    again = to_tensorflow1(layer, forget_bias)
    assert again.keys() == {short(name) for name in arrays}
    assert_same(again, {short(name): array for name, array in arrays.items()})


def short(name):
    """Without the scopes that to_tensorflow1 cannot know."""
    known = ("fw", "bw", "cell_0", "cell_1", "gates", "candidate", "kernel", "bias")
    return "/".join(part for part in name.removesuffix(":0").split("/") if part in known)


def old(case, *left_out, **more):
    arrays = variables(**OLD[case][0])
    return {n: a for n, a in arrays.items() if not n.endswith(left_out)} | more


KERNEL = np.zeros((6, 8), "float32")
NOT_TENSORFLOW_1S = {
    "a name is missing": (
        lambda: from_tensorflow1({"kernel": KERNEL}, LSTMCell(2)),
        ["expected kernel, bias,", "no bias:"],
    ),
    "what an optimizer kept": (
        lambda: from_tensorflow1(old("LSTMCell", **{"a/kernel/Adam": KERNEL}), LSTMCell(2)),
        ["also a/kernel/Adam"],
    ),
    "two layers": (
        lambda: from_tensorflow1(old("LSTMCell", **{"a/kernel": KERNEL}), LSTMCell(2)),
        ["kernel twice"],
    ),
    "a projection": (
        lambda: from_tensorflow1(old("LSTMCell", **{"projection/kernel": KERNEL}), LSTMCell(2)),
        ["also projection/kernel", "peepholes or a projection"],
    ),
    "another cell": (
        lambda: from_tensorflow1(old("GRUCell"), LSTMCell(2)),
        ["no bias, kernel and also candidate/bias, candidate/kernel, gates/bias, gates/kernel"],
    ),
    "more levels": (
        lambda: from_tensorflow1({"cell_1/kernel": KERNEL, "cell_1/bias": KERNEL[0]}, LSTMCell(2)),
        ["expected kernel, bias,", "also cell_1/bias, cell_1/kernel"],
    ),
    "the other direction": (
        lambda: from_tensorflow1({"bw/kernel": KERNEL, "bw/bias": KERNEL[0]}, LSTMCell(2)),
        ["expected kernel, bias,", "also bw/bias, bw/kernel"],
    ),
    "units": (
        lambda: from_tensorflow1(old("LSTMCell"), LSTMCell(3)),
        ["kernel: expected shape (features + 3, 12)", "got (6, 8)"],
    ),
    "no room for the input": (
        lambda: from_tensorflow1({"kernel": KERNEL[:2], "bias": KERNEL[0]}, LSTMCell(2)),
        ["kernel: expected shape (features + 2, 8)", "got (2, 8)"],
    ),
    "reset after": (
        lambda: from_tensorflow1(old("GRUCell"), GRUCell(2)),
        ["reset_after", "expected False, as in TensorFlow 1; got True"],
    ),
    "no bias": (
        lambda: to_tensorflow1(built(LSTMCell(2, use_bias=False))),
        ["use_bias", "expected True, as in TensorFlow 1; got False"],
    ),
    "gates' activation": (
        lambda: to_tensorflow1(built(LSTMCell(2, recurrent_activation="hard_sigmoid"))),
        ["expected sigmoid, as in TensorFlow 1; got hard_sigmoid"],
    ),
}


@pytest.mark.parametrize("case", NOT_TENSORFLOW_1S)
def test_what_tensorflow_1_does_otherwise_is_one_sentence(case):
    call, parts = NOT_TENSORFLOW_1S[case]
    assert_sentence(call, *parts)


# Converters that are wrong: the comparisons above see each.


def wrong_order(module, kind, order):
    return lambda monkeypatch: monkeypatch.setitem(module.ORDER, kind, order)


def without_the_second_bias(monkeypatch):
    right = pytorch._ours
    wrong = lambda kind, W, U, b, d: right(kind, W, U, b, 0 * d)  # noqa: E731
    monkeypatch.setattr(pytorch, "_ours", wrong)


def without_forget_bias(monkeypatch):
    monkeypatch.setattr(tensorflow1, "_added", lambda cell, forget_bias: 0)


def upside_down(monkeypatch):
    right = tensorflow1._ours
    wrong = lambda cell, arrays, f: right(cell, [a[::-1] for a in arrays], f)  # noqa: E731
    monkeypatch.setattr(tensorflow1, "_ours", wrong)


FROM_TORCH = test_pytorchs_weights_give_pytorchs_numbers
TO_TORCH = test_pytorch_computes_our_numbers_with_our_weights
FROM_OLD = test_tensorflow_1s_variables_give_its_cells_numbers
SWAPPED = [0, 2, 1, 3]  # f and g
MUTANTS = {
    "the LSTM's f and g": (wrong_order(pytorch, "LSTM", SWAPPED), FROM_TORCH, "LSTM", FORMS[0]),
    "the GRU's r and z": (wrong_order(pytorch, "GRU", [0, 1, 2]), FROM_TORCH, "GRU", FORMS[0]),
    "r and z on the way out": (wrong_order(pytorch, "GRU", [0, 1, 2]), TO_TORCH, "GRU", FORMS[0]),
    "f and g on the way out": (wrong_order(pytorch, "LSTM", SWAPPED), TO_TORCH, "LSTM", FORMS[0]),
    "one bias of an RNN": (without_the_second_bias, FROM_TORCH, "tanh", FORMS[0]),
    "one bias of a GRU": (without_the_second_bias, FROM_TORCH, "GRU", FORMS[0]),
    "the old LSTM's f and j": (
        wrong_order(tensorflow1, "LSTM", [0, 1, 2, 3]),
        FROM_OLD,
        "LSTMCell",
    ),
    "the old GRU's r and u": (wrong_order(tensorflow1, "GRU", [0, 1, 2]), FROM_OLD, "GRUCell"),
    "no forget_bias": (without_forget_bias, FROM_OLD, "LSTMCell"),
    "h above x": (upside_down, FROM_OLD, "BasicRNNCell"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_conversion_is_seen(mutant, monkeypatch):
    break_it, test, *arguments = MUTANTS[mutant]
    break_it(monkeypatch)
    with pytest.raises(AssertionError, match="differs by"):
        test(*arguments)
