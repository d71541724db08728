"""One address everywhere, or none anywhere; and the set-up cell that uses it."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from rnncells.cells.contract import OLDEST_KERAS
from tools.release import address as tool

ROOT = Path(__file__).resolve().parent.parent
OWNER_AND_NAME = "some-one/inside.the_RNN-cell"
MADE_UP = f"https://github.com/{OWNER_AND_NAME}"


def test_every_file_agrees_with_the_configuration():
    for path, text in tool.written(tool.current()).items():
        assert path.read_text() == text, f"{path.name}: run make set-address URL=..."


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of every file that holds the address, and the tool at work on it."""
    for path in tool.written(""):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    monkeypatch.setattr(tool, "ROOT", tmp_path)

    def set_address(address):
        monkeypatch.setattr(sys, "argv", ["address.py", address])
        tool.main()

    set_address("")
    return set_address


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_address_is_written_everywhere_and_taken_out_again(copy, tmp_path):
    without = everything(tmp_path)
    assert not [path for path, text in without.items() if b"colab.research" in text]
    copy(MADE_UP + "/")
    named = everything(tmp_path)
    assert set(named) == set(without)
    assert [path.name for path in named if OWNER_AND_NAME not in path.read_text()] == []
    assert tool.current() == MADE_UP
    copy("")
    assert everything(tmp_path) == without


def test_one_notebook_that_disagrees_is_found(copy, tmp_path):
    path = tmp_path / "chapters" / "05_the_lstm_cell.ipynb"
    path.write_text(path.read_text().replace('ADDRESS = \\"\\"', 'ADDRESS = \\"x\\"'))
    assert [
        found.name for found, text in tool.written("").items() if found.read_text() != text
    ] == [path.name]


BAD = [
    "github.com/a/b",
    "http://github.com/a/b",
    "https://gitlab.com/a/b",
    "https://github.com/a",
    "https://github.com/a/b/tree/main",
    "https://github.com/a/b.git",
    "https://github.com/-a/b",
    "https://github.com/a/..",
    "https://github.com/a/b c",
    'https://github.com/a/b"',
    "https://github.com/a/b\n",
    "https://github.com/ä/b",
    "https://user:secret@github.com/a/b",
]


@pytest.mark.parametrize("address", BAD)
def test_a_bad_address_is_refused_and_nothing_is_written(copy, tmp_path, address):
    before = everything(tmp_path)
    with pytest.raises(SystemExit, match="expected https://github.com/OWNER/NAME.*Nothing was"):
        copy(address)
    assert everything(tmp_path) == before


def test_a_file_without_its_block_is_named_and_nothing_is_written(copy, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text().replace("address: end", "", 1))
    before = everything(tmp_path)
    with pytest.raises(SystemExit, match="README.md: expected 2 blocks"):
        copy(MADE_UP)
    assert everything(tmp_path) == before


