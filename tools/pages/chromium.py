"""The machine's own Chromium, for the tests of the pages and for the PDF.

python tools/pages/chromium.py   says in one line what is missing for them, and nothing otherwise
"""

import shutil
import sys
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find():
    """The path of the browser; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing():
    """One sentence on what has to be installed; None where nothing has to."""
    if not find():
        return "No browser was found: install Chromium, as chromium or google-chrome on the PATH."
    if not shutil.which("npm"):
        return "npm was not found, and MathJax comes from there: install Node.js."


@contextmanager
def launched():
    if not find():
        sys.exit(missing())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find())
        yield browser
        browser.close()


if __name__ == "__main__":
    print(missing() or "", end="")
