"""The results ledger: a run that is stopped ends as if it had not been, once, and is summed up."""

import csv
import dataclasses

import filelock
import keras
import numpy as np
import pytest

from experiments import ledger as program
from rnncells.book import trainings as ledger

RUN = program.Run("rows", "simple", "orthogonal", 3, 1e-2, units=4, batch_size=64, epochs=3)


@pytest.fixture
def few_digits(monkeypatch, tmp_path):
    """The program on 640 random pictures, in a folder of its own."""
    random = np.random.default_rng(0)

    def load_mnist(order):
        x = random_images.astype("float32")
        return (x[:640], labels[:640]), (x[640:], labels[640:])

    labels = random.integers(0, 10, 740)
    random_images = random.uniform(size=(740, 28, 28)) * (labels[:, None, None] + 1) / 10
    monkeypatch.setattr(program.data, "load_mnist", load_mnist)
    monkeypatch.setattr(program.data, "mnist_file", lambda: "mnist.npz")
    monkeypatch.setattr(program, "LEDGER", tmp_path / "ledger.csv")
    monkeypatch.setattr(program, "RUNNING", tmp_path / "running")
    monkeypatch.setattr(program, "plan", lambda: [RUN])


def what_came_out(row):
    return {name: row[name] for name in ("accuracy", "loss", "accuracy_by_epoch", "parameters")}


@pytest.mark.parametrize("stopped_after", [1, 2])
def test_a_stopped_run_ends_as_if_it_had_not_been(few_digits, tmp_path, stopped_after):
    whole = program.train(RUN, program.Saved(tmp_path / "whole"))

    class Stopped(program.Saved):
        def write(self, model, reached):
            super().write(model, reached)
            if len(reached["judged"]) == stopped_after:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        program.train(RUN, Stopped(tmp_path / "halves"))
    keras.utils.set_random_seed(99)  # another program, on another day
    halves = program.train(RUN, program.Saved(tmp_path / "halves"))
    assert what_came_out(halves) == what_came_out(whole)
    assert len(set(whole["accuracy_by_epoch"].split())) > 1  # it did learn something


def test_a_model_that_was_half_written_is_not_read(few_digits, tmp_path):
    saved = program.Saved(tmp_path)
    (tmp_path / "after_1.keras").write_bytes(b"half a file")
    assert saved.read() == (None, {"seconds": 0.0, "judged": []})


def test_every_run_is_done_once(few_digits, capsys):
    program.run_all([])
    before = program.LEDGER.read_text()
    program.run_all([])
    assert program.LEDGER.read_text() == before
    assert list(program.read()) == [RUN]
    assert not RUN.folder.exists()
    assert "(1 of 1)" in capsys.readouterr().out


def test_a_run_that_another_program_is_at_is_left_to_it(few_digits, capsys):
    program.RUNNING.mkdir()
    with filelock.FileLock(f"{RUN.folder}.lock"):
        program.run_all([])
    assert "another program is at it" in capsys.readouterr().out
    assert program.read() == {}


def test_a_row_says_all_settings_and_where_it_was_measured(few_digits):
    program.run_all([])
    (row,) = csv.DictReader(program.LEDGER.read_text().splitlines())
    assert list(row) == program.COLUMNS
    assert all(row.values())
    assert program.run_of(row) == RUN


def test_the_check_passes_on_what_was_stored_and_fails_on_another_number(few_digits, capsys):
    program.run_all([])
    program.check()
    assert "The same." in capsys.readouterr().out
    text = program.LEDGER.read_text()
    row = program.read()[RUN]
    wrong = "0.9999" + row["accuracy_by_epoch"][6:]  # the first of three epochs
    program.LEDGER.write_text(text.replace(row["accuracy_by_epoch"], wrong))
    with pytest.raises(SystemExit, match="differ"):
        program.check()


def test_no_mnist_is_said_in_one_sentence(few_digits, monkeypatch):
    monkeypatch.setattr(program.data, "mnist_file", lambda: None)
    with pytest.raises(SystemExit, match="set RNNCELLS_MNIST"):
        program.Digits(RUN)


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru"])
@pytest.mark.parametrize(("start", "longest"), [("chrono", 195), ("keep", 28)])
def test_a_keeping_bias_keeps_for_its_time(cell, start, longest):
    run = dataclasses.replace(RUN, cell=cell, start=start, units=1000)
    bias = np.ravel(program.keeping_bias(run, steps=196))
    block = bias[1000:2000] if cell == "lstm" else bias[:1000]  # i, f, g, o; z, r, g; z, g
    gate = 1 / (1 + np.exp(-block))
    steps = gate / (1 - gate)
    assert 1 <= steps.min() < 2 and 0.99 * longest < steps.max() <= longest
    others = np.setdiff1d(bias, block)
    closes_input = cell == "lstm" and start == "chrono"
    np.testing.assert_array_equal(others[others != 0], np.unique(-block) if closes_input else [])


def test_two_numbers_are_marked_and_added():
    x, y = program.Adding.sequences(50, [0])
    half = program.ADDING_STEPS // 2
    assert x.shape == (50, 2 * half, 2)
    assert (x[:, :half, 1].sum(1) == 1).all() and (x[:, half:, 1].sum(1) == 1).all()
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(1, keepdims=True), y, rtol=1e-6)


# What is stored.


def test_the_stored_ledger_is_the_plan():
    rows = list(csv.DictReader(program.LEDGER.read_text().splitlines()))
    stored = [program.run_of(row) for row in rows]
    assert len(stored) == len(set(stored))
    assert set(stored) <= set(program.plan())


@pytest.mark.parametrize("task", ["rows", "pixels14", "adding"])
def test_every_cell_that_was_planned_has_five_seeds(task):
    planned = [run for run in program.plan() if run.task == task and run.split == "test"]
    cells = {(run.cell, run.start) for run in planned}
    found = ledger.summary(ledger.load_ledger(task=task, split="test"))
    assert {(row["cell"], row["start"]): row["runs"] for row in found} == dict.fromkeys(cells, 5)


def test_no_judged_sequence_was_trained_on():
    run = dataclasses.replace(RUN, task="adding", batch_size=128)
    task = program.Adding(run)
    other = program.Adding(dataclasses.replace(run, split="validation"))
    first = [task.epoch(run, 0)[0], task.judged[0], other.judged[0]]
    first = [x[:1000, :, 0] for x in first]
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        assert not np.isin(first[a], first[b]).all(axis=1).any()


def test_a_summary_is_mean_and_deviation_over_the_seeds():
    runs = ledger.load_ledger(task="rows", cell="linear", split="test")
    (row,) = ledger.summary(runs)
    accuracy = [run["accuracy"] for run in runs]
    assert row["accuracy"] == pytest.approx(np.mean(accuracy))
    assert row["std"] == pytest.approx(np.std(accuracy, ddof=1))
    assert row["seconds"] == min(run["seconds"] for run in runs)
    assert row["runs"] == len({run["seed"] for run in runs}) == len(runs)


def test_a_table_lists_the_best_first_and_no_deviation_of_a_single_run(capsys):
    runs = ledger.load_ledger(task="rows", split="test")
    ledger.print_table([*runs, {**runs[0], "cell": "lonely"}])
    lines = capsys.readouterr().out.splitlines()
    shown = [float(line[17:23]) for line in lines]
    assert shown == sorted(shown, reverse=True)
    assert [("±" in line) for line in lines] == ["lonely" not in line for line in lines]


def test_an_unknown_column_is_an_error():
    with pytest.raises(KeyError):
        ledger.load_ledger(task="nosuch", colour="blue")
