"""The book's timings: what ``experiments/bench.py`` has measured, read and compared."""

import csv
from pathlib import Path

import numpy as np

# How the programs ran, and by which variables of the environment a process shows that it did:
# as anybody runs the libraries; as the book's own trainings run, without oneDNN, so that they add
# up in the same order; and, on a GPU, with whole float32 products.
SETTINGS = {
    "users": "",
    "book": "TF_ENABLE_ONEDNN_OPTS=0",
    "float32": "JAX_DEFAULT_MATMUL_PRECISION=highest NVIDIA_TF32_OVERRIDE=0",
}
VARIABLES = (
    "JAX_DEFAULT_MATMUL_PRECISION",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
CONTROL = "Keras's layer, again"

WHOLE = ("steps", "features", "units", "batch", "rounds", "cores")
REAL = ("ms", "ratio", "ratio_low", "ratio_high", "mb")

# The sizes of the steps that were measured: steps, units, batch.
SIZES = ((28, 64, 64), (28, 128, 64), (28, 64, 256), (28, 128, 256), (784, 128, 64))


def load_bench(table="bench", **where):
    """Loads what the benchmark measured.

    Args:
        table: ``bench``, or ``bench_gpu`` for what was measured on an accelerator.
        **where: Columns and the values that they must have, as in ``cell="lstm", batch=64``; all
            rows without any.

    Returns:
        One dict for each program and task, with the ``setting`` (``users``: as anybody runs the
        libraries; ``book``: as the book's trainings run, without oneDNN; ``float32``: on a GPU,
        with whole float32 products), what was computed (``what``: step, fit or memory;
        ``mode``: training or inference; ``cell``, ``steps``, ``features``, ``units``, ``batch``),
        the ``program``, ``ms`` (the median over the rounds), ``ratio`` (to Keras's layer in the
        same round, or to its memory; the median) with ``ratio_low`` and ``ratio_high`` (its
        quartiles), ``mb`` (peak memory), ``ms_by_round`` (a list), and the machine and the
        versions. What a row does not have is None.

    Raises:
        KeyError: There is no such column.
        ValueError: A row was measured in another environment than its setting's.
    """
    rows = read_bench(Path(__file__).with_name(f"{table}.csv"))
    for key in where:
        if rows and key not in rows[0]:
            raise KeyError(f"load_bench: {key}: expected one of {', '.join(rows[0])}.")
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def read_bench(path):
    """The rows of a CSV of the benchmark, numbers as numbers."""
    with open(path, newline="") as file:
        lines = csv.DictReader(file)
        rows = [{key: _value(key, text) for key, text in line.items()} for line in lines]
    for row in rows:
        check_setting(path.name, row)
    return rows


def check_setting(what, row):
    """Raises ValueError where a process computed in another way than its setting says."""
    setting = row.get("setting")
    if setting not in SETTINGS:
        known = ", ".join(SETTINGS)
        raise ValueError(
            f"{what}: expected a setting of {known}; got {setting}: measure again with make bench."
        )
    expected, got = SETTINGS[setting], row["variables"]
    if got != expected:
        raise ValueError(
            f"{what}: the setting {setting} has the variables {expected or 'none'!r};"
            f" the process had {got or 'none'!r}: measure again with make bench."
        )


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


def ratios(programs, setting="users", **where):
    """How long programs take in one task, as multiples of Keras's layer.

    Args:
        programs: The programs' names.
        setting, **where: What ``load_bench`` takes, such that one task is left.

    Returns:
        A dict from each program that was measured, in the order of ``programs``, to the lower
        quartile, the median and the upper quartile of its ratio.
    """
    rows = {row["program"]: row for row in load_bench(setting=setting, **where)}
    ends = ("ratio_low", "ratio", "ratio_high")
    return {name: [rows[name][end] for end in ends] for name in programs if name in rows}


def by_size(programs, value="ratio", setting="users", **where):
    """What was measured of programs at each of ``SIZES``, as rows of a table.

    Args:
        programs: The programs' names.
        value: A column of ``load_bench``, as ``ratio``, ``ms`` or ``ms_by_round``.
        setting, **where: What ``load_bench`` takes, such that one task is left for each size.

    Returns:
        For each program a list of its name and its value at each size, None where it was not
        measured.
    """
    rows = load_bench(setting=setting, what="step", **where)
    found = {(row["program"], row["steps"], row["units"], row["batch"]): row[value] for row in rows}
    return [[name, *[found.get((name, *size)) for size in SIZES]] for name in programs]


def size_names():
    """The columns of ``by_size``: steps/units/batch."""
    return ["/".join(map(str, size)) for size in SIZES]


def resolution(rows):
    """How small a difference between two programs the table can show.

    Args:
        rows: What ``load_bench`` gave. In each task Keras's layer is there twice, as a control;
            if the machine did nothing else, the two would take the same time.

    Returns:
        The factor, at least 1, within which the two agree in nine of ten tasks.
    """
    ratios = [row["ratio"] for row in rows if row["program"] == CONTROL and row["ms"]]
    factors = [max(ratio, 1 / ratio) for ratio in ratios] or [1.0]
    return float(np.quantile(factors, 0.9))


def _value(key, text):
    if key == "ms_by_round":
        return [float(number) for number in text.split()]
    if key in WHOLE + REAL:
        return (int(text) if key in WHOLE else float(text)) if text else None
    return text
