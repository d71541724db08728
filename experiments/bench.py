"""The benchmark: how long a training step takes with each program, as ratios from one run.

    python -m experiments.bench [--long] [--fresh]

Machines differ and are disturbed, so what counts is a ratio: all programs of a task are timed in
turn, round after round, and each time is divided by that of Keras's layer in the same round. A run
can be stopped and goes on with the task that it was in. ``--long`` has more rounds and programs;
``--fresh`` measures again what is in the table.

On an accelerator it is the same, with a table of its own. Where TensorFlow is not installed, what
would run on it runs on JAX (start it with KERAS_BACKEND=jax).
"""

import argparse
import contextlib
import csv
import dataclasses
import functools
import importlib.util
import os
import pickle
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from experiments import ledger
from experiments.bench_worker import BACKEND, OURS, STEPS, TORCH, WAYS, Task
from rnncells.book import plotting
from rnncells.book.timings import quartiles, read_bench

ROOT = Path(__file__).resolve().parent.parent
GPU = ledger.accelerator(BACKEND)
TABLE = ROOT / "rnncells" / "book" / ("bench_gpu.csv" if GPU else "bench.csv")
FIGURE = ROOT / "_build" / "bench.png"
CLEAR = Path("/proc/self/clear_refs")  # Linux alone has it

SHORT, LONG = 9, 25  # rounds
# Of the largest number of an array. Rounding adds up over 784 steps and over the steps of a fit;
# cuDNN has shorter functions for sigmoid and tanh.
TOLERANCES = {"the last output": 3e-5 if GPU else 1e-5, "a gradient": 1e-4, "the loss": 1e-3}

KERAS = "Keras's layer"
LOOPS = [KERAS, "RNN(Keras's cell)", "RNN(our cell)"]
MIN_GRUS = ["RNN(MinGRUCell)", "ParallelRNN(MinGRUCell)"]
ON_JAX = " on JAX"
FAST, PRODUCTS = "FastRNN(our cell)", "matrix products alone"
CHECKPOINTED = "RNN(our cell), checkpointed"

