"""The results ledger: trains cells on tasks from several seeds, one CSV row for every finished run.

    python experiments/ledger.py run [TASK ...]     every planned run that has no row yet
    python experiments/ledger.py table              the table, from the CSV alone
    python experiments/ledger.py check              one cheap row again, from scratch, and compared

A run can be stopped at any moment and goes on with the epoch that it was in. Several programs may
run side by side, best each on a core of its own (``taskset -c 0 make results``): a run belongs to
the program that began it first. KERAS_BACKEND picks the back end.
"""

import argparse
import csv
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import filelock
import keras
import numpy as np

import rnncells
from experiments.machine import MACHINE, machine
from rnncells import DiagonalRNNCell, ParallelRNN
from rnncells.book import data
from rnncells.book import trainings as ledger

LEDGER = ledger.LEDGER
RUNNING = LEDGER.with_name("running")  # what unfinished runs need to go on

VALIDATION = 10_000  # training images that are held out where settings are chosen
ADDING_STEPS = 100
ADDING_BATCHES = 200  # called an epoch
CHECK_TOLERANCE = 0.003  # of accuracy: 30 test digits; the same machine gives the same digits
CLOSE = 0.04  # a sum this near is right: half of what Hochreiter and Schmidhuber allow, 1997
TRAINED, JUDGED = 1, 2  # the first number of a seed, so that no two streams are the same


@dataclasses.dataclass(frozen=True)
class Run:
    """The settings of one run: two runs with the same settings are one."""

    task: str  # an order of data.ORDERS, or adding
    cell: str  # linear, simple, lstm, gru or mingru
    start: str  # orthogonal or identity: see make_cell; chrono or keep: see keeping_bias
    seed: int
    learning_rate: float  # the highest, after the warm-up; then a cosine takes it to zero
    units: int = 128
    batch_size: int = 128
    epochs: int = 10
    warmup: float = 0.1  # of all steps
    clip: float = 1.0  # the largest norm of a gradient; 0 for no clipping
    split: str = "test"  # or validation, to choose settings by
    layers: int = 1  # of the cell, one reading what the other puts out

    def __str__(self):
        return f"{self.task}: {self.cell}, {self.start}, {self.learning_rate:g}, seed {self.seed}"

    @property
    def folder(self):
        """What it has reached is kept here; another back end would not go on with it exactly."""
        settings = [*dataclasses.astuple(self), keras.backend.backend()]
        return RUNNING / "_".join(map(str, settings))


SETTINGS = [field.name for field in dataclasses.fields(Run)]
RESULTS = ["parameters", "accuracy", "loss", "accuracy_by_epoch", "seconds"]
COLUMNS = SETTINGS + RESULTS + MACHINE


def plan():
    """Every run of the ledger: first those that chose the settings, then those that count."""
    runs = []

    def add(seeds, task, cell, start, learning_rate, **others):
        runs.extend(Run(task, cell, start, seed, learning_rate, **others) for seed in range(seeds))

    # What to try was chosen by hand, what to keep by the accuracy on the validation images. The
    # adding problem and the 784 pixels have none here: their rates are those of the 196 pixels, or
    # half of it.
    judged = {"split": "validation"}
    for batch_size in (128, 64):
        for rate in (1e-3, 2e-3, 3e-3):
            add(1, "rows", "simple", "orthogonal", rate, batch_size=batch_size, **judged)
    for rate in (5e-4, 1e-3):
        add(1, "rows", "simple", "orthogonal", rate, batch_size=32, **judged)
    for rate in (3e-4, 1e-3):
        add(1, "rows", "simple", "identity", rate, batch_size=32, **judged)
    for cell in ("lstm", "gru"):
        for rate in (3e-3, 5e-3):
            add(1, "rows", cell, "orthogonal", rate, **judged)
    add(1, "rows", "lstm", "orthogonal", 3e-3, batch_size=64, **judged)
    short = {"units": 64, "epochs": 3, **judged}
    for rate in (3e-3, 1e-2):
        add(1, "pixels14", "gru", "orthogonal", rate, **short)
    add(1, "pixels14", "gru", "chrono", 3e-3, **short)
    add(1, "pixels14", "lstm", "chrono", 3e-3, **short)
    add(1, "pixels14", "lstm", "orthogonal", 1e-2, **short)
    add(1, "pixels14", "lstm", "keep", 1e-2, **short)
    for start in ("keep", "chrono"):
        for rate in (3e-3, 1e-2, 3e-2, 1e-1, 3e-1):
            add(1, "pixels14", "mingru", start, rate, **short)
    for rate in (3e-3, 1e-2, 3e-2):
        add(1, "pixels14", "mingru", "keep", rate, layers=3, **short)
    for start in ("orthogonal", "identity"):
        for rate in (3e-4, 1e-3):
            add(1, "pixels14", "simple", start, rate, **short)

    add(5, "rows", "linear", "orthogonal", 1e-3)
    add(5, "rows", "simple", "orthogonal", 1e-3, batch_size=32)
    add(5, "rows", "simple", "identity", 1e-3, batch_size=32)
    add(5, "rows", "gru", "orthogonal", 5e-3)
    add(5, "rows", "lstm", "orthogonal", 3e-3, batch_size=64)
    six = {"units": 64, "epochs": 6}
    add(5, "pixels14", "gru", "orthogonal", 1e-2, **six)
    add(5, "pixels14", "lstm", "keep", 1e-2, **six)
    for cell in ("lstm", "gru"):
        add(5, "adding", cell, "orthogonal", 1e-2, units=64)
    for start in ("orthogonal", "identity"):
        add(5, "adding", "simple", start, 1e-3, units=64)
    for cell, start in (("linear", "orthogonal"), ("simple", "orthogonal"), ("simple", "identity")):
        add(5, "pixels14", cell, start, 1e-3, **six)
    add(1, "pixels", "gru", "orthogonal", 1e-2, units=64, epochs=4)
    add(1, "pixels", "lstm", "keep", 5e-3, units=64, epochs=4)
    add(1, "pixels", "mingru", "keep", 1e-1, units=64, epochs=4)
    # On a graphics card, with KERAS_BACKEND=jax: half an hour there, a day on two cores.
    add(1, "pixels", "gru", "orthogonal", 5e-3)
    add(1, "pixels", "lstm", "keep", 3e-3)
    add(3, "pixels", "mingru", "keep", 1e-1)
    add(3, "pixels", "mingru", "keep", 3e-2, layers=3)
    add(1, "permuted", "gru", "orthogonal", 1e-2, units=64, epochs=4)
    add(1, "permuted", "lstm", "keep", 5e-3, units=64, epochs=4)
    return runs


