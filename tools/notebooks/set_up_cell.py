import importlib.util
import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # no log between the lines
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # the same sums in the same order

ADDRESS = ""  # the book's repository
if getattr(importlib.util.find_spec("rnncells"), "origin", None) is None:
    if os.path.isfile("../rnncells/__init__.py"):
        sys.path.insert(0, os.path.abspath(".."))  # in a clone
    elif ADDRESS:
        archive = f"{ADDRESS}/archive/refs/heads/main.zip"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        result = subprocess.run([*pip, archive], capture_output=True, text=True)
        if result.returncode:
            failed = f"pip could not install {archive}: {result.stderr}"
            raise ModuleNotFoundError(failed)
        importlib.invalidate_caches()
    else:
        raise ModuleNotFoundError(
            "rnncells is not here: open this notebook in a clone of the book's"
            " repository, or pip install --no-deps the package's wheel."
        )
