"""The book's results: what ``experiments/ledger.py`` has trained, read and summed up."""

import base64
import csv
import math
import statistics
import zlib
from pathlib import Path

import numpy as np

from rnncells.book.records import number
from rnncells.book.tables import show_table

LEDGER = Path(__file__).with_name("ledger.csv")

# What a run was, but for its seed: runs that agree in all of these are repetitions.
SETTINGS = (
    "task",
    "cell",
    "start",
    "learning_rate",
    "units",
    "batch_size",
    "epochs",
    "warmup",
    "clip",
    "split",
    "layers",
    "directions",
    "dropout",
    "shift",
)
# The best share that one answer to everything gets: the digit 1 is 11 % of MNIST; the sum of two
# numbers lies within 0.04 of 1 in 8 % of all cases.
CHANCE = {"rows": 0.11, "pixels14": 0.11, "pixels": 0.11, "permuted": 0.11, "adding": 0.08}
CHANCE |= dict.fromkeys(["recall5", "recall10", "recall20", "recall40", "recall80"], 0.08)
BETTER_THAN_CHANCE = 1.25  # times


def load_ledger(**where):
    """Loads the finished runs.

    Args:
        **where: Columns and the values that they must have, as in ``task="rows"``; all runs
            without any.

    Returns:
        One dict for each run, in the order in which they ended, with its settings, what came out
        (``parameters``; ``accuracy`` and ``loss`` on ``split``; ``accuracy_by_epoch``, a list;
        ``seconds``), the machine and the versions, ``code`` (a hash of the code that the numbers
        depend on), and ``wrong``: which of the 10,000 digits of ``split`` it got wrong, a Boolean
        array. ``code`` and ``wrong`` are None for runs from before these were kept, and ``wrong``
        where no digits were judged.

    Raises:
        KeyError: There is no such column.
    """
    with open(LEDGER, newline="") as file:
        rows = [
            {key: _value(key, text) for key, text in row.items()} for row in csv.DictReader(file)
        ]
    for key in where:
        if rows and key not in rows[0]:
            raise KeyError(f"load_ledger: {key}: expected one of {', '.join(rows[0])}.")
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def load_one_gate():
    """Loads chapter 9's further runs: a dict of cells and their test accuracies, a list by seed."""
    runs = {}
    with open(LEDGER.with_name("one_gate.csv"), newline="") as file:
        for row in csv.DictReader(file):
            runs.setdefault(row["cell"], []).append(float(row["accuracy"]))
    return runs


def failed(run):
    """Whether a run broke or never learned.

    Args:
        run: A row of ``load_ledger``.

    Returns:
        True where the loss is not a number at the end, or where no epoch was better than 1.25
        times what one answer to everything gets (11 % of the digits, 8 % of the sums).
    """
    best = max(run["accuracy_by_epoch"])
    return not math.isfinite(run["loss"]) or best < BETTER_THAN_CHANCE * CHANCE[run["task"]]


def is_of(run, row):
    """Whether a run belongs to a row of ``summary``."""
    return all(run[key] == row[key] for key in SETTINGS)


def summary(runs):
    """Sums up runs that differ in the seed alone; those that failed count like all others.

    Args:
        runs: Rows of ``load_ledger``.

    Returns:
        One dict for each group, best first, with its settings and ``runs`` (how many), ``failed``
        (how many of them), ``accuracy`` (the mean), ``std`` (the standard deviation, None for a
        single run), ``parameters``, ``seconds`` (of the fastest run, which was disturbed least),
        and for runs on the test set ``trials`` and ``edge``: see ``trials_of`` and ``at_edge``.
    """
    groups = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in SETTINGS), []).append(run)
    tried = load_ledger(split="validation")
    rows = [
        dict(zip(SETTINGS, settings, strict=True)) | _sums(group)
        for settings, group in groups.items()
    ]
    for row in rows:
        trials = trials_of(row, tried) if row["split"] == "test" else []
        row["trials"], row["edge"] = len(trials), at_edge(row, trials)
    return sorted(rows, key=lambda row: -row["accuracy"])


