"""The checks of ``check_cell``: what RNN, training and saving require of a cell.

Each check is a function of a Subject. It returns where the cell does what is expected, and
raises Found with what came where it does not; ``Check`` makes the sentence. A check that cannot
be run here raises SkipTest with the reason. Only public Keras, so it runs on every back end.
"""

import copy
import dataclasses
import re
import tempfile
from pathlib import Path
from unittest import SkipTest

import keras
import numpy as np

from rnncells.cells.diagonal import DiagonalRNNCell
from rnncells.cells.sentences import dtype_of, kind_of
from rnncells.layers.parallel import ParallelRNN
from rnncells.testing.copies import CONFIG, through_json, twin_of
from rnncells.testing.found import Found, NotReached, gist
from rnncells.testing.subject import (
    BATCH,
    compare,
    first_states,
    float_weights,
    gradients,
    loop,
    normal,
    numpy,
    rnn,
    state_shapes,
    step,
    undisturbed,
)

BACKEND = keras.backend.backend()
VERSION = "1.0"  # of the kit: a new check, or one that became stricter, makes a new one
CHECKS = []  # in the order in which they run


class CheckFailed(AssertionError):
    """A cell does not do what a check expects; the message is one sentence."""

    def __init__(self, check_name, sentence):
        super().__init__(sentence)
        self.check_name = check_name
        self.add_note(f"This is the check {check_name}.")


@dataclasses.dataclass(frozen=True)
class Check:
    """A named check.

    ``needed``: where it fails, those after it cannot be judged. ``follows``: the names of checks
    whose failure alone makes this one fail. ``since``: the version of the kit that added it.
    ``only_for``: the class of cells that it is a check of.
    """

    name: str
    group: str
    expected: str
    repair: str
    function: object
    needed: bool = False
    follows: tuple = ()
    since: str = "0.1"
    only_for: type = keras.layers.Layer

    def __call__(self, subject):
        __tracebackhide__ = True  # pytest shows the sentence, not the kit
        try:
            self._call(subject)
            subject.outcomes[self.name] = "passed"
        except SkipTest:
            subject.outcomes[self.name] = "skipped"
            raise
        except AssertionError:
            subject.outcomes[self.name] = "failed"
            raise

    def _call(self, subject):
        __tracebackhide__ = True
        if blocker := self.blocker(subject):
            raise NotReached(blocker)
        self.run(subject)
        subject.has_passed(self)

    def blocker(self, subject):
        """The check whose failure leaves nothing to judge here; None where there is none."""
        if self is JUDGE_OF_COPIES and subject.copy_fault:
            return None
        for earlier in CHECKS[: CHECKS.index(self)]:
            needed = earlier.needed or earlier.name in self.follows
            failure = subject.failure(earlier) if needed else None
            if failure:
                return getattr(failure, "blocker", None) or earlier.blocker(subject) or earlier
        return None

    def run(self, subject):
        __tracebackhide__ = True
        try:
            with undisturbed():
                self._judge(subject)
        except CheckFailed:
            if subject.copy_fault and self is not JUDGE_OF_COPIES:  # the given cell may be sound
                raise NotReached(JUDGE_OF_COPIES) from None
            raise

    def _judge(self, subject):
        __tracebackhide__ = True
        try:
            self.function(subject)
        except SkipTest:
            raise
        except Found as found:
            raise self._failure(subject, found.got, found.repair or self.repair) from None
        except Exception as error:
            if str(error).startswith(f"{subject.name}: "):  # RNNCell's own sentence says it best
                raise CheckFailed(self.name, str(error)) from error
            raise self._failure(subject, gist(error), self.repair) from error

    def _failure(self, subject, got, repair):
        sentence = f"{subject.name}: expected {self.expected}; got {got}; {repair}."
        return CheckFailed(self.name, sentence)


def check(group, expected, repair, **options):
    def register(function):
        CHECKS.append(Check(function.__name__, group, expected, repair, function, **options))
        return function

    return register


# The contract: what the cell declares, and what call returns


@check(
    "contract",
    "state_size to be a positive int, or a list with one entry for each state",
    "set it in __init__, as in self.state_size = units",
    needed=True,
)
def state_size_is_declared(subject):
    cell = subject.new()
    size = getattr(cell, "state_size", None)
    if size is None:
        raise Found("no state_size")
    sizes = list(size) if isinstance(size, (list, tuple)) else [size]
    entries = [n for s in sizes for n in (s if isinstance(s, (list, tuple)) else [s])]
    if not sizes or not all(type(n) is int and n > 0 for n in entries):
        raise Found(f"{size!r} of type {type(size).__name__}", _as_ints(size))
    if any(len(shape) != 1 for shape in state_shapes(cell)):
        if not hasattr(cell, "get_initial_state"):
            raise Found(
                f"{size!r} and no get_initial_state",
                "write get_initial_state(self, batch_size=None) with zeros of shape (batch_size, "
                "...) for each state: Keras's own makes (batch, size) only",
            )


def _as_ints(size):
    try:
        ints = [int(n) for n in np.ravel(np.asarray(size))]
    except (TypeError, ValueError):
        return "write the width of each state as an int"
    return f"write {ints[0] if len(ints) == 1 else ints}, with Python's own ints"


