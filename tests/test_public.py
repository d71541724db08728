"""Rules for what a public repository runs and what a release holds.

A rule returns its complaints. Each is also seen to complain of what was broken on purpose.
"""

import email.message
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import rnncells
from tools.release import dist, report_failure

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
MAKEFILE = (ROOT / "Makefile").read_text()
SCRIPTS = Path(sys.executable).parent

# What a job may do beyond reading the checkout; a job that is not named, nothing.
GRANTED = {
    ("test.yml", "publish"): {"pages": "write", "id-token": "write"},
    ("weekly.yml", "report"): {"contents": "read", "issues": "write"},
}


def read_workflows():
    """name -> text, as the rules take them."""
    return {path.name: path.read_text() for path in sorted((GITHUB / "workflows").glob("*.yml"))}


def jobs(texts):
    for file, text in texts.items():
        for name, job in yaml.safe_load(text)["jobs"].items():
            yield file, name, job


def steps(texts):
    for file, name, job in jobs(texts):
        for step in job["steps"]:
            yield f"{file}, {name}", step


def actions_are_pinned(texts):
    pins = {}
    for file, text in texts.items():
        for line in re.findall(r"uses: *(.*)", text):
            match = re.fullmatch(r"([\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
            if not match:
                yield f"{file}: {line}: expected 40 hexadecimal digits and # vX.Y.Z"
            elif pins.setdefault(match[1], match[2]) != match[2]:
                yield f"{file}: {line}: another pin than elsewhere"


def runs_are_make(texts):
    """One target, which can be run here too, and with the Python that the job set up."""
    for where, step in steps(texts):
        if "run" not in step:
            continue
        match = re.fullmatch(r"make ([\w-]+) PYTHON=python3?", step["run"])
        if not match:
            yield f"{where}: {step['run']!r}: expected make TARGET PYTHON=python"
        elif not re.search(rf"^[\w -]*\b{match[1]}\b[\w -]*:", MAKEFILE, re.M):
            yield f"{where}: {match[1]} is no target of the Makefile"


def jobs_may_do_little(texts):
    for file, text in texts.items():
        if yaml.safe_load(text).get("permissions") != {}:
            yield f"{file}: permissions at the top: expected {{}}"
    for file, name, job in jobs(texts):
        granted = GRANTED.get((file, name), {"contents": "read"})
        if job.get("permissions") != granted:
            yield f"{file}, {name}: permissions: expected {granted}"


def jobs_end(texts):
    for file, name, job in jobs(texts):
        if not 0 < job.get("timeout-minutes", 0) <= 120:
            yield f"{file}, {name}: timeout-minutes: expected 120 at most"


def checkouts_keep_no_key(texts):
    for where, step in steps(texts):
        checkout = step.get("uses", "").startswith("actions/checkout@")
        if checkout and step.get("with", {}).get("persist-credentials") is not False:
            yield f"{where}: checkout: expected persist-credentials: false"


def names_no_address(texts):
    """Neither the repository's nor a registry's: a fork's runs are its own."""
    for file, text in texts.items():
        for address in re.findall(r"https?:\S+|[\w-]+\.(?:com|dev|io|org)\b", text):
            yield f"{file}: {address}"


def runs_give_way(texts):
    for file, text in texts.items():
        if not yaml.safe_load(text).get("concurrency", {}).get("group"):
            yield f"{file}: no concurrency group: two runs would go on side by side"


def every_python_is_tested(texts):
    matrix = yaml.safe_load(texts["test.yml"])["jobs"]["everything"]["strategy"]["matrix"]
    if matrix["python"] != ["3.11", "3.12", "3.13"]:
        yield f"test.yml: Python {matrix['python']}: expected 3.11 to 3.13, as in the Makefile"
    systems = yaml.safe_load(texts["test.yml"])["jobs"]["units"]["strategy"]["matrix"]["os"]
    if systems != ["macos-latest", "windows-latest"]:
        yield f"test.yml: unit tests on {systems}"


def only_what_passed_is_published(texts):
    for file, name, job in jobs(texts):
        uses = [step.get("uses", "") for step in job["steps"]]
        if not any(action.startswith("actions/deploy-pages@") for action in uses):
            continue
        others = set(yaml.safe_load(texts[file])["jobs"]) - {name}
        if set(job.get("needs", [])) != others:
            yield f"{file}, {name}: needs: expected every other job: {sorted(others)}"
        if job.get("if") != "github.ref == 'refs/heads/main'":
            yield f"{file}, {name}: if: expected the branch main alone"


def pages_were_tested(texts):
    """The pages that are uploaded are those that `make test` built a step before."""
    for file, name, job in jobs(texts):
        for before, step in zip([{}, *job["steps"]], job["steps"], strict=False):
            if step.get("uses", "").startswith("actions/upload-pages-artifact@") and (
                before.get("run") != "make test PYTHON=python"
                or step.get("with") != {"path": "_build/html"}
            ):
                yield f"{file}, {name}: expected _build/html, right after make test"


def a_failure_is_reported(texts):
    listed = yaml.safe_load(texts["weekly.yml"])["jobs"]
    if set(listed["report"]["needs"]) != set(listed) - {"report"}:
        yield "weekly.yml, report: needs: expected every other job"


RULES = [
    actions_are_pinned,
    runs_are_make,
    jobs_may_do_little,
    jobs_end,
    checkouts_keep_no_key,
    names_no_address,
    runs_give_way,
    every_python_is_tested,
    only_what_passed_is_published,
    pages_were_tested,
    a_failure_is_reported,
]

BROKEN = [  # rule, file, what stands there, what would be wrong
    (actions_are_pinned, "test.yml", r"checkout@\w+ # v[\d.]+", "checkout@v7"),
    (actions_are_pinned, "test.yml", r"(checkout@\w+) # v[\d.]+", r"\1"),
    (actions_are_pinned, "weekly.yml", r"checkout@\w{4}", "checkout@0000"),
    (runs_are_make, "test.yml", r"make test PYTHON", "pip install . && make test PYTHON"),
    (runs_are_make, "test.yml", r"make dist PYTHON=python", "make dist"),
    (runs_are_make, "weekly.yml", r"make test-newest", "make test-newer"),
    (jobs_may_do_little, "test.yml", r"permissions: \{\}", "permissions: write-all"),
    (jobs_may_do_little, "test.yml", r"permissions: \{\}\n", ""),
    (jobs_may_do_little, "test.yml", r"contents: read", "contents: write"),
    (jobs_may_do_little, "weekly.yml", r"issues: write", "pull-requests: write"),
    (jobs_end, "weekly.yml", r"    timeout-minutes: \d+\n", ""),
    (jobs_end, "weekly.yml", r"timeout-minutes: \d+", "timeout-minutes: 360"),
    (checkouts_keep_no_key, "test.yml", r"persist-credentials: false", "fetch-depth: 0"),
    (names_no_address, "weekly.yml", r"\$\{\{ vars.COLAB_IMAGE \}\}", "registry.example.com/x"),
    (names_no_address, "test.yml", r"steps.deployment.outputs.page_url", "https://a.b/"),
    (runs_give_way, "test.yml", r"concurrency:\n.*\n.*\n", ""),
    (every_python_is_tested, "test.yml", r'"3.12", ', ""),
    (every_python_is_tested, "test.yml", r", windows-latest", ""),
    (only_what_passed_is_published, "test.yml", r"    if: github.ref.*\n", ""),
    (only_what_passed_is_published, "test.yml", r"\[everything, units", "[everything"),
    (pages_were_tested, "test.yml", r"make test ", "make book "),
    (pages_were_tested, "test.yml", r"path: _build/html", "path: ."),
    (a_failure_is_reported, "weekly.yml", r"\[newest, colab\]", "[newest]"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_workflows(rule):
    assert list(rule(read_workflows())) == []


@pytest.mark.parametrize(("rule", "file", "there", "wrong"), BROKEN)
def test_rule_complains_of_a_broken_workflow(rule, file, there, wrong):
    texts = read_workflows()
    broken = texts | {file: re.sub(there, wrong, texts[file], count=1)}
    assert broken != texts
    assert list(rule(broken))


def test_every_rule_is_seen_to_complain():
    assert {rule for rule, *_ in BROKEN} == set(RULES)


# The linters that `make check-workflows` calls, as it calls them.

SCHEMA = {
    "test.yml": "vendor.github-workflows",
    "dependabot.yml": "vendor.dependabot",
    "CITATION.cff": "vendor.citation-file-format",
}
LINTED = [  # linter, file, what stands there, what would be wrong
    ("check-jsonschema", ".github/workflows/test.yml", "runs-on:", "run-on:"),
    ("check-jsonschema", ".github/dependabot.yml", "interval: weekly", "interval: often"),
    ("check-jsonschema", "CITATION.cff", "license: Apache-2.0", "license: ours"),
    ("zizmor", ".github/workflows/test.yml", "persist-credentials: false", "fetch-depth: 1"),
    ("zizmor", ".github/workflows/test.yml", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
    ("zizmor", ".github/workflows/test.yml", "contents: read # the checkout", "contents: write"),
    ("zizmor", ".github/workflows/weekly.yml", " # zizmor: ignore[unpinned-images]", " #"),
    ("zizmor", ".github/dependabot.yml", "default-days: 7", "default-days: 0"),
]


def lint(linter, path):
    command = [str(SCRIPTS / linter)]
    if linter == "zizmor":
        command += ["-q", "--offline", "--persona=auditor", "--strict-collection", path]
    else:
        command += ["-q", "--builtin-schema", SCHEMA[path.name], path]
    return subprocess.run(command, capture_output=True).returncode


@pytest.mark.parametrize(("linter", "name", "there", "wrong"), LINTED)
def test_linter_complains_of_a_broken_file(linter, name, there, wrong, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((ROOT / name).read_text())
    assert lint(linter, path) == 0
    assert there in path.read_text()
    path.write_text(path.read_text().replace(there, wrong))
    assert lint(linter, path) != 0


def test_make_lints_with_the_same_settings():
    for schema in SCHEMA.values():
        assert f"check-jsonschema -q --builtin-schema {schema} " in MAKEFILE
    assert "zizmor -q --offline --persona auditor --strict-collection .github\n" in MAKEFILE


# A release.

PACKAGE = {"rnncells/__init__.py", "rnncells/cells/lstm.py", "rnncells/book/ledger.csv"}
TRACKED = PACKAGE | {"tests/oracle.py", "experiments/ledger.py", "tools/release/dist.py"}
WHEEL = PACKAGE | {dist.LICENCE} | dist.INFO
ARCHIVE = (TRACKED - {"tools/release/dist.py"}) | {"PKG-INFO"}
README = "# A\n\nSee [b](https://c.d), **e**:\n\n```\nf\n```\n\n| g |\n|---|\n| h |\n"


def metadata(text, kind="text/markdown"):
    message = email.message.Message()
    message["Description-Content-Type"] = kind
    message.set_payload(text)
    return message


def changelog(heading):
    return dist.changelog_opens_with_the_version(f"# Changelog\n\n{heading}\n\n- x\n", "1.2.0")


RELEASED = [
    (dist.wheel_holds_the_package_alone, (WHEEL, TRACKED)),
    (dist.archive_holds_the_package_and_its_tests, (ARCHIVE, TRACKED)),
    (dist.readme_renders, (metadata(README),)),
    (dist.changelog_opens_with_the_version, ("# C\n\n## [1.2.0] - 2026-11-25\n", "1.2.0")),
]
BROKEN_RELEASES = [
    (dist.wheel_holds_the_package_alone, (WHEEL - {"rnncells/book/ledger.csv"}, TRACKED)),
    (dist.wheel_holds_the_package_alone, (WHEEL - {"rnncells/cells/lstm.py"}, TRACKED)),
    (dist.wheel_holds_the_package_alone, (WHEEL - {dist.LICENCE}, TRACKED)),
    (dist.wheel_holds_the_package_alone, (WHEEL | {"rnncells/scratch.py"}, TRACKED)),
    (dist.wheel_holds_the_package_alone, (WHEEL | {"tests/oracle.py"}, TRACKED)),
    (dist.archive_holds_the_package_and_its_tests, (ARCHIVE - {"rnncells/cells/lstm.py"}, TRACKED)),
    (dist.archive_holds_the_package_and_its_tests, (ARCHIVE | {"tools/release/dist.py"}, TRACKED)),
    (dist.archive_holds_the_package_and_its_tests, (ARCHIVE | {"tests/scratch.py"}, TRACKED)),
    (dist.readme_renders, (metadata(""),)),
    (dist.readme_renders, (metadata(README, "text/x-rst"),)),
    (dist.readme_renders, (metadata(README.replace("f\n```", "f")),)),
    (dist.readme_renders, (metadata(README.replace("](", "] (")),)),
    (dist.readme_renders, (metadata(README.replace("**e**", "** e**")),)),
    (dist.readme_renders, (metadata(README.replace("|---|", "|---|---|")),)),
    (dist.readme_renders, (metadata(README.replace("# A", "#A")),)),
    (dist.changelog_opens_with_the_version, ("# C\n\n## [1.1.0] - x\n\n## [1.2.0]\n", "1.2.0")),
    (dist.changelog_opens_with_the_version, ("# C\n", "1.2.0")),
]


@pytest.mark.parametrize(("rule", "arguments"), RELEASED)
def test_release_rule_is_content(rule, arguments):
    assert list(rule(*arguments)) == []


@pytest.mark.parametrize(("rule", "arguments"), BROKEN_RELEASES)
def test_release_rule_complains(rule, arguments):
    assert list(rule(*arguments))


def test_every_release_rule_is_seen_to_complain():
    rules = {rule for rule, _ in RELEASED}
    assert rules == {rule for rule, _ in BROKEN_RELEASES}
    assert all(f"demand_none({rule.__name__}(" in Path(dist.__file__).read_text() for rule in rules)


def test_the_version_is_in_one_place():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert list(dist.changelog_opens_with_the_version(text, rnncells.__version__)) == []
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()


def test_readmes_links_that_lead_nowhere_elsewhere_are_found():
    text = README + "![i](j.png) [k](#l) [m](n/o.md)"
    assert dist.relative_links(metadata(text)) == ["j.png", "n/o.md"]


@pytest.mark.parametrize("step", ["build", "inspect", "try_the_archive", "try_the_wheel"])
def test_a_release_that_a_check_refuses_leaves_nothing(step, tmp_path, monkeypatch):
    monkeypatch.setattr(dist, "DIST", tmp_path / "dist")
    dist.DIST.mkdir()
    (dist.DIST / "of_the_last_time.whl").touch()
    for name in ("build", "inspect", "try_the_archive", "try_the_wheel"):
        monkeypatch.setattr(dist, name, lambda *_: ("wheel", "archive"))

    def refuse(*_):
        dist.demand_none(["the wheel lacks a wheel"])

    monkeypatch.setattr(dist, step, refuse)
    with pytest.raises(SystemExit, match="the wheel lacks a wheel\nSo dist/ stays empty."):
        dist.main()
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_fails_is_named_with_what_it_said():
    with pytest.raises(SystemExit, match=r"(?s)said so.*failed, so dist/ stays empty"):
        dist.run(sys.executable, "-c", "import sys; print('said so'); sys.exit(1)")


# The report of a failure, with a `gh` that writes down what it is asked.

GH = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["ASKED"], "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
if sys.argv[2] == os.environ.get("REFUSED"):
    sys.exit("HTTP 403: not allowed")
print(os.environ["ISSUES"] if sys.argv[2] == "list" else "https://the-issue")
"""
RUN = {
    "GITHUB_SERVER_URL": "https://the-server",
    "GITHUB_REPOSITORY": "some/where",
    "GITHUB_RUN_ID": "42",
}
ADDRESS = "https://the-server/some/where/actions/runs/42"

with_a_shell = pytest.mark.skipif(os.name == "nt", reason="the made-up gh is a script")


@pytest.fixture
def report(tmp_path):
    """make report-failure with these issues open; what it printed and what gh was asked."""
    asked = tmp_path / "asked"
    gh = tmp_path / "gh"
    gh.write_text(GH)
    gh.chmod(0o755)

    def call(*titles, path=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", **changes):
        issues = json.dumps([{"number": 7 + i, "title": t} for i, t in enumerate(titles)])
        environment = os.environ | RUN | {"ASKED": str(asked), "ISSUES": issues, "PATH": path}
        result = subprocess.run(
            [shutil.which("make"), "-s", "report-failure", f"PYTHON={sys.executable}"],
            cwd=ROOT,
            env=environment | changes,
            capture_output=True,
            text=True,
        )
        calls = asked.read_text().splitlines() if asked.exists() else []
        return result, [json.loads(line) for line in calls]

    return call


@with_a_shell
def test_the_first_failure_opens_an_issue(report):
    result, (_, created) = report("Another thing", f"{report_failure.TITLE}, said someone")
    assert result.returncode == 0 and result.stdout == "https://the-issue\n"
    assert created[:2] == ["issue", "create"]
    assert f"--title={report_failure.TITLE}" in created
    assert f"--body=A weekly run failed: {ADDRESS}" in created
    assert created[-2:] == ["--repo", "some/where"]


@with_a_shell
def test_the_next_one_is_a_comment(report):
    result, (listed, comment) = report("Another thing", report_failure.TITLE, report_failure.TITLE)
    assert result.returncode == 0
    assert "--state=open" in listed
    assert comment[:3] == ["issue", "comment", "8"]
    assert f"--body=A weekly run failed: {ADDRESS}" in comment


@with_a_shell
@pytest.mark.parametrize("refused", ["list", "create"])
def test_a_gh_that_fails_is_heard(report, refused):
    result, calls = report(REFUSED=refused)
    assert result.returncode != 0
    assert f"gh issue {refused} failed: HTTP 403: not allowed" in result.stderr
    assert calls[-1][1] == refused


@with_a_shell
def test_outside_a_workflow_nothing_is_reported(report):
    result, calls = report(GITHUB_RUN_ID="")
    assert result.returncode != 0 and calls == []
    assert "report-failure needs GITHUB_RUN_ID" in result.stderr


@with_a_shell
def test_without_gh_it_says_so(report, tmp_path):
    only_bash = tmp_path / "bin"
    only_bash.mkdir()
    (only_bash / "bash").symlink_to(shutil.which("bash"))
    result, _ = report(path=str(only_bash))
    assert result.returncode != 0
    assert f"report-failure needs gh, GitHub's command line: {ADDRESS} was not" in result.stderr