# The ledger.


def read():
    """The finished runs and their rows."""
    if not LEDGER.exists():
        return {}
    with open(LEDGER, newline="") as file:
        return {run_of(row): row for row in csv.DictReader(file)}


def run_of(row):
    return Run(**{field.name: field.type(row[field.name]) for field in dataclasses.fields(Run)})


def append(run, results):
    """Adds a row to the CSV: whole or not at all, and once."""
    with filelock.FileLock(RUNNING / "ledger.lock"):
        rows = read() | {run: dataclasses.asdict(run) | results}
        temporary = LEDGER.with_suffix(".tmp")
        with open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())
        os.replace(temporary, LEDGER)


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
        return self.x[order], self.y[order]


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


def is_close(expected, got):
    return keras.ops.mean(keras.ops.cast(keras.ops.abs(got - expected) < CLOSE, "float32"), -1)


# A run.


def make_model(run, task):
    keras.utils.set_random_seed(run.seed)
    cells, shape = [make_cell(run) for _ in range(run.layers)], task.judged[0].shape[1:]
    layer = ParallelRNN if isinstance(cells[0], DiagonalRNNCell) else keras.layers.RNN
    layers = [layer(cell, return_sequences=cell is not cells[-1]) for cell in cells]
    model = keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(task.outputs)])
    if run.start in ("chrono", "keep"):
        for cell in cells:
            cell.bias.assign(keeping_bias(run, steps=shape[0]))
    steps = run.epochs * task.batches
    warmup = round(run.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=run.learning_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.Adam(schedule, global_clipnorm=run.clip or None),
        loss=task.loss,
        metrics=[task.metric],
        jit_compile=keras.backend.backend() != "torch",
        steps_per_execution=next(n for n in range(40, 0, -1) if task.batches % n == 0),
    )
    return model


def make_cell(run):
    """The cell; "orthogonal" is the package's own start of U for all but the linear one."""
    if run.cell == "linear":
        starts = {"kernel_initializer": "glorot_uniform", "recurrent_initializer": run.start}
        return rnncells.LinearRNNCell(run.units, **starts)
    if run.cell == "simple":
        relu = {"activation": "relu"} if run.start == "identity" else {}
        return rnncells.SimpleRNNCell(run.units, recurrent_initializer=run.start, **relu)
    cells = {"lstm": rnncells.LSTMCell, "gru": rnncells.GRUCell, "mingru": rnncells.MinGRUCell}
    return cells[run.cell](run.units)


