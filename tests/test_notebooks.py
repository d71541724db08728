"""Rules for the notebooks as files: what nbval does not see, and what the book promises.

A rule takes a notebook and returns its complaints. Each is also seen to complain of a notebook
that was broken on purpose.
"""

import base64
import copy
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.notebooks import run as tool

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))

NOTEBOOK_BYTES, FIGURE_BYTES = 500_000, 60_000
CELL_LINES, LONG_CELL_LINES = 15, 25  # long: the set-up cells, a class, or a training
COLUMNS = 80  # of a line of code, which is what a page of 1280 px shows
BOOLEANS = 20  # one printed line in so many may hold a Boolean
NOT_COMPARED = ()  # (chapter, cell id) of cells that nbval may skip: none


def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(cells):
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def tags(cell):
    return cell.metadata.get("tags", [])


def has_image(output):
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def text_of(output):
    """The text of an output; a figure's "<Figure size ...>" is not text that anyone reads."""
    if has_image(output):
        return ""
    error = [output.get("ename", ""), output.get("evalue", ""), *output.get("traceback", [])]
    data = [value for value in output.get("data", {}).values() if isinstance(value, str)]
    return "\n".join([output.get("text", ""), *error, *data]).strip()


def sections(notebook):
    """The cells of each section by its heading; those before the first under None."""
    found, heading = {None: []}, None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found[heading].append(cell)
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.M):
            if part.startswith("## "):
                heading = part.splitlines()[0][3:].strip()
            found.setdefault(heading, []).append(new_markdown_cell(part))
    return found


def is_valid(notebook):
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        yield f"nbformat is {notebook.nbformat}.{notebook.nbformat_minor}, not 4.5"
    try:
        nbformat.validate(copy.deepcopy(notebook))
    except nbformat.ValidationError as error:
        yield str(error).splitlines()[0]


def was_executed_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run `make notebooks`"


def errors_are_announced(notebook):
    for cell in code_cells(notebook):
        raised = any(output.output_type == "error" for output in cell.outputs)
        if raised != ("raises-exception" in tags(cell)):
            yield f"cell {cell.id}: an error without the tag raises-exception, or the tag without"


def is_compared(notebook):
    for cell in code_cells(notebook):
        marks = [tag for tag in tags(cell) if tag.startswith("nbval-")]
        marks += re.findall(r"NBVAL_\w+|PYTEST_VALIDATE\w+", cell.source)
        if marks and cell.id not in NOT_COMPARED:
            yield f"cell {cell.id}: nbval would not compare it: {marks}"


def cells_are_short(notebook):
    for number, cell in enumerate(code_cells(notebook)):
        long = number < 2 or re.search(r"^\s*class |for epoch|\.fit\(", cell.source, re.M)
        lines, limit = len(cell.source.splitlines()), LONG_CELL_LINES if long else CELL_LINES
        if lines > limit:
            yield f"cell {cell.id}: {lines} lines, {limit} at most"


def is_small(notebook):
    size = len(nbformat.writes(notebook).encode())
    if size > NOTEBOOK_BYTES:
        yield f"{size} bytes, {NOTEBOOK_BYTES} at most"
    for cell in code_cells(notebook):
        for output in filter(has_image, cell.outputs):
            for kind, data in output.data.items():
                encoded = kind in ("image/png", "image/jpeg")
                size = len(base64.b64decode(data) if encoded else data)
                if size > FIGURE_BYTES:
                    yield f"cell {cell.id}: a figure of {size} bytes, {FIGURE_BYTES} at most"


def figures_have_numbers(notebook):
    """nbval does not compare images, so the numbers behind one are printed with or before it."""
    before = ""
    for cell in code_cells(notebook):
        text = "".join(map(text_of, cell.outputs))
        if any(map(has_image, cell.outputs)) and not (text or before):
            yield f"cell {cell.id}: a figure, and neither it nor the cell before prints a number"
        before = text


