"""The trainings that chapter 4 reads are made by the code that it shows."""

import inspect

import nbformat
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from experiments import chapter_4 as program
from rnncells import SimpleRNNCell
from rnncells.book.records import load_record
from tests.test_notebooks import NOTEBOOKS

CHAPTER = next(path for path in NOTEBOOKS if path.stem.startswith("04"))
IMAGES = np.random.default_rng(0).random((program.BATCHES * 64, 28, 28)).astype("float32")


def test_the_chapter_shows_the_truncation_that_was_trained():
    sources = [cell.source for cell in nbformat.read(CHAPTER, as_version=4).cells]
    assert inspect.getsource(program.read).strip() in sources


@pytest.mark.parametrize("k", [0, 1, 4, 28])
def test_the_gradient_reaches_the_last_k_rows(k):
    cell, images = SimpleRNNCell(8), tf.constant(IMAGES[:5])
    cell.build((None, 28))
    with tf.GradientTape() as recorder:
        recorder.watch(images)
        total = ops.sum(program.read(cell, images, k))
    gradient = recorder.gradient(total, images)
    reached = np.zeros(28) if gradient is None else np.any(gradient != 0, axis=(0, 2))
    assert reached.tolist() == [t >= 28 - k for t in range(28)]


def test_clipping_changes_nothing_before_the_first_gradient_above_the_limit(monkeypatch):
    monkeypatch.setattr(program, "BATCHES", 40)
    labels = np.arange(len(IMAGES)) % 10
    free, clipped = (program.descend(IMAGES, labels, 0, clip) for clip in (np.inf, 1.0))
    first = int(np.argmax(free[:, 1] > 1.0))
    np.testing.assert_array_equal(free[: first + 1], clipped[: first + 1])
    assert np.any(free[first + 1 :] != clipped[first + 1 :])


def test_the_records_are_whole():
    runs, spike, truncation = map(load_record, ["descent", "spike", "truncation"])
    assert sorted(zip(runs["seed"], runs["clip"], strict=True)) == [
        (seed, clip) for seed in range(10) for clip in sorted(program.CLIPS)
    ]
    of_spike = runs[(runs["seed"] == program.SPIKE_SEED) & (runs["clip"] == np.inf)]
    assert spike["norm"].max() == pytest.approx(of_spike["largest_norm"][0], abs=0.06)
    assert len(spike) == program.BATCHES
    before = spike["norm"] <= program.CLIPS[1]  # up to the first gradient above the limit
    first = int(np.argmin(before))
    assert spike["norm"][: first + 1].tolist() == spike["norm_clipped"][: first + 1].tolist()
    assert len(truncation) == 18
