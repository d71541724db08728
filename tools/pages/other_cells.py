"""Writes chapters/other_cells.md: what check_cell says of the cells that others have published.

    python tools/pages/other_cells.py

Each package is installed from the registry into a folder of its own, without its dependencies, and
each cell and program runs in a process of its own, beside this environment's Keras.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "chapters" / "other_cells.md"
FOLDER = ROOT / "_build" / "other_cells"


@dataclasses.dataclass
class Cell:
    """``programs``: by check, a few lines of plain Keras that show the same.

    ``notes``: (a sentence, a program) for what a user may meet beside them. ``upstream``: where
    the authors were told, and what they answered.
    """

    name: str
    imports: str
    make: str
    programs: dict
    notes: list
    upstream: str = ""


@dataclasses.dataclass
class Package:
    name: str
    version: str
    what: str
    cells: list
    needs: tuple = ()


SAVED = """\
import keras
{imports}
model = keras.Sequential([keras.Input((5, 3)), keras.layers.RNN({make})])
model.save("model.keras")
keras.models.load_model("model.keras")
print("loaded")"""
FLOAT = """\
import keras, numpy as np
{imports}
cell = {typed}
layer = keras.layers.RNN(cell, dtype="{dtype}")
print(layer(np.ones((2, 5, 3))).dtype)"""
CALLED = """\
import numpy as np
{imports}
cell = {typed}
output, _ = cell(np.ones((2, 3)), [np.zeros((2, 8))])
print("a cell of", cell.dtype, "with an output of", output.dtype.name)"""
POLICY = """\
import keras, numpy as np
{imports}
keras.config.set_dtype_policy("{dtype}")
layer = keras.layers.RNN({make})
print(layer(np.ones((2, 5, 3))).dtype)"""
RUN = """\
import keras, numpy as np
{imports}
layer = keras.layers.RNN({make})
print(layer(np.ones((2, 5, 3))).shape)"""


def program(template, imports, make, **more):
    typed = make[:-1] + f', dtype="{more.get("dtype")}")'
    return template.format(imports=imports, make=make, typed=typed, **more)


def cell(
    name,
    imports,
    make,
    config=None,
    float64=False,
    mixed=False,
    others=None,
    notes=(),
    upstream="",
):
    programs = {}
    if config:
        programs["config_makes_the_same_cell"] = program(config, imports, make)
    for check, dtype, wanted in (
        ("float64_is_float64", "float64", float64),
        ("mixed_precision_computes_in_half", "mixed_bfloat16", mixed),
    ):
        if wanted:
            template = FLOAT if wanted is True else wanted
            programs[check] = program(template, imports, make, dtype=dtype)
    programs |= {c: program(t, imports, make) for c, t in (others or {}).items()}
    notes = [(said, program(template, imports, make, dtype="float64")) for said, template in notes]
    return Cell(name, imports, make, programs, notes, upstream)


UNPACKED = """\
import numpy as np
{imports}
output, (h,) = {make}(np.ones((2, 3)), [np.zeros((2, 8))])"""
COUNTED = """\
import keras, numpy as np
{imports}
layer = keras.layers.RNN({make})
layer.build((None, 5, 3))
before = len(layer.weights)
layer(np.ones((2, 5, 3)))
print(before, "weights after build,", len(layer.weights), "after a call")"""
MOVED = """\
import keras, numpy as np
{imports}
layer, x = keras.layers.RNN({make}), np.ones((2, 5, 3))
before, weight = layer(x), layer.cell.sub_tkan_recurrent_kernel_states
weight.assign(weight + 10)
print("outputs changed by", float(abs(layer(x) - before).numpy().max()))"""
APPENDED = """\
{imports}
cell = {make}
cell.build((None, 3))
cell.get_config()["sub_kan_configs"].append("mine")
print(cell.get_config()["sub_kan_configs"][-1])"""

MASKED = """\
import keras, numpy as np
{imports}
layer = keras.layers.RNN({make})
layer(np.ones((2, 5, 3)), mask=np.ones((2, 5), bool))"""
WEIGHTS_ONLY = (
    "Reported as issues 7, 36 and 54 of mlech26l/ncps; the author answers there that saving whole "
    "models is not supported, and that the weights alone can be saved and loaded."
)

PACKAGES = [
    Package(
        "ncps",
        "1.0.1",
        "closed-form and liquid time-constant networks",
        [
            cell(
                "CfCCell",
                "from ncps.keras import CfCCell",
                "CfCCell(4)",
                notes=[
                    (
                        "Every check passes. They make the cell under a global dtype policy. A "
                        "dtype that is given to the cell alone does not reach the layers in it:",
                        FLOAT,
                    )
                ],
            ),
            cell(
                "LTCCell",
                "from ncps.keras import LTCCell\nfrom ncps.wirings import FullyConnected",
                "LTCCell(FullyConnected(4))",
                SAVED,
                True,
                True,
                upstream=WEIGHTS_ONLY,
            ),
            cell(
                "WiredCfCCell",
                "from ncps.keras import WiredCfCCell\nfrom ncps.wirings import AutoNCP",
                "WiredCfCCell(AutoNCP(8, 2))",
                SAVED,
                mixed=POLICY,
                others={"states_come_in_a_list": UNPACKED},
                notes=[
                    (
                        "With a dtype that is given to the cell alone, nothing raises, and the "
                        "step is computed in float32:",
                        CALLED,
                    )
                ],
                upstream=WEIGHTS_ONLY,
            ),
            cell(
                "MixedMemoryRNN",
                "from ncps.keras import CfCCell, MixedMemoryRNN",
                "MixedMemoryRNN(CfCCell(4))",
                SAVED,
                others={"states_come_in_a_list": MASKED},
                upstream=WEIGHTS_ONLY,
            ),
        ],
        needs=("future==1.0.0",),
    ),
    Package(
        "keras-lmu",
        "0.9.0",
        "Legendre memory units",
        [
            cell(
                "LMUCell",
                "from keras_lmu import LMUCell",
                "LMUCell(1, 4, 5, hidden_cell=None)",
                mixed=True,
            )
        ],
    ),
    Package(
        "tkan",
        "0.4.3",
        "temporal Kolmogorov-Arnold networks",
        [
            cell(
                "TKANCell",
                "from tkan.tkan import TKANCell",
                "TKANCell(4, sub_kan_output_dim=1, sub_kan_input_dim=1)",
                float64=True,
                mixed=True,
                others={"every_weight_matters": MOVED, "config_is_a_copy": APPENDED},
            )
        ],
        needs=("keras-efficient-kan==0.1.10",),
    ),
    Package(
        "keras-layernorm-rnn",
        "0.2.1",
        "layer normalization inside the LSTM and the simple cell",
        [
            cell(
                "LayernormLSTM1Cell",
                "from keras_layernorm_rnn import LayernormLSTM1Cell",
                "LayernormLSTM1Cell(4)",
                others={"weights_are_made_in_build": COUNTED},
            ),
            cell(
                "LayernormSimpleRNNCell",
                "from keras_layernorm_rnn import LayernormSimpleRNNCell",
                "LayernormSimpleRNNCell(4)",
                others={"call_takes_one_step": RUN},
            ),
        ],
    ),
    Package(
        "keras-spiking",
        "0.3.0",
        "spiking activations and low-pass filters, written for Keras 2",
        [
            cell(
                "LowpassCell",
                "from keras_spiking.layers import LowpassCell",
                "LowpassCell(3, 0.1)",
                others={"state_size_is_declared": RUN},
            ),
            cell(
                "SpikingActivationCell",
                "from keras_spiking.layers import SpikingActivationCell",
                'SpikingActivationCell(3, "relu")',
                others={"state_size_is_declared": RUN},
            ),
        ],
    ),
]

KERAS = {
    "One cell object in two layers: the model is saved and cannot be loaded": """\
