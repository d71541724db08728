"""A table says the same as text and as HTML."""

import re

import numpy as np
import pytest

from rnncells.book.tables import Table, show_table

ROWS = [["gru", 13514, 0.97921], ["lstm, <long>", np.int64(874), None]]
COLUMNS = ["cell", "weights", "accuracy"]


def test_text_is_aligned_and_numbers_end_below_each_other():
    assert repr(Table(ROWS, COLUMNS, {"accuracy": ".3f"})).splitlines() == [
        "cell          weights  accuracy",
        "gru            13,514     0.979",
        "lstm, <long>      874",
    ]


def test_html_has_the_same_cells_and_a_header_of_columns():
    table = Table(ROWS, COLUMNS, {"accuracy": ".3f"})._repr_html_()
    assert re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table) == COLUMNS
    cells = re.findall(r'<td style="text-align: (\w+)">(.*?)</td>', table)
    assert [text for _, text in cells] == [
        *("gru", "13,514", "0.979"),
        *("lstm, &lt;long&gt;", "874", ""),
    ]
    assert [side for side, _ in cells] == ["left", "right", "right"] * 2


def test_rows_may_be_dicts_and_other_keys_are_left_out():
    rows = [{"accuracy": 0.5, "cell": "gru", "seed": 1}]
    assert repr(Table(rows, ["cell", "accuracy"])) == "cell  accuracy\ngru        0.5"


def test_no_rows_leave_the_header():
    assert repr(Table([], COLUMNS)) == "cell  weights  accuracy"


@pytest.mark.parametrize(
    ("rows", "formats", "message"),
    [
        ([["gru", 1]], {}, "row 0: expected 3 values, .* got 2: give None"),
        (ROWS, {"loss": ".2f"}, "formats: expected names among .* got \\['loss'\\]"),
    ],
)
def test_a_mistake_is_one_sentence(rows, formats, message):
    with pytest.raises(ValueError, match=message):
        Table(rows, COLUMNS, formats)


def test_without_a_notebook_it_is_printed(capsys):
    show_table(ROWS, COLUMNS)
    assert "13,514" in capsys.readouterr().out
