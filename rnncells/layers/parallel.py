"""ParallelRNN: the states of all steps at once, for a cell that is linear in its state."""

import concurrent.futures
import math

import keras
import numpy as np
from keras import ops

from rnncells.cells.diagonal import DiagonalRNNCell
from rnncells.cells.sentences import demand_states, kind_of


@keras.saving.register_keras_serializable("rnncells")
class ParallelRNN(keras.layers.RNN):
    """``keras.layers.RNN`` of a DiagonalRNNCell, with the states of all steps computed at once.

    The results and the gradients are those of ``keras.layers.RNN``, and so are the arguments. The
    cell's ``coefficients`` sees all steps of all sequences as the rows of one batch. The
    loop of ``keras.layers.RNN`` is used instead wherever this would change the results:

    - ``coefficients`` sets a variable or adds a loss, or the cell has an activity regularizer: a
      dropout layer in training and a metric set variables, too;
    - a row of its result depends on the other rows, or on how many there are;
    - the number of steps is not known when the model is compiled, ``unroll=True`` asks for the
      loop, or the cell's dtype is not the layer's.

    The first two are checked on two rows whenever the layer is called or compiled. The states are
    made of products of a over about sqrt(steps) steps; where abs(a) exceeds one, these
    products may overflow, and the states are then nan.

    Args:
        cell: A DiagonalRNNCell that leaves ``call`` as it is.
        **kwargs: The arguments of ``keras.layers.RNN``.

    Shapes:
        As for ``keras.layers.RNN``: sequences (batch, steps, features).

    Raises:
        ValueError: The cell is another one; the inputs or the initial state have the wrong number
            or shape.

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
        self._demand(sequences, initial_state)
        if not self._is_parallel(sequences, mask, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = mask if mask is None else ops.flip(mask, axis=1)
        a, b = self.cell.all_coefficients(sequences, training)
        if mask is not None:
            mask = ops.reshape(ops.cast(mask, "bool"), (-1, sequences.shape[1], 1))
            a, b = ops.where(mask, a, 1), ops.where(mask, b, 0)  # the state stays
        h = linear_scan(a, b, initial_state[0])
        outputs = h if mask is None else self._masked(h, mask)
        return outputs[:, -1], outputs, [h[:, -1]]

    def _demand(self, sequences, states):
        self.cell._demand_inputs(sequences[:, 0])
        demand_states(self.cell, "states", states, list)
        batches = {sequences.shape[0], states[0].shape[0]} - {1, None}
        if len(batches) > 1:
            expected = f"shape ({sequences.shape[0]}, {self.cell.units}), a row for each sequence"
            raise self.cell._error("states[0]", expected, kind_of(states[0]))

    def _is_parallel(self, sequences, mask, training):
        steps = sequences.shape[1]
        dtypes = {(x.compute_dtype, x.variable_dtype, x.autocast) for x in (self, self.cell)}
        return (
            steps
            and not self.unroll
            and dtypes == {(self.compute_dtype, self.variable_dtype, True)}
            and (mask is None or tuple(mask.shape[1:]) in [(steps,), (steps, 1)])
            and goes_row_by_row(self.cell, sequences, training)
        )

    def _masked(self, h, mask):
        """The outputs where some steps are masked, as the loops of Keras have them."""
        if self.zero_output_for_mask:
            return ops.where(mask, h, 0)
        if keras.backend.backend() == "jax":  # takes the state for the output before
            return h
        begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
        return ops.where(begun, h, 0)  # no output yet


def goes_row_by_row(cell, sequences, training):
    """Whether the cell computes each row of a batch independently and changes nothing else."""
    shape, dtype = sequences.shape[2:], keras.backend.standardize_dtype(sequences.dtype)
    # In another thread numbers are computed at once, whatever is being compiled in this one.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(_try_two_rows, cell, shape, dtype, training).result()
        except Exception:  # the loop raises it again, where it belongs
            return False


def _try_two_rows(cell, shape, dtype, training):
    random = np.random.default_rng(0)
    x = ops.cast(random.uniform(0, 2, (2, *shape)), dtype)  # as integers, zeros and ones
    h = ops.cast(random.uniform(0, 2, (2, cell.units)), cell.compute_dtype)
    weights = [(w, ops.cast(random.uniform(0.1, 0.2, w.shape), w.dtype)) for w in cell.variables]
    with (
        keras.StatelessScope(weights, collect_losses=True) as scope,
        cell.changed_input_mask(lambda mask: ops.ones((1, *mask.shape[1:]), dtype=mask.dtype)),
    ):
        before = dict(scope.state_mapping)
        rows = [cell(x[i], [h[i]], training=training)[0] for i in map(slice, (0, 0, 1), (2, 1, 2))]
    changed = scope.losses or any(v is not before.get(k) for k, v in scope.state_mapping.items())
    both, *each = (ops.convert_to_numpy(ops.cast(row, "float32")) for row in rows)
    close = 1e-3 if keras.backend.standardize_dtype(h.dtype) in ("float32", "float64") else 0.05
    return not changed and np.allclose(both, np.concatenate(each), close, close, equal_nan=True)


def linear_scan(a, b, h):
    """Solves h = a * h + b for all steps at once.

    The steps are cut into blocks of about as many steps as there are blocks, and all blocks go
    in parallel. The sequential part is therefore about 3 * sqrt(steps) steps long, in the forward
    and in the backward pass.

    Args:
        a, b: (batch, steps, units).
        h: (batch, units), the state before the first step.

    Returns:
        (batch, steps, units), the state after each step.
    """
    steps, units = b.shape[1:]
    size = math.isqrt(steps - 1) + 1
    blocks = -(-steps // size)

    def cut(x):
        """A list of ``size`` arrays (batch, blocks, 1, units), filled with zeros."""
        x = ops.pad(x, [[0, 0], [0, blocks * size - steps], [0, 0]])
        return ops.split(ops.reshape(x, (-1, blocks, size, units)), size, axis=2)

    # What a whole block makes of the state before it: h -> a_all * h + b_all.
    steps_a, steps_b = cut(a), cut(b)
    a_all, b_all = steps_a[0], steps_b[0]
    for a, b in zip(steps_a[1:], steps_b[1:], strict=True):
        a_all, b_all = a * a_all, a * b_all + b
    blocks_a, blocks_b = (ops.split(x, blocks, axis=1) for x in (a_all, b_all))
    first = [h[:, None, None] + ops.zeros_like(blocks_b[0])]  # one state may serve all sequences
    for a, b in zip(blocks_a[:-1], blocks_b[:-1], strict=True):
        first.append(a * first[-1] + b)

    h = ops.concatenate(first, axis=1)
    states = []
    for a, b in zip(steps_a, steps_b, strict=True):
        h = a * h + b
        states.append(h)
    return ops.reshape(ops.concatenate(states, axis=2), (-1, blocks * size, units))[:, :steps]
