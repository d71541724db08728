"""The GRU cell: one state, two gates."""

import keras
from keras import ops

from rnncells.cells.affine import AffineRNNCell


class GRUCell(AffineRNNCell):
    """Gated recurrent unit.

    With ``reset_after=True``, W and U in three blocks of columns each, for z, r and g:

        z = sigma(x W_z + b_z + h U_z + b'_z)
        r = sigma(x W_r + b_r + h U_r + b'_r)
        g = phi(x W_g + b_g + r * (h U_g + b'_g))
        h = z * h + (1 - z) * g

    With ``reset_after=False`` there is one bias, and the reset gate acts before the product:

        g = phi(x W_g + b_g + (r * h) U_g)

    The update gate z *keeps*: at one the hidden state stays as it was. (Cho et al. define z so;
    Chung et al., and some libraries after them, exchange z and 1 - z.) The reset gate r says how
    much of the hidden state enters the candidate g.

    Args:
        units: Positive int, the width of the hidden state h and of the output.
        activation: The nonlinearity phi of the candidate; None for none.
        recurrent_activation: The nonlinearity sigma of the two gates.
        reset_after: Whether r acts after the product with U_g, as cuDNN and PyTorch do, or
            before it, as in the paper.
        **kwargs: The arguments of AffineRNNCell: ``use_bias``; the initializers, regularizers and
            constraints; ``dropout``, ``recurrent_dropout``, ``seed``; ``name``, ``dtype``.

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
        *,
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
        sigma, phi = self.recurrent_activation, self.activation
        h = states[0]
        xz, xr, xg = ops.split(self.from_inputs(inputs), 3, axis=-1)
        hz, hr, *hg = ops.split(self.from_state(h), 2 + self.reset_after, axis=-1)
        z, r = sigma(xz + hz), sigma(xr + hr)
        g = phi(xg + self.reset(r, h, *hg))
        h = z * h + (1 - z) * g
        return h, [h]

    def from_inputs(self, x):
        """x W + b: (batch, 3 * units)."""
        b = self.bias[0] if self.reset_after and self.use_bias else self.bias
        x = ops.matmul(self.drop_inputs(x), self.kernel)
        return x if b is None else x + b

    def from_state(self, h):
        """h U + b'; if r resets before the product, h U_z and h U_r alone."""
        h = self.drop_state(h)
        if not self.reset_after:
            return ops.matmul(h, self.recurrent_kernel[:, : 2 * self.units])
        h = ops.matmul(h, self.recurrent_kernel)
        return h + self.bias[1] if self.use_bias else h

    def reset(self, r, h, hg=None):
        """What the candidate gets from h: r * (h U_g + b'_g), or (r * h) U_g."""
        if self.reset_after:
            return r * hg
        return ops.matmul(
            self.drop_state(r * h),
            self.recurrent_kernel[:, 2 * self.units :],
        )
