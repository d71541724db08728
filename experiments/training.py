"""One training of the ledger: all that its numbers depend on, and nothing else.

A row of the ledger names the version of this code: a hash of this file, of the files of the cells
and layers that the run is made of, of the data's and of the initializers'. Comments, docstrings and
the git commit do not count, so the hash changes only where the numbers could.
"""

import ast
import dataclasses
import hashlib
import inspect
import json
import os
import sys
import time
from pathlib import Path

import keras
import numpy as np

import rnncells
from rnncells import DiagonalRNNCell, ParallelRNN, initializers
from rnncells.book import data, trainings

VALIDATION = 10_000  # training images that are held out where settings are chosen
ADDING_STEPS = 100
ADDING_BATCHES = 200  # called an epoch
RECALL = {f"recall{delay}": delay for delay in (5, 10, 20, 40, 80)}  # steps after the mark's
MARKED_STEPS = 5  # the first ones, one of which is marked
CLOSE = 0.04  # a sum this near is right: half of what Hochreiter and Schmidhuber allow, 1997
TRAINED, JUDGED = 1, 2  # the first number of a seed, so that no two streams are the same


@dataclasses.dataclass(frozen=True)
class Run:
    """The settings of one run: two runs with the same settings are one."""

    task: str  # an order of data.ORDERS, adding, or a key of RECALL
    cell: str  # linear, simple, lstm, gru or mingru
    start: str  # orthogonal or identity, of U; a key of GATES, of the bias; keep+identity: both
    seed: int
    learning_rate: float  # the highest, after the warm-up; then a cosine takes it to zero
    units: int = 128
    batch_size: int = 128
    epochs: int = 10
    warmup: float = 0.1  # of all steps
    clip: float = 1.0  # the largest norm of a gradient; 0 for no clipping
    split: str = "test"  # or validation, to choose settings by
    layers: int = 1  # of the cell, one reading what the other puts out
    directions: int = 1  # 2: a second cell reads from the last step to the first
    dropout: float = 0.0  # the share of each layer's outputs that is dropped in training
    shift: int = 0  # pixels by which a training picture is moved at most, each way; rows only

    def __str__(self):
        return f"{self.task}: {self.cell}, {self.start}, {self.learning_rate:g}, seed {self.seed}"

    @property
    def name(self):
        """Of a folder for what it has reached: another back end would not go on exactly."""
        return "_".join(map(str, [*dataclasses.astuple(self), keras.backend.backend()]))


# The tasks: each gives the training examples of an epoch, in an order that the seed and the epoch
# fix, and the examples that the network is judged by.


class Digits:
    """Ten digits, from MNIST read as sequences."""

    outputs = 10

    def __init__(self, run):
        (self.x, self.y), self.judged = data.load_mnist(run.task)
        if data.mnist_file() is None:
            sys.exit("The ledger needs MNIST itself: set RNNCELLS_MNIST to a copy of mnist.npz.")
        if run.split == "validation":
            self.judged = self.x[-VALIDATION:], self.y[-VALIDATION:]
            self.x, self.y = self.x[:-VALIDATION], self.y[:-VALIDATION]
        self.batches = len(self.x) // run.batch_size  # whole ones, since each size is compiled
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def epoch(self, run, epoch):
        order = np.random.default_rng([run.seed, epoch]).permutation(len(self.x))
        order = order[: self.batches * run.batch_size]
        x = self.x[order]
        if run.shift:
            x = shifted(x, run.shift, np.random.default_rng([run.seed, epoch, run.shift]))
        return x, self.y[order]

    def wrong(self, model):
        """Which of the judged digits it gets wrong, (10000,): the same digits for all runs."""
        x, y = self.judged
        return model.predict(x, batch_size=1000, verbose=0).argmax(axis=1) != y


def shifted(pictures, most, random):
    """Each picture (n, rows, columns) moved by up to ``most`` pixels along both axes."""
    rows, columns = pictures.shape[1:]
    framed = np.pad(pictures, [(0, 0), (most, most), (most, most)])
    moves = random.integers(0, 2 * most + 1, (len(pictures), 2))
    result = np.empty_like(pictures)
    for down, right in np.ndindex(2 * most + 1, 2 * most + 1):
        moved = (moves == (down, right)).all(axis=1)
        result[moved] = framed[moved, down : down + rows, right : right + columns]
    return result


