"""Writes chapters/messages.md: every broken cell of tests/zoo.py, and each one's messages.

    python tools/pages/messages.py

Each mistake is made as a user makes it, on Keras's Layer and on RNNCell: a model is built, trained
and loaded from its file. The page quotes the first error, and what check_cell says.
"""

import ast
import inspect
import os
import re
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import keras  # noqa: E402
import numpy as np  # noqa: E402
import zoo  # noqa: E402

from rnncells.testing import check_cell  # noqa: E402
from rnncells.testing.checks import CHECKS, VERSION  # noqa: E402
from rnncells.testing.found import gist  # noqa: E402

PAGE = ROOT / "chapters" / "messages.md"
STAGES = ("making the model", "training", "loading", "never")
GROUPS = {
    "contract": "What the cell declares, and what it does",
    "keeping": "From a configuration, from a file, by copying",
    "equivalence": "One cell, many ways to run it",
    "masks": "Under a mask",
    "numbers": "Numbers",
    "state": "The first state and the last",
}
OPENING = """\
# Error messages explained

This page lists every mistake in a cell that we know, with the message that it causes: from
Keras {keras} on TensorFlow, from [`RNNCell`](api.md), and from [`check_cell`](api.md). A program
writes it. The program makes each mistake twice, in a cell derived from `keras.layers.Layer` and in
one derived from `RNNCell`, builds a model around the cell, trains it, saves it, loads it, and
notes the first error. A test does all this again and compares.

If a message has brought you here, search this page for a few of its words.

## How early is a mistake noticed?

The table counts the mistakes by the moment at which the first error is raised.

| first error | a cell on Keras's `Layer` | a cell on `RNNCell` |
|---|---|---|
{counts}

"Never" means that the model can be built, trained and loaded from its file, with no message or at
most a warning. It does not mean that the model does what its author meant. `check_cell` finds
every one of these mistakes.

No check can find wrong mathematics, such as two gates that are exchanged or a sign that is wrong.
Such a cell keeps the contract, it trains, and it may even train well. Compare your cell with
something independent: the equations in NumPy, or another library, as in
[](09_your_own_cell.ipynb).
"""
CHECKS_OPENING = """\
## All checks

These are the checks of version {version}. The later ones need those marked with a star: where one
of them fails, the rest is skipped. A check is also skipped where another's failure explains its
own, so that one mistake is reported once. The last column says which version of the kit added it.
"""


def main():
    keras.utils.disable_interactive_logging()
    records = []
    for number, mistake in enumerate(zoo.MISTAKES, start=1):
        print(f"{number}/{len(zoo.MISTAKES)} {mistake.__name__}", flush=True)
        records.append(record(mistake))
    PAGE.write_text(page(records))
    print(f"written: {PAGE.relative_to(ROOT)}")


def record(mistake):
    """What happens to the mistake on either base, and what check_cell says."""
    on_layer, on_rnncell = zoo.on_layer(mistake), zoo.on_rnncell(mistake)
    failed = failures(on_layer or on_rnncell)
    return {
        "title": title(mistake),
        "code": code(mistake),
        "keras": life(on_layer) if on_layer else None,
        "rnncell": life(on_rnncell) if on_rnncell else None,
        "check": failed[0],
        "failed": [name for name, _ in failed],
        "repair": mistake.repair,
        "group": next(c.group for c in CHECKS if c.name == mistake.caught_by[0]),
    }


def title(mistake):
    return inspect.cleandoc(mistake.__doc__).rstrip(".")


def life(make):
    """(the stage of the first error, the error in one line) of a model with this cell."""
    x = np.random.default_rng(0).normal(size=(12, 5, 3)).astype("float32")
    stage = STAGES[0]
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        fresh_start()
        path = os.path.join(folder, "model.keras")
        try:
            layers = [keras.Input((5, 3)), keras.layers.RNN(make()), keras.layers.Dense(2)]
            model = keras.Sequential(layers)
            stage = STAGES[1]
            model.compile("adam", "mse")
            loss = model.fit(x, np.zeros((12, 2)), batch_size=6, verbose=0).history["loss"][0]
            stage = STAGES[2]
            model.save(path)
            again = keras.models.load_model(path)
            if np.isnan(loss):
                return STAGES[3], "the loss is nan"
            if not np.allclose(again(x), model(x), atol=1e-5):
                return STAGES[3], "the loaded model computes other numbers"
        except Exception as error:
            return stage, gist(error)
    return STAGES[3], ""


def failures(make):
    """[(the name of a check that fails, its sentence)]"""
    fresh_start()
    results = check_cell(make, on_fail=None)
    return [(r["check_name"], str(r["exception"])) for r in results if r["status"] == "failed"]


def fresh_start():
    """The same numbers, and layers that are counted from one again."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)


def code(mistake):
    """The methods that hold the mistake."""
    source = textwrap.dedent(inspect.getsource(mistake))
    (definition,) = ast.parse(source).body
    methods = [node for node in definition.body if isinstance(node, ast.FunctionDef)]
    lines = source.splitlines()
    parts = ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in methods]
    return re.sub(r"\s+# noqa.*", "", textwrap.dedent("\n\n\n".join(parts)))


def page(records):
    parts = [OPENING.format(keras=keras.__version__, counts=counts(records))]
    for group, heading in GROUPS.items():
        chosen = [section(r) for r in records if r["group"] == group]
        if chosen:
            parts += [f"## {heading}\n", *chosen]
    parts.append(CHECKS_OPENING.format(version=VERSION))
    parts += [checks_of(group, heading) for group, heading in GROUPS.items()]
    return "\n".join(parts)


def counts(records):
    rows = []
    for stage in STAGES:
        layer = sum(r["keras"] is not None and r["keras"][0] == stage for r in records)
        own = sum(r["rnncell"] is not None and r["rnncell"][0] == stage for r in records)
        rows.append(f"| {stage} | {layer} | {own} |")
    impossible = [sum(r[base] is None for r in records) for base in ("keras", "rnncell")]
    rows.append("| cannot happen | {} | {} |".format(*impossible))
    rows.append(f"| | {len(records)} | {len(records)} |")
    return "\n".join(rows)


def section(r):
    fence = f"```python\n{r['code']}\n```\n" if r["code"] else ""
    layer = said(r["keras"]) if r["keras"] else "This cannot happen: the layer is ours."
    own = said(r["rnncell"]) if r["rnncell"] else "This cannot happen: the base class does it."
    name, sentence = r["check"]
    return (
        f"### {r['title']}\n\n{fence}\n"
        f"Keras\n: {layer}\n\n"
        f"`RNNCell`\n: {own}\n\n"
        f"`check_cell`, `{name}`\n: {quoted(sentence)}\n\n"
        f"Repair\n: {r['repair']}\n"
    )


def said(stage_and_error):
    stage, error = stage_and_error
    if stage == STAGES[3] and error:
        return f"No error: the model trains and loads, but {error}."
    return f"When {stage}: {quoted(error)}" if error else "No error: the model trains and loads."


def quoted(text):
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def checks_of(group, heading):
    rows = [
        f"| `{check.name}`{' *' if check.needed else ''} | {check.expected} | {check.since} |"
        for check in CHECKS
        if check.group == group
    ]
    head = "| check | expects | since |\n|---|---|---|\n"
    return f"### {heading}: {group}\n\n{head}" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
