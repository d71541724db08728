"""A release's files: builds them, checks them, tries the wheel where nothing else is, fills dist/.

dist/ is emptied first and filled last: what a check refuses never gets there. Nothing is uploaded.
"""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

import rnncells

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
VERSION = rnncells.__version__
SCRIPTS = "Scripts" if os.name == "nt" else "bin"

# The archive: the package, its tests, and what they read. The book is in the repository.
ARCHIVED = re.compile(
    r"(rnncells|tests|experiments)/.+|pytest_rnncells\.py"
    r"|chapters/api\.md|README\.md|LICENSE|pyproject\.toml|PKG-INFO|\.gitignore"
)
INFO = {
    f"rnncells-{VERSION}.dist-info/{name}"
    for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
}
PLUGIN = "pytest_rnncells.py"  # pytest's, beside the package: it must not import it
LICENCE = f"rnncells-{VERSION}.dist-info/licenses/LICENSE"


# Rules: each takes what was built and returns its complaints.


def wheel_holds_the_package_alone(names, tracked):
    package = {name for name in tracked if name.startswith("rnncells/") or name == PLUGIN}
    expected = package | {LICENCE} | INFO
    for name in sorted(expected - set(names)):
        yield f"the wheel lacks {name}"
    for name in sorted(set(names) - expected):
        yield f"the wheel holds {name}, which is no part of the package under version control"


def archive_holds_the_package_and_its_tests(names, tracked):
    package = {name for name in tracked if name.startswith("rnncells/") or name == PLUGIN}
    for name in sorted(package - set(names)):
        yield f"the source archive lacks {name}"
    for name in sorted(names):
        if name not in {*tracked, "PKG-INFO"} or not ARCHIVED.fullmatch(name):
            yield f"the source archive holds {name}, which neither the package nor its tests need"


def readme_renders(metadata):
    """Markdown never fails: what went wrong shows as its own signs, or as code to the end."""
    text = metadata.get_payload()
    if metadata["Description-Content-Type"] != "text/markdown" or not text.strip():
        yield "the metadata hold no README in Markdown"
    if len(re.findall(r"^```", text, re.M)) % 2:
        yield "README: a block of code is not closed"
    page = BeautifulSoup(MarkdownIt().enable("table").render(text), "html.parser")
    for code in page.select("pre, code"):
        code.decompose()
    for sign in re.findall(r"\] ?\(|\*\*|```|\|\s*:?-{3}|^#{1,6} ?\w", page.get_text(), re.M):
        yield f"README: {sign!r} is shown as it is written"


def changelog_opens_with_the_version(text, version):
    newest = re.search(r"^## \[([^]]*)\]", text, re.M)
    if not newest or newest[1] != version:
        found = newest[1] if newest else "nothing"
        yield f"CHANGELOG.md opens with {found}; expected [{version}], as in rnncells/__init__.py"


def relative_links(metadata):
    """Links of README that lead nowhere from another page than the repository's."""
    return re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", metadata.get_payload())


def demand_none(complaints):
    if complaints := list(complaints):
        sys.exit("\n".join([*complaints, "So dist/ stays empty."]))


# The steps.


def stage(what):
    print(f"== {what}", flush=True)


def run(*command, **options):
    """What a program prints; where it fails, what it printed ends this one."""
    command = [str(part) for part in command]
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode:
        said = (result.stdout + result.stderr).strip()
        sys.exit(f"{said}\n{' '.join(command[:4])} ... failed, so dist/ stays empty.")
    return result.stdout


def tracked():
    return set(run("git", "ls-files", cwd=ROOT).splitlines())


def build(folder):
    """Both files; the wheel from the archive, as an installer would without a wheel."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, archive


def metadata_of(wheel):
    with zipfile.ZipFile(wheel) as file:
        return email.message_from_string(
            file.read(f"rnncells-{VERSION}.dist-info/METADATA").decode()
        )


def inspect(wheel, archive):
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, archive)
    run(
        Path(sys.executable).with_name("check-wheel-contents"),
        "--toplevel=rnncells,pytest_rnncells",
        wheel,
    )
    known = tracked()
    with zipfile.ZipFile(wheel) as file:
        demand_none(wheel_holds_the_package_alone(file.namelist(), known))
    with tarfile.open(archive) as file:
        names = [member.name.partition("/")[2] for member in file if member.isfile()]
    demand_none(archive_holds_the_package_and_its_tests(names, known))
    demand_none(readme_renders(metadata_of(wheel)))


def try_the_archive(archive, folder):
    """Its tests pass where it is unpacked: they find there whatever they read."""
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    run(sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "tests", cwd=unpacked)


def try_the_wheel(wheel, folder):
    """In an empty environment, and where the checkout cannot be imported."""
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", environment)
    python = environment / SCRIPTS / "python"
    lock = ROOT / "requirements.lock"
    back_end = [line for line in lock.read_text().splitlines() if line.startswith("tensorflow")]
    (folder / "back_end.txt").write_text("\n".join(back_end))
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", lock]
    run(*pip, "-r", folder / "back_end.txt", wheel)
    smoke = shutil.copy(ROOT / "tools" / "release" / "smoke.py", folder)
    elsewhere = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    print(run(python, smoke, cwd=folder, env=elsewhere | {"CUDA_VISIBLE_DEVICES": ""}), end="")


def main():
    shutil.rmtree(DIST, ignore_errors=True)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    demand_none(changelog_opens_with_the_version(changelog, VERSION))
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / part for part in ("built", "wheel", "archive")]
        for folder in folders:
            folder.mkdir()
        stage("building the wheel and the source archive")
        wheel, archive = build(folders[0])
        stage("what they hold and say")
        inspect(wheel, archive)
        stage("the wheel in an empty environment")
        try_the_wheel(wheel, folders[1])
        stage("the source archive's own tests, where it is unpacked (some minutes)")
        try_the_archive(archive, folders[2])
        links = relative_links(metadata_of(wheel))
        shutil.copytree(folders[0], DIST)
    for path in sorted(DIST.iterdir()):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB")
    if links:
        print(f"README links to {', '.join(links)}: on an index's page these lead nowhere.")
    print(f"By hand: the date in CHANGELOG.md, the tag v{VERSION}, and the upload.")


if __name__ == "__main__":
    main()
