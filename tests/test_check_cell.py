"""check_cell: sound cells pass, and each check is seen to name what is broken.

Runs on every back end: KERAS_BACKEND=jax pytest tests/test_check_cell.py
"""

import importlib.metadata
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import zoo
from keras import ops

from rnncells import (
    AffineRNNCell,
    GRUCell,
    LinearRNNCell,
    LSTMCell,
    MinGRUCell,
    RNNCell,
    SimpleRNNCell,
)
from rnncells.testing import check_cell, check_sizes, parametrize_with_checks
from rnncells.testing.checks import CHECKS, VERSION
from rnncells.testing.subject import Subject

BACKEND = keras.backend.backend()
BY_NAME = {check.name: check for check in CHECKS}
GENERAL = len([check for check in CHECKS if check.only_for is keras.layers.Layer])


class Peephole(AffineRNNCell):
    """Two states, an output of a third width, arguments and a first state of its own."""

    state_names = ("h", "c")

    def __init__(self, units, start=0.0, **kwargs):
        super().__init__(units, **kwargs)
        self.start = start
        self.state_size = [self.units, 2 * self.units]
        self.output_size = 3

    def get_initial_state(self, batch_size=None):
        h, c = super().get_initial_state(batch_size)
        return [h + self.start, c]

    def call(self, inputs, states):
        h, c = states
        h = ops.tanh(self.affine(inputs, h) + c[:, : self.units])
        return h[:, :3] * c[:, -3:], [h, 0.5 * c + ops.concatenate([h, -h], axis=-1)]


class MinusABillionOfASine(zoo.Layered):
    """Infinite in float16; and a sine of a large number is another one in bfloat16."""

    def call(self, inputs, states):
        a = self.affine(inputs, states[0])
        h = ops.sin(100 * ops.softmax(ops.where(a > 0, a, -1e9), axis=-1))
        return h, [h]


class Picture(zoo.Layered):
    """Its output has the axes of a picture."""

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return ops.reshape(h, (-1, 2, self.units // 2)), [h]


class FastWeights(zoo.Layered):
    """This one is sound: its second state is a matrix."""

    def __init__(self, units=4, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, (units, units)]

    def get_initial_state(self, batch_size=None):
        shapes = (batch_size, self.units), (batch_size, self.units, self.units)
        return [ops.zeros(shape, self.compute_dtype) for shape in shapes]

    def call(self, inputs, states):
        h, fast = states
        fast = 0.9 * fast + 0.3 * h[:, :, None] * h[:, None]
        h = ops.tanh(self.affine(inputs, h) + ops.sum(fast * h[:, None], axis=-1))
        return h, [h, fast]


class RunningVariance(zoo.Layered):
    """A state that must not be negative."""

    def __init__(self, units=4, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, units]

    def call(self, inputs, states):
        h, v = states
        a = self.affine(inputs, h)
        v = 0.9 * v + 0.1 * a * a
        h = ops.tanh(a / ops.sqrt(v + 0.1))
        return h, [h, v]


class SparseDecay(zoo.Layered):
    """A weight that must not be negative, one that is neither float nor trained; a wider output."""

    def build(self, input_shape):
        super().build(input_shape)
        self.output_size = self.units + input_shape[-1]
        self.tau = self.add_weight(
            name="tau",
            shape=(self.units,),
            initializer=keras.initializers.Constant(0.05),
            constraint=keras.constraints.NonNeg(),
        )
        self.kept = self.add_weight(
            name="kept",
            shape=(self.units,),
            dtype="bool",
            trainable=False,
            initializer=lambda shape, dtype: keras.random.uniform(shape) > 0.3,
        )

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0])) * ops.exp(-ops.sqrt(self.tau))
        h = ops.where(ops.convert_to_tensor(self.kept), h, 0.5 * h)
        return ops.concatenate([h, inputs], axis=-1), [h]


