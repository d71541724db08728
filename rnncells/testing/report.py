"""The report of ``check_cell``: as text, as Markdown for an issue, as JSON for a program."""

import importlib.metadata
import json
import platform
from collections import Counter

import keras

from rnncells.testing.checks import VERSION
from rnncells.testing.found import NotReached

BACK_ENDS = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "jax": ("jax",), "torch": ("torch",)}


class Report(list):
    """The results of ``check_cell``, in the order of the checks."""

    def __init__(self, subject):
        super().__init__()
        self.cell = subject.name
        self.package = package_of(subject.cell_class)
        self.input_shape = (subject.steps, *subject.step_shape)
        steps, shape = subject.steps, " x ".join(map(str, subject.step_shape))
        self.title = f"{subject.name}, sequences of {steps} steps x {shape}"

    @property
    def summary(self):
        """The report's first line."""
        return f"{self.title}: {counts(self)}"

    @property
    def environment(self):
        """What a reader of the report has to know to get the same."""
        back_end = keras.backend.backend()
        versions = {"check_cell": VERSION, "keras": keras.__version__}
        versions |= {back_end: version_of(*BACK_ENDS.get(back_end, (back_end,)))}
        versions |= {"python": platform.python_version(), "machine": platform.system()}
        return versions | ({"cell of": self.package} if self.package else {})

    def __str__(self):
        lines = [self.summary]
        for group in dict.fromkeys(result["group"] for result in self):
            lines.append(f"  {group:<12} {counts(r for r in self if r['group'] == group)}")
        for result in self._worth_a_line():
            lines.append(f"{result['status']}: {result['check_name']}: {result['exception']}")
            if result["status"] == "xfail":
                lines.append(f"  as expected: {result['expected_to_fail_reason']}")
        lines += [f"{n} not reached, because {name} failed" for name, n in self._blockers()]
        return "\n".join(lines)

    def to_markdown(self):
        """A heading, the versions, and a table of what did not pass: to be pasted into an issue."""
        versions = ", ".join(f"{name} {version}" for name, version in self.environment.items())
        shape = ", ".join(map(str, self.input_shape))
        lines = [
            f"### `check_cell`: {self.cell}",
            "",
            f"{counts(self)}; sequences of shape ({shape}). Versions: {versions}.",
        ]
        if rows := list(self._worth_a_line()):
            lines += ["", "| check | status | what came |", "|---|---|---|"]
        for result in rows:
            what = str(result["exception"])
            if result["status"] == "xfail":
                what += f" As expected: {result['expected_to_fail_reason']}."
            what = what.replace("|", "\\|").replace("\n", " ")
            lines.append(f"| `{result['check_name']}` | {result['status']} | {what} |")
        for name, n in self._blockers():
            lines += ["", f"{n} not reached, because `{name}` failed."]
        return "\n".join(lines) + "\n"

    def to_json(self):
        """Everything, the checks that passed included; exceptions as their sentences."""
        results = [
            result | {"exception": result["exception"] and str(result["exception"])}
            for result in self
        ]
        head = {"cell": self.cell, "input_shape": self.input_shape}
        return json.dumps(head | {"environment": self.environment, "results": results}, indent=1)

    def _worth_a_line(self):
        """What did not pass, without what could not be judged because of that."""
        for result in self:
            if result["status"] != "passed" and not isinstance(result["exception"], NotReached):
                yield result

    def _blockers(self):
        """(the name of a check, how many were not run because it failed)"""
        exceptions = [result["exception"] for result in self]
        found = [e.blocker.name for e in exceptions if isinstance(e, NotReached)]
        return Counter(found).items()


def counts(results):
    found = [result["status"] for result in results]
    kinds = ("passed", "failed", "xfail", "skipped")
    return ", ".join(f"{found.count(kind)} {kind}" for kind in kinds if kind in found)


def package_of(cell_class):
    """The distribution that a class was installed with, as in "ncps 1.0.1"; "" if there is none."""
    module = cell_class.__module__.partition(".")[0]
    names = importlib.metadata.packages_distributions().get(module, [])
    return f"{names[0]} {importlib.metadata.version(names[0])}" if names else ""


def version_of(*distributions):
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
