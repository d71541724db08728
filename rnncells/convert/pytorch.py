"""PyTorch's nn.RNN, nn.LSTM and nn.GRU, as the dictionary that ``state_dict`` gives."""

import numpy as np
from keras import activations

from rnncells.convert.places import (
    OPTIONS,
    arrays_by_place,
    cells_of,
    demand_option,
    error,
    features,
    fill,
    kind,
    option_of,
    reordered,
    weights_of,
)

# Which of our blocks stands in each of theirs, and the other way round. Theirs: i f g o; r z n.
ORDER = {"SimpleRNN": [0], "LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2]}


def from_torch(state_dict, layer):
    """Fills a layer with the weights of PyTorch's nn.RNN, nn.LSTM or nn.GRU.

    PyTorch has two biases in every cell. In a GRU's candidate the reset gate r multiplies one of
    them, so both are kept, as b and d. Elsewhere only their sum matters, and it is our bias.

    ``num_layers=2`` is a stack of two cells. With ``bidirectional=True`` it is a list of two
    Bidirectional layers, since each direction of the second level reads both of the first.

    Args:
        state_dict: A dictionary of arrays, or of tensors on the CPU, with the keys of one layer:
            ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``; the same with
            ``l1`` for the next level, and with ``_reverse`` for the other direction.
        layer: The layer or cell to fill. For ``nonlinearity="relu"``, which no key shows, it is
            ``SimpleRNNCell(units, activation="relu")``.

    Raises:
        ValueError: A key is missing or unknown, as ``weight_hr_l0`` of a projection; a shape does
            not fit; PyTorch has no such layer, as a GRU with ``reset_after=False``.
    """
    cells = cells_of(layer)
    _demand_that_torch_has_it(cells)
    shapes = {place: _shapes(place, cell) for place, cell in cells.items()}
    arrays = arrays_by_place(state_dict, shapes, "a projection (proj_size)")
    fill(layer, {place: _ours(kind(cell), *arrays[place]) for place, cell in cells.items()})


def to_torch(layer):
    """The weights of a layer under PyTorch's names and in its order, for ``load_state_dict``.

        arrays = convert.to_torch(layer)
        torch_layer.load_state_dict({name: torch.tensor(a) for name, a in arrays.items()})

    Where our cell has one bias, PyTorch's ``bias_hh`` is zeros.

    Args:
        layer: The layer or cell, built, of a form that ``from_torch`` can fill.

    Returns:
        A dictionary of NumPy arrays, for each level and direction ``weight_ih_l0`` (gates *
        units, features) and ``weight_hh_l0`` (gates * units, units), and with ``use_bias`` also
        ``bias_ih_l0`` and ``bias_hh_l0`` (gates * units,).

    Raises:
        ValueError: PyTorch has no such layer, as one of cells of two kinds or widths, or a GRU
            with ``reset_after=False``.
    """
    cells, found = cells_of(layer), {}
    _demand_that_torch_has_it(cells)
    for place, cell in cells.items():
        found |= zip(_shapes(place, cell), _theirs(kind(cell), *weights_of(cell)), strict=True)
    return found


def _shapes(place, cell):
    (level, backwards), rows = place, len(ORDER[kind(cell)]) * cell.units
    shapes = {"weight_ih": (rows, features()), "weight_hh": (rows, cell.units)}
    if cell.use_bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    end = f"_l{level}{'_reverse' * backwards}"
    return {name + end: shape for name, shape in shapes.items()}


def _ours(name, *arrays):
    W, U, *biases = (reordered(array.T, ORDER[name]) for array in arrays)
    together = np.stack if name == "GRU" else sum
    return [W, U, together(biases)] if biases else [W, U]


def _theirs(name, W, U, *bias):
    biases = [(b if name == "GRU" else [b, np.zeros_like(b)]) for b in bias]
    arrays = (reordered(array, ORDER[name]) for array in (W, U, *sum(map(list, biases), [])))
    return [np.ascontiguousarray(array.T) for array in arrays]


def _demand_that_torch_has_it(cells):
    first = cells[0, False]
    simple = kind(first) == "SimpleRNN"
    functions = [activations.tanh, activations.relu] if simple else [activations.tanh]
    for cell in cells.values():
        if kind(cell) != kind(first):
            got = f"{kind(cell)}: convert the levels one by one"
            raise error(type(cell).__name__, f"{kind(first)}, as at level 0", got)
        for option in OPTIONS:
            demand_option(cell, option, [option_of(first, option)], "at level 0")
        demand_option(cell, "activation", functions, "in PyTorch")
        demand_option(cell, "recurrent_activation", [activations.sigmoid], "in PyTorch")
        demand_option(cell, "reset_after", [True], "in PyTorch")
    _demand_its_levels(cells)


def _demand_its_levels(cells):
    """Each level reads all directions of the one below."""
    ways = 1 + ((0, True) in cells)
    advice = "give a list of layers, one for each level"
    if len(cells) != ways * (1 + max(level for level, _ in cells)):
        expected = f"at each level as many directions as at level 0, {ways}"
        raise error("layer", expected, f"{len(cells)} cells: {advice}")
    for (level, _), cell in cells.items():
        expected = ways * cell.units
        if level and cell.built and cell.kernel.shape[0] != expected:
            got = f"{cell.kernel.shape[0]}: {advice}"
            raise error(
                f"features of {type(cell).__name__}",
                f"{expected}, all outputs of level {level - 1}",
                got,
            )