class MatrixState(RNNCell):
    """Its state is a matrix (batch, 2, units), written by an outer product."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [(2, self.units)]

    def build(self, input_shape):
        self.keys = self.add_weight(name="keys", shape=(input_shape[-1], 2))
        self.values = self.add_weight(name="values", shape=(input_shape[-1], self.units))

    def call(self, inputs, states):
        key, value = ops.matmul(inputs, self.keys), ops.matmul(inputs, self.values)
        matrix = 0.9 * states[0] + key[:, :, None] * value[:, None]
        return ops.tanh(ops.sum(matrix, axis=1)), [matrix]


class PictureCell(RNNCell):
    """Its steps are pictures (batch, 4, 4, 2), and its state is one of (4, 4, units)."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [(4, 4, self.units)]
        self.read = keras.layers.Conv2D(units, 3, padding="same", dtype=self.dtype_policy)
        self.keep = keras.layers.Conv2D(units, 3, padding="same", dtype=self.dtype_policy)

    def build(self, input_shape):
        self.read.build(input_shape)
        self.keep.build((None, 4, 4, self.units))

    def call(self, inputs, states):
        h = ops.tanh(self.read(inputs) + self.keep(states[0]))
        return ops.mean(h, axis=(1, 2)), [h]


class Attention(zoo.Layered):
    """Attention over a memory of three rows, which comes as a second state and stays."""

    def __init__(self, units=4, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, 3 * units]

    def get_initial_state(self, batch_size=None):
        rows = ops.cast(ops.arange(3 * self.units), self.compute_dtype) / (3 * self.units)
        zeros = ops.zeros((batch_size, 3 * self.units), dtype=self.compute_dtype)
        return [zeros[:, : self.units], zeros + rows]

    def call(self, inputs, states):
        h, memory = states
        rows = ops.reshape(memory, (-1, 3, self.units))
        weights = ops.softmax(ops.sum(rows * h[:, None], axis=-1))
        read = ops.sum(rows * weights[..., None], axis=1)
        h = ops.tanh(self.affine(inputs, h + read))
        return h, [h, memory]


class Activated(zoo.Layered):
    """Its activation is written into the configuration, and not turned back."""

    def __init__(self, units=4, activation=ops.tanh, **kwargs):
        super().__init__(units, **kwargs)
        self.activation = activation

    def call(self, inputs, states):
        h = self.activation(self.affine(inputs, states[0]))
        return h, [h]

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        return {"activation": activation, **super().get_config()}


class FunctionInConfig(Activated):
    def get_config(self):
        return {**super().get_config(), "activation": self.activation}


class TextInConfig(zoo.Layered):
    """A number becomes a text."""

    def __init__(self, units=4, leak=0.5, **kwargs):
        super().__init__(units, **kwargs)
        self.leak = leak

    def call(self, inputs, states):
        h = self.leak * ops.tanh(self.affine(inputs, states[0]))
        return h, [h]

    def get_config(self):
        return {"leak": str(self.leak), **super().get_config()}


class Around(keras.layers.Layer):
    """A cell around another one, which its configuration holds and nothing makes again."""

    def __init__(self, cell=None, **kwargs):
        super().__init__(**kwargs)
        self.cell = cell or keras.layers.GRUCell(4)
        self.state_size = self.cell.state_size

    def build(self, input_shape):
        self.cell.build(input_shape)

    def call(self, inputs, states):
        output, states = self.cell(inputs, states)
        return 0.5 * output, states

    def get_config(self):
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell)}


class AroundRaw(Around):
    def get_config(self):
        return {**super().get_config(), "cell": self.cell}


class AroundMadeAgain(Around):
    """This one is sound."""

    def build(self, input_shape):
        if not self.cell.built:
            super().build(input_shape)

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


