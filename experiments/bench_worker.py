"""The benchmark's programs, and the process that times those of one back end.

``bench.py`` starts one for each back end, since KERAS_BACKEND can be only one in a process and two
back ends would fight over the cores. It sends requests down a pipe and reads the answers. The
process has the environment that ``bench.py`` writes for it and nothing else, and says what of it
changes how the libraries compute.

A program is made for a task and is then a function without arguments: one training step (the last
output, and the gradients of its mean square by every weight) or the last output alone. It has ended
when it returns. All programs of a task have the same weights and read the same sequences.
"""

import dataclasses
import functools
import gc
import os
import pickle
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

import rnncells
from experiments.machine import machine
from rnncells.book.timings import VARIABLES

BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":
    import tensorflow as tf

    from experiments import by_hand
elif BACKEND == "jax":
    import jax
else:
    import torch

    if torch.cuda.is_available():
        torch.set_default_device("cuda")

TORCH = "torch.nn's layer"
BLOCK = 0.025  # seconds that a block of calls lasts, or one call where it is longer
FIT_STEPS = 64
KERAS = {"simple": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
OURS = {"simple": rnncells.SimpleRNNCell, "lstm": rnncells.LSTMCell, "gru": rnncells.GRUCell}


@dataclasses.dataclass(frozen=True)
class Task:
    """What is computed, whatever the program."""

    what: str  # step; fit, of a whole model; memory, of a step
    mode: str  # training or inference
    cell: str  # simple, lstm or gru
    steps: int
    features: int
    units: int
    batch: int

    def __str__(self):
        kind = {"step": self.mode, "fit": "fit", "memory": "memory"}[self.what]
        size = f"{self.steps} × {self.features}, {self.units} units, batch {self.batch}"
        return f"{self.cell}, {size}, {kind}"


def sequences(task, count=None):
    shape = (count or task.batch, task.steps, task.features)
    return np.random.default_rng(0).uniform(size=shape).astype("float32")


def random_weights(task, shapes):
    """Never zeros: a bias of zero hides mistakes."""
    random, limit = np.random.default_rng(1), task.units**-0.5
    return [random.uniform(-limit, limit, shape).astype("float32") for shape in shapes]


# Layers.


def keras_layer(task):
    return getattr(keras.layers, KERAS[task.cell])(task.units)


def loop_over_keras_cell(task):
    return keras.layers.RNN(getattr(keras.layers, f"{KERAS[task.cell]}Cell")(task.units))


def loop(task, **options):
    return keras.layers.RNN(OURS[task.cell](task.units), **options)


def min_gru_loop(task):
    return keras.layers.RNN(rnncells.MinGRUCell(task.units))


def min_gru_in_parallel(task):
    return rnncells.ParallelRNN(rnncells.MinGRUCell(task.units))


class Several(keras.layers.Layer):
    """A cell that takes several steps in one turn of the loop."""

    def __init__(self, cell, count):
        super().__init__()
        self.cell, self.count, self.state_size = cell, count, cell.state_size

    def build(self, shape):
        self.cell.build((shape[0], shape[1] // self.count))

    def call(self, inputs, states):
        for x_t in ops.split(inputs, self.count, axis=-1):
            output, states = self.cell(x_t, states)
        return output, states


class SeveralSteps(keras.layers.Layer):
    """RNN(our cell), whose loop has fewer turns, of several steps each."""

    def __init__(self, cell, count):
        super().__init__()
        self.count, self.loop = count, keras.layers.RNN(Several(cell, count))

    def build(self, shape):
        self.loop.build((shape[0], shape[1] // self.count, shape[2] * self.count))

    def call(self, inputs):
        batch, steps, features = inputs.shape
        return self.loop(ops.reshape(inputs, (batch, steps // self.count, features * self.count)))


def several_steps(task):
    return SeveralSteps(OURS[task.cell](task.units), 4)


class Rest(keras.layers.Layer):
    """What is left of a cell's step when x W is there already."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.state_size = cell, cell.state_size

    def build(self, shape):
        pass

    def call(self, inputs, states):
        return self.cell.call(inputs, list(states))


class ProjectedFirst(keras.layers.Layer):
    """RNN(our cell), with x W + b for all steps before the loop."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.loop = cell, keras.layers.RNN(Rest(cell))

    def build(self, shape):
        cell = self.cell
        cell.build((shape[0], shape[2]))
        cell.affine = lambda projected, h: projected + ops.matmul(h, cell.recurrent_kernel)
        self.loop.build((*shape[:2], self.cell.kernel.shape[1]))

    def call(self, inputs):
        return self.loop(ops.matmul(inputs, self.cell.kernel) + self.cell.bias)


def projected_first(task):
    return ProjectedFirst(OURS[task.cell](task.units))


def built(layer, task):
    layer.build((task.batch, task.steps, task.features))
    layer.set_weights(random_weights(task, [weight.shape for weight in layer.weights]))
    return layer


# Programs on TensorFlow.


def differentiated(forward, layer, task):
    """A training step from a function that gives the last output."""

    def training(x):
        weights = [weight.value for weight in layer.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            output = forward(x)
            loss = tf.reduce_mean(output**2)
        return [output, *tape.gradient(loss, weights)]

    return training if task.mode == "training" else lambda x: [forward(x)]


def fetched(function, *arguments):
    def step():
        result = function(*arguments)
        result[0].numpy()
        return result

    return step


def in_a_graph(make_layer, task, jit=False, halves=False):
    layer = built(make_layer(task), task)
    step = tf.function(differentiated(layer, layer, task), jit_compile=jit)
    step = tf.function(in_two_halves(step, task)) if halves else step
    return fetched(step, tf.constant(sequences(task)))


def in_two_halves(step, task):
    """The step for each half of the batch, since XLA runs a loop on one core."""

    def both(x):
        (first, *ones), (second, *others) = map(step, tf.split(x, 2))
        means = [(a + b) / 2 for a, b in zip(ones, others, strict=True)]
        return [tf.concat([first, second], 0), *means]

    return both


def with_hand_written_backward(task, halves=False):
    layer = built(loop(task), task)

    def training(x):
        x = tf.transpose(x, [1, 0, 2])
        W, U, b = (tf.convert_to_tensor(weight.value) for weight in layer.trainable_variables)
        saved = by_hand.forward(x, W, U, b)
        h = saved[1][-1]
        d_h = 2 * h / tf.cast(tf.size(h), h.dtype)
        return [h, *by_hand.backward(x, W, U, saved, d_h)]

    step = tf.function(training, jit_compile=True, autograph=False)
    step = tf.function(in_two_halves(step, task)) if halves else step
    return fetched(step, tf.constant(sequences(task)))


def python_loop(task):
    """One call of the cell after the other, nothing compiled."""
    cell = built(loop(task), task).cell

    def forward(x):
        states = cell.get_initial_state(batch_size=task.batch)
        for step in tf.unstack(x, axis=1):
            output, states = cell(step, states)
        return output

    return fetched(differentiated(forward, cell, task), tf.constant(sequences(task)))


def checkpointed(task):
    """Keeps the states between chunks alone, and computes each chunk again on the way back."""
    layer = built(loop(task, return_state=True), task)
    length = next(n for n in range(round(task.steps**0.5), 0, -1) if task.steps % n == 0)
    chunks = tf.split(sequences(task), task.steps // length, axis=1)
    weights = [weight.value for weight in layer.trainable_variables]

    @tf.function
    def forward(x, states):
        return layer(x, initial_state=states)[1:]

    @tf.function
    def backward(x, states, d_after):
        with tf.GradientTape() as tape:
            tape.watch(states)
            after = layer(x, initial_state=states)[1:]
        return tape.gradient(after, [states, weights], output_gradients=d_after)

    def training():
        starts = [layer.cell.get_initial_state(batch_size=task.batch)]
        for chunk in chunks:
            starts.append(list(forward(chunk, starts[-1])))
        h, *others = starts.pop()
        d_states = [2 / tf.size(h, tf.float32) * h, *map(tf.zeros_like, others)]
        total = [tf.zeros_like(weight) for weight in weights]
        for chunk, start in zip(reversed(chunks), reversed(starts), strict=True):
            d_states, d_weights = backward(chunk, start, d_states)
            total = [a + b for a, b in zip(total, d_weights, strict=True)]
        return [h, *total]

    return fetched(training)


def products_alone(task):
    """The matrix products that no program can do without; in a loop only those that have to wait.

    Cut or repeated, the result of one has the size that the next needs. The numbers mean nothing.
    """
    gates = {"simple": 1, "lstm": 4, "gru": 3}[task.cell]
    rows, columns = task.batch * task.steps, gates * task.units
    shapes = [(task.features, columns), (task.units, columns), (task.batch, task.units)]
    shapes += [(task.batch, columns), (rows, task.units), (rows, columns)]
    kernel, recurrent_kernel, h, d, all_h, all_d = map(tf.constant, random_weights(task, shapes))

    def repeated(product, start):
        """Adds the start at each step, lest the numbers die out and be slow as they do."""
        options = {"cond": lambda a: True, "maximum_iterations": task.steps}
        return tf.while_loop(body=lambda a: [start + product(a)], loop_vars=[start], **options)[0]

    def forward(h):
        return (h @ recurrent_kernel)[:, : task.units]

    def back(d):
        return tf.tile(tf.matmul(d, recurrent_kernel, transpose_b=True), [1, gates]) / gates

    def products(x):
        x = tf.reshape(x, (rows, task.features))
        result = [repeated(forward, h), x @ kernel]
        if task.mode == "training":
            result += [repeated(back, d)]
            result += [tf.matmul(a, all_d, transpose_a=True) for a in (x, all_h)]
        return result

    function = tf.function(products, jit_compile=True)
    return fetched(function, tf.constant(sequences(task)))


def whole_fit(make_layer, task, **options):
    """An epoch of FIT_STEPS steps; what it returns is the loss."""
    layer = built(make_layer(task), task)
    model = keras.Sequential([keras.Input((task.steps, task.features)), layer])
    model.add(keras.layers.Dense(10))
    model.layers[-1].set_weights(random_weights(task, [(task.units, 10), (10,)]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, **options)
    x = sequences(task, FIT_STEPS * task.batch)
    y = np.random.default_rng(2).integers(0, 10, len(x))
    fit = functools.partial(model.fit, x, y, batch_size=task.batch, shuffle=False, verbose=0)
    return lambda: [np.array(fit().history["loss"])]


# Programs on JAX and PyTorch.


def on_jax(make_layer, task):
    layer = built(make_layer(task), task)
    others = [weight.value for weight in layer.non_trainable_variables]

    def forward(weights, x):
        return layer.stateless_call(weights, others, x)[0]

    def loss(weights, x):
        output = forward(weights, x)
        return ops.mean(output**2), output

    def training(weights, x):
        (_, output), gradients = jax.value_and_grad(loss, has_aux=True)(weights, x)
        return [output, *gradients]

    def inference(weights, x):
        return [forward(weights, x)]

    function = jax.jit(training if task.mode == "training" else inference)
    weights = [weight.value for weight in layer.trainable_variables]
    x = jax.numpy.asarray(sequences(task))
    return lambda: jax.block_until_ready(function(weights, x))


def gates_swapped(a, task):
    """PyTorch's GRU has r before z; the same again turns it back."""
    if task.cell != "gru":
        return a
    z, r, g = np.split(a, 3, axis=-1)
    return np.concatenate([r, z, g], axis=-1)


def torch_layer(task):
    """Its weights are Keras's, transposed, with a second bias, of zeros where Keras has one."""
    layer = getattr(torch.nn, {"simple": "RNN"}.get(task.cell, task.cell.upper()))(
        task.features, task.units, batch_first=True
    )
    columns = {"simple": 1, "lstm": 4, "gru": 3}[task.cell] * task.units
    bias = (2, columns) if task.cell == "gru" else (columns,)
    shapes = [(task.features, columns), (task.units, columns), bias]
    kernel, recurrent, bias = random_weights(task, shapes)
    biases = bias if task.cell == "gru" else [bias, 0 * bias]
    values = [kernel, recurrent, *biases]
    with torch.no_grad():
        for weight, value in zip(layer.parameters(), values, strict=True):
            weight.copy_(torch.tensor(gates_swapped(value, task).T))
    return layer


def on_torch(task):
    layer, x = torch_layer(task), torch.tensor(sequences(task))
    return on_torch_with(lambda x: layer(x)[0][:, -1], list(layer.parameters()), x, task)


def keras_on_torch(make_layer, task):
    layer, x = built(make_layer(task), task), torch.tensor(sequences(task))
    weights = [weight.value for weight in layer.trainable_variables]
    return on_torch_with(layer, weights, x, task)


def on_torch_with(forward, weights, x, task):
    def training():
        output = forward(x)
        return [output, *torch.autograd.grad((output**2).mean(), weights)]

    @torch.inference_mode()
    def inference():
        return [forward(x)]

    def step():
        result = training() if task.mode == "training" else inference()
        result[0].detach().cpu()  # waits
        return result

    return step


def in_keras_order(task, output, *gradients):
    """What PyTorch's layer gave, with the gradients as Keras has them."""
    if not gradients:
        return [output]
    kernel, recurrent, *biases = (gates_swapped(gradient.T, task) for gradient in gradients)
    bias = np.stack(biases) if task.cell == "gru" else biases[0]
    return [output, kernel, recurrent, bias]


LAYERS = {
    "Keras's layer": keras_layer,
    "Keras's layer, again": keras_layer,
    "RNN(Keras's cell)": loop_over_keras_cell,
    "RNN(our cell)": loop,
    "RNN(our cell), x W first": projected_first,
    "RNN(our cell), 4 steps a turn": several_steps,
    "RNN(our cell), unrolled": functools.partial(loop, unroll=True),
    "RNN(MinGRUCell)": min_gru_loop,
    "ParallelRNN(MinGRUCell)": min_gru_in_parallel,
}
WAYS = {
    "": {},
    ", jit": {"jit_compile": True},
    ", 32 at once": {"steps_per_execution": 32},
    ", jit, 32 at once": {"jit_compile": True, "steps_per_execution": 32},
}


def every(maker, ending, **options):
    return {
        name + ending: functools.partial(maker, layer, **options) for name, layer in LAYERS.items()
    }


STEPS = {
    "tensorflow": every(in_a_graph, "")
    | every(in_a_graph, ", jit", jit=True)
    | every(in_a_graph, ", jit, two halves", jit=True, halves=True)
    | {
        "by hand, jit": with_hand_written_backward,
        "by hand, jit, two halves": functools.partial(with_hand_written_backward, halves=True),
        "Python loop": python_loop,
        "RNN(our cell), checkpointed": checkpointed,
        "matrix products alone": products_alone,
    },
    "jax": every(on_jax, " on JAX"),
    "torch": every(keras_on_torch, " on PyTorch") | {TORCH: on_torch},
}
FITS = {}
for ending, options in WAYS.items():
    FITS |= every(whole_fit, ending, **options)


# The process.


class Programs:
    """The programs of one task: made, called, forgotten."""

    def __init__(self):
        self.made = {}

    def hello(self):
        """The machine, and what in the environment changes how the libraries compute."""
        found = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
        return machine() | {"variables": " ".join(found)}

    def make(self, name, task):
        """Makes a copy of a program and returns what it computes, to be compared with others."""
        task = Task(**task)
        maker = FITS[name] if task.what == "fit" else STEPS[BACKEND][name]
        step = maker(task)
        result = [np.array(a if BACKEND != "torch" else a.detach().cpu()) for a in step()]
        calls = max(1, round(BLOCK / self._seconds(step, 1)))
        steps = FIT_STEPS if task.what == "fit" else 1
        self.made.setdefault(name, []).append((step, calls, steps))
        return in_keras_order(task, *result) if name == TORCH else result

    def time(self, name):
        """Milliseconds a step: the mean over the program's copies, a block of calls of each."""
        times = [self._seconds(step, calls) / calls / n for step, calls, n in self.made[name]]
        return 1000 * sum(times) / len(times)

    def forget(self):
        self.made.clear()
        keras.backend.clear_session()
        gc.collect()

    def peak(self, name, task):
        """MB that a step needs beyond what a step of one sequence has left behind."""
        task = Task(**task)
        maker = STEPS[BACKEND][name]
        maker(dataclasses.replace(task, batch=1))()
        Path("/proc/self/clear_refs").write_text("5")  # from here on, a new maximum
        before = resident("VmRSS")
        step = maker(task)
        step()
        step()
        return resident("VmHWM") - before

    @staticmethod
    def _seconds(step, calls):
        start = time.perf_counter()
        for _ in range(calls):
            step()
        return time.perf_counter() - start


def resident(line):
    """A line of Linux's account of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith(line)) / 1000


def serve():
    """Answers requests until there are no more; whatever libraries print goes elsewhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who asks ends it
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    programs = Programs()
    while True:
        try:
            method, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = True, getattr(programs, method)(*arguments)
        except Exception as error:
            words = str(error).strip().partition("\n")[0].rstrip(".")
            answer = False, f"{type(error).__name__}: {words}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
