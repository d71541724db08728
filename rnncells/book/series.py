"""Sunspots, month by month: the series of chapter 11.

``sunspots.csv`` holds the monthly mean sunspot numbers from January 1749 to December 2008, 3,120 of
them, as the National Geophysical Data Center of the United States published them. They are in the
public domain and were taken from the package ``statsmodels`` 0.15.0 of the Python Package Index.
"""

from pathlib import Path

import numpy as np

SUNSPOTS = Path(__file__).with_name("sunspots.csv")


def load_sunspots():
    """Loads the series.

    Returns:
        ``(years, numbers)``: two float arrays (3120,), the time of each month in years, 1749.0 for
        the first, and its mean sunspot number.
    """
    numbers = np.genfromtxt(SUNSPOTS, delimiter=",", skip_header=1, usecols=1)
    return 1749 + np.arange(len(numbers)) / 12, numbers


def windows(series, steps, ahead, ends):
    """What is known at some moments, and what comes after.

    Args:
        series: (n,).
        steps: How many values are known, the last one at the moment itself.
        ahead: How many values come after.
        ends: Indices of the moments, (moments,), each at least steps - 1.

    Returns:
        ``(past, future)``: (moments, steps) and (moments, ahead); where the series ends before,
        the future has nan.
    """
    series = np.concatenate([series, np.full(ahead, np.nan)])
    ends = np.asarray(ends)[:, None]
    return series[ends + np.arange(1 - steps, 1)], series[ends + np.arange(1, ahead + 1)]
