"""Runs the chapters' notebooks: stores their outputs, tests them, or moves their first weights.

store   execute from top to bottom and store the outputs
test    execute again and compare with the stored outputs (nbval)
ulp     execute with every initial weight moved by one unit in the last place, and compare the text
"""

import argparse
import base64
import difflib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"
SANITIZER = ROOT / "tests" / "nbval_sanitize.cfg"
CELL_TIMEOUT = 600  # seconds
# They begin first, so that two workers end together.
LONGEST = ("03", "09", "04", "05", "06", "08", "02", "10")

# Figures that the landing page and README show, by name: copied from the stored outputs.
SHOWN = {"fig-digits-part": ROOT / "_static" / "fig-digits-part.png"}

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

# The hidden first cell of the one-ulp test.
MOVE_WEIGHTS = """
import weakref as _weakref

import keras as _keras
import numpy as _np

def _moved(fit, seen=_weakref.WeakSet()):
    def fit_moved(self, x=None, *args, **kwargs):
        if self not in seen:
            if not self.built:
                self(x[:1])
            for weight in self.trainable_variables:
                value = _np.asarray(weight)
                weight.assign(_np.nextafter(value, _np.full_like(value, _np.inf)))
            seen.add(self)
        return fit(self, x, *args, **kwargs)
    return fit_moved

_keras.Model.fit = _moved(_keras.Model.fit)
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


def printed(cell):
    """The text of a cell's outputs, line by line, after nbval's sanitizers."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}")
        else:
            texts.append(output.data.get("text/plain", ""))
    text = "\n".join(texts)
    for pattern, replacement in get_sanitize_patterns(SANITIZER.read_text()):
        text = re.sub(pattern, replacement, text)
    return text.splitlines()


def ulp(paths):
    demand_mnist()
    total = 0
    for path in paths:
        start = time.monotonic()
        stored, moved = (nbformat.read(path, as_version=4) for _ in range(2))
        moved.cells.insert(0, nbformat.v4.new_code_cell(MOVE_WEIGHTS))
        execute(moved, path.stem)
        cells = list(zip(stored.cells, moved.cells[1:], strict=True))
        changed = [
            (before, after)
            for before, after in cells
            if before.cell_type == "code" and printed(before) != printed(after)
        ]
        total += len(changed)
        seconds = time.monotonic() - start
        print(
            f"{path.stem}: {len(changed)} cells print something else, {seconds:.0f} s", flush=True
        )
        for before, after in changed:
            name = f"{path.stem}, code cell {before.execution_count}"
            lines = printed(before), printed(after)
            diff = difflib.unified_diff(*lines, f"{name}, stored", "moved", n=1, lineterm="")
            print("\n".join(diff))
    sys.exit(1 if total else 0)


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
    return subprocess.run([*command, *map(str, longest_first(paths))], cwd=folder).returncode


def longest_first(paths):
    places = {number: place for place, number in enumerate(LONGEST)}
    return sorted(paths, key=lambda path: places.get(path.stem[:2], len(LONGEST)))


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
    arguments = parser.parse_args()
    os.environ |= ENVIRONMENT
    {"store": store, "test": test, "ulp": ulp}[arguments.command](find(arguments.names))


if __name__ == "__main__":
    main()
