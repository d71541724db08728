"""Layers that run a cell otherwise than ``keras.layers.RNN`` does."""

from rnncells.layers.parallel import ParallelRNN, linear_scan

__all__ = ["ParallelRNN", "linear_scan"]
