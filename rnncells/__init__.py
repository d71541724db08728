"""Readable, tested recurrent cells for Keras 3."""

from rnncells import earlier as _earlier  # noqa: F401
from rnncells.cells import (
    AffineRNNCell,
    DiagonalRNNCell,
    GRUCell,
    IndRNNCell,
    LayerNormLSTMCell,
    LinearRNNCell,
    LSTMCell,
    MGUCell,
    MinGRUCell,
    PeepholeLSTMCell,
    RNNCell,
    SimpleRNNCell,
    ZoneoutCell,
)
from rnncells.layers import ParallelRNN

__version__ = "0.1.0"

__all__ = [
    "AffineRNNCell",
    "DiagonalRNNCell",
    "GRUCell",
    "IndRNNCell",
    "LSTMCell",
    "LayerNormLSTMCell",
    "LinearRNNCell",
    "MGUCell",
    "MinGRUCell",
    "ParallelRNN",
    "PeepholeLSTMCell",
    "RNNCell",
    "SimpleRNNCell",
    "ZoneoutCell",
]
