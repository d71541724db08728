"""MNIST as sequences: every source, every bad file, every way a download can break.

Most tests shrink MNIST to a few images, so that they run in milliseconds; the tests of the real
data set want ``RNNCELLS_MNIST`` and are skipped without it. No test reaches the network.
"""

import hashlib
import http.server
import io
import itertools
import os
import runpy
import socket
import subprocess
import sys
import threading
import time
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from rnncells.book import data
from rnncells.book.data import load_mnist, mnist_file

REAL_FILE = os.environ.get("RNNCELLS_MNIST")
needs_mnist = pytest.mark.skipif(not REAL_FILE, reason="RNNCELLS_MNIST is not set")

TINY_SHAPES = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (4, 28, 28), "y_test": (4,)}
NO_NETWORK = "URL fetch failure on https://host/mnist.npz:\n  None -- Name or service not known"


# ---- the stage: no variable, an empty Keras home, a download that fails, a tiny MNIST


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty place for Keras's cache, and no other source."""
    folder = tmp_path / "keras"
    folder.mkdir()
    monkeypatch.delenv("RNNCELLS_MNIST", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def downloads(monkeypatch):
    """The calls of a ``keras.utils.get_file`` that has no network."""
    calls = []

    def get_file(*args, **kwargs):
        calls.append((args, kwargs))
        raise Exception(NO_NETWORK)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    return calls


@pytest.fixture
def tiny(monkeypatch):
    """Ten images that pass for MNIST."""
    rng = np.random.RandomState(1)
    arrays = {
        name: rng.randint(0, 256 if name[0] == "x" else 10, shape).astype(np.uint8)
        for name, shape in TINY_SHAPES.items()
    }
    arrays["x_train"][0, 0, :2] = 0, 255  # both ends of the range
    digests = {name: hashlib.sha256(a.tobytes()).hexdigest() for name, a in arrays.items()}
    monkeypatch.setattr(data, "SHAPES", TINY_SHAPES)
    monkeypatch.setattr(data, "SHA256", digests)
    return arrays


def save(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def cache_of(home):
    return home / "datasets" / "mnist.npz"


def files_below(folder):
    """Every file with its bytes: equal before and after means that nothing was written."""
    return {p: p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def served(arrays):
    """Whether ``load_mnist`` returns these arrays, with no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (x_train, y_train), (x_test, y_test) = load_mnist()
    return (
        np.array_equal(x_train * np.float32(255), arrays["x_train"].astype(np.float32))
        and np.array_equal(y_train, arrays["y_train"])
        and np.array_equal(x_test * np.float32(255), arrays["x_test"].astype(np.float32))
        and np.array_equal(y_test, arrays["y_test"])
    )


# ---- orders


def test_rows(tiny, home):
    save(cache_of(home), tiny)
    (x_train, y_train), (x_test, y_test) = load_mnist()
    assert (x_train.shape, x_test.shape) == ((6, 28, 28), (4, 28, 28))
    assert (y_train.shape, y_test.shape) == ((6,), (4,))
    assert x_train.dtype == x_test.dtype == np.float32
    assert y_train.dtype == y_test.dtype == np.uint8
    assert (x_train.min(), x_train.max()) == (0.0, 1.0)
    np.testing.assert_allclose(x_test, tiny["x_test"] / 255.0, rtol=1e-6)
    np.testing.assert_array_equal(y_train, tiny["y_train"])


def test_pixels_are_read_row_by_row(tiny, home):
    save(cache_of(home), tiny)
    (rows, _), (test_rows, _) = load_mnist("rows")
    (pixels, _), (test_pixels, _) = load_mnist("pixels")
    assert (pixels.shape, test_pixels.shape) == ((6, 784, 1), (4, 784, 1))
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels[:, 29, 0], rows[:, 1, 1])
    np.testing.assert_array_equal(test_pixels.reshape(4, 28, 28), test_rows)


def test_pixels14_are_the_means_of_four_pixels(tiny, home):
    (rows, _), (test_rows, _) = load_mnist()
    (pixels, _), (test_pixels, _) = load_mnist("pixels14")
    assert (pixels.shape, test_pixels.shape) == ((6, 196, 1), (4, 196, 1))
    assert pixels.dtype == np.float32
    # Step 15 is in the second row of the small picture, the second from the left.
    np.testing.assert_allclose(pixels[:, 15, 0], rows[:, 2:4, 2:4].mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(
        test_pixels.mean(axis=1)[:, 0], test_rows.mean(axis=(1, 2)), rtol=1e-5
    )


def test_permuted_is_one_permutation_of_the_pixels_of_both_splits(tiny, home):
    save(cache_of(home), tiny)
    (pixels, y), (test_pixels, _) = load_mnist("pixels")
    (permuted, y_permuted), (test_permuted, _) = load_mnist("permuted")
    assert (permuted.shape, permuted.dtype) == ((6, 784, 1), np.float32)
    np.testing.assert_array_equal(permuted[:, 0], pixels[:, 319])
    np.testing.assert_array_equal(test_permuted[:, 783], test_pixels[:, 346])
    np.testing.assert_array_equal(permuted[:, np.argsort(data.PERMUTATION)], pixels)
    np.testing.assert_array_equal(test_permuted[:, np.argsort(data.PERMUTATION)], test_pixels)
    np.testing.assert_array_equal(y_permuted, y)


def test_the_permutation_is_the_same_everywhere():
    assert data.PERMUTATION[:8].tolist() == [319, 576, 323, 107, 355, 716, 197, 20]
    assert data.PERMUTATION[-4:].tolist() == [264, 102, 39, 346]
    assert sorted(data.PERMUTATION) == list(range(784))
    every_value = ",".join(map(str, data.PERMUTATION.tolist())).encode()
    assert hashlib.sha256(every_value).hexdigest() == PERMUTATION_SHA256


PERMUTATION_SHA256 = "b5c4665c0096a8f46ca2065aaeb8c1d9479ab73a0cf1f1b2bf6522ceb9d52323"


@pytest.mark.parametrize("order", ["columns", "", None, 28, ["rows"]])
def test_any_other_order_is_one_sentence(order, downloads):
    with pytest.raises(ValueError) as caught:
        load_mnist(order)
    assert str(caught.value) == (
        "load_mnist: order: expected one of ('rows', 'pixels14', 'pixels', 'permuted'); "
        + f"got {order!r}."
    )
    assert downloads == []  # said before any work


def test_nothing_is_kept_in_memory(tiny, home):
    save(cache_of(home), tiny)
    (x, y), _ = load_mnist()
    x[:], y[:] = 0.5, 11
    assert served(tiny)


# ---- the real MNIST


@needs_mnist
def test_the_digests_are_those_of_the_published_idx_files():
    published = {
        "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }
    with np.load(os.path.expanduser(REAL_FILE), allow_pickle=False) as archive:
        for name, digest in published.items():
            array = archive[name]
            # An IDX file: two zero bytes, 8 for uint8, the rank, the sizes (big-endian), the bytes.
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            assert hashlib.sha256(header + array.tobytes()).hexdigest() == digest
            assert hashlib.sha256(array.tobytes()).hexdigest() == data.SHA256[name]
            assert (array.shape, array.dtype) == (data.SHAPES[name], np.uint8)


@needs_mnist
def test_the_real_file_is_served_without_a_word(monkeypatch, downloads, capfd):
    monkeypatch.setenv("RNNCELLS_MNIST", REAL_FILE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (x_train, y_train), (x_test, y_test) = load_mnist()
    assert (x_train.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert x_train.mean() == pytest.approx(0.1307, abs=1e-4)  # the mean that everyone quotes
    assert downloads == []
    assert capfd.readouterr() == ("", "")


@needs_mnist
def test_another_data_set_of_the_same_shape_is_refused(monkeypatch, tmp_path):
    """As Fashion-MNIST would be, or MNIST with one pixel changed."""
    with np.load(os.path.expanduser(REAL_FILE), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in data.SHAPES}
    arrays["x_train"][31337, 14, 14] ^= 1
    path = tmp_path / "other.npz"
    np.savez(path, **arrays)
    monkeypatch.setenv("RNNCELLS_MNIST", str(path))
    with pytest.raises(ValueError, match="expected MNIST's x_train, SHA-256 741c9888"):
        load_mnist()


def test_the_shapes_are_mnists():
    assert data.SHAPES == {
        "x_train": (60000, 28, 28),
        "y_train": (60000,),
        "x_test": (10000, 28, 28),
        "y_test": (10000,),
    }


# ---- which source serves


def test_the_variable_comes_before_the_cache(tiny, home, tmp_path, monkeypatch, downloads):
    save(cache_of(home), {"bad": tiny["x_test"]})
    path = save(tmp_path / "mine.npz", tiny)
    monkeypatch.setenv("RNNCELLS_MNIST", str(path))
    assert served(tiny)
    assert mnist_file() == path
    assert downloads == []


def test_the_cache_comes_before_a_download(tiny, home, downloads):
    save(cache_of(home), tiny)
    assert served(tiny)
    assert mnist_file() == cache_of(home)
    assert downloads == []


def test_an_empty_variable_is_no_variable(tiny, home, monkeypatch):
    save(cache_of(home), tiny)
    monkeypatch.setenv("RNNCELLS_MNIST", "")
    assert served(tiny)
    assert mnist_file() == cache_of(home)


@pytest.mark.parametrize("variable", ["RNNCELLS_MNIST", "KERAS_HOME", "the default"])
def test_a_tilde_is_the_users_home(variable, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))  # Windows
    cached = {"KERAS_HOME": "kh/datasets/mnist.npz", "the default": ".keras/datasets/mnist.npz"}
    path = save(tmp_path / "user" / cached.get(variable, "mine.npz"), tiny)
    monkeypatch.delenv("KERAS_HOME")
    if variable == "RNNCELLS_MNIST":
        monkeypatch.setenv(variable, "~/mine.npz")
    if variable == "KERAS_HOME":
        monkeypatch.setenv(variable, "~/kh")
    assert served(tiny)
    assert mnist_file() == path


def test_a_relative_path_is_named_in_full(tiny, tmp_path, monkeypatch):
    """A notebook runs in its own folder: the sentence says where it looked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RNNCELLS_MNIST", "mine.npz")
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist()
    assert str(tmp_path / "mine.npz") in str(caught.value)
    save(tmp_path / "mine.npz", tiny)
    assert served(tiny)


def test_arrays_in_another_order_of_memory_and_extra_arrays_are_fine(tiny, home):
    arrays = {name: np.asfortranarray(array) for name, array in tiny.items()}
    save(cache_of(home), {**arrays, "note": np.arange(3)})
    assert served(tiny)


def test_mnist_file_does_not_download(downloads):
    assert mnist_file() is None
    assert downloads == []


# ---- bad files


def truncated(path, arrays):
    save(path, arrays)
    path.write_bytes(path.read_bytes()[:1000])


def damaged(path, arrays):
    """A whole zip archive with one byte changed in the middle of x_train."""
    np.savez(path, **arrays)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)


def pickled(path, arrays):
    save(path, {**arrays, "x_train": np.array([Bomb(), None], dtype=object)})


class Bomb:
    """An object that says so if it is ever unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def not_an_array(path, arrays):
    save(path, {name: array for name, array in arrays.items() if name != "y_test"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y_test", "1,2,3")


def one_array(path, arrays):
    with open(path, "wb") as file:
        np.save(file, arrays["x_train"])


def without(name):
    return lambda path, arrays: save(path, {k: a for k, a in arrays.items() if k != name})


def with_one(name, change):
    return lambda path, arrays: save(path, {**arrays, name: change(arrays[name])})


ARCHIVE = "expected an .npz archive of plain arrays x_train, y_train, x_test, y_test"
BAD_FILES = {
    # name: how to make it, the error, what was expected, what came
    "missing": (lambda path, _: None, FileNotFoundError, ARCHIVE, "got: No such file or directory"),
    "directory": (lambda path, _: path.mkdir(), OSError, ARCHIVE, "got: "),
    "empty": (
        lambda path, _: path.write_bytes(b""),
        ValueError,
        ARCHIVE,
        "got: 0 bytes that are not a whole .npz archive",
    ),
    "foreign": (
        lambda path, _: path.write_text("<html>Log in to the network</html>"),
        ValueError,
        ARCHIVE,
        "got: 34 bytes that are not a whole .npz archive",
    ),
    "truncated": (truncated, ValueError, ARCHIVE, "got: 1,000 bytes that are not a whole"),
    "damaged": (damaged, ValueError, ARCHIVE, "got: Bad CRC-32 for file 'x_train.npy'"),
    "one array": (one_array, ValueError, ARCHIVE, "bytes that are not a whole .npz archive"),
    "pickled": (pickled, ValueError, ARCHIVE, "got: Object arrays cannot be loaded when allow_pi"),
    "no arrays": (
        lambda path, _: save(path, {}),
        ValueError,
        "expected an array x_train",
        "got none of that name",
    ),
    "one missing": (
        without("y_test"),
        ValueError,
        "expected an array y_test",
        "got none of that name",
    ),
    "not an array": (not_an_array, ValueError, "expected y_test of shape (4,)", "got shape ()"),
    "wrong shape": (
        with_one("x_train", lambda x: x[:5]),
        ValueError,
        "expected x_train of shape (6, 28, 28), uint8",
        "got shape (5, 28, 28), uint8",
    ),
    "wrong rank": (
        with_one("x_test", lambda x: x.reshape(4, 784)),
        ValueError,
        "expected x_test of shape (4, 28, 28), uint8",
        "got shape (4, 784), uint8",
    ),
    "wrong dtype": (
        with_one("y_train", lambda y: y.astype(np.int64)),
        ValueError,
        "expected y_train of shape (6,), uint8",
        "got shape (6,), int64",
    ),
    "signed": (
        with_one("x_train", lambda x: x.view(np.int8)),  # the same bytes
        ValueError,
        "expected x_train of shape (6, 28, 28), uint8",
        "got shape (6, 28, 28), int8",
    ),
    **{
        f"other {name}": (
            with_one(name, lambda a: a[::-1]),
            ValueError,
            f"expected MNIST's {name}, SHA-256 ",
            "got SHA-256 ",
        )
        for name in TINY_SHAPES
    },
}
REMEDIES = {
    "variable": "; set RNNCELLS_MNIST to the path of mnist.npz, or unset it.",
    "cache": "; delete it, and the next call downloads it again.",
}
CASES = itertools.product(BAD_FILES, REMEDIES)


def assert_four_parts(error, path, expected, got, remedy):
    """One line that starts with the file, then what was expected, what came, what to do."""
    message = str(error)
    assert message.startswith(f"{path}: expected ")
    assert message.endswith(remedy)
    assert "\n" not in message and "  " not in message
    assert message.index(expected) < message.index(got) < message.index(remedy)


@pytest.mark.parametrize("call", [load_mnist, mnist_file])
@pytest.mark.parametrize("kind, where", [c for c in CASES if c != ("missing", "cache")])
def test_a_bad_file_is_one_sentence(
    kind, where, call, tiny, home, tmp_path, monkeypatch, downloads
):
    make, error, expected, got = BAD_FILES[kind]
    path = cache_of(home)
    path.parent.mkdir()
    if where == "variable":
        save(path, tiny)  # a good cache, which must not serve in its place
        path = tmp_path / "mine.npz"
        monkeypatch.setenv("RNNCELLS_MNIST", str(path))
    make(path, tiny)
    before = files_below(tmp_path)
    with pytest.raises(error) as caught:
        call()
    assert_four_parts(caught.value, path, expected, got, REMEDIES[where])
    assert files_below(tmp_path) == before
    assert downloads == []


def test_a_bad_file_is_closed_again(tiny, home, recwarn):
    for make in (truncated, damaged, pickled):
        cache_of(home).parent.mkdir(exist_ok=True)
        make(cache_of(home), tiny)
        with pytest.raises(ValueError):
            mnist_file()
    assert [w for w in recwarn if w.category is ResourceWarning] == []


def test_a_file_that_may_not_be_read(tiny, home, monkeypatch):
    path = save(cache_of(home), tiny)

    def refuse(*args):
        raise PermissionError(13, "Permission denied", *args[:1])

    monkeypatch.setattr(data, "open", refuse, raising=False)  # root may read everything
    with pytest.raises(PermissionError) as caught:
        load_mnist()
    assert_four_parts(caught.value, path, ARCHIVE, "got: Permission denied", REMEDIES["cache"])
    assert caught.value.__cause__.errno == 13


# ---- downloads, with Keras's own get_file against a server on this machine


@pytest.fixture
def server(monkeypatch):
    """Sends ``reply`` (status, announced length, body), then stays silent for ``stall`` seconds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests.append(self.path)
            status, length, body = self.server.reply
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            self.server.released.wait(self.server.stall)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.stall, server.released = [], 0, threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/mnist.npz"
    monkeypatch.setattr(data, "MNIST_URL", url)
    monkeypatch.setattr(keras.utils, "get_file", GET_FILE)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


GET_FILE = keras.utils.get_file  # Keras's own, taken before a fixture replaces it


def npz_bytes(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_a_download_is_verified_kept_and_quiet(tiny, home, server, capfd):
    body = npz_bytes(tiny)
    server.reply = 200, len(body), body
    assert served(tiny)
    assert files_below(home) == {cache_of(home): body}  # and no folder of its own left
    assert os.listdir(home / "datasets") == ["mnist.npz"]
    assert mnist_file() == cache_of(home)
    assert served(tiny)
    assert len(server.requests) == 1  # the second time from the cache
    assert capfd.readouterr() == ("", "")  # a notebook's stored output stays as it is


def test_a_download_into_a_relative_home(tiny, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", "here")
    body = npz_bytes(tiny)
    server.reply = 200, len(body), body
    assert served(tiny)
    path = tmp_path / "here" / "datasets" / "mnist.npz"
    assert files_below(tmp_path) == {path: body}
    assert mnist_file() == path


def failed_download(home):
    """The warning of a ``load_mnist`` whose download failed, seen to leave nothing behind."""
    with pytest.warns(UserWarning, match="MNIST could not be had") as caught:
        load_mnist()
    assert not (home / "datasets").exists() or os.listdir(home / "datasets") == []
    assert files_below(home) == {}
    assert mnist_file() is None
    assert socket.getdefaulttimeout() is None
    (warning,) = caught
    return str(warning.message)


@pytest.mark.parametrize(
    "length, cut, reason",
    [
        (2, 2, "retrieval incomplete: got only"),
        (1, 2, "bytes that are not a whole .npz archive; try again later"),
    ],
    ids=["the connection breaks", "the server says that half is all"],
)
def test_half_a_file(length, cut, reason, tiny, home, server):
    body = npz_bytes(tiny)
    server.reply = 200, len(body) * length // 2, body[: len(body) // cut]
    message = failed_download(home)
    assert reason in message
    assert data.MNIST_URL in message


def test_an_error_of_the_server(tiny, home, server):
    server.reply = 404, 0, b""
    assert "404 -- Not Found" in failed_download(home)


def test_another_file_than_mnist_from_the_server(tiny, home, server):
    body = npz_bytes({**tiny, "x_test": 255 - tiny["x_test"]})
    server.reply = 200, len(body), body
    message = failed_download(home)
    assert f"{data.MNIST_URL}: expected MNIST's x_test" in message
    assert str(home) not in message  # the file is gone: its name would help nobody


def test_a_server_that_falls_silent(tiny, home, server, monkeypatch):
    monkeypatch.setattr(data, "TIMEOUT", 0.3)
    body = npz_bytes(tiny)
    server.reply, server.stall = (200, len(body), body[:100]), 8
    start = time.monotonic()
    assert "timed out" in failed_download(home)
    assert time.monotonic() - start < 4


def test_the_timeout_of_the_process_comes_back(tiny, home, server):
    body = npz_bytes(tiny)
    server.reply = 200, len(body), body
    socket.setdefaulttimeout(77)
    try:
        load_mnist()
        assert socket.getdefaulttimeout() == 77
    finally:
        socket.setdefaulttimeout(None)
    assert 1 <= data.TIMEOUT <= 30


def test_a_folder_that_cannot_be_made(tiny, home, downloads):
    (home / "datasets").write_text("a file")
    before = files_below(home)
    with pytest.warns(UserWarning, match="MNIST could not be had .*datasets"):
        load_mnist()
    assert files_below(home) == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_download_leaves_nothing(stop, tiny, home, monkeypatch):
    seen = []

    def get_file(fname, origin, cache_subdir):
        half = Path(cache_subdir, fname)
        half.write_bytes(b"PK half")
        seen.append(half)
        assert mnist_file() is None  # half a file is never where another process looks
        raise stop

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(stop):
        load_mnist()
    assert len(seen) == 1
    assert home in seen[0].parents  # the same file system: moved in one step
    assert os.listdir(home / "datasets") == []
    assert socket.getdefaulttimeout() is None


# ---- the stand-in


@pytest.fixture
def thousands(monkeypatch):
    """A stand-in large enough to judge and small enough to be quick."""
    shapes = {"x_train": (4000, 28, 28), "y_train": (4000,)}
    monkeypatch.setattr(data, "SHAPES", {**shapes, "x_test": (1000, 28, 28), "y_test": (1000,)})


def test_the_stand_in_has_mnists_counts_and_shapes():
    start = time.process_time()
    arrays = data._stand_in()
    assert time.process_time() - start < 5
    assert {name: a.shape for name, a in arrays.items()} == data.SHAPES
    assert {a.dtype for a in arrays.values()} == {np.dtype(np.uint8)}
    for split in ("train", "test"):
        assert arrays[f"x_{split}"].min() == 0 and arrays[f"x_{split}"].max() > 240
        assert len(np.unique(arrays[f"x_{split}"])) > 100  # enlarged smoothly: 17 greys before
        share = np.bincount(arrays[f"y_{split}"], minlength=10) / len(arrays[f"y_{split}"])
        assert share.shape == (10,) and (share > 0.08).all()


def test_the_stand_in_takes_the_same_path_as_mnist(thousands):
    with pytest.warns(UserWarning):
        (rows, y_train), (x_test, y_test) = load_mnist()
        (permuted, _), _ = load_mnist("permuted")
    assert (rows.shape, x_test.shape) == ((4000, 28, 28), (1000, 28, 28))
    assert (rows.dtype, y_train.dtype, y_test.dtype) == (np.float32, np.uint8, np.uint8)
    assert 0.9 < rows.max() <= 1.0
    pixels = rows.reshape(4000, 784, 1)
    np.testing.assert_array_equal(permuted, pixels[:, data.PERMUTATION])


def test_the_stand_in_is_the_same_in_every_run(thousands):
    first, second = data._stand_in(), data._stand_in()
    np.random.seed(5)
    third = data._stand_in()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_array_equal(first[name], third[name])


def ink(image):
    """The digit without its margins: what a shift does not change."""
    rows, columns = image.any(axis=1), image.any(axis=0)
    return image[rows][:, columns].tobytes()


def test_no_original_is_in_both_splits(thousands):
    arrays = data._stand_in()
    train, test = ({ink(x) for x in arrays[f"x_{split}"]} for split in ("train", "test"))
    assert len(train) > 1000 and len(test) > 200
    assert train & test == set()


def test_the_stand_in_is_shifted(thousands):
    """Each digit in one place of 49, whole, and in the middle on the whole."""
    images = data._stand_in()["x_train"]
    places = {}
    for image in images:
        top, left = image.any(axis=1).argmax(), image.any(axis=0).argmax()
        places.setdefault(ink(image), set()).add((top, left))
    for place in places.values():
        assert np.ptp(list(place), axis=0).max() <= 6
    assert max(map(len, places.values())) > 2
    assert not images[:, [0, -1]].any() and not images[:, :, [0, -1]].any()
    middle = np.average(np.arange(28), weights=images.sum(axis=(0, 2)))
    assert middle == pytest.approx(13.5, abs=0.5)


def test_the_stand_ins_labels_belong_to_its_images(thousands):
    from sklearn.neighbors import KNeighborsClassifier

    arrays = data._stand_in()
    model = KNeighborsClassifier(1).fit(arrays["x_train"].reshape(4000, 784), arrays["y_train"])
    assert model.score(arrays["x_test"].reshape(1000, 784), arrays["y_test"]) > 0.8


def test_the_stand_in_is_announced_in_one_line(tiny, capfd):
    with pytest.warns(UserWarning) as caught:
        load_mnist()
    (warning,) = caught
    assert str(warning.message) == (
        "MNIST could not be had (URL fetch failure on https://host/mnist.npz: None -- Name or "
        "service not known): using scikit-learn's 1,797 real digits, enlarged, in its place; "
        "set RNNCELLS_MNIST to the path of mnist.npz."
    )
    assert capfd.readouterr().out == ""


def test_the_stand_in_is_announced_once(tiny):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")  # as Python does by itself
        for order in ("rows", "pixels"):
            load_mnist(order)
        load_mnist()
    assert len(shown) == 1


def test_the_announcement_can_be_silenced_by_name(tiny, capfd):
    """PYTHONWARNINGS=ignore::UserWarning:rnncells.book.data, for a notebook that is compared."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=UserWarning, module=r"rnncells\.book\.data\Z")
        load_mnist()
    assert shown == []
    assert capfd.readouterr() == ("", "")


def test_an_error_without_a_text_still_gives_a_reason(tiny, monkeypatch):
    def get_file(*args, **kwargs):
        raise TimeoutError

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.warns(UserWarning, match=r"could not be had \(TimeoutError\)"):
        load_mnist()


def test_without_scikit_learn_there_is_one_sentence(tiny, home, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # its import raises ImportError
    with pytest.raises(ImportError) as caught:
        load_mnist()
    message = str(caught.value)
    assert message.startswith("MNIST could not be had (URL fetch failure")
    assert "expected MNIST or scikit-learn; got neither (" in message
    assert message.endswith("set RNNCELLS_MNIST to the path of mnist.npz, or install scikit-learn.")
    assert "\n" not in message
    assert files_below(home) == {}
    assert data.main() == 1
    assert capsys.readouterr() == ("", message + "\n")


# ---- python -m rnncells.book.data


def run_as_program():
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(data.__file__, run_name="__main__")
    return caught.value.code


def test_the_program_names_the_verified_file(tiny, home, capfd):
    save(cache_of(home), tiny)
    assert data.main() == 0
    assert capfd.readouterr() == (f"MNIST: {cache_of(home)}, verified by SHA-256.\n", "")


def test_the_program_downloads(tiny, home, server, capfd):
    body = npz_bytes(tiny)
    server.reply = 200, len(body), body
    assert data.main() == 0
    assert capfd.readouterr() == (f"MNIST: {cache_of(home)}, verified by SHA-256.\n", "")
    assert mnist_file() == cache_of(home)


def test_the_program_says_that_the_stand_in_serves(capfd):
    assert run_as_program() == 0
    out, err = capfd.readouterr()
    assert out.startswith("MNIST could not be had (URL fetch failure")
    assert "using scikit-learn's 1,797 real digits" in out
    assert (out.count("\n"), err) == (1, "")


def test_the_program_fails_on_a_bad_variable(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("RNNCELLS_MNIST", str(tmp_path / "none.npz"))
    assert run_as_program() == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"{tmp_path / 'none.npz'}: expected an .npz archive")
    assert err.count("\n") == 1


def test_the_import_is_light():
    """numpy and the standard library: neither a back end nor scikit-learn."""
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('data', {data.__file__!r})\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print([m for m in ('keras', 'tensorflow', 'sklearn', 'scipy') if m in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")
