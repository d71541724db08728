"""The linear cell: the one that most tutorials begin with."""

from rnncells.cells.affine import AffineRNNCell


class LinearRNNCell(AffineRNNCell):
    """A recurrent cell with no bias and no activation.

        h = x W + h U

    Its hidden state is the sum of its inputs, each multiplied by W and a power of U, so a network
    of linear cells is linear in the whole sequence. Chapter 2 shows the consequences.

    Args:
        units: Positive int, the width of the hidden state h and of the output.
        kernel_initializer: Initialization of W; "uniform" draws from [-0.05, 0.05].
        recurrent_initializer: Initialization of U, likewise.
        use_bias: False.
        **kwargs: The other arguments of AffineRNNCell.

    Shapes:
        x: (batch, features); h, output: (batch, units).
        W ``kernel``: (features, units); U ``recurrent_kernel``: (units, units).

    Raises:
        ValueError: ``units`` is not a positive int; ``use_bias`` is not False.
    """

    def __init__(
        self,
        units,
        *,
        kernel_initializer="uniform",
        recurrent_initializer="uniform",
        use_bias=False,
        **kwargs,
    ):
        if use_bias:
            expected = "False, since the cell has no bias (SimpleRNNCell with activation=None has)"
            raise self._error("use_bias", expected, repr(use_bias))
        super().__init__(
            units,
            use_bias=False,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            **kwargs,
        )

    def call(self, inputs, states):
        h = self.affine(inputs, states[0])
        return h, [h]
