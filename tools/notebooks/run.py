"""Runs the chapters' notebooks: stores their outputs, tests them, or moves their first weights.

store   execute from top to bottom and store the outputs
test    execute again and compare with the stored outputs (nbval)
ulp     execute with every initial weight moved by one unit in the last place, in several
        directions: how far each cell's numbers move, and whether its declared tolerance holds
"""

import argparse
import base64
import copy
import difflib
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"
SANITIZER = ROOT / "tests" / "nbval_sanitize.cfg"
CELL_TIMEOUT = 600  # seconds

# The plugin lies with the chapters, where pytest finds it: its comparison is the one that counts.
_spec = importlib.util.spec_from_file_location("tolerance", CHAPTERS / "conftest.py")
tolerance = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tolerance)

# Figures that the landing page and README show, by name: copied from the stored outputs.
SHOWN = {
    "fig-digits-part": ROOT / "_static" / "fig-digits-part.png",
    "fig-one-matrix": ROOT / "_static" / "fig-one-matrix.png",
}

# What the kernels inherit, so that a stored output holds no log and does not change.
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "KERAS_BACKEND": "tensorflow",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # Python 3.13's debugger warns on stderr without it
    "PYTEST_CURRENT_TEST": "notebooks",  # ipykernel then leaves the C++ libraries' stderr alone
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}

# The hidden first cell of a one-ulp run. It moves the weights of each Keras model at its first
# `fit`, and those that a loop of one's own takes gradients for in a `tf.function`, while that is
# traced. A gradient outside a `tf.function` is an inspection and moves nothing.
MOVE_WEIGHTS = """
import keras as _keras
import numpy as _np
import tensorflow as _tf

_random = _np.random.default_rng({seed})

def _move(weights):
    for weight in weights:
        if hasattr(weight, "assign") and not hasattr(weight, "_moved"):
            weight._moved = True
            value = weight.numpy()
            towards = _np.where(_random.random(value.shape) < {share}, _np.inf, -_np.inf)
            weight.assign(_np.nextafter(value, towards.astype(value.dtype)))

def _moving_fit(fit):
    def moved(self, *args, **kwargs):
        if self.built:
            _move(self.trainable_variables)
        return fit(self, *args, **kwargs)
    return moved

def _moving_gradient(gradient):
    def moved(self, target, sources, *args, **kwargs):
        if _tf.inside_function():
            with _tf.init_scope():
                _move(_tf.nest.flatten(sources))
        return gradient(self, target, sources, *args, **kwargs)
    return moved

_keras.Model.fit = _moving_fit(_keras.Model.fit)
_tf.GradientTape.gradient = _moving_gradient(_tf.GradientTape.gradient)
"""


def find(names):
    """The chapters whose file names start with one of `names` (03 will do), or all of them."""
    everything = sorted(CHAPTERS.glob("*.ipynb"))
    if not everything:
        sys.exit("There are no notebooks in chapters/.")
    for name in names:
        if not any(path.stem.startswith(name) for path in everything):
            sys.exit(f"There is no notebook {name} in chapters/.")
    return [path for path in everything if not names or path.stem.startswith(tuple(names))]


def mnist_is_real():
    """Whether MNIST itself is here, once a download has been tried; says what serves."""
    from rnncells.book import data  # takes seconds, and --help need not wait for it

    if data.main() != 0:
        sys.exit(1)
    return data.mnist_file() is not None


def demand_mnist():
    if not mnist_is_real():
        sys.exit("Stored outputs need MNIST itself: set RNNCELLS_MNIST to a copy of mnist.npz.")


