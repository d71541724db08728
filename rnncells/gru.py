"""The GRU cell: one state, two gates."""

import keras
from keras import ops

from rnncells.cell import RNNCell


class GRUCell(RNNCell):
    """Gated recurrent unit.

    With ``reset_after=True``, W and U in three blocks of columns each, for z, r and g:

        z = sigmoid(x W_z + b_z + h U_z + d_z)
        r = sigmoid(x W_r + b_r + h U_r + d_r)
        g = tanh(x W_g + b_g + r * (h U_g + d_g))
        h = z * h + (1 - z) * g

    With ``reset_after=False`` there is one bias, and the reset gate acts before the product:

        g = tanh(x W_g + b_g + (r * h) U_g)

    The update gate z *keeps*: at one the state stays as it was. (Cho et al. wrote it so; Chung
    et al., and some libraries after them, turn z round.) The reset gate r says how much of the
    state the candidate g may see.

    Args:
        units: Positive int, the width of the state h and of the output.
        activation: The nonlinearity of the candidate; None for none.
        recurrent_activation: The nonlinearity of the two gates.
        reset_after: Whether r acts after the product with U_g, as cuDNN and PyTorch do, or
            before it, as in the paper.
        **kwargs: ``use_bias``, the initializers and regularizers of RNNCell; ``name``,
            ``dtype``, ``trainable``.

    Shapes:
        x: (batch, features); h, output: (batch, units).
        W ``kernel``: (features, 3 * units); U ``recurrent_kernel``: (units, 3 * units);
        ``bias``: (2, 3 * units), b above d, or (3 * units,) with ``reset_after=False``;
        blocks in the order z, r, g.

    Raises:
        ValueError: ``units`` is not a positive int.

    Reference:
        Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014. Weights
        as in ``keras.layers.GRUCell``.
    """

    num_gates = 3

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        reset_after=True,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.reset_after = reset_after

    @property
    def bias_shape(self):
        columns = 3 * self.units
        return (2, columns) if self.reset_after else (columns,)

    def call(self, inputs, states):
        sigmoid, tanh = self.recurrent_activation, self.activation
        h = states[0]
        if self.reset_after:
            z, r, xg, hg = self.affine(inputs, h)
            z, r = sigmoid(z), sigmoid(r)
            g = tanh(xg + r * hg)
        else:
            xz, xr, xg = ops.split(ops.matmul(inputs, self.kernel) + self._biases()[0], 3, axis=-1)
            U_z, U_r, U_g = ops.split(self.recurrent_kernel, 3, axis=-1)
            z, r = sigmoid(xz + ops.matmul(h, U_z)), sigmoid(xr + ops.matmul(h, U_r))
            g = tanh(xg + ops.matmul(r * h, U_g))
        h = z * h + (1 - z) * g
        return h, [h]

    def affine(self, inputs, h):
        """With ``reset_after=True``, z, r and the two parts of g, each (batch, units)."""
        b, d = self._biases()
        x, h = ops.matmul(inputs, self.kernel), ops.matmul(h, self.recurrent_kernel)
        return self._four_blocks(x + b, h + d)

    def affine_matrix(self):
        W, U = self.kernel, self.recurrent_kernel
        b, d = (ops.zeros_like(W[:1]) + bias for bias in self._biases())
        rows = [(W, ops.zeros_like(W)), (b, d), (ops.zeros_like(U), U)]
        blocks = zip(*(self._four_blocks(x, h) for x, h in rows), strict=True)
        return tuple(ops.concatenate(block) for block in blocks)

    @staticmethod
    def _four_blocks(x, h):
        """Columns z, r, g of x and of h: z and r added up, the two of g kept apart."""
        xz, xr, xg = ops.split(x, 3, axis=-1)
        hz, hr, hg = ops.split(h, 3, axis=-1)
        return xz + hz, xr + hr, xg, hg

    def _biases(self):
        if self.bias is None:
            return 0, 0
        return (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, 0)