def make(*arguments):
    return subprocess.run(
        ["make", "set-address", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.skipif(not (ROOT / ".venv").is_dir(), reason="make would set up .venv")
def test_make_asks_for_the_address():
    assert "set-address needs URL=" in make().stderr
    result = make('URL=https://github.com/a/$(id)"')
    assert result.returncode != 0 and "is no address of a repository" in result.stderr


# That its rules can fail needs no second proof.
PAGES = "tests/test_book.py::test_pages"


@pytest.mark.slow
def test_a_book_with_an_address_passes_the_rules_for_its_pages(tmp_path):
    """Among them: Colab opens each chapter at its own place, and no link leads to anybody else."""
    copy = tmp_path / "book"
    left_out = shutil.ignore_patterns(".venv*", ".git", "_build", "dist", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=left_out)
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    for command in (
        [sys.executable, "tools/release/address.py", MADE_UP],
        [jupyter_book, "build", ".", "--all", "-W", "-n", "-q"],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", PAGES],
    ):
        result = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    page = (copy / "_build" / "html" / "chapters" / "05_the_lstm_cell.html").read_text()
    assert f"/github/{OWNER_AND_NAME}/blob/main/chapters/05_the_lstm_cell.ipynb" in page


# The set-up cell, in a Python that has only its own library.

FAKE_PIP = """
import pathlib, sys
pathlib.Path("asked").write_text(" ".join(sys.argv[1:]))
if "good" not in sys.argv[-1]:
    sys.exit("no such archive")
pathlib.Path("rnncells").mkdir(exist_ok=True)
pathlib.Path("rnncells/__init__.py").touch()
"""


@pytest.fixture
def set_up(tmp_path):
    """Runs the set-up cell in a folder `chapters` where no rnncells is installed."""
    folder = tmp_path / "chapters"
    (folder / "pip").mkdir(parents=True)
    (folder / "pip" / "__init__.py").touch()  # or the real one would be found before it
    (folder / "pip" / "__main__.py").write_text(FAKE_PIP)

    def run(address=""):
        code = tool.set_up_cell(address) + "\nimport rnncells\nprint(rnncells.__file__)"
        command = [sys.executable, "-S", "-E", "-c", code]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        return result.stdout.strip() or result.stderr.strip().splitlines()[-1]

    return run


def add_package(folder):
    (folder / "rnncells").mkdir()
    for name in ("__init__.py", "cell.py"):
        (folder / "rnncells" / name).touch()


def asked(tmp_path):
    path = tmp_path / "chapters" / "asked"
    return path.read_text() if path.exists() else None


def test_set_up_uses_what_is_installed(set_up, tmp_path):
    add_package(tmp_path / "chapters")  # the current folder is on the path
    add_package(tmp_path)
    assert set_up("https://github.com/good/x") == str(tmp_path / "chapters/rnncells/__init__.py")
    assert asked(tmp_path) is None


def test_set_up_uses_the_clone(set_up, tmp_path):
    add_package(tmp_path)
    assert set_up("https://github.com/good/x") == str(tmp_path / "rnncells/__init__.py")
    assert asked(tmp_path) is None


@pytest.mark.parametrize("clone_beside", [False, True])
def test_set_up_installs_from_the_address_and_nothing_else(set_up, tmp_path, clone_beside):
    if clone_beside:  # a folder of the same name can be imported, and holds no package
        (tmp_path / "chapters" / "rnncells").mkdir()
    assert set_up("https://github.com/good/x") == str(tmp_path / "chapters/rnncells/__init__.py")
    archive = "https://github.com/good/x/archive/refs/heads/main.zip"
    assert asked(tmp_path) == f"install -q --no-deps {archive}"


def test_set_up_says_why_it_could_not_install(set_up, tmp_path):
    archive = "https://github.com/bad/x/archive/refs/heads/main.zip"
    said = set_up("https://github.com/bad/x")
    assert said == f"ModuleNotFoundError: pip could not install {archive}: no such archive"


def test_set_up_says_what_to_do_without_an_address(set_up, tmp_path):
    said = set_up()
    assert said.startswith("ModuleNotFoundError: rnncells is not here: open this notebook in a")
    assert asked(tmp_path) is None


def test_every_notebook_has_the_set_up_cell_first():
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        first = next(cell for cell in cells if cell.cell_type == "code")
        assert first.source == tool.set_up_cell(tool.current()), path.name
        assert "hide-cell" in first.metadata.tags


# The set-up cell installs with --no-deps, so the package itself looks at Keras's version.


def test_an_older_keras_is_refused_in_one_sentence():
    code = "import keras; keras.__version__ = '3.12.4'; import rnncells"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = result.stderr.strip().splitlines()[-1]
    assert said.startswith(
        "ImportError: rnncells needs Keras 3.13 or newer, and this is Keras 3.12"
    )


def test_the_oldest_keras_is_the_same_everywhere():
    oldest = ".".join(map(str, OLDEST_KERAS))
    assert f'"keras>={oldest}"' in (ROOT / "pyproject.toml").read_text()
    versions = ROOT / "tools" / "notebooks" / "versions"
    assert f"keras=={oldest}.0\n" in (versions / "oldest.txt").read_text()
