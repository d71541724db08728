"""A faster loop for cells of one form: one matrix product, then each unit by itself."""

import contextlib
import inspect

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "rnncells.fast: expected the back end tensorflow, whose loop it takes the place of; got "
        f"{keras.backend.backend()}: use keras.layers.RNN."
    )

import numpy as np
import tensorflow as tf

from rnncells.cell import RNNCell, kind_of

SMALLEST_HALF = 16  # sequences; below this, two loops cost more than they save


@keras.saving.register_keras_serializable("rnncells.fast")
class FastRNN(keras.layers.RNN):
    """``keras.layers.RNN`` of a cell that is one matrix product and then goes unit by unit.

    The results and the gradients are those of ``keras.layers.RNN``, and so are the arguments.
    A cell can join if its ``call`` is ``affine(inputs, states[0])`` and a rest in which no unit
    sees another one, as in

        class LeakyCell(RNNCell):
            def call(self, inputs, states):
                h = 0.9 * states[0] + 0.1 * ops.tanh(self.affine(inputs, states[0]))
                return h, [h]

    So do SimpleRNNCell, LSTMCell, and GRUCell with ``reset_after=True``. A cell with an
    ``affine`` of its own has an ``affine_matrix`` to go with it. Whether a cell is of this form
    is tried on random numbers, when the layer is built.

    The plain loop of ``keras.layers.RNN`` still serves where there is a mask, where the number
    of steps is not known when the model is compiled, where ``unroll=True`` asks for it, and in
    mixed precision. There is no gradient of the gradient: for that, use ``keras.layers.RNN``.

    Args:
        cell: An RNNCell of this form.
        **kwargs: The arguments of ``keras.layers.RNN``.

    Shapes:
        As for ``keras.layers.RNN``: sequences (batch, steps, features).

    Raises:
        ImportError: The back end is not TensorFlow; raised by the module.
        ValueError: The cell is not of this form.
    """

    def __init__(self, cell, **kwargs):
        if not isinstance(cell, RNNCell):
            raise _cannot_join(kind_of(cell))
        super().__init__(cell, **kwargs)

    def build(self, sequences_shape):
        super().build(sequences_shape)
        with tf.init_scope():
            check_form(self.cell)
        self._program = compiled(self.cell, self.return_sequences)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        mixed = self.cell.compute_dtype != self.cell.variable_dtype
        if mask is not None or self.unroll or sequences.shape[1] is None or mixed:
            return super().inner_loop(sequences, initial_state, mask, training)
        if self.go_backwards:
            sequences = tf.reverse(sequences, [1])
        weights = [tf.convert_to_tensor(weight.value) for weight in self.cell.weights]
        parts = [self._program(*part, *weights) for part in _halves([sequences, *initial_state])]
        results = [tf.concat(part, 0) for part in zip(*parts, strict=True)]
        states = results[-len(initial_state) :]
        return states[0], results[0], states


def _halves(arrays):
    """The batch in two, since XLA runs a loop on one core, and two of them side by side."""
    batch = arrays[0].shape[0]
    if tf.config.list_logical_devices("GPU") or (batch and batch < 2 * SMALLEST_HALF):
        return [arrays]
    half = tf.shape(arrays[0])[0] // 2 if batch is None else batch // 2
    return [[array[:half] for array in arrays], [array[half:] for array in arrays]]


def compiled(cell, return_sequences):
    """All steps of a cell, compiled by XLA, with a gradient that is not TensorFlow's own."""
    count = len(cell.state_names)

    @tf.custom_gradient
    def program(sequences, *arguments):
        first, weights = list(arguments[:count]), list(arguments[count:])
        inputs = _with_ones(sequences)
        last, saved = forward(cell, inputs, first, weights)
        outputs = [_swapped(saved[1])] if return_sequences else []

        def gradient(*d):
            d_outputs = _swapped(d[0]) if return_sequences else None
            d_last = list(d[-count:])
            return backward(cell, inputs, first, weights, saved, d_outputs, d_last)

        return [*outputs, *last], gradient

    return tf.function(program, jit_compile=True, autograph=False)


