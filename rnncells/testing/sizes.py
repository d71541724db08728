"""A cell at drawn sizes: what goes wrong only with one unit, one step, or units = features."""

import keras
import numpy as np

from rnncells.testing.checks import CheckFailed
from rnncells.testing.found import Found, gist
from rnncells.testing.subject import compare, loop, normal, rnn, undisturbed

LARGEST = {"units": 7, "features": 7, "batch": 5, "steps": 9}


def check_sizes(make, *, draws=20, seed=0):
    """Compares ``keras.layers.RNN``, a Python loop, and one row alone, at drawn sizes.

    Units, features, batch and steps are drawn; where they fail, the smallest sizes that fail in
    the same way are looked for, one by one, and the sentence names them.

    Example:

        >>> from rnncells import GRUCell
        >>> from rnncells.testing import check_sizes
        >>> check_sizes(lambda units: GRUCell(units))

    Args:
        make: A function of the number of units that makes a new cell.
        draws: How many sizes are tried.
        seed: Of the draws.

    Raises:
        AssertionError: At some sizes they differ, or one of them raises.
        TypeError: ``make`` is not a function of the units that makes a cell.
        ValueError: ``draws`` is not a positive int.
    """
    _demand(make, draws)
    random = np.random.default_rng(seed)
    for number in range(draws):
        sizes = {what: int(random.integers(1, most + 1)) for what, most in LARGEST.items()}
        if number == 0:
            sizes = dict.fromkeys(LARGEST, 1)
        if number == 1:
            sizes["features"] = sizes["units"]
        if reason := _reason(make, sizes):
            smallest, reason = _shrunk(make, sizes, reason)
            raise CheckFailed("check_sizes", _sentence(make, smallest, sizes, reason))


def _demand(make, draws):
    if type(draws) is not int or draws < 1:
        raise ValueError(f"check_sizes: draws: expected a positive int; got {draws!r}.")
    expected = "a function of the units that makes a cell, as in lambda units: MyCell(units)"
    if isinstance(make, keras.layers.Layer) or not callable(make):
        raise TypeError(f"check_sizes: expected {expected}; got {make!r}.")
    try:
        cell = make(1)
    except TypeError as error:
        got = f"one that raises TypeError: {error}"
        raise TypeError(f"check_sizes: expected {expected}; got {got}.") from error
    if not hasattr(cell, "state_size"):
        kind = type(cell).__name__
        raise TypeError(f"check_sizes: expected {expected}; got one that makes a {kind}.")


def _reason(make, sizes):
    """Why a cell of these sizes is wrong, or None."""
    try:
        with undisturbed():
            x = normal(sizes["batch"], sizes["steps"], sizes["features"])
            cell = make(sizes["units"])
            cell.build((None, sizes["features"]))
            cell.built = True
            whole = loop(cell, x, flat=True)
            compare(rnn(cell, x), whole)
            compare(loop(cell, x[:1], flat=True), [array[:1] for array in whole])
    except Found as found:
        return found.got
    except Exception as error:
        return gist(error)


def _shrunk(make, sizes, reason):
    """The same failure with one size after the other as small as it can be."""
    for what in sizes:
        for smaller in range(1, sizes[what]):
            tried = sizes | {what: smaller}
            if other := _reason(make, tried):
                sizes, reason = tried, other
                break
    return sizes, reason


def _sentence(make, smallest, drawn, reason):
    name = type(make(smallest["units"])).__name__
    least, first = (", ".join(f"{k}={v}" for k, v in s.items()) for s in (smallest, drawn))
    return (
        f"{name}: expected RNN, a loop and each row alone to agree at every size; got {reason}; it "
        f"happens with {least} (first seen with {first})."
    )
