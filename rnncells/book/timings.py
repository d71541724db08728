"""The book's timings: what ``experiments/bench.py`` has measured, read and compared."""

import csv
from pathlib import Path

import numpy as np

WHOLE = ("steps", "features", "units", "batch", "rounds", "cores")
REAL = ("ms", "ratio", "ratio_low", "ratio_high", "mb")


def load_bench(table="bench", **where):
    """Loads what the benchmark measured.

    Args:
        table: ``bench``, or ``bench_gpu`` for what was measured on an accelerator.
        **where: Columns and the values that they must have, as in ``cell="lstm", batch=64``; all
            rows without any.

    Returns:
        One dict for each program and task, with what was computed (``what``: step, fit or memory;
        ``mode``: training or inference; ``cell``, ``steps``, ``features``, ``units``, ``batch``),
        the ``program``, ``ms`` (the median over the rounds), ``ratio`` (to Keras's layer in the
        same round, or to its memory; the median) with ``ratio_low`` and ``ratio_high`` (its
        quartiles), ``mb`` (peak memory), ``ms_by_round`` (a list), and the machine and the
        versions. What a row does not have is None.

    Raises:
        KeyError: There is no such column.
    """
    rows = read_bench(Path(__file__).with_name(f"{table}.csv"))
    for key in where:
        if rows and key not in rows[0]:
            raise KeyError(f"load_bench: {key}: expected one of {', '.join(rows[0])}.")
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def read_bench(path):
    """The rows of a CSV of the benchmark, numbers as numbers."""
    with open(path, newline="") as file:
        return [
            {key: _value(key, text) for key, text in row.items()} for row in csv.DictReader(file)
        ]


def quartiles(row, other):
    """How much longer one program takes than another of the same task.

    Args:
        row: What ``load_bench`` gave for the one.
        other: The same for the other.

    Returns:
        The lower quartile, the median and the upper quartile of the ratios. There is one for each
        round, since what disturbs a round disturbs both.
    """
    ratios = np.divide(row["ms_by_round"], other["ms_by_round"])
    return np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()


def _value(key, text):
    if key == "ms_by_round":
        return [float(number) for number in text.split()]
    if key in WHOLE + REAL:
        return (int(text) if key in WHOLE else float(text)) if text else None
    return text
