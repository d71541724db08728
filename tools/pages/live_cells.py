"""Puts the live elements into the chapters: a Markdown cell each, with its still picture.

python -m tools.pages.live_cells     writes the cells anew; their ids begin with "live-"
"""

import base64
import json
import re
import tempfile
from pathlib import Path

from tools.pages import stills

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = r"^## Summary"
OURS = re.compile(r'<div data-live="(?!bet").*?</div>\n\n(?=## Summary)', re.DOTALL)

# Chapter, picture, attributes, its sentence, the picture's words, and before which cell it stands:
# the first that matches, or after it where a + leads.
PLACES = [
    ("01", "one-step", 'data-live="one-step"',
     "In a browser you can step through this toy, forwards and backwards, and change $x$ and $U$.",
     "The four steps, W and U as tables, and the state after each step that was read.",
     r"+h_back"),
    ("02", "eigenvalues", 'data-live="eigenvalues"',
     "In a browser you can drag a pair of eigenvalues and watch what the state does.",
     "Two eigenvalues in the plane, a state that spirals in, and what is left of each row.",
     r"+depends on the absolute value"),
    ("03", "reader", 'data-live="reader" data-cells="simple" data-inside',
     "In a browser you can draw a digit and watch a simple cell read it row by row.",
     "A digit that is read, the ten scores after each row, and bars for the ten scores now.",
     SUMMARY),
    ("04", "reach", 'data-live="reach"',
     "In a browser you can move the spectral radius and see how far the gradient reaches.",
     "The norm of the gradient at each row as a curve, and the gradient for each pixel of a digit.",
     r"+show_reach\("),
    ("05", "tape", 'data-live="tape"',
     "In a browser you can set the marks and watch $c$ and $h$ follow.",
     "Eight numbers, three marks for each of them, and the c and h that follow.",
     r"+show_lstm\(4\)"),
    ("05", "reader", 'data-live="reader" data-cells="lstm simple" data-inside',
     "In a browser you can draw a digit, watch an LSTM and a simple cell read it, and hold a gate.",
     "A digit that is read, the ten scores after each row, and bars for the ten scores now.",
     SUMMARY),
    ("06", "tape-gru", 'data-live="tape" data-cell="gru"',
     "In a browser you can set the marks of a GRU without its tanh and watch $g$ and $h$ follow.",
     "Eight numbers, two marks for each of them, and the g and h that follow.",
     r"+1 ?- ?z"),
    ("06", "reader", 'data-live="reader" data-cells="gru lstm" data-inside',
     "In a browser you can draw a digit, watch a GRU and an LSTM read it, and hold a gate.",
     "A digit that is read, the ten scores after each row, and bars for the ten scores now.",
     SUMMARY),
    ("11", "letters", 'data-live="letters"',
     "In a browser you can type the beginning of a name, watch what the network expects next, and "
     "let it write on.",
     "Three letters of a name, a bar for each letter that may come next, and a button that writes "
     "on.",
     r"+never learned to pronounce"),
]  # fmt: skip


def main():
    with tempfile.TemporaryDirectory() as folder:
        stills.photograph(Path(folder))
        for chapter in sorted({place[0] for place in PLACES}):
            (path,) = (ROOT / "chapters").glob(f"{chapter}_*.ipynb")
            notebook = json.loads(path.read_text(encoding="utf-8"))
            insert(notebook["cells"], chapter, Path(folder))
            text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
            path.write_text(text, encoding="utf-8")


def insert(cells, chapter, folder):
    cells[:] = [cell for cell in cells if not cell.get("id", "").startswith("live-")]
    for cell in cells:
        cell["source"] = lines(OURS.sub("", "".join(cell["source"])))
    for name, attributes, sentence, words, where in (p[1:] for p in PLACES if p[0] == chapter):
        picture = base64.b64encode((folder / f"live-{name}.png").read_bytes()).decode()
        image = f"![{words}](data:image/png;base64,{picture})"
        text = f"<div {attributes}>\n\n{image}\n\n{sentence}\n\n</div>"
        number = place_of(cells, where)
        before, heading, after = "".join(cells[number]["source"]).partition("## Summary")
        if where == SUMMARY and before:  # the heading is inside a cell
            cells[number]["source"] = lines(f"{before}{text}\n\n{heading}{after}")
        else:
            own = {"cell_type": "markdown", "id": f"live-{name}-{chapter}", "metadata": {}}
            cells.insert(number, {**own, "source": lines(text)})


def lines(text):
    return text.splitlines(keepends=True)


def place_of(cells, where):
    """The number of the first cell that matches, or of the one after it; else of the summary."""
    for pattern in (where, SUMMARY):
        for number, cell in enumerate(cells):
            if re.search(pattern.lstrip("+"), "".join(cell["source"]), re.MULTILINE):
                return number + pattern.startswith("+")
    raise ValueError(f"live_cells: expected a cell that matches {where!r} or a summary; got none.")


if __name__ == "__main__":
    main()
