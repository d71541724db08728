"""Tries an installed rnncells as a user does: `make dist` runs this where nothing else is near."""

import importlib.metadata
import importlib.util
import inspect
import re
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from pathlib import Path

import keras
import numpy as np

import rnncells
from rnncells import LSTMCell
from rnncells.book.trainings import load_ledger
from rnncells.testing import check_cell

# No custom_objects: a class that is registered is found by its name.
RELOAD = """
import sys, keras, numpy, rnncells
model = keras.models.load_model(sys.argv[1])
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), verbose=0))
"""


def demand(holds, sentence):
    if not holds:
        sys.exit(f"The smoke test found that {sentence}.")


def is_the_installed_one():
    here, site = Path(rnncells.__file__).resolve(), Path(sysconfig.get_path("purelib")).resolve()
    demand(site in here.parents, f"rnncells comes from {here.parent}, and not from {site}")
    version = importlib.metadata.version("rnncells")
    demand(version == rnncells.__version__, f"the metadata say {version}: {rnncells.__version__}")


def trains_and_comes_back(folder):
    """One step of training; saved, and loaded by another process."""
    x = np.random.default_rng(0).normal(size=(32, 5, 3)).astype("float32")
    model = keras.Sequential([keras.layers.RNN(LSTMCell(8)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    before = model.predict(x, verbose=0)
    model.fit(x, x[:, 0, :1], batch_size=32, verbose=0)
    after = model.predict(x, verbose=0)
    demand(
        np.isfinite(after).all() and (after != before).any(), "a step of training changes nothing"
    )
    names = [str(folder / name) for name in ("model.keras", "x.npy", "y.npy")]
    model.save(names[0])
    np.save(names[1], x)
    result = subprocess.run(
        [sys.executable, "-c", RELOAD, *names], capture_output=True, text=True, cwd=folder
    )
    demand(result.returncode == 0, f"a saved model cannot be loaded: {result.stderr[-500:]}")
    error = np.abs(np.load(names[2]) - after).max()
    demand(error < 1e-6, f"a saved model comes back {error} away")


def cells_of_ones_own_run():
    """The complete cells of the docstrings, as somebody types them who has only the wheel."""
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    for base in (rnncells.RNNCell, rnncells.AffineRNNCell, rnncells.DiagonalRNNCell):
        (program,) = re.findall(r"(?ms)^    class .*?\n\n", inspect.getdoc(base))
        scope = {"keras": keras, base.__name__: base, "__name__": "own"}
        exec(textwrap.dedent(program), scope)
        own = next(v for v in reversed(scope.values()) if isinstance(v, type))
        states = np.asarray(keras.layers.RNN(own(3))(x))
        demand(states.shape == (2, 3), f"{own.__name__} gives states of shape {states.shape}")


def plotting_asks_for_matplotlib():
    """Only where it is not installed, as in the environment that `make dist` makes."""
    if importlib.util.find_spec("matplotlib"):
        return
    try:
        importlib.import_module("rnncells.book.plotting")
    except ImportError as error:
        demand("matplotlib" in str(error), f"plotting without matplotlib says {error}")


def main():
    is_the_installed_one()
    with tempfile.TemporaryDirectory() as name:
        trains_and_comes_back(Path(name))
    check_cell(LSTMCell(4))
    cells_of_ones_own_run()
    runs = load_ledger()
    demand(runs, "the ledger is empty")
    plotting_asks_for_matplotlib()
    print(
        f"rnncells {rnncells.__version__} on Keras {keras.__version__} ({keras.backend.backend()}):"
        f" trained, saved, loaded elsewhere, check_cell passed, {len(runs)} runs in the ledger."
    )


if __name__ == "__main__":
    main()