class Adding:
    """The sum of two marked numbers among many. Every epoch has new sequences."""

    outputs = 1
    batches = ADDING_BATCHES

    def __init__(self, run):
        self.judged = self.sequences(10_000, [JUDGED, run.seed, run.split == "test"])
        self.loss = keras.losses.MeanSquaredError()
        self.metric = keras.metrics.MeanMetricWrapper(is_close, name="accuracy")

    def epoch(self, run, epoch):
        return self.sequences(self.batches * run.batch_size, [TRAINED, run.seed, epoch])

    def wrong(self, model):
        """None: each seed is judged by sequences of its own."""

    @staticmethod
    def sequences(count, seed):
        """x (count, steps, 2): numbers and marks; y (count, 1): one number from each half."""
        random, half = np.random.default_rng(seed), ADDING_STEPS // 2
        numbers = random.uniform(size=(count, ADDING_STEPS))
        marks = np.zeros_like(numbers)
        for first in (0, half):
            marks[np.arange(count), random.integers(first, first + half, count)] = 1
        x = np.stack([numbers, marks], axis=-1)
        return x.astype("float32"), (numbers * marks).sum(axis=1, keepdims=True).astype("float32")


class Recall(Adding):
    """The one marked number, asked for after a delay."""

    def __init__(self, run):
        self.delay = RECALL[run.task]
        super().__init__(run)

    def sequences(self, count, seed):
        """x (count, steps, 2): numbers and marks; y (count, 1): the marked number."""
        random = np.random.default_rng(seed)
        numbers = random.uniform(size=(count, MARKED_STEPS + self.delay))
        marks = np.zeros_like(numbers)
        marks[np.arange(count), random.integers(MARKED_STEPS, size=count)] = 1
        x = np.stack([numbers, marks], axis=-1)
        return x.astype("float32"), (numbers * marks).sum(axis=1, keepdims=True).astype("float32")


def task_of(run):
    kinds = {"adding": Adding, **dict.fromkeys(RECALL, Recall)}
    return kinds.get(run.task, Digits)(run)


def is_close(expected, got):
    return keras.ops.mean(keras.ops.cast(keras.ops.abs(got - expected) < CLOSE, "float32"), -1)


# A run.


GATES = {
    "keep": lambda steps, **options: initializers.Keep(steps / 7, **options),
    "chrono": initializers.Chrono,
    "uniform": lambda steps, **options: initializers.UniformGates(**options),
}
BLOCKS = {"lstm": "ifgo", "gru": "zrg", "mingru": "zg"}
CELLS = {"lstm": rnncells.LSTMCell, "gru": rnncells.GRUCell, "mingru": rnncells.MinGRUCell}


def make_model(run, task):
    keras.utils.set_random_seed(run.seed)
    shape = task.judged[0].shape[1:]
    cells = [make_cell(run, steps=shape[0]) for _ in range(run.layers)]
    layers = [layer for cell in cells for layer in make_layers(run, cell, cell is cells[-1])]
    model = keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(task.outputs)])
    if run.start.endswith("+identity"):
        start_with_identity(cells)
    model.compile(
        optimizer=make_optimizer(run, task.batches),
        loss=task.loss,
        metrics=[task.metric],
        jit_compile=keras.backend.backend() != "torch",
        steps_per_execution=next(n for n in range(40, 0, -1) if task.batches % n == 0),
    )
    return model


def make_layers(run, cell, is_last):
    layer = layer_of(cell)(cell, return_sequences=not is_last)
    if run.directions == 2:
        layer = keras.layers.Bidirectional(layer)
    return [layer, keras.layers.Dropout(run.dropout)] if run.dropout else [layer]


