"""The cells of a layer, each by its place, and what goes into and out of their weights.

A place is (level, backwards): the level of a stack from the input upwards, and whether the cell is
the backward one of a Bidirectional layer.
"""

import sys

import keras
import numpy as np
from keras import activations, ops

from rnncells.cells import GRUCell, LinearRNNCell, LSTMCell, SimpleRNNCell

KINDS = {
    "SimpleRNN": (SimpleRNNCell, LinearRNNCell, keras.layers.SimpleRNNCell),
    "LSTM": (LSTMCell, keras.layers.LSTMCell),
    "GRU": (GRUCell, keras.layers.GRUCell),
}
WEIGHTS = ("kernel", "recurrent_kernel", "bias")
OPTIONS = ("units", "use_bias", "activation", "recurrent_activation", "reset_after")


def kind(cell):
    """What a cell computes; None for a subclass with a ``call`` of its own."""
    calls = {cls.call: name for name, classes in KINDS.items() for cls in classes}
    return calls.get(getattr(type(cell), "call", None))


def cells_of(layer):
    """{place: cell} of a cell, of a layer, or of a list of layers."""
    if isinstance(layer, (list, tuple)):
        cells = {}
        if not layer:
            raise error("layer", "a layer, or a list of them", "an empty list: give one")
        for part in layer:
            below = 1 + max((level for level, _ in cells), default=-1)
            cells |= {(below + level, way): cell for (level, way), cell in cells_of(part).items()}
        return cells
    if isinstance(layer, keras.layers.Bidirectional):
        backward = cells_of(layer.backward_layer)
        backward = {(level, True): cell for (level, _), cell in backward.items()}
        return cells_of(layer.forward_layer) | backward
    cell = layer.cell if isinstance(layer, keras.layers.RNN) else layer
    cells = cell.cells if isinstance(cell, keras.layers.StackedRNNCells) else [cell]
    for cell in cells:
        _demand_a_cell(cell)
    return {(level, False): cell for level, cell in enumerate(cells)}


def weights_of(cell):
    """[W, U, b] or [W, U] in NumPy."""
    if not cell.built:
        raise error(
            type(cell).__name__, "weights", "a cell that has none yet: build its layer or call it"
        )
    weights = (getattr(cell, name) for name in WEIGHTS)
    return [ops.convert_to_numpy(weight) for weight in weights if weight is not None]


def fill(layer, weights):
    """Gives each cell its weights, {place: [W, U, b] or [W, U]}."""
    widths = {cell: len(weights[place][0]) for place, cell in cells_of(layer).items()}
    for part in layer if isinstance(layer, (list, tuple)) else [layer]:
        if not part.built:
            cell = cells_of(part)[0, False]
            part.build((None, widths[cell]) if part is cell else (None, None, widths[cell]))
    cells = cells_of(layer)  # once more, as it is known only now which weights they have
    for cell, came in widths.items():
        if came != cell.kernel.shape[0]:
            expected = f"weights for {cell.kernel.shape[0]} features, which the layer has"
            raise error(type(cell).__name__, expected, f"{came}: give a layer that reads as many")
    for place, cell in cells.items():
        for name, array in zip(WEIGHTS, weights[place], strict=False):
            getattr(cell, name).assign(array)


def reordered(array, order):
    """An array with its columns in blocks of another order."""
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[k] for k in order], axis=-1)


def features(more=0):
    """As a size of a shape: any number of features, and some more rows."""
    return range(more + 1, sys.maxsize)


def arrays_by_place(arrays, shapes, but):
    """{place: arrays} for {place: {name: shape}}: these names and no others, in these shapes.

    In a shape, ``features()`` stands for any number.
    """
    wanted = {name: shape for own in shapes.values() for name, shape in own.items()}
    lists = {"no": wanted.keys() - arrays.keys(), "also": arrays.keys() - wanted.keys()}
    if any(lists.values()):
        got = " and ".join(f"{what} {', '.join(sorted(n))}" for what, n in lists.items() if n)
        expected = f"{', '.join(wanted)}, for the layer's cells, levels, directions and use_bias"
        advice = f"give a layer that is made as the other one, which must not have {but}"
        raise error("names", expected, f"{got}: {advice}")
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, shape in wanted.items():
        _demand_shape(name, arrays[name].shape, shape)
    return {place: [arrays[name] for name in own] for place, own in shapes.items()}


def demand_option(cell, option, expected, where):
    """One of the values that are expected, unless the cell has no such option."""
    value = option_of(cell, option)
    if value is not None and not any(_same(value, one) for one in expected):
        got = f"{_said(value)}: make the cell with {option}={_said(expected[0])}"
        expected = f"{' or '.join(map(_said, expected))}, as {where}"
        raise error(f"{option} of {type(cell).__name__}", expected, got)


def option_of(cell, option):
    return getattr(cell, option, activations.linear if option == "activation" else None)


def error(what, expected, got):
    return ValueError(f"convert: {what}: expected {expected}; got {got}.")


def _demand_a_cell(cell):
    if kind(cell) is None:
        expected = "a SimpleRNNCell, LSTMCell or GRUCell, ours or Keras's, or a layer of them"
        raise error("layer", expected, f"{type(cell).__name__}: carry its weights by hand")
    more = [weight.name for weight in cell.weights if weight.name not in WEIGHTS]
    if more:
        expected = f"no weights but {', '.join(WEIGHTS)}"
        raise error(
            type(cell).__name__, expected, f"{', '.join(more)}: convert into a plain {kind(cell)}"
        )


def _demand_shape(name, came, shape):
    if len(came) == len(shape) and all(
        c in e if isinstance(e, range) else c == e for c, e in zip(came, shape, strict=True)
    ):
        return
    sizes = ", ".join(_said(size) for size in shape)
    advice = "give a layer that is made as the other one"
    raise error(name, f"shape ({sizes}), by the layer's units", f"{came}: {advice}")


def _same(a, b):
    """Equal; two functions are, if they give equal numbers."""
    if not (callable(a) and callable(b)):
        return a == b
    points = ops.convert_to_tensor(np.linspace(-30, 30, 121, dtype="float32")[np.newaxis])
    return a is b or np.allclose(*(ops.convert_to_numpy(f(points)) for f in (a, b)), atol=1e-6)


def _said(value):
    if isinstance(value, range):
        return f"features + {value.start - 1}" if value.start > 1 else "features"
    return getattr(value, "__name__", None) or repr(value)
