"""What the checks do with a cell: make it, run it in several ways, differentiate it, compare."""

import contextlib
import inspect
import logging
import operator
import random
import warnings
from unittest import SkipTest

import keras
import numpy as np
from keras import ops

from rnncells.cells.sentences import dtype_of
from rnncells.testing.copies import demand_same_attributes, policy, remade, through_json
from rnncells.testing.found import Found, NotReached, gist

BATCH = 3
TOLERANCE = 1e-5  # float32, five steps, numbers of size one


@contextlib.contextmanager
def undisturbed():
    """The same random numbers each time, the caller's left alone; no warnings of what we do."""
    logger = logging.getLogger("tensorflow")
    before = logger.level, random.getstate(), np.random.get_state()
    logger.setLevel(logging.CRITICAL)
    random.seed(0)
    np.random.seed(0)
    try:
        with warnings.catch_warnings(), policy("float32"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before[0])
        random.setstate(before[1])
        np.random.set_state(before[2])


class Subject:
    """The cell under test: new copies of it, always with the same weights.

    Args:
        cell: A cell, which is never touched, or a function that makes one.
        input_shape: (steps, ...), the sequences without the batch.
    """

    def __init__(self, cell, input_shape):
        self.steps, *shape = _steps_and_shape(input_shape)
        self.step_shape = tuple(shape)
        self._make = _maker(cell)
        self._given = cell if isinstance(cell, keras.layers.Layer) else None
        self._values = None
        self._failures = {}
        self._kept = {}
        self.outcomes = {}  # the name of each check that was called -> its status
        self.cell_class = type(self._given or self._make("float32"))
        self.name = self.cell_class.__name__

    def _once(self, key, make):
        """What several checks ask of a fresh copy, computed for the first of them."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def has_passed(self, check):
        self._failures[check.name] = None

    def failure(self, check):
        """Why a check fails or is not reached; None where it passes. It is run once."""
        if check.name not in self._failures:
            self._failures[check.name] = self._failure(check)
        return self._failures[check.name]

    def _failure(self, check):
        try:
            check.run(self)
        except (AssertionError, NotReached) as failure:
            return failure
        except SkipTest:
            pass
        return None

    def passes(self, check):
        return self.failure(check) is None

    @property
    def copy_fault(self):
        """Found, why the copies of a given cell are not what it is; None where they are."""
        return self._once("copy fault", self._find_copy_fault)

    def _find_copy_fault(self):
        if self._given is None:
            return None
        try:
            with undisturbed():
                copy = self._make("float32")
                through_json(self._given)
                self.compare_attributes(copy)
        except Found as found:
            return found
        return None

    def new(self, dtype="float32"):
        """A cell that is not built yet."""
        cell = self._make(dtype)
        if cell.dtype_policy.name != dtype:
            raise SkipTest(f"the cell is made in {cell.dtype_policy.name}, whatever is asked for")
        return cell

    def can_be(self, dtype):
        try:
            self.new(dtype)
        except SkipTest:
            return False
        return True

    def built(self, dtype="float32"):
        """A cell with weights near its initial ones, none of them zero: a zero hides mistakes."""
        cell = self.new(dtype)
        self._build(cell)
        if self._values is None:
            self._values = [_moved(w, seed=100 + i) for i, w in enumerate(own_weights(cell))]
        self.set_weights(cell)
        return cell

    def _build(self, cell):
        """Under the policy that a function's cell was made in; a given cell has only its dtype."""
        if cell.built:
            return
        with contextlib.nullcontext() if self._given else policy(cell.dtype_policy):
            cell.build((None, *self.step_shape))
        cell.built = True

    def set_weights(self, cell):
        self._build(cell)
        weights = own_weights(cell)
        if len(weights) != len(self._values):
            raise Found(
                f"{len(weights)} weights in one copy and {len(self._values)} in another",
                "make every weight in build, the same whatever the dtype",
            )
        for weight, value in zip(weights, self._values, strict=True):
            weight.assign(value)

    def compare_attributes(self, twin):
        """Compares the attributes of the given cell with those of one made from its config."""
        if self._given is None:
            return
        try:
            if self._given.built:
                self._build(twin)
        except Exception:  # it was built for other inputs, or build itself is asked about later
            return
        demand_same_attributes(self._given, twin)

    @property
    def state_shapes(self):
        return state_shapes(self.new())

    def x(self, steps=None, batch=BATCH):
        """(batch, steps, ...)"""
        return normal(batch, steps or self.steps, *self.step_shape)

    @property
    def patience(self):
        """The steps after which a state has to affect the output: more for more states."""
        return max(self.steps, 4 * len(self.state_shapes))

    def states(self):
        """One array (batch, ...) for each state, as some steps leave them."""
        x = normal(BATCH, self.steps, *self.step_shape, seed=50)
        return list(self._once("states", lambda: loop(self.built(), x, flat=True)[1:]))

    def some_states(self):
        """States that do not come from get_initial_state."""
        return [np.full((BATCH, *shape), 0.1, "float32") for shape in self.state_shapes]

    def one_step(self):
        x = self.x()[:, 0]
        return self._once("one step", lambda: step(self.built(), x, self.some_states()))

    def looped(self, mask=None):
        """[outputs, *final states] of a fresh copy over ``x()``, step by step."""
        key = "loop", None if mask is None else mask.tobytes()
        return list(self._once(key, lambda: loop(self.built(), self.x(), mask=mask, flat=True)))

    def ran(self, mask=None, **options):
        """The same of ``keras.layers.RNN``."""
        key = "rnn", None if mask is None else mask.tobytes(), *sorted(options.items())
        return list(self._once(key, lambda: rnn(self.built(), self.x(), mask=mask, **options)))

    def first_states(self, batch_size):
        return first_states(self.built(), batch_size)

    def model(self, cell, steps=None):
        """(batch, steps, ...) -> [outputs, *final states]; no states where one is no vector.

        The states' shapes in a functional model are wrong in Keras if they have more axes.
        """
        inputs = keras.Input((steps or self.steps, *self.step_shape))
        vectors = all(len(shape) == 1 for shape in self.state_shapes)
        layer = keras.layers.RNN(cell, return_sequences=True, return_state=vectors)
        return keras.Model(inputs, keras.tree.flatten(layer(inputs)))

    def classifier(self):
        inputs = keras.Input((self.steps, *self.step_shape))
        outputs = keras.layers.Dense(2)(keras.layers.RNN(self.new())(inputs))
        return keras.Model(inputs, outputs)

    def trained(self):
        """A trained classifier; whoever asks for it only reads it."""
        return self._once("trained", self._train)

    def _train(self):
        model = self.classifier()
        model.compile("adam", "mse", run_eagerly=True)
        model.fit(self.x(), normal(BATCH, 2), epochs=2, verbose=0)
        return model

    def stateful(self, steps):
        layer = keras.layers.RNN(self.built(), return_sequences=True, stateful=True)
        layer.build((BATCH, steps, *self.step_shape))
        return layer


