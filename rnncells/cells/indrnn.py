"""The independently recurrent cell: each unit depends only on its own past."""

import keras
from keras import ops

from rnncells.cells.affine import AffineRNNCell


class IndRNNCell(AffineRNNCell):
    """Independently recurrent cell.

        h = phi(x W + u * h + b)

    u is one number for each unit, so the recurrence is elementwise; units are combined by W, or by
    a second such layer. With relu, a value that is kept for n steps is multiplied by u ** n:
    ``bound=2 ** (1 / steps)`` keeps this factor at most two.

    Args:
        units: Positive int, the width of the hidden state h and of the output.
        activation: The nonlinearity phi; None for none. The paper's is relu.
        recurrent_initializer: Initialization of u; None draws from [0, 1], or [0, bound], so that
            units are initialized with memories of all lengths.
        bound: The largest abs(u) after a step of training, or None for no such constraint.
        **kwargs: The arguments of AffineRNNCell: ``use_bias``; the initializers, regularizers and
            constraints; ``dropout``, ``recurrent_dropout``, ``seed``; ``name``, ``dtype``.

    Shapes:
        x: (batch, features); h, output: (batch, units).
        W ``kernel``: (features, units); u ``recurrent_kernel``: (units,); b ``bias``: (units,).

    Raises:
        ValueError: ``units`` is not a positive int; ``bound`` is not positive, or stands beside a
            ``recurrent_constraint``.

    Reference:
        Li, Li, Cook, Zhu and Gao, "Independently recurrent neural network (IndRNN): building a
        longer and deeper RNN", 2018.
    """

    def __init__(
        self, units, *, activation="relu", recurrent_initializer=None, bound=None, **kwargs
    ):
        if bound is not None:
            kwargs["recurrent_constraint"] = self._bounded(bound, **kwargs)
        if recurrent_initializer is None:
            recurrent_initializer = keras.initializers.RandomUniform(0, bound or 1)
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.activation = keras.activations.get(activation)
        self.bound = bound

    @property
    def recurrent_shape(self):
        return (self.units,)

    def call(self, inputs, states):
        h = self.drop_state(states[0])
        h = self.activation(self.affine(inputs) + self.recurrent_kernel * h)
        return h, [h]

    def _bounded(self, bound, recurrent_constraint=None, **_):
        if recurrent_constraint is not None:
            expected = "one of it and recurrent_constraint, which both limit u"
            raise self._error("bound", expected, f"{bound!r} and {recurrent_constraint!r}")
        if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not bound > 0:
            raise self._error("bound", "a positive number or None", repr(bound))
        return Bounded(bound)


@keras.saving.register_keras_serializable("rnncells")
class Bounded(keras.constraints.Constraint):
    """Brings a weight back between -bound and bound."""

    def __init__(self, bound):
        self.bound = bound

    def __call__(self, w):
        return ops.clip(w, -self.bound, self.bound)

    def get_config(self):
        return {"bound": self.bound}
