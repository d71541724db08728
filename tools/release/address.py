"""Writes the address of the book's repository wherever it is needed, or takes it out again.

_config.yml is the one place that holds it. Everything else is written from there: the notebooks'
set-up cells, and the blocks between `address: begin` and `address: end` in the files below.
"""

import os
import re
import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
SET_UP_CELL = ROOT / "tools" / "notebooks" / "set_up_cell.py"

COLAB = "https://colab.research.google.com"

# As GitHub has them: an owner of letters, digits and single hyphens, a name that is no file name.
ADDRESS = re.compile(
    r"https://github\.com/(?P<owner>[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)/(?P<name>(?!\.+$)[\w.-]+)",
    re.ASCII,
)
BLOCK = re.compile(r"(^[^\n]*address: begin[^\n]*\n)(.*?)(^[^\n]*address: end)", re.M | re.S)

# What stands in each file's blocks, in their order. Those of _config.yml are there without an
# address too: Jupyter Book's default would point every button at a repository of its own.
BLOCKS = {
    "_config.yml": [
        """\
repository:
  url: "{address}"
  branch: main
launch_buttons:
  colab_url: "{site}"
""",
        """\
  baseurl: "{pages}"
  use_repository_button: {buttons}
  use_issues_button: {buttons}
""",
    ],
    "README.md": [
        """\
[![Open in Colab]({site}/assets/colab-badge.svg)]({colab}/01_one_step.ipynb)

**Read it**: [{pages}]({pages})
""",
        """\
Without a clone: `pip install {archive}`.
""",
    ],
    "intro.md": [
        """\
In Colab, with nothing to install: the rocket at the top of each chapter opens it there
([chapter 1]({colab}/01_one_step.ipynb)), and its first cell fetches the package.
""",
    ],
    "pyproject.toml": [
        """\
[project.urls]
Homepage = "{pages}"
Repository = "{address}"
Issues = "{address}/issues"
Changelog = "{address}/blob/main/CHANGELOG.md"
""",
    ],
    "CITATION.cff": ['repository-code: "{address}"\nurl: "{pages}"\n'],
}


def parse(address):
    """The owner and the name in an address; what cannot be one ends the program."""
    match = ADDRESS.fullmatch(address)
    if not match or match["name"].endswith(".git"):
        sys.exit(
            f"{address!r} is no address of a repository: expected https://github.com/OWNER/NAME,"
            " with nothing after the name. Nothing was written."
        )
    return match["owner"], match["name"]


def current():
    """The address that _config.yml holds; empty where there is none yet."""
    return yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]


def values(address):
    """What the blocks may name."""
    if not address:
        return {"address": "", "pages": "", "site": "", "colab": "", "buttons": "false"}
    owner, name = parse(address)
    return {
        "address": address,
        "archive": f"{address}/archive/refs/heads/main.zip",  # as in the set-up cell
        "pages": f"https://{owner.lower()}.github.io/{name}/",
        "site": COLAB,
        "colab": f"{COLAB}/github/{owner}/{name}/blob/main/chapters",
        "buttons": "true",
    }


def with_blocks(file, address):
    """The text of `file` with its blocks as `address` wants them."""
    blocks, text = BLOCKS[file], (ROOT / file).read_text()
    if len(BLOCK.findall(text)) != len(blocks):
        sys.exit(f"{file}: expected {len(blocks)} blocks `address: begin` to `address: end`.")
    shown = address or file == "_config.yml"
    inside = iter([block.format(**values(address)) if shown else "" for block in blocks])
    return BLOCK.sub(lambda match: match[1] + next(inside) + match[3], text)


def set_up_cell(address):
    """The source of the first code cell of every notebook."""
    source = SET_UP_CELL.read_text().rstrip("\n")
    assert source.count('ADDRESS = ""') == 1
    return source.replace('ADDRESS = ""', f'ADDRESS = "{address}"')


def with_set_up_cell(path, address):
    """The text of a notebook whose first code cell is the set-up cell."""
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = set_up_cell(address)
    return nbformat.writes(notebook) + "\n"


def written(address):
    """Every file that holds the address, and its text."""
    texts = {ROOT / file: with_blocks(file, address) for file in BLOCKS}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        texts[path] = with_set_up_cell(path, address)
    return texts


def main():
    address = sys.argv[1].rstrip("/")
    if address:
        parse(address)
    texts = written(address)  # all of them, before the first is changed
    changed = [path for path, text in texts.items() if path.read_text() != text]
    for path in changed:
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(texts[path], newline="\n")
        os.replace(temporary, path)
    print(f"{address or 'No address'}: {len(changed)} of {len(texts)} files changed.")


if __name__ == "__main__":
    main()