def _steps_and_shape(input_shape):
    try:
        steps, *shape = map(operator.index, input_shape)
    except (TypeError, ValueError):
        steps, shape = 0, []
    if steps < 4 or not shape or min(shape) < 1:
        expected = "(steps, features), at least 4 steps and 1 feature"
        raise ValueError(f"check_cell: input_shape: expected {expected}; got {input_shape!r}.")
    return steps, *shape


def _maker(cell):
    """A function of a dtype that makes the cell."""
    if isinstance(cell, keras.layers.Layer):
        _demand_cell(cell)
        return lambda dtype: remade(cell, dtype)
    if not callable(cell):
        raise _no_cell(f"{cell!r} of type {type(cell).__name__}")
    first, second = _made_by(cell, "float32"), _made_by(cell, "float32")
    if first is second:
        raise _no_cell("a function that returns the same cell twice")
    if first.dtype_policy.name != "float32":
        raise _no_cell(f"one whose cell is of dtype {first.dtype_policy.name}: leave the dtype out")
    return lambda dtype: _made_by(cell, dtype)


def _made_by(function, dtype):
    try:
        with policy(dtype):
            cell = function()
    except Exception as error:
        raise _no_cell(f"one that raises {gist(error)}") from error
    if not isinstance(cell, keras.layers.Layer):
        raise _no_cell(f"a function that makes a {type(cell).__name__}")
    _demand_cell(cell)
    return cell


def _demand_cell(cell):
    if isinstance(cell, keras.layers.RNN):
        raise _no_cell("a layer that runs over a sequence: pass its cell")
    if isinstance(cell, keras.layers.StackedRNNCells):
        raise _no_cell("StackedRNNCells: check its cells one by one")


def _no_cell(got):
    expected = "a cell or a function without arguments that makes one"
    return TypeError(f"check_cell: expected {expected}; got {got}.")


def state_shapes(cell):
    """The shape of each state without the batch: an int n in state_size stands for (n,)."""
    size = cell.state_size
    sizes = [size] if isinstance(size, int) else list(size)
    return [tuple(n) if isinstance(n, (list, tuple)) else (n,) for n in sizes]


def first_states(cell, batch_size):
    if not hasattr(cell, "get_initial_state"):
        shapes = state_shapes(cell)
        return [ops.zeros((batch_size, *shape), dtype=cell.compute_dtype) for shape in shapes]
    states = cell.get_initial_state(batch_size=batch_size)
    return list(states) if keras.tree.is_nested(states) else [states]


def own_weights(cell):
    """All but the states of random generators."""
    return [w for w in cell.weights if w.dtype != "uint32"]


def float_weights(cell):
    return [w for w in cell.weights if "float" in w.dtype]


def _moved(weight, seed):
    """A tenth of itself away; where it is zero, a tenth. What is not trained stays as it is."""
    value = numpy(weight)
    if "float" not in weight.dtype or not weight.trainable:
        return value
    value = np.where(value == 0, 0.1, value * (1 + 0.1 * normal(*value.shape, seed=seed)))
    value = value.astype("float32")
    return value if weight.constraint is None else numpy(weight.constraint(value))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numpy(tensor):
    narrow = dtype_of(tensor) in ("bfloat16", "float16")
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32") if narrow else tensor))


