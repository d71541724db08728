"""Keras's layers: their layout is ours, so only the cells' options have to be compared."""

from rnncells.convert.places import (
    OPTIONS,
    cells_of,
    demand_option,
    error,
    fill,
    kind,
    option_of,
    weights_of,
)


def from_keras(theirs, ours):
    """Fills our cells with the weights of Keras's.

    The layout is the same, so ``set_weights`` copies them too. This function also compares what
    shapes do not show: two cells with different activations have weights of the same shapes.

    Args:
        theirs: The layer or cell with the weights, built.
        ours: The one to fill.

    Raises:
        ValueError: The two differ in their cells, levels, directions or features, or in
            ``units``, ``use_bias``, ``activation``, ``recurrent_activation`` or ``reset_after``.
    """
    sources, targets = cells_of(theirs), cells_of(ours)
    _demand_the_same_cells(sources, targets)
    for place, cell in targets.items():
        for option in OPTIONS:
            expected = [option_of(sources[place], option)]
            demand_option(cell, option, expected, "in the layer with the weights")
    fill(ours, {place: weights_of(cell) for place, cell in sources.items()})


def to_keras(ours, theirs):
    """Fills Keras's cells with the weights of ours: ``from_keras`` in the other direction.

    Args:
        ours: The layer or cell with the weights, built.
        theirs: The one to fill.

    Raises:
        ValueError: As in ``from_keras``.
    """
    from_keras(ours, theirs)


def _demand_the_same_cells(sources, targets):
    expected, got = ({place: kind(c) for place, c in cells.items()} for cells in (sources, targets))
    if expected != got:
        expected = f"as in the layer with the weights, {_listed(expected)}"
        raise error("cells", expected, f"{_listed(got)}: make the layers alike")


def _listed(kinds):
    return ", ".join(
        f"{name} at level {level}{' backwards' * backwards}"
        for (level, backwards), name in kinds.items()
    )
