"""Lints the scripts of the live elements and compares their layout with Biome's.

python tools/pages/scripts.py           skipped with a sentence where npm is missing
python tools/pages/scripts.py --write   repairs the layout
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / "_build" / "lint"
VERSION = "2.3.8"
FOLDERS = ("site/live", "tests/live")


def main():
    if not shutil.which("npm"):
        print("Skipped: npm was not found, and Biome comes from there: install Node.js.")
        return 0
    command = [biome(), "check", "--config-path=tools/pages", *sys.argv[1:], *FOLDERS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode


def biome():
    """The path of Biome, fetched from npm the first time."""
    program = FETCHED / VERSION / "node_modules" / ".bin" / "biome"
    if not program.exists():
        options = "--ignore-scripts --no-save --no-package-lock --no-audit --no-fund --silent"
        package = f"@biomejs/biome@{VERSION}"
        command = ["npm", "install", package, "--prefix", FETCHED / VERSION, *options.split()]
        if subprocess.run(command).returncode or not program.exists():
            sys.exit(f"npm could not fetch {package}: is its registry within reach?")
    return program


if __name__ == "__main__":
    sys.exit(main())
