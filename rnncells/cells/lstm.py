"""The LSTM cell: its cell state is updated by addition and not overwritten."""

import keras
from keras import ops

from rnncells.cells.affine import AffineRNNCell
from rnncells.initializers import GateBias


class LSTMCell(AffineRNNCell):
    """Long short-term memory.

        i, f, g, o = x W + h U + b      (four blocks of ``units`` columns)
        c = sigma(f) * c + sigma(i) * phi(g)
        h = sigma(o) * phi(c)

    The input gate i writes the candidate g into the cell state c, the forget gate f keeps its
    old value, and the output gate o passes it on to the hidden state h, which is the output.

    Args:
        units: Positive int, the width of the hidden state h, the cell state c and the output.
        activation: The nonlinearity phi of the candidate and of c in h; None for none.
        recurrent_activation: The nonlinearity sigma of the three gates.
        unit_forget_bias: Whether the forget gate's bias is initialized with one, so that the cell
            keeps most of c at first.
        **kwargs: The arguments of AffineRNNCell: ``use_bias``; the initializers, regularizers and
            constraints; ``dropout``, ``recurrent_dropout``, ``seed``; ``name``, ``dtype``.

    Shapes:
        x: (batch, features); h, c, output: (batch, units).
        W ``kernel``: (features, 4 * units); U ``recurrent_kernel``: (units, 4 * units);
        b ``bias``: (4 * units,); blocks in the order i, f, g, o.

    Raises:
        ValueError: ``units`` is not a positive int; ``unit_forget_bias`` would overwrite the
            values that an initializer of ``rnncells.initializers`` draws.

    Reference:
        Hochreiter and Schmidhuber, "Long short-term memory", 1997; the forget gate: Gers,
        Schmidhuber and Cummins, "Learning to forget", 2000; its bias of one: Jozefowicz,
        Zaremba and Sutskever, 2015. Weights as in ``keras.layers.LSTMCell``.
    """

    state_names = ("h", "c")
    num_gates = 4

    def __init__(
        self,
        units,
        *,
        activation="tanh",
        recurrent_activation="sigmoid",
        unit_forget_bias=True,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        if not self.unit_forget_bias:
            return bias
        if isinstance(self.bias_initializer, GateBias):
            expected = "False where bias_initializer draws the forget gate's bias"
            raise self._error("unit_forget_bias", expected, "True")
        i, f, *others = ops.split(bias, self.num_gates)
        return ops.concatenate([i, ops.ones_like(f), *others])

    def call(self, inputs, states):
        sigma, phi = self.recurrent_activation, self.activation
        h, c = states
        i, f, g, o = ops.split(self.affine(inputs, h), 4, axis=-1)
        c = sigma(f) * c + sigma(i) * phi(g)
        h = sigma(o) * phi(c)
        return h, [h, c]
