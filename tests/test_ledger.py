"""The results ledger: a run that is stopped ends as if it had not been, once, and is summed up."""

import csv
import dataclasses
import math

import filelock
import keras
import numpy as np
import pytest

from experiments import ledger as program
from experiments import training
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
    monkeypatch.setattr(training.data, "load_mnist", load_mnist)
    monkeypatch.setattr(training.data, "mnist_file", lambda: "mnist.npz")
    monkeypatch.setattr(program, "LEDGER", tmp_path / "ledger.csv")
    monkeypatch.setattr(program, "RUNNING", tmp_path / "running")
    monkeypatch.setattr(program, "plan", lambda: [RUN])


def what_came_out(row):
    return {name: row[name] for name in ("accuracy", "loss", "accuracy_by_epoch", "parameters")}


@pytest.fixture
def whole(few_digits, tmp_path):
    """The row of the run, never stopped."""
    return program.train(RUN, program.Saved(tmp_path / "whole"))


@pytest.mark.parametrize("stopped_after", [1, 2])
def test_a_stopped_run_ends_as_if_it_had_not_been(whole, tmp_path, stopped_after):

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


def test_a_run_that_is_killed_within_an_epoch_does_that_epoch_again(whole, tmp_path, monkeypatch):
    class Killed(training.Progress):
        def on_train_batch_end(self, batch, logs=None):
            if len(self.reached["judged"]) == 1 and batch + 1 == self.batches:
                raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(training, "Progress", Killed)
        program.train(RUN, program.Saved(tmp_path / "killed"))
    again = program.train(RUN, program.Saved(tmp_path / "killed"))
    assert what_came_out(again) == what_came_out(whole)


def test_a_model_that_was_half_written_is_not_read(few_digits, tmp_path):
    saved = program.Saved(tmp_path)
    (tmp_path / "after_1.keras").write_bytes(b"half a file")
    assert saved.read("abc") == (None, {"seconds": 0.0, "judged": [], "code": "abc"})


def test_a_run_that_meets_other_code_stops_with_a_sentence(few_digits, tmp_path, monkeypatch):
    program.train(RUN, program.Saved(tmp_path / "run"))
    monkeypatch.setattr(training, "code_version", lambda run: "0123456789ab")
    with pytest.raises(SystemExit, match="begun with other code .* now 0123456789ab.*delete"):
        program.train(RUN, program.Saved(tmp_path / "run"))


def test_the_version_of_the_code_is_that_of_what_the_numbers_depend_on():
    def files(cell):
        return {path.name for path in training.sources(dataclasses.replace(RUN, cell=cell))}

    assert {"lstm.py", "affine.py", "contract.py", "data.py", "training.py"} <= files("lstm")
    assert "gru.py" not in files("lstm") and "ledger.py" not in files("lstm")
    assert {"mingru.py", "diagonal.py", "parallel.py"} <= files("mingru")
    versions = {training.code_version(dataclasses.replace(RUN, cell=c)) for c in training.CELLS}
    assert len(versions) == len(training.CELLS)


def test_words_do_not_change_the_version_of_the_code_and_numbers_do():
    program_text = 'def f(x):\n    """Words."""\n    return 2 * x  # why\n'
    plain = training.without_words(program_text)
    other_words = program_text.replace("Words", "Other words").replace("why", "because")
    assert training.without_words(other_words.replace("\n", "\n\n")) == plain
    assert training.without_words(program_text.replace("2", "3")) != plain


def test_a_run_that_broke_is_a_row_and_is_counted(few_digits, monkeypatch, capsys):
    runs = [dataclasses.replace(RUN, start="identity", learning_rate=r) for r in (1e-2, 1e30)]
    monkeypatch.setattr(program, "plan", lambda: runs)
    program.run_all([])
    monkeypatch.setattr(ledger, "LEDGER", program.LEDGER)
    found = ledger.load_ledger()
    assert [math.isfinite(run["loss"]) for run in found] == [True, False]
    assert [ledger.failed(run) for run in found] == [False, True]
    same = [run | {"learning_rate": 1e-2} for run in found]
    (row,) = ledger.summary(same)
    assert (row["runs"], row["failed"]) == (2, 1)
    assert row["accuracy"] == np.mean([run["accuracy"] for run in found])


def test_a_run_keeps_which_digits_it_got_wrong(few_digits, monkeypatch):
    program.run_all([])
    monkeypatch.setattr(ledger, "LEDGER", program.LEDGER)
    (run,) = ledger.load_ledger()
    assert run["wrong"][:100].sum() == round(100 * (1 - run["accuracy"]))  # 100 digits are judged
    assert 0 < run["wrong"].sum() < 100