@check(
    "contract",
    "build to take the shape of one step, (batch, features)",
    "build sees no axis of steps: the number of features is input_shape[-1]",
    needed=True,
)
def build_takes_one_step(subject):
    subject.new().build((None, *subject.step_shape))


@check(
    "contract",
    "call(inputs, states) to take inputs (batch, features) and a list of states",
    "inputs have no axis of steps, states are a list also where there is one, and weights are made "
    "in build",
    needed=True,
)
def call_takes_one_step(subject):
    try:
        subject.one_step()
    except Exception as error:
        size = subject.new().state_size
        if _takes_one_state_of(subject, size):
            widths = ", ".join(str((BATCH, *shape)) for shape in subject.state_shapes)
            raise Found(
                gist(error),
                f"state_size = {size!r} declares {len(size)} states, and they come in shapes "
                f"{widths} for a batch of {BATCH}; one state of shape (batch, "
                f"{', '.join(map(str, size))}) is [{tuple(size)!r}]",
            ) from error
        raise


def _takes_one_state_of(subject, shape):
    """Whether call works with one state of this shape, (batch, *shape)."""
    if (
        not isinstance(shape, (list, tuple))
        or len(shape) < 2
        or not all(type(n) is int for n in shape)
    ):
        return False
    try:
        step(subject.built(), subject.x()[:, 0], [np.full((BATCH, *shape), 0.1, "float32")])
    except Exception:
        return False
    return True


@check(
    "contract",
    "call to return a pair, (output, [new states])",
    "end call with return output, [h]",
    needed=True,
)
def call_returns_a_pair(subject):
    result = subject.one_step()
    if not (isinstance(result, tuple) and len(result) == 2):
        raise Found(kind_of(result))
    if not hasattr(result[0], "shape"):
        raise Found(f"{kind_of(result[0])} as output", "make the output one tensor, (batch, units)")


@check(
    "contract",
    "call to return the new states in a list",
    "write return output, [h]: a tuple stops JAX's loop, and a bare tensor whoever counts states",
)
def states_come_in_a_list(subject):
    _, states = subject.one_step()
    if not isinstance(states, list):
        raise Found(kind_of(states))
    if any(isinstance(state, (list, tuple)) for state in states):
        raise Found("a list within the list", "return one flat list, as in return h, [h, c]")


@check(
    "contract",
    "call to return as many states as state_size declares, each of its shape",
    "return one tensor for each entry of state_size, in the same order",
    needed=True,
)
def states_are_as_declared(subject):
    _, states = subject.one_step()
    size = subject.new().state_size
    shapes = [tuple(s.shape) for s in keras.tree.flatten(states)]
    if shapes != [(BATCH, *shape) for shape in subject.state_shapes]:
        raise Found(f"states of shapes {shapes} for a batch of {BATCH} and state_size {size!r}")


@check(
    "contract",
    "call to add no loss",
    "the loop of keras.layers.RNN is compiled, and a loss cannot leave it: return what the loss "
    "needs as the output or a state, and add the loss in a layer behind RNN",
    since="1.0",
)
def call_adds_no_loss(subject):
    cell = subject.built()
    before = len(cell.losses)
    step(cell, subject.x()[:, 0], subject.some_states())
    if added := len(cell.losses) - before:
        raise Found(f"{added} in one step")


@check(
    "contract",
    "the output to be (batch, output_size), or (batch, first state's size) without output_size",
    "set self.output_size in __init__ to the width of what call returns first",
    needed=True,
)
def output_size_is_true(subject):
    output, _ = subject.one_step()
    if len(output.shape) > 2:
        flat = "flatten the output in call and reshape the state there: RNN's outputs are vectors"
        raise Found(f"an output of shape {tuple(output.shape)} for a batch of {BATCH}", flat)
    declared = getattr(subject.built(), "output_size", None)
    size = subject.state_shapes[0][-1] if declared is None else declared
    if type(size) is not int or tuple(output.shape) != (BATCH, size):
        shape = tuple(output.shape)
        raise Found(f"an output of shape {shape} for a batch of {BATCH}, output_size {declared!r}")


@check(
    "contract",
    "the output and the new states to have the dtype of the old states",
    "cast what call makes to self.compute_dtype; a loop cannot change the type of its states",
    needed=True,
)
def dtypes_are_kept(subject):
    expected = subject.new().compute_dtype
    for what, tensor in _named(subject.one_step()):
        if dtype_of(tensor) != expected:
            raise Found(f"{dtype_of(tensor)} for {what} and {expected} before")


@check(
    "contract",
    "get_initial_state(batch_size=...) to work, or not to be there",
    "write def get_initial_state(self, batch_size=None); Keras 2's (inputs, batch_size, dtype) "
    "is gone",
    needed=True,
)
def first_states_are_asked_for_by_batch_size(subject):
    subject.first_states(BATCH)


