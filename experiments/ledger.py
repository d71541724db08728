"""The results ledger: trains cells on tasks from several seeds, one CSV row for every finished run.

    python -m experiments.ledger run [TASK ...]     every planned run that has no row yet
    python -m experiments.ledger table              the tables, from the CSV alone
    python -m experiments.ledger check              one cheap row again, from scratch, and compared

A run can be stopped or killed at any moment and goes on with the epoch that it was in, as long as
the code that its numbers depend on is the same (see experiments/training.py). Several programs may
run side by side, best each on a core of its own (``taskset -c 0 make results &``): a run belongs
to the program that began it first. KERAS_BACKEND picks the back end.
"""

import argparse
import csv
import dataclasses
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

# Before TensorFlow is imported: no log between the lines, and the same sums in the same order.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import filelock

from experiments.machine import MACHINE, machine
from experiments.tables import write_table
from experiments.training import RECALL, Run, Saved, train
from rnncells.book import data
from rnncells.book import trainings as ledger

LEDGER = ledger.LEDGER
TASKS = (*data.ORDERS, "adding", *RECALL)
RUNNING = Path(__file__).with_name("running")  # what unfinished runs need to go on
CHECK_TOLERANCE = 0.003  # of accuracy: 30 test digits; the same machine gives the same digits

SETTINGS = [field.name for field in dataclasses.fields(Run)]
RESULTS = ["parameters", "accuracy", "loss", "accuracy_by_epoch", "seconds"]
COLUMNS = [*SETTINGS, *RESULTS, *MACHINE, "code", "wrong"]