import keras
cell, x = keras.layers.GRUCell(3), keras.Input((5, 3))
h = keras.layers.RNN(cell, return_sequences=True)(x)
keras.Model(x, keras.layers.RNN(cell)(h)).save("model.keras")
keras.models.load_model("model.keras")""",
    "`reset_state()` of a stateful layer with several cells": """\
import keras, numpy as np
cells = [keras.layers.GRUCell(4), keras.layers.GRUCell(4)]
layer = keras.layers.RNN(cells, stateful=True)
layer(np.ones((2, 5, 3)))
layer.reset_state()""",
    "`reset_state()` goes to zeros, not to the cell's own initial state": """\
import keras, numpy as np
class Ones(keras.layers.SimpleRNNCell):
    def get_initial_state(self, batch_size=None):
        return [keras.ops.ones((batch_size, 4))]
layer = keras.layers.RNN(Ones(4), stateful=True)
layer(np.ones((2, 5, 3)))
layer.reset_state()
print(float(np.max(layer.states[0])))""",
    "A matrix as state: a functional model with `return_state=True` cannot be run": """\
import keras, numpy as np
from keras import ops
class Matrix(keras.layers.Layer):
    state_size, output_size = [(2, 3)], 3
    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, 2, 3))]
    def call(self, inputs, states):
        return inputs, [states[0] + inputs[:, None]]
