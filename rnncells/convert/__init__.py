"""Weights from and to the layers of Keras, PyTorch and TensorFlow 1.

    convert.from_torch(torch_layer.state_dict(), layer)  # fills the layer with PyTorch's weights
    arrays = convert.to_torch(layer)                     # PyTorch's state_dict, in NumPy

Neither PyTorch nor TensorFlow is imported: dictionaries of arrays by name are read and made. A
``layer`` is one of

- a cell: SimpleRNNCell, LSTMCell, GRUCell, ours or Keras's, or our LinearRNNCell;
- a layer that runs one: ``keras.layers.RNN(cell)``, or Keras's SimpleRNN, LSTM, GRU;
- a stack, ``keras.layers.RNN([cell, cell])``;
- ``keras.layers.Bidirectional`` of any of these layers;
- a list of such layers, each of which reads what the one before returns.

A layer without weights is built first. Only weights are carried over: how a layer returns, merges
or reverses its sequences is its own. What does not fit is a ValueError, and then no weight has
changed.

Where each library stores the same numbers (W, (features, gates * units), and U, (units, gates *
units), are ``kernel`` and ``recurrent_kernel``, Keras's and this package's):

- Matrices. PyTorch has two, transposed. TensorFlow 1 has one, W above U.
- An LSTM's blocks. Keras and PyTorch: i, f, g, o. TensorFlow 1: i, g, f, o (its j is our g).
- A GRU's blocks. Keras: z, r, g. PyTorch: r, z, g (its n is our g). TensorFlow 1: r, z (its u)
  in one matrix, g in another. In all of them z keeps the state: h = z * h + (1 - z) * g.
- A GRU's reset. PyTorch's is ``reset_after=True``, TensorFlow 1's ``reset_after=False``.
- Biases. Keras has one, and two in the GRU with ``reset_after=True``. PyTorch always has two.
  TensorFlow 1 has one; its LSTM adds a constant ``forget_bias`` to f at every step.
"""

from rnncells.convert.keras_layers import from_keras, to_keras
from rnncells.convert.pytorch import from_torch, to_torch
from rnncells.convert.tensorflow1 import from_tensorflow1, to_tensorflow1

__all__ = [
    "from_keras",
    "from_tensorflow1",
    "from_torch",
    "to_keras",
    "to_tensorflow1",
    "to_torch",
]
