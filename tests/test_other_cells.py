"""chapters/other_cells.md is what tools/pages/other_cells.py writes, for this kit and this Keras.

The packages are not installed here: `make other-cells` writes the page again, and needs the
registry. Keras's own faults need nothing, and are looked at again.
"""

import keras
import pytest

from rnncells.testing.checks import CHECKS, VERSION
from tools.pages import other_cells

TEXT = other_cells.PAGE.read_text()
CELLS = [(package, cell) for package in other_cells.PACKAGES for cell in package.cells]


def test_the_page_is_of_this_kit():
    assert f"version {VERSION} says" in TEXT, "run `make other-cells`"
    names = {check.name for check in CHECKS}
    assert {check for _, cell in CELLS for check in cell.programs} <= names


@pytest.mark.parametrize(("package", "cell"), CELLS, ids=lambda value: value.name)
def test_each_cell_has_its_section_and_its_programs(package, cell):
    assert f"## {package.name} {package.version}\n" in TEXT
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{cell.name}` |")]
    failed = int(row.split("|")[4])
    section = TEXT.split(f"### {cell.name}\n")[1].partition("\n## ")[0].partition("\n### ")[0]
    assert failed == len(cell.programs)
    assert section.count("```python") == failed + len(cell.notes)
    for check, program in cell.programs.items():
        assert f"**`{check}`**" in section and f"```python\n{program}\n```" in section


@pytest.mark.no_cover
@pytest.mark.parametrize("title", other_cells.KERAS)
def test_keras_still_does_this(title):
    if f"Keras {keras.__version__} " not in TEXT.replace("\n", " "):
        pytest.skip("the page is of another Keras")
    back_end = other_cells.back_end_of(title)
    if back_end == "torch":
        pytest.skip("PyTorch is in another environment; tests/test_back_ends.py looks at it")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("run once")
    listing = other_cells.listing(other_cells.KERAS[title], other_cells.FOLDER, back_end)
    assert f"### {title}\n\n{listing}" in TEXT
