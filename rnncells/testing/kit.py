"""A conformance kit for any Keras cell: ``check_cell`` and its report."""

import warnings
from unittest import SkipTest

from rnncells.testing.checks import CHECKS, NotReached, undisturbed
from rnncells.testing.subject import Subject


def check_cell(cell, *, input_shape=(5, 3), expected_failed_checks=None, on_fail="raise"):
    """Runs every check on a cell: what RNN, training and saving require of it.

    The checks are in six groups: *contract* (what the cell declares is what it does), *equivalence*
    (every way to run it gives the same numbers), *masks*, *numbers* (gradients, dtypes, XLA),
    *keeping* (configuration, files, copies) and *state* (carried, reset, given). They do not
    test the equations: a cell with two gates exchanged passes. To test those, compare the cell
    with something independent.

    Example:

        >>> import keras
        >>> from rnncells.testing import check_cell
        >>> results = check_cell(keras.layers.GRUCell(4))
        >>> print(results)  # doctest: +SKIP

    Args:
        cell: A Keras cell, a layer with ``call(inputs, states)`` and ``state_size``; it is copied
            through its ``get_config`` and not touched. Or a function without arguments that makes
            one, which is the stronger test: it does not depend on the configuration.
        input_shape: (steps, features) of the sequences to try; at least 4 steps.
        expected_failed_checks: A dict from the name of a check to the reason why it fails.
        on_fail: "raise" stops at the first failure that was not expected; "warn" warns of each;
            None collects them.

    Returns:
        A list of dicts with the keys ``check_name``, ``group``, ``status`` ("passed", "failed",
        "skipped" or "xfail"), ``exception``, ``expected_to_fail`` and ``expected_to_fail_reason``.
        Printed, it is a report.

    Raises:
        AssertionError: A check failed; one sentence with what was expected, what came, and the
            likely repair.
        TypeError: ``cell`` is not a cell, or cannot be made a second time.
        ValueError: An argument is not as described above.
    """
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f"check_cell: on_fail: expected 'raise', 'warn' or None; got {on_fail!r}.")
    reasons = _reasons(expected_failed_checks)
    with undisturbed():
        subject = Subject(cell, input_shape)
    report = Report(subject)
    for check in CHECKS:
        status, exception = _outcome(check, subject)
        if status == "failed" and check.name in reasons:
            status = "xfail"
        if status == "failed" and on_fail == "raise":
            raise exception
        if status == "failed" and on_fail == "warn":
            warnings.warn(f"{check.name}: {exception}", stacklevel=2)
        report.append(
            {
                "check_name": check.name,
                "group": check.group,
                "status": status,
                "exception": exception,
                "expected_to_fail": check.name in reasons,
                "expected_to_fail_reason": reasons.get(check.name),
            }
        )
    return report


def parametrize_with_checks(cells, expected_failed_checks=None, *, input_shape=(5, 3)):
    """A pytest decorator: one test for each cell and each check.

    Example:

        @parametrize_with_checks([MyCell(4), lambda: OtherCell(4, mixer=make_mixer())])
        def test_cell(cell, check):
            check(cell)

    Args:
        cells: Cells, or functions that make one, as for ``check_cell``.
        expected_failed_checks: A function of a cell that returns a dict from the name of a check
            to the reason why it fails on that cell; or None.
        input_shape: (steps, features), as for ``check_cell``.

    Returns:
        The decorator, ``pytest.mark.parametrize`` over ``cell`` and ``check``.
    """
    import pytest

    parameters = []
    for number, cell in enumerate(cells):
        reasons = _reasons(expected_failed_checks(cell) if expected_failed_checks else None)
        with undisturbed():
            subject = Subject(cell, input_shape)
        for check in CHECKS:
            marks = (
                pytest.mark.xfail(reason=reasons.get(check.name)) if check.name in reasons else ()
            )
            name = f"{number}-{subject.name}-{check.name}"
            parameters.append(pytest.param(subject, check, marks=marks, id=name))
    return pytest.mark.parametrize(("cell", "check"), parameters)


class Report(list):
    """The results of ``check_cell``; it prints a line for each group and each failed check."""

    def __init__(self, subject):
        super().__init__()
        self.title = f"{subject.name}, sequences of {subject.steps} steps x {subject.features}"

    @property
    def summary(self):
        """The report's first line."""
        return f"{self.title}: {_counts(self)}"

    def __str__(self):
        lines = [self.summary]
        for group in dict.fromkeys(result["group"] for result in self):
            lines.append(f"  {group:<12} {_counts(r for r in self if r['group'] == group)}")
        for result in self:
            if result["status"] != "passed" and not isinstance(result["exception"], NotReached):
                lines.append(f"{result['status']}: {result['check_name']}: {result['exception']}")
            if result["status"] == "passed" and result["expected_to_fail"]:
                lines.append(f"passed, though expected to fail: {result['check_name']}")
            if result["status"] == "xfail":
                lines.append(f"  as expected: {result['expected_to_fail_reason']}")
        return "\n".join(lines)


def _counts(results):
    found = [result["status"] for result in results]
    kinds = ("passed", "failed", "xfail", "skipped")
    return ", ".join(f"{found.count(kind)} {kind}" for kind in kinds if kind in found)


def _outcome(check, subject):
    try:
        check(subject)
    except SkipTest as reason:
        return "skipped", reason
    except AssertionError as failure:
        return "failed", failure
    return "passed", None


def _reasons(expected_failed_checks):
    reasons = dict(expected_failed_checks or {})
    names = [check.name for check in CHECKS]
    if unknown := sorted(set(reasons) - set(names)):
        raise ValueError(
            f"expected_failed_checks: expected names of checks ({', '.join(names)}); "
            f"got {', '.join(unknown)}."
        )
    return reasons
