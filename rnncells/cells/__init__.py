"""Cells: the contract, the weights that cells share, and one file for each cell."""

from rnncells.cells.affine import AffineRNNCell
from rnncells.cells.contract import RNNCell
from rnncells.cells.diagonal import DiagonalRNNCell
from rnncells.cells.gru import GRUCell
from rnncells.cells.linear import LinearRNNCell
from rnncells.cells.lstm import LSTMCell
from rnncells.cells.mingru import MinGRUCell
from rnncells.cells.simple import SimpleRNNCell

__all__ = [
    "AffineRNNCell",
    "DiagonalRNNCell",
    "GRUCell",
    "LSTMCell",
    "LinearRNNCell",
    "MinGRUCell",
    "RNNCell",
    "SimpleRNNCell",
]
