"""The README's lines run as they are printed, on fewer pictures."""

import re
from pathlib import Path

import keras
import pytest

import rnncells.book.data
from rnncells.book.trainings import load_ledger, summary

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def few_digits():
    (x_train, y_train), (x_test, y_test) = load_mnist()
    return (x_train[:640], y_train[:640]), (x_test[:100], y_test[:100])


load_mnist = rnncells.book.data.load_mnist


@pytest.mark.filterwarnings("ignore:MNIST could not be had")
def test_ten_lines_train_an_lstm(monkeypatch, capsys):
    monkeypatch.setattr(rnncells.book.data, "load_mnist", few_digits)
    assert len([line for line in BLOCKS[0].splitlines() if line]) <= 10
    exec(BLOCKS[0], {"__name__": "readme"})
    assert "'accuracy': " in capsys.readouterr().out


def test_a_cell_of_ones_own_runs():
    scope = {"__name__": "readme"}
    exec(BLOCKS[1], scope)
    layer = keras.layers.RNN(scope["MinimalCell"](4))
    assert layer(keras.ops.ones((2, 5, 3))).shape == (2, 4)


CELLS = {
    "linear": ("linear", "orthogonal"),
    "simple": ("simple", "orthogonal"),
    "simple, ReLU and identity initialization": ("simple", "identity"),
    "GRU": ("gru", "orthogonal"),
    "LSTM": ("lstm", None),  # any start: there is one for each task
}


# The rates that were best on held-out examples.
CHOSEN = {("simple", "pixels14"): 0.003, ("simple", "adding"): 0.003}


def in_percent(row):
    return f"{100 * row['accuracy']:.2f} ± {100 * row['std']:.2f}"


@pytest.mark.parametrize("name", CELLS)
def test_the_results_are_those_of_the_ledger(name):
    cell, start = CELLS[name]
    shown = []
    for task in ("rows", "pixels14", "adding"):
        runs = load_ledger(task=task, split="test", cell=cell, shift=0)
        complete = [row for row in summary(runs) if row["runs"] >= 5]
        rows = [row for row in complete if start in (None, row["start"])]
        if rate := CHOSEN.get((name, task)):
            rows = [row for row in rows if row["learning_rate"] == rate]
        numbers = [in_percent(row) for row in rows]
        shown.append(numbers[0] if numbers else "")
    assert re.sub(r" +", " ", f"| {name} | {' | '.join(shown)} |") in README


def test_the_best_by_rows_is_that_of_the_ledger():
    (row,) = summary(load_ledger(task="rows", split="test", shift=2))
    assert f"{in_percent(row)} by rows ({row['runs']} seeds)" in README


def test_the_results_at_equal_weights_are_those_of_the_ledger():
    (gru,), (lstm,) = (
        summary(load_ledger(task="rows", split="test", units=units)) for units in (69, 59)
    )
    assert f"the GRU comes to {in_percent(gru)} and the LSTM to {in_percent(lstm)}" in README
