"""Results in rows and columns: a table on the page and in Colab, aligned text in a terminal."""

import html
import numbers

from IPython.display import display


class Table:
    """Rows under a header, shown as HTML where a browser looks and as text elsewhere.

    Args:
        rows: A list of rows, each a list or tuple with one value for each column, or a dict with
            the columns as keys.
        columns: The columns' names, in order.
        formats: Columns' names and how their numbers are written, as in ``{"loss": ".3f"}``. Other
            whole numbers are written with commas between thousands; anything else as ``str`` does.
            None is an empty cell.

    Raises:
        ValueError: A row has another number of values than there are columns, or a format is for a
            column that is not there.
    """

    def __init__(self, rows, columns, formats=None):
        self.columns = list(columns)
        self.formats = dict(formats or {})
        if unknown := set(self.formats) - set(self.columns):
            raise ValueError(
                f"Table: formats: expected names among {self.columns}; got {sorted(unknown)}:"
                " name a column or leave the format out."
            )
        self.rows = [self._row(number, row) for number, row in enumerate(rows)]
        values = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        self.is_number = [
            any(map(_is_number, column)) or name in self.formats
            for name, column in zip(self.columns, values, strict=True)
        ]
        self.cells = [
            [self._text(*pair) for pair in zip(self.columns, row, strict=True)] for row in self.rows
        ]

    def _row(self, number, row):
        row = [row.get(name) for name in self.columns] if isinstance(row, dict) else list(row)
        if len(row) != len(self.columns):
            raise ValueError(
                f"Table: row {number}: expected {len(self.columns)} values, one for each of"
                f" {self.columns}; got {len(row)}: give None for a value that is missing."
            )
        return row

    def _text(self, name, value):
        if value is None:
            return ""
        if _is_number(value) and name in self.formats:
            return format(value, self.formats[name])
        return f"{value:,}" if isinstance(value, numbers.Integral) else str(value)

    def __repr__(self):
        lines = [self.columns, *self.cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(self._line(cells, widths).rstrip() for cells in lines)

    def _line(self, cells, widths):
        sides = [">" if is_number else "<" for is_number in self.is_number]
        return "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True)
        )

    def _repr_html_(self):
        head = self._html_row(self.columns, 'th scope="col"')
        body = "\n".join(self._html_row(cells, "td") for cells in self.cells)
        return (
            '<div class="results"><table>\n'
            f"<thead>\n{head}\n</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
        )

    def _html_row(self, cells, tag):
        sides = ["right" if is_number else "left" for is_number in self.is_number]
        made = [
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag.split()[0]}>'
            for cell, side in zip(cells, sides, strict=True)
        ]
        return f"<tr>{''.join(made)}</tr>"


def show_table(rows, columns, formats=None):
    """Shows rows and columns as a ``Table``, which says what the arguments are."""
    display(Table(rows, columns, formats))


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