def step(cell, x, states, kind=list):
    """One call of the cell, as RNN makes it at inference, with a list or tuple of states."""
    takes_training = "training" in inspect.signature(cell.call).parameters
    return cell(
        ops.convert_to_tensor(x, cell.compute_dtype),
        kind(ops.convert_to_tensor(s, cell.compute_dtype) for s in states),
        **({"training": False} if takes_training else {}),
    )


def loop(cell, x, states=None, mask=None, flat=False):
    """The cell over (batch, steps, ...), by hand: (outputs, final states) as arrays.

    Where the mask is 0 the states and the output stay as they were.
    """
    states = first_states(cell, len(x)) if states is None else states
    states, outputs = [numpy(s) for s in states], []
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    for t in range(x.shape[1]):
        output, new_states = step(cell, x[:, t], states)
        before = outputs[-1] if outputs else np.zeros_like(numpy(output))
        outputs.append(_where(mask[:, t], numpy(output), before))
        new_states = keras.tree.flatten(new_states)
        states = [_where(mask[:, t], numpy(n), s) for n, s in zip(new_states, states, strict=True)]
    outputs = np.stack(outputs, axis=1)
    return [outputs, *states] if flat else (outputs, states)


def _where(mask, new, old):
    """Row by row, of arrays (batch, ...)."""
    return np.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def rnn(cell, x, mask=None, initial_state=None, convert=True, **options):
    """[outputs, *final states] of ``keras.layers.RNN(cell)`` over (batch, steps, ...)."""
    layer = keras.layers.RNN(
        cell, return_sequences=True, return_state=True, dtype=cell.dtype_policy, **options
    )
    given = {} if mask is None else {"mask": ops.convert_to_tensor(mask)}
    if initial_state is not None:
        given["initial_state"] = [ops.convert_to_tensor(s) for s in initial_state]
    result = layer(ops.convert_to_tensor(x), training=False, **given)
    return [numpy(t) for t in keras.tree.flatten(result)] if convert else list(result)


class _Whole(keras.Model):
    """RNN over inputs and first states that are weights: one step of SGD shows each gradient."""

    def __init__(self, cell, x, states, mask):
        super().__init__(dtype=cell.dtype_policy)
        self.rnn = keras.layers.RNN(cell, return_sequences=True, dtype=cell.dtype_policy)
        self.arrays = [keras.Variable(a, dtype=cell.variable_dtype) for a in (x, *states)]
        self.mask = mask

    def total(self):
        """The sum of all outputs, each times a fixed random number."""
        x, *states = [a.value for a in self.arrays]
        given = {} if self.mask is None else {"mask": ops.convert_to_tensor(self.mask)}
        outputs = self.rnn(x, initial_state=states, training=False, **given)
        factors = ops.convert_to_tensor(normal(*outputs.shape, seed=90), outputs.dtype)
        return ops.sum(outputs * factors)

    def call(self, dummy):
        self.add_loss(self.total())
        return dummy


def gradients(cell, x, states, mask=None):
    """The gradients of a weighted sum of all outputs, as a step of SGD with rate 1 applies them.

    Returns:
        (a function of (i, change) that is the sum with the i-th array changed, the gradients for
        the inputs, each first state and each weight, and a name for each).
    """
    for weight in cell.weights:
        weight.regularizer = weight.constraint = None
    model = _Whole(cell, x, states, mask)
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    dummy = np.zeros((1, 1), "float32")
    model(dummy)
    variables = [*model.arrays, *cell.trainable_weights]
    before = [numpy(v) for v in variables]
    model.train_on_batch(dummy)
    found = [b - numpy(v) for b, v in zip(before, variables, strict=True)]
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)

    def loss(i, change):
        variables[i].assign(before[i] + change)
        total = float(numpy(model.total()))
        variables[i].assign(before[i])
        return total

    names = ["the inputs"]
    names += [
        f"first state {i}" if len(states) > 1 else "the first state" for i in range(len(states))
    ]
    return loss, found, [*names, *(w.name for w in cell.trainable_weights)]


def compare(got, expected, tolerance=TOLERANCE, names=None):
    """Raises Found where arrays differ, with how much and where; a nan is a difference."""
    names = names or ["the outputs", *(f"final state {i}" for i in range(len(got) - 1))]
    for name, a, b in zip(names, got, expected, strict=True):
        if a.shape != b.shape:
            raise Found(f"{name} of shape {a.shape} and not {b.shape}")
        difference = np.abs(a.astype("float64") - b)
        scale = max(1, np.max(np.abs(b), initial=0))
        wrong = ~(difference <= tolerance * scale)
        if np.any(wrong):
            worst = float(f"{np.max(difference[wrong]):.1g}")
            row, step = np.argwhere(wrong)[0][:2] if name == "the outputs" else (0, 0)
            where = f" (first in row {row} at step {step})" if name == "the outputs" else ""
            raise Found(f"a difference of {worst:g} in {name}{where}")