def _sums(group):
    accuracy = [run["accuracy"] for run in group]
    return {
        "runs": len(group),
        "failed": sum(map(failed, group)),
        "accuracy": statistics.mean(accuracy),
        "std": statistics.stdev(accuracy) if len(group) > 1 else None,
        "parameters": group[0]["parameters"],
        "seconds": min(run["seconds"] for run in group),
    }


def trials_of(row, tried):
    """The settings that were tried before a result.

    Args:
        row: A row of ``summary``.
        tried: Runs that were judged on held-out images.

    Returns:
        One run for each setting that was tried for the same task, cell, width and number of
        layers. The simple cell with identity initialization and ReLU is another cell than that
        with tanh; for every other cell the initialization is one of the settings.
    """
    same = ("task", "cell", "units", "layers", "directions")
    trials = {}
    for run in tried:
        if all(run[key] == row[key] for key in same) and _is_relu(run) == _is_relu(row):
            trials.setdefault(tuple(run[key] for key in SETTINGS), run)
    return list(trials.values())


def at_edge(row, trials):
    """Which of a result's settings lie at the edge of the range that was tried.

    Args:
        row: A row of ``summary``.
        trials: What ``trials_of`` returns for it.

    Returns:
        A tuple with ``"learning_rate"`` where no lower or no higher rate was tried with the same
        initialization and batch size, and ``"batch_size"`` where several were tried with the same
        initialization, and none smaller or none larger. Empty where nothing was tried.
    """
    trials = [run for run in trials if run["start"] == row["start"]]
    batches = {run["batch_size"] for run in trials}
    rates = {run["learning_rate"] for run in trials if run["batch_size"] == row["batch_size"]}
    edges = {
        "learning_rate": bool(trials) and _at_edge(row["learning_rate"], rates),
        "batch_size": len(batches) > 1 and _at_edge(row["batch_size"], batches),
    }
    return tuple(name for name, edge in edges.items() if edge)


def _at_edge(value, tried):
    return not min(tried, default=value) < value < max(tried, default=value)


def _is_relu(run):
    return run["cell"] == "simple" and run["start"] == "identity"


def show_results(runs):
    """Shows ``summary(runs)`` as a table: accuracy in percent, mean ± standard deviation.

    Beside each result on the test set stand the runs that failed, which are in the mean, and the
    number of settings that were tried for the cell. A star marks a learning rate or a batch size
    with no lower or no higher one among them. Epochs are a column where they differ.
    """
    rows = [_result(row) for row in summary(runs)]
    columns = list(rows[0])
    if len({row["epochs"] for row in rows}) == 1:
        columns.remove("epochs")
    if all(row["trials"] is None for row in rows):
        columns.remove("trials")
    show_table(rows, columns, {"rate": "", "batch": ""})  # texts that end below each other


def _result(row):
    spread = "" if row["std"] is None else f" ± {100 * row['std']:.2f}"
    return {
        "network": network_of(row),
        "initialization": row["start"],
        "accuracy": f"{100 * row['accuracy']:.2f}{spread}",
        "runs": row["runs"],
        "failed": row["failed"],
        "trials": row["trials"] if row["split"] == "test" else None,
        "weights": row["parameters"],
        "rate": f"{row['learning_rate']:g}" + "*" * ("learning_rate" in row["edge"]),
        "batch": f"{row['batch_size']}" + "*" * ("batch_size" in row["edge"]),
        "epochs": row["epochs"],
    }


def network_of(row):
    """What is trained, in a few words: "2 x gru, both directions, shifted"."""
    parts = [f"{row['layers']} x {row['cell']}" if row["layers"] > 1 else row["cell"]]
    parts += ["both directions"] * (row["directions"] == 2)
    parts += [f"dropout {row['dropout']:g}"] if row["dropout"] else []
    parts += ["shifted"] if row["shift"] else []
    return ", ".join(parts)


