"""The mathematics of the live pages against rnncells.reference, in Node, and what they read.

What the pages show is tested in test_live_pages.py, in a browser.
"""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from experiments import live_letters, live_weights
from rnncells import reference
from rnncells.book import data, words

ROOT = Path(__file__).resolve().parent.parent
LIVE = ROOT / "site" / "live"
NODE = Path(__file__).parent / "live" / "node.js"
KINDS = ("simple", "lstm", "gru")
GATES = {"simple": {}, "lstm": {"i": 3, "f": 4, "g": 5, "o": 6}, "gru": {"z": 2, "r": 3, "g": 4}}
BACK = {
    "simple": reference.simple_step_back,
    "lstm": reference.lstm_step_back,
    "gru": reference.gru_reset_after_step_back,
}
ALLOWED = 1e-6

node = shutil.which("node")
needs_node = pytest.mark.skipif(not node, reason="Node.js is missing: the scripts are not run")


def ask(question, *files):
    done = subprocess.run([node, NODE, question, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shipped(kind):
    """The stored weights: kernel, recurrent_kernel, bias, and the dense layer's two."""
    text = (LIVE / f"weights-{kind}.js").read_text()
    stored = json.loads(re.search(r"\] = (\{.*\});\n$", text).group(1))
    whole = [np.frombuffer(base64.b64decode(w), "<i2") for w in stored["weights"]]
    shaped = [w.reshape(s) / stored["unit"] for w, s in zip(whole, stored["shapes"], strict=True)]
    return stored, shaped


def as_cell(kind, weights):
    """The cell as the scripts know it."""
    names = ("kernel", "recurrent_kernel", "bias")
    kernel, bias = weights[3:]
    return {
        "kind": kind,
        "units": kernel.shape[0],
        "weights": {n: w.ravel().tolist() for n, w in zip(names, weights, strict=False)},
        "dense": {"kernel": kernel.ravel().tolist(), "bias": bias.tolist()},
    }


@pytest.fixture(scope="session")
def digits():
    """Pictures as float64, and their labels: MNIST's test digits or the stand-in's."""
    x, y = data.load_mnist()[1]
    return np.rint(x.astype(float) * 255) / 255, y


def random_weights(kind, random, units=5):
    """Biases that are not zero, which would hide mistakes."""
    blocks = {"simple": 1, "lstm": 4, "gru": 3}[kind]
    bias = (2, 3 * units) if kind == "gru" else (blocks * units,)
    shapes = [(28, blocks * units), (units, blocks * units), bias, (units, 10), (10,)]
    return [random.normal(0, 0.5, shape) for shape in shapes]


def case(kind, weights, x, folder):
    """A case for compare.js: what is given and what Python computes, as files of float64."""
    *cell, kernel, bias = weights
    units, random = kernel.shape[0], np.random.default_rng(1)
    step, count = live_weights.CELLS[kind][1:]
    first = [np.zeros((len(x), units))] * count
    d_outputs = random.normal(size=(len(x), 28, units))
    d_states = [random.normal(size=(len(x), units)) for _ in range(count)]
    h, _, tape = reference.forward(step, x, first, cell)
    states = [h] + ([np.stack([t[-1] for t in tape], axis=1)] if kind == "lstm" else [])
    gates = [np.stack([saved[k] for saved in tape], axis=1) for k in GATES[kind].values()]
    d_x, d_first, d_weights = reference.backward(BACK[kind], tape, d_outputs, d_states, cell)
    expected = [*states, *gates, h @ kernel + bias, d_x, *d_first, *d_weights]
    files = {}
    for name, arrays in {"given": [x, d_outputs, *d_states], "expected": expected}.items():
        files[name] = str(folder / f"{kind}-{name}.bin")
        np.concatenate([a.ravel() for a in arrays]).astype("<f8").tofile(files[name])
    return {"cell": as_cell(kind, weights), "count": len(x), **files}


@pytest.fixture(scope="session")
def thousand(digits, tmp_path_factory):
    """The shipped cells on a thousand digits."""
    folder = tmp_path_factory.mktemp("thousand")
    cases = [case(kind, shipped(kind)[1], digits[0][:1000], folder) for kind in KINDS]
    (folder / "cases.json").write_text(json.dumps(cases))
    return folder / "cases.json"


@pytest.fixture(scope="module")
def few(digits, tmp_path_factory):
    """Small cells with random weights on a few digits: enough to see a wrong sign."""
    folder, random = tmp_path_factory.mktemp("few"), np.random.default_rng(0)
    cases = [case(kind, random_weights(kind, random), digits[0][:3], folder) for kind in KINDS]
    (folder / "cases.json").write_text(json.dumps(cases))
    return folder / "cases.json"


# Equal to Python.

NAMES = {
    kind: {*states, *GATES[kind], "scores", "d_x", *(f"d_{s}" for s in states)}
    | {"d_kernel", "d_recurrent_kernel", "d_bias"}
    for kind, states in {"simple": "h", "lstm": "hc", "gru": "h"}.items()
}


def assert_equal(answers):
    for answer in answers:
        assert set(answer["found"]) == NAMES[answer["kind"]]
        apart = {n: d for n, d in answer["found"].items() if d is None or not d <= ALLOWED}
        assert not apart, answer["kind"]


@needs_node
def test_a_thousand_digits_forward_and_backward(thousand):
    answers = ask("equality", thousand)
    assert [answer["kind"] for answer in answers] == list(KINDS)
    assert_equal(answers)


@needs_node
def test_random_weights_with_biases(few):
    assert_equal(ask("equality", few))


MUTANTS = {
    "the product skips the last feature": (
        "if (x[row] === 0) continue; // much",
        "if (row === x.length - 1) continue; // much",
    ),
    "a product goes back along rows": (
        "y[k] * matrix[row * columns + k]",
        "y[k] * matrix[k * columns + row]",
    ),
    "an outer product replaces": (
        "total[start + k] += x[row] * y[k]",
        "total[start + k] = x[row] * y[k]",
    ),
    "a sum forgets where it starts": ("total[start + k] += part[k]", "total[k] += part[k]"),
    "a sigmoid twice as steep": ("Math.tanh(0.5 * a)", "Math.tanh(a)"),
    "the simple cell without its bias": (
        "times(h, recurrent_kernel, bias.length)), bias)",
        "times(h, recurrent_kernel, bias.length)), [])",
    ),
    "the simple cell without tanh": ("Math.tanh(a[k])", "a[k]"),
    "tanh' without its square": ("1 - new_h[k] ** 2", "1 - new_h[k]"),
    "the LSTM's f and i change places": ("sigmoid(a[n + k])", "sigmoid(a[k])"),
    "c forgets nothing": ("f[k] * c[k] + i[k] * g[k]", "c[k] + i[k] * g[k]"),
    "c writes without i": ("f[k] * c[k] + i[k] * g[k]", "f[k] * c[k] + g[k]"),
    "h shows c without tanh": ("o[k] * Math.tanh(new_c[k]));", "o[k] * new_c[k]);"),
    "the candidate through a sigmoid": ("Math.tanh(a[2 * n + k])", "sigmoid(a[2 * n + k])"),
    "h's way to c is left out": ("d_h[k] * o[k] * (1 - Math.tanh(new_c[k]) ** 2)", "0"),
    "what comes to c is left out": ("d_c_after[k] + d_h[k] * o[k]", "d_h[k] * o[k]"),
    "f's derivative with the new c": ("d_c[k] * c[k] * f[k]", "d_c[k] * new_c[k] * f[k]"),
    "o's derivative without tanh": (
        "d_h[k] * Math.tanh(new_c[k]) * o[k]",
        "d_h[k] * new_c[k] * o[k]",
    ),
    "i's slope is forgotten": ("d_c[k] * g[k] * i[k] * (1 - i[k])", "d_c[k] * g[k] * i[k]"),
    "c's direct path without f": ("each(n, (k) => d_c[k] * f[k])]", "each(n, (k) => d_c[k])]"),
    "z turned round": ("z[k] * h[k] + (1 - z[k]) * g[k]", "(1 - z[k]) * h[k] + z[k] * g[k]"),
    "r before the product": (
        "from_x[2 * n + k] + r[k] * hg[k]",
        "r[k] * from_x[2 * n + k] + hg[k]",
    ),
    "the second bias is the first": ("3 * n), bias.slice(3 * n))", "3 * n), bias.slice(0, 3 * n))"),
    "z's derivative with its sign turned": ("(h[k] - g[k]) * z[k]", "(g[k] - h[k]) * z[k]"),
    "g sees h without r": ("each(n, (k) => d_g[k] * r[k])", "d_g"),
    "r's derivative without the product": ("d_g[k] * hg[k] * r[k]", "d_g[k] * h[k] * r[k]"),
    "the direct path of h is left out": ("d_h[k] * z[k]", "0"),
    "the second bias gets nothing": ("add(d_weights.bias, d_from_h, 3 * n);", ""),
    "a state is not carried on": ("states = step.states;", ""),
    "scores without their bias": ("dense.bias.length), dense.bias);", "dense.bias.length), []);"),
    "back from the first row on": (
        "let t = rows.length - 1; t >= 0; t--",
        "let t = 0; t < rows.length; t++",
    ),
    "the loss sees no output but the last": (
        "d_outputs[t] ?? []",
        "(t === 27 && d_outputs[t]) || []",
    ),
    "the final states' derivatives are dropped": ("d_states?.[k] ??", "undefined ??"),
}


@needs_node
def test_every_mutant_is_killed(few, tmp_path):
    source = (LIVE / "cells.js").read_text()
    changed = []
    for name, (old, new) in MUTANTS.items():
        assert source.count(old) == 1, f"{name}: its line has changed"
        changed.append(source.replace(old, new))
    file = tmp_path / "mutants.json"
    file.write_text(json.dumps([source, *changed]))
    first, *others = ask("mutants", few, file)
    assert first == "alive"
    assert [n for n, fate in zip(MUTANTS, others, strict=True) if fate == "alive"] == []


# Meddling with a cell: a held gate is a gate whose weights are zero and whose bias is huge.


def held(kind, weights, gate, value):
    kernel, recurrent, bias, *dense = (w.copy() for w in weights)
    block = {"lstm": "ifgo", "gru": "zrg"}[kind].index(gate)
    units = recurrent.shape[0]
    part = slice(block * units, (block + 1) * units)
    kernel[:, part] = recurrent[:, part] = bias[..., part] = 0
    (bias[0] if kind == "gru" else bias)[part] = 80 * value - 40
    return [kernel, recurrent, bias, *dense]


@needs_node
def test_held_gates_and_a_forgotten_row(digits, tmp_path):
    random = np.random.default_rng(2)
    calls, expected = [], []
    x = digits[0][:1]
    for kind, gates in {"lstm": "ifo", "gru": "zr"}.items():
        weights = random_weights(kind, random)
        for gate in gates:
            for value in (0, 1):
                calls.append((kind, weights, {"held": {gate: value}}))
                expected.append(live_weights.read(kind, x, held(kind, weights, gate, value))[1][0])
    for kind in KINDS:
        weights = random_weights(kind, random)
        calls.append((kind, weights, {"forgetAt": 14}))
        parts = [live_weights.read(kind, part, weights)[1][0] for part in (x[:, :14], x[:, 14:])]
        expected.append(np.concatenate(parts))
    file = tmp_path / "calls.json"
    file.write_text(
        json.dumps(
            [
                {"cell": as_cell(kind, weights), "picture": x[0].tolist(), "meddling": meddling}
                for kind, weights, meddling in calls
            ]
        )
    )
    np.testing.assert_allclose(ask("meddling", file), expected, atol=ALLOWED, rtol=0)


# Real drawings.

SIZE = 112  # pixels of a redrawn digit's sheet


def redrawn(picture, scale, shift, wider):
    """A digit as a pen of another width draws it, somewhere on a sheet, larger or smaller.

    The outline is where the picture, enlarged, is dark enough; ``wider`` moves it outwards
    by so many of the 28 pixels, or inwards.
    """
    middle, corner = (SIZE - 1) / 2, 13.5
    zoom = 28 / SIZE / scale
    place = corner - zoom * (middle + np.array(shift))
    large = ndimage.affine_transform(picture, [zoom, zoom], place, (SIZE, SIZE), order=1)
    inside = large > 0.4
    outline = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    return np.clip(outline + wider / zoom + 0.5, 0, 1)


REDRAWN = {
    "shifted": {"scale": 0.75, "shift": (-9, 12), "wider": 0},
    "smaller": {"scale": 0.5, "shift": (20, -14), "wider": 0},
    "larger": {"scale": 1.15, "shift": (0, 0), "wider": 0},
    "thicker": {"scale": 0.9, "shift": (0, 0), "wider": 0.5},
    "thinner": {"scale": 0.9, "shift": (0, 0), "wider": -0.35},
}


@needs_node
@pytest.mark.parametrize("how", REDRAWN)
def test_redrawn_digits_are_read(digits, tmp_path, how):
    x, y = digits[0][:400], digits[1][:400]
    sheets = np.stack([redrawn(picture, **REDRAWN[how]) for picture in x])
    sheets = np.rint(255 * sheets).astype("uint8")
    sheets.tofile(tmp_path / "sheets")
    header = {"height": SIZE, "width": SIZE, "count": len(x)}
    (tmp_path / "header.json").write_text(json.dumps(header))
    answer = ask("drawings", tmp_path / "sheets", tmp_path / "header.json")
    ours = [live_weights.centred(sheet / 255) for sheet in sheets[:20]]
    np.testing.assert_allclose(answer["pictures"], ours, atol=ALLOWED, rtol=0)
    right = {kind: np.mean(np.array(told) == y) for kind, told in answer["answers"].items()}
    print(how, right)
    if data.mnist_file():
        assert min(right.values()) >= 0.97, right


@needs_node
def test_a_centred_picture_is_as_mnist_has_it(digits, tmp_path):
    """Where and how large it is drawn does not matter."""
    strokes = [[{"x": 10, "y": 10}, {"x": 10, "y": 90}], [{"x": 10, "y": 50}, {"x": 60, "y": 50}]]
    for shift, scale in ((0, 1), (300, 4)):
        moved = [[{k: v * scale + shift for k, v in p.items()} for p in s] for s in strokes]
        (tmp_path / "strokes.json").write_text(json.dumps(moved))
        picture = np.array(ask("strokes", tmp_path / "strokes.json"))
        mass = picture.sum(axis=1) @ np.arange(28) / picture.sum()
        across = picture.sum(axis=0) @ np.arange(28) / picture.sum()
        np.testing.assert_allclose([mass, across], 13.5, atol=0.02)  # a pixel is a whole
        high = np.flatnonzero(picture.any(axis=1))
        assert 20 <= high[-1] - high[0] + 1 <= 21  # a box of 20 between pixels
        assert picture.max() <= 1 + 1e-9


# Spelling.


def next_shares(names):
    """For each name the probabilities (letters + 1, 27) of the end and of a to z."""
    logs = live_letters.log_shares(words.encode(names)[0], shipped("letters")[1])
    return [np.exp(rows[: len(name) + 1]) for name, rows in zip(names, logs, strict=True)]


def written(name, temperature, random):
    """The name that goes on where each of the given numbers falls."""
    for u in random:
        codes = np.array([[words.BOUNDARY, *(ord(letter) - 95 for letter in name)]])
        logs = live_letters.log_shares(codes, shipped("letters")[1])[0, -1] / temperature
        sums = np.cumsum(np.exp(logs))
        place = int(np.searchsorted(sums, u * sums[-1], side="right"))
        if place == 0 or len(name) == words.LONGEST:
            return {"name": name, "ended": place == 0}
        name += chr(96 + place)


def spelled(folder, names, calls, sources):
    """What each version of spelling.js says."""
    (folder / "given.json").write_text(json.dumps({"names": names, "calls": calls}))
    (folder / "sources.json").write_text(json.dumps(sources))
    return ask("spelling", folder / "given.json", folder / "sources.json")


def names_and_calls(count):
    """Test names, and beginnings with numbers from 0 to 1: one of them is as long as can be."""
    random = np.random.default_rng(3)
    starts = ("", "ric", "mar", "christophersa")
    calls = [
        {"name": start, "temperature": temperature, "random": random.random(15).tolist()}
        for start in starts
        for temperature in (0.3, 1, 1.5)
    ]
    return words.load_names()[2][:count], calls


def differences(answer, names, calls):
    """The largest between the probabilities, and the names that Python writes otherwise."""
    apart = [
        np.abs(np.array(found) - expected).max() if np.shape(found) == expected.shape else np.inf
        for found, expected in zip(answer["shares"], next_shares(names), strict=True)
    ]
    others = [c for c, found in zip(calls, answer["written"], strict=True) if found != written(**c)]
    return max(apart), others


@needs_node
def test_two_hundred_names_are_spelled_and_others_written(tmp_path):
    names, calls = names_and_calls(200)
    (answer,) = spelled(tmp_path, names, calls, [(LIVE / "spelling.js").read_text()])
    apart, others = differences(answer, names, calls)
    assert apart <= ALLOWED
    assert others == []
    assert {found["ended"] for found in answer["written"]} == {True, False}


SPELLING_MUTANTS = {
    "no boundary before the first letter": ("[BOUNDARY, ...Array", "[0, ...Array"),
    "letters of one code less": ("BOUNDARY + PLACES.indexOf", "PLACES.indexOf"),
    "padding has a share": ("scores.slice(BOUNDARY)", "scores.slice(0)"),
    "the temperature turned round": ("score / temperature", "score * temperature"),
    "a share that is large enough": ("u < (sum += share)", "u < share"),
    "the end is a letter": ("if (place === 0)", "if (place === -1)"),
    "one letter more": ("name.length >= LONGEST", "name.length > LONGEST"),
}


@needs_node
def test_every_mutant_of_the_spelling_is_killed(tmp_path):
    source = (LIVE / "spelling.js").read_text()
    changed = []
    for name, (old, new) in SPELLING_MUTANTS.items():
        assert source.count(old) == 1, f"{name}: its line has changed"
        changed.append(source.replace(old, new))
    names, calls = names_and_calls(3)
    first, *answers = spelled(tmp_path, names, calls, [source, *changed])
    apart, others = differences(first, names, calls)
    assert apart <= ALLOWED and others == []
    for name, answer in zip(SPELLING_MUTANTS, answers, strict=True):
        apart, others = differences(answer, names, calls)
        assert apart > ALLOWED or others, name


def test_the_bits_on_the_page_are_those_of_the_shipped_letters():
    stored, weights = shipped("letters")
    record = json.loads((LIVE / "weights-letters.json").read_text())
    assert stored["bits"] == record["bits"]
    assert record["code"] == live_letters.code_version()
    np.testing.assert_allclose(
        live_letters.bits(words.load_names()[2], weights), record["bits"], atol=1e-6
    )


# The shipped weights.


def test_the_accuracy_on_the_page_is_that_of_the_shipped_weights(digits):
    x, y = digits
    for kind in KINDS:
        stored, weights = shipped(kind)
        record = json.loads((LIVE / f"weights-{kind}.json").read_text())
        assert stored["accuracy"] == record["accuracy"]
        assert record["code"] == live_weights.code_version()
        if data.mnist_file():
            scores = live_weights.read(kind, x, weights)[1]
            assert np.mean(scores[:, -1].argmax(axis=1) == y) == record["accuracy"]
