"""RNNCell: what every recurrent cell shares, written once."""

import abc
import inspect
import operator

import keras
from keras import ops

# Colab's set-up cell installs this package and nothing else, so pip has not compared versions.
OLDEST_KERAS = (3, 13)
if tuple(map(int, keras.__version__.split(".")[:2])) < OLDEST_KERAS:
    raise ImportError(
        f"rnncells needs Keras {OLDEST_KERAS[0]}.{OLDEST_KERAS[1]} or newer, and this is Keras"
        f" {keras.__version__}: run pip install --upgrade keras."
    )


class RNNCell(keras.layers.Layer, abc.ABC):
    """One step of a recurrent network: an abstract base class.

    A cell maps one time step and the states before it to an output and the states after it:

        output, [new states] = cell(inputs, [states])

    A subclass writes that map in ``call``. The rest is here: sizes, weights, first states,
    configuration, saving, and one clear sentence for each mistake. ``keras.layers.RNN(cell)``
    runs the cell over a sequence. A complete cell:

        class MinimalCell(RNNCell):
            def call(self, inputs, states):
                h = keras.ops.tanh(self.affine(inputs, states[0]))
                return h, [h]

    A subclass that needs other states or gates says so in two class attributes:

    - ``state_names``: one name for each state, ``("h",)`` by default; each is ``units`` wide.
    - ``num_gates``: how many blocks of ``units`` columns the weights hold side by side.

    One that does not multiply the state by a matrix derives from ``parallel.DiagonalRNNCell``,
    which has no ``recurrent_kernel``.

    One that adds constructor arguments takes ``**kwargs`` and passes them on; what the constructor
    was called with is kept for saving, so there is no ``get_config`` to write. One whose states
    or output are not ``units`` wide sets ``state_size`` or ``output_size`` after
    ``super().__init__``. One with weights of its own adds them in ``build`` and calls
    ``super().build(input_shape)``.

    A class is registered for saving under its module's name when it is defined. A file whose
    class has moved since is loaded with ``custom_objects={"old_module>ClassName": ClassName}``.

    Args:
        units: Positive int, the width of each state and of the output.
        use_bias: Whether ``affine`` adds a bias.
        kernel_initializer: Start of the weights that read the inputs.
        recurrent_initializer: Start of the weights that read the state.
        bias_initializer: Start of the bias.
        kernel_regularizer: Penalty on ``kernel``, or None.
        recurrent_regularizer: Penalty on ``recurrent_kernel``, or None.
        bias_regularizer: Penalty on ``bias``, or None.
        **kwargs: ``name``, ``dtype`` and ``trainable``, as for every Keras layer.

    Shapes:
        inputs: (batch, features), one time step.
        each state, output: (batch, units).
        kernel: (features, num_gates * units).
        recurrent_kernel: (units, num_gates * units).
        bias: (num_gates * units,).

    Raises:
        TypeError: The class does not implement ``call``.
        ValueError: ``units`` is not a positive int; the inputs or the states have the wrong
            number, rank or size; ``call`` returns something else than the class declares.
    """

    state_names = ("h",)
    num_gates = 1
    _has_recurrent_kernel = True
    _features = None  # known once built

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if isinstance(cls.state_names, str):
            raise TypeError(
                f"{cls.__name__}: state_names: expected a tuple of names, as in ('h',); "
                f"got the string {cls.state_names!r}."
            )
        keras.saving.register_keras_serializable(cls.__module__)(cls)

    def __new__(cls, *args, **kwargs):
        if inspect.isabstract(cls):
            raise TypeError(
                f"{cls.__name__} is abstract: it has no call(inputs, states) of its own; write one "
                "in a class derived from RNNCell, and return (output, [new states]) from it."
            )
        cell = super().__new__(cls, *args, **kwargs)
        object.__setattr__(cell, "_arguments", _bound_arguments(cls, args, kwargs))
        return cell

    def __init__(
        self,
        units,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = self._positive_int("units", units)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        states = len(self.state_names)
        self.state_size = self.units if states == 1 else [self.units] * states
        self.output_size = self.units

    @abc.abstractmethod
    def call(self, inputs, states):
        """One step: ``inputs`` (batch, features) and a list of states -> (output, [new states])."""

    @property
    def bias_shape(self):
        return (self.num_gates * self.units,)

    def build(self, input_shape):
        """Makes the weights for steps of shape (batch, features), then tries one step.

        A subclass that builds more, and a cell in mixed precision, are tried by the first call.
        """
        batch, self._features = self._step_shape(input_shape)
        columns = self.num_gates * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self._features, columns),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        if self._has_recurrent_kernel:
            self.recurrent_kernel = self.add_weight(
                name="recurrent_kernel",
                shape=(self.units, columns),
                initializer=self.recurrent_initializer,
                regularizer=self.recurrent_regularizer,
            )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self.bias_shape,
                initializer=self.initial_bias,
                regularizer=self.bias_regularizer,
            )
        if type(self).build is RNNCell.build and self.compute_dtype == self.variable_dtype:
            self._try_one_step(batch)
            self._check_first_states()

    def initial_bias(self, shape, dtype=None):
        """The bias at the start; a cell whose gates start differently overrides it."""
        return self.bias_initializer(shape, dtype)

    def affine(self, inputs, h):
        """``inputs @ kernel + h @ recurrent_kernel + bias``: (batch, num_gates * units)."""
        total = ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel)
        return total if self.bias is None else total + self.bias

    def affine_matrix(self):
        """W, b, U below each other, so that ``affine(x, h)`` is ``[x, 1, h] @ affine_matrix()``.

        FastRNN takes one product with it for the two in ``affine``. A cell whose ``affine`` is
        another one has its own; a tuple of matrices, if ``affine`` returns a tuple of arrays.
        """
        b = ops.zeros_like(self.kernel[0]) if self.bias is None else self.bias
        return ops.concatenate([self.kernel, b[None], self.recurrent_kernel])

    def get_initial_state(self, batch_size=None):
        """Zeros, one array (batch, size) for each state, in ``compute_dtype``.

        Raises:
            ValueError: ``batch_size`` is missing.
        """
        if batch_size is None:
            raise self._error("get_initial_state", "batch_size, an int", "None")
        return [ops.zeros((batch_size, n), dtype=self.compute_dtype) for n in self._state_sizes]

    def get_config(self):
        """The constructor's arguments by name, so that ``from_config`` makes the same cell.

        Raises:
            ValueError: ``__init__`` takes no ``**kwargs``, or takes ``*args``.
        """
        kinds = {parameter.kind for parameter in _parameters(type(self).__init__).values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds or inspect.Parameter.VAR_POSITIONAL in kinds:
            expected = "**kwargs for super().__init__ and no *args, or the cell cannot be loaded"
            raise self._error("__init__", expected, inspect.signature(type(self).__init__))
        arguments = {
            name: keras.saving.serialize_keras_object(value)
            for name, value in self._arguments.items()
        }
        return {**arguments, **super().get_config()}

    @classmethod
    def from_config(cls, config):
        """Makes a cell from what ``get_config`` returned."""
        arguments = {
            name: value if name == "dtype" else keras.saving.deserialize_keras_object(value)
            for name, value in config.items()
        }
        return cls(**arguments)

    # From here on: one clear sentence for each mistake, before training starts.

    def __call__(self, inputs, states, *args, **kwargs):
        self._check_inputs(inputs)
        self._check_states("states", states, (list, tuple))
        # A list on every back end: TensorFlow's loop and PyTorch's pass a tuple.
        result = super().__call__(inputs, list(states), *args, **kwargs)
        self._check_result(result)
        return result

    @property
    def _state_sizes(self):
        """``state_size`` as a list, one int for each state."""
        one = isinstance(self.state_size, int)
        return [self.state_size] if one else list(self.state_size)

    def _step_shape(self, input_shape):
        """(batch, features) of one step; features must be known, batch need not be."""
        shape = tuple(input_shape)
        if len(shape) != 2 or shape[-1] is None:
            raise self._error(
                "inputs",
                "one step of shape (batch, features); RNN(cell) takes (batch, steps, features)",
                f"a step of shape {shape}",
            )
        return shape

    def _try_one_step(self, batch):
        """Runs ``call`` on shapes alone and checks what it returns."""
        step = keras.KerasTensor((batch, self._features), self.variable_dtype)
        states = [keras.KerasTensor((batch, n), self.variable_dtype) for n in self._state_sizes]
        training = {"training": False} if "training" in _parameters(self.call) else {}
        try:
            result = self.compute_output_spec(step, states, **training)
        except Exception as error:
            expected = f"a step of shape {step.shape} and states of widths {self._state_sizes}"
            cause = ": ".join([type(error).__name__, *str(error).splitlines()[-1:]]).rstrip(" .:")
            raise self._error("call", f"{expected} to pass through it", cause) from error
        self._check_result(result)
        self._check_dtypes("call's new states", result[1])

    def _check_inputs(self, inputs):
        shape = self._step_shape(getattr(inputs, "shape", ()))
        if self._features not in (None, shape[-1]):
            raise self._error("inputs", f"{self._features} features, as built", shape[-1])

    def _check_result(self, result):
        if not (isinstance(result, tuple) and len(result) == 2):
            raise self._error("call", "a pair (output, [new states])", kind_of(result))
        output, new_states = result
        self._check_states("call's new states", new_states, list)
        if not _is_batch_of(output, self.output_size):
            expected = f"an output of shape (batch, {self.output_size}), its output_size"
            raise self._error("call", expected, kind_of(output))

    def _check_states(self, what, states, kinds):
        sizes = self._state_sizes
        expected = f"a list of {len(sizes)}"
        if len(sizes) == len(self.state_names):
            expected += f" ({', '.join(self.state_names)})"
        if not isinstance(states, kinds):
            raise self._error(what, expected, kind_of(states))
        if len(states) != len(sizes):
            raise self._error(what, expected, f"{len(states)}")
        for i, (state, size) in enumerate(zip(states, sizes, strict=True)):
            if not _is_batch_of(state, size):
                raise self._error(f"{what}[{i}]", f"shape (batch, {size})", kind_of(state))

    def _check_dtypes(self, what, states):
        """A loop cannot change the type of its states."""
        # What the back end makes of the dtype: float64 may be float32 on JAX.
        expected = dtype_of(ops.zeros((), dtype=self.compute_dtype))
        for i, state in enumerate(states):
            if dtype_of(state) != expected:
                raise self._error(f"{what}[{i}]", f"dtype {expected}, as before", dtype_of(state))

    def _check_first_states(self):
        """Two rows show a state that is left to broadcast."""
        method = "get_initial_state"
        try:
            inspect.signature(self.get_initial_state).bind(batch_size=2)
        except TypeError:
            came = inspect.signature(self.get_initial_state)
            raise self._error(method, "(batch_size=None) as arguments", came) from None
        states = self.get_initial_state(batch_size=2)
        self._check_states(method, states, (list, tuple))
        for i, (state, size) in enumerate(zip(states, self._state_sizes, strict=True)):
            if state.shape[0] != 2:
                what = f"{method}(batch_size=2)[{i}]"
                raise self._error(what, f"shape (2, {size})", kind_of(state))
        self._check_dtypes(method, states)

    def _positive_int(self, what, value):
        try:
            number = operator.index(value)
        except TypeError:
            number = 0
        if number < 1 or isinstance(value, bool):
            raise self._error(what, "a positive int", repr(value))
        return number

    def _error(self, what, expected, got):
        return ValueError(f"{type(self).__name__}: {what}: expected {expected}; got {got}.")


def _parameters(function):
    return inspect.signature(function).parameters


def _bound_arguments(cls, args, kwargs):
    """The arguments of ``cls(*args, **kwargs)`` by name, defaults and ``**kwargs`` included."""
    try:
        bound = inspect.signature(cls.__init__).bind(None, *args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}.") from None
    bound.apply_defaults()
    arguments = dict(list(bound.arguments.items())[1:])  # without self
    for name, parameter in _parameters(cls.__init__).items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments |= arguments.pop(name)
    return arguments


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


def _is_batch_of(tensor, size):
    shape = getattr(tensor, "shape", None)
    return shape is not None and len(shape) == 2 and shape[-1] == size


def kind_of(value):
    """A short name for what came: its shape if it has one, else its type."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"a tensor of shape {tuple(shape)}"
    length = f" of {len(value)}" if isinstance(value, (list, tuple)) else ""
    return f"a {type(value).__name__}{length}"
