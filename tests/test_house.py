"""The rooms of the package: who imports whom, and what `import rnncells` brings with it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "rnncells"

# Each room, and the rooms that it may import from. CONTRIBUTING.md has the picture.
MAY_IMPORT = {
    "reference": set(),
    "initializers": set(),
    "cells": {"initializers"},
    "layers": {"cells"},
    "convert": {"cells", "layers"},
    "testing": {"cells", "layers"},
    "book": {"cells", "layers", "testing", "reference"},
    "earlier": {"cells", "layers"},
    "__init__": {"cells", "layers", "earlier"},
}


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The modules that a file names in its imports, as in rnncells.cells.lstm."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(path, modules):
    room = room_of(path)
    rooms = {module.split(".")[1] for module in modules if module.startswith("rnncells.")}
    return sorted(rooms - MAY_IMPORT[room] - {room})


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.name)
def test_imports_go_downwards_only(path):
    assert wrong_imports(path, imported(path)) == []


def test_an_import_upwards_is_seen():
    assert wrong_imports(PACKAGE / "cells" / "lstm.py", ["rnncells.testing.check"]) == ["testing"]
    assert wrong_imports(PACKAGE / "reference.py", ["rnncells.cells"]) == ["cells"]
    assert wrong_imports(PACKAGE / "layers" / "parallel.py", ["rnncells.cells", "keras"]) == []


def test_the_cells_know_only_keras():
    files = [*(PACKAGE / "cells").glob("*.py"), *(PACKAGE / "layers").glob("*.py")]
    modules = {module.split(".")[0] for path in files for module in imported(path)}
    assert modules & {"tensorflow", "jax", "torch"} == set()
    assert not any(m.startswith("keras.src") for path in files for m in imported(path))
    assert {m.split(".")[0] for m in imported(PACKAGE / "reference.py")} == {"numpy"}


def test_the_package_imports_what_a_cell_needs_and_no_more():
    """The time that it takes is in its modules: half of them would be the kit and the figures."""
    program = (
        "import sys, keras; before = set(sys.modules); import rnncells;"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = [sys.executable, "-c", program]
    new = subprocess.run(run, capture_output=True, text=True, check=True, cwd=PACKAGE.parent).stdout
    rooms = {name.split(".")[1] for name in new.split() if name.startswith("rnncells.")}
    assert rooms == {"cells", "layers", "earlier", "initializers"}
    assert not {"matplotlib", "hypothesis", "pytest", "sklearn"} & set(new.split())
