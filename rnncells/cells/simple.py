"""The simple recurrent cell: one affine map and one nonlinearity."""

import keras

from rnncells.cells.affine import AffineRNNCell


class SimpleRNNCell(AffineRNNCell):
    """The simple recurrent cell.

        h = phi(x W + h U + b)

    Args:
        units: Positive int, the width of the hidden state h and of the output.
        activation: The nonlinearity phi; None for none.
        **kwargs: The arguments of AffineRNNCell: ``use_bias``; the initializers, regularizers and
            constraints; ``dropout``, ``recurrent_dropout``, ``seed``; ``name``, ``dtype``.

    Shapes:
        x: (batch, features); h, output: (batch, units).
        W ``kernel``: (features, units); U ``recurrent_kernel``: (units, units);
        b ``bias``: (units,).

    Raises:
        ValueError: ``units`` is not a positive int.

    Reference:
        Elman, "Finding structure in time", 1990, with the logistic function in place of tanh.
        Weights as in ``keras.layers.SimpleRNNCell``.
    """

    def __init__(self, units, *, activation="tanh", **kwargs):
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def call(self, inputs, states):
        h = self.activation(self.affine(inputs, states[0]))
        return h, [h]
