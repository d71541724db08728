"""Names, letter by letter: the data of chapter 11.

``names.txt`` holds the first names and surnames that the United States Census Bureau counted in
1990, 91,910 in all, in lower case and without how often each occurs. They are in the public domain
and were taken from the package ``names`` 0.3.0 of the Python Package Index.
"""

from pathlib import Path

import numpy as np

NAMES = Path(__file__).with_name("names.txt")
HELD_OUT = 5000  # names to choose settings by, and as many to judge by
LONGEST = 13  # letters
PADDING, BOUNDARY = 0, 1  # codes; the boundary stands before the first letter and after the last
CODES = 28  # padding, boundary, a to z


def load_names():
    """Loads the names, in an order that no version of NumPy changes.

    Returns:
        ``(train, held_out, test)``: lists of 81,910, 5,000 and 5,000 names; none is in two.
    """
    names = NAMES.read_text(encoding="ascii").split()
    names = [names[i] for i in np.random.RandomState(0).permutation(len(names))]
    return names[2 * HELD_OUT :], names[HELD_OUT : 2 * HELD_OUT], names[:HELD_OUT]


def encode(names):
    """Names as the codes that a network reads and the codes that it has to say.

    Args:
        names: Words of a to z, of at most 13 letters.

    Returns:
        ``(inputs, targets)``: int32 arrays (names, 14). Inputs begin with the boundary; targets
        are the inputs one step later and end with the boundary; padding follows in both.

    Raises:
        ValueError: A name is too long, or has another character.
    """
    inputs, targets = np.full((2, len(names), LONGEST + 1), PADDING, "int32")
    for name, row, later in zip(names, inputs, targets, strict=True):
        read = codes(name)
        row[: len(read)] = read
        later[: len(read)] = [*read[1:], BOUNDARY]
    return inputs, targets


def pieces(names, streams, steps):
    """The names as one text, cut for a layer that carries its state.

    Row i of each batch of ``streams`` pieces goes on where row i of the batch before ended.

    Args:
        names: As for ``encode``; in the text a boundary stands between two of them.
        streams: At how many places the text is read at once: the batch size.
        steps: Letters in a piece.

    Returns:
        ``(inputs, targets)``: int32 arrays (pieces, steps); targets are the inputs one step later.

    Raises:
        ValueError: The names are too few for one batch, or as for ``encode``.
    """
    text = np.concatenate([[BOUNDARY], *(row[row > 0] for row in encode(names)[1])])
    length = (len(text) - 1) // streams // steps * steps  # of each stream
    if not length:
        raise ValueError(
            f"pieces: expected at least {streams * steps} letters and boundaries, for {streams} "
            f"streams of {steps} steps; got {len(text) - 1}; give more names or fewer streams."
        )
    read, later = (t[: streams * length].reshape(streams, -1, steps) for t in (text[:-1], text[1:]))
    return tuple(np.swapaxes(t, 0, 1).reshape(-1, steps).astype("int32") for t in (read, later))


def codes(beginning):
    """The boundary, and the codes of the letters with which a name begins."""
    if len(beginning) > LONGEST or not all("a" <= letter <= "z" for letter in beginning):
        raise ValueError(
            f"expected at most {LONGEST} letters, a to z; got {beginning!r}; write it in "
            "lower case and leave out what is no letter."
        )
    return [BOUNDARY, *(ord(letter) - ord("a") + 2 for letter in beginning)]


def letters(codes):
    """The text of a sequence of codes, without padding; a full stop for the boundary."""
    return "".join("." if code == BOUNDARY else chr(code + 95) for code in codes if code)
