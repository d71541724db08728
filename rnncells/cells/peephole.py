"""The peephole LSTM: its gates also depend on the cell state."""

import keras
from keras import ops

from rnncells.cells.lstm import LSTMCell


class PeepholeLSTMCell(LSTMCell):
    """Long short-term memory with peepholes.

        i, f, g, o = x W + h U + b      (four blocks of ``units`` columns)
        i, f = sigma(i + p_i * c), sigma(f + p_f * c)
        c = f * c + i * phi(g)
        o = sigma(o + p_o * c)
        h = o * phi(c)

    Through a peephole p, one number for each unit and gate, a gate sees the cell state of its own
    unit: the input and forget gates the old c, the output gate the *new* one.

    Args:
        units: Positive int, the width of the hidden state h, the cell state c and the output.
        peephole_initializer: Initialization of p. With "zeros" the cell is at first
            an LSTMCell.
        **kwargs: The arguments of LSTMCell.

    Shapes:
        x: (batch, features); h, c, output: (batch, units).
        W ``kernel``: (features, 4 * units); U ``recurrent_kernel``: (units, 4 * units);
        b ``bias``: (4 * units,); blocks in the order i, f, g, o.
        p ``peepholes``: (3, units); rows in the order i, f, o.

    Raises:
        ValueError: ``units`` is not a positive int.

    Reference:
        Gers and Schmidhuber, "Recurrent nets that time and count", 2000; Gers, Schraudolph and
        Schmidhuber, "Learning precise timing with LSTM recurrent networks", 2002.
    """

    def __init__(self, units, *, peephole_initializer="zeros", **kwargs):
        super().__init__(units, **kwargs)
        self.peephole_initializer = keras.initializers.get(peephole_initializer)

    def build(self, input_shape):
        super().build(input_shape)
        self.peepholes = self.add_weight(
            name="peepholes", shape=(3, self.units), initializer=self.peephole_initializer
        )

    def call(self, inputs, states):
        sigma, phi = self.recurrent_activation, self.activation
        (h, c), (p_i, p_f, p_o) = states, ops.split(self.peepholes, 3)
        i, f, g, o = ops.split(self.affine(inputs, h), 4, axis=-1)
        c = sigma(f + p_f * c) * c + sigma(i + p_i * c) * phi(g)
        h = sigma(o + p_o * c) * phi(c)
        return h, [h, c]
