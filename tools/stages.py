"""Runs stages of the Makefile one after the other, and says at the end how long each took.

    python tools/stages.py make check-code check-units

A stage that fails does not keep the others from running. The exit status is 1 if one failed.
"""

import subprocess
import sys
import time


def run(make, stage):
    """Whether it passed, and its seconds."""
    start = time.monotonic()
    status = subprocess.run([make, "--no-print-directory", stage]).returncode
    return status == 0, time.monotonic() - start


def table(results):
    lines = [
        f"{stage:<18}{seconds // 60:4.0f} min {seconds % 60:2.0f} s{'' if passed else '   failed'}"
        for stage, (passed, seconds) in results.items()
    ]
    total = sum(seconds for _, seconds in results.values())
    return "\n".join([*lines, f"{'in all':<18}{total // 60:4.0f} min {total % 60:2.0f} s"])


def main(make, *stages):
    results = {stage: run(make, stage) for stage in stages}
    print(f"== how long each stage took\n{table(results)}", flush=True)
    failed = [stage for stage, (passed, _) in results.items() if not passed]
    print(f"== failed: {', '.join(failed)}" if failed else "== all passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
