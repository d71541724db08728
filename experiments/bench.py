"""The benchmark: how long a training step takes with each program, as ratios from one run.

    python -m experiments.bench

Machines differ and are disturbed, so what counts is a ratio: all programs of a task are timed in
turn, round after round, and each time is divided by that of Keras's layer in the same round. Two
copies of one program differ too, as they lie in memory; so those that claims are about are made
twice and averaged. The control is Keras's layer once more: its ratio would be one on a perfect
machine, and differences smaller than the control's mean nothing.

The programs run in processes whose environment is written here and inherits nothing else that
changes how a library computes: first as anybody runs them, then as the book's own trainings run.

On an accelerator it is the same, with a table of its own. Where TensorFlow is not installed, what
would run on it runs on JAX (start it with KERAS_BACKEND=jax).
"""

import contextlib
import dataclasses
import functools
import importlib.util
import os
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from experiments.bench_worker import BACKEND, OURS, STEPS, TORCH, WAYS, Task
from experiments.machine import MACHINE, accelerator
from experiments.tables import write_table
from rnncells.book.timings import (
    CONTROL,
    SETTINGS,
    check_setting,
    quartiles,
    read_bench,
    resolution,
)

ROOT = Path(__file__).resolve().parent.parent
GPU = accelerator(BACKEND)
TABLE = ROOT / "rnncells" / "book" / ("bench_gpu.csv" if GPU else "bench.csv")
CLEAR = Path("/proc/self/clear_refs")  # Linux alone has it
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
INHERITED += ("CUDA_VISIBLE_DEVICES",)

PAUSE = 0.2  # seconds: so long the threads of the process before stay awake for more work
# Of the largest number of an array. Rounding adds up over 784 steps and over the steps of a fit;
# cuDNN has shorter functions for sigmoid and tanh.
TOLERANCES = {"the last output": 3e-5 if GPU else 1e-5, "a gradient": 1e-4, "the loss": 1e-3}

KERAS, OUR_LOOP = "Keras's layer", "RNN(our cell)"
LOOPS = [KERAS, CONTROL, "RNN(Keras's cell)", OUR_LOOP]
ON_JAX, ON_TORCH = " on JAX", " on PyTorch"
BY_HAND = ["by hand, jit", "by hand, jit, two halves"]
HALVES = [f"{OUR_LOOP}, jit", f"{OUR_LOOP}, jit, two halves"]
WAYS_ROUND = [f"{OUR_LOOP}, {way}" for way in ("x W first", "4 steps a turn", "unrolled")]
MIN_GRUS = ["RNN(MinGRUCell)", "ParallelRNN(MinGRUCell)"]
CHECKPOINTED, PRODUCTS = f"{OUR_LOOP}, checkpointed", "matrix products alone"

# steps, features, units, batch
ROWS, PIXELS = (28, 28, 64, 64), (784, 1, 128, 64)
SIZES = [ROWS, (28, 28, 128, 64), (28, 28, 64, 256), (28, 28, 128, 256), PIXELS]
MEMORY = [(28, 28, 128, 64), PIXELS]

# What README and chapter 10 say, of programs with their default settings: a program takes at most
# so many times as long as another, in every task with these properties.
LSTM = {"cell": "lstm", "steps": 28, "units": 64, "batch": 64}
TRAINING = {"cell": "lstm", "mode": "training"}
CLAIMS = [
    (OUR_LOOP, 1.05, "RNN(Keras's cell)", {}),
    (OUR_LOOP, 0.25, "Python loop", LSTM),
    (f"{OUR_LOOP}, jit", 0.85, OUR_LOOP, LSTM | {"mode": "inference"}),
    (f"{OUR_LOOP}, jit, two halves", 0.9, OUR_LOOP, TRAINING),
    (OUR_LOOP + ON_JAX, 0.85, OUR_LOOP, LSTM),
    (OUR_LOOP, 0.85, OUR_LOOP + ON_JAX, TRAINING | {"steps": 784}),
    (OUR_LOOP, 0.5, OUR_LOOP + ON_TORCH, LSTM),
    (TORCH, 0.8, OUR_LOOP, {"cell": "lstm", "units": 64}),
    (MIN_GRUS[0], 0.3, KERAS, {"cell": "gru", "steps": 784}),
    (MIN_GRUS[0], 0.8, MIN_GRUS[1], {"cell": "gru", "steps": 784}),
]

VERDICTS = ("holds", "cannot be told", "does not hold", "not measured")

COLUMNS = ["setting", *(field.name for field in dataclasses.fields(Task))]
COLUMNS += ["program", "ms", "ratio", "ratio_low", "ratio_high", "mb", "ms_by_round", "rounds"]
COLUMNS += [*MACHINE, "variables"]


# What is measured.


def plan():
    """Every setting, its tasks and the names of their programs."""
    if GPU:
        return {"float32": users_tasks()}
    trained = {"mode": "training", "steps": 28, "batch": 64}
    return {"users": users_tasks(), "book": {task: LOOPS for task in all_steps(**trained)}}


