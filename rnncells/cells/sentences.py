"""One sentence for each mistake in a cell: what, what was expected, what came.

Each function checks one thing, and raises ValueError or returns.
"""

import inspect
import operator
import re
import textwrap

import keras
from keras import ops


def shapes_of(cell):
    """``state_size`` as a list with the shape of each state, without the batch."""
    sizes = cell.state_size
    sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
    shapes = [tuple(n) if isinstance(n, (list, tuple)) else (n,) for n in sizes]
    if not shapes or not all(type(n) is int and n > 0 for shape in shapes for n in shape):
        raise cell._error(
            "state_size",
            "a positive int, or a list with an int or a tuple of ints for each state, as in"
            " [units, (units, units)]",
            f"{cell.state_size!r}",
        )
    return shapes


def demand_names_for_states(cell, shapes, default):
    names = cell.state_names
    if names != default and len(names) != len(shapes):
        expected = f"as many states as state_names has names ({', '.join(names)})"
        raise cell._error("state_size", expected, f"{cell.state_size!r}")


def demand_states(cell, what, states, kinds):
    """A list of as many states as declared, each (batch, *shape)."""
    shapes = shapes_of(cell)
    expected = f"a list of {len(shapes)}"
    if len(shapes) == len(cell.state_names):
        expected += f" ({', '.join(cell.state_names)})"
    if not isinstance(states, kinds):
        raise cell._error(what, expected, kind_of(states))
    if len(states) != len(shapes):
        raise cell._error(what, expected, f"{len(states)}")
    for i, (state, shape) in enumerate(zip(states, shapes, strict=True)):
        if not _is_batch_of(state, shape):
            raise cell._error(f"{what}[{i}]", f"shape {_batch_of(shape)}", kind_of(state))


def demand_result(cell, result):
    """Checks that ``call`` returns the output and a list of the new states."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise cell._error("call", "a pair (output, [new states])", kind_of(result))
    output, new_states = result
    demand_states(cell, "call's new states", new_states, list)
    if not _is_batch_of(output, (cell.output_size,)):
        expected = f"an output of shape (batch, {cell.output_size}), its output_size"
        raise cell._error("call", expected, kind_of(output))


def demand_dtypes(cell, what, states):
    """A loop cannot change the type of its states."""
    # What the back end makes of the dtype: float64 may be float32 on JAX.
    expected = dtype_of(ops.zeros((), dtype=cell.compute_dtype))
    for i, state in enumerate(states):
        if dtype_of(state) != expected:
            raise cell._error(f"{what}[{i}]", f"dtype {expected}, as before", dtype_of(state))


def demand_first_states(cell):
    """A batch of two shows whether a state is left to broadcast."""
    method = "get_initial_state"
    signature = inspect.signature(cell.get_initial_state)
    try:
        signature.bind(batch_size=2)
    except TypeError:
        raise cell._error(method, "(batch_size=None) as arguments", signature) from None
    states = cell.get_initial_state(batch_size=2)
    demand_states(cell, method, states, (list, tuple))
    for i, (state, shape) in enumerate(zip(states, shapes_of(cell), strict=True)):
        if state.shape[0] != 2:
            what = f"{method}(batch_size=2)[{i}]"
            raise cell._error(what, f"shape {(2, *shape)}", kind_of(state))
    demand_dtypes(cell, method, states)


def demand_one_step(cell, step_shape):
    """Runs ``call`` on shapes alone and checks what it returns."""
    step = keras.KerasTensor(step_shape, cell.compute_dtype)
    shapes = shapes_of(cell)
    states = [keras.KerasTensor((step_shape[0], *shape), cell.compute_dtype) for shape in shapes]
    trial = _Trial(cell)
    try:
        result = trial(step, states)
    except Exception as error:
        widths = [shape[0] if len(shape) == 1 else shape for shape in shapes]
        expected = f"a step of shape {step.shape} and states of widths {widths}"
        if more := _further_arguments(cell.call):
            expected += f", which is all that keras.layers.RNN passes, without {more},"
        lines = [line.strip() for line in _reason(error).splitlines() if line.strip()]
        last = [textwrap.shorten(line, 200, placeholder=" …") for line in lines[-1:]]
        cause = ": ".join([type(error).__name__, *last]).rstrip(" .:")
        raise cell._error("call", f"{expected} to pass through it", cause) from error
    demand_result(cell, trial.no_tensors or result)
    mixed = cell.compute_dtype != cell.variable_dtype
    if not (
        mixed and keras.backend.backend() == "torch"
    ):  # there, shapes come with float32 weights
        demand_dtypes(cell, "call's new states", result[1])


def _further_arguments(call):
    names = list(inspect.signature(call).parameters)[2:]
    return ", ".join(name for name in names if name != "training")


class _Trial(keras.layers.Layer):
    """Calls a cell as a layer is called, with its weights in ``compute_dtype``."""

    def __init__(self, cell):
        super().__init__(name=cell.name, dtype=cell.dtype_policy)
        self.built = True
        takes_training = "training" in inspect.signature(cell.call).parameters
        options = {"training": False} if takes_training else {}
        # Not tracked: the cell would become a part of the trial.
        object.__setattr__(self, "step", lambda x, states: cell.call(x, states, **options))
        object.__setattr__(self, "no_tensors", None)

    def call(self, inputs, states):
        result = self.step(inputs, states)
        if all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(result)):
            return result
        object.__setattr__(self, "no_tensors", result)  # Keras's message would not help
        return inputs


def _reason(error):
    """The message of an error, without the lines that Keras puts around it."""
    text = re.sub(r"\x1b\[\d+m", "", str(error)).split("\n\nArguments received by")[0]
    return re.split(r"(?:Exception|Error) encountered: ?", text)[-1]


def positive_int(cell, what, value):
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise cell._error(what, "a positive int", repr(value))
    return number


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


def _is_batch_of(tensor, shape):
    came = getattr(tensor, "shape", None)
    return came is not None and len(came) == len(shape) + 1 and tuple(came[1:]) == tuple(shape)


def _batch_of(shape):
    return f"(batch, {', '.join(map(str, shape))})"


def kind_of(value):
    """A short name for what came: its shape if it has one, else its type."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"a tensor of shape {tuple(shape)}"
    length = f" of {len(value)}" if isinstance(value, (list, tuple)) else ""
    return f"a {type(value).__name__}{length}"