class InnerDropout(AffineRNNCell):
    """A layer inside that was given no dtype."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.drop = keras.layers.Dropout(0.5)

    def call(self, inputs, states, training=False):
        h = ops.tanh(self.affine(self.drop(inputs, training=training), states[0]))
        return h, [h]


WRONG_COPIES = {
    Activated: "got a str as activation where it was a function; .* keras.activations.get",
    FunctionInConfig: "got a dict as activation where it was a function; .* keras.activations.get",
    TextInConfig: "got leak = '0.5' where it was 0.5; ",
    Around: "ict' object has no attribute 'state_size'; .* in from_config turn config..cell",
    AroundRaw: "got a GRUCell under 'cell' in get_config; .* from_config",
}

for cls in (RunningVariance, SparseDecay, Attention, FastWeights, *WRONG_COPIES, AroundMadeAgain):
    keras.saving.register_keras_serializable("test_check_cell")(cls)


SOUND = [
    LinearRNNCell(4),
    SimpleRNNCell(4),
    SimpleRNNCell(4, activation="relu", use_bias=False),
    LSTMCell(4),
    GRUCell(4),
    GRUCell(4, reset_after=False),
    MinGRUCell(4),
    keras.layers.SimpleRNNCell(4),
    keras.layers.LSTMCell(4),
    keras.layers.GRUCell(4),
    zoo.Layered,
    zoo.Based,
    lambda: Peephole(4, start=0.5),
    RunningVariance(4),
    SparseDecay(4),
    keras.layers.SimpleRNNCell(32, "relu"),
    MatrixState(4),
    GRUCell(4, dropout=0.3, recurrent_dropout=0.3),
    keras.layers.LSTMCell(4, dropout=0.3, recurrent_dropout=0.3),
]


@pytest.mark.no_cover  # the next two cover the same lines
@parametrize_with_checks(SOUND)
def test_sound_cells_pass(cell, check):
    check(cell)


def test_a_cell_of_pictures_passes():
    check_cell(lambda: PictureCell(3), input_shape=(4, 4, 4, 2))


def test_a_memory_passes_with_its_reason():
    check_cell(Attention(4), expected_failed_checks={"every_state_moves": "a memory, only read"})


@pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras's faults elsewhere are skipped by name")
@pytest.mark.parametrize("cell", [keras.layers.LSTMCell(4), LSTMCell(4)])
def test_nothing_is_skipped_on_tensorflow(cell):
    assert {result["status"] for result in check_cell(cell)} == {"passed"}


def test_what_is_skipped_says_why():
    results = check_cell(Peephole(4, start=0.5), on_fail=None)
    skipped = [result for result in results if result["status"] == "skipped"]
    assert "reset_begins_again" in [result["check_name"] for result in skipped]
    assert all(str(result["exception"]).startswith(("Keras", "jit")) for result in skipped)


# The zoo


@pytest.mark.parametrize("make", [zoo.on_layer, zoo.on_rnncell])
@pytest.mark.parametrize("mistake", zoo.MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_is_named_by_its_checks(mistake, make):
    cell = make(mistake)
    if cell is None:
        pytest.skip("the base makes it impossible")
    if BACKEND in mistake.forgiven_by:
        pytest.skip("this back end does it otherwise, or forgives it")
    on_rnncell = make is zoo.on_rnncell
    names = on_rnncell and mistake.caught_on_rnncell or mistake.caught_by
    subject = Subject(cell, (5, 3))
    if on_rnncell and not subject.passes(BY_NAME["build_takes_one_step"]):
        names = ["build_takes_one_step"]  # RNNCell itself said it, when it was built
    if BACKEND != "tensorflow":
        assert not all(subject.passes(BY_NAME[name]) for name in names)
        return
    for name in names:
        with pytest.raises(AssertionError) as failure:
            BY_NAME[name].run(subject)
        assert_one_sentence(str(failure.value), mistake.__name__)


def assert_one_sentence(message, name):
    assert message.startswith(f"{name}: ") and message.endswith(".")
    assert "\n" not in message and len(message) < 600
    assert "expected" in message and "; got " in message


def test_every_check_is_seen_to_fail():
    assert {name for mistake in zoo.MISTAKES for name in mistake.caught_by} == set(BY_NAME)


@pytest.mark.parametrize("value", [keras.ops.tanh, (0.9, 0.1), np.array([0.9]), 0.9])
def test_an_argument_missing_from_the_config_of_an_instance_is_seen(value):
    class Forgetful(zoo.Layered):
        def __init__(self, units, own=None, **kwargs):
            super().__init__(units, **kwargs)
            self._own = own

    keras.saving.register_keras_serializable("test_check_cell")(Forgetful)
    results = check_cell(Forgetful(4, own=value), on_fail=None)
    failed = [result["check_name"] for result in results if result["status"] == "failed"]
    assert failed == ["config_makes_the_same_cell"]


@pytest.mark.parametrize("cls", WRONG_COPIES, ids=lambda cls: cls.__name__)
def test_where_a_copy_is_at_fault_the_configuration_is_accused(cls):
    results = check_cell(cls(), on_fail=None)
    (failed,) = [result for result in results if result["status"] == "failed"]
    assert failed["check_name"] == "config_makes_the_same_cell"
    assert re.search(WRONG_COPIES[cls], str(failed["exception"]))


def test_a_copy_at_fault_is_accused_outside_the_selection_too():
    with pytest.raises(AssertionError, match=WRONG_COPIES[TextInConfig]):
        check_cell(TextInConfig(), select="masks")


@pytest.mark.parametrize("cls", [Activated, FunctionInConfig, Around, AroundRaw])
def test_the_accusation_of_a_function_is_the_same(cls):
    with pytest.raises(AssertionError, match=WRONG_COPIES[cls]):
        check_cell(cls, select="config_makes_the_same_cell")


def test_a_state_that_is_a_matrix_passes():
    check_cell(FastWeights())


def test_float16_speaks_where_bfloat16_differs():
    bfloat16, float16 = "mixed_precision_computes_in_half", "half_precision_stays_finite"
    report = check_cell(MinusABillionOfASine, select=[bfloat16, float16], on_fail=None)
    assert names_of(report, "failed") == [bfloat16, float16]
    assert "no constant of -1e9" in str(report)


def test_an_output_with_more_axes_is_told_to_be_flattened():
    with pytest.raises(AssertionError, match=r"shape \(3, 2, 2\) .*; flatten the output in call"):
        check_cell(Picture)


def test_a_cell_around_a_cell_passes():
    check_cell(AroundMadeAgain())


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the others mix dtypes")
def test_a_layer_inside_without_a_dtype_is_named_by_the_dtype():
    results = check_cell(InnerDropout(4), on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert list(failed) == ["mixed_precision_computes_in_half"]
    (sentence,) = failed.values()
    assert "layers inside the cell with dtype=self.dtype_policy" in sentence


def test_the_callers_policy_does_not_matter():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        check_cell(LSTMCell(4, dtype="float32"))
        check_cell(lambda: SimpleRNNCell(4))
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


# The answers of check_cell


def test_results_are_those_of_check_estimator():
    results = check_cell(zoo.on_layer(zoo.UnusedWeight), on_fail=None)
    general = [check.name for check in CHECKS if check.only_for is keras.layers.Layer]
    assert [result["check_name"] for result in results] == general
    keys = {"check_name", "group", "status", "exception", "expected_to_fail"}
    assert set(results[0]) == keys | {"expected_to_fail_reason"}
    failed = [result for result in results if result["status"] == "failed"]
    assert [result["check_name"] for result in failed] == ["every_weight_matters"]
    assert isinstance(failed[0]["exception"], AssertionError)


def test_an_expected_failure_is_an_xfail():
    results = check_cell(
        zoo.on_layer(zoo.UnusedWeight),
        expected_failed_checks={"every_weight_matters": "the bias comes next week"},
    )
    (result,) = [result for result in results if result["expected_to_fail"]]
    assert result["status"] == "xfail"
    assert result["expected_to_fail_reason"] == "the bias comes next week"
    assert "as expected: the bias comes next week" in str(results)


def test_on_fail_warn():
    with pytest.warns(UserWarning, match="every_weight_matters: UnusedWeight: expected every"):
        check_cell(zoo.on_layer(zoo.UnusedWeight), on_fail="warn")


def test_the_report_counts_and_names():
    report = str(check_cell(zoo.on_layer(zoo.OutputOnly), on_fail=None))
    lines = report.splitlines()
    assert lines[0].startswith("OutputOnly, sequences of 5 steps x 3: 3 passed, 1 failed, ")
    assert "failed: call_returns_a_pair: OutputOnly: expected call to return a pair" in report
    assert report.count("skipped") == 1 + 6  # counted, and not one line for each


def test_the_report_says_the_whole_reason_of_a_skip():
    report = check_cell(lambda: Peephole(4, start=0.5), select="reset_begins_again")
    (result,) = report
    assert result["status"] == "skipped"
    assert str(report).splitlines()[-1].endswith(str(result["exception"]))


def test_the_reports_forms():
    report = check_cell(zoo.on_layer(zoo.UnusedWeight), on_fail=None)
    markdown = report.to_markdown()
    assert markdown.startswith("### `check_cell`: UnusedWeight\n\n")
    assert f"check_cell {VERSION}, keras {keras.__version__}, {BACKEND} " in markdown
    assert "| `every_weight_matters` | failed | UnusedWeight: expected every weight" in markdown
    assert all(line.count("|") == 4 for line in markdown.splitlines() if line.startswith("|"))
    whole = json.loads(report.to_json())
    assert [r["check_name"] for r in whole["results"]] == [r["check_name"] for r in report]
    assert whole["environment"]["check_cell"] == VERSION
    assert (
        check_cell(keras.layers.GRUCell(2), select="state")
        .environment["cell of"]
        .startswith("keras ")
    )


def test_the_kits_version_is_that_of_its_newest_checks():
    assert max(check.since for check in CHECKS) == VERSION


# Choosing checks


def names_of(results, status=None):
    return [r["check_name"] for r in results if status in (None, r["status"])]


def test_select_and_exclude():
    groups = {check.group for check in CHECKS}
    state = names_of(check_cell(SimpleRNNCell(2), select="state"))
    assert state == [check.name for check in CHECKS if check.group == "state"]
    assert names_of(check_cell(SimpleRNNCell(2), select=["fit_trains_it"])) == ["fit_trains_it"]
    rest = check_cell(SimpleRNNCell(2), exclude=[*groups - {"state"}, "reset_begins_again"])
    assert names_of(rest) == [name for name in state if name != "reset_begins_again"]


def test_what_a_selected_check_needs_is_reported_where_it_fails():
    given = zoo.on_layer(zoo.OutputOnly)
    report = check_cell(given, select="masks", on_fail=None)
    failed, *skipped = report
    assert (failed["check_name"], failed["status"]) == ("call_returns_a_pair", "failed")
    assert {result["status"] for result in skipped} == {"skipped"} and len(skipped) == 7
    assert str(skipped[0]["exception"]) == "call_returns_a_pair failed first"
    assert "7 not reached, because call_returns_a_pair failed" in str(report)
    with pytest.raises(AssertionError, match="expected call to return a pair"):
        check_cell(given, select=["masks"])


def test_an_excluded_check_that_stops_others_is_named():
    report = check_cell(zoo.on_layer(zoo.OutputOnly), exclude=["call_returns_a_pair"])
    assert f"{GENERAL - 4} not reached, because call_returns_a_pair failed" in str(report)
    markdown = report.to_markdown()
    assert f"{GENERAL - 4} not reached, because `call_returns_a_pair` failed." in markdown


def test_a_loss_on_purpose_leaves_the_other_checks():
    reasons = {"call_adds_no_loss": "on purpose"}
    report = check_cell(zoo.on_layer(zoo.LossInside), expected_failed_checks=reasons)
    assert len(names_of(report, "passed")) > 50
    assert "not reached, because call_adds_no_loss failed" in str(report)


def test_what_selected_tests_need_is_a_test_of_its_own():
    mark = parametrize_with_checks([zoo.on_layer(zoo.OutputOnly)], select=["masks"])
    subject, check = mark.args[1][-1].values
    with pytest.raises(AssertionError, match="expected call to return a pair"):
        check(subject)
    mark = parametrize_with_checks([SimpleRNNCell(2)], select=["masks"])
    subject, check = mark.args[1][-1].values
    check(subject)


def test_an_expected_failure_that_passes_is_a_failure():
    expected = {"every_weight_matters": "the bias comes next week"}
    with pytest.raises(
        AssertionError, match=r"to fail \(the bias comes next week\); got a pass; t"
    ):
        check_cell(SimpleRNNCell(2), select=list(expected), expected_failed_checks=expected)


def test_too_few_checks_are_noticed():
    check_cell(SimpleRNNCell(2), select="state", at_least=4)
    given = zoo.on_layer(zoo.OutputOnly)
    results = check_cell(given, select="contract", at_least=20, on_fail=None)
    assert results[-1]["check_name"] == "enough_checks_ran" and results[-1]["status"] == "failed"
    assert "expected at least 20 checks to be run; got 4 of" in str(results[-1]["exception"])


# Sizes


class OneUnitTooMany(zoo.Layered):
    """Right at any size, but for one unit: it is lost with the axis."""

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h if self.units > 1 else ops.mean(h) + 0 * h]


class AddsInputs(zoo.Layered):
    """Right where there are as many units as features, or one of either."""

    def call(self, inputs, states):
        h = ops.tanh(inputs + self.affine(inputs, states[0]))
        return h, [h]


def test_sound_cells_pass_at_drawn_sizes():
    for cell in (zoo.Layered, LSTMCell, GRUCell, MinGRUCell):
        check_sizes(cell, draws=5)


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (SimpleRNNCell(2), {}, TypeError, "expected a function of the units .* got <SimpleRNNCell"),
        (lambda: SimpleRNNCell(2), {}, TypeError, "got one that raises TypeError: .*positional"),
        (keras.layers.Dense, {}, TypeError, "got one that makes a Dense"),
        (SimpleRNNCell, {"draws": 0}, ValueError, "draws: expected a positive int; got 0"),
    ],
)
def test_wrong_arguments_of_check_sizes_get_one_sentence(make, options, error, message):
    with pytest.raises(error, match=message):
        check_sizes(make, **options)


def test_the_smallest_failing_sizes_are_found():
    with pytest.raises(AssertionError) as failure:
        check_sizes(AddsInputs)
    assert re.search(r"units=1, features=2, batch=1, steps=[12] \(first seen", str(failure.value))
    with pytest.raises(AssertionError, match="units=1, features=1, batch=2, steps=1 "):
        check_sizes(OneUnitTooMany)


# From a shell, and as pytest's plugin

CELLS = """
import keras
from keras import ops
from rnncells import RNNCell, SimpleRNNCell

