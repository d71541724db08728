"""The benchmark: its programs compute the same, its table goes on, its claims are read from it."""

import csv
import dataclasses
import importlib.util

import numpy as np
import pytest

from experiments import bench as program
from experiments import bench_worker as worker
from rnncells.book import timings as bench

TINY = {"steps": 4, "features": 3, "units": 2, "batch": 5}
LSTM = program.Task("step", "training", "lstm", **TINY)
HERE = {"device": "a processor", "cores": 2, "keras": "3", "numpy": "2", "rnncells": "0"}
HERE |= {"backend": "tensorflow 2", "python": "3", "date": "2026-01-01"}


class MadeUp:
    """Programs that compute nothing."""

    def make(self, name, task):
        return [np.ones((5, 2)), np.ones(3)]

    def time(self, name):
        return np.random.uniform(1, 2)

    def forget(self):
        pass


class InThisProcess:
    """A worker that is no process; every answer goes through ``changed``."""

    def __init__(self, changed=lambda method, answer: answer, programs=None):
        self.programs, self.changed, self.asked = programs or MadeUp(), changed, []

    def ask(self, method, *arguments):
        self.asked.append((method, *arguments))
        if method == "hello":
            return HERE
        try:
            return self.changed(method, getattr(self.programs, method)(*arguments))
        except ImportError as error:
            raise program.Failed(str(error)) from error


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "TABLE", tmp_path / "bench.csv")
    program.leave_out.cache_clear()
    return program.TABLE


def run(tasks, rounds=2, fresh=False, **workers):
    workers = workers or {"tensorflow": InThisProcess()}
    program.run(tasks, rounds, workers, fresh)
    return workers


# The programs.


def here():
    return InThisProcess(programs=worker.Programs())


def programs_here(names):
    """Those on TensorFlow; one whose module is not there yet is left out."""
    known = [name for name in names if program.back_end_of(name) == "tensorflow"]
    have_fast = importlib.util.find_spec("rnncells.fast")
    return [name for name in known if have_fast or "FastRNN" not in name]


@pytest.mark.parametrize("mode", ["training", "inference"])
@pytest.mark.parametrize("cell", ["simple", "lstm", "gru"])
def test_all_programs_of_a_task_compute_the_same(cell, mode, capsys):
    task = dataclasses.replace(LSTM, cell=cell, mode=mode)
    sizes = (program.ROWS, program.PIXELS)
    named = [program.programs_of(program.Task("step", mode, cell, *size), True) for size in sizes]
    names = programs_here(dict.fromkeys(sum(named, [])))
    assert program.make(task, names, {"tensorflow": here()}) == names
    assert capsys.readouterr().out == ""


def test_all_fits_end_with_the_same_loss(monkeypatch):
    monkeypatch.setattr(worker, "FIT_STEPS", 32)
    task = dataclasses.replace(LSTM, what="fit")
    names = ["Keras's layer", "RNN(our cell)", "RNN(our cell), jit, 32 at once"]
    assert program.make(task, names, {"tensorflow": here()}) == names


@pytest.mark.parametrize("back_end", ["jax", "torch"])
def test_other_back_ends_compute_the_same(back_end, capsys):
    pytest.importorskip(back_end)
    ours, inference = here(), dataclasses.replace(LSTM, mode="inference")
    with program.Worker(back_end) as theirs:
        for task in (*(dataclasses.replace(LSTM, cell=cell) for cell in worker.OURS), inference):
            names = [
                "Keras's layer",
                *program.STEPS[back_end].keys() & program.programs_of(task, True),
            ]
            made = program.make(task, names, {"tensorflow": ours, back_end: theirs})
            assert made == names and len(names) > 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("last output", lambda arrays: [arrays[0] + 1e-3, *arrays[1:]]),
        ("gradient", lambda arrays: [*arrays[:-1], 1.001 * arrays[-1]]),
        ("gradient", lambda arrays: [*arrays[:-1], np.nan * arrays[-1]]),
        ("shapes", lambda arrays: arrays[:-1]),
    ],
)
def test_a_wrong_program_is_not_timed(what, spoil, capsys):
    made = []

    def changed(method, answer):
        if method == "make":
            made.append(answer)
            return spoil(answer) if len(made) == 2 else answer
        return answer

    run({LSTM: ["Keras's layer", "RNN(our cell)"]}, tensorflow=InThisProcess(changed))
    assert [row["program"] for row in program.read()] == ["Keras's layer"]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Left out" in line]
    assert "RNN(our cell)" in line and what in line


