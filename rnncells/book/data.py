"""MNIST as sequences.

``load_mnist`` takes the first source that is there: the file that the environment variable
``RNNCELLS_MNIST`` names, the file in Keras's cache, a download into that cache, and where the
download fails a stand-in that says what it is. ``python -m rnncells.book.data`` does the same once,
so that notebooks which run afterwards find the file in the cache, and prints what serves.

MNIST is by Yann LeCun, Corinna Cortes and Christopher J. C. Burges (1998). The stand-in is
scikit-learn's copy of Alpaydin and Kaynak's optical digits (1998).
"""

import contextlib
import hashlib
import io
import os
import socket
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}
# Of each array's bytes, uint8: files that hold the same arrays differ, Keras's own among them.
SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
TIMEOUT = 5  # seconds that a server may stay silent

ORDERS = ("rows", "pixels14", "pixels", "permuted")

# Step t of "permuted" reads pixel PERMUTATION[t]. RandomState is the generator that NumPy has
# frozen (NEP 19), so every version on every machine gives these numbers; default_rng may change.
# The seed is the one that much published code on permuted MNIST uses.
PERMUTATION = np.random.RandomState(92916).permutation(784)


def load_mnist(order="rows"):
    """Loads MNIST with each image read as a sequence.

    Where there is neither a file nor a download, the stand-in serves and a warning says so:
    scikit-learn's 1,797 real handwritten digits of 8 by 8 pixels, enlarged and shifted at random
    to MNIST's counts and shapes, with no original image in both splits.

    Args:
        order: "rows" reads 28 steps of 28 pixels, from the top row down; "pixels" reads 784 steps
            of one pixel, row by row; "permuted" reads the same pixels in one fixed random order;
            "pixels14" reads the picture at half its size, 196 steps of the mean of four pixels.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: 60,000 and 10,000 examples. x is float32 in
        [0, 1], of shape (n, 28, 28) for "rows", (n, 196, 1) for "pixels14", else (n, 784, 1); y is
        uint8 in 0..9, shape (n,).

    Raises:
        ValueError: The order is none of the four, or a file does not hold MNIST. A bad file in
            Keras's cache is an error, too: it is named, and yours to delete.
        OSError: A file is missing or cannot be opened.
        ImportError: Neither MNIST nor scikit-learn can be had.
    """
    if order not in ORDERS:
        raise ValueError(f"load_mnist: order: expected one of {ORDERS}; got {order!r}.")
    arrays, announcement = _mnist_or_stand_in()
    if announcement:
        # Located here and not at the caller, so that Python shows it once and a filter can name it.
        warnings.warn(announcement, stacklevel=1)
    train = _as_sequences(arrays["x_train"], order), arrays["y_train"]
    test = _as_sequences(arrays["x_test"], order), arrays["y_test"]
    return train, test


def mnist_file():
    """Finds and verifies the file that ``load_mnist`` reads, without a download.

    Returns:
        Its path, or None where there is none. None after ``load_mnist`` has returned means that
        what it returned was the stand-in.

    Raises:
        ValueError: The file does not hold MNIST.
        OSError: The file is missing or cannot be opened.
    """
    path, remedy = _local_file()
    if path is not None:
        _read_mnist(path, remedy)
    return path


def _as_sequences(images, order):
    """Images (n, 28, 28), uint8, as float32 sequences in [0, 1]."""
    if order == "pixels14":
        fours = images.reshape(-1, 14, 2, 14, 2).sum(axis=(2, 4), dtype=np.uint16)
        return np.divide(fours.reshape(-1, 196, 1), 4 * 255, dtype=np.float32)
    if order != "rows":
        images = images.reshape(-1, 784, 1)
    if order == "permuted":
        images = images[:, PERMUTATION]
    return np.divide(images, 255, dtype=np.float32)


def _mnist_or_stand_in():
    """The four arrays by name and the sentence that announces the stand-in or None."""
    path, remedy = _local_file()
    if path is not None:
        return _read_mnist(path, remedy), None
    try:
        return _download(), None
    except Exception as error:  # get_file raises a bare Exception
        failure = f"MNIST could not be had ({_one_line(error)})"
    remedy = "set RNNCELLS_MNIST to the path of mnist.npz"
    try:
        arrays = _stand_in()
    except ImportError as error:
        raise ImportError(
            f"{failure}, and its stand-in needs scikit-learn: expected MNIST or scikit-learn; got "
            f"neither ({error}); {remedy}, or install scikit-learn."
        ) from error
    return arrays, (
        f"{failure}: using scikit-learn's 1,797 real digits, enlarged, in its place; {remedy}."
    )


