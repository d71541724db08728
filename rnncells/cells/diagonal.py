"""DiagonalRNNCell: cells that are linear in their state, elementwise."""

import abc
import inspect

from keras import ops

from rnncells.cells.affine import AffineRNNCell
from rnncells.cells.sentences import kind_of


class DiagonalRNNCell(AffineRNNCell):
    """A cell that is linear in its state, elementwise: an abstract base class.

        h = a * h + b

    a and b may be any functions of the inputs, and of the inputs only. (Written as a matrix, a is
    diagonal.) They can therefore be computed for all steps before any state is known, and the
    states can then be computed in parallel over time: ``ParallelRNN`` does so, while
    ``keras.layers.RNN`` runs step by step. There is no ``recurrent_kernel``. A complete cell:

        class DecayingCell(DiagonalRNNCell):
            def coefficients(self, inputs):
                return 0.9, self.affine(inputs)

    ``coefficients`` is written for one step and serves both layers. One that behaves differently
    in training takes it as an argument, ``coefficients(self, inputs, training=False)``.

    Args:
        units: Positive int, the width of the hidden state h and of the output.
        **kwargs: The arguments of AffineRNNCell, except those of the recurrent weights.

    Shapes:
        inputs: (batch, features), one time step.
        b: (batch, units); a: anything that broadcasts to b, as a number or (units,).
        kernel: (features, num_gates * units); bias: (num_gates * units,).

    Raises:
        TypeError: The class does not implement ``coefficients``.
        ValueError: As for AffineRNNCell; ``coefficients`` does not return a pair of
            these shapes.
    """

    recurrent_shape = None

    def __new__(cls, *args, **kwargs):
        if inspect.isabstract(cls):
            raise TypeError(
                f"{cls.__name__} is abstract: it has no coefficients(inputs) of its own; write one "
                "in a class derived from DiagonalRNNCell, and return (a, b) from it."
            )
        return super().__new__(cls, *args, **kwargs)

    @abc.abstractmethod
    def coefficients(self, inputs):
        """a and b for one step: ``inputs`` (batch, features) -> (a, b)."""

    def call(self, inputs, states, training=False):
        a, b = self.checked_coefficients(inputs, training)
        h = a * states[0] + b
        return h, [h]

    def checked_coefficients(self, inputs, training=False):
        """The result of ``coefficients``, or an error with one sentence on what is wrong."""
        takes_training = "training" in inspect.signature(self.coefficients).parameters
        result = self.coefficients(inputs, **({"training": training} if takes_training else {}))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise self._error("coefficients", "a pair (a, b), as in h = a * h + b", kind_of(result))
        if tuple(getattr(result[1], "shape", (None,)))[1:] != (self.units,):
            shape = f"shape (batch, {self.units})"
            raise self._error("coefficients: b", shape, kind_of(result[1]))
        return result

    def all_coefficients(self, sequences, training=False):
        """a and b for all steps of (batch, steps, features): (batch, steps, units) each.

        Each step of each sequence is one row of a large batch.
        """
        steps = sequences.shape[1]
        rows = ops.reshape(sequences, (-1, *sequences.shape[2:]))
        with self.changed_input_mask(lambda mask: ops.repeat(mask, steps, axis=0)):
            a, b = self.checked_coefficients(rows, training)
        zeros = ops.zeros((ops.shape(rows)[0], self.units), dtype=b.dtype)
        return [ops.reshape(x + zeros, (-1, steps, self.units)) for x in (a, b)]