def execute(notebook, name):
    """Runs `notebook` in place in a fresh kernel; a failing cell ends the program."""
    running = []
    client = NotebookClient(
        notebook,
        kernel_name="python3",  # of the environment that runs this program
        timeout=CELL_TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--InteractiveShell.xmode=Minimal"],  # an error is its message, no paths
        resources={"metadata": {"path": str(CHAPTERS)}},
        on_cell_start=lambda cell, cell_index: running.append(cell),
    )
    try:
        client.execute(stderr=subprocess.DEVNULL)
    except Exception as error:  # a dead kernel and a timeout are reported in the same way
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        number = code.index(running[-1]) + 1 if running else 0
        what = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else error
        sys.exit(f"{name}, code cell {number}: {what}\nNothing was written.")
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        raised = any(output.output_type == "error" for output in cell.outputs)
        if "raises-exception" in cell.metadata.get("tags", []) and not raised:
            sys.exit(f"{name}, code cell {number}: tagged raises-exception, but did not raise.")


def normalise(notebook):
    """Keeps what a reader sees and drops what changes from run to run or machine to machine."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def shared_ids(path, notebook):
    """Cell ids that occur twice in `notebook` or also in another chapter."""
    ids = [cell.id for cell in notebook.cells]
    for other in find([]):
        if other != path:
            ids += {cell.get("id") for cell in nbformat.read(other, as_version=4).cells}
    return sorted({id for id in ids if id and ids.count(id) > 1} & {c.id for c in notebook.cells})


def figures(notebook):
    """The named figures of a notebook and their PNG images."""
    for cell in notebook.cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", []):
            if name and "image/png" in output.get("data", {}):
                yield name, base64.b64decode(output.data["image/png"])


def store(paths):
    demand_mnist()
    for path in paths:
        start = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        if clash := shared_ids(path, notebook):
            sys.exit(f"{path.stem}: cell ids are not unique in the book: {', '.join(clash)}.")
        execute(notebook, path.stem)
        normalise(notebook)
        nbformat.validate(notebook)
        temporary = path.with_suffix(".ipynb.tmp")
        nbformat.write(notebook, temporary)
        os.replace(temporary, path)
        for name, image in figures(notebook):
            if name in SHOWN:
                SHOWN[name].write_bytes(image)
        print(f"{path.stem}: stored, {time.monotonic() - start:.0f} s", flush=True)


def compared(cell):
    """The texts that nbval compares of a cell's outputs, after its sanitizers."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        texts += [output.get("text", ""), output.get("evalue", "")]
        texts += [data.get(kind, "") for kind in ("text/plain", "text/html")]
    for pattern, replacement in get_sanitize_patterns(SANITIZER.read_text()):
        texts = [re.sub(pattern, replacement, text) for text in texts]
    return texts


def directions(count):
    """Up, down, then a sign at random for each weight: names and first cells that move so."""
    for number in range(count):
        name = ("up", "down")[number] if number < 2 else f"random {number - 1}"
        share = (1, 0)[number] if number < 2 else 0.5  # of the weights that move up
        yield name, MOVE_WEIGHTS.format(seed=number, share=share)


def movement(new, stored):
    """How far a text's numbers moved, absolute and relative; None where anything else changed."""
    parts, stored_parts = (tolerance.NUMBER.split(text) for text in (new, stored))
    if len(parts) != len(stored_parts):
        return None
    largest = [0.0, 0.0]
    for place, (a, b) in enumerate(zip(parts, stored_parts, strict=True)):
        if place % 2 and tolerance.is_near(a, b, {"absolute": math.inf}):
            a, b = map(tolerance.value, (a, b))
            difference = abs(a - b)
            relative = difference / abs(b) if b else math.inf * bool(difference)
            largest = [max(largest[0], difference), max(largest[1], relative)]
        elif a != b and (place % 2 or not tolerance.same_words(a, b)):
            return None
    return largest


def proposed(moved):
    """One and a half times a movement, rounded up to one digit."""
    unit = 10.0 ** math.floor(math.log10(1.5 * moved))
    return float(f"{math.ceil(1.5 * moved / unit * (1 - 1e-9)) * unit:.0e}")