def test_a_run_that_chose_a_setting_keeps_them_of_the_held_out_images(few_digits, monkeypatch):
    held_out = dataclasses.replace(RUN, split="validation")
    monkeypatch.setattr(training, "VALIDATION", 128)
    monkeypatch.setattr(program, "plan", lambda: [held_out])
    program.run_all([])
    monkeypatch.setattr(ledger, "LEDGER", program.LEDGER)
    (run,) = ledger.load_ledger()
    assert run["wrong"][:128].sum() == round(128 * (1 - run["accuracy"])) > 0


def test_a_model_is_fed_the_examples_in_their_order(few_digits):
    (x, y), _ = training.data.load_mnist("rows")
    fed = training.fed(x, y, 64)
    if keras.backend.backend() == "tensorflow":
        batches = [batch.numpy() for batch, _ in fed["x"]]
        assert [len(batch) for batch in batches] == [64] * 10
        np.testing.assert_array_equal(np.concatenate(batches), x)
        np.testing.assert_array_equal(np.concatenate([labels for _, labels in fed["x"]]), y)
    else:
        assert fed["x"] is x and fed["y"] is y and fed["batch_size"] == 64


def test_every_run_is_done_once(few_digits, capsys):
    program.run_all([])
    before = program.LEDGER.read_text()
    program.run_all([])
    assert program.LEDGER.read_text() == before
    assert list(program.read()) == [RUN]
    assert not (program.RUNNING / RUN.name).exists()
    assert "(1 of 1)" in capsys.readouterr().out


def test_a_run_that_another_program_is_at_is_left_to_it(few_digits, capsys):
    program.RUNNING.mkdir()
    with filelock.FileLock(f"{program.RUNNING / RUN.name}.lock"):
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
    monkeypatch.setattr(training.data, "mnist_file", lambda: None)
    with pytest.raises(SystemExit, match="set RNNCELLS_MNIST"):
        training.Digits(RUN)


@pytest.mark.parametrize("cell", training.CELLS)
def test_a_key_of_gates_draws_the_bias_and_leaves_the_other_weights(cell):
    def weights(start):
        run = dataclasses.replace(RUN, cell=cell, start=start)
        keras.utils.set_random_seed(0)
        made = training.make_cell(run, steps=196)
        made.build((None, 1))
        return made.get_weights()

    plain = weights("orthogonal")
    for start in training.GATES:
        *others, bias = weights(start)
        assert all(map(np.array_equal, others, plain))
        assert bias.shape == plain[-1].shape and not np.array_equal(bias, plain[-1])


def test_a_shifted_picture_is_the_picture_elsewhere():
    pictures = np.zeros((500, 28, 28), "float32")
    pictures[:, 9:19, 10:18] = np.arange(1, 81).reshape(10, 8)
    shifted = training.shifted(pictures, 2, np.random.default_rng(0))
    moves = set()
    for picture, moved in zip(pictures, shifted, strict=True):
        down, right = np.subtract(np.argwhere(moved)[0], np.argwhere(picture)[0])
        np.testing.assert_array_equal(moved, np.roll(picture, (down, right), (0, 1)))
        moves.add((down, right))
    assert moves == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_every_epoch_shifts_its_pictures_anew_and_the_judged_ones_stay(few_digits):
    plain, shift = (training.Digits(run) for run in (RUN, dataclasses.replace(RUN, shift=2)))
    run = dataclasses.replace(RUN, shift=2)
    first, again, second = (shift.epoch(run, epoch)[0] for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, plain.epoch(RUN, 0)[0])
    np.testing.assert_array_equal(shift.judged[0], plain.judged[0])


def test_layers_directions_and_dropout_make_the_network(few_digits):
    run = dataclasses.replace(RUN, layers=2, directions=2, dropout=0.25)
    model = training.make_model(run, training.Digits(run))
    names = [type(layer).__name__ for layer in model.layers]
    assert names == ["Bidirectional", "Dropout"] * 2 + ["Dense"]
    assert model.layers[1].rate == 0.25
    assert model.layers[0].output.shape == (None, 28, 8)  # every step of both directions
    assert model.layers[2].output.shape == (None, 8)


def test_an_identity_start_sets_each_block_and_keeps_the_drawn_bias(few_digits):
    runs = [dataclasses.replace(RUN, cell="lstm", start=s) for s in ("keep", "keep+identity")]
    keep, identity = (training.make_model(run, training.Digits(run)) for run in runs)
    np.testing.assert_array_equal(identity.weights[1], np.tile(np.eye(4), 4))
    for number in (0, 2):
        np.testing.assert_array_equal(identity.weights[number], keep.weights[number])