@check(
    "contract",
    "the first states to be as many and as large as declared, for any batch",
    "make each (batch_size, size) in self.compute_dtype, or leave get_initial_state out for zeros",
    needed=True,
)
def first_states_are_as_declared(subject):
    for batch in (BATCH, 1):
        states = subject.first_states(batch)
        shapes = [tuple(s.shape) for s in states]
        if shapes != [(batch, *shape) for shape in subject.state_shapes]:
            size = subject.new().state_size
            raise Found(f"{shapes} for a batch of {batch} and state_size {size!r}")
    for cell in (subject.built(), _in_half(subject)):
        dtypes = {dtype_of(s) for s in first_states(cell, BATCH)} if cell else set()
        if cell and dtypes != {cell.compute_dtype}:
            got, policy = " and ".join(sorted(dtypes)), cell.dtype_policy.name
            raise Found(f"dtype {got} from a cell of dtype {policy}")


def _in_half(subject):
    """The cell in mixed precision, or None: mixed_precision_computes_in_half says why."""
    try:
        return subject.built("mixed_bfloat16")
    except Exception as error:
        if "get_initial_state" in str(error):  # RNNCell looks at the first states in build
            raise
        return None


@check(
    "contract",
    "build to make every weight, and call none",
    "make weights in build, and there also build the layers that the cell holds: weights made "
    "later are not loaded from a file",
    needed=True,
)
def weights_are_made_in_build(subject):
    cell = subject.built()
    before = len(cell.weights)
    step(cell, subject.x()[:, 0], subject.states())
    late = [re.sub(r"_\d+(?=/)", "", w.path) for w in cell.weights[before:]]
    if late:
        raise Found(f"{len(late)} made by the first call: {', '.join(late)}")


@check(
    "contract",
    "finite outputs and states from finite inputs",
    "look for a division, a logarithm, a root or an exponential in call, and bound what it takes",
    needed=True,
)
def numbers_stay_finite(subject):
    outputs, states = loop(subject.built(), subject.x())
    for what, array in _named((outputs, states)):
        if not np.all(np.isfinite(array)):
            raise Found(f"an infinity or a nan in {what}")


@check(
    "contract",
    "the same output twice at inference",
    "what differs between two equal calls is noise, which call(inputs, states, training=False) "
    "makes only in training, or memory outside the states, which belongs into a state",
    needed=True,
)
def inference_repeats_itself(subject):
    cell = subject.built()
    x, states = subject.x()[:, 0], subject.states()
    compare(_arrays(step(cell, x, states)), _arrays(step(cell, x, states)), tolerance=0)


@check(
    "contract",
    "two copies with the same weights to compute the same",
    "make what is random with self.add_weight in build, so that Keras finds it; draw no first "
    "state; return every argument of __init__ from get_config",
    needed=True,
)
def weights_say_all(subject):
    compare(loop(subject.built(), subject.x(), flat=True), subject.looped())


@check(
    "contract",
    "call to take the states in a tuple as in a list, and to leave them as they are",
    "make new names, as in h = ops.tanh(...), and return h, [h]: Keras passes a tuple on "
    "TensorFlow and PyTorch and a list on JAX",
    needed=True,
    since="1.0",
)
def states_are_only_read(subject):
    cell, x, states = subject.built(), subject.x()[:, 0], subject.states()
    compare(_arrays(step(cell, x, states, tuple)), _arrays(step(cell, x, states)), tolerance=0)


@check(
    "contract",
    "a batch of one to give the shapes of any other",
    "no ops.squeeze, and no -1 in ops.reshape but for the batch: an axis of length one is easily "
    "lost",
    needed=True,
    since="1.0",
)
def a_batch_of_one_is_a_batch(subject):
    shapes = [array.shape[1:] for array in subject.looped()]
    alone = [array.shape for array in loop(subject.built(), subject.x()[:1], flat=True)]
    if alone != [(1, *shape) for shape in shapes]:
        raise Found(f"shapes {alone} for one row, and {[(BATCH, *s) for s in shapes]} for {BATCH}")


@check(
    "contract",
    "a second cell to have weights of its own",
    "make layers and weights in __init__ and build of each cell, never as a default argument or "
    "an attribute of the class",
    needed=True,
)
def cells_share_no_weights(subject):
    _demand_own_weights(subject.built(), subject.built())


def _demand_own_weights(cell, other):
    before = [numpy(w) for w in float_weights(cell)]
    for weight in float_weights(other):
        weight.assign(numpy(weight) + 1)
    for weight, value in zip(float_weights(cell), before, strict=True):
        if not np.array_equal(numpy(weight), value):
            raise Found(f"one {weight.name} for both")


@check(
    "contract",
    "every feature of the inputs to change the output",
    "use inputs whole: (batch, features) times a kernel of (features, units)",
)
def every_feature_matters(subject):
    cell, x = subject.built(), subject.x(subject.patience)
    before = loop(cell, x)[0]
    for i in range(subject.step_shape[-1]):
        other = x.copy()
        other[..., i] += normal(*x.shape[:-1], seed=9)
        if np.array_equal(loop(cell, other)[0], before):
            raise Found(f"the same outputs with other numbers in feature {i}")


