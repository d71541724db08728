"""Makes a built book need no network: a copy of it, in which MathJax is a file beside the pages.

python tools/pages/offline.py _build/html _build/offline
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sphinx.ext.mathjax import MATHJAX_URL

ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / "_build" / "mathjax"
VERSION = "3.2.2"
# Every TeX extension and no fonts: formulas are drawn as SVG, so one file is all that a page loads.
FILE = "tex-svg-full.js"


def main():
    book, offline = (Path(argument) for argument in sys.argv[1:])
    script = mathjax()
    shutil.rmtree(offline, ignore_errors=True)
    shutil.copytree(book, offline)
    shutil.copy(script, offline / "_static" / "mathjax.js")
    if not sum(load_from_here(page, offline) for page in offline.rglob("*.html")):
        shutil.rmtree(offline)
        sys.exit(f"No page of {book} loads MathJax from {MATHJAX_URL}: did Sphinx change it?")


def mathjax():
    """The path of MathJax, fetched from npm the first time."""
    script = FETCHED / "node_modules" / "mathjax" / "es5" / FILE
    if not script.exists():
        if not shutil.which("npm"):
            sys.exit(
                "The offline book takes MathJax from npm, and npm is missing: install Node.js."
            )
        options = "--ignore-scripts --no-save --no-package-lock --no-audit --no-fund --silent"
        command = ["npm", "install", f"mathjax@{VERSION}", "--prefix", FETCHED, *options.split()]
        if subprocess.run(command).returncode or not script.exists():
            sys.exit(f"npm could not fetch mathjax@{VERSION}: is its registry within reach?")
    return script


def load_from_here(page, book):
    """Points the page at the book's own MathJax; True where it loads MathJax at all."""
    text = page.read_text()
    own = os.path.relpath(book / "_static" / "mathjax.js", page.parent)
    page.write_text(text.replace(f'src="{MATHJAX_URL}"', f'src="{own}"'))
    return MATHJAX_URL in text


if __name__ == "__main__":
    main()
