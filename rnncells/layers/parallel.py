"""ParallelRNN: the states of all steps at once, for a cell that is linear in its state."""

import math

import keras
from keras import ops

from rnncells.cells.diagonal import DiagonalRNNCell
from rnncells.cells.sentences import demand_states, kind_of


@keras.saving.register_keras_serializable("rnncells")
class ParallelRNN(keras.layers.RNN):
    """``keras.layers.RNN`` of a DiagonalRNNCell, with the states of all steps computed at once.

    The results and the gradients are those of ``keras.layers.RNN``, and so are the arguments. The
    plain loop of ``keras.layers.RNN`` still serves where the number of steps is not known when
    the model is compiled, where ``unroll=True`` asks for it, and for a cell whose dtype is not
    the layer's.

    Args:
        cell: A DiagonalRNNCell that leaves ``call`` as it is.
        **kwargs: The arguments of ``keras.layers.RNN``.

    Shapes:
        As for ``keras.layers.RNN``: sequences (batch, steps, features).

    Raises:
        ValueError: The cell is another one.

    Reference:
        Martin and Cundy, "Parallelizing linear recurrent neural nets over sequence length", 2018.
    """

    def __init__(self, cell, **kwargs):
        if getattr(type(cell), "call", None) is not DiagonalRNNCell.call:
            raise ValueError(
                "ParallelRNN: cell: expected one DiagonalRNNCell that leaves call as it is, since"
                f" only h = a * h + b is computed for all steps at once; got {kind_of(cell)}: run"
                " it with keras.layers.RNN."
            )
        super().__init__(cell, **kwargs)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        same_dtype = self.cell.compute_dtype == self.compute_dtype
        if self.unroll or not sequences.shape[1] or not same_dtype:
            return super().inner_loop(sequences, initial_state, mask, training)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = mask if mask is None else ops.flip(mask, axis=1)
        self.cell._demand_inputs(sequences[:, 0])
        demand_states(self.cell, "states", initial_state, list)
        a, b = self.cell.checked_coefficients(sequences)
        a = a + ops.zeros_like(b)  # a number, or one for each unit, becomes an array
        if mask is not None:
            mask = ops.reshape(ops.cast(mask, "bool"), (-1, sequences.shape[1], 1))
            a, b = ops.where(mask, a, 1), ops.where(mask, b, 0)  # the state stays
        # A copy, since PyTorch overwrites the state of a stateful layer in place.
        h = linear_scan(a, b, ops.copy(initial_state[0]))
        outputs = h if mask is None else self._masked(h, mask)
        return outputs[:, -1], outputs, [h[:, -1]]

    def _masked(self, h, mask):
        """The outputs where some steps are masked, as the loops of Keras have them."""
        if self.zero_output_for_mask:
            return ops.where(mask, h, 0)
        if keras.backend.backend() == "jax":  # takes the state for the output before
            return h
        begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
        return ops.where(begun, h, 0)  # no output yet


@ops.custom_gradient
def linear_scan(a, b, h):
    """Solves h = a * h + b for all steps at once.

    The derivative of a linear recurrence is the same recurrence, run from the last step to the
    first. With d for the loss's derivative:

        d_b[t] = d_h[t] + a[t + 1] * d_b[t + 1]
        d_a[t] = d_b[t] * h[t - 1]

    Args:
        a, b: (batch, steps, units).
        h: (batch, units), the state before the first step.

    Returns:
        (batch, steps, units), the state after each step.
    """
    states = _scan(a, b, h)
    before = ops.concatenate([h[:, None], states[:, :-1]], axis=1)

    def gradient(*arguments, upstream=None):
        d_states = arguments[0] if upstream is None else upstream  # by name on PyTorch alone
        a_after = ops.concatenate([a[:, 1:], a[:, :1]], axis=1)  # the last meets zeros
        backwards = [ops.flip(x, axis=1) for x in (a_after, d_states)]
        d_b = ops.flip(linear_scan(*backwards, ops.zeros_like(h)), axis=1)
        return d_b * before, d_b, a[:, 0] * d_b[:, 0]

    return states, gradient


def _scan(a, b, h):
    """The steps are cut into blocks of about as many steps as there are blocks.

    All blocks go side by side, so what waits for something else is about 3 * sqrt(steps) long.
    """
    steps, units = b.shape[1:]
    size = math.isqrt(steps - 1) + 1
    blocks = -(-steps // size)

    def cut(x):
        """A list of ``size`` arrays (batch, blocks, units), filled with steps of no interest."""
        x = ops.pad(x, [[0, 0], [0, blocks * size - steps], [0, 0]])
        return ops.unstack(ops.reshape(x, (-1, blocks, size, units)), axis=2)

    # What a whole block makes of the state before it: h -> a_all * h + b_all.
    steps_a, steps_b = cut(a), cut(b)
    a_all, b_all = steps_a[0], steps_b[0]
    for a, b in zip(steps_a[1:], steps_b[1:], strict=True):
        a_all, b_all = a * a_all, a * b_all + b
    first = [h]
    for block in range(blocks - 1):
        first.append(a_all[:, block] * first[-1] + b_all[:, block])

    h = ops.stack(first, axis=1)
    states = []
    for a, b in zip(steps_a, steps_b, strict=True):
        h = a * h + b
        states.append(h)
    return ops.reshape(ops.stack(states, axis=2), (-1, blocks * size, units))[:, :steps]