def figures_have_alt_text(notebook):
    for cell in code_cells(notebook):
        if any(map(has_image, cell.outputs)):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if len(alt.strip()) < 20:
                yield f"cell {cell.id}: write alt text (metadata mystnb.image.alt)"


def prints_no_errors(notebook):
    for cell in code_cells(notebook):
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield f"cell {cell.id}: stderr is stored"


def has_no_trailing_semicolon(notebook):
    for cell in code_cells(notebook):
        if cell.source.rstrip().endswith(";"):
            yield f"cell {cell.id}: ends in ';', which nbval cannot compare: assign to _"


def names_no_machine(notebook):
    private = re.compile(
        r"(?<![\w.])/(work|root|home|tmp|Users)/|pypi\.org|pythonhosted|index-url|127\.0\.0\.1"
    )
    for cell in notebook.cells:
        for text in [cell.source, *map(text_of, cell.get("outputs", []))]:
            if match := private.search(text):
                yield f"cell {cell.id}: names a machine's path or a registry: {match[0]}"


def does_not_belittle(notebook):
    prose = re.sub(r"```.*?```|`[^`]*`", "", markdown(notebook.cells), flags=re.S)
    for word in re.findall(r"\b(simply|just|obviously)\b", prose, re.I):
        yield f"the word {word!r}"


def opens_well(notebook):
    prose = re.sub(r"```.*?```", "", markdown(notebook.cells), flags=re.S)
    titles = re.findall(r"^# (.+)$", prose, re.M)
    if len(titles) != 1 or not notebook.cells[0].source.startswith("# "):
        yield f"one title, in the first cell: {titles}"
    if any(title[:1].isdigit() for title in titles):
        yield "the title holds a number: _toc.yml gives it"
    first_code = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    opening = markdown(notebook.cells[:first_code])
    question, _, rest = opening.partition("You will learn")
    if "?" not in question:
        yield "no question before 'You will learn'"
    learn, _, duration = rest.partition("Time to run")
    if not 3 <= len(re.findall(r"^[-*] ", learn, re.M)) <= 4:
        yield "'You will learn' needs 3 or 4 bullets"
    if "minute" not in duration:
        yield "'Time to run' needs minutes"


def is_set_up_once(notebook):
    """Two cells: the first finds the package and is the same everywhere; the second imports."""
    imports = re.compile(r"^(import |from \S+ import |[%!]\s*pip )", re.M)
    for number, cell in enumerate(code_cells(notebook)):
        if bool(imports.search(cell.source)) != (number < 2):
            yield f"cell {cell.id}: imports belong into the first two code cells"


def closes_well(notebook):
    parts = sections(notebook)
    if list(parts)[-3:] != ["Summary", "Exercises", "References"]:
        yield "the last sections are Summary, Exercises, References, in this order"
        return
    if len(re.findall(r"^[-*] ", markdown(parts["Summary"]), re.M)) != 3:
        yield "Summary: three bullets"
    exercises = parts["Exercises"]
    if len(re.findall(r"^(\d+\.|[-*]|###) ", markdown(exercises), re.M)) < 3:
        yield "Exercises: at least three"
    solutions = [cell for cell in exercises if cell.cell_type == "code" and cell.source.strip()]
    if len(solutions) < 3 or not all("hide-cell" in tags(cell) for cell in solutions):
        yield "Exercises: a folded solution (tag hide-cell) for each"


def lines_of_code_fit_the_page(notebook):
    for cell in code_cells(notebook):
        widest = max(map(len, cell.source.splitlines()), default=0)
        if widest > COLUMNS:
            yield f"cell {cell.id}: a line of {widest} columns, {COLUMNS} at most"


def printed_text(cell):
    """What a cell's outputs say in a terminal; no figure, and no error that was raised."""
    return "\n".join(
        output.get("text", output.get("data", {}).get("text/plain", ""))
        for output in cell.outputs
        if not has_image(output)
    )