# steps, features, units, batch
ROWS, PIXELS = (28, 28, 64, 64), (784, 1, 128, 64)
SIZES = [ROWS, (28, 28, 128, 64), (28, 28, 64, 256), (28, 28, 128, 256), PIXELS]
# A picture of 784 numbers, read in few steps or in many; and more pictures at once.
MEMORY = [(n, 784 // n, 128, 64) for n in (28, 98, 196, 392, 784)]
MEMORY += [(196, 4, 128, batch) for batch in (128, 256)]

# A program takes at most so many times as long as another, in every step with these properties.
ROWS_TRAINING = {"mode": "training", "steps": 28, "batch": 64}
CLAIMS = [
    ("RNN(our cell)", 1.05, "RNN(Keras's cell)", {}),
    (FAST, 0.6, KERAS, ROWS_TRAINING | {"units": 64}),
    (FAST, 1.0, TORCH, ROWS_TRAINING | {"units": 64}),
    (FAST, 0.75, KERAS, ROWS_TRAINING | {"units": 128}),
    (FAST, 1.0, KERAS, {"mode": "training", "steps": 784}),
]

COLUMNS = [field.name for field in dataclasses.fields(Task)]
COLUMNS += ["program", "ms", "ratio", "ratio_low", "ratio_high", "mb", "ms_by_round", "rounds"]
COLUMNS += ledger.MACHINE


# What is measured.


def plan(long):
    """Every task and the names of its programs."""
    tasks = {task: programs_of(task, long) for task in all_steps()}
    fit = Task("fit", "training", "lstm", *ROWS)
    ways = WAYS if long else ("", ", 32 at once")
    tasks[fit] = [name + way for way in ways for name in (KERAS, "RNN(our cell)", FAST)]
    for size in MEMORY if long else [MEMORY[0], MEMORY[4]]:
        names = [KERAS, "RNN(our cell)", FAST]
        names += [CHECKPOINTED] if long or size[0] == 784 else []
        tasks[Task("memory", "training", "lstm", *size)] = names
    return tasks


def all_steps():
    for size in SIZES:
        for mode in ("training", "inference"):
            for cell in OURS:
                yield Task("step", mode, cell, *size)


def programs_of(task, long):
    """The short form has what the claims need, and the other ways for a few tasks."""
    size = (task.steps, task.features, task.units, task.batch)
    rows, pixels, training = size == ROWS, size == PIXELS, task.mode == "training"
    names = [*LOOPS, FAST, TORCH]
    if long or task.cell == "lstm" and (rows or pixels and training):
        names += [f"{name}, jit" for name in LOOPS]
        names += [KERAS + ON_JAX, "RNN(our cell)" + ON_JAX, PRODUCTS]
    if task.cell == "lstm" and rows:
        names += [f"{KERAS} on PyTorch", "RNN(our cell) on PyTorch"]
    if task.cell == "gru" and (pixels or long and rows):
        names += [name + way for way in ("", ", jit") for name in MIN_GRUS]
    if task.cell == "lstm" and rows:
        names += ["RNN(our cell), x W first", "RNN(our cell), unrolled", "Python loop"]
    if task.cell == "lstm" and pixels and training:
        names += [CHECKPOINTED]
    return names


def back_end_of(name):
    return next((key for key, names in STEPS.items() if name in names), "tensorflow")


def possible(tasks, workers):
    """The tasks and programs for which there are back ends."""
    if "tensorflow" not in workers:
        tasks = {
            task: dict.fromkeys(
                name if back_end_of(name) != "tensorflow" else name + ON_JAX for name in names
            )
            for task, names in tasks.items()
            if task.what == "step"
        }
        known = set().union(*STEPS.values())
        tasks = {task: [name for name in names if name in known] for task, names in tasks.items()}
    return {
        task: [name for name in names if back_end_of(name) in workers]
        for task, names in tasks.items()
    }


def cost(task):
    """About how many seconds a program takes, made and measured on two cores."""
    return {"step": 1 + task.steps / 200, "fit": 6, "memory": 9}[task.what]


# Who measures.


class Failed(Exception):
    """What a worker says of a program that does not run."""


class Worker:
    """A process with one back end."""

    def __init__(self, back_end):
        self.back_end = back_end
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments.bench_worker"],
            cwd=ROOT,
            env=os.environ | {"KERAS_BACKEND": back_end},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, method, *arguments):
        try:
            pickle.dump((method, *arguments), self.process.stdin)
            self.process.stdin.flush()
            good, answer = pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            sys.exit(
                f"The process that times {self.back_end} ended with status {self.process.wait()},"
                f" asked to {method}. What was measured before is kept; to see why, run"
                f" KERAS_BACKEND={self.back_end} {sys.executable} -m experiments.bench_worker."
            )
        if not good:
            raise Failed(answer)
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def measure(task, names, workers, rounds):
    """The rows of one task, by program, without the machine."""
    if task.what == "memory":
        return memory(task, names)
    names = make(task, names, workers)
    times = {name: [] for name in names}
    for _ in range(rounds):
        for name in random.sample(names, len(names)):
            times[name].append(workers[back_end_of(name)].ask("time", name))
    for worker in workers.values():
        worker.ask("forget")
    rows = {}
    for name, ms in times.items():
        low, middle, high = np.quantile(np.divide(ms, times[names[0]]), [0.25, 0.5, 0.75])
        ratios = {"ratio": middle, "ratio_low": low, "ratio_high": high}
        rows[name] = {"ms": np.median(ms), "ms_by_round": ms, "rounds": rounds} | ratios
    return rows


def make(task, names, workers):
    """Makes the programs, and gives the names of those that run and compute what they should."""
    results = {}
    for name in names:
        try:
            got = workers[back_end_of(name)].ask("make", name, dataclasses.asdict(task))
        except Failed as error:
            leave_out(name, str(error))
            continue
        expected = next((results[n] for n in results if ("MinGRU" in n) == ("MinGRU" in name)), got)
        if name != PRODUCTS and (wrong := disagreement(task, got, expected)):
            leave_out(f"{task}: {name}", wrong)
        else:
            results[name] = got
    if names[0] not in results:
        sys.exit(f"{task}: {names[0]} does not run, and there is nothing to compare with.")
    return list(results)


def disagreement(task, got, expected):
    """A sentence where a program did not compute what the other did."""
    if [a.shape for a in got] != [a.shape for a in expected]:
        return f"it gives arrays of the shapes {[a.shape for a in got]}"
    first = "the loss" if task.what == "fit" else "the last output"
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        what, error = "a gradient" if i else first, np.abs(a - b).max() / np.abs(b).max()
        if not error <= TOLERANCES[what]:
            return f"{what} is off by {error:.1e} of its size; allowed are {TOLERANCES[what]:g}"
    return None


def memory(task, names):
    """Each program in a process of its own, where nothing lies about."""
    rows = {}
    for name in names:
        with Worker(back_end_of(name)) as worker:
            try:
                mb = worker.ask("peak", name, dataclasses.asdict(task))
            except Failed as error:
                leave_out(name, str(error))
                continue
        rows[name] = {"mb": mb, "ratio": mb / rows[KERAS]["mb"] if rows else 1.0, "rounds": 1}
    return rows


@functools.cache  # once, although every task would say it
def leave_out(name, why):
    print(f"Left out: {name}: {why}.", flush=True)


# The table.


def task_of(row):
    return Task(**{field.name: row[field.name] for field in dataclasses.fields(Task)})


def read():
    return read_bench(TABLE) if TABLE.exists() else []


def write(rows):
    """Writes the table: whole or not at all."""
    temporary = TABLE.with_suffix(".tmp")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: as_text(value) for key, value in row.items()} for row in rows)
    os.replace(temporary, TABLE)


