"""Models that were saved before version 0.1.0 name a class by the module that it lay in then."""

import keras

from rnncells.cells import GRUCell, LinearRNNCell, LSTMCell, MinGRUCell, SimpleRNNCell
from rnncells.layers import ParallelRNN


@keras.saving.register_keras_serializable("rnncells.fast")
class FastRNN(keras.layers.RNN):
    """Its base in another order; a file finds the weights by the name of the class."""


NAMES = {
    "rnncells.gru>GRUCell": GRUCell,
    "rnncells.linear>LinearRNNCell": LinearRNNCell,
    "rnncells.lstm>LSTMCell": LSTMCell,
    "rnncells.mingru>MinGRUCell": MinGRUCell,
    "rnncells.parallel>ParallelRNN": ParallelRNN,
    "rnncells.simple>SimpleRNNCell": SimpleRNNCell,
}
keras.saving.get_custom_objects().update(NAMES)