def moved_cell(name, cell, runs):
    """What to print of a cell in which something moved, and whether nbval accepts every run.

    `runs` holds what `compared` gives for the cell, by direction.
    """
    stored, declared = compared(cell), cell.metadata.get("tolerance")
    largest, diff = [0.0, 0.0], []
    for direction, texts in runs.items():
        same_length = len(texts) == len(stored)
        found = [movement(*pair) for pair in zip(texts, stored, strict=True)] if same_length else []
        largest = [max(values) for values in zip(largest, *filter(None, found), strict=True)]
        if declared and same_length:
            texts = [
                tolerance.near_text(*pair, declared) for pair in zip(texts, stored, strict=True)
            ]
        if texts != stored and not diff:
            lines = ["\n".join(filter(None, some)).splitlines() for some in (stored, texts)]
            diff = list(difflib.unified_diff(*lines, "stored", direction, n=0, lineterm=""))
    if not any(largest) and not diff:
        return [], True
    said = json.dumps(declared) if declared else "nothing"
    line = f"{name}: moved by {largest[0]:.2g}, relative {largest[1]:.2g}; declares {said}"
    if diff and any(largest):
        kinds = zip(tolerance.KINDS, largest, strict=True)
        hold = [json.dumps({kind: proposed(most)}) for kind, most in kinds if most < math.inf]
        line += f"; its numbers need {' or '.join(hold)}"
    return [line, *diff], not diff


def ulp(paths, count=3):
    demand_mnist()
    failed = 0
    for path in paths:
        start = time.monotonic()
        notebook, runs = nbformat.read(path, as_version=4), {}
        for direction, first in directions(count):
            run = copy.deepcopy(notebook)
            run.cells.insert(0, nbformat.v4.new_code_cell(first))
            execute(run, path.stem)
            runs[direction] = {cell.id: compared(cell) for cell in run.cells if "outputs" in cell}
        bad = 0
        for number, cell in enumerate((c for c in notebook.cells if "outputs" in c), start=1):
            texts = {direction: texts[cell.id] for direction, texts in runs.items()}
            lines, fine = moved_cell(f"{path.stem}, code cell {number}", cell, texts)
            print(*lines, sep="\n", end="\n" if lines else "")
            bad += not fine
        failed += bad
        seconds = time.monotonic() - start
        print(
            f"{path.stem}: {bad} cells move beyond what they declare, {seconds:.0f} s", flush=True
        )
    sys.exit(1 if failed else 0)


NUMBERS = {"a": 1, "two": 2, "three": 3}


def minutes(path):
    """What the chapter says under "Time to run", roughly."""
    text = "".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    said = re.search(r"Time to run\W*(.*?)minute(.*?)\.", text)
    if not said or re.search("under|less", said[1]):
        return 0
    numbers = [NUMBERS.get(word, 0) for word in said[1].split()]
    return max(numbers, default=0) + ("half" in said[0]) / 2


def compare(paths, python, folder):
    """nbval in `folder`; what was trained on MNIST is not compared where only the stand-in is."""
    command = [python, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    command += [f"--nbval-sanitize-with={SANITIZER}", f"--nbval-cell-timeout={CELL_TIMEOUT}"]
    command += ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-p", "no:cacheprovider"]
    if not mnist_is_real():
        print(
            "So cells tagged `mnist` are executed, and their outputs are not compared.", flush=True
        )
        command += ["-p", "tools.notebooks.nbval_standin"]
        said = "ignore::UserWarning:rnncells.book.data"  # once, above
        others = os.environ.get("PYTHONWARNINGS")
        os.environ["PYTHONWARNINGS"] = f"{others},{said}" if others else said
    paths = sorted(paths, key=minutes, reverse=True)  # or a long one would run alone at the end
    return subprocess.run([*command, *map(str, paths)], cwd=folder).returncode


def test(paths):
    sys.exit(compare(paths, sys.executable, ROOT))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["store", "test", "ulp"])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="chapters; all where none is named"
    )
    parser.add_argument("--directions", type=int, default=3, help="of ulp, up and down first (3)")
    arguments = parser.parse_args()
    os.environ |= ENVIRONMENT
    commands = {"store": store, "test": test, "ulp": partial(ulp, count=arguments.directions)}
    commands[arguments.command](find(arguments.names))


if __name__ == "__main__":
    main()
