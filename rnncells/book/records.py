"""What ``experiments/chapter_4.py`` and ``experiments/chapter_11.py`` have trained."""

import contextlib
import csv
from pathlib import Path

import numpy as np


def load_record(name):
    """A record of chapter 4: its columns by name, each an array of numbers.

    Args:
        name: ``descent``, ``spike`` or ``truncation``.
    """
    return np.genfromtxt(Path(__file__).with_name(f"{name}.csv"), delimiter=",", names=True)


def load_runs(name, **where):
    """Trainings of chapter 11: one dict for each run, its settings and what came out.

    Args:
        name: ``names``, ``text``, ``sunspots`` or ``pairs``.
        **where: Columns and the values that they must have; all runs without any.
    """
    with open(Path(__file__).with_name(f"{name}_runs.csv"), newline="") as file:
        runs = [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]
    return [run for run in runs if all(run[key] == value for key, value in where.items())]


def number(text):
    """A text as an int or a float, or as it is."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _value(text):
    if text in ("True", "False"):
        return text == "True"
    return number(text)
