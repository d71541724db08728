import importlib.util
import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # no log between the lines
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # the same sums in the same order

ADDRESS = ""  # the book's repository
if getattr(importlib.util.find_spec("rnncells"), "origin", None) is None:
    if os.path.isfile("../rnncells/__init__.py"):
        sys.path.insert(0, os.path.abspath(".."))  # a clone: the package is one folder up
    elif ADDRESS:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]  # and nothing else
        archive = f"{ADDRESS}/archive/refs/heads/main.zip"
        result = subprocess.run([*pip, archive], capture_output=True, text=True)
        if result.returncode:
            raise ModuleNotFoundError(f"pip could not install {archive}: {result.stderr}")
        importlib.invalidate_caches()
    else:
        raise ModuleNotFoundError(
            "rnncells is not here: open this notebook in a clone of the book's repository,"
            " or install the package's wheel with pip install --no-deps."
        )
