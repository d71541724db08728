"""The small cells that read drawings on the pages: trained, rounded, judged and written.

python -m experiments.live_weights              trains the three cells, a few minutes on two cores
python -m experiments.live_weights simple       one of them

Each cell is trained to name the digit after every row, the last row counting most, on MNIST's
pictures and on the same pictures redrawn: turned, sheared, thicker, thinner, fainter, and then
centred as MNIST's are. The weights are rounded to multiples of 1/4096 before they are judged, so
the accuracy is that of the file which the page loads.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import base64
import dataclasses
import datetime
import hashlib
import json
from pathlib import Path

import keras
import numpy as np
from keras import ops
from scipy import ndimage

import rnncells
from experiments.training import without_words
from rnncells import reference
from rnncells.book import data

FOLDER = Path(__file__).resolve().parent.parent / "site" / "live"
UNIT = 4096  # weights are whole multiples of 1 / UNIT, and fit into 16 bits
BOX, SIDE = 20, 28  # pixels: a digit's larger side, and the picture's
SAMPLES = (3, 2, 1, 32, 19, 15, 21, 0, 61, 12)  # test digits to take, one of each


@dataclasses.dataclass(frozen=True)
class Settings:
    cell: str
    units: int
    epochs: int = 16
    batch_size: int = 128
    learning_rate: float = 4e-3  # the highest; a cosine takes it to zero
    clip: float = 1.0
    early: float = 0.15  # weight of the mean loss after all rows, beside that after the last
    redrawn: float = 0.75  # share of the training pictures that are redrawn
    seed: int = 0


RUNS = {
    "simple": Settings("simple", units=72, epochs=24, learning_rate=2e-3),
    "lstm": Settings("lstm", units=44),
    "gru": Settings("gru", units=44),
}
CELLS = {
    "simple": (rnncells.SimpleRNNCell, reference.simple_step, 1),
    "lstm": (rnncells.LSTMCell, reference.lstm_step, 2),
    "gru": (rnncells.GRUCell, reference.gru_reset_after_step, 1),
}


# Pictures.


def centred(ink):
    """A drawing (height, width), 0 to 1, as MNIST's pictures are: in a box of 20, its mass centred.

    The same sums as in site/live/drawing.js.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros((SIDE, SIDE))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(ink.shape)
    down = (ink.sum(axis=1) @ (np.arange(ink.shape[0]) + 0.5)) / ink.sum()
    right = (ink.sum(axis=0) @ (np.arange(ink.shape[1]) + 0.5)) / ink.sum()
    return shares(ink.shape[0], scale, down) @ ink @ shares(ink.shape[1], scale, right).T


def shares(count, scale, middle):
    """How much of each of ``count`` pixels falls into each of 28, (28, count)."""
    edges = SIDE / 2 + (np.arange(count + 1) - middle) * scale
    low = np.maximum(edges[:-1], np.arange(SIDE)[:, None])
    high = np.minimum(edges[1:], np.arange(1, SIDE + 1)[:, None])
    return np.maximum(high - low, 0)


def redrawn(picture, random):
    """A picture turned, sheared, stretched, with another pen, and centred again."""
    turn, shear = random.normal(0, [0.12, 0.15])
    wide, high = np.exp(random.normal(0, 0.12, 2))
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[high, 0], [shear, wide]]) / 2
    middle = np.array([27.5, 27.5])  # of 56 by 56 pixels
    ink = ndimage.affine_transform(
        picture, matrix, np.array([13.5, 13.5]) - matrix @ middle, output_shape=(56, 56), order=1
    )
    pen = random.uniform(-1, 1)
    other = ndimage.grey_dilation(ink, (3, 3)) if pen > 0 else ndimage.grey_erosion(ink, (3, 3))
    if other.sum() > 8:
        ink = (1 - abs(pen)) * ink + abs(pen) * other
    ink = np.clip(ink * random.uniform(1, 2.5) - random.uniform(0, 0.3), 0, 1)
    return centred(ink) if ink.any() else picture


def epoch_of(x, run, epoch):
    """The pictures of an epoch: most of them redrawn."""
    random = np.random.default_rng([run.seed, epoch])
    chosen = random.random(len(x)) < run.redrawn
    result = x.copy()
    for number in np.flatnonzero(chosen):
        result[number] = redrawn(x[number], random)
    return result


# Training.


def make_model(run, steps):
    cell = CELLS[run.cell][0](run.units)
    layer = keras.layers.RNN(cell, return_sequences=True)
    model = keras.Sequential([keras.Input((SIDE, SIDE)), layer, keras.layers.Dense(10)])
    weight = np.full(SIDE, run.early / SIDE)
    weight[-1] += 1

    def loss(labels, scores):
        each = keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True)
        return ops.sum(each * ops.convert_to_tensor(weight, each.dtype), axis=-1)

    rate = keras.optimizers.schedules.CosineDecay(
        0.0, int(0.9 * steps), warmup_target=run.learning_rate, warmup_steps=steps // 10
    )
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=run.clip)
    model.compile(optimizer, loss, jit_compile=True, steps_per_execution=36)
    return model


POOL = 6  # redrawn copies of the training set, kept and mixed, since drawing takes longer


