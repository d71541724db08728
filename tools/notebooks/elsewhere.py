"""Runs the notebooks as a reader has them: copied, on another Python, with only the wheel.

First the set-up cell installs the package from an address, which a server here plays, and nothing
else may change; then the wheel is installed, and nbval compares every notebook.
"""

import argparse
import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from contextlib import contextmanager
from pathlib import Path

from tools.notebooks import run as notebooks
from tools.release import address

ROOT = notebooks.ROOT
# Keras 3.13.0 says this when it is imported, on any NumPy; nbval would take it for an output.
KERAS_WARNS = "ignore:In the future `np.object` will be defined:FutureWarning"
VERSIONS = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "matplotlib", "scikit-learn")


def run(python, *arguments, **options):
    """What a program prints; where it fails, its message ends this one."""
    result = subprocess.run([python, *arguments], capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{Path(python).name} {' '.join(arguments)[:60]}: {result.stderr.strip()}")
    return result.stdout


def pip(python, *arguments):
    return run(python, "-m", "pip", "--disable-pip-version-check", *arguments)


def installed(python):
    """name -> version of every package that `python` sees."""
    lines = pip(python, "list", "--format=freeze").splitlines()
    return dict(line.replace("_", "-").split("==") for line in lines)


def archive(folder):
    """An archive of the files under version control, as a repository's page gives it."""
    path = folder / "archive" / "refs" / "heads" / "main.zip"
    path.parent.mkdir(parents=True)
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    with zipfile.ZipFile(path, "w") as file:
        for name in filter(None, names.split("\0")):
            file.write(ROOT / name, f"main/{name}")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """An address at which `folder` can be read."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def try_the_set_up_cell(python, folder):
    """The cell installs rnncells, and leaves every other package as it was."""
    site = folder / "site"
    archive(site)
    pip(python, "uninstall", "-q", "-y", "rnncells")
    before = installed(python)
    with served(site) as url:
        run(python, "-c", address.set_up_cell(url) + "\nimport rnncells", cwd=folder)
    after = installed(python)
    pip(python, "uninstall", "-q", "-y", "rnncells")
    version = after.pop("rnncells")
    if after != before:
        sys.exit(f"The set-up cell changed {dict(after.items() ^ before.items())}.")
    print(f"The set-up cell installed rnncells {version} from an address, and nothing else.")


def install_the_wheel(python, folder):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    pip(python, "install", "-q", "--no-deps", "--force-reinstall", str(wheel))
    found = run(python, "-c", "import rnncells; print(rnncells.__file__)", cwd=folder).strip()
    if "site-packages" not in found and "dist-packages" not in found:
        sys.exit(f"rnncells comes from {found} and not from the wheel.")
    shown = [f"{name} {version}" for name, version in installed(python).items() if name in VERSIONS]
    python_version = run(python, "-c", "import platform; print(platform.python_version())").strip()
    print(f"{wheel.name} on Python {python_version}, {', '.join(shown)}", flush=True)


def copies(paths, folder):
    """Copies of the notebooks, with nothing of the checkout beside them but nbval's plugins."""
    chapters = folder / "notebooks"
    chapters.mkdir()
    shutil.copy(ROOT / "chapters" / "conftest.py", chapters)
    plugin = folder / "tools" / "notebooks"
    plugin.mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "notebooks" / "nbval_standin.py", plugin)
    return [Path(shutil.copy(path, chapters)) for path in paths]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("python", help="the Python that has Keras, TensorFlow and nbval")
    parser.add_argument("names", nargs="*", metavar="NAME", help="as for notebooks.py")
    arguments = parser.parse_args()
    python = os.path.abspath(arguments.python)
    os.environ |= notebooks.ENVIRONMENT | {"PYTHONWARNINGS": KERAS_WARNS}
    paths = notebooks.find(arguments.names)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try_the_set_up_cell(python, folder)
        install_the_wheel(python, folder)
        status = notebooks.compare(copies(paths, folder), python, folder)
    sys.exit(status)


if __name__ == "__main__":
    main()
