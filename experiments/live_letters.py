"""The small cell that spells names on chapter 11's page: trained, rounded, judged and written.

python -m experiments.live_letters       a minute or two on one core

A GRU reads a name's letters as one-hot rows and gives each next letter, or the end, a score. The
weights are rounded to multiples of 1/4096 before they are judged, so the bits per letter are those
of the file which the page loads.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import dataclasses
import datetime
import hashlib
import json
from pathlib import Path

import keras
import numpy as np

import rnncells
from experiments.live_weights import FOLDER, UNIT, packed, rounded
from experiments.training import without_words
from rnncells import reference
from rnncells.book import words


@dataclasses.dataclass(frozen=True)
class Settings:
    cell: str = "gru"
    units: int = 44  # of 48 the file would have more than 30 kB
    epochs: int = 6
    batch_size: int = 128
    learning_rate: float = 5e-3  # the highest; a cosine takes it to zero
    clip: float = 1.0
    seed: int = 0


def one_hot(codes):
    """Codes (names, steps) as rows of 28, of which one is 1."""
    return np.eye(words.CODES, dtype="float32")[codes]


def train(run, names):
    keras.utils.set_random_seed(run.seed)
    layer = keras.layers.RNN(rnncells.GRUCell(run.units), return_sequences=True)
    dense = keras.layers.Dense(words.CODES)
    model = keras.Sequential([keras.Input((words.LONGEST + 1, words.CODES)), layer, dense])
    inputs, targets = words.encode(names)
    batches = len(names) // run.batch_size
    steps = batches * run.epochs
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, int(0.9 * steps), warmup_target=run.learning_rate, warmup_steps=steps // 10
    )
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=run.clip),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=words.PADDING),
        jit_compile=True,
    )
    for epoch in range(run.epochs):
        order = np.random.default_rng([run.seed, epoch]).permutation(len(names))
        order = order[: batches * run.batch_size]
        options = {"batch_size": run.batch_size, "shuffle": False, "verbose": 0}
        told = model.fit(one_hot(inputs[order]), targets[order], **options).history
        print(f"epoch {epoch + 1} of {run.epochs}, loss {told['loss'][-1]:.4f} nats", flush=True)
    return [*layer.get_weights(), *dense.get_weights()]


def log_shares(inputs, weights):
    """Log-probabilities (names, steps, 27), in float64: of the boundary, then of a to z.

    The score of the padding, which is never to be said, is left out.
    """
    *cell, kernel, bias = weights
    first = [np.zeros((len(inputs), kernel.shape[0]))]
    x = one_hot(inputs).astype(float)
    states, _, _ = reference.forward(reference.gru_reset_after_step, x, first, cell)
    scores = (states @ kernel + bias)[..., words.BOUNDARY :]
    scores -= scores.max(axis=-1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def bits(names, weights):
    """The mean of -log2 p over all letters and all ends of names."""
    inputs, targets = words.encode(names)
    place = np.maximum(targets - words.BOUNDARY, 0)[..., None]  # of the padding: any
    said = np.take_along_axis(log_shares(inputs, weights), place, axis=-1)[..., 0]
    return float(-said[targets != words.PADDING].mean() / np.log(2))


def code_version():
    """A hash of the code that trains and judges, without its words."""
    folder = Path(rnncells.__file__).parent
    parts = ("reference.py", "cells/gru.py", "book/words.py")
    files = [Path(__file__), *(folder / part for part in parts)]
    text = "".join(without_words(file.read_text(encoding="utf-8")) for file in files)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write(run, weights, names, test):
    record = {
        "settings": dataclasses.asdict(run),
        "data": f"names of the 1990 census, {len(names):,} for training, {len(test):,} to judge by",
        "bits": round(bits(test, weights), 6),
        "code": code_version(),
        "versions": {"keras": keras.__version__, "numpy": np.__version__},
        "date": datetime.date.today().isoformat(),
    }
    stored = {
        "cell": run.cell, "units": run.units, "bits": record["bits"], "unit": UNIT,
        "shapes": [list(w.shape) for w in weights], "weights": [packed(w) for w in weights],
    }  # fmt: skip
    (FOLDER / "weights-letters.js").write_text(
        "// Written by experiments/live_letters.py.\n"
        f'((globalThis.rnncells ??= {{}}).weights ??= {{}})["letters"] = {json.dumps(stored)};\n'
    )
    (FOLDER / "weights-letters.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"bits per letter on the test names: {record['bits']:.4f}")


def main():
    run = Settings()
    names, _, test = words.load_names()
    write(run, rounded(train(run, names)), names, test)


if __name__ == "__main__":
    main()