x = keras.Input((5, 3))
model = keras.Model(x, keras.layers.RNN(Matrix(), return_state=True)(x))
model.predict(np.ones((2, 5, 3)), verbose=0)""",
    "On JAX, a masked step holds the first state for the output": """\
import keras, numpy as np
class Cell(keras.layers.Layer):
    state_size = output_size = 1
    def call(self, inputs, states):
        return inputs, [states[0] + 1]
layer = keras.layers.RNN(Cell(), return_sequences=True)
mask = np.array([[1, 1, 1, 0, 0]], bool)
print(np.ravel(layer(7 * np.ones((1, 5, 1)), mask=mask)))""",
    "On PyTorch, a mask, `unroll=True` and `go_backwards=True` together raise": """\
import keras, numpy as np
layer = keras.layers.RNN(keras.layers.GRUCell(4), unroll=True, go_backwards=True)
layer(np.ones((2, 5, 3)), mask=np.ones((2, 5), bool))""",
    "On JAX, a cell that draws random numbers cannot be trained": """\
import keras, numpy as np
class Noisy(keras.layers.SimpleRNNCell):
    def call(self, inputs, states, training=False):
        return super().call(self.noise(inputs, training=training), states)
cell = Noisy(4)
cell.noise = keras.layers.GaussianNoise(0.1)
model = keras.Sequential([keras.Input((5, 3)), keras.layers.RNN(cell)])
model.compile("adam", "mse")
model.fit(np.ones((4, 5, 3)), np.ones((4, 4)), verbose=0)""",
}

OPENING = """\
# Other people's cells

`check_cell` is not only for cells that are written with this book. This page shows what its
version {kit} says of recurrent cells that other people have published on the Python Package Index,
and of a few things in Keras itself. A program writes the page: it installs each package beside
Keras {keras} and TensorFlow {tensorflow}, runs the checks, and then runs a few lines of plain Keras
that show the same finding without our package.

How to read it: most of these packages were written for research, years ago, and for an older Keras.
They do what their papers needed. A failed check says where a *new* use of the cell may surprise
you, such as half precision or loading a model from its file. It says nothing about the quality of
the idea, or about the accuracy of the model. If you use one of these cells, run
`python -m rnncells.testing package.module:Cell` with your own version, since a newer one may have
repaired what you read here.

| cell | package | passed | failed | not reached or skipped |
|---|---|---|---|---|
{table}

"Not reached" are checks that a failed one makes impossible or explains.
"""
NOT_HERE = """\
## Looked at, and not in the table

These packages install beside Keras {keras}. They have no cell that `keras.layers.RNN` could be
given, or cannot be imported with it:
{names}.
"""
NAMES = (
    "cfc-model 1.1.4, comfi-fast-grnn-tensorflow 0.0.3, cond-rnn 3.2.2, da-rnn 1.0.2, "
    "haste-tf 0.5.0rc0, keras-nalu 1.3.0, keras-ncp 2.1.0, keras-ordered-neurons 0.10.0, "
    "lite-mamba 1.2.0, lru-tensorflow 0.1.2, mdrnn 0.3.0, mingru-keras 0.1.3, "
    "phased-lstm-keras 1.0.2, rwkv-ops 0.11.3, tension 0.2, tensorflow-addons 0.23.0, "
    "tensorflow-engram 0.1.0, timekan 0.1.3, trainable-initial-state-rnn 0.0.3"
)
KERAS_OPENING = """\
## Keras itself

Keras's own three cells, with the checks that they passed, failed and skipped:

| cell | TensorFlow | JAX | PyTorch |
|---|---|---|---|
{table}

