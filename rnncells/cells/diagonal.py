"""DiagonalRNNCell: cells that are linear in their state, unit by unit."""

import abc
import inspect

from rnncells.cells.affine import AffineRNNCell
from rnncells.cells.sentences import kind_of


class DiagonalRNNCell(AffineRNNCell):
    """A cell that is linear in its state, unit by unit: an abstract base class.

        h = a * h + b

    a and b may be any function of the inputs, and of the inputs alone. (As a matrix before h, a
    would be diagonal.) So they can be computed for all steps before any state is known, and then
    the states can be, too: ``ParallelRNN`` does that, and ``keras.layers.RNN`` goes step by step.
    There is no ``recurrent_kernel``. A complete cell:

        class DecayingCell(DiagonalRNNCell):
            def coefficients(self, inputs):
                return 0.9, self.affine(inputs)

    Args:
        units: Positive int, the width of the state h and of the output.
        **kwargs: The arguments of AffineRNNCell, but for those that speak of the recurrent weights.

    Shapes:
        inputs: (batch, features) or (batch, steps, features).
        a, b: (batch, units) or (batch, steps, units); a may be anything that broadcasts to b.
        kernel: (features, num_gates * units); bias: (num_gates * units,).

    Raises:
        TypeError: The class does not implement ``coefficients``.
        ValueError: As for AffineRNNCell; ``coefficients`` returns something else than a pair of
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
        """a and b for one step (batch, features), or for all of them (batch, steps, features)."""

    def call(self, inputs, states):
        a, b = self.checked_coefficients(inputs)
        h = a * states[0] + b
        return h, [h]

    def checked_coefficients(self, inputs):
        """``coefficients(inputs)``, or one sentence that says what is wrong with them."""
        result = self.coefficients(inputs)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise self._error("coefficients", "a pair (a, b), as in h = a * h + b", kind_of(result))
        expected = (*inputs.shape[1:-1], self.units)
        if tuple(getattr(result[1], "shape", (None,)))[1:] != expected:
            shape = f"shape (batch, {', '.join(map(str, expected))})"
            raise self._error("coefficients: b", shape, kind_of(result[1]))
        return result