class Forgetful(keras.layers.Layer):
    def __init__(self, units, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.units, self.rate, self.state_size = units, rate, units

    def call(self, inputs, states):
        h = states[0] + ops.tanh(self.rate * inputs[:, :1])
        return h, [h]

made = SimpleRNNCell(4)
"""


def shell(folder, *arguments):
    command = [sys.executable, *arguments]
    path = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def cells_here(tmp_path, monkeypatch):
    """A folder with cells in a file, as the place where a command is given."""
    (tmp_path / "some_cells.py").write_text(CELLS)
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "wrong.py").write_text("def cell(:")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "helper.py").write_text("from rnncells import SimpleRNNCell")
    (tmp_path / "sub" / "beside.py").write_text("from helper import SimpleRNNCell")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    sys.modules.pop("some_cells", None)


def test_the_command_reports(cells_here, capsys):
    from rnncells.testing.__main__ import main

    assert not main(["some_cells.py:SimpleRNNCell", "4", "--select", "state", "--json"])
    results = json.loads(capsys.readouterr().out)["results"]
    assert {result["group"] for result in results} == {"state"}
    assert not any(result["status"] == "failed" for result in results)
    chosen = ["--select=every_feature_matters", "--markdown"]
    assert main(["some_cells:Forgetful", "units=4", "rate=0.9", *chosen])
    failed = "| `every_feature_matters` | failed | Forgetful: expected every feature"
    assert failed in capsys.readouterr().out
    assert not main(["some_cells:Forgetful", "4", chosen[0], "--expect=every_feature_matters=one"])
    assert "as expected: one" in capsys.readouterr().out


@pytest.mark.parametrize("cell", [["some_cells.py:made"], ["sub/beside.py:SimpleRNNCell", "4"]])
def test_the_command_takes_an_instance_and_what_lies_beside_a_file(cells_here, capsys, cell):
    from rnncells.testing.__main__ import main

    assert not main([cell[0], "--select", "reset_begins_again", *cell[1:]])
    assert "SimpleRNNCell, sequences of 5 steps x 3: 1 passed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["some_cells.py"], "expected MODULE:CELL, as in cells.py:MyCell; got 'some_cells.py'."),
        (["some_cells:No"], "expected a cell in some_cells; got 'No', which is not there."),
        ([":Cell"], "expected MODULE:CELL, as in cells.py:MyCell; got ':Cell'."),
        (
            ["none.py:No"],
            "a module that can be imported; got none.py: FileNotFoundError: no such f",
        ),
        (["broken.py:No"], "got broken.py: ZeroDivisionError: division by zero."),
        (["wrong.py:No"], "got wrong.py: SyntaxError: "),
        (
            ["some_cells.py:made", "units=4"],
            "no arguments for made, which is a cell already; got u",
        ),
        (["nowhere_at_all:No"], "No module named 'nowhere_at_all'"),
        (["some_cells:Forgetful"], "got one that raises TypeError: "),
        (["some_cells:Forgetful", "4", "--input-shape=5,x"], "expected ints, as in 5,3; got '5,x'"),
        (["some_cells:Forgetful", "4", "--expect=x"], "expected CHECK=REASON; got 'x'"),
        (["some_cells:Forgetful", "4", "--select=speed"], "select: expected names of groups"),
        (["some_cells:Forgetful", "--select=state", "4", "rat=1"], "Forgetful: {'rat': 1}."),
    ],
)
def test_the_command_refuses_in_one_sentence(cells_here, capsys, arguments, message):
    from rnncells.testing.__main__ import main

    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert refused.value.code == 2


@pytest.mark.skipif(BACKEND != "tensorflow", reason="run once")
def test_from_a_shell(cells_here):
    run = "-m", "rnncells.testing", "some_cells:Forgetful", "4", "--select=every_feature_matters"
    done = shell(cells_here, *run)
    assert done.returncode == 1, done.stderr
    assert "failed: every_feature_matters: Forgetful: expected every feature" in done.stdout


@pytest.mark.skipif(BACKEND != "tensorflow", reason="run once")
def test_as_a_plugin(tmp_path):
    (tmp_path / "cells.py").write_text(CELLS)
    (tmp_path / "test_them.py").write_text(
        "from cells import *\n"
        "from rnncells.testing import parametrize_with_checks\n"
        "chosen = ['masks', 'every_feature_matters']\n"
        "def reasons(cell):\n"
        "    return {'mask_everywhere': 'a try'} if type(cell) is Forgetful else {}\n"
        "cells = [SimpleRNNCell(2), Forgetful(3)]\n"
        "@parametrize_with_checks(cells, reasons, select=chosen, at_least=8)\n"
        "def test_cell(cell, check):\n"
        "    check(cell)\n"
    )
    plugin = () if "rnncells" in pytest_plugins_installed() else ("-p", "pytest_rnncells")
    report = "--cell-report=report.md"
    done = shell(tmp_path, "-m", "pytest", *plugin, report, "-p", "no:cacheprovider")
    assert "test_them.py: SimpleRNNCell (0): 10 passed\n" in done.stdout, done.stdout
    assert "test_them.py: Forgetful (1): 8 passed, 2 failed\n" in done.stdout
    table = (tmp_path / "report.md").read_text()
    assert "| `every_feature_matters` | failed | Forgetful: expected every feature" in table
    assert "take it out of expected_failed_checks. |" in table
    assert "checks.py" not in done.stdout.replace("checks.py: CheckFailed", "")


def pytest_plugins_installed():
    return {point.name for point in importlib.metadata.entry_points(group="pytest11")}


def test_the_plugin_imports_nothing():
    source = (Path(__file__).parent.parent / "pytest_rnncells.py").read_text()
    assert "import" not in re.sub(r'""".*?"""', "", source, flags=re.S)


def test_other_shapes_of_input():
    check_cell(SimpleRNNCell(2), input_shape=(4, 1))
    check_cell(SimpleRNNCell(3), input_shape=(7, 2))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"cell": 3}, TypeError, "expected a cell or a function .* got 3 of type int"),
        ({"cell": lambda: 3}, TypeError, "got a function that makes a int"),
        ({"cell": LSTMCell}, TypeError, "got one that raises TypeError: .*units"),
        ({"cell": lambda: LSTMCell(4, dtype="float64")}, TypeError, "leave the dtype out"),
        ({"cell": keras.layers.LSTM(4)}, TypeError, "pass its cell"),
        ({"cell": (lambda cell: lambda: cell)(LSTMCell(4))}, TypeError, "the same cell twice"),
        ({"on_fail": "stop"}, ValueError, "on_fail: expected 'raise', 'warn' or None; got 'stop'"),
        ({"input_shape": (3, 3)}, ValueError, r"input_shape: expected \(steps, features\)"),
        ({"input_shape": 5}, ValueError, r"input_shape: expected \(steps, features\)"),
        ({"expected_failed_checks": {"nothing": ""}}, ValueError, "got nothing"),
        ({"select": "speed"}, ValueError, "select: expected names of groups and checks .* got sp"),
        ({"exclude": ["a", "b"]}, ValueError, "exclude: expected .*; got a, b"),
        ({"cell": lambda: 1 / 0}, TypeError, "got one that raises ZeroDivisionError: division by"),
        ({"select": ["mask"]}, ValueError, r"groups and checks \(as in masks\); got mask"),
        ({"select": 5}, ValueError, "select: expected a list of names of groups .*; got 5"),
        ({"select": [5]}, ValueError, r"select: expected a list of names of groups .*; got \[5\]"),
        ({"select": []}, ValueError, "expected select and exclude to leave a check; got none"),
        (
            {"expected_failed_checks": ["fit_trains_it"]},
            ValueError,
            "expected a dict from names of checks to reasons; got .'fit_trains_it'",
        ),
        (
            {"select": "state", "expected_failed_checks": {"mask_everywhere": "no"}},
            ValueError,
            "names of checks that are run here; got mask_everywhere, not run here; take it out",
        ),
        ({"at_least": 99}, ValueError, "at_least: expected an int from 1 to .*; got 99"),
    ],
)
def test_wrong_arguments_get_one_sentence(arguments, error, message):
    with pytest.raises(error, match=message):
        check_cell(**{"cell": SimpleRNNCell(4), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SimpleRNNCell(4),), "expected a list of cells or of functions .*; got <SimpleRNNCell"),
        (([SimpleRNNCell], {"fit_trains_it": "no"}), "expected a function of a cell .* got {'fit"),
    ],
)
def test_wrong_arguments_of_the_decorator_get_one_sentence(arguments, message):
    with pytest.raises(TypeError, match=message):
        parametrize_with_checks(*arguments)


def test_a_cell_that_cannot_be_made_again_fails_by_its_configuration():
    class Fixed(keras.layers.Layer):
        def __init__(self, function, **kwargs):
            super().__init__(**kwargs)

    with pytest.raises(AssertionError) as failure:
        check_cell(Fixed(object()))
    assert failure.value.check_name == "config_makes_the_same_cell"
    assert "return it from get_config" in str(failure.value)
    assert "pass a function, as in check_cell(lambda: Fixed(...))" in str(failure.value)


def test_the_cell_and_the_process_are_left_as_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built = LSTMCell(4)
    built.build((None, 3))
    before = built.get_weights()
    fresh = LSTMCell(4)
    keras.utils.set_random_seed(0)
    expected = LSTMCell(4), np.random.rand(), random.random()
    expected[0].build((None, 3))
    keras.utils.set_random_seed(0)
    check_cell(built)
    check_cell(fresh)
    assert all(np.array_equal(a, b) for a, b in zip(before, built.get_weights(), strict=True))
    assert not fresh.built
    assert keras.config.dtype_policy().name == "float32"
    after = LSTMCell(4), np.random.rand(), random.random()
    after[0].build((None, 3))
    assert after[1:] == expected[1:]
    assert np.array_equal(after[0].get_weights()[0], expected[0].get_weights()[0])
    assert list(tmp_path.iterdir()) == []


def test_check_cell_needs_no_pytest():
    program = (
        "import sys; sys.modules['pytest'] = None;"
        "import rnncells, rnncells.testing as t; print(t.check_cell(rnncells.SimpleRNNCell(2)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith("SimpleRNNCell, sequences of 5 steps x 3: "), done.stderr


# A cell written from memory, as the tutorials print it


def test_the_tutorials_cell_gets_a_useful_first_sentence():
    class MinimalRNNCell(keras.layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = units

        def build(self, input_shape):
            self.kernel = self.add_weight(
                shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
            )
            self.recurrent_kernel = self.add_weight(
                shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
            )

        def call(self, inputs, states):
            output = ops.matmul(inputs, self.kernel)
            output = output + ops.matmul(states[0], self.recurrent_kernel)
            return output, [output]

    with pytest.raises(AssertionError, match=r"no state_size; set it in __init__, as in self.st"):
        check_cell(MinimalRNNCell(4))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="run once")
def test_the_example_of_the_reference_finds_what_it_says(capsys):
    page = (Path(__file__).parent.parent / "chapters" / "api.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(program, {"__name__": "api_page"})
    printed = capsys.readouterr().out
    assert f"{GENERAL - 8} passed, 1 failed, 7 skipped" in printed
    assert "failed: config_makes_the_same_cell: LeakyCell: " in printed
    assert "got leak = 0.1 where it was 0.5" in printed


@pytest.mark.skipif(BACKEND != "tensorflow", reason="run once")
def test_the_example_of_the_readme_passes(capsys):
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    (program,) = re.findall(r"```python\n([^`]*check_cell[^`]*)```", readme)
    exec(program, {"__name__": "readme"})
    assert f"GRUCell, sequences of 5 steps x 3: {GENERAL} passed" in capsys.readouterr().out
