"""ParallelRNN against keras.layers.RNN: programs drawn at random, run with both and compared.

``make fuzz`` searches until its time is up, and shrinks and prints the program that it finds.
"""

import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass, fields, replace

import conftest  # noqa: F401, sets the environment before Keras is imported

# isort: split
import hypothesis
import keras
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st
from keras import ops
from oracle import random

from rnncells import DiagonalRNNCell, MinGRUCell, ParallelRNN

# Cells. Those of the first group can go all at once, those of the second need the loop.


class Number(DiagonalRNNCell):
    def coefficients(self, inputs):
        return 0.9, self.affine(inputs)


class EachUnit(DiagonalRNNCell):
    def build(self, input_shape):
        super().build(input_shape)
        self.decay = self.add_weight(name="decay", shape=(self.units,))

    def coefficients(self, inputs):
        return ops.sigmoid(self.decay), ops.tanh(self.affine(inputs))


class Elapsed(DiagonalRNNCell):
    def coefficients(self, inputs):
        return ops.exp(-ops.abs(ops.cast(inputs[:, :1], self.compute_dtype))), self.affine(inputs)


class Softmax(DiagonalRNNCell):
    num_gates = 2

    def coefficients(self, inputs):
        a, b = ops.split(self.affine(inputs), 2, axis=1)
        return ops.softmax(a, axis=1), b


class OneRow(DiagonalRNNCell):
    """b has a batch of one."""

    def coefficients(self, inputs):
        return ops.tanh(self.affine(inputs)), ops.sum(self.kernel, axis=0, keepdims=True)


class Growing(DiagonalRNNCell):
    def coefficients(self, inputs):
        b = self.affine(inputs)
        return -1.5 * ops.sigmoid(b), b


class InTraining(DiagonalRNNCell):
    def coefficients(self, inputs, training=False):
        return 0.9 if training else 0.5, self.affine(inputs)


class Leaky(DiagonalRNNCell):
    leak = 0.5  # changed after the first call

    def coefficients(self, inputs):
        return self.leak, self.affine(inputs)


class Frozen(MinGRUCell):
    frozen = ("kernel",)


