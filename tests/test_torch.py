"""Chapter 8 prints what PyTorch printed: here PyTorch, where it is installed, prints it again."""

import ast
import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

NOTEBOOK = Path(__file__).parent.parent / "chapters" / "08_cells_at_work.ipynb"


def sources(kind):
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def block():
    """The page's PyTorch program, between its fences."""
    text = "\n".join(sources("markdown"))
    (found,) = re.findall(r"```python\n(import numpy as np\nimport torch\n.*?)```", text, re.S)
    return found


def function(source, name):
    """A function's syntax tree as text, which layout and comments do not change."""
    found = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    return ast.dump(found[0]) if found else None


def typed_numbers():
    (cell,) = (source for source in sources("code") if source.startswith("torch_says = "))
    return ast.literal_eval(ast.parse(cell).body[0].value)


def test_both_sides_fill_their_weights_from_the_same_wave():
    (ours,) = filter(None, (function(source, "wave") for source in sources("code")))
    assert ours == function(block(), "wave")


def test_pytorch_prints_the_numbers_on_the_page():
    pytest.importorskip("torch", reason="PyTorch is not installed (make test-backends has it)")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block(), {})
    lines = printed.getvalue().splitlines()
    for line, (name, numbers) in zip(lines, typed_numbers().items(), strict=True):
        np.testing.assert_allclose(ast.literal_eval(line), numbers, atol=2e-6, err_msg=name)
