"""TensorFlow 1's cells of tf.nn.rnn_cell, as the dictionary of their variables."""

import re

import numpy as np
from keras import activations

from rnncells.convert.places import (
    arrays_by_place,
    cells_of,
    demand_option,
    error,
    features,
    fill,
    kind,
    reordered,
    weights_of,
)

# Which of our blocks stands in each of theirs, and the other way round. Theirs: i j f o; r u c.
ORDER = {"SimpleRNN": [0], "LSTM": [0, 2, 1, 3], "GRU": [1, 0, 2]}

# The scopes in which a cell has a kernel and a bias, with their numbers of blocks.
SCOPES = {"SimpleRNN": {"": 1}, "LSTM": {"": 4}, "GRU": {"gates/": 2, "candidate/": 1}}
INNER = ("gates", "candidate", "projection")  # scopes inside a cell


def from_tensorflow1(variables, layer, forget_bias=1.0):
    """Fills a layer with the variables of TensorFlow 1's cells.

    They are BasicRNNCell, BasicLSTMCell, LSTMCell without peepholes and projection, and GRUCell;
    the last is ``GRUCell(units, reset_after=False)``, which is not the default.

    Args:
        variables: A dictionary of arrays by their variables' names, those of one layer without
            what an optimizer kept: ``kernel`` and ``bias``, for the GRU ``gates/kernel``,
            ``gates/bias``, ``candidate/kernel`` and ``candidate/bias``. Of the scopes before
            them only ``cell_1`` (a level of MultiRNNCell), ``fw`` and ``bw`` are read.
        layer: The layer or cell to fill.
        forget_bias: The argument of the old LSTM cell; no variable stores it.

    Raises:
        ValueError: A name is missing, unknown or there twice; a shape does not fit; TensorFlow 1
            has no such cell, as a GRU with ``reset_after=True``.
    """
    cells = cells_of(layer)
    _demand_that_tensorflow1_has_it(cells)
    shapes = {place: _shapes(place, cells) for place in cells}
    arrays = arrays_by_place(_without_scopes(variables, cells), shapes, "peepholes or a projection")
    fill(layer, {place: _ours(cells[place], found, forget_bias) for place, found in arrays.items()})


def to_tensorflow1(layer, forget_bias=1.0):
    """The weights of a layer as TensorFlow 1's variables, by their names without scopes.

    Args:
        layer: The layer or cell, built, of a form that ``from_tensorflow1`` can fill.
        forget_bias: The argument of the old LSTM cell.

    Returns:
        A dictionary of NumPy arrays with ``kernel`` (features + units, gates * units) and
        ``bias`` (gates * units,), or the GRU's four. In a stack their names begin with
        ``cell_0/``, in both directions with ``fw/`` or ``bw/``.

    Raises:
        ValueError: TensorFlow 1 has no such cell, as a GRU with ``reset_after=True``.
    """
    cells, found = cells_of(layer), {}
    _demand_that_tensorflow1_has_it(cells)
    for place, cell in cells.items():
        found |= zip(_shapes(place, cells), _theirs(cell, forget_bias), strict=True)
    return found


def _shapes(place, cells):
    """The kernels, then the biases."""
    cell = cells[place]
    columns = {scope: n * cell.units for scope, n in SCOPES[kind(cell)].items()}
    kernels = {f"{scope}kernel": (features(cell.units), n) for scope, n in columns.items()}
    biases = {f"{scope}bias": (n,) for scope, n in columns.items()}
    return {_name(*place, end, cells): shape for end, shape in (kernels | biases).items()}


def _ours(cell, arrays, forget_bias):
    half = len(arrays) // 2
    joined = (np.concatenate(part, axis=-1) for part in (arrays[:half], arrays[half:]))
    both, bias = (reordered(array, ORDER[kind(cell)]) for array in joined)
    return [both[: -cell.units], both[-cell.units :], bias + _added(cell, forget_bias)]


def _theirs(cell, forget_bias):
    W, U, bias = weights_of(cell)
    ours = np.concatenate([W, U]), bias - _added(cell, forget_bias)
    joined = (reordered(array, ORDER[kind(cell)]) for array in ours)
    cuts = np.cumsum([*SCOPES[kind(cell)].values()])[:-1] * cell.units
    return [part for array in joined for part in np.split(array, cuts, axis=-1)]


def _added(cell, forget_bias):
    """The constant that the old cell adds to its bias at every step, in our order."""
    blocks = np.zeros((len(ORDER[kind(cell)]), cell.units), "float32")
    if kind(cell) == "LSTM":
        blocks[1] = forget_bias
    return blocks.ravel()


def _name(level, backwards, end, cells):
    """A variable's name, with the scopes that distinguish it from the layer's others."""
    scopes = [f"cell_{level}"] if level or (1, False) in cells else []
    if backwards or (0, True) in cells:
        scopes = ["bw" if backwards else "fw", *scopes]
    return "/".join([*scopes, end])


def _without_scopes(variables, cells):
    """The arrays by their short names; a name that no cell has stays as it is."""
    found = {}
    for full, array in variables.items():
        *scopes, last = full.removesuffix(":0").split("/")
        inner = scopes.pop() + "/" if scopes and scopes[-1] in INNER else ""
        levels = [int(scope[5:]) for scope in scopes if re.fullmatch(r"cell_\d+", scope)]
        known = last in ("kernel", "bias") and inner != "projection/"
        short = _name(max(levels, default=0), "bw" in scopes, inner + last, cells)
        name = short if known else full
        if name in found:
            raise error("names", "one layer's variables", f"{name} twice: leave out the others")
        found[name] = array
    return found


def _demand_that_tensorflow1_has_it(cells):
    for cell in cells.values():
        demand_option(cell, "use_bias", [True], "in TensorFlow 1")
        demand_option(cell, "recurrent_activation", [activations.sigmoid], "in TensorFlow 1")
        demand_option(cell, "reset_after", [False], "in TensorFlow 1")
