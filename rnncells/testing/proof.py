"""Proof: one line that says that two results are equal."""

import numpy as np
from keras import ops, tree


def check(what, got, expected, tolerance=1e-6):
    """Prints that two results are equal to within a tolerance, or raises.

    The printed line does not contain the difference itself, so it is the same on every machine.

    Args:
        what: A name for what is compared; it opens the line.
        got: An array or tensor, or a nested list of them.
        expected: As many, with the same shapes, in the same order.
        tolerance: The largest difference allowed, relative where a number exceeds one.

    Raises:
        AssertionError: The number of arrays, their shapes or their numbers differ.
    """
    got, expected = _arrays(got), _arrays(expected)
    if len(got) != len(expected) or not got:
        raise AssertionError(f"{what}: {len(got)} arrays; expected {len(expected) or 'some'}.")
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        if a.shape != b.shape:
            raise AssertionError(f"{what}: array {i} has shape {a.shape}; expected {b.shape}.")
        unequal = a != b  # an infinity equals itself, and inf - inf is nan
        a, b = a[unequal], b[unequal]
        difference = np.max(np.abs(a - b) / np.maximum(1, np.abs(b)), initial=0)
        if not difference <= tolerance:  # a nan is a difference too
            raise AssertionError(
                f"{what}: array {i} differs by {difference:.1e}; expected at most {tolerance:g}."
            )
    print(f"{what}: equal to within {tolerance:g}" if tolerance else f"{what}: exactly equal")


def _arrays(nested):
    return [np.asarray(ops.convert_to_numpy(leaf), float) for leaf in tree.flatten(nested)]