def test_two_numbers_are_marked_and_added():
    x, y = training.Adding.sequences(50, [0])
    half = training.ADDING_STEPS // 2
    assert x.shape == (50, 2 * half, 2)
    assert (x[:, :half, 1].sum(1) == 1).all() and (x[:, half:, 1].sum(1) == 1).all()
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(1, keepdims=True), y, rtol=1e-6)


def test_one_number_is_marked_and_recalled():
    run = dataclasses.replace(RUN, task="recall20")
    x, y = training.task_of(run).sequences(50, [0])
    assert x.shape == (50, 25, 2)
    assert (x[:, :5, 1].sum(1) == 1).all() and not x[:, 5:, 1].any()
    np.testing.assert_array_equal(x[x[..., 1] == 1, 0], y[:, 0])


def test_every_task_knows_what_guessing_gets():
    assert set(program.TASKS) == set(ledger.CHANCE)


# What is stored.


def test_the_stored_ledger_is_the_plan():
    rows = list(csv.DictReader(program.LEDGER.read_text().splitlines()))
    stored = [program.run_of(row) for row in rows]
    assert len(stored) == len(set(stored))
    assert set(stored) <= set(program.plan())


@pytest.mark.parametrize("task", ["rows", "pixels14", "adding"])
def test_every_cell_that_was_planned_has_a_result_of_five_seeds(task):
    planned = [run for run in program.plan() if run.task == task and run.split == "test"]
    found = ledger.summary(ledger.load_ledger(task=task, split="test"))
    complete = {(row["cell"], row["start"]) for row in found if row["runs"] >= 5}
    assert {(run.cell, run.start) for run in planned} == complete


def test_no_judged_sequence_was_trained_on():
    run = dataclasses.replace(RUN, task="adding", batch_size=128)
    task = training.Adding(run)
    other = training.Adding(dataclasses.replace(run, split="validation"))
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
    runs = ledger.load_ledger(task="rows", split="test", units=128)
    ledger.show_results([*runs, {**runs[0], "cell": "lonely"}])
    header, *lines = capsys.readouterr().out.splitlines()
    place = header.index("accuracy")
    shown = [float(line[place : place + 5]) for line in lines]
    assert shown == sorted(shown, reverse=True)
    assert [("±" in line) for line in lines] == ["lonely" not in line for line in lines]


def test_a_table_says_what_was_trained_and_epochs_where_they_differ(capsys):
    runs = [a_run(split="test"), a_run(split="test", layers=2, directions=2, shift=2, dropout=0.2)]
    ledger.show_results(runs)
    text = capsys.readouterr().out
    assert "2 x lstm, both directions, dropout 0.2, shifted" in text
    assert "epochs" not in text
    ledger.show_results([*runs, a_run(split="test", epochs=9)])
    assert "epochs" in capsys.readouterr().out


def a_run(**settings):
    others = {"warmup": 0.1, "clip": 1.0, "split": "validation", "layers": 1, "units": 64}
    others |= {"directions": 1, "dropout": 0.0, "shift": 0}
    run = {"task": "rows", "cell": "lstm", "start": "keep", "batch_size": 64, "epochs": 3}
    result = {"accuracy": 0.9, "loss": 0.1, "accuracy_by_epoch": [0.9], "seconds": 1}
    return {**others, **run, **result, "parameters": 9, "learning_rate": 1e-2, **settings}


@pytest.mark.parametrize(
    ("came_out", "failed"),
    [
        ({}, False),
        ({"loss": math.nan}, True),  # it had learned, and broke
        ({"loss": math.inf}, True),
        ({"accuracy_by_epoch": [0.1135, 0.1135]}, True),
        ({"accuracy_by_epoch": [0.5, 0.1135]}, False),
        ({"task": "adding", "accuracy_by_epoch": [0.0923]}, True),
        ({"task": "adding", "accuracy_by_epoch": [0.12]}, False),
    ],
)
def test_a_run_failed_if_it_broke_or_was_never_better_than_chance(came_out, failed):
    assert ledger.failed(a_run(**came_out)) == failed


def test_trials_are_the_settings_tried_for_the_cell_and_seeds_do_not_count():
    tried = [a_run(seed=seed) for seed in range(3)]
    tried += [a_run(learning_rate=3e-3), a_run(start="chrono"), a_run(batch_size=128)]
    tried += [a_run(cell="gru"), a_run(task="pixels"), a_run(units=128), a_run(layers=2)]
    assert len(ledger.trials_of(a_run(split="test"), tried)) == 4
    simple = [a_run(cell="simple", start=start) for start in ("orthogonal", "identity")]
    for run in simple:  # tanh and ReLU are two cells
        assert ledger.trials_of(run, simple) == [run]