@check(
    "contract",
    "every state to change a later output",
    "read it in call: a state that nothing reads is memory for nothing, or a forgotten name",
)
def every_state_matters(subject):
    cell, states = subject.built(), subject.states()
    before = loop(cell, subject.x(subject.patience), states)[0]
    for i, state in enumerate(states):
        others = [*states[:i], state + normal(*state.shape, seed=8), *states[i + 1 :]]
        if np.array_equal(loop(cell, subject.x(subject.patience), others)[0], before):
            raise Found(f"the same outputs with other numbers in {_state(i, states)}")


@check(
    "contract",
    "every state to change from step to step",
    "give new and old state one name, h, c = states to return h, [h, c], and no old one is left; a "
    "memory that is only read goes into expected_failed_checks with that reason",
)
def every_state_moves(subject):
    cell, states = subject.built(), subject.states()
    _, after = loop(cell, subject.x(subject.patience), states)
    for i, (old, new) in enumerate(zip(states, after, strict=True)):
        if np.array_equal(old.astype(new.dtype), new):
            raise Found(f"{_state(i, states)} as it was, after {subject.patience} steps")


@check(
    "contract",
    "every weight to change a later output",
    "use it in call, or do not make it",
    follows=("every_state_matters",),
)
def every_weight_matters(subject):
    cell = subject.built()
    before = loop(cell, subject.x(subject.patience))[0]
    for weight in cell.trainable_weights:
        value = numpy(weight)
        weight.assign(value + normal(*value.shape, seed=7))
        if np.array_equal(loop(cell, subject.x(subject.patience))[0], before):
            raise Found(f"the same outputs with other numbers in {weight.name}")
        weight.assign(value)


@check(
    "contract",
    "finite outputs and gradients where all inputs are zero, as padding is",
    "0 / 0 is nan, and a root has no derivative at zero: ops.sqrt(total + 1e-3), or "
    "ops.maximum(total, 1e-3) inside the root",
    since="1.0",
)
def zeros_stay_finite(subject):
    cell = subject.new()
    subject._build(cell)
    zeros = np.zeros_like(subject.x())
    for what, array in _named(loop(cell, zeros)):
        if not np.all(np.isfinite(array)):
            raise Found(f"an infinity or a nan in {what}")
    try:
        states = [numpy(s) for s in first_states(cell, BATCH)]
        _, derivatives, names = gradients(cell, zeros, states)
    except Exception:  # whether there are any is asked by gradients_are_right
        return
    for derivative, name in zip(derivatives, names, strict=True):
        if not np.all(np.isfinite(derivative)):
            raise Found(f"an infinity or a nan in the gradient for {name}")


@check(
    "contract",
    "a step of unknown batch size to give the shapes of a real one",
    "inputs.shape[0] is None while Keras builds a model: use ops.shape(inputs)[0], or no batch "
    "size at all, as in ops.zeros_like(h); no Python if on a tensor and no NumPy; let "
    "compute_output_shape return the true shape",
    needed=True,
)
def symbolic_shapes_are_real(subject):
    cell = subject.built()
    shapes = [(None, *shape) for shape in subject.state_shapes]
    symbols = [keras.KerasTensor(shape, cell.compute_dtype) for shape in shapes]
    inputs = keras.KerasTensor((None, *subject.step_shape), cell.compute_dtype)
    symbolic = [tuple(t.shape) for t in keras.tree.flatten(cell(inputs, symbols))]
    real = [tuple(t.shape) for t in keras.tree.flatten(subject.one_step())]
    if [s[1:] for s in symbolic] != [s[1:] for s in real]:
        raise Found(f"{symbolic} for symbols and {real} for numbers")


@check(
    "contract",
    "a compiled fit to train it, on a batch of three and a last one of two",
    "make what call needs in training anew at every step, and keep no tensor in an attribute",
    follows=("call_adds_no_loss", "zeros_stay_finite"),
)
def fit_trains_it(subject):
    model = subject.classifier()
    model.compile("adam", "mse")
    x = subject.x(batch=2 * BATCH - 1)
    try:
        history = model.fit(x, normal(len(x), 2), batch_size=BATCH, verbose=0).history
    except Exception as error:
        if type(error).__name__ == "UnexpectedTracerError" and _draws_numbers(subject.new()):
            raise Found(
                gist(error),
                "Keras's loop on JAX cannot draw random numbers in call: draw a mask before the "
                "loop, as the dropout of AffineRNNCell and of Keras's own cells does",
            ) from error
        raise
    if not np.all(np.isfinite(history["loss"])):
        raise Found(
            f"a loss of {history['loss'][0]}",
            "bound the state, or make the initial weights smaller",
        )


def _draws_numbers(cell):
    """Whether it holds the state of a random generator."""
    return any(v.dtype == "uint32" for v in cell.variables)


# Keeping: from a configuration, from a file, by copying


@check("keeping", "from_config(get_config()) to make the same cell, through JSON", CONFIG)
def config_makes_the_same_cell(subject):
    if subject.copy_fault:
        raise subject.copy_fault
    cell = subject.built()
    twin = twin_of(cell)
    subject.compare_attributes(twin)
    subject.set_weights(twin)
    compare(loop(twin, subject.x(), flat=True), subject.looped())
    if subject.can_be("mixed_bfloat16"):
        cell = subject.new("mixed_bfloat16")
        policy = type(cell).from_config(through_json(cell)).dtype_policy.name
        if policy != "mixed_bfloat16":
            raise Found(f"dtype {policy} where it was mixed_bfloat16", f"{BASE}; {CONFIG}")