def as_text(value):
    if isinstance(value, list):
        return " ".join(map(as_text, value))
    return f"{value:.4g}" if isinstance(value, float) else value


def elsewhere(rows, machines):
    """What one of the rows says of where it was measured, if that is not here."""
    for row in rows:
        here = machines.get(row["backend"].split()[0], {})
        for key in here.keys() - {"date"}:
            if row[key] != here[key]:
                return f"{key} {row[key]}, and here it is {here[key]}"
    return None


def still_missing(rows, tasks, rounds):
    """The tasks that have to be measured, since one of their programs has not enough rounds."""
    have = {(task_of(row), row["program"]): row["rounds"] for row in rows}
    return {
        task: names
        for task, names in tasks.items()
        if any(
            have.get((task, name), 0) < (1 if task.what == "memory" else rounds) for name in names
        )
    }


def run(tasks, rounds, workers, fresh):
    machines = {back_end: worker.ask("hello") for back_end, worker in workers.items()}
    tasks = possible(tasks, workers)
    if fresh:
        write([])
    elif where := elsewhere(read(), machines):
        print(f"A new table: the old one has {where}.")
        write([])
    missing = still_missing(read(), tasks, rounds)
    ahead, spent, done = sum(cost(task) * len(missing[task]) for task in missing), 0, 0
    for count, (task, names) in enumerate(missing.items(), start=1):
        start = time.monotonic()
        measured = measure(task, names, workers, rounds)
        rows = [row for row in read() if task_of(row) != task]
        for name, row in measured.items():
            row = dataclasses.asdict(task) | {"program": name} | row
            rows.append(row | machines[back_end_of(name)])
        write(rows)
        spent, done = spent + time.monotonic() - start, done + cost(task) * len(names)
        print(
            f"[{count} of {len(missing)}] {task}: {len(measured)} programs,"
            f" {time.monotonic() - start:.0f} s; {spent / done * (ahead - done) / 60:.0f} min left",
            flush=True,
        )


# What came out.


def ending(rows):
    """What the names of Keras's programs end with, where they are not on TensorFlow."""
    programs = {row["program"] for row in rows}
    return ON_JAX if KERAS + ON_JAX in programs and KERAS not in programs else ""