What follows are faults of the layer around the cells. Each was found while a check was being
written, and `check_cell` skips, with this reason, what they would spoil.
"""
KIT = """\
import json, sys
from rnncells.testing import check_cell
space = {}
exec(sys.argv[1], space)
report = check_cell(eval("lambda: " + sys.argv[2], space), on_fail=None)
print(report.to_json())"""


def main():
    sections, rows, environment = [], [], {}
    for package in PACKAGES:
        folder = installed(package)
        parts = [
            f"## {package.name} {package.version}\n",
            f"{package.what[0].upper()}{package.what[1:]}.\n",
        ]
        for each in package.cells:
            print(f"{package.name}: {each.name}", flush=True)
            report = json.loads(python(KIT, folder, each.imports, each.make)[0])
            environment = report["environment"]
            rows.append(row(package, each, report["results"]))
            parts.append(section(each, report["results"], folder))
        sections.append("\n".join(parts))
    opening = OPENING.format(
        kit=environment["check_cell"],
        keras=environment["keras"],
        tensorflow=environment["tensorflow"],
        table="\n".join(rows),
    )
    names = textwrap.fill(NAMES, 96)
    names = NOT_HERE.format(keras=environment["keras"], names=names)
    PAGE.write_text("\n".join([opening, *sections, names, keras_itself()]), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


def installed(package):
    """The folder that it lies in; from the registry where it is not there yet."""
    folder = FOLDER / f"{package.name}-{package.version}"
    if not folder.exists():
        wanted = [f"{package.name}=={package.version}", *package.needs]
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", str(folder)]
        subprocess.run([*pip, *wanted], check=True)
    return folder


def python(source, folder, *arguments, back_end="tensorflow"):
    """(what it printed, the line of its error or "")"""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": back_end}
    paths = os.pathsep.join([str(folder), str(ROOT)])
    command = [interpreter(back_end), "-c", source, *arguments]
    with tempfile.TemporaryDirectory() as here:
        done = subprocess.run(
            command,
            cwd=here,
            env=os.environ | quiet | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
    return done.stdout.strip(), error_of(done.stderr) if done.returncode else ""


def interpreter(back_end):
    """PyTorch is in an environment of its own (`make test-backends` makes it)."""
    if back_end != "torch":
        return sys.executable
    return str(ROOT / ".venv-backends" / Path(sys.executable).relative_to(sys.prefix))


def error_of(text):
    """The error in one line, without the lines that Keras puts around it."""
    text = re.sub(r"\x1b\[\d+m|\{\{.*?\}\} | \[Op:.*", "", text)
    lines = text.splitlines()
    found = [n for n, line in enumerate(lines) if re.match(r"[\w.]*Error: ", line)]
    kind, _, said = lines[found[-1]].partition(": ")
    if "Exception encountered" in said:
        said = next(line for line in lines[found[-1] + 1 :] if line.strip())
    return f"{kind.rpartition('.')[2]}: {textwrap.shorten(said, 150, placeholder=' …')}"


def row(package, each, results):
    count = [sum(r["status"] == s for r in results) for s in ("passed", "failed", "skipped")]
    numbers = " | ".join(map(str, count))
    return f"| `{each.name}` | {package.name} {package.version} | {numbers} |"


def section(each, results, folder):
    failed = [r for r in results if r["status"] == "failed"]
    shown = {r["check_name"] for r in failed}
    if missing := shown - set(each.programs):
        sys.exit(f"{each.name}: no program for {', '.join(sorted(missing))}")
    parts = [f"### {each.name}\n"]
    for result in failed:
        source = each.programs[result["check_name"]]
        parts.append(f"**`{result['check_name']}`** {said(result['exception'])}\n")
        parts.append(listing(source, folder))
    for sentence, source in each.notes:
        parts += [f"{sentence}\n", listing(source, folder)]
    if each.upstream:
        parts.append(f"{textwrap.fill(each.upstream, 96)}\n")
    return "\n".join(parts)


def said(sentence):
    """What was expected and what came, of the kit's sentence."""
    return f"{sentence.partition(': ')[2].rpartition('; got ')[0]}."


def listing(source, folder, back_end="tensorflow"):
    printed, error = python(source, folder, back_end=back_end)
    return f"```python\n{source}\n```\n\n```text\n{error or printed}\n```\n"


BACK_ENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def back_end_of(title):
    return next((k for k, v in BACK_ENDS.items() if title.startswith(f"On {v}")), "tensorflow")


def keras_itself():
    parts = [KERAS_OPENING.format(table="\n".join(rows_of_keras()))]
    for title, source in KERAS.items():
        print(title, flush=True)
        parts.append(f"### {title}\n")
        parts.append(listing(source, FOLDER, back_end_of(title)))
    return "\n".join(parts)


def rows_of_keras():
    """What the kit says of Keras's own three cells on each back end."""
    for name in ("SimpleRNNCell", "LSTMCell", "GRUCell"):
        cells = []
        for back_end in BACK_ENDS:
            print(f"keras: {name} on {back_end}", flush=True)
            printed, _ = python(
                KIT, FOLDER, "import keras", f"keras.layers.{name}(4)", back_end=back_end
            )
            count = Counter(result["status"] for result in json.loads(printed)["results"])
            cells.append(f"{count['passed']}, {count['failed']}, {count['skipped']}")
        yield f"| `{name}` | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
