"""The minimal gated unit: one state, one gate that does the work of two."""

import keras
from keras import ops

from rnncells.cells.affine import AffineRNNCell


class MGUCell(AffineRNNCell):
    """Minimal gated unit.

    With W and U in two blocks of columns each, for f and g:

        f = sigma(x W_f + h U_f + b_f)
        g = phi(x W_g + (f * h) U_g + b_g)
        h = (1 - f) * h + f * g

    The paper calls f the forget gate, and at one it *writes*: the candidate g depends on
    all of the hidden state and replaces all of it, as in SimpleRNNCell. At zero h stays as it was.

    It is the GRU that resets before the product, with r = f and z = 1 - f.

    Args:
        units: Positive int, the width of the hidden state h and of the output.
        activation: The nonlinearity phi of the candidate; None for none.
        recurrent_activation: The nonlinearity sigma of the gate.
        **kwargs: The arguments of AffineRNNCell: ``use_bias``; the initializers, regularizers and
            constraints; ``dropout``, ``recurrent_dropout``, ``seed``; ``name``, ``dtype``.

    Shapes:
        x: (batch, features); h, output: (batch, units).
        W ``kernel``: (features, 2 * units); U ``recurrent_kernel``: (units, 2 * units);
        b ``bias``: (2 * units,); blocks in the order f, g.

    Raises:
        ValueError: ``units`` is not a positive int.

    Reference:
        Zhou, Wu, Zhang and Zhou, "Minimal gated unit for recurrent neural networks", 2016.
    """

    num_gates = 2

    def __init__(self, units, *, activation="tanh", recurrent_activation="sigmoid", **kwargs):
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)

    def call(self, inputs, states):
        sigma, phi, h = self.recurrent_activation, self.activation, states[0]
        xf, xg = ops.split(self.affine(inputs), 2, axis=-1)
        f = sigma(xf + self.from_state(h, 0))
        g = phi(xg + self.from_state(f * h, 1))
        h = (1 - f) * h + f * g
        return h, [h]

    def from_state(self, h, block):
        """h U_f with block 0, h U_g with block 1: (batch, units)."""
        U = ops.split(self.recurrent_kernel, 2, axis=-1)[block]
        return ops.matmul(self.drop_state(h), U)