BASE = "begin with super().get_config(), which holds name, dtype and trainable"


JUDGE_OF_COPIES = CHECKS[-1]
CONFIG_IS = JUDGE_OF_COPIES.name


@check(
    "keeping",
    "a list from get_config, or for __init__, to be the caller's to change",
    "copy it on the way in and on the way out, as in self.delays = list(delays)",
    follows=(CONFIG_IS,),
    since="1.0",
)
def config_is_a_copy(subject):
    cell = subject.new()
    _change_and_compare(cell, cell.get_config(), "after a list that it had returned was changed")
    config = through_json(cell)
    twin = type(cell).from_config(config)
    _change_and_compare(twin, config, "after a list that __init__ had taken was changed")


def _change_and_compare(cell, config, when):
    before = through_json(cell)
    for value in config.values():
        if isinstance(value, list):
            value.append(None)
    changed = [name for name, value in through_json(cell).items() if value != before[name]]
    if changed:
        raise Found(f"another {changed[0]} {when}")


@check(
    "keeping",
    "get_config to say what the cell is now, after an attribute was set",
    "read the attribute in get_config, as in {'rate': self.rate, ...}; or refuse to set it",
    follows=(CONFIG_IS,),
    since="1.0",
)
def config_follows_the_attributes(subject):
    cell = subject.new()
    for name, value in cell.get_config().items():
        if isinstance(value, float) and type(getattr(cell, name, None)) is float:
            other = 0.5 * value + 0.125
            try:
                setattr(cell, name, other)
                now = cell.get_config()[name]
            except (AttributeError, ValueError):  # the cell refuses, which is as good
                continue
            if now != other:
                raise Found(f"{name} = {now:g} after cell.{name} = {other:g}")


FILE = (
    "register the class with @keras.saving.register_keras_serializable(), keep what __init__ took "
    "in get_config, make every weight in build and hold it as an attribute"
)


@check(
    "keeping",
    "a model that was not trained to come back from a .keras file",
    FILE,
    follows=(CONFIG_IS,),
)
def untrained_model_reloads(subject):
    _compare_after_saving(subject, subject.classifier())


@check(
    "keeping",
    "a trained model to come back from a .keras file",
    FILE,
    follows=(CONFIG_IS, "untrained_model_reloads", "fit_trains_it"),
)
def trained_model_reloads(subject):
    _compare_after_saving(subject, subject.trained())


