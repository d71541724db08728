"""Cells: the contract, the weights that cells share, and one file for each cell."""

from rnncells.cells.affine import AffineRNNCell
from rnncells.cells.contract import RNNCell
from rnncells.cells.diagonal import DiagonalRNNCell
from rnncells.cells.gru import GRUCell
from rnncells.cells.indrnn import IndRNNCell
from rnncells.cells.layer_norm import LayerNormLSTMCell
from rnncells.cells.linear import LinearRNNCell
from rnncells.cells.lstm import LSTMCell
from rnncells.cells.mgu import MGUCell
from rnncells.cells.mingru import MinGRUCell
from rnncells.cells.peephole import PeepholeLSTMCell
from rnncells.cells.simple import SimpleRNNCell
from rnncells.cells.zoneout import ZoneoutCell

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
    "PeepholeLSTMCell",
    "RNNCell",
    "SimpleRNNCell",
    "ZoneoutCell",
]
