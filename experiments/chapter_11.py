"""The trainings that chapter 11 reads: names, one long text, sunspots, and pairs to be recalled.

    python -m experiments.chapter_11 [names] [text] [sunspots] [pairs]

Each part writes a table of its own in rnncells/book/, a row as each run ends; what has a row is not
trained again, so it can be stopped and goes on. Some three hours of one core in all. Settings are
chosen by the columns ``held_out``.
"""

import csv
import os
import sys
from pathlib import Path

# Before TensorFlow is imported: no log between the lines, and the same sums in the same order.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import filelock
import keras
import numpy as np
from keras import ops

from experiments.tables import write_table
from rnncells import GRUCell, LayerNormLSTMCell, LSTMCell, SimpleRNNCell, ZoneoutCell
from rnncells.book import series, words
from rnncells.book.records import load_runs

FOLDER = Path(words.__file__).parent
RUNNING = Path(__file__).with_name("running")
SEEDS = range(3)


def compile_model(model, loss, rate, steps):
    """Adam with a norm of at most 1, a warm-up over a tenth of the steps, then a cosine to 0."""
    warmup = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=1.0)
    model.compile(optimizer, loss, jit_compile=True)


# Names. ``bits`` per letter, the boundary at the end included.

EMBEDDED = 24
LSTM = {
    "none": lambda: LSTMCell(128),
    "dropout 0.2": lambda: LSTMCell(128, dropout=0.2),
    "recurrent dropout 0.2": lambda: LSTMCell(128, recurrent_dropout=0.2),
    "layer normalization": lambda: LayerNormLSTMCell(128),
    "zoneout 0.05, 0.5": lambda: ZoneoutCell(LSTMCell(128), (0.05, 0.5)),
}
OTHERS = {"simple": SimpleRNNCell, "gru": GRUCell}
EPOCHS = {81910: 8, 5000: 15}  # of so many names
NAMES_SEEDS = {81910: 2, 5000: 3}
RATES = {81910: (5e-3, 1e-2, 2e-2), 5000: (1e-3, 2e-3, 5e-3, 1e-2, 2e-2)}


def language_model(cell):
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(words.CODES, EMBEDDED),
            keras.layers.RNN(cell, return_sequences=True),
            keras.layers.Dense(words.CODES),
        ]
    )