@pytest.mark.parametrize(
    ("chosen", "edge"),
    [
        ({}, ()),
        ({"learning_rate": 3e-2}, ("learning_rate",)),
        ({"learning_rate": 1e-3}, ("learning_rate",)),
        ({"batch_size": 128}, ("learning_rate", "batch_size")),  # one rate was tried with it
        ({"start": "chrono"}, ()),
    ],
)
def test_what_was_chosen_at_the_edge_of_what_was_tried_is_named(chosen, edge):
    tried = [a_run(learning_rate=rate) for rate in (1e-3, 1e-2, 3e-2)]
    tried += [a_run(batch_size=32), a_run(batch_size=128)]
    assert ledger.at_edge(a_run(**chosen), tried) == edge


def test_where_nothing_was_tried_nothing_is_at_an_edge(capsys):
    assert ledger.at_edge(a_run(), []) == ()
    ledger.show_results([a_run(task="permuted", split="test")])
    assert "*" not in capsys.readouterr().out


def with_wrong(*digits, **settings):
    wrong = np.zeros(10_000, bool)
    wrong[list(digits)] = True
    return a_run(wrong=wrong, accuracy=1 - wrong.mean(), **settings)


def test_two_runs_are_compared_on_the_same_digits_as_mcnemar_does():
    found = ledger.difference([with_wrong(*range(100))], [with_wrong(*range(90, 150))])
    only_first, only_second = 90, 50
    assert found["difference"] == pytest.approx((only_second - only_first) / 10_000)
    apart = only_first + only_second - (only_first - only_second) ** 2 / 10_000
    assert found["digits"] == pytest.approx(math.sqrt(apart) / 10_000)
    assert found["paired"] and found["seeds"] is None and found["error"] == found["digits"]


def test_a_difference_has_both_errors_and_old_runs_are_said_to_be_unpaired(capsys):
    first = [a_run(accuracy=value, wrong=None) for value in (0.98, 0.99)]
    second = [with_wrong(*range(count)) for count in (200, 300, 400)]
    found = ledger.difference(first, second)
    assert found["seeds"] == pytest.approx(math.sqrt(0.005**2 / 1 + 0.01**2 / 3))
    assert found["digits"] == pytest.approx(math.sqrt((0.985 * 0.015 + 0.97 * 0.03) / 10_000))
    assert found["error"] == pytest.approx(math.hypot(found["seeds"], found["digits"]))
    ledger.print_difference(first, second)
    assert "+1.50 ± 0.79 points (seeds 0.76, unpaired digits 0.21)" in capsys.readouterr().out


def test_digits_of_two_sets_are_not_compared_one_by_one():
    first, second = with_wrong(0, 1, split="validation"), with_wrong(0, 1, split="test")
    assert not ledger.difference([first], [second])["paired"]
    assert ledger.difference([first], [first])["paired"]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"cell": "gru"}, "lstm - gru: "),
        ({"cell": "simple", "start": "identity"}, "lstm - simple, identity: "),
        ({"start": "chrono"}, "lstm keep - lstm chrono: "),
        ({"learning_rate": 3e-3}, "lstm keep 0.01/64 - lstm keep 0.003/64: "),
    ],
)
def test_a_difference_names_what_differs(settings, names, capsys):
    ledger.print_difference([a_run(wrong=None)], [a_run(wrong=None, **settings)])
    assert capsys.readouterr().out.startswith(names)


def test_the_error_of_a_paired_difference_is_its_spread_over_other_digits():
    random = np.random.default_rng(0)
    hard = random.uniform(size=10_000) < 0.05  # digits that each run gets wrong half the time

    def runs(count):
        return [with_wrong(*np.flatnonzero(hard & (random.uniform(size=10_000) < 0.5)))] * count

    first, second = runs(1), runs(1)
    resampled = []
    for _ in range(300):
        digits = random.integers(0, 10_000, 10_000)
        shares = [run["wrong"][digits].mean() for run in (first[0], second[0])]
        resampled.append(shares[0] - shares[1])
    assert ledger.difference(first, second)["digits"] == pytest.approx(np.std(resampled), rel=0.15)


def test_which_digits_were_wrong_survives_the_file_in_a_few_hundred_characters():
    wrong = np.random.default_rng(0).uniform(size=10_000) < 0.02
    text = ledger.packed(wrong)
    np.testing.assert_array_equal(ledger.unpacked(text), wrong)
    assert len(text) < 450


def test_an_unknown_column_is_an_error():
    with pytest.raises(KeyError):
        ledger.load_ledger(task="nosuch", colour="blue")
