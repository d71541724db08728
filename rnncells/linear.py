"""The linear cell: the one that most tutorials start with."""

from keras import ops

from rnncells.cell import RNNCell


class LinearRNNCell(RNNCell):
    """A recurrent cell with no bias and no activation.

        h = x W + h U

    It is the sum of its inputs, each weighted by a power of U, and nothing else: a network of
    linear cells is linear in the whole sequence. Chapter 2 shows what that costs.

    Args:
        units: Positive int, the width of the state h and of the output.
        kernel_initializer: Start of W; "uniform" draws from [-0.05, 0.05].
        recurrent_initializer: Start of U, likewise.
        **kwargs: The regularizers of RNNCell; ``name``, ``dtype``, ``trainable``.

    Shapes:
        x: (batch, features); h, output: (batch, units).
        W ``kernel``: (features, units); U ``recurrent_kernel``: (units, units).

    Raises:
        ValueError: ``units`` is not a positive int.
    """

    def __init__(
        self, units, kernel_initializer="uniform", recurrent_initializer="uniform", **kwargs
    ):
        super().__init__(
            units,
            use_bias=False,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            **kwargs,
        )

    def call(self, inputs, states):
        h = ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel)
        return h, [h]