def forward(cell, inputs, first, weights):
    """One product a step, [x, 1, h] @ [W; b; U], and the cell's rest of it.

    Args:
        inputs: (steps, batch, features + 1), the last feature being 1.
        first: The states before the first step, each (batch, units).
        weights: The values of ``cell.weights``.

    Returns:
        The last states; and a list of what the gradient needs, a (steps, batch, columns) and
        the states after each step (steps, batch, units). Nothing else is kept.
    """
    with _weights(cell, weights):
        matrix = affine_matrix(cell)
        widths = [matrix.shape[1]] + [cell.units] * len(first)

        def step(t, states):
            a = tf.matmul(tf.concat([inputs[t], states[0]], -1), matrix)
            states = rest(cell, a, states)
            return states, tf.concat([a, *states], -1)

        last, saved = _loop(range(inputs.shape[0]), step, first, sum(widths))
    return last, tf.split(saved, widths, -1)


def backward(cell, inputs, first, weights, saved, d_outputs, d_last):
    """The gradient, of which only what must wait for the step behind it is computed in a loop.

    A unit's new states depend on its old states and on its own columns of a. So their derivatives
    are one number each, and TensorFlow's tape gives them for all steps at once (``local``). The
    loop carries the states' gradient from the last step to the first: multiplications, and one
    product with U. What it leaves behind turns into the gradients of the weights and of the
    inputs, for all steps at once.
    """
    steps, _, width = inputs.shape
    a, *states = saved
    before = [tf.concat([s[None], after[:-1]], 0) for s, after in zip(first, states, strict=True)]
    rows_a, rows = _rows(a), [_rows(s) for s in before]
    with tf.GradientTape(persistent=True) as tape, _weights(cell, weights):
        tape.watch([rows_a, rows, weights])
        matrix = affine_matrix(cell)
        new = rest(cell, rows_a, rows)
    d_new = [tape.gradient(s, [rows_a, *rows]) for s in new]
    local = [[_steps(d, steps) for d in of_state] for of_state in d_new]
    U_transposed = tf.transpose(matrix[width:])

    def through(t, d, k):
        """What the gradient d of the new states makes of a (k = 0) or of old state k - 1."""
        total = tf.zeros((tf.shape(inputs)[1], matrix.shape[1] if k == 0 else cell.units), a.dtype)
        for d_state, by in zip(d, local, strict=True):
            if by[k] is not None:
                total += tf.concat([d_state] * (by[k].shape[-1] // cell.units), -1) * by[k][t]
        return total

    def step(t, d):
        if d_outputs is not None:
            d = [d[0] + d_outputs[t], *d[1:]]
        back = [through(t, d, 1 + k) for k in range(len(d))]
        back[0] += tf.matmul(through(t, d, 0), U_transposed)
        return back, tf.concat(d, -1)

    d_first, d = _loop(range(steps - 1, -1, -1), step, d_last, cell.units * len(first))
    d = [_rows(part) for part in tf.split(d, len(first), -1)]
    d_a = tape.gradient(new, rows_a, d)
    d_matrix = tf.matmul(_rows(tf.concat([inputs, before[0]], -1)), d_a, transpose_a=True)
    d_weights = tape.gradient([matrix, *new], weights, [d_matrix, *d])
    d_inputs = _steps(tf.matmul(d_a, matrix[: width - 1], transpose_b=True), steps)
    return [_swapped(d_inputs), *d_first, *d_weights]


def affine_matrix(cell):
    """The cell's ``affine_matrix()``; of several, all columns side by side."""
    matrix = cell.affine_matrix()
    return tf.concat(matrix, -1) if isinstance(matrix, tuple) else matrix


def rest(cell, a, states):
    """The new states, by the cell's own ``call``: ``a`` is what its ``affine`` would return."""
    matrix = cell.affine_matrix()
    if isinstance(matrix, tuple):
        a = tuple(tf.split(a, [part.shape[-1] for part in matrix], -1))
    object.__setattr__(cell, "affine", lambda inputs, h: a)
    try:
        return cell.call(None, list(states))[1]
    finally:
        object.__delattr__(cell, "affine")


def _loop(times, step, carry, width):
    """Runs ``carry, row = step(t, carry)`` for each t; the last carry, and all rows by t."""
    steps, dtype = len(times), carry[0].dtype
    shape = [tf.shape(carry[0])[0], width]  # a TensorArray would want a batch that is known
    rows = tf.raw_ops.TensorListReserve(
        element_shape=shape, num_elements=steps, element_dtype=dtype
    )

    def body(t, carry, rows):
        carry, row = step(t, carry)
        rows = tf.raw_ops.TensorListSetItem(input_handle=rows, index=t, item=row)
        return t + times.step, carry, rows

    def more(t, carry, rows):
        return t < steps if times.step == 1 else t >= 0

    start = (times.start, list(carry), rows)
    _, carry, rows = tf.while_loop(more, body, start, maximum_iterations=steps)
    rows = tf.raw_ops.TensorListStack(
        input_handle=rows, element_shape=shape, element_dtype=dtype, num_elements=steps
    )
    return carry, tf.ensure_shape(rows, (steps, carry[0].shape[0], width))


@contextlib.contextmanager
def _weights(cell, values):
    """Inside, the cell's weights have these values."""
    with keras.StatelessScope(state_mapping=list(zip(cell.weights, values, strict=True))):
        yield


def _with_ones(sequences):
    """(batch, steps, features) -> (steps, batch, features + 1), the bias's feature being last."""
    return tf.pad(_swapped(sequences), [[0, 0], [0, 0], [0, 1]], constant_values=1)


def _swapped(a):
    """(batch, steps, ...) <-> (steps, batch, ...)"""
    return tf.transpose(a, [1, 0, 2])


def _rows(a):
    """(steps, batch, columns) -> (steps * batch, columns)"""
    return tf.reshape(a, [-1, a.shape[-1]])


def _steps(rows, steps):
    """The inverse of _rows; None stays None."""
    return rows if rows is None else tf.reshape(rows, [steps, -1, rows.shape[-1]])


# Whether a cell is of the form, tried on random numbers.


def check_form(cell):
    """Raises ValueError, in one sentence, if the cell is not of the form that FastRNN needs."""
    random = np.random.default_rng(0)

    def draw(*shape):
        return tf.constant(random.normal(size=shape), cell.variable_dtype)

    name, batch = type(cell).__name__, 3
    sizes = cell._state_sizes
    if not hasattr(cell, "recurrent_kernel"):
        raise _cannot_join(f"{name}, which has no recurrent_kernel")
    if "training" in inspect.signature(cell.call).parameters:
        raise _cannot_join(f"{name}, whose call asks whether it is training")
    if sizes != [cell.units] * len(sizes):
        raise _cannot_join(f"{name} with states of the widths {sizes}, not {cell.units} each")
    inputs, states = draw(batch, cell.kernel.shape[0]), [draw(batch, size) for size in sizes]
    with _weights(cell, [draw(*weight.shape) for weight in cell.weights]):
        output, expected = cell.call(inputs, states)
        affine = cell.affine(inputs, states[0])
        affine = tf.concat(affine, -1) if isinstance(affine, tuple) else affine
        a = tf.concat([inputs, tf.ones((batch, 1), inputs.dtype), states[0]], -1)
        a = tf.matmul(a, affine_matrix(cell))
        if not _close([a], [affine]):
            raise _cannot_join(f"{name}, whose affine is not [x, 1, h] @ affine_matrix()")
        try:
            new = rest(cell, a, states)
        except Exception as error:
            raise _cannot_join(f"{name}, whose call uses its inputs beside affine") from error
        if not _close(new, expected):
            raise _cannot_join(f"{name}, whose call uses affine for another state or twice")
        if not _close([output], [expected[0]]):
            raise _cannot_join(f"{name}, whose output is not its first state")
        some = tf.constant(random.integers(0, 2, size=(batch, cell.units)), a.dtype)
        for changed in (some, 1 - some):  # what is not changed stays as it was
            everywhere = tf.tile(changed, [1, a.shape[-1] // cell.units])
            other = rest(cell, a + everywhere, [state + changed for state in states])
            stays = 1 - changed
            if not _close([stays * n for n in other], [stays * n for n in new]):
                raise _cannot_join(f"{name}, in whose rest a unit sees another one")


def _close(ones, others):
    return all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(ones, others, strict=True))


def _cannot_join(what):
    return ValueError(
        "FastRNN: cell: expected an RNNCell whose call is affine(inputs, states[0]) and a rest in"
        f" which no unit sees another one; got {what}: run it with keras.layers.RNN."
    )