def print_table(rows):
    previous, keras_layer = None, KERAS + ending(rows)
    for row in rows:
        if (task := task_of(row)) != previous:
            print(f"\n{str(task):62} {'MB' if row['mb'] else 'ms':>8}  × {keras_layer} [quartiles]")
            previous = task
        spread = f" [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]" if row["ms"] else ""
        print(f"  {row['program']:60} {row['mb'] or row['ms']:8.2f}  {row['ratio']:.2f}{spread}")


def claims(rows):
    """What was claimed: each claim in words, each task that it speaks of, and what is true there.

    That is the quartiles of the ratio, taken round by round, and whether the median is small
    enough; None twice where it was not measured.
    """
    measured = {(task_of(row), row["program"]): row for row in rows}
    for program, bound, other, where in CLAIMS:
        program, other = (n if n == TORCH else n + ending(rows) for n in (program, other))
        for task in all_steps():
            if any(getattr(task, key) != value for key, value in where.items()):
                continue
            one, two = measured.get((task, program)), measured.get((task, other))
            ratios = quartiles(one, two) if one and two else None
            yield f"{program} ≤ {bound} × {other}", task, ratios, ratios and ratios[1] <= bound


def print_claims(rows):
    words = {True: "holds", False: "does not hold", None: "not measured"}
    previous, found = None, list(claims(rows))
    for said, task, ratios, holds in found:
        if said != previous:
            print(f"\nClaimed: {said}")
            previous = said
        number = "{1:.2f} [{0:.2f}, {2:.2f}]".format(*ratios) if ratios else ""
        print(f"  {words[holds]:14} {number:18}  {task}")
    counts = [sum(claim[-1] is value for claim in found) for value in words]
    print("\n{} claims hold, {} do not, {} were not measured.".format(*counts))
    print("What is claimed of FastRNN was set from measurements of the LSTM.")


def draw(rows):
    """The training steps of the LSTM; what is slower by far would squeeze the rest."""
    ours, keras_layer = ["RNN(our cell)", "RNN(our cell)" + ON_JAX, FAST], KERAS + ending(rows)
    panels = {}
    for task in all_steps():
        found = {row["program"]: row for row in rows if task_of(row) == task}
        if found and (task.cell, task.mode, task.batch) == ("lstm", "training", 64):
            panels[f"{task.steps} × {task.features}, {task.units} units"] = {
                name: [found[name][key] for key in ("ratio_low", "ratio", "ratio_high")]
                for name in [*ours, TORCH, PRODUCTS]
                if name in found
            }
    if not panels:
        return
    matplotlib.use("agg")
    plotting.use_book_style()
    with warnings.catch_warnings(action="ignore"):  # it cannot be shown
        plotting.show_ratios(panels, keras_layer, dict.fromkeys(ours, plotting.COLORS["lstm"]))
    FIGURE.parent.mkdir(exist_ok=True)
    plt.gcf().savefig(FIGURE)
    print(f"\nThe figure: {FIGURE}")


def warn_if_busy():
    """Seen on two busy cores: PyTorch's layer took 170 times as long, TensorFlow's twice."""
    load, cores = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0, os.cpu_count()
    if load > cores / 4:
        print(
            f"Other programs run here (load {load:.1f} on {cores} cores): ratios may be far off,"
            " PyTorch's most of all; stop them and start again with --fresh (make bench FRESH=1)."
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--long", action="store_true", help="more rounds, more programs")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    arguments = parser.parse_args()
    tasks = plan(arguments.long)
    warn_if_busy()
    if not CLEAR.exists():
        print("Memory is left out: it is read from Linux's own account of a process.")
        tasks = {task: names for task, names in tasks.items() if task.what != "memory"}
    try:
        with contextlib.ExitStack() as stack:
            workers = {}
            for back_end in STEPS:
                if importlib.util.find_spec(back_end):
                    workers[back_end] = stack.enter_context(Worker(back_end))
                else:
                    print(f"{back_end} is not installed: its programs are left out.")
            run(tasks, LONG if arguments.long else SHORT, workers, arguments.fresh)
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command, without --fresh, goes on from here.")
    rows = read()
    print_table(rows)
    print_claims(rows)
    draw(rows)


if __name__ == "__main__":
    main()
