"""The same training on one device and on two, with each cell, and how far apart they end.

    python experiments/distributed.py [READER ...]

KERAS_BACKEND picks who distributes: TensorFlow's MirroredStrategy over two logical devices, or
Keras's DataParallel over two host devices of JAX. A CPU with one core can hold two of either, so
this shows that the results are the same, and nothing about speed.
"""

import collections
import functools
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
BACKEND = os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# Devices are made before anything else happens on the back end.
if BACKEND == "tensorflow":
    import tensorflow as tf

    logical = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
elif BACKEND == "jax":
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 2)
else:
    sys.exit(
        f"KERAS_BACKEND: expected tensorflow or jax; got {BACKEND}: Keras distributes no training"
        " on it. Set KERAS_BACKEND=jax and run again."
    )

import keras
import numpy as np
from keras import ops

from rnncells import AffineRNNCell, GRUCell, LSTMCell, MinGRUCell, ParallelRNN, SimpleRNNCell

IMAGES, STEPS, FEATURES, UNITS, DIGITS = 128, 28, 28, 16, 10
BATCH = 32  # of all devices together


class LeakyCell(AffineRNNCell):
    """A cell as a reader may write it: each unit learns how much of its state it keeps."""

    def build(self, input_shape):
        super().build(input_shape)
        self.leak = self.add_weight(name="leak", shape=(self.units,), initializer="zeros")

    def call(self, inputs, states):
        (h,) = states
        keep = ops.sigmoid(self.leak)
        h = keep * h + (1 - keep) * ops.tanh(self.affine(inputs, h))
        return h, [h]


READERS = {
    "RNN(SimpleRNNCell)": lambda: keras.layers.RNN(SimpleRNNCell(UNITS)),
    "RNN(LSTMCell)": lambda: keras.layers.RNN(LSTMCell(UNITS)),
    "RNN(GRUCell)": lambda: keras.layers.RNN(GRUCell(UNITS)),
    "RNN(LeakyCell)": lambda: keras.layers.RNN(LeakyCell(UNITS)),
    "ParallelRNN(MinGRUCell)": lambda: ParallelRNN(MinGRUCell(UNITS)),
}

Trained = collections.namedtuple("Trained", "rows start weights predictions")


class Witness(keras.layers.Layer):
    """Hands its inputs on, and notes how many rows each device had of them."""

    def __init__(self):
        super().__init__()
        self.seen = set()  # (device, rows)

    def call(self, inputs):
        if BACKEND == "jax":  # its arrays are whole here, and divided by the compiler
            note = functools.partial(self.note, inputs.shape)
            jax.debug.inspect_array_sharding(inputs, callback=note)
            return inputs
        device = tf.identity(inputs).device[-len("CPU:0") :]
        rows = tf.py_function(lambda n: self.seen.add((device, int(n))), [tf.shape(inputs)[0]], [])
        with tf.control_dependencies([rows]):
            return tf.identity(inputs)

    def note(self, shape, sharding):
        for device, (rows, *_) in sharding.devices_indices_map(shape).items():
            self.seen.add((f"CPU:{device.id}", len(range(*rows.indices(shape[0])))))

    @property
    def rows(self):
        """device -> how many rows of a batch it had, a list where batches differ."""
        devices = sorted({device for device, _ in self.seen})
        return {d: sorted(rows for device, rows in self.seen if device == d) for d in devices}


@functools.cache
def two_devices():
    """Who distributes: what is built and trained in its ``scope()`` is on two devices."""
    if BACKEND == "tensorflow":
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"])


def digits():
    """Random arrays of the digits' shape: that the results are the same needs no more."""
    random = np.random.default_rng(0)
    return random.random((IMAGES, STEPS, FEATURES), "float32"), random.integers(0, DIGITS, IMAGES)


def optimizer():
    # Adam divides a gradient by its usual size, so one that is twice too large trains alike, and
    # nobody sees the mistake. With an epsilon as large as the gradients somebody does.
    return keras.optimizers.Adam(0.01, epsilon=0.01)


def fit(reader, x, y, batch_size):
    """One epoch from a known start, wherever the scope around the call puts it."""
    keras.utils.set_random_seed(0)
    witness, to_scores = Witness(), keras.layers.Dense(DIGITS)
    model = keras.Sequential([keras.Input(x.shape[1:]), READERS[reader](), witness, to_scores])
    model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    start = model.get_weights()
    model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
    return model, witness, start


def train(reader):
    x, y = digits()
    model, witness, start = fit(reader, x, y, BATCH)
    rows = witness.rows  # of the training alone
    predictions = model.predict(x, batch_size=BATCH, verbose=0)
    return Trained(rows, start, model.get_weights(), predictions)


alone = functools.cache(train)


def largest_difference(some, others):
    return max(float(np.max(np.abs(a - b))) for a, b in zip(some, others, strict=True))


def compare(reader):
    """What a training on two devices did, beside the same one on one.

    Returns:
        A dict: ``rows`` (device -> how many rows of a batch it had), ``moved`` (how far the
        training took the weights), and the largest differences in ``weights`` and ``predictions``.
    """
    with two_devices().scope():
        two = train(reader)
    one = alone(reader)  # after it, since a batch that cannot be divided is refused above
    return {
        "rows": two.rows,
        "moved": largest_difference(two.start, two.weights),
        "weights": largest_difference(one.weights, two.weights),
        "predictions": largest_difference([one.predictions], [two.predictions]),
    }


def main(readers):
    if unknown := sorted(set(readers) - set(READERS)):
        sys.exit(f"expected readers among {', '.join(READERS)}; got {', '.join(unknown)}.")
    print(f"{BACKEND}, Keras {keras.__version__}: one epoch, {BATCH} rows a batch")
    print(f"{'':24}{'rows that each device read':32}{'weights differ':>16}{'predictions':>14}")
    for reader in readers or READERS:
        found = compare(reader)
        rows = ", ".join(f"{device} {counts}" for device, counts in found["rows"].items())
        print(f"{reader:24}{rows:32}{found['weights']:>16.1e}{found['predictions']:>14.1e}")


if __name__ == "__main__":
    main(sys.argv[1:])