def difference(first, second):
    """The difference of two mean accuracies, with its standard error.

    It has two sources. Other seeds would give other means: that part is the sum of both variances
    over the numbers of runs. And other test digits would give another difference. Both cells see
    the same digits, so what counts is the spread, over the digits, of the difference between the
    shares of runs that got a digit wrong; for one run of each this is McNemar's test. Where a run
    has no record of its wrong digits, or where one side was judged on other digits, the two
    accuracies are taken as independent, which is too wide for the same digits. What a seed and a
    digit do together is in both parts, which makes the sum a little wide.

    Args:
        first, second: Rows of ``load_ledger``, the seeds of one cell and of another.

    Returns:
        A dict with ``difference`` (first minus second), ``seeds`` (the error from the seeds, None
        where one side has a single run), ``digits`` (the error from the digits), ``paired``
        (whether all runs know their wrong digits, of one split) and ``error`` (of the difference:
        both parts).
    """
    accuracy = [[run["accuracy"] for run in runs] for runs in (first, second)]
    seeds = None
    if min(map(len, accuracy)) > 1:
        seeds = math.sqrt(sum(statistics.variance(a) / len(a) for a in accuracy))
    both = [*first, *second]
    paired = all(run["wrong"] is not None and run["split"] == both[0]["split"] for run in both)
    digits = _paired_error(first, second) if paired else _unpaired_error(accuracy)
    return {
        "difference": statistics.mean(accuracy[0]) - statistics.mean(accuracy[1]),
        "seeds": seeds,
        "digits": digits,
        "paired": paired,
        "error": math.hypot(seeds or 0.0, digits),
    }


def _paired_error(first, second):
    shares = [np.mean([run["wrong"] for run in runs], axis=0) for runs in (first, second)]
    return float(np.std(shares[0] - shares[1]) / math.sqrt(len(shares[0])))


def _unpaired_error(accuracy, digits=10_000):
    means = [statistics.mean(a) for a in accuracy]
    return math.sqrt(sum(mean * (1 - mean) / digits for mean in means))


def print_difference(first, second):
    """Prints ``difference(first, second)`` in points, with its error and what that consists of."""
    found = difference(first, second)
    names = _names(first[0], second[0])
    points = round(100 * found["difference"], 2) + 0.0  # no minus before zero
    seeds = "one run" if found["seeds"] is None else f"seeds {100 * found['seeds']:.2f}"
    digits = f"{'same' if found['paired'] else 'unpaired'} digits {100 * found['digits']:.2f}"
    print(
        f"{names[0]} - {names[1]}: {points:+.2f} ± {100 * found['error']:.2f}"
        f" points ({seeds}, {digits})"
    )


def _names(first, second):
    """The cells' names, with as much of their settings as distinguishes the two."""
    more = ("", " {start}", " {start} {learning_rate:g}/{batch_size}")
    for words in more:
        names = [cell_of(run) + words.format(**run) for run in (first, second)]
        if names[0] != names[1]:
            break
    return names


def cell_of(run):
    """The cell's name; "simple, identity" with ReLU and identity initialization: a cell apart."""
    return "simple, identity" if _is_relu(run) else run["cell"]


def packed(wrong):
    """Booleans (n,) as a short text: which digits were wrong, a few hundred characters."""
    return base64.b64encode(zlib.compress(np.packbits(wrong).tobytes(), 9)).decode()


def unpacked(text, count=10_000):
    """What ``packed`` has made a text of."""
    bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return np.unpackbits(bits, count=count).astype(bool)


def _value(key, text):
    if key == "accuracy_by_epoch":
        return [float(number) for number in text.split()]
    if key == "wrong":
        return unpacked(text) if text else None
    if key == "code":
        return text or None
    return number(text)
