"""AffineRNNCell: the weights that simple and gated cells share."""

import keras
from keras import ops

from rnncells.cells.contract import RNNCell
from rnncells.cells.dropout import Dropout

NEED_A_RECURRENT_KERNEL = {
    "recurrent_initializer": "orthogonal",
    "recurrent_regularizer": None,
    "recurrent_constraint": None,
    "recurrent_dropout": 0.0,
}


class AffineRNNCell(Dropout, RNNCell):
    """A cell with one affine map of its inputs and its state: an abstract base class.

        affine(x, h) = x W + h U + b

    W, U and b hold ``num_gates`` blocks of ``units`` columns side by side, one for each gate or
    candidate, so that one product serves all of them. A subclass writes ``call``, and splits
    the result of ``affine`` into its blocks. A complete cell:

        class MinimalCell(AffineRNNCell):
            def call(self, inputs, states):
                h = keras.ops.tanh(self.affine(inputs, states[0]))
                return h, [h]

    What a subclass may want to change:

    - ``num_gates``: the number of blocks.
    - ``recurrent_shape``, ``bias_shape``: properties with the shapes of U and b; None for a cell
      without U, whose ``affine(inputs)`` is x W + b.
    - ``initial_kernel``, ``initial_recurrent_kernel``, ``initial_bias``: the initializations.
    - ``frozen``: names of weights that are not trained, as in ``("kernel", "recurrent_kernel")``.
    - ``drop_inputs`` and ``drop_state``: what a cell with products of its own applies to their
      arguments, so that dropout works in it.

    One with more weights adds them in ``build`` and calls ``super().build(input_shape)``.

    Args:
        units: Positive int, the width of each state and of the output.
        use_bias: Whether there is a b.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializations of W, U, b.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on them, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of them after each
            step of training, or None.
        dropout: The share of the inputs that is dropped in training, one mask for all steps of a
            sequence.
        recurrent_dropout: The share of the hidden state that is dropped in its product with U,
            likewise.
        seed: An int, for masks that can be repeated.
        **kwargs: ``name``, ``dtype`` and ``trainable``, as for every Keras layer.

    Shapes:
        inputs: (batch, features), one time step.
        each state, output: (batch, units).
        W ``kernel``: (features, num_gates * units).
        U ``recurrent_kernel``: (units, num_gates * units).
        b ``bias``: (num_gates * units,).

    Raises:
        TypeError: The class does not implement ``call``.
        ValueError: As for RNNCell; a rate of dropout is not in [0, 1); an argument concerns a U
            that the cell does not have.
    """

    num_gates = 1
    frozen = ()

    def __init__(
        self,
        units,
        *,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.make_dropout(dropout, recurrent_dropout, seed)

    @classmethod
    def from_config(cls, config):
        """Makes a cell from its configuration, or from that of Keras's cell of the same kind."""
        # How Keras orders its products; the numbers are the same.
        return super().from_config({k: v for k, v in config.items() if k != "implementation"})

    @property
    def recurrent_shape(self):
        return (self.units, self.num_gates * self.units)

    @property
    def bias_shape(self):
        return (self.num_gates * self.units,)

    def initial_kernel(self, shape, dtype=None):
        return self.kernel_initializer(shape, dtype)

    def initial_recurrent_kernel(self, shape, dtype=None):
        return self.recurrent_initializer(shape, dtype)

    def initial_bias(self, shape, dtype=None):
        return self.bias_initializer(shape, dtype)

    def build(self, input_shape):
        """Makes the weights for steps of shape (batch, features), then tries one step."""
        self._demand_features(input_shape)
        shapes = {
            "kernel": (input_shape[-1], self.num_gates * self.units),
            "recurrent_kernel": self.recurrent_shape,
            "bias": self.bias_shape if self.use_bias else None,
        }
        for name, shape in shapes.items():
            setattr(self, name, shape and self._weight(name, shape))

    def _weight(self, name, shape):
        option = name.removesuffix("_kernel")  # recurrent_regularizer is recurrent_kernel's
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"initial_{name}"),
            regularizer=getattr(self, f"{option}_regularizer"),
            constraint=getattr(self, f"{option}_constraint"),
            trainable=name not in self.frozen,
        )

    def affine(self, inputs, h=None):
        """``inputs @ kernel + h @ recurrent_kernel + bias``: (batch, num_gates * units)."""
        total = ops.matmul(self.drop_inputs(inputs), self.kernel)
        if h is not None:
            total = total + ops.matmul(self.drop_state(h), self.recurrent_kernel)
        # Not +: with Keras's add TensorFlow sums the gradient of the bias in one operation.
        return total if self.bias is None else ops.add(total, self.bias)

    def _demand_features(self, step_shape):
        if len(step_shape) != 2 or step_shape[-1] is None:
            raise self._error(
                "inputs",
                "one step of shape (batch, features); RNN(cell) takes (batch, steps, features)",
                f"a step of shape {tuple(step_shape)}",
            )

    def _demand_inputs(self, inputs):
        shape = tuple(getattr(inputs, "shape", ()))
        self._demand_features(shape)
        features = self._step_shape and self._step_shape[-1]
        if features not in (None, shape[-1]):
            raise self._error("inputs", f"{features} features, as built", shape[-1])

    def _constructed(self):
        super()._constructed()
        for name, default in NEED_A_RECURRENT_KERNEL.items():
            given = self._record.arguments.get(name, default)
            if self.recurrent_shape is None and given != default:
                expected = "it left out, since there is no recurrent_kernel"
                raise self._error(name, expected, repr(given))