def users_tasks():
    tasks = {task: programs_of(task) for task in all_steps()}
    fit = Task("fit", "training", "lstm", *ROWS)
    names = [KERAS, CONTROL, OUR_LOOP]
    tasks[fit] = names + [name + way for way in WAYS if way for name in (KERAS, OUR_LOOP)]
    for size in MEMORY:
        names = [KERAS, OUR_LOOP, BY_HAND[0]] + [CHECKPOINTED] * (size == PIXELS)
        tasks[Task("memory", "training", "lstm", *size)] = names
    return tasks


def all_steps(**where):
    for size in SIZES:
        for mode in ("training", "inference"):
            for cell in OURS:
                task = Task("step", mode, cell, *size)
                if all(getattr(task, key) == value for key, value in where.items()):
                    yield task


def programs_of(task):
    size = (task.steps, task.features, task.units, task.batch)
    rows, pixels, training = size == ROWS, size == PIXELS, task.mode == "training"
    names = [*LOOPS, TORCH]
    if task.cell == "lstm" and training:
        names += HALVES + BY_HAND + [KERAS + ON_JAX, OUR_LOOP + ON_JAX]
    if task.cell == "lstm" and rows:
        names += [HALVES[0], KERAS + ON_JAX, OUR_LOOP + ON_JAX]
        names += [*WAYS_ROUND, PRODUCTS, "Python loop"]
        names += [KERAS + ON_TORCH, OUR_LOOP + ON_TORCH]
    if task.cell == "lstm" and pixels and training:
        names += [WAYS_ROUND[1], PRODUCTS, CHECKPOINTED, OUR_LOOP + ON_TORCH]
    if task.cell == "gru" and pixels:
        names += MIN_GRUS
    return list(dict.fromkeys(names))


def rounds_of(task):
    return {"fit": 6, "memory": 1}.get(task.what, 7 if task.steps > 100 else 17)


def copies_of(task, name):
    return 2 if task.what == "step" and name in LOOPS else 1


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
    found = {
        task: [name for name in names if back_end_of(name) in workers]
        for task, names in tasks.items()
    }
    return {task: names for task, names in found.items() if names}


def cost(task):
    """About how many seconds a program takes, made and measured on two cores."""
    return {"step": 2 + task.steps / 150, "fit": 10, "memory": 8}[task.what]


# Who measures.


class Failed(Exception):
    """What a worker says of a program that does not run."""


