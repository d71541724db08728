"""Where an experiment ran: the columns that the tables of the ledger and of the benchmark share."""

import datetime
import os
import platform
import sys
from pathlib import Path

import keras
import numpy as np

import rnncells

MACHINE = ["device", "cores", "backend", "keras", "numpy", "rnncells", "python", "date"]


def machine():
    backend = keras.backend.backend()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "device": accelerator(backend) or processor(),
        "cores": cores,
        "backend": f"{backend} {sys.modules[backend].__version__}",
        "keras": keras.__version__,
        "numpy": np.__version__,
        "rnncells": rnncells.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }


def accelerator(backend):
    """Its name, or None without one."""
    module = sys.modules[backend]
    if backend == "jax" and module.default_backend() != "cpu":
        return module.devices()[0].device_kind
    if backend == "torch" and module.cuda.is_available():
        return module.cuda.get_device_name()
    if backend == "tensorflow" and (gpus := module.config.list_physical_devices("GPU")):
        return module.config.experimental.get_device_details(gpus[0]).get("device_name")
    return None


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
