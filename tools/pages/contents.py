"""The pages of the book in their order, as _toc.yml has them."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def files():
    """intro, chapters/01_one_step, ...: without endings."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
