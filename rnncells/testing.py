"""Proof on the page: one line that compares two results, or stops."""

import numpy as np
from keras import ops, tree


def check(what, got, expected, tolerance=1e-6):
    """Prints that two results are equal to within a tolerance, or raises.

    What it prints does not depend on the machine: never the difference itself.

    Args:
        what: A name for what is compared; it opens the line.
        got: An array or tensor, or a nested list of them.
        expected: The same structure with the same shapes.
        tolerance: The largest difference allowed, relative where a number exceeds one.

    Raises:
        AssertionError: The structures, the shapes or the numbers differ.
    """
    pairs = zip(_arrays(what, got), _arrays(what, expected), strict=True)
    for i, (a, b) in enumerate(pairs):
        if a.shape != b.shape:
            raise AssertionError(f"{what}: array {i} has shape {a.shape}; expected {b.shape}.")
        difference = np.max(np.abs(a - b) / np.maximum(1, np.abs(b)), initial=0)
        if not difference <= tolerance:  # a nan is a difference too
            raise AssertionError(
                f"{what}: array {i} differs by {difference:.1e}; expected at most {tolerance:g}."
            )
    print(f"{what}: equal to within {tolerance:g}" if tolerance else f"{what}: exactly equal")


def _arrays(what, nested):
    arrays = [np.asarray(ops.convert_to_numpy(leaf), float) for leaf in tree.flatten(nested)]
    if not arrays:
        raise AssertionError(f"{what}: nothing to compare.")
    return arrays