def _compare_after_saving(subject, model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.models.load_model(path)
    compare([numpy(again(subject.x()))], [numpy(model(subject.x()))])


@check(
    "keeping",
    "save_weights and load_weights to carry every weight to a new model",
    FILE,
    follows=("trained_model_reloads",),
)
def weights_reload(subject):
    model, other = subject.trained(), subject.classifier()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.weights.h5"
        model.save_weights(path)
        other.load_weights(path)
    compare([numpy(other(subject.x()))], [numpy(model(subject.x()))])


@check(
    "keeping",
    "copy.deepcopy to make the same cell with weights of its own",
    "a copy goes through the configuration: what repairs config_makes_the_same_cell and a "
    "registered class repair it",
    follows=(CONFIG_IS, "untrained_model_reloads"),
)
def deep_copy_is_a_second_cell(subject):
    cell = subject.built()
    twin = copy.deepcopy(cell)
    compare(loop(twin, subject.x(), flat=True), subject.looped())
    _demand_own_weights(cell, twin)


# Equivalence: one cell, many ways to run it

HIDDEN = (
    "keep in the states, and nowhere else, what one step leaves for the next: not in an attribute, "
    "not in a variable that call assigns"
)


@check("equivalence", "keras.layers.RNN, compiled, to compute what a Python loop does", HIDDEN)
def rnn_is_the_loop(subject):
    compiled = _arrays(subject.model(subject.built()).predict_on_batch(subject.x()))
    compare(compiled, subject.looped()[: len(compiled)])


@check("equivalence", "RNN(cell, unroll=True) to compute what RNN(cell) does", HIDDEN)
def unrolled_is_rolled(subject):
    compare(rnn(subject.built(), subject.x(), unroll=True), subject.ran())


@check("equivalence", "two halves, with the states carried, to be the whole sequence", HIDDEN)
def two_halves_are_the_whole(subject):
    cell, x, half = subject.built(), subject.x(), subject.steps // 2
    first, *states = rnn(cell, x[:, :half])
    second, *states = rnn(cell, x[:, half:], initial_state=states)
    compare([np.concatenate([first, second], axis=1), *states], subject.ran())


@check(
    "equivalence",
    "each row of a batch to be computed as if it were alone",
    "no operation in call may mix axis 0: no mean, norm or softmax over the batch",
)
def rows_are_independent(subject):
    cell, x = subject.built(), subject.x()
    alone = [rnn(cell, x[i : i + 1]) for i in range(BATCH)]
    together = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
    compare(together, subject.ran())


@check("equivalence", "outputs that do not depend on later steps", HIDDEN)
def no_step_sees_a_later_one(subject):
    cell, x, half = subject.built(), subject.x(), subject.steps // 2
    other = x.copy()
    other[:, half:] = normal(*other[:, half:].shape, seed=11)
    before, after = rnn(cell, x)[0], rnn(cell, other)[0]
    compare([after[:, :half]], [before[:, :half]])


@check("equivalence", "go_backwards=True to be the same as turning the inputs round", HIDDEN)
def backwards_is_flipped(subject):
    x = subject.x()
    flipped = np.flip(x, axis=1).copy()
    compare(rnn(subject.built(), x, go_backwards=True), rnn(subject.built(), flipped))


@check(
    "equivalence",
    "RNN([cell, cell]) to be two RNN layers, one after the other",
    "build the weights for input_shape[-1] features, whatever it is, and return a list of states; "
    "for a cell that by nature reads another width than it puts out, say so in "
    "expected_failed_checks",
    follows=("states_come_in_a_list",),
)
def stacked_is_one_after_another(subject):
    if len(subject.step_shape) > 1:
        raise SkipTest("the outputs have one axis, and the steps of these inputs have more")
    first, second = subject.built(), subject.new()
    stacked = rnn(keras.layers.StackedRNNCells([first, second]), subject.x())[0]
    compare([stacked], [rnn(second, rnn(first, subject.x())[0])[0]])


@check(
    "equivalence",
    "Bidirectional(RNN(cell)) to be a forward and a backward RNN side by side",
    "it makes two copies from get_config: register the class, take **kwargs in __init__ and "
    "return every argument from get_config",
    follows=(CONFIG_IS, "untrained_model_reloads"),
)
def bidirectional_is_both_ways(subject):
    layer = keras.layers.Bidirectional(keras.layers.RNN(subject.new(), return_sequences=True))
    x = subject.x()
    layer.build(x.shape)
    for half in (layer.forward_layer, layer.backward_layer):
        subject.set_weights(half.cell)
    forward = subject.ran()[0]
    backward = rnn(subject.built(), np.flip(x, axis=1).copy())[0]
    expected = np.concatenate([forward, np.flip(backward, axis=1)], axis=-1)
    compare([numpy(layer(x, training=False))], [expected])


@check(
    "equivalence",
    "ParallelRNN to compute what keras.layers.RNN computes",
    "all_coefficients(sequences) returns, for every step, what coefficients returns for it alone",
    follows=("rows_are_independent",),
    since="1.0",
    only_for=DiagonalRNNCell,
)
def parallel_is_the_loop(subject):
    layer = ParallelRNN(subject.built(), return_sequences=True, return_state=True)
    got = layer(keras.ops.convert_to_tensor(subject.x()), training=False)
    compare(_arrays(got), subject.ran())


# Masks: at a masked step the states stay, and so does the output


LISTED = ("states_come_in_a_list",)


def _check_mask(subject, mask, outputs=False, **options):
    """RNN under a mask beside a loop that applies it by hand; the states, or the outputs."""
    _skip_what_keras_gets_wrong(subject, outputs)
    mask = np.array(mask, bool)
    got, expected = subject.ran(mask, **options), subject.looped(mask)
    if "zero_output_for_mask" in options:
        expected[0] = expected[0] * mask.reshape(*mask.shape, *[1] * (expected[0].ndim - 2))
    compare(got[:1] if outputs else got[1:], expected[:1] if outputs else expected[1:])


def _skip_what_keras_gets_wrong(subject, outputs):
    if BACKEND != "jax":
        return
    output, states = subject.one_step()
    if output.shape != states[0].shape:
        raise SkipTest(
            "Keras on JAX raises under a mask where output and first state differ in width"
        )
    if any(len(state.shape) != len(output.shape) for state in states):
        raise SkipTest("Keras on JAX raises under a mask where a state has more axes")
    if outputs and not np.array_equal(numpy(output), numpy(states[0])):
        raise SkipTest("Keras on JAX takes the first state for the output at masked steps")


def _masks(subject):
    """A mask of each kind, (batch, steps); 0 is masked. The third row is always whole."""
    whole, steps = [1] * subject.steps, subject.steps
    return {
        "right": [[1] * (steps - 2) + [0] * 2, [1] + [0] * (steps - 1), whole],
        "left": [[0] * 2 + [1] * (steps - 2), [0] * (steps - 1) + [1], whole],
        "holes": [[1, 0] * (steps // 2) + [1] * (steps % 2), [1, 1, 0] + [1] * (steps - 3), whole],
        "first": [[0] + [1] * (steps - 1), whole, whole],
        "all": [[0] * steps] * 2 + [whole],
    }


@check(
    "masks",
    "padding on the right, masked, to leave the states as they were",
    HIDDEN,
    follows=LISTED,
)
def mask_on_the_right(subject):
    _check_mask(subject, _masks(subject)["right"])


@check(
    "masks",
    "padding on the left, masked, to leave the first states as they were",
    HIDDEN,
    follows=LISTED,
)
def mask_on_the_left(subject):
    _check_mask(subject, _masks(subject)["left"])


@check(
    "masks", "masked steps in the middle to leave the states as they were", HIDDEN, follows=LISTED
)
def mask_with_holes(subject):
    _check_mask(subject, _masks(subject)["holes"])


@check(
    "masks", "a masked first step to leave the first states as they were", HIDDEN, follows=LISTED
)
def mask_on_the_first_step(subject):
    _check_mask(subject, _masks(subject)["first"])


@check("masks", "a row that is masked whole to end in its first states", HIDDEN, follows=LISTED)
def mask_everywhere(subject):
    _check_mask(subject, _masks(subject)["all"])


@check("masks", "the output at a masked step to be the output before it", HIDDEN, follows=LISTED)
def masked_output_is_held(subject):
    _check_mask(subject, _masks(subject)["holes"], outputs=True)


@check(
    "masks",
    "zeros as output at masked steps with zero_output_for_mask=True",
    HIDDEN,
    follows=LISTED,
)
def masked_output_is_zero(subject):
    _check_mask(subject, _masks(subject)["holes"], outputs=True, zero_output_for_mask=True)


# Numbers


DTYPE = (
    "make constants in self.compute_dtype, or from what is there, as in ops.zeros_like(h), and "
    "layers inside the cell with dtype=self.dtype_policy"
)


def _built_in(subject, dtype):
    """A cell of another dtype; where it cannot be built, the dtype is the cause."""
    try:
        return subject.built(dtype)
    except (SkipTest, Found):
        raise
    except Exception as error:
        raise Found(gist(error.__cause__ or error)) from error


@check("numbers", "the same numbers, in float64, from a cell of dtype float64", DTYPE)
def float64_is_float64(subject):
    if BACKEND != "tensorflow":
        raise SkipTest("Keras computes float64 in float32 on JAX and PyTorch")
    cell = _built_in(subject, "float64")
    result = step(cell, subject.x()[:, 0], subject.states())
    _demand_dtype(result, "float64")
    compare(loop(cell, subject.x(), flat=True), subject.looped(), 1e-4)


FLOAT64 = CHECKS[-1]


@check("numbers", "bfloat16 steps on float32 weights from a cell of dtype mixed_bfloat16", DTYPE)
def mixed_precision_computes_in_half(subject):
    cell = _built_in(subject, "mixed_bfloat16")
    result = rnn(cell, subject.x(), convert=False)
    _demand_dtype((result[0], result[1:]), "bfloat16")
    wide = {w.dtype for w in float_weights(cell)} - {"float32"}
    if wide:
        raise Found(f"weights in {', '.join(sorted(wide))}")
    compare(_arrays(result), subject.ran(), 0.1)


HALF = CHECKS[-1]


@check(
    "numbers",
    "the gradients of automatic differentiation to be those of finite differences",
    "look for stop_gradient, rounding, a cast to a narrower type, or a hand-written derivative in "
    "call",
    follows=("call_adds_no_loss", "zeros_stay_finite"),
)
def gradients_are_right(subject):
    single = "float32", 1e-3, 2e-2
    if BACKEND != "tensorflow" or not subject.can_be("float64") or not subject.passes(FLOAT64):
        wrong = _wrong_slope(subject, *single)
    elif wrong := _wrong_slope(subject, "float64", 1e-6, 1e-5):
        # Where parts of a cell compute in float32 all the same, so small a step is only noise.
        wrong = _wrong_slope(subject, *single) and wrong
    if wrong:
        raise Found(wrong)


def _wrong_slope(subject, dtype, size, tolerance):
    """The first slope that differs from its differences, or None."""
    cell = subject.built(dtype)
    loss, derivatives, names = gradients(cell, subject.x(), subject.states())
    for i, (derivative, name) in enumerate(zip(derivatives, names, strict=True)):
        slopes = []
        for seed in range(5):  # a step may cross the kink of a ReLU: one in five is enough
            direction = normal(*derivative.shape, seed=20 + 50 * seed + i)
            slope = (loss(i, size * direction) - loss(i, -size * direction)) / (2 * size)
            slopes.append((came := float(np.sum(derivative * direction)), slope))
            if abs(came - slope) <= tolerance * max(1, abs(slope)):
                break
        else:
            came, slope = slopes[0]
            return f"a slope of {came:.4g} along {name} where differences give {slope:.4g}"
    return None


@check(
    "numbers",
    "finite outputs in float16, for inputs of zero and of 12, from a cell of dtype mixed_float16",
    "float16 ends at 65504, and its smallest number is 6e-8, so that 1e-8 is zero there: a small "
    "number under a root or a fraction of at least 1e-3, no constant of -1e9, an exponential only "
    "of what is bounded",
    follows=("zeros_stay_finite",),
    since="1.0",
)
def half_precision_stays_finite(subject):
    x = subject.x()
    for inputs, size in ((0 * x, "zero"), (x, "size 1"), (12 * np.sign(x), "size 12")):
        for what, array in _named(_looped_in_half(subject, inputs)):
            if not np.all(np.isfinite(array)):
                raise Found(f"an infinity or a nan in {what} for inputs of {size}")


def _looped_in_half(subject, inputs):
    """An error is told by mixed_precision_computes_in_half, where bfloat16 has it too."""
    try:
        cell = subject.new("mixed_float16")
        subject._build(cell)
        return loop(cell, inputs)
    except Exception:
        if subject.passes(HALF):
            raise
        raise NotReached(HALF) from None


@check(
    "numbers",
    "integers as inputs to give what the same numbers give as floats, or an error",
    "cast them, as in ops.cast(inputs, self.compute_dtype), and take no dtype from the inputs",
    since="1.0",
)
def integers_are_numbers(subject):
    whole = np.random.default_rng(3).integers(2, 5, subject.x().shape).astype("int32")
    expected = rnn(subject.built(), whole.astype("float32"))
    try:
        got = rnn(subject.built(), whole)
    except Exception as error:
        raise SkipTest(f"the cell takes no integers: {gist(error)}") from error
    compare(got, expected)


@check(
    "numbers",
    "gradients that do not depend on what stands in masked steps",
    "the step is computed there too and then thrown away, and 0 times nan is nan: keep call "
    "finite for inputs of zero and of one (a division, a logarithm, a root)",
    follows=(*LISTED, "zeros_stay_finite", "rows_are_independent", "gradients_are_right"),
)
def masked_steps_give_no_gradient(subject):
    _skip_what_keras_gets_wrong(subject, outputs=True)
    mask = np.array(_masks(subject)["right"], bool)
    x = subject.x()
    kept = mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
    zeros, ones = (np.where(kept, x, np.float32(pad)) for pad in (0, 1))
    _, got, names = gradients(subject.built(), zeros, subject.states(), mask)
    _, expected, _ = gradients(subject.built(), ones, subject.states(), mask)
    compare(got, expected, names=[f"the gradient for {name}" for name in names])


@check(
    "numbers",
    "the same numbers from jit_compile=True",
    "XLA needs every shape beforehand: no boolean indexing, no ops.nonzero, no NumPy, no Python "
    "if on a tensor",
)
def xla_computes_the_same(subject):
    if BACKEND == "torch":
        raise SkipTest("jit_compile on PyTorch needs a C++ tool chain")
    model = subject.model(subject.built())
    model.compile(jit_compile=True)
    compiled = _arrays(model.predict_on_batch(subject.x()))
    compare(compiled, subject.ran()[: len(compiled)])


@check(
    "numbers",
    "finite outputs and states over 1000 steps with the initial weights",
    "initialize the recurrent weights as orthogonal, or bound the state by an activation or a gate",
)
def long_sequences_stay_finite(subject):
    x = normal(1, 1000, *subject.step_shape)
    result = subject.model(subject.new(), steps=1000).predict_on_batch(x)
    for what, array in _named((result[0], list(result[1:]))):
        if not np.all(np.isfinite(numpy(array))):
            raise Found(f"an infinity or a nan in {what}")


# State: carried, reset, given, learned


@check("state", "stateful=True to go on where the call before ended", HIDDEN)
def stateful_goes_on(subject):
    x, half = subject.x(), subject.steps // 2
    layer = subject.stateful(half)
    parts = [numpy(layer(part)) for part in (x[:, :half], x[:, half : 2 * half])]
    whole = rnn(subject.built(), x[:, : 2 * half])[0]
    compare([np.concatenate(parts, axis=1)], [whole])


@check("state", "reset_state() to make a stateful layer begin again", HIDDEN)
def reset_begins_again(subject):
    if any(np.any(numpy(s)) for s in subject.first_states(BATCH)):
        raise SkipTest("Keras's reset_state goes to zeros and not to get_initial_state")
    layer, x = subject.stateful(subject.steps), subject.x()
    first = numpy(layer(x))
    layer.reset_state()
    compare([numpy(layer(x))], [first])


@check("state", "initial_state to be where RNN begins", HIDDEN)
def given_first_state_is_used(subject):
    x, states = subject.x(), subject.states()
    got = rnn(subject.built(), x, initial_state=states)
    compare(got, loop(subject.built(), x, states, flat=True))


@check(
    "state",
    "a gradient for a first state, so that it can be learned",
    "nothing in call may interrupt the gradient: no stop_gradient, no rounding, no cast to int",
    follows=("gradients_are_right", "every_state_matters"),
)
def first_state_gets_a_gradient(subject):
    states = subject.states()
    _, derivatives, _ = gradients(subject.built(), subject.x(), states)
    if not any(np.any(derivative) for derivative in derivatives[1 : 1 + len(states)]):
        raise Found("none, for no state")


def _named(result):
    """(name, tensor) for the output and each state of a step."""
    output, states = result
    states = keras.tree.flatten(states)
    return [("the output", output), *((_state(i, states), s) for i, s in enumerate(states))]


def _state(i, states):
    return f"state {i}" if len(states) > 1 else "the state"


def _arrays(result):
    return [numpy(tensor) for tensor in keras.tree.flatten(result)]


def _demand_dtype(result, dtype):
    for what, tensor in _named(result):
        if dtype_of(tensor) != dtype:
            raise Found(f"{dtype_of(tensor)} for {what}")