def test_a_program_that_does_not_run_is_named_once(monkeypatch, capsys):
    class Broken(MadeUp):
        def make(self, name, task):
            if name == "a broken one":
                raise ImportError("there is no such module")
            return super().make(name, task)

    names = ["Keras's layer", "a broken one"]
    broken = InThisProcess(programs=Broken())
    run({LSTM: names, dataclasses.replace(LSTM, mode="inference"): names}, tensorflow=broken)
    assert len(program.read()) == 2
    assert capsys.readouterr().out.count("Left out: a broken one: there is no such module.") == 1


def test_without_keras_layer_there_is_nothing_to_compare_with():
    def changed(method, answer):
        raise program.Failed("it does not run")

    with pytest.raises(SystemExit, match="nothing to compare with"):
        program.make(LSTM, ["Keras's layer"], {"tensorflow": InThisProcess(changed)})


def test_a_process_that_ends_is_named():
    with program.Worker("tensorflow") as process:
        process.process.kill()
        with pytest.raises(SystemExit, match="tensorflow ended with status -9, asked to hello"):
            process.ask("hello")


# The table.


def test_a_row_says_what_and_where():
    run({LSTM: ["Keras's layer", "RNN(our cell)"]}, rounds=3)
    keras_row, row = program.read()
    assert list(row) == program.COLUMNS
    assert program.task_of(row) == LSTM and {key: row[key] for key in HERE} == HERE
    assert row["rounds"] == len(row["ms_by_round"]) == 3
    ratios = np.divide(row["ms_by_round"], keras_row["ms_by_round"])
    assert row["ratio"] == pytest.approx(np.median(ratios), rel=1e-2)
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    assert keras_row["ratio"] == 1


def test_a_stopped_run_goes_on():
    other = dataclasses.replace(LSTM, mode="inference")
    tasks = {task: ["Keras's layer", "RNN(our cell)"] for task in (LSTM, other)}
    times = 0

    def stop(method, answer):
        nonlocal times
        times += method == "time"
        if times == 7:  # in the second task
            raise KeyboardInterrupt
        return answer

    with pytest.raises(KeyboardInterrupt):
        run(tasks, tensorflow=InThisProcess(stop))
    first = program.read()
    assert {program.task_of(row) for row in first} == {LSTM}
    run(tasks)
    assert program.read()[:2] == first
    assert [program.task_of(row) for row in program.read()] == [LSTM, LSTM, other, other]
    assert [method for method, *_ in run(tasks)["tensorflow"].asked] == ["hello"]


def test_more_rounds_or_programs_measure_a_task_again_and_whole():
    names = ["Keras's layer", "RNN(our cell)"]
    run({LSTM: names[:1]})
    run({LSTM: names})
    assert [row["program"] for row in program.read()] == names
    run({LSTM: names}, rounds=3)
    assert [row["rounds"] for row in program.read()] == [3, 3]
    run({LSTM: names}, rounds=2)
    assert [row["rounds"] for row in program.read()] == [3, 3]


@pytest.mark.parametrize("key", sorted(HERE.keys() - {"date"}))
def test_rows_of_two_machines_are_not_mixed(key, capsys):
    run({LSTM: ["Keras's layer"]})
    rows = program.read()
    elsewhere = 4 if key == "cores" else "tensorflow 1" if key == "backend" else "another"
    program.write([row | {key: elsewhere} for row in rows])
    other = dataclasses.replace(LSTM, mode="inference")
    run({other: ["Keras's layer"]})
    assert f"A new table: the old one has {key} {elsewhere}" in capsys.readouterr().out
    assert [program.task_of(row) for row in program.read()] == [other]


def test_rows_of_another_day_are_kept_unless_it_is_to_be_fresh():
    run({LSTM: ["Keras's layer"]})
    program.write([row | {"date": "2020-01-01"} for row in program.read()])
    run({LSTM: ["Keras's layer"]})
    assert program.read()[0]["date"] == "2020-01-01"
    run({LSTM: ["Keras's layer"]}, fresh=True)
    assert program.read()[0]["date"] == HERE["date"]


