"""Chapter 9 from more seeds: the GRU, the minimal gated unit, and the unit with its gate turned.

    python -m experiments.one_gate

Writes rnncells/book/one_gate.csv, a row for each run; runs that have one are not repeated. The
recipe is chapter 9's: 64 units, Adam, batches of 64, three epochs on all of MNIST.
"""

import csv
import os
import sys
from pathlib import Path

# Before TensorFlow is imported: no log between the lines, and the same sums in the same order.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
from keras import ops

from experiments.tables import write_table
from rnncells import AffineRNNCell, GRUCell, MGUCell
from rnncells.book import data

TABLE = Path(data.__file__).with_name("one_gate.csv")
SEEDS = range(1, 4)  # chapter 9 itself trains with seed 0
COLUMNS = ("cell", "seed", "accuracy")


class TurnedCell(AffineRNNCell):
    """The minimal gated unit with its gate turned round: f keeps."""

    num_gates = 2

    def call(self, inputs, states):
        (h,) = states
        f, _ = ops.split(self.affine(inputs, h), 2, axis=-1)
        f = ops.sigmoid(f)
        _, g = ops.split(self.affine(inputs, f * h), 2, axis=-1)
        h = f * h + (1 - f) * ops.tanh(g)
        return h, [h]


CELLS = {
    "GRU": lambda: GRUCell(64, reset_after=False),
    "minimal gated unit": lambda: MGUCell(64),
    "gate turned round": lambda: TurnedCell(64),
}


def train(cell, seed, train_set, test_set):
    """The test accuracy after three epochs."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((28, 28)), keras.layers.RNN(CELLS[cell]()), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], steps_per_execution=32)
    model.fit(*train_set, batch_size=64, epochs=3, verbose=0)
    return model.evaluate(*test_set, batch_size=1000, verbose=0)[1]


def read():
    if not TABLE.exists():
        return []
    with open(TABLE, newline="") as file:
        return list(csv.DictReader(file))


def main():
    train_set, test_set = data.load_mnist()
    if data.mnist_file() is None:
        sys.exit("The comparison needs MNIST itself: set RNNCELLS_MNIST to a copy of mnist.npz.")
    rows = read()
    for seed in SEEDS:
        for cell in CELLS:
            if any(row["cell"] == cell and row["seed"] == str(seed) for row in rows):
                continue
            accuracy = train(cell, seed, train_set, test_set)
            rows.append({"cell": cell, "seed": str(seed), "accuracy": f"{accuracy:.4f}"})
            write_table(TABLE, COLUMNS, rows)
            print(f"{cell}, seed {seed}: {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