class Layers(DiagonalRNNCell):
    """A dense layer and a normalization of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.dense = keras.layers.Dense(units, "sigmoid", dtype=self.dtype_policy)
        self.norm = keras.layers.LayerNormalization(dtype=self.dtype_policy)

    def build(self, input_shape):
        super().build(input_shape)
        self.dense.build(input_shape)
        self.norm.build((input_shape[0], self.units))

    def coefficients(self, inputs):
        return self.dense(inputs), self.norm(self.affine(inputs))


class Dropping(DiagonalRNNCell):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.drop = keras.layers.Dropout(0.5, seed=3, dtype=self.dtype_policy)

    def coefficients(self, inputs, training=False):
        return 0.5, self.drop(self.affine(inputs), training=training)


class DroppingUntold(Dropping):
    def coefficients(self, inputs):
        return 0.5, self.drop(self.affine(inputs))


class Penalised(DiagonalRNNCell):
    def coefficients(self, inputs):
        b = self.affine(inputs)
        self.add_loss(ops.mean(b**2))
        return 0.5, b


class PenalisedLater(Leaky):
    def coefficients(self, inputs):
        b = self.affine(inputs)
        if self.leak > 0.5:
            self.add_loss(ops.mean(b**2))
        return self.leak, b


class Counting(DiagonalRNNCell):
    def build(self, input_shape):
        super().build(input_shape)
        options = {"shape": (), "initializer": "zeros", "trainable": False}
        self.count = self.add_weight(name="count", **options)

    def coefficients(self, inputs):
        self.count.assign_add(1.0)
        return 0.5, self.affine(inputs)


class Measured(DiagonalRNNCell):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.mean = keras.metrics.Mean(dtype="float32")

    def coefficients(self, inputs):
        b = self.affine(inputs)
        self.mean.update_state(b)
        return 0.5, b


class BatchNormalized(DiagonalRNNCell):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.norm = keras.layers.BatchNormalization(dtype=self.dtype_policy)

    def build(self, input_shape):
        super().build(input_shape)
        self.norm.build((input_shape[0], self.units))

    def coefficients(self, inputs, training=False):
        return 0.5, self.norm(self.affine(inputs), training=training)


class Centred(DiagonalRNNCell):
    def coefficients(self, inputs):
        b = self.affine(inputs)
        return 0.5, b - ops.mean(b, axis=0, keepdims=True)


class CentredInTraining(DiagonalRNNCell):
    def coefficients(self, inputs, training=False):
        b = self.affine(inputs)
        return 0.5, b - ops.mean(b, axis=0, keepdims=True) if training else b


class ByBatchSize(DiagonalRNNCell):
    def coefficients(self, inputs):
        b = self.affine(inputs)
        return 0.5, b / ops.cast(ops.shape(b)[0], b.dtype)


class Noisy(DiagonalRNNCell):
    """The same noise at every step."""

    def coefficients(self, inputs):
        b = self.affine(inputs)
        return 0.5, b + keras.random.normal(ops.shape(b), dtype=b.dtype, seed=5)


class Drawing(DiagonalRNNCell):
    def coefficients(self, inputs):
        b = self.affine(inputs)
        return 0.5, b + keras.random.normal(ops.shape(b), dtype=b.dtype)


AT_ONCE = [MinGRUCell, Number, EachUnit, Elapsed, Softmax, OneRow, Growing, InTraining, Leaky]
AT_ONCE += [Frozen, Layers]
BY_STEP = [Dropping, DroppingUntold, Penalised, PenalisedLater, Counting, Measured, Centred]
BY_STEP += [BatchNormalized, CentredInTraining, ByBatchSize, Noisy, Drawing]
CELLS = {cls.__name__: cls for cls in AT_ONCE + BY_STEP}
TOLERANCE = {"float64": 1e-10, "float32": 2e-5, "float16": 0.03, "bfloat16": 0.2}


# Programs


@dataclass(frozen=True)
class Program:
    """What is run with each layer. Its repr is an expression that makes it again."""

    cell: str = "MinGRUCell"
    batch: int = 2
    steps: int = 3
    features: int = 2
    units: int = 2
    inputs: str = "float32"
    layer_dtype: str = "float32"
    cell_dtype: str = "float32"
    cell_options: tuple = ()
    layer_options: tuple = ()
    mask: str = "none"
    state: str = "none"
    training: bool = False
    derivative: str = "none"
    surroundings: str = "eager"
    length_known: bool = True

    def __repr__(self):
        given = ((f.name, getattr(self, f.name), f.default) for f in fields(self))
        return f"Program({', '.join(f'{k}={v!r}' for k, v, default in given if v != default)})"

    def layer(self, rnn):
        keras.utils.set_random_seed(0)
        cell = CELLS[self.cell](self.units, dtype=self.cell_dtype, **dict(self.cell_options))
        layer = rnn(cell, dtype=self.layer_dtype, **dict(self.layer_options), name="layer")
        layer.build((self.batch, self.steps, self.features))
        for i, w in enumerate(layer.trainable_variables):
            w.assign(0.6 * random(*w.shape, seed=i))
        return layer

    def sequences(self):
        x = 1.5 * random(self.batch, self.steps, self.features)
        return (x > 0 if self.inputs == "bool" else abs(x)).astype(self.inputs)

    def masked(self):
        mask = random(self.batch, self.steps, seed=7) > -0.3
        if self.mask == "all":
            mask[:] = False
        return {"three axes": mask[..., None], "one row": mask[:1]}.get(self.mask, mask)

    def states(self):
        shapes = {"wide": (self.batch, self.units + 1), "row": (1, self.units)}
        shapes["batch"] = (self.batch + 2, self.units)
        h = random(*shapes.get(self.state, (self.batch, self.units)), seed=9).astype("float32")
        made = {"variable": tf.Variable, "Keras variable": keras.Variable}
        return [made.get(self.state, tf.constant)(h)] * (2 if self.state == "two" else 1)


LAYER_OPTIONS = ["return_sequences", "return_state", "go_backwards", "stateful", "unroll"]
LAYER_OPTIONS += ["zero_output_for_mask"]
CELL_OPTIONS = [
    ("use_bias", False),
    ("dropout", 0.5),
    ("kernel_regularizer", "l2"),
    ("kernel_constraint", "non_neg"),
    ("activity_regularizer", "l2"),
    ("trainable", False),
]


def mostly(usual, *others):
    """The usual value in half of the draws."""
    return st.one_of(st.just(usual), st.sampled_from(others))


@st.composite
def programs(draw, surroundings):
    """Programs that keras.layers.RNN can run, and some that it refuses."""
    dtype = draw(mostly("float32", "float64", "float16", "bfloat16", "mixed_float16"))
    chosen = {
        "cell": draw(st.sampled_from(list(CELLS))),
        "batch": draw(st.integers(1, 3)),
        "steps": draw(st.integers(1, 7)),
        "features": draw(st.integers(1, 3)),
        "units": draw(st.integers(1, 3)),
        "inputs": draw(mostly("float32", "float64", "float16", "int32", "uint8", "bool")),
        "layer_dtype": dtype,
        "cell_dtype": draw(st.one_of(st.just(dtype), mostly(dtype, "float32", "mixed_bfloat16"))),
        "mask": draw(mostly("none", "two axes", "three axes", "one row", "all")),
        "state": draw(
            mostly("none", "given", "bare", "variable", "Keras variable", "row", "wide", "two")
            | st.just("batch")
        ),
        "training": draw(st.booleans()),
        "derivative": draw(mostly("gradient", "none", "two tapes", "forward", "jacobian")),
        "surroundings": draw(st.sampled_from(surroundings)),
        "length_known": draw(mostly(True, False)),
    }
    options = draw(st.lists(st.sampled_from(LAYER_OPTIONS), unique=True, max_size=4))
    chosen["layer_options"] = tuple((name, True) for name in options)
    options = draw(mostly((), *((option,) for option in CELL_OPTIONS)))
    chosen["cell_options"] = tuple(
        option + ((("seed", 4),) if option[0] == "dropout" else ()) for option in options
    )
    return Program(**chosen)


# Running one


def run(program, rnn):
    """Everything that can be seen of a program, by name, as arrays; or the exception."""
    try:
        layer = program.layer(rnn)
        kind = program.surroundings
        seen = as_model(program, layer) if kind in MODELS else as_layer(program, layer)
        return {k: ops.convert_to_numpy(ops.cast(v, "float64")) for k, v in seen.items()}
    except Exception as error:
        return error


def as_layer(program, layer):
    x, states = tf.constant(program.sequences()), program.states()
    inputs = {} if program.mask == "none" else {"mask": program.masked()}
    if program.state != "none":
        inputs["initial_state"] = states[0] if program.state == "bare" else states
    state = states[0].value if program.state == "Keras variable" else states[0]

    def call(x):
        return derived(program, layer, x, state, inputs)

    if program.surroundings != "eager":
        spec = tf.TensorSpec((None, None, program.features), x.dtype)
        signature = None if program.length_known else [spec]
        jit = program.surroundings == "jit_compile"
        call = tf.function(call, input_signature=signature, jit_compile=jit)
    seen = {f"first {k}": v for k, v in call(x).items()}
    if hasattr(layer.cell, "leak"):
        layer.cell.leak = 0.9
    if program.surroundings == "eager":
        seen |= {f"second {k}": v for k, v in call(x).items()}
    return seen | variables_of(layer)


def variables_of(layer):
    return {f"variable {i} {v.name}": v for i, v in enumerate(layer.variables)}


def derived(program, layer, x, state, inputs):
    """Results, losses and derivatives of one call."""
    sources = [s for s in [x, state, *(w.value for w in layer.trainable_variables)]]
    sources = [s for s in sources if s.dtype.is_floating]

    def results():
        seen = layer(x, training=program.training, **inputs)
        seen = {f"result {i}": r for i, r in enumerate(keras.tree.flatten(seen))}
        return seen | {f"loss {i}": loss for i, loss in enumerate(layer.losses)}

    def total(seen):
        parts = (ops.cast(r, "float32") for r in seen.values())
        return sum(tf.reduce_sum(tf.sin(r + i)) for i, r in enumerate(parts))

    if program.derivative == "forward":
        primals = [s for s in sources[:1] if s.dtype.is_floating]
        with tf.autodiff.ForwardAccumulator(primals, [tf.ones_like(s) for s in primals]) as forward:
            seen = results()
            sum_ = total(seen)
        return seen | {"forward": forward.jvp(sum_, unconnected_gradients="zero")}
    persistent = program.derivative == "two tapes"
    with tf.GradientTape() as outer, tf.GradientTape(persistent=persistent) as inner:
        outer.watch(sources)
        inner.watch(sources)
        seen = results()
        sum_ = total(seen)
        if program.derivative == "two tapes":
            gradients = inner.gradient(sum_, sources, unconnected_gradients="zero")
            squares = sum(tf.reduce_sum(tf.cast(g, "float32") ** 2) for g in gradients)
    if program.derivative == "gradient":
        gradients = inner.gradient(sum_, sources, unconnected_gradients="zero")
    elif program.derivative == "jacobian":
        vector, last = tf.reshape(seen["result 0"], (-1,)), sources[:1] + sources[-1:]
        options = {"unconnected_gradients": "zero", "experimental_use_pfor": False}
        gradients = inner.jacobian(vector, last, **options)
    elif program.derivative == "two tapes":
        gradients += outer.gradient(squares, sources, unconnected_gradients="zero")
    else:
        gradients = []
    return seen | {f"gradient {i}": g for i, g in enumerate(gradients)}


MODELS = ["train", "train, jit_compile", "predict", "export"]


def as_model(program, layer):
    """Inside a model: trained twice, then used for prediction or exported."""
    layer.return_state = False
    x, before = program.sequences(), []
    if program.mask != "none":
        before = [keras.layers.Masking(dtype=program.layer_dtype)]
        x = np.where(random(program.batch, program.steps, 1, seed=7) > -0.3, x, np.zeros_like(x))
    steps = program.steps if program.length_known else None
    shape = (program.batch, steps, program.features)
    inputs = keras.Input(batch_shape=shape, dtype=program.inputs)
    model = keras.Sequential([inputs, *before, layer])
    if program.surroundings == "predict":
        return {"prediction": model.predict_on_batch(x)} | variables_of(layer)
    if program.surroundings == "export":
        return {"export": exported(model).serve(x)}
    jit = program.surroundings.endswith("jit_compile")
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit)
    y = np.ones(model.compute_output_shape(x.shape), "float32")
    losses = {f"loss {i}": model.train_on_batch(x, y) for i in range(2)}
    return losses | variables_of(layer)


def exported(model):
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        return tf.saved_model.load(folder)


# Comparing


def difference(program):
    """One line on how the layers differ, or None."""
    ours, plain = (run(program, rnn) for rnn in (ParallelRNN, keras.layers.RNN))
    if isinstance(ours, Exception) and isinstance(plain, Exception):
        return difference_of_errors(ours, plain)
    if isinstance(plain, Exception) and program.surroundings != "eager":
        plain = not_compiled(program)  # compiled, the loop refuses more than ParallelRNN does
    if isinstance(plain, Exception):
        return f"ParallelRNN computes where keras.layers.RNN raises {plain!r}"
    if isinstance(ours, Exception):
        return f"ParallelRNN raises {ours!r}, keras.layers.RNN does not"
    if ours.keys() != plain.keys():
        return f"ParallelRNN has {sorted(ours)}, keras.layers.RNN {sorted(plain)}"
    dtypes = {keras.DTypePolicy(d).compute_dtype for d in (program.layer_dtype, program.cell_dtype)}
    tolerance = max(TOLERANCE[d] for d in dtypes)
    found = (difference_of(name, ours[name], plain[name], tolerance) for name in plain)
    return next(filter(None, found), None)


def not_compiled(program):
    """What keras.layers.RNN computes step by step, where it can do nothing else."""
    exported = program.surroundings == "export"
    tf.config.run_functions_eagerly(True)
    try:
        kind = "predict" if exported else program.surroundings.removesuffix(", jit_compile")
        seen = run(replace(program, surroundings=kind), keras.layers.RNN)
    finally:
        tf.config.run_functions_eagerly(False)
    return {"export": seen["prediction"]} if exported and isinstance(seen, dict) else seen


def difference_of(name, got, expected, tolerance):
    if got.shape != expected.shape:
        return f"{name}: shape {got.shape}, expected {expected.shape}"
    if not np.array_equal(np.isfinite(got), np.isfinite(expected)):
        return f"{name}: {got.tolist()}, expected {expected.tolist()}"
    apart = np.max(np.abs(got - expected), initial=0, where=np.isfinite(expected))
    scale = max(1, np.max(np.abs(expected), initial=0, where=np.isfinite(expected)))
    return f"{name}: {apart:.1e} apart" if apart > tolerance * scale else None


def difference_of_errors(ours, plain):
    """None where both say the same, or ours says one sentence of the package."""
    same = type(ours) is type(plain) and gist(ours) == gist(plain)
    sentence = isinstance(ours, ValueError) and ": expected " in str(ours)
    return None if same or sentence else f"raises {ours!r}, and keras.layers.RNN {plain!r}"


def gist(error):
    """The end of the message, without the numbers by which Keras and TensorFlow count names."""
    lines = str(error).split("\n\nArguments received by")[0].strip().splitlines()
    return re.sub(r"_?\d+", "", lines[-1] if lines else "")[:40]


def search(examples, surroundings, **options):
    """Raises AssertionError with the smallest program found that tells the layers apart."""

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        **options,
    )
    @hypothesis.given(programs(surroundings))
    def try_one(program):
        found = difference(program)
        assert found is None, f"{found}\n\nRun it again, from tests/:\n{lines_for(program)}"

    try_one()


def lines_for(program):
    return f"    from differential import *\n    print(difference({program!r}))"


EVERYWHERE = ["eager", "eager", "eager", "function", "jit_compile", *MODELS]


def main(seconds):
    end, rounds = time.time() + seconds, 0
    while time.time() < end:
        rounds += 1
        search(50, EVERYWHERE, database=None)
        keras.backend.clear_session()
        print(f"{50 * rounds} programs, no difference", flush=True)


if __name__ == "__main__":
    sys.exit(main(float(os.environ.get("TIME") or 600)))