@pytest.mark.skipif(not program.CLEAR.exists(), reason="needs Linux's account of a process")
def test_a_longer_sequence_keeps_more_and_checkpoints_keep_less():
    task = program.Task("memory", "training", "lstm", 400, 1, 128, 64)
    rows = program.memory(task, ["Keras's layer", program.CHECKPOINTED])
    # What a step cannot do without: states and gates, 6 arrays (batch, units) of 4 bytes each.
    assert rows["Keras's layer"]["mb"] > 400 * 6 * 64 * 128 * 4 / 1e6
    assert rows[program.CHECKPOINTED]["ratio"] < 0.5


# The plan.


@pytest.mark.parametrize("long", [False, True])
def test_every_program_of_the_plan_can_be_made_and_begins_with_keras_layer(long):
    for task, names in program.plan(long).items():
        assert names[0] == "Keras's layer" and len(names) == len(set(names))
        for name in names:
            known = worker.FITS if task.what == "fit" else worker.STEPS[program.back_end_of(name)]
            assert name in known


def test_without_tensorflow_its_steps_run_on_jax():
    names = [program.KERAS, "RNN(our cell), jit", program.KERAS + program.ON_JAX, program.TORCH]
    tasks = {LSTM: names, dataclasses.replace(LSTM, what="memory"): names}
    on_jax = program.KERAS + program.ON_JAX
    assert program.possible(tasks, ["jax", "torch"]) == {LSTM: [on_jax, program.TORCH]}
    assert program.possible(tasks, ["tensorflow"]) == dict.fromkeys(tasks, names[:2])
    for task, found in program.possible(program.plan(False), ["jax"]).items():
        assert task.what == "step" and found[0] == on_jax and len(found) == len(set(found))
        assert set(found) <= worker.STEPS["jax"].keys()


def test_claims_on_jax_are_about_the_programs_there(capsys):
    ms = {program.KERAS: [1.0], "RNN(Keras's cell)": [2.0], "RNN(our cell)": [3.0]}
    task = next(program.all_steps())
    rows = [made_up(task, name + program.ON_JAX, times) for name, times in ms.items()]
    (found,) = [found for found in program.claims(rows) if found[-1] is not None]
    assert found[0] == "RNN(our cell) on JAX ≤ 1.05 × RNN(Keras's cell) on JAX"
    assert found[1] == task and found[2][1] == 1.5 and found[3] is False
    program.print_table(rows)
    assert "× Keras's layer on JAX" in capsys.readouterr().out


def test_the_short_form_has_what_every_claim_needs_and_the_long_form_has_the_short():
    short, long = program.plan(False), program.plan(True)
    for task, names in short.items():
        assert set(names) <= set(long[task])
    rows = [made_up(task, name, [1.0]) for task, names in short.items() for name in names]
    assert None not in [holds for *_, holds in program.claims(rows)]


# What is read from it.


def made_up(task, name, ms):
    row = dict.fromkeys(program.COLUMNS) | dataclasses.asdict(task) | HERE
    low, middle, high = np.quantile(ms, [0.25, 0.5, 0.75])
    row |= {"ratio": middle, "ratio_low": low, "ratio_high": high, "ms": middle}
    return row | {"program": name, "ms_by_round": ms, "rounds": len(ms)}