def train(run, x, y, pool):
    keras.utils.set_random_seed(run.seed)
    batches = len(x) // run.batch_size
    model = make_model(run, batches * run.epochs)
    count = batches * run.batch_size
    for epoch in range(run.epochs):
        order = np.random.default_rng([run.seed, 1, epoch]).permutation(len(x))[:count]
        labels = np.repeat(y[order, None], SIDE, axis=1)
        pictures = pool[epoch % len(pool)][order]
        told = model.fit(
            pictures, labels, batch_size=run.batch_size, shuffle=False, verbose=0
        ).history
        print(
            f"{run.cell}: epoch {epoch + 1} of {run.epochs}, loss {told['loss'][-1]:.4f}",
            flush=True,
        )
    return [*model.layers[0].get_weights(), *model.layers[1].get_weights()]


def rounded(weights):
    whole = [np.rint(np.asarray(w, float) * UNIT) for w in weights]
    if any(np.abs(w).max() > 32767 for w in whole):
        sys.exit(f"live_weights: expected weights below {32767 / UNIT}; got larger: train less.")
    return [w / UNIT for w in whole]


def read(name, x, weights):
    """The states (pictures, 28, units) and scores (pictures, 28, 10), in float64."""
    *cell, kernel, bias = weights
    _, step, count = CELLS[name]
    first = [np.zeros((len(x), kernel.shape[0]))] * count
    states, _, _ = reference.forward(step, x.astype(float), first, cell)
    return states, states @ kernel + bias


def plane(states, labels):
    """The two directions (units, 2) in which the digits' mean states differ most, their middle."""
    means = np.stack([states[labels == digit].mean(axis=0) for digit in range(10)])
    middle = means.mean(axis=0)
    axes = np.linalg.svd(means - middle)[2][:2].T
    return axes, middle


# What is written.


def packed(array):
    return base64.b64encode(np.rint(array * UNIT).astype("<i2").tobytes()).decode()


def code_version():
    """A hash of the code that trains and judges, without its words."""
    folder = Path(rnncells.__file__).parent
    files = [Path(__file__), folder / "reference.py", *(folder / f"cells/{n}.py" for n in RUNS)]
    text = "".join(without_words(file.read_text(encoding="utf-8")) for file in files)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write(name, run, weights, test):
    x, y = test
    states, scores = read(name, x, weights)
    right = scores.argmax(axis=-1) == y[:, None]
    axes, middle = plane(states[:, -1], y)
    axes = np.rint(axes * UNIT) / UNIT
    centres = [
        [round(v, 3) for v in (states[y == d, -1].mean(axis=0) - middle) @ axes] for d in range(10)
    ]
    record = {
        "settings": dataclasses.asdict(run),
        "data": "MNIST, 60,000 training pictures",
        "accuracy": float(right[:, -1].mean()),
        "accuracy_by_row": [round(float(v), 4) for v in right.mean(axis=0)],
        "code": code_version(),
        "versions": {"keras": keras.__version__, "numpy": np.__version__},
        "date": datetime.date.today().isoformat(),
    }
    shapes = [list(w.shape) for w in weights]
    stored = {
        "cell": name, "units": run.units, "accuracy": record["accuracy"], "unit": UNIT,
        "shapes": shapes, "weights": [packed(w) for w in weights],
        "axes": packed(axes), "middle": packed(middle), "centres": centres,
    }  # fmt: skip
    (FOLDER / f"weights-{name}.js").write_text(
        "// Written by experiments/live_weights.py.\n"
        f'((globalThis.rnncells ??= {{}}).weights ??= {{}})["{name}"] = {json.dumps(stored)};\n'
    )
    (FOLDER / f"weights-{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{name}: accuracy on the test digits {record['accuracy']:.4f}")


def write_samples(x, y):
    digits = (255 * x[list(SAMPLES)]).round().astype("uint8")
    stored = {
        "labels": y[list(SAMPLES)].tolist(),
        "pictures": base64.b64encode(digits.tobytes()).decode(),
    }
    (FOLDER / "samples.js").write_text(
        "// Written by experiments/live_weights.py: some of MNIST's test digits.\n"
        f"(globalThis.rnncells ??= {{}}).samples = {json.dumps(stored)};\n"
    )


def write_untrained(units=64):
    """The untrained cell of chapter 4: W, an orthogonal matrix, and the gradient that comes in."""
    random = np.random.default_rng(0)
    kernel = random.uniform(-0.25, 0.25, (SIDE, units))
    orthogonal = np.linalg.qr(random.normal(size=(units, units)))[0]
    arrays = {"kernel": kernel, "orthogonal": orthogonal, "score": random.normal(size=units)}
    stored = {"units": units, "unit": UNIT, **{n: packed(a) for n, a in arrays.items()}}
    (FOLDER / "untrained.js").write_text(
        "// Written by experiments/live_weights.py: the untrained cell of chapter 4.\n"
        f"(globalThis.rnncells ??= {{}}).untrained = {json.dumps(stored)};\n"
    )


def main():
    (x, y), test = data.load_mnist()
    if data.mnist_file() is None:
        sys.exit("The weights need MNIST itself: set RNNCELLS_MNIST to a copy of mnist.npz.")
    write_samples(*test)
    write_untrained()
    names = sys.argv[1:] or list(RUNS)
    pool = [epoch_of(x, RUNS["simple"], epoch) for epoch in range(POOL)]
    for name in names:
        run = RUNS[name]
        write(name, run, rounded(train(run, x, y, pool)), test)


if __name__ == "__main__":
    main()