def start_with_identity(cells):
    """Sets each block of U (units, blocks * units) to the identity."""
    for cell in cells:
        units, width = cell.recurrent_kernel.shape
        cell.recurrent_kernel.assign(np.tile(np.eye(units), width // units))


def make_optimizer(run, batches):
    steps = run.epochs * batches
    warmup = round(run.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=run.learning_rate, warmup_steps=warmup
    )
    return keras.optimizers.Adam(schedule, global_clipnorm=run.clip or None)


def make_cell(run, steps):
    """The cell; "orthogonal" is the package's own initialization of U for all but the linear one.

    Of the keys of GATES, each leaves U as it is and draws the bias of the gates that keep.
    """
    if run.cell == "linear":
        starts = {"kernel_initializer": "glorot_uniform", "recurrent_initializer": run.start}
        return rnncells.LinearRNNCell(run.units, **starts)
    if run.cell == "simple":
        relu = {"activation": "relu"} if run.start == "identity" else {}
        return rnncells.SimpleRNNCell(run.units, recurrent_initializer=run.start, **relu)
    options = {}
    if gates := GATES.get(run.start.removesuffix("+identity")):
        options["bias_initializer"] = gates(steps, blocks=BLOCKS[run.cell], seed=run.seed)
        if run.cell == "lstm":
            options["unit_forget_bias"] = False
    return CELLS[run.cell](run.units, **options)


def layer_of(cell):
    return ParallelRNN if isinstance(cell, DiagonalRNNCell) else keras.layers.RNN


# The version of the code.


def code_version(run):
    """A hash of the code that decides what this run comes to."""
    digest = hashlib.sha256()
    for path in sources(run):
        digest.update(without_words(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:12]


def sources(run):
    """The files of the run's cell and layer, of what they inherit from, and of what feeds them."""
    cell = make_cell(run, steps=ADDING_STEPS)
    classes = [*type(cell).__mro__, *layer_of(cell).__mro__]
    ours = [inspect.getfile(c) for c in classes if c.__module__.split(".")[0] == "rnncells"]
    ours += [data.__file__, initializers.__file__, __file__]
    return [Path(file) for file in dict.fromkeys(ours)]


def without_words(source):
    """A program's text without its comments and docstrings, in one layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body[0].value.value = ""
    return ast.unparse(tree)


# A run that can be stopped.


class Saved:
    """What an unfinished run has reached, in its folder; the file that names it is written last."""

    def __init__(self, folder):
        self.folder = folder
        self.file = self.folder / "reached.json"

    def read(self, code):
        if not self.file.exists():
            return None, {"seconds": 0.0, "judged": [], "code": code}
        reached = json.loads(self.file.read_text())
        if reached.get("code") != code:
            sys.exit(
                f"This run was begun with other code ({reached.get('code')}; now {code}): check"
                f" that code out again and go on, or delete {self.folder} and the run begins anew."
            )
        model = keras.models.load_model(self.folder / reached["model"], {"is_close": is_close})
        return model, reached

    def write(self, model, reached):
        reached["model"] = f"after_{len(reached['judged'])}.keras"
        self.folder.mkdir(parents=True, exist_ok=True)
        model.save(self.folder / reached["model"])
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(reached))
        os.replace(temporary, self.file)
        for old in self.folder.glob("*.keras"):
            if old.name != reached["model"]:
                old.unlink()


class Progress(keras.callbacks.Callback):
    """One line with the time left, rewritten where a person looks."""

    def __init__(self, run, reached, batches):
        super().__init__()
        self.run, self.reached, self.batches = run, reached, batches
        self.start = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        done = (batch + 1) / self.batches
        spent = self.reached["seconds"] + time.monotonic() - self.start
        epochs = len(self.reached["judged"])
        left = spent * (self.run.epochs / (epochs + done) - 1)
        line = (
            f"{self.run}: epoch {epochs + 1} of {self.run.epochs}, {done:4.0%}, {left:.0f} s left"
        )
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="", flush=True)
        elif batch + 1 == self.batches:
            print(line, flush=True)


def train(run, saved):
    """Trains one run, from where it was, and returns what came out."""
    task = task_of(run)
    model, reached = saved.read(code_version(run))
    model = model or make_model(run, task)
    while (epoch := len(reached["judged"])) < run.epochs:
        start = time.monotonic()
        progress = Progress(run, reached, task.batches)
        examples = fed(*task.epoch(run, epoch), run.batch_size)
        model.fit(**examples, shuffle=False, callbacks=[progress], verbose=0)
        judged = model.evaluate(**fed(*task.judged, 1000), verbose=0, return_dict=True)
        reached["judged"].append(judged)
        reached["seconds"] += time.monotonic() - start
        saved.write(model, reached)
    return results(run, reached, model.count_params(), task.wrong(model))


def fed(x, y, batch_size):
    """The arguments that give a model these examples, in their order.

    TensorFlow 2.21 tunes what Keras makes of arrays in a thread of its own, which sleeps for up to
    a minute while the model waits for it at the end of an epoch.
    """
    if keras.backend.backend() != "tensorflow":
        return {"x": x, "y": y, "batch_size": batch_size}
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size).with_options(options)}


def results(run, reached, parameters, wrong):
    """The columns of a row that say what came out."""
    accuracy = [round(judged["accuracy"], 4) for judged in reached["judged"]]
    return {
        "parameters": parameters,
        "accuracy": accuracy[-1],
        "loss": round(reached["judged"][-1]["loss"], 5),
        "accuracy_by_epoch": " ".join(f"{value:.4f}" for value in accuracy),
        "seconds": round(reached["seconds"]),
        "code": reached["code"],
        "wrong": "" if wrong is None else trainings.packed(wrong),
    }