def cross_entropy():
    """In nats, the mean over all steps that are no padding."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=words.PADDING)


def bits(model, names):
    """The mean over all letters and final boundaries of -log2 p."""
    inputs, targets = words.encode(names)
    scores = model.predict(inputs, batch_size=1000, verbose=0)
    losses = keras.losses.sparse_categorical_crossentropy(targets, scores, from_logits=True)
    return float(np.mean(ops.convert_to_numpy(losses)[targets != words.PADDING]) / np.log(2))


def planned_names():
    for count in EPOCHS:
        for cell in ("lstm", *OTHERS):
            for rate in RATES[count]:
                yield {"names": count, "cell": cell, "means": "none", "rate": rate, "seed": 0}
    for count in EPOCHS:
        for seed in range(NAMES_SEEDS[count]):
            for cell, means in [*((cell, "none") for cell in OTHERS), *(("lstm", m) for m in LSTM)]:
                rate = best_rate("names", names=count, cell=cell, means="none", seed=0)
                yield {"names": count, "cell": cell, "means": means, "rate": rate, "seed": seed}
    # With few names each remedy also at a rate of its own.
    few, normalized = {"names": 5000, "cell": "lstm"}, "layer normalization"
    for means in LSTM:
        for rate in (5e-4, *RATES[5000]) if means == normalized else RATES[5000]:
            yield few | {"means": means, "rate": rate, "seed": 0}
        rate = best_rate("names", **few, means=means, seed=0)
        for seed in range(NAMES_SEEDS[5000]):
            yield few | {"means": means, "rate": rate, "seed": seed}


def best_rate(part, by="held_out", **same):
    """The one with the lowest error among the runs that have these settings."""
    return min(load_runs(part, **same), key=lambda run: run[by])["rate"]


def train_names(run):
    train, held_out, test = words.load_names()
    train = train[: run["names"]]
    keras.utils.set_random_seed(run["seed"])
    cell = OTHERS[run["cell"]](128) if run["cell"] in OTHERS else LSTM[run["means"]]()
    model = language_model(cell)
    inputs, targets = words.encode(train)
    batch_size = 128 if run["names"] > 5000 else 64
    epochs, whole = EPOCHS[run["names"]], len(inputs) // batch_size * batch_size
    compile_model(model, cross_entropy(), run["rate"], epochs * whole // batch_size)
    for epoch in range(epochs):
        order = np.random.default_rng([run["seed"], epoch]).permutation(len(inputs))[:whole]
        options = {"batch_size": batch_size, "shuffle": False, "verbose": 0}
        model.fit(inputs[order], targets[order], **options)
    judged = {"train": train[:5000], "held_out": held_out, "test": test}
    found = {name: f"{bits(model, names):.4f}" for name, names in judged.items()}
    return {"weights": model.count_params(), **found}


# One long text: all names, one after the other, cut into pieces through which alone the gradient
# flows; the state is carried. Each step of training reads 1,280 letters, whatever the piece.

PIECES = (1, 2, 4, 8, 16)
TEXT_EPOCHS = 5


def planned_text():
    for seed in SEEDS:
        for piece in PIECES:
            for carried in (True, False):
                yield {"piece": piece, "carried": carried, "seed": seed}


def train_text(run):
    train, held_out, test = words.load_names()
    piece, streams = run["piece"], 1280 // run["piece"]
    keras.utils.set_random_seed(run["seed"])
    cell = GRUCell(128)
    layer = keras.layers.RNN(cell, return_sequences=True, stateful=run["carried"])
    embedding, dense = keras.layers.Embedding(words.CODES, EMBEDDED), keras.layers.Dense(28)
    inputs = keras.Input(batch_shape=(streams, piece), dtype="int32")
    model = keras.Sequential([inputs, embedding, layer, dense])
    x, y = words.pieces(train, streams, piece)
    compile_model(model, cross_entropy(), 5e-3, TEXT_EPOCHS * len(x) // streams)
    for _ in range(TEXT_EPOCHS):
        if run["carried"]:
            layer.reset_state()
        model.fit(x, y, batch_size=streams, shuffle=False, verbose=0)
    whole = language_model(cell)
    whole.set_weights([ops.convert_to_numpy(w) for w in model.trainable_weights])
    judged = {"held_out": held_out, "test": test}
    return {name: f"{bits(whole, names):.4f}" for name, names in judged.items()}


# Sunspots: the root mean square error of forecasts one month and twelve months ahead.

STEPS, AHEAD = 132, 12
TRAINED_TO, HELD_OUT_TO = 12 * (1900 - 1749), 12 * (1940 - 1749)
CELLS = {"simple": SimpleRNNCell, "gru": GRUCell, "lstm": LSTMCell}
SUNSPOT_RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


def planned_sunspots():
    kinds = [(cell, losses) for cell in CELLS for losses in ("every step", "last step")]
    for cell, losses in kinds:
        for rate in SUNSPOT_RATES:
            yield {"cell": cell, "losses": losses, "rate": rate, "seed": 0}
    for ahead in (1, AHEAD):  # each with a rate that was chosen for it
        for cell, losses in kinds:
            rate = best_rate("sunspots", f"held_out_{ahead}", cell=cell, losses=losses, seed=0)
            for seed in SEEDS:
                yield {"cell": cell, "losses": losses, "rate": rate, "seed": seed}


def train_sunspots(run):
    _, numbers = series.load_sunspots()
    roots = np.sqrt(numbers)
    mean, std = roots[:TRAINED_TO].mean(), roots[:TRAINED_TO].std()
    scaled = (roots - mean) / std
    ends = np.arange(STEPS - 1, TRAINED_TO - AHEAD)
    x, y = series.windows(scaled, STEPS, AHEAD, ends)
    every = run["losses"] == "every step"
    if every:  # the twelve months after each of the steps
        y = series.windows(scaled, 1, AHEAD, np.arange(TRAINED_TO - AHEAD))[1]
        y = np.stack([y[end - STEPS + 1 : end + 1] for end in ends])
    keras.utils.set_random_seed(run["seed"])
    layer = keras.layers.RNN(CELLS[run["cell"]](32), return_sequences=every)
    model = keras.Sequential([keras.Input((STEPS, 1)), layer, keras.layers.Dense(AHEAD)])
    epochs, batch_size = 10, 32
    compile_model(model, "mse", run["rate"], epochs * len(x) // batch_size)
    model.fit(x[..., None], y, batch_size=batch_size, epochs=epochs, verbose=0)
    ends = np.arange(TRAINED_TO - AHEAD, len(scaled) - 1)
    past, _ = series.windows(scaled, STEPS, AHEAD, ends)
    said = model.predict(past[..., None], batch_size=1000, verbose=0)
    said = (said[:, -1] if every else said) * std + mean
    said = np.maximum(said, 0) ** 2
    found = {}
    for part, first, last in (
        ("held_out", TRAINED_TO, HELD_OUT_TO),
        ("test", HELD_OUT_TO, len(numbers)),
    ):
        months = np.arange(first, last)
        for ahead in (1, AHEAD):
            forecast = said[months - ahead - ends[0], ahead - 1]
            error = np.sqrt(np.mean((forecast - numbers[months]) ** 2))
            found[f"{part}_{ahead}"] = f"{error:.3f}"
    return found


# Pairs of a key and a value, then one of the keys: which value belonged to it?

PAIRS = (2, 4, 8, 16)
KEY, VALUES = 16, 8  # numbers in a key, each -1 or 1; kinds of value
PAIR_STEPS = {"gru 64": (3000, 24_000), "gru 256": (3000,), "attention": (3000,)}
DRAWN_AT_ONCE = 3000  # batches


def planned_pairs():
    for seed in range(2):
        for model, of_training in PAIR_STEPS.items():
            for steps in of_training:
                for pairs in PAIRS:
                    yield {"pairs": pairs, "model": model, "steps": steps, "seed": seed}


def sequences_of_pairs(count, pairs, random):
    """x (count, pairs + 1, 24): key and value, at last a key alone; y (count,): its value."""
    keys = random.choice([-1.0, 1.0], size=(count, pairs, KEY))
    values = random.integers(VALUES, size=(count, pairs))
    asked = random.integers(pairs, size=count)
    x = np.zeros((count, pairs + 1, KEY + VALUES), "float32")
    x[:, :-1, :KEY], x[:, :-1, KEY:] = keys, np.eye(VALUES)[values]
    x[:, -1, :KEY] = keys[np.arange(count), asked]
    return x, values[np.arange(count), asked]


def recaller(kind, pairs):
    inputs = keras.Input((pairs + 1, KEY + VALUES))
    if kind.startswith("gru"):
        read = keras.layers.RNN(GRUCell(int(kind.split()[1])))(inputs)
    else:  # the last step asks all steps before it
        query = keras.layers.Dense(64)(inputs[:, -1:])
        keys, values = (keras.layers.Dense(64)(inputs[:, :-1]) for _ in range(2))
        scores = ops.matmul(query, ops.swapaxes(keys, 1, 2)) / 8
        read = ops.matmul(ops.softmax(scores), values)[:, 0]
    return keras.Model(inputs, keras.layers.Dense(VALUES)(read))


def train_pairs(run):
    keras.utils.set_random_seed(run["seed"])
    model = recaller(run["model"], run["pairs"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compile_model(model, loss, 3e-3, run["steps"])
    random = np.random.default_rng([run["seed"], run["pairs"]])
    for _ in range(run["steps"] // DRAWN_AT_ONCE):
        x, y = sequences_of_pairs(64 * DRAWN_AT_ONCE, run["pairs"], random)
        model.fit(x, y, batch_size=64, shuffle=False, verbose=0)
    x, y = sequences_of_pairs(4000, run["pairs"], random)
    said = model.predict(x, batch_size=1000, verbose=0).argmax(axis=1)
    return {"weights": model.count_params(), "accuracy": f"{np.mean(said == y):.4f}"}


# The tables.

PARTS = {
    "names": (planned_names, train_names),
    "text": (planned_text, train_text),
    "sunspots": (planned_sunspots, train_sunspots),
    "pairs": (planned_pairs, train_pairs),
}


def path_of(part):
    return FOLDER / f"{part}_runs.csv"


def read(part):
    if not path_of(part).exists():
        return []
    with open(path_of(part), newline="") as file:
        return list(csv.DictReader(file))


def agrees(row, run):
    return all(row[name] == str(value) for name, value in run.items())


def append(part, row):
    """A row at the end of the table: whole or not at all, also beside another program."""
    path = path_of(part)
    RUNNING.mkdir(exist_ok=True)
    with filelock.FileLock(RUNNING / f"{path.stem}.lock"):
        write_table(path, list(row), [*read(part), row])


def run_part(part):
    planned, train = PARTS[part]
    for run in planned():
        if any(agrees(row, run) for row in read(part)):
            continue
        row = {name: str(value) for name, value in run.items()} | train(run)
        append(part, row)
        print(part, *row.values(), flush=True)


def main():
    parts = sys.argv[1:] or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"No such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    for part in parts:
        run_part(part)


if __name__ == "__main__":
    main()