def _local_file():
    """The path of the file to read and what to do if it is bad; (None, None) without one."""
    given = os.environ.get("RNNCELLS_MNIST")
    if given:
        remedy = "set RNNCELLS_MNIST to the path of mnist.npz, or unset it"
        return Path(os.path.abspath(os.path.expanduser(given))), remedy
    cached = _cached_file()
    if os.path.exists(cached):
        return cached, "delete it, and the next call downloads it again"
    return None, None


def _cached_file():
    """Where ``keras.datasets.mnist.load_data`` keeps its file."""
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    return Path(os.path.abspath(os.path.expanduser(home)), "datasets", "mnist.npz")


def _read_mnist(path, remedy, name=None):
    """The four arrays in an .npz file, verified; an error calls it ``name`` or its path."""
    name = name or path
    expected = f"an .npz archive of plain arrays {', '.join(SHAPES)}"
    try:
        arrays = _read_npz(path)
    except OSError as error:
        got = error.strerror or _one_line(error)
        raise type(error)(f"{name}: expected {expected}; got: {got}; {remedy}.") from error
    except Exception as error:  # a damaged archive raises one of half a dozen types
        got = _one_line(error)
        raise ValueError(f"{name}: expected {expected}; got: {got}; {remedy}.") from error
    for key in SHAPES:
        expected, got = _difference(key, arrays.get(key))
        if got:
            raise ValueError(f"{name}: expected {expected}; got {got}; {remedy}.")
    return arrays


def _read_npz(path):
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            size = file.seek(0, os.SEEK_END)
            raise ValueError(f"{size:,} bytes that are not a whole .npz archive")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in SHAPES if name in archive.files}


def _one_line(error):
    return " ".join(str(error).split()) or type(error).__name__


def _difference(key, array):
    """What was expected of an array and what came, or (None, None) where it is MNIST's."""
    if array is None:
        return f"an array {key}", "none of that name"
    if (array.shape, array.dtype) != (SHAPES[key], np.uint8):
        return f"{key} of shape {SHAPES[key]}, uint8", f"shape {array.shape}, {array.dtype}"
    digest = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
    if digest != SHA256[key]:
        return f"MNIST's {key}, SHA-256 {SHA256[key][:8]}...", f"SHA-256 {digest[:8]}..."
    return None, None


def _download():
    """Fetches MNIST into Keras's cache, without a word on stdout, and returns the arrays."""
    import keras

    cached = _cached_file()
    cached.parent.mkdir(parents=True, exist_ok=True)
    # Fetched and verified in a folder of its own, which goes whatever happens, then moved in one
    # step: neither an interruption nor another process ever shows half a file in the cache.
    with (
        tempfile.TemporaryDirectory(prefix="mnist-", dir=cached.parent) as folder,
        contextlib.redirect_stdout(io.StringIO()),
        _socket_timeout(TIMEOUT),
    ):
        fetched = keras.utils.get_file("mnist.npz", MNIST_URL, cache_subdir=folder)
        arrays = _read_mnist(fetched, "try again later", name=MNIST_URL)
        os.replace(fetched, cached)
    return arrays


@contextlib.contextmanager
def _socket_timeout(seconds):
    """``get_file`` has no timeout of its own and would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _stand_in():
    """Arrays of MNIST's names, shapes and dtype, made from scikit-learn's digits."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = load_digits()  # images (1797, 8, 8), 0..16
    large = zoom(digits.images, (1, 2.5, 2.5), order=1)  # (1797, 20, 20), bilinear
    large = np.rint(large * (255 / 16)).astype(np.uint8)
    # As in MNIST a digit is 20 pixels high in a frame of 28, here up to 3 pixels off the centre.
    padded = np.pad(large, ((0, 0), (7, 7), (7, 7)))  # (1797, 34, 34)
    frames = np.lib.stride_tricks.sliding_window_view(padded, (28, 28), axis=(1, 2))
    random = np.random.RandomState(0)
    arrays = {}
    for split, first, last in (("train", 0, 1540), ("test", 1540, 1797)):  # 6 to 1, as in MNIST
        (count,) = SHAPES[f"y_{split}"]
        which = random.randint(first, last, count)
        top, left = random.randint(0, 7, (2, count))
        arrays[f"x_{split}"] = frames[which, top, left]
        arrays[f"y_{split}"] = digits.target[which].astype(np.uint8)
    return arrays


def main():
    """Prints which source serves; the exit status is 1 where none does."""
    try:
        _, announcement = _mnist_or_stand_in()
    except (ImportError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(announcement or f"MNIST: {_local_file()[0]}, verified by SHA-256.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