def plan():
    """Every run of the ledger: first those that chose the settings, then those that count."""
    runs = []

    def add(seeds, task, cell, start, learning_rate, **others):
        runs.extend(Run(task, cell, start, seed, learning_rate, **others) for seed in range(seeds))

    # What to try was chosen by hand, what to keep by the accuracy on the held-out examples. The 784
    # pixels have one such run: their rates are those of the 196 pixels, or half of it.
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

    # Six epochs and half the batch: what three seeds of each come to, before the ten that count.
    longer = {"units": 64, "epochs": 6, "batch_size": 64}
    add(3, "pixels14", "lstm", "keep", 1e-2, **longer, **judged)
    add(3, "pixels14", "gru", "orthogonal", 1e-2, **longer, **judged)
    add(3, "pixels14", "gru", "keep", 1e-2, **longer, **judged)

    for rate in (3e-2, 3e-3):
        add(3, "pixels14", "gru", "orthogonal", rate, **longer, **judged)
    add(3, "pixels14", "gru", "orthogonal", 1e-2, **longer | {"epochs": 8}, **judged)
    # The same for each initialization of the LSTM; "orthogonal" has the forget bias of one.
    for start in ("uniform", "chrono", "orthogonal", "keep+identity"):
        add(3, "pixels14", "lstm", start, 1e-2, **longer, **judged)
    for rate in (3e-2, 3e-3):
        add(3, "pixels14", "lstm", "keep", rate, **longer, **judged)
    for clip in (0.5, 5.0):
        add(3, "pixels14", "lstm", "keep", 1e-2, **longer, clip=clip, **judged)
    for batch_size in (128, 32):
        add(3, "pixels14", "lstm", "keep", 1e-2, **longer | {"batch_size": batch_size}, **judged)

    # The others on the same pixels, over rates that hold the best between them.
    others = (("simple", "orthogonal"), ("simple", "identity"), ("linear", "orthogonal"))
    for rate in (1e-3, 3e-3, 1e-2):
        for cell, start in others:
            add(3, "pixels14", cell, start, rate, **short)
    add(3, "pixels14", "linear", "orthogonal", 3e-4, **short)

    # The adding problem.
    for rate in (1e-3, 3e-3, 1e-2, 3e-2):
        for cell in ("lstm", "gru"):
            add(3, "adding", cell, "orthogonal", rate, units=64, **judged)
    for rate in (3e-4, 1e-3, 3e-3, 1e-2):
        for start in ("orthogonal", "identity"):
            add(3, "adding", "simple", start, rate, units=64, **judged)

    # By rows: cells of about as many weights as the simple cell of 128 units.
    for rate in (3e-3, 1e-2, 3e-2):
        add(3, "rows", "gru", "orthogonal", rate, units=69, **judged)
    for rate in (1e-3, 3e-3, 1e-2, 3e-2):
        add(3, "rows", "lstm", "orthogonal", rate, units=59, batch_size=64, **judged)
    for rate in (1e-2, 3e-2, 1e-1):
        add(3, "rows", "mingru", "orthogonal", rate, units=300, **judged)

    # By rows, beyond: each means alone, then together.
    best = {"cell": "gru", "start": "orthogonal", "learning_rate": 5e-3, **judged}
    means = [{}, {"shift": 2}, {"directions": 2}, {"layers": 2}, {"dropout": 0.2}, {"epochs": 20}]
    means += [{"shift": 2, "epochs": 20}, {"shift": 2, "directions": 2, "epochs": 20}]
    for mean in means:
        add(3, "rows", **best, **mean)
    test = best | {"split": "test"}
    add(5, "rows", **test, shift=2, directions=2, epochs=20)

    add(5, "rows", "linear", "orthogonal", 1e-3)
    add(5, "rows", "simple", "orthogonal", 1e-3, batch_size=32)
    add(5, "rows", "simple", "identity", 1e-3, batch_size=32)
    add(5, "rows", "gru", "orthogonal", 5e-3)
    add(5, "rows", "lstm", "orthogonal", 3e-3, batch_size=64)
    add(5, "rows", "gru", "orthogonal", 1e-2, units=69)
    add(5, "rows", "lstm", "orthogonal", 1e-2, units=59, batch_size=64)
    six = {"units": 64, "epochs": 6}
    add(5, "pixels14", "gru", "orthogonal", 1e-2, **six)
    add(5, "pixels14", "lstm", "keep", 1e-2, **six)
    add(10, "pixels14", "lstm", "keep", 1e-2, **longer)
    add(10, "pixels14", "gru", "orthogonal", 1e-2, **longer | {"epochs": 8})
    for cell, start in others:
        add(5, "pixels14", cell, start, 3e-3, **six)
    for cell in ("lstm", "gru"):
        add(5, "adding", cell, "orthogonal", 1e-2, units=64)
    for start, rate in itertools.product(("orthogonal", "identity"), (1e-3, 3e-3)):
        add(5, "adding", "simple", start, rate, units=64)
    for cell, start in (("linear", "orthogonal"), ("simple", "orthogonal"), ("simple", "identity")):
        add(5, "pixels14", cell, start, 1e-3, **six)
    # One number to be recalled: the rates were chosen at a delay of 40.
    recall = {"units": 32, "epochs": 8}
    for rate in (1e-3, 3e-3, 1e-2):
        add(3, "recall40", "simple", "orthogonal", rate, **recall, **judged)
    for start in ("orthogonal", "keep"):
        for rate in (1e-3, 3e-3, 1e-2, 3e-2):
            add(3, "recall40", "lstm", start, rate, **recall, **judged)
    for task in RECALL:
        add(3, task, "simple", "orthogonal", 3e-3, **recall)
        add(3, task, "lstm", "orthogonal", 1e-3, **recall)
        add(3, task, "lstm", "orthogonal", 3e-3, **recall)
        add(3, task, "lstm", "keep", 3e-3, **recall)
    add(1, "pixels", "gru", "orthogonal", 1e-2, units=64, epochs=4)
    add(1, "pixels", "lstm", "keep", 5e-3, units=64, epochs=4)
    add(1, "pixels", "mingru", "keep", 1e-1, units=64, epochs=4)
    # The LSTM's other initialization, on held-out images; then half the batch, twice the epochs.
    add(1, "pixels", "lstm", "uniform", 1e-2, **longer | {"epochs": 8}, **judged)
    for task in ("pixels", "permuted"):
        add(1, task, "gru", "orthogonal", 1e-2, **longer | {"epochs": 8})
        add(1, task, "lstm", "keep", 1e-2, **longer | {"epochs": 8})
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
        write_table(LEDGER, COLUMNS, rows.values())


def run_all(tasks):
    """Every planned run that has no row and that no other program is at."""
    RUNNING.mkdir(exist_ok=True)
    runs = [run for run in plan() if not tasks or run.task in tasks]
    for number, run in enumerate(runs, start=1):
        if run in read():
            continue
        folder = RUNNING / run.name
        try:
            with filelock.FileLock(f"{folder}.lock", timeout=0):
                if run not in read():  # another program may have ended it in the meantime
                    row = train(run, Saved(folder))
                    append(run, row | machine())
                    done = f"{row['accuracy']:.4f} after {row['seconds']} s"
                    print(f"{run}: {done} ({number} of {len(runs)})", flush=True)
                shutil.rmtree(folder, ignore_errors=True)
        except filelock.Timeout:
            print(f"{run}: another program is at it", flush=True)


def print_tables():
    for split in ("test", "validation"):
        for task in TASKS:
            if runs := ledger.load_ledger(task=task, split=split):
                print(f"\n{task}, judged on the {split} set")
                ledger.show_results(runs)
                if split == "test":
                    print_differences(runs)


def print_differences(runs):
    """Between each group of seeds and the next one in the table."""
    groups = [[run for run in runs if ledger.is_of(run, row)] for row in ledger.summary(runs)]
    for better, worse in itertools.pairwise(groups):
        ledger.print_difference(better, worse)


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
    if unknown := set(arguments.tasks) - set(TASKS):
        sys.exit(f"No such task: {', '.join(unknown)}; there are {', '.join(TASKS)}.")
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
