"""What ``experiments/chapter_4.py`` has trained, as chapter 4 reads it."""

from pathlib import Path

import numpy as np


def load_record(name):
    """A record's columns by name, each an array of numbers.

    Args:
        name: ``descent``, ``spike`` or ``truncation``.
    """
    return np.genfromtxt(Path(__file__).with_name(f"{name}.csv"), delimiter=",", names=True)