def keeping_bias(run, steps):
    """A bias with which each unit keeps for its own time: n steps, for random n.

    A gate of sigmoid(log n) = n / (n + 1) keeps for about n steps. With "chrono", n goes up to the
    length of the sequence, and the input gate closes as far as the forget gate opens: Tallec and
    Ollivier, "Can recurrent neural networks warp time?", 2018. With "keep", n goes up to a seventh
    of it, and the input gate is left alone.
    """
    longest = steps - 1 if run.start == "chrono" else steps / 7
    keep = np.log(np.random.default_rng(run.seed).uniform(1, longest, run.units))
    rest = np.zeros(run.units)
    if run.cell == "lstm":
        write = -keep if run.start == "chrono" else rest
        return np.concatenate([write, keep, rest, rest])  # i, f, g, o
    if run.cell == "mingru":
        return np.concatenate([keep, rest])  # z, g
    return np.stack([np.concatenate([keep, rest, rest]), np.zeros(3 * run.units)])  # z, r, g


class Saved:
    """What an unfinished run has reached, in its folder; the file that names it is written last."""

    def __init__(self, folder):
        self.folder = folder
        self.file = self.folder / "reached.json"

    def read(self):
        if not self.file.exists():
            return None, {"seconds": 0.0, "judged": []}
        reached = json.loads(self.file.read_text())
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
    """Trains one run, from where it was, and returns its row."""
    task = Adding(run) if run.task == "adding" else Digits(run)
    model, reached = saved.read()
    model = model or make_model(run, task)
    while (epoch := len(reached["judged"])) < run.epochs:
        start = time.monotonic()
        progress = Progress(run, reached, task.batches)
        options = {"batch_size": run.batch_size, "shuffle": False, "verbose": 0}
        model.fit(*task.epoch(run, epoch), callbacks=[progress], **options)
        judged = model.evaluate(*task.judged, batch_size=1000, verbose=0, return_dict=True)
        reached["judged"].append(judged)
        reached["seconds"] += time.monotonic() - start
        saved.write(model, reached)
    accuracy = [round(judged["accuracy"], 4) for judged in reached["judged"]]
    return {
        "parameters": model.count_params(),
        "accuracy": accuracy[-1],
        "loss": round(reached["judged"][-1]["loss"], 5),
        "accuracy_by_epoch": " ".join(f"{value:.4f}" for value in accuracy),
        "seconds": round(reached["seconds"]),
        **machine(),
    }


def run_all(tasks):
    """Every planned run that has no row and that no other program is at."""
    RUNNING.mkdir(exist_ok=True)
    runs = [run for run in plan() if not tasks or run.task in tasks]
    for number, run in enumerate(runs, start=1):
        if run in read():
            continue
        try:
            with filelock.FileLock(f"{run.folder}.lock", timeout=0):
                if run not in read():  # another program may have ended it in the meantime
                    row = train(run, Saved(run.folder))
                    append(run, row)
                    done = f"{row['accuracy']:.4f} after {row['seconds']} s"
                    print(f"{run}: {done} ({number} of {len(runs)})", flush=True)
                shutil.rmtree(run.folder, ignore_errors=True)
        except filelock.Timeout:
            print(f"{run}: another program is at it", flush=True)


def print_tables():
    for split in ("test", "validation"):
        for task in (*data.ORDERS, "adding"):
            if runs := ledger.load_ledger(task=task, split=split):
                print(f"\n{task}, judged on the {split} set")
                ledger.print_table(runs)


def check():
    """Trains the quickest run of the ledger again, from scratch, and compares every epoch."""
    rows = {run: row for run, row in read().items() if run.split == "test" and run.task == "rows"}
    if not rows:
        sys.exit("The ledger has no run of the rows yet: make results")
    run = min(rows, key=lambda run: int(rows[run]["seconds"]))
    print(f"{run}: {rows[run]['seconds']} s when it was stored", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        again = train(run, Saved(Path(folder)))
    stored, got = (
        [float(value) for value in row["accuracy_by_epoch"].split()] for row in (rows[run], again)
    )
    for epoch, pair in enumerate(zip(stored, got, strict=True), start=1):
        print("epoch {:2}: stored {:.4f}, now {:.4f}".format(epoch, *pair))
    if stored == got:
        print("The same.")
        return
    difference = max(abs(a - b) for a, b in zip(stored, got, strict=True))
    if difference > CHECK_TOLERANCE:
        sys.exit(f"An epoch differs by {difference:.4f}; at most {CHECK_TOLERANCE} is allowed.")
    print(f"Equal to within {CHECK_TOLERANCE}, in every epoch.")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["run", "table", "check"])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="all where none is named")
    arguments = parser.parse_args()
    if unknown := set(arguments.tasks) - {*data.ORDERS, "adding"}:
        sys.exit(f"No such task: {', '.join(unknown)}; there are {', '.join(data.ORDERS)}, adding.")
    try:
        match arguments.command:
            case "run":
                run_all(arguments.tasks)
            case "table":
                print_tables()
            case "check":
                check()
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")


if __name__ == "__main__":
    main()
