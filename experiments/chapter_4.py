"""The trainings that chapter 4 reads: one spike of the gradient, and truncation.

``python -m experiments.chapter_4`` writes ``descent.csv``, ``spike.csv`` and ``truncation.csv``
into ``rnncells/book/``, in some five minutes, and the same rows again on the same machine.
"""

import csv
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from rnncells import SimpleRNNCell
from rnncells.book.data import load_mnist

FOLDER = Path(__file__).resolve().parents[1] / "rnncells" / "book"
RATE, BATCHES, CLIPS, SPIKE_SEED = 0.2, 300, (np.inf, 6.0, 10.0), 2


def cross_entropy(labels, scores):
    losses = keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True)
    return ops.mean(losses)


def descend(images, labels, seed, clip):
    """Plain gradient descent, (batches, 3): the loss, the gradient's norm, and the cell's part."""
    keras.utils.set_random_seed(seed)
    cell, dense = SimpleRNNCell(64), keras.layers.Dense(10)
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.RNN(cell), dense])

    @tf.function
    def step(x, y):
        with tf.GradientTape() as recorder:
            loss = cross_entropy(y, model(x))
        gradients = recorder.gradient(loss, model.trainable_variables)
        norm = tf.linalg.global_norm(gradients)
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
            weight.assign_sub(RATE * gradient * tf.minimum(1.0, clip / norm))
        return loss, norm, tf.linalg.global_norm(gradients[: len(cell.weights)])

    parts = [slice(64 * batch, 64 * (batch + 1)) for batch in range(BATCHES)]
    return np.array([step(images[part], labels[part]) for part in parts])


def read(cell, images, k):
    (h,) = cell.get_initial_state(batch_size=ops.shape(images)[0])
    for t in range(28):
        if t == 28 - k:
            h = ops.stop_gradient(h)  # no gradient passes from here on
        h, _ = cell(images[:, t], [h])
    return h if k else ops.stop_gradient(h)


def train_truncated(train, test, k, seed):
    """The test accuracy after one epoch in which the gradient reaches the last ``k`` rows."""
    keras.utils.set_random_seed(seed)
    cell, dense = SimpleRNNCell(64), keras.layers.Dense(10)
    cell.build((None, 28))
    dense.build((None, 64))
    weights = dense.trainable_variables + (cell.trainable_variables if k else [])
    optimizer = keras.optimizers.Adam()
    optimizer.build(weights)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as recorder:
            loss = cross_entropy(y, dense(read(cell, x, k)))
        optimizer.apply(recorder.gradient(loss, weights), weights)

    images, labels = train
    order = np.random.default_rng(seed).permutation(len(images))
    for start in range(0, len(order) - 63, 64):
        batch = order[start : start + 64]
        step(images[batch], labels[batch])
    scores = ops.convert_to_numpy(dense(read(cell, test[0], k)))
    return np.mean(scores.argmax(axis=1) == test[1])


def write(name, columns, rows):
    with open(FOLDER / name, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([columns, *rows])


def record_descent(train):
    runs, logs = [], {}
    for seed in range(10):
        for clip in CLIPS:
            log = logs[seed, clip] = descend(*train, seed, clip)
            clipped, end = np.sum(log[:, 1] > clip), log[-50:, 0].mean()
            runs.append([seed, clip, f"{log[:, 1].max():.1f}", clipped, f"{end:.3f}"])
            print(*runs[-1], flush=True)
    columns = ["seed", "clip", "largest_norm", "batches_clipped", "loss_at_the_end"]
    write("descent.csv", columns, runs)
    both = np.hstack([logs[SPIKE_SEED, clip] for clip in CLIPS[:2]])
    columns = [f"{what}{how}" for how in ("", "_clipped") for what in ("loss", "norm", "cell_norm")]
    write("spike.csv", columns, [[f"{value:.4g}" for value in row] for row in both])


def record_truncation(train, test):
    rows = []
    for k in (0, 1, 4, 7, 14, 28):
        for seed in range(3):
            rows.append([k, seed, f"{train_truncated(train, test, k, seed):.4f}"])
            print(*rows[-1], flush=True)
    write("truncation.csv", ["k", "seed", "accuracy"], rows)


def main():
    train, test = load_mnist()
    record_descent(train)
    record_truncation(train, test)


if __name__ == "__main__":
    main()
