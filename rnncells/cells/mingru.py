"""The minGRU cell: one state, and one gate that depends on the input only."""

from keras import ops

from rnncells.cells.diagonal import DiagonalRNNCell


class MinGRUCell(DiagonalRNNCell):
    """Minimal gated recurrent unit: a GRU whose gate and candidate depend on the input only.

    With W in two blocks of columns, for z and g:

        z = sigmoid(x W_z + b_z)
        g = x W_g + b_g
        h = z * h + (1 - z) * g

    No matrix is multiplied with the state, there is no reset gate, and the candidate has no
    nonlinearity. The cell is therefore linear in h, and ``ParallelRNN(MinGRUCell(units))``
    computes all steps at once.

    As in our GRUCell, z *keeps*: at one h stays as it was. (The paper exchanges z and 1 - z.)
    The paper's version in log-space also keeps g positive, by another function instead of
    x W_g + b_g, so that products over many steps can be sums of logarithms. Here nothing is
    divided by a long product, and 0 < z < 1, so nothing overflows and g may have either sign.

    Args:
        units: Positive int, the width of the hidden state h and of the output.
        **kwargs: The arguments of AffineRNNCell, except those of the recurrent weights.

    Shapes:
        x: (batch, features); h, output: (batch, units).
        W ``kernel``: (features, 2 * units); b ``bias``: (2 * units,); blocks in the order z, g.

    Raises:
        ValueError: ``units`` is not a positive int.

    Reference:
        Feng, Tung, Ahmed, Bengio and Hajimirsadegh, "Were RNNs all we needed?", 2024.
    """

    num_gates = 2

    def coefficients(self, inputs):
        xz, g = ops.split(self.affine(inputs), 2, axis=-1)
        z = ops.sigmoid(xz)
        return z, (1 - z) * g