def test_claims_hold_or_do_not_or_were_not_measured(capsys):
    tasks = [task for task in program.all_steps() if task.mode == "training"]
    first = [task for task in tasks if (task.steps, task.units, task.batch) == (28, 64, 64)]
    ms = {"Keras's layer": [2.0, 4.0, 9.0], "RNN(Keras's cell)": [2.0, 3.0, 4.0]}
    # By rounds 1.05, 1.05, 9: the median holds, and the ratio of the medians is the same.
    ms |= {"RNN(our cell)": [2.1, 3.15, 36.0], program.FAST: [1.3, 2.6, 5.0]}
    rows = [made_up(task, name, times) for task in first for name, times in ms.items()]
    program.write(rows)
    rows = program.read()
    found = {(said, task): (ratios, holds) for said, task, ratios, holds in program.claims(rows)}
    for task in first:
        ratios, holds = found["RNN(our cell) ≤ 1.05 × RNN(Keras's cell)", task]
        assert holds and ratios == pytest.approx([1.05, 1.05, 5.025])
        ratios, holds = found["FastRNN(our cell) ≤ 0.6 × Keras's layer", task]
        assert holds is False and ratios[1] == pytest.approx(0.65)
        nothing = (None, None)
        assert found["FastRNN(our cell) ≤ 1.0 × torch.nn's layer", task] == nothing
    assert len(found) == 30 + 4 * 3
    program.print_claims(rows)
    out = capsys.readouterr().out
    assert "3 claims hold, 3 do not, 36 were not measured." in out
    assert "does not hold  0.65 [0.60, 0.65]   lstm, 28 × 28, 64 units, batch 64, training" in out


@pytest.mark.parametrize(("load", "warned"), [(0.1, False), (1.9, True)])
def test_a_busy_machine_is_told_so(load, warned, monkeypatch, capsys):
    monkeypatch.setattr(program.os, "getloadavg", lambda: (load, 0, 0), raising=False)
    monkeypatch.setattr(program.os, "cpu_count", lambda: 2)
    program.warn_if_busy()
    out = capsys.readouterr().out
    assert out.startswith("Other programs run here (load 1.9 on 2 cores)") if warned else out == ""


def test_a_ratio_is_taken_round_by_round():
    slow, fast = ({"ms_by_round": ms} for ms in ([2.0, 20.0, 6.0], [1.0, 10.0, 2.0]))
    assert bench.quartiles(slow, fast) == [2.0, 2.0, 2.5]


def test_the_table_shows_ratios_and_memory(capsys):
    memory = dict.fromkeys(program.COLUMNS) | made_up(LSTM, "Keras's layer", [1.0])
    memory |= {"what": "memory", "mb": 12.0, "ms": None, "ratio": 1.0}
    program.print_table([made_up(LSTM, "RNN(our cell)", [1.0, 2.0, 3.0]), memory])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("lstm, 4 × 3, 2 units, batch 5, training") and "ms" in lines[1]
    assert lines[2].split()[-4:] == ["2.00", "2.00", "[1.50,", "2.50]"]
    assert "memory" in lines[4] and "MB" in lines[4]
    assert lines[5].split()[-2:] == ["12.00", "1.00"]


def test_the_figure_shows_the_training_of_the_lstm(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "FIGURE", tmp_path / "built" / "bench.png")
    shown = []
    monkeypatch.setattr(program.plotting, "show_ratios", lambda *arguments: shown.append(arguments))
    tasks = [task for task in program.all_steps() if task.batch == 64]
    program.draw([made_up(task, program.FAST, [1.0, 2.0, 3.0]) for task in tasks])
    ((panels, other, _),) = shown
    assert list(panels) == ["28 × 28, 64 units", "28 × 28, 128 units", "784 × 1, 128 units"]
    assert all(groups == {program.FAST: [1.5, 2.0, 2.5]} for groups in panels.values())
    assert other == "Keras's layer" and program.FIGURE.exists()


def test_rows_are_loaded_as_numbers_and_picked_by_column(table, tmp_path, monkeypatch):
    tasks = [LSTM, dataclasses.replace(LSTM, cell="gru")]
    program.write([made_up(task, "Keras's layer", [1.5, 2.5]) for task in tasks])
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "timings.py"))
    (row,) = bench.load_bench(cell="gru", batch=5)
    assert (row["ms_by_round"], row["mb"], row["cores"], row["ratio"]) == ([1.5, 2.5], None, 2, 2.0)
    assert len(bench.load_bench()) == 2
    (tmp_path / "bench_gpu.csv").write_text("program,ms\na,1.5\n")
    assert bench.load_bench("bench_gpu") == [{"program": "a", "ms": 1.5}]
    with pytest.raises(KeyError, match="colour: expected one of what, mode, cell"):
        bench.load_bench(colour="blue")
    text = (tmp_path / "bench.csv").read_text()
    assert list(csv.reader(text.splitlines()))[0] == program.COLUMNS
