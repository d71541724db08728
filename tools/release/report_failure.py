"""Reports a run of a workflow that failed: opens an issue, or adds a comment to the open one."""

import json
import os
import shutil
import subprocess
import sys

TITLE = "The weekly run failed"
NEEDED = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")


def run_address():
    """Where the failed run can be read, from what a runner of GitHub sets."""
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        sys.exit(
            f"report-failure needs {', '.join(missing)}, which a workflow's run has: expected to"
            " run there. Nothing was reported."
        )
    server, repository, number = (os.environ[name] for name in NEEDED)
    return f"{server}/{repository}/actions/runs/{number}"


def gh(*arguments):
    """What GitHub's command line prints; where it fails, its message ends this program."""
    result = subprocess.run(
        ["gh", *arguments, "--repo", os.environ["GITHUB_REPOSITORY"]],
        capture_output=True,
        text=True,
    )
    if result.returncode:
        sys.exit(f"report-failure: gh {' '.join(arguments[:2])} failed: {result.stderr.strip()}")
    return result.stdout.strip()


def open_issue():
    """The number of the issue that an earlier failure opened, or None."""
    listed = gh("issue", "list", "--state=open", "--limit=1000", "--json=number,title")
    numbers = [issue["number"] for issue in json.loads(listed) if issue["title"] == TITLE]
    return str(min(numbers)) if numbers else None


def main():
    address = run_address()
    if not shutil.which("gh"):
        sys.exit(f"report-failure needs gh, GitHub's command line: {address} was not reported.")
    body = f"A weekly run failed: {address}"
    if number := open_issue():
        print(gh("issue", "comment", number, f"--body={body}"))
    else:
        print(gh("issue", "create", f"--title={TITLE}", f"--body={body}"))


if __name__ == "__main__":
    main()