def environment(back_end, setting):
    """The whole environment of a worker: nothing that changes how it computes is inherited."""
    variables = {name: os.environ[name] for name in INHERITED if name in os.environ}
    variables |= {"KERAS_BACKEND": back_end, "PYTHONUTF8": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    # On an accelerator, whose memory the processes share.
    variables |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return variables | dict(pair.split("=", 1) for pair in SETTINGS[setting].split())


class Worker:
    """A process with one back end, in one setting."""

    def __init__(self, back_end, setting, log=subprocess.DEVNULL):
        self.back_end, self.setting = back_end, setting
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments.bench_worker"],
            cwd=ROOT,
            env=environment(back_end, setting),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    def ask(self, method, *arguments):
        try:
            pickle.dump((method, *arguments), self.process.stdin)
            self.process.stdin.flush()
            good, answer = pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            sys.exit(
                f"The process that times {self.back_end} ended with status {self.process.wait()},"
                f" asked to {method}, and no table was written; to see why, run"
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


def measure(task, names, workers):
    """The rows of one task, by program, without the machine."""
    if task.what == "memory":
        return memory(task, names, workers["tensorflow"].setting)
    names = make(task, names, workers)
    times = {name: [] for name in names}
    for _ in range(rounds_of(task)):
        for back_end in random.sample(list(workers), len(workers)):
            own = [name for name in names if back_end_of(name) == back_end]
            time.sleep(PAUSE if own and len(workers) > 1 else 0)
            for name in random.sample(own, len(own)):
                times[name].append(workers[back_end].ask("time", name))
    for worker in workers.values():
        worker.ask("forget")
    rows = {}
    for name, ms in times.items():
        low, middle, high = np.quantile(np.divide(ms, times[names[0]]), [0.25, 0.5, 0.75])
        ratios = {"ratio": middle, "ratio_low": low, "ratio_high": high}
        rows[name] = {"ms": np.median(ms), "ms_by_round": ms, "rounds": len(ms)} | ratios
    return rows


def make(task, names, workers):
    """Makes the programs, and gives the names of those that run and compute what they should."""
    results = {}
    twice = [name for name in names if copies_of(task, name) == 2]
    for name in names + twice:
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


def memory(task, names, setting):
    """Each program in a process of its own, where nothing lies about."""
    rows = {}
    for name in names:
        with Worker(back_end_of(name), setting) as worker:
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


def run(setting, tasks, workers):
    """The rows of all tasks in one setting."""
    machines = {back_end: worker.ask("hello") for back_end, worker in workers.items()}
    for back_end, machine in machines.items():
        check_setting(back_end, {"setting": setting} | machine)
    tasks, rows = possible(tasks, workers), []
    ahead, spent, done = sum(cost(task) * len(tasks[task]) for task in tasks), 0, 0
    for count, (task, names) in enumerate(tasks.items(), start=1):
        start = time.monotonic()
        for name, row in measure(task, names, workers).items():
            what = {"setting": setting} | dataclasses.asdict(task) | {"program": name}
            rows.append(dict.fromkeys(COLUMNS) | what | row | machines[back_end_of(name)])
        spent, done = spent + time.monotonic() - start, done + cost(task) * len(names)
        print(
            f"[{setting}: {count} of {len(tasks)}] {task}: {time.monotonic() - start:.0f} s;"
            f" {spent / done * (ahead - done) / 60:.0f} min left",
            flush=True,
        )
    return rows


# The table.


def task_of(row):
    return Task(**{field.name: row[field.name] for field in dataclasses.fields(Task)})


def write(rows):
    texts = [{key: as_text(value) for key, value in row.items()} for row in rows]
    write_table(TABLE, COLUMNS, texts)


def as_text(value):
    if isinstance(value, list):
        return " ".join(map(as_text, value))
    return f"{value:.4g}" if isinstance(value, float) else value


# What came out.


def ending(rows):
    """What the names of Keras's programs end with, where they are not on TensorFlow."""
    programs = {row["program"] for row in rows}
    return ON_JAX if KERAS + ON_JAX in programs and KERAS not in programs else ""


def print_table(rows):
    previous, keras_layer = None, KERAS + ending(rows)
    for row in rows:
        if (task := (row["setting"], task_of(row))) != previous:
            said = f"{row['setting']}: {task_of(row)}"
            print(f"\n{said:62} {'MB' if row['mb'] else 'ms':>8}  × {keras_layer} [quartiles]")
            previous = task
        spread = f" [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]" if row["ms"] else ""
        print(f"  {row['program']:60} {row['mb'] or row['ms']:8.2f}  {row['ratio']:.2f}{spread}")


def claims(rows):
    """What was claimed: each claim in words, each task that it speaks of, and what is true there.

    That is the quartiles of the ratio, taken round by round, and one of VERDICTS: a claim does
    not hold where the median is too large by more than the resolution of the table.
    """
    rows = [row for row in rows if row["setting"] != "book"]
    measured, factor = {(task_of(row), row["program"]): row for row in rows}, resolution(rows)
    for program, bound, other, where in CLAIMS:
        program, other = (named(name, rows) for name in (program, other))
        for task in all_steps(**where):
            one, two = measured.get((task, program)), measured.get((task, other))
            ratios, verdict = None, VERDICTS[-1]
            if one and two:
                ratios = quartiles(one, two)
                verdict = VERDICTS[(ratios[1] > bound) + (ratios[1] > bound * factor)]
            yield f"{program} ≤ {bound} × {other}", task, ratios, verdict


def named(name, rows):
    return name + ending(rows) if back_end_of(name) == "tensorflow" else name


def print_claims(rows):
    for setting in dict.fromkeys(row["setting"] for row in rows):
        factor = resolution([row for row in rows if row["setting"] == setting])
        print(f"\nThe resolution, {setting}: {CONTROL}, takes {1 / factor:.2f} to {factor:.2f}.")
    previous, found = None, list(claims(rows))
    for said, task, ratios, verdict in found:
        if said != previous:
            print(f"\nClaimed: {said}")
            previous = said
        number = "{1:.2f} [{0:.2f}, {2:.2f}]".format(*ratios) if ratios else ""
        print(f"  {verdict:14} {number:18}  {task}")
    counts = [sum(claim[-1] == verdict for claim in found) for verdict in VERDICTS]
    pairs = zip(counts, VERDICTS, strict=True)
    print("\nClaims:", ", ".join(f"{count} {verdict}" for count, verdict in pairs))


def warn_if_busy():
    """Seen on two busy cores: PyTorch's layer took 170 times as long, TensorFlow's twice."""
    load, cores = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0, os.cpu_count()
    if load > cores / 4:
        print(
            f"Other programs run here (load {load:.1f} on {cores} cores): ratios may be far off,"
            " PyTorch's most of all; stop them and start again."
        )


def main():
    warn_if_busy()
    rows = []
    try:
        for setting, tasks in plan().items():
            if not CLEAR.exists():
                print("Memory is left out: it is read from Linux's own account of a process.")
                tasks = {task: names for task, names in tasks.items() if task.what != "memory"}
            needed = {back_end_of(name) for names in tasks.values() for name in names}
            with contextlib.ExitStack() as stack:
                workers = {}
                for back_end in needed:
                    if importlib.util.find_spec(back_end):
                        workers[back_end] = stack.enter_context(Worker(back_end, setting))
                    else:
                        print(f"{back_end} is not installed: its programs are left out.")
                rows += run(setting, tasks, workers)
    except KeyboardInterrupt:
        sys.exit("\nStopped, and no table was written.")
    write(rows)
    rows = read_bench(TABLE)
    print_table(rows)
    print_claims(rows)


if __name__ == "__main__":
    main()
