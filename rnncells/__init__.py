"""Readable, tested recurrent cells for Keras 3."""

from rnncells.cell import RNNCell
from rnncells.gru import GRUCell
from rnncells.linear import LinearRNNCell
from rnncells.lstm import LSTMCell
from rnncells.mingru import MinGRUCell
from rnncells.simple import SimpleRNNCell

__version__ = "0.1.0"

__all__ = ["GRUCell", "LSTMCell", "LinearRNNCell", "MinGRUCell", "RNNCell", "SimpleRNNCell"]
