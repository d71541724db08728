"""RNNCell: the contract of every recurrent cell, without what only some of them have."""

import abc
import functools
import inspect

import keras
from keras import ops

from rnncells.cells import sentences
from rnncells.cells.configuration import Configured

# Colab's set-up cell installs this package and nothing else, so pip has not compared versions.
OLDEST_KERAS = (3, 13)
if tuple(map(int, keras.__version__.split(".")[:2])) < OLDEST_KERAS:
    raise ImportError(
        f"rnncells needs Keras {OLDEST_KERAS[0]}.{OLDEST_KERAS[1]} or newer, and this is Keras"
        f" {keras.__version__}: run pip install --upgrade keras."
    )


class RNNCell(Configured, abc.ABC):
    """One step of a recurrent network: an abstract base class.

    A cell maps one time step and the old states to an output and the new states:

        output, [new states] = cell(inputs, [states])

    A subclass writes that map in ``call``, and makes its weights in ``build`` if it has any. The
    rest is here: sizes, initial states, configuration, saving, and one clear sentence for each
    mistake. ``keras.layers.RNN(cell)`` runs the cell over a sequence. A complete cell:

        class RunningMaximum(RNNCell):
            def call(self, inputs, states):
                h = keras.ops.maximum(inputs, states[0])
                return h, [h]

    The usual weights, and a dropout that goes with them, are ``AffineRNNCell``'s.

    A subclass with other states names them in the class attribute ``state_names``, ``("h",)`` by
    default; each is ``units`` wide. One whose states or output have other sizes sets
    ``state_size`` or ``output_size`` after ``super().__init__``: an int for a state of shape
    (batch, size), a tuple for a larger one, as in ``[units, (units, units)]``.

    One that adds constructor arguments takes ``**kwargs`` and passes them on; what the constructor
    was called with is kept for saving, so there is no ``get_config`` to write.

    Args:
        units: Positive int, the width of each state and of the output.
        **kwargs: ``name``, ``dtype`` and ``trainable``, as for every Keras layer.

    Shapes:
        inputs: (batch, ...), one time step; (batch, features) for most cells.
        each state: (batch, units), or what ``state_size`` says; output: (batch, output_size).

    Raises:
        TypeError: The class does not implement ``call``.
        ValueError: ``units`` is not a positive int; the inputs or the states have the wrong
            number, rank or size; ``call`` does not return what the class declares.
    """

    state_names = ("h",)
    _step_shape = None  # (batch, ...), known once built
    _takes_more = False  # whether it was called by hand with more than inputs and states

    def __init_subclass__(cls, package=None, **kwargs):
        super().__init_subclass__(package=package, **kwargs)
        if isinstance(cls.state_names, str):
            raise TypeError(
                f"{cls.__name__}: state_names: expected a tuple of names, as in ('h',); "
                f"got the string {cls.state_names!r}."
            )

    def __new__(cls, *args, **kwargs):
        if inspect.isabstract(cls):
            raise TypeError(
                f"{cls.__name__} is abstract: it has no call(inputs, states) of its own; write one "
                "in a class derived from RNNCell, and return (output, [new states]) from it."
            )
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = sentences.positive_int(self, "units", units)
        states = len(self.state_names)
        self.state_size = self.units if states == 1 else [self.units] * states
        self.output_size = self.units

    @abc.abstractmethod
    def call(self, inputs, states):
        """One step: ``inputs`` (batch, ...) and a list of states -> (output, [new states])."""

    def build(self, input_shape):
        """Makes the weights for steps of shape (batch, ...); here there are none.

        When it is done, ``call`` is tried on shapes alone.
        """

    def get_initial_state(self, batch_size=None):
        """Zeros, one array (batch, ...) for each state, in ``compute_dtype``.

        Raises:
            ValueError: ``batch_size`` is missing.
        """
        if batch_size is None:
            raise self._error("get_initial_state", "batch_size, an int", "None")
        shapes = sentences.shapes_of(self)
        return [ops.zeros((batch_size, *shape), dtype=self.compute_dtype) for shape in shapes]

    def __call__(self, inputs, states, *args, **kwargs):
        if args or set(kwargs) - {"training"}:
            self._takes_more = True  # so a step cannot be tried without it
        self._demand_inputs(inputs)
        sentences.demand_states(self, "states", states, (list, tuple))
        # A list on every back end: TensorFlow's loop and PyTorch's pass a tuple.
        result = super().__call__(inputs, list(states), *args, **kwargs)
        sentences.demand_result(self, result)
        return result

    def _demand_inputs(self, inputs):
        """An axis of another length than in ``build`` would fail later, or broadcast."""
        came, built = tuple(getattr(inputs, "shape", ())), self._step_shape
        if built is None:
            return
        pairs = zip(built[1:], came[1:], strict=False)
        if len(came) != len(built) or any(b not in (None, c) for b, c in pairs):
            sizes = ", ".join(map(str, built[1:]))
            raise self._error("inputs", f"shape (batch, {sizes}), as built", came)

    def _constructed(self):
        """Checks and keeps what the constructor of the outermost class has set."""
        shapes = sentences.shapes_of(self)
        sentences.demand_names_for_states(self, shapes, RNNCell.state_names)
        super()._constructed()
        object.__setattr__(self, "build", self._built_once(self.build))

    def _built_once(self, build):
        """A cell inside another one may be built by both; the weights are made once."""

        @functools.wraps(build)
        def built_once(*args, **kwargs):
            if self.built:
                return
            build(*args, **kwargs)
            (step_shape,) = [*args, *kwargs.values()]
            self._step_shape = tuple(step_shape)
            if not self._takes_more:
                sentences.demand_one_step(self, self._step_shape)
            sentences.demand_first_states(self)

        return built_once
