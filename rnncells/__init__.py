"""Readable, tested recurrent cells for Keras 3."""

from rnncells import earlier as _earlier  # noqa: F401
from rnncells.cells import (
    AffineRNNCell,
    DiagonalRNNCell,
    GRUCell,
    LinearRNNCell,
    LSTMCell,
    MinGRUCell,
    RNNCell,
    SimpleRNNCell,
)
from rnncells.layers import ParallelRNN

__version__ = "0.1.0"

__all__ = [
    "AffineRNNCell",
    "DiagonalRNNCell",
    "GRUCell",
    "LSTMCell",
    "LinearRNNCell",
    "MinGRUCell",
    "ParallelRNN",
    "RNNCell",
    "SimpleRNNCell",
]
