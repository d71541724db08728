"""The book's results: what ``experiments/ledger.py`` has trained, read and summed up."""

import contextlib
import csv
import statistics
from pathlib import Path

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
)


def load_ledger(**where):
    """Loads the finished runs.

    Args:
        **where: Columns and the values that they must have, as in ``task="rows"``; all runs
            without any.

    Returns:
        One dict for each run, in the order in which they ended, with its settings, what came out
        (``parameters``; ``accuracy`` and ``loss`` on ``split``; ``accuracy_by_epoch``, a list;
        ``seconds``), the machine and the versions.

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


def summary(runs):
    """Sums up runs that differ in the seed alone.

    Args:
        runs: Rows of ``load_ledger``.

    Returns:
        One dict for each group, best first, with its settings and ``runs`` (how many),
        ``accuracy`` (their mean), ``std`` (their standard deviation, None for a single run),
        ``parameters``, and ``seconds`` (of the fastest run, which was disturbed least).
    """
    groups = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in SETTINGS), []).append(run)
    rows = []
    for settings, group in groups.items():
        accuracy = [run["accuracy"] for run in group]
        rows.append(
            dict(zip(SETTINGS, settings, strict=True))
            | {
                "runs": len(group),
                "accuracy": statistics.mean(accuracy),
                "std": statistics.stdev(accuracy) if len(group) > 1 else None,
                "parameters": group[0]["parameters"],
                "seconds": min(run["seconds"] for run in group),
            }
        )
    return sorted(rows, key=lambda row: -row["accuracy"])


def print_table(runs):
    """Prints ``summary(runs)``: accuracy in percent, its mean and standard deviation over seeds."""
    for row in summary(runs):
        spread = "       " if row["std"] is None else f"± {100 * row['std']:5.2f}"
        print(
            f"{row['cell']:6} {row['start']:10} {100 * row['accuracy']:5.2f} {spread}"
            f"  runs: {row['runs']}, weights: {row['parameters']:,},"
            f" rate {row['learning_rate']:g}, batch {row['batch_size']}"
            + (f", layers: {row['layers']}" if row["layers"] > 1 else "")
        )


def _value(key, text):
    if key == "accuracy_by_epoch":
        return [float(number) for number in text.split()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