def few_answers_are_booleans(notebook):
    """An option (bias=True) and an entry of a dict ('bias': True) are names and no answers."""
    answer = re.compile(r"(?<!=)(?<!': )\b(True|False)\b")
    lines = "\n".join(map(printed_text, code_cells(notebook))).splitlines()
    lines = [line for line in lines if line.strip()]
    found = [line for line in lines if answer.search(line)]
    if BOOLEANS * len(found) > len(lines):
        yield f"{len(found)} of {len(lines)} printed lines are Booleans, as {found[0]!r}"


def tolerances_are_well_formed(notebook):
    for cell in code_cells(notebook):
        if "tolerance" in cell.metadata:
            try:
                tool.tolerance.check_declaration(cell.metadata.tolerance, f"cell {cell.id}")
            except ValueError as error:
                yield str(error)


def trained_numbers_have_a_tolerance(notebook):
    """From the first training on: before it, numbers from MNIST depend on no trained weight."""
    trained = False
    for cell in code_cells(notebook):
        trained = trained or re.search(r"\.fit\(|\btrain\w*\(|@tf\.function", cell.source)
        printed = re.search(r"\d\.\d", printed_text(cell))
        if trained and printed and "mnist" in tags(cell) and "tolerance" not in cell.metadata:
            yield f"cell {cell.id}: prints {printed[0]}: measure its tolerance with `make ulp`"


GUESS = r'<details(| data-right="true")><summary>([^\n]+)</summary>\n\n(.+?)\n\n</details>'


def bets_can_be_won(notebook):
    """A bet has a question and two to five guesses, each with a sentence, and one is right."""
    text = markdown(notebook.cells)
    opening = '<div class="bet" data-live="bet">\n\n'
    if text.count('data-live="bet"') != text.count(opening):
        yield f"a bet begins with {opening!r}"
    for bet in (part.partition("</div>")[0] for part in text.split(opening)[1:]):
        question, _, rest = bet.partition("<details")
        name = f"the bet {question.strip()[:60]!r}"
        guesses = re.findall(GUESS, bet, re.S)
        if "?" not in question:
            yield f"{name}: no question"
        if not 2 <= len(guesses) <= 5 or len(guesses) != bet.count("<details"):
            yield f"{name}: {len(guesses)} guesses that are marked as CONTRIBUTING says, not 2 to 5"
        if sum(bool(right) for right, _, _ in guesses) != 1:
            yield f"{name}: exactly one guess has data-right"
        for _, guess, answer in guesses:
            if not re.search(r"\w \w.*[.!?)]$", answer.strip(), re.S):
                yield f"{name}: no sentence under {guess!r}"


