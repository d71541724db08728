"""tools/stages.py: every stage runs, the time of each is said, and a failure is not lost."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "tools" / "stages.py"


def run(folder, *stages):
    (folder / "Makefile").write_text("good:\n\t@echo did good\nbad:\n\t@exit 3\n")
    command = [sys.executable, PROGRAM, "make", *stages]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_stages_run_in_turn_and_their_times_are_said(tmp_path):
    result = run(tmp_path, "good")
    assert result.returncode == 0
    assert result.stdout.startswith("did good\n== how long each stage took\ngood ")
    assert "min" in result.stdout and result.stdout.endswith("== all passed\n")


def test_a_failed_stage_is_named_and_the_next_one_runs(tmp_path):
    result = run(tmp_path, "bad", "good")
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "did good" and lines[2].endswith("failed") and "failed" not in lines[3]
    assert lines[-1] == "== failed: bad"