RULES = [
    is_valid,
    was_executed_in_order,
    errors_are_announced,
    is_compared,
    cells_are_short,
    is_small,
    figures_have_numbers,
    figures_have_alt_text,
    prints_no_errors,
    has_no_trailing_semicolon,
    names_no_machine,
    does_not_belittle,
    opens_well,
    is_set_up_once,
    closes_well,
    lines_of_code_fit_the_page,
    few_answers_are_booleans,
    tolerances_are_well_formed,
    trained_numbers_have_a_tolerance,
    bets_can_be_won,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter(path, rule):
    if rule in (opens_well, closes_well) and not path.stem[0].isdigit():
        return  # back matter is no chapter: nothing to learn in order, no exercises
    assert list(rule(nbformat.read(path, as_version=4))) == []


def test_cell_ids_are_unique_in_the_book():
    ids = [cell.id for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells]
    assert sorted(ids) == sorted(set(ids))


def test_figures_shown_elsewhere_are_those_of_the_chapters():
    found = {}
    for path in NOTEBOOKS:
        found |= dict(tool.figures(nbformat.read(path, as_version=4)))
    for name, copied in tool.SHOWN.items():
        assert copied.read_bytes() == found[name], f"{name}: run `make notebooks`"


# Each rule complains of a notebook that was broken on purpose.

PIXEL = base64.b64encode(b"\x89PNG" + b"0" * 20).decode()


def good_notebook():
    stream = new_output("stream", name="stdout", text="0.5\n")
    error = new_output("error", ename="ValueError", evalue="no", traceback=[])
    figure = new_output("display_data", {"image/png": PIXEL, "text/plain": "<Figure>"})
    alt = {"mystnb": {"image": {"alt": "A curve that falls from one to zero."}}}
    opening = "# One step\n\nWhat is a step?\n\n**You will learn**\n\n- a\n- b\n- c\n\n"
    bet = (
        '<div class="bet" data-live="bet">\n\n**Your bet.** Which?\n\n'
        "<details><summary>a</summary>\n\nNo, it is not.\n\n</details>\n"
        '<details data-right="true"><summary>b</summary>\n\nRight: it is.\n\n</details>\n</div>'
    )
    code = [
        new_code_cell("import os"),
        new_code_cell("import numpy as np"),
        new_code_cell("print(0.5)", outputs=[stream]),
        new_code_cell("plot()", outputs=[figure], metadata=alt),
        new_code_cell("fail()", outputs=[error], metadata={"tags": ["raises-exception"]}),
        *(new_code_cell(f"print({i})", metadata={"tags": ["hide-cell"]}) for i in range(3)),
    ]
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
    return new_notebook(
        cells=[
            new_markdown_cell(opening + "**Time to run**: 1 minute."),
            *code[:5],
            new_markdown_cell(f"{bet}\n\n## Summary\n\n- a\n- b\n- c"),
            new_markdown_cell("## Exercises\n\n1. a\n2. b\n3. c"),
            *code[5:],
            new_markdown_cell("## References\n\n- Elman"),
        ]
    )


def set_source(number, source):
    return lambda notebook: notebook.cells[number].update(source=source)


def edit(number, before, after):
    def change(notebook):
        assert before in notebook.cells[number].source
        notebook.cells[number].source = notebook.cells[number].source.replace(before, after)

    return change


def set_tags(number, *names):
    return lambda notebook: notebook.cells[number].metadata.update(tags=list(names))


def set_figure(size):
    data = base64.b64encode(bytes(size)).decode()
    return lambda notebook: notebook.cells[4].outputs[0].data.update({"image/png": data})


def add_output(number, output):
    return lambda notebook: notebook.cells[number].outputs.append(output)


def update(number, **values):
    return lambda notebook: notebook.cells[number].update(values)


def train_before_a_number(notebook):
    notebook.cells[2].source += "\nmodel.fit(x)"
    set_tags(3, "mnist")(notebook)


ANOTHER = "<details><summary>x</summary>\n\nNo, no.\n\n</details>\n"
TRUE = new_output("stream", name="stdout", text="above 0.9: True")
LATE_IMPORT = "import os\nprint(0.5)"
STDERR = new_output("stream", name="stderr", text="a warning")
PATH = new_output("stream", name="stdout", text="saved in /tmp/model.keras")

BROKEN = [
    (is_valid, lambda notebook: notebook.update(nbformat_minor=4)),
    (is_valid, update(3, outputs=[{"output_type": "nothing"}])),
    (was_executed_in_order, update(3, execution_count=None)),
    (was_executed_in_order, update(3, execution_count=7)),
    (errors_are_announced, set_tags(5)),
    (errors_are_announced, update(5, outputs=[])),
    (is_compared, set_tags(3, "nbval-ignore-output")),
    (is_compared, set_tags(3, "nbval-skip")),
    (is_compared, set_source(3, "# NBVAL_IGNORE_OUTPUT\nprint(1)")),
    (cells_are_short, set_source(3, "x = 1\n" * 16)),
    (cells_are_short, set_source(3, "class A:\n" + "    x = 1\n" * 25)),
    (is_small, set_figure(FIGURE_BYTES + 1)),
    (is_small, set_source(3, "x" * NOTEBOOK_BYTES)),
    (figures_have_numbers, update(3, outputs=[])),
    (figures_have_alt_text, update(4, metadata=nbformat.from_dict({}))),
    (prints_no_errors, add_output(3, STDERR)),
    (has_no_trailing_semicolon, set_source(4, "plot();")),
    (names_no_machine, add_output(3, PATH)),
    (names_no_machine, set_source(3, "open('/home/me/x')")),
    (does_not_belittle, set_source(-1, "## References\n\nThis is Just so.")),
    (opens_well, edit(0, "# One", "One")),
    (opens_well, edit(0, "# One", "# 1. One")),
    (opens_well, edit(0, "- c", "- c\n- d\n- e")),
    (opens_well, edit(0, "step?", "step.")),
    (opens_well, edit(0, "1 minute", "soon")),
    (opens_well, edit(-1, "## R", "# More\n\n## R")),
    (is_set_up_once, set_source(1, "x = 1")),
    (is_set_up_once, set_source(2, "x = 1")),
    (is_set_up_once, set_source(3, LATE_IMPORT)),
    (is_set_up_once, set_source(3, "%pip install x")),
    (closes_well, edit(-1, "References", "Sources")),
    (closes_well, edit(6, "- c", "")),
    (closes_well, edit(7, "3. c", "")),
    (closes_well, set_tags(8)),
    (closes_well, lambda notebook: notebook.cells.pop(8)),
    (lines_of_code_fit_the_page, set_source(3, f"x = 1\ny = '{'x' * 75}'")),
    (few_answers_are_booleans, add_output(3, TRUE)),
    (few_answers_are_booleans, add_output(3, new_output("execute_result", {"text/plain": "True"}))),
    (tolerances_are_well_formed, update(3, metadata=nbformat.from_dict({"tolerance": 0.1}))),
    (trained_numbers_have_a_tolerance, train_before_a_number),
    (bets_can_be_won, edit(6, "Which?", "Which.")),
    (bets_can_be_won, edit(6, ' data-live="bet">\n', ' data-live="bet">')),
    (bets_can_be_won, edit(6, ' data-right="true"', "")),
    (bets_can_be_won, edit(6, "<details>", '<details data-right="true">')),
    (bets_can_be_won, edit(6, "No, it is not.", "")),
    (bets_can_be_won, edit(6, "No, it is not.", "No")),
    (bets_can_be_won, edit(6, "</summary>\n\nNo", "</summary>No")),
    (bets_can_be_won, edit(6, "<details>", 4 * ANOTHER + "<details>")),
    (bets_can_be_won, edit(6, "<details><summary>a</summary>\n\nNo, it is not.\n\n</details>", "")),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_accepts_a_good_notebook(rule):
    assert list(rule(good_notebook())) == []


@pytest.mark.parametrize(("rule", "break_it"), BROKEN)
def test_rule_complains_of_a_broken_notebook(rule, break_it):
    notebook = good_notebook()
    break_it(notebook)
    assert list(rule(notebook)) != []


def test_every_rule_is_seen_to_complain():
    assert {rule for rule, _ in BROKEN} == set(RULES)


# tools/notebooks/run.py and nbval themselves.


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of one chapter, with a copy of the package that its kernel imports."""
    shutil.copytree(ROOT / "rnncells", tmp_path / "rnncells")
    (tmp_path / "chapters").mkdir()
    for name, value in tool.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(tool, "CHAPTERS", tmp_path / "chapters")
    monkeypatch.setattr(tool, "demand_mnist", lambda: None)

    def write(*sources, **metadata):
        cells = [new_code_cell(source, metadata=metadata) for source in sources]
        path = tmp_path / "chapters" / "01_test.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return write


@pytest.mark.slow
def test_store_is_repeatable_and_keeps_ids(book):
    path = book("x = 1\nprint(x)", "x + 1")
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    tool.store([path])
    stored = path.read_bytes()
    tool.store([path])
    assert path.read_bytes() == stored
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.id for cell in cells] == ids
    assert [text_of(cell.outputs[0]) for cell in cells] == ["1", "2"]


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("**Time to run**: under a minute on two CPU cores.", 0),
        ("**Time to run**: about a minute on two CPU cores.", 1),
        ("**Time to run**: about two and a half minutes on two CPU cores.", 2.5),
        ("**Time to run**: two to three minutes on two CPU cores.", 3),
        ("No such line.", 0),
    ],
)
def test_the_longest_notebooks_are_tested_first(said, minutes, tmp_path):
    path = tmp_path / "01_test.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell(said)]), path)
    assert tool.minutes(path) == minutes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sources", "metadata", "message"),
    [
        (["x = 1", "1 / 0"], {}, "01_test, code cell 2: ZeroDivisionError: division by zero"),
        (["x = 1"], {"tags": ["raises-exception"]}, "code cell 1: .* did not raise"),
    ],
)
def test_store_stops_and_writes_nothing(book, sources, metadata, message):
    path = book(*sources, **metadata)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match=message):
        tool.store([path])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_store_refuses_a_cell_id_that_another_chapter_has(book):
    path = book("1")
    shutil.copy(path, path.with_name("02_test.ipynb"))
    with pytest.raises(SystemExit, match="01_test: cell ids are not unique"):
        tool.store([path])


LSTM = """
import keras, numpy as np
from rnncells import LSTMCell
keras.utils.set_random_seed(0)
cell = LSTMCell(3, bias_initializer="random_normal")
x = np.linspace(-1, 1, 8, dtype="float32").reshape(1, 4, 2)
print(np.round(keras.layers.RNN(cell)(x), 4).tolist())
"""


@pytest.mark.slow
def test_nbval_catches_two_swapped_gates(book):
    path = book(LSTM.strip())
    tool.store([path])
    assert run_nbval(path).returncode == 0

    lstm = path.parent.parent / "rnncells" / "cells" / "lstm.py"
    right = "i, f, g, o = ops.split(self.affine"
    assert right in lstm.read_text()
    lstm.write_text(lstm.read_text().replace(right, "f, i, g, o = ops.split(self.affine"))
    result = run_nbval(path)
    assert result.returncode == 1
    assert "Cell outputs differ" in result.stdout


@pytest.mark.slow
def test_cells_tagged_mnist_are_not_compared_on_the_stand_in(book):
    path = book("print(1)", tags=["mnist"])
    tool.store([path])
    path.write_text(path.read_text().replace('"1\\n"', '"2\\n"'))
    assert run_nbval(path).returncode == 1
    assert run_nbval(path, "-p", "tools.notebooks.nbval_standin").returncode == 0


# Numbers that depend on the machine: chapters/conftest.py.

tolerance = load_module("chapters_conftest", ROOT / "chapters" / "conftest.py")


@pytest.mark.parametrize(
    ("new", "same"),
    [
        ("accuracy 0.93 after 3 epochs, 81.0 %\n", True),  # as stored
        ("accuracy 0.94 after 3 epochs, 81.0 %\n", True),
        ("accuracy 0.92 after 3 epochs, 80 %\n", True),
        ("accuracy  0.93 after 3 epochs,   81.0 %\n", True),  # in another column
        ("accuracy 9.3e-1 after 3 epochs, 81.0 %\n", True),
        ("accuracy 0.95 after 3 epochs, 81.0 %\n", False),  # out of its range
        ("accuracy -0.93 after 3 epochs, 81.0 %\n", False),
        ("accuracy 0.93 after 4 epochs, 81.0 %\n", False),  # a whole number
        ("accuracy 0.93 after 3.0 epochs, 81.0 %\n", False),
        ("error 0.93 after 3 epochs, 81.0 %\n", False),  # a word
        ("accuracy 0.93 after 3 epochs, 81.0\n", False),  # no percent sign
        ("accuracy nan after 3 epochs, 81.0 %\n", False),
        ("accuracy 0.93 0.93 after 3 epochs, 81.0 %\n", False),  # a number more
        ("accuracy 0.93 after 3 epochs, 81.0 %\nDone.\n", False),  # a line more
        ("accuracy 0.93\nafter 3 epochs, 81.0 %\n", False),
        ("", False),
    ],
)
def test_numbers_are_compared_within_what_the_cell_declares(new, same):
    stored = "accuracy 0.93 after 3 epochs, 81.0 %\n"
    declared = {"absolute": 0.01, "relative": 0.0001}
    near = tolerance.near_text(new, stored, declared)
    assert (near == stored) == same
    if new == stored.replace("0.93", "0.94"):
        assert tolerance.near_text(new, stored, {"absolute": 0.005}) != stored
        assert tolerance.near_text(new, stored, {"relative": 0.005}) != stored
        assert tolerance.near_text(new, stored, {"relative": 0.02}) == stored


@pytest.mark.parametrize(
    "declared", [0.01, {}, {"absolut": 0.01}, {"absolute": "0.01"}, {"relative": 0}]
)
def test_a_wrong_declaration_is_one_sentence(declared):
    with pytest.raises(ValueError, match="03: tolerance: expected .* got .*: correct"):
        tolerance.check_declaration(declared, "03")


@pytest.mark.slow
def test_nbval_finds_what_a_tolerance_does_not_allow(book):
    """Each cell prints another number than the stored one; the first and second may."""
    stored = ["0.931 of 7\n", "<b>0.5</b>", "0.931 of 7\n", "0.931 of 7\n", "0.931 of 7\n"]
    sources = ["print('0.935 of 7')", "HTML('<b>0.51</b>')", "print('0.951 of 7')"]
    sources += ["print('0.931 of 8')", "print('0.935 of 7')"]
    path = book("from IPython.display import HTML", *sources)
    tool.store([path])
    notebook = nbformat.read(path, as_version=4)
    for cell, text in zip(notebook.cells[1:], stored, strict=True):
        (output,) = cell.outputs
        if "data" in output:
            output.data["text/html"] = text
        else:
            output.text = text
    for cell in notebook.cells[1:5]:  # the last one declares nothing
        cell.metadata.tolerance = {"absolute": 0.012}
    nbformat.write(notebook, path)
    shutil.copy(ROOT / "chapters" / "conftest.py", path.parent)
    result = run_nbval(path, "-rf")
    failed = re.findall(r"FAILED .*Cell (\d)", result.stdout)
    assert failed == ["3", "4", "5"], result.stdout


# run.py ulp: how far numbers move.


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("accuracy 0.93 of 7", [0, 0]),
        ("accuracy  0.94 of 7", [0.01, 0.01 / 0.93]),
        ("accuracy 0.90 of 7", [0.03, 0.03 / 0.93]),
        ("accuracy 0.93 of 8", None),
        ("error 0.93 of 7", None),
        ("accuracy nan of 7", None),
        ("accuracy 0.93 of 7 0.5", None),
    ],
)
def test_movement_is_of_numbers_alone(text, moved):
    assert tool.movement(text, "accuracy 0.93 of 7") == (moved and pytest.approx(moved))


def test_movement_from_zero_has_no_relative_size():
    assert tool.movement("0.1", "0.0") == [0.1, float("inf")]


@pytest.mark.parametrize(("moved", "wanted"), [(0.01, 0.02), (0.004, 0.006), (0.065, 0.1), (2, 3)])
def test_a_proposed_tolerance_has_one_digit(moved, wanted):
    assert tool.proposed(moved) == wanted


def stored_cell(text, declared=None):
    metadata = {"tolerance": declared} if declared else {}
    return new_code_cell("x", metadata=metadata, outputs=[new_output("stream", text=text)])


@pytest.mark.parametrize(
    ("declared", "texts", "fine", "said"),
    [
        (None, ["0.93", "0.93"], True, ""),
        (None, ["0.93", "0.94"], False, 'nothing; its numbers need {"absolute": 0.02} or'),
        (None, ["0.93", "0.930"], False, "moved by 0, relative 0; declares nothing"),
        ({"absolute": 0.02}, ["0.92", "0.94"], True, 'moved by 0.01, .*{"absolute": 0.02}$'),
        ({"absolute": 0.02}, ["0.92", "0.96"], False, 'need {"absolute": 0.05}'),
        ({"absolute": 0.02}, ["0.92", "0.93 of 3"], False, "[+]0.93 of 3"),
    ],
)
def test_a_cell_that_moves_further_than_it_declares_is_found(declared, texts, fine, said):
    cell = stored_cell("0.93", declared)
    runs = {f"run {number}": tool.compared(stored_cell(text)) for number, text in enumerate(texts)}
    lines, accepted = tool.moved_cell("03, code cell 1", cell, runs)
    assert accepted == fine
    assert re.search(said, "\n".join(lines)) and bool(lines) == bool(said)


def test_ulp_runs_each_direction_and_fails_where_a_number_moves(book, monkeypatch, capsys):
    firsts = []

    def execute(notebook, _):
        firsts.append(notebook.cells[0].source)
        text = "0.51" if len(firsts) == 4 else "0.5"
        notebook.cells[1].outputs = [new_output("stream", text=text)]

    monkeypatch.setattr(tool, "execute", execute)
    path = book("print(0.5)")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].outputs = [new_output("stream", text="0.5")]
    nbformat.write(notebook, path)
    for count, status in [(3, 0), (1, 1)]:
        with pytest.raises(SystemExit) as stopped:
            tool.ulp([path], count)
        assert stopped.value.code == status
    assert len(set(firsts)) == 3
    printed = capsys.readouterr().out
    assert "01_test: 0 cells" in printed and "01_test: 1 cells" in printed


def fits(model):
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0)


def loops(model):
    @tf.function
    def step(x):
        inspects(model, x)

    step(tf.ones((4, 2)))


def inspects(model, x=None):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.ones((4, 2)) if x is None else x))
    tape.gradient(loss, model.trainable_variables)


@pytest.mark.parametrize("train", [fits, loops, lambda model: (fits(model), loops(model))])
def test_a_training_begins_an_ulp_away(train):
    """Once, also where a model is trained twice."""
    moved = [moves(train, first) for _, first in tool.directions(4)]
    assert np.all(moved[0] == 1) and np.all(moved[1] == -1)
    assert all(set(some.ravel()) == {1, -1} for some in moved[2:])
    assert np.any(moved[2] != moved[3])


def test_an_inspection_moves_nothing():
    _, up = next(iter(tool.directions(1)))
    assert np.all(moves(inspects, up) == 0)


def moves(train, first):
    """The signs of what a first cell adds to a model's initial weights, in ulps."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, use_bias=False)])
    before = model.get_weights()[0]
    with pytest.MonkeyPatch.context() as patch:  # puts both back
        patch.setattr(keras.Model, "fit", keras.Model.fit)
        patch.setattr(tf.GradientTape, "gradient", tf.GradientTape.gradient)
        exec(first, {})
        train(model)
    ulps = (model.get_weights()[0] - before) / np.spacing(np.abs(before))
    assert np.all(np.abs(ulps) <= 1), ulps
    return np.sign(ulps)


def run_nbval(path, *options):
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", *options]
    command += ["-p", "no:cacheprovider", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
