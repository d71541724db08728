"""A conformance kit for any Keras cell: ``check_cell`` and ``parametrize_with_checks``."""

import difflib
import warnings
from unittest import SkipTest

import keras

from rnncells.testing.checks import CHECKS, CheckFailed
from rnncells.testing.report import Report
from rnncells.testing.subject import Subject, undisturbed

BY_NAME = {check.name: check for check in CHECKS}


def check_cell(
    cell,
    *,
    input_shape=(5, 3),
    select=None,
    exclude=None,
    expected_failed_checks=None,
    at_least=None,
    on_fail="raise",
):
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
            through its ``get_config``, each copy with the dtype that a check needs, and not
            touched. Or a function without arguments that makes one, under a global dtype policy:
            then the other checks do not depend on the configuration, and layers inside that were
            given no dtype follow the policy.
        input_shape: (steps, features) of the sequences to try, or (steps, ...) for a cell whose
            inputs have more axes; at least 4 steps.
        select: A list of names of checks or groups; no others are reported, but for one that
            fails and that they need.
        exclude: A list of names of checks or groups that are not reported.
        expected_failed_checks: A dict from the name of a check to the reason why it fails. One
            that passes all the same is a failure, so that a repaired fault is noticed.
        at_least: A number of checks. Where fewer are run and not skipped, that is a failure.
        on_fail: "raise" stops at the first failure that was not expected; "warn" warns of each;
            None collects them.

    Returns:
        A list of dicts with the keys ``check_name``, ``group``, ``status`` ("passed", "failed",
        "skipped" or "xfail"), ``exception``, ``expected_to_fail`` and ``expected_to_fail_reason``.
        It is a ``Report``: it prints as text, and has ``to_markdown()`` and ``to_json()``.

    Raises:
        AssertionError: A check failed; one sentence with what was expected, what came, and the
            likely repair.
        TypeError: ``cell`` is not a cell, or a function that does not make one.
        ValueError: An argument is not as described above.
    """
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f"check_cell: on_fail: expected 'raise', 'warn' or None; got {on_fail!r}.")
    reasons = _reasons(expected_failed_checks)
    with undisturbed():
        subject = Subject(cell, input_shape)
    checks = _chosen(subject, select, exclude, at_least)
    _demand_run(reasons, checks)
    report = Report(subject)
    for check, status, exception in _outcomes(checks, subject, reasons, _excluded(exclude)):
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


def parametrize_with_checks(
    cells,
    expected_failed_checks=None,
    *,
    input_shape=(5, 3),
    select=None,
    exclude=None,
    at_least=None,
):
    """A pytest decorator: one test for each cell and each check.

    Example:

        @parametrize_with_checks([MyCell(4), lambda: OtherCell(4, mixer=make_mixer())])
        def test_cell(cell, check):
            check(cell)

    Args:
        cells: Cells, or functions that make one, as for ``check_cell``.
        expected_failed_checks: A function of a cell that returns a dict from the name of a check
            to the reason why it fails on that cell; or None. Its tests are strict xfails.
        input_shape, select, exclude, at_least: As for ``check_cell``; ``at_least``, and what the
            selected checks need, are each a test of its own for each cell.

    Returns:
        The decorator, ``pytest.mark.parametrize`` over ``cell`` and ``check``.

    Raises:
        TypeError: ``cells`` is no list of cells, or ``expected_failed_checks`` no function.
        ValueError: An argument is not as described above.
    """
    import pytest

    _demand_many(cells, expected_failed_checks)
    parameters = []
    for number, cell in enumerate(cells):
        reasons = _reasons(expected_failed_checks(cell) if expected_failed_checks else None)
        with undisturbed():
            subject = Subject(cell, input_shape)
        checks = _chosen(subject, select, exclude, at_least)
        _demand_run(reasons, checks)
        if select is not None:
            checks.append(WhatTheyNeed(checks, _excluded(exclude)))
        for check in checks:
            reason = reasons.get(check.name)
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason is not None else []
            name = f"{number}-{subject.name}-{check.name}"
            parameters.append(pytest.param(subject, check, marks=marks, id=name))
    return pytest.mark.parametrize(("cell", "check"), parameters)


class EnoughChecks:
    """A check of the checks: that at least so many were run and not skipped."""

    name, group = "enough_checks_ran", "contract"

    def __init__(self, at_least, checks):
        self.at_least, self.checks = at_least, checks

    def __call__(self, subject):
        __tracebackhide__ = True
        for check in self.checks:
            if check.name not in subject.outcomes:  # in another process, or not yet
                _outcome(check, subject)
        found = [subject.outcomes[check.name] for check in self.checks]
        ran = len(found) - found.count("skipped")
        if ran < self.at_least:
            raise CheckFailed(
                self.name,
                f"{subject.name}: expected at least {self.at_least} checks to be run; got {ran} of "
                f"{len(found)}, and {len(found) - ran} skipped; read why in the report.",
            )


class WhatTheyNeed:
    """A check of the checks: that none is left out because of a failure that nobody sees."""

    name, group = "what_they_need_passes", "contract"

    def __init__(self, checks, excluded):
        self.checks = [check for check in checks if check in CHECKS]
        self.seen = {check.name for check in self.checks} | excluded

    def __call__(self, subject):
        __tracebackhide__ = True
        for check in self.checks:
            blocker = check.blocker(subject)
            if blocker and blocker.name not in self.seen:
                blocker(subject)


def _chosen(subject, select, exclude, at_least):
    selected, excluded = _named("select", select), _named("exclude", exclude)
    checks = [c for c in CHECKS if issubclass(subject.cell_class, c.only_for)]
    checks = [c for c in checks if select is None or {c.name, c.group} & selected]
    checks = [c for c in checks if not {c.name, c.group} & excluded]
    if not checks:
        raise ValueError("check_cell: expected select and exclude to leave a check; got none.")
    if at_least is None:
        return checks
    if type(at_least) is not int or not 0 < at_least <= len(checks):
        expected = f"an int from 1 to {len(checks)}, the number of checks that are chosen"
        raise ValueError(f"check_cell: at_least: expected {expected}; got {at_least!r}.")
    return [*checks, EnoughChecks(at_least, checks)]


def _named(what, names):
    names = [names] if isinstance(names, str) else [] if names is None else names
    groups = list(dict.fromkeys(check.group for check in CHECKS))
    if not (isinstance(names, (list, tuple, set)) and all(isinstance(n, str) for n in names)):
        expected = f"a list of names of groups and checks, as in {groups[:1]}"
        raise ValueError(f"check_cell: {what}: expected {expected}; got {names!r}.")
    if unknown := sorted(set(names) - {*groups, *BY_NAME}):
        expected = f"names of groups and checks (as in {_nearest(unknown, groups)})"
        raise ValueError(f"check_cell: {what}: expected {expected}; got {', '.join(unknown)}.")
    return set(names)


def _nearest(unknown, otherwise):
    """The names of checks and groups that may have been meant."""
    known = [*dict.fromkeys(check.group for check in CHECKS), *BY_NAME]
    near = [match for name in unknown for match in difflib.get_close_matches(name, known)]
    return ", ".join(near or otherwise)


def _excluded(exclude):
    """The names of the checks that ``exclude`` names, itself or by their group."""
    names = _named("exclude", exclude)
    return {check.name for check in CHECKS if {check.name, check.group} & names}


def _outcomes(checks, subject, reasons, excluded):
    """(check, status, exception) for each, and for a failure outside that stops one of them."""
    seen = {check.name for check in checks} | excluded
    for check in checks:
        status, exception = _outcome(check, subject, reasons.get(check.name))
        blocker = getattr(exception, "blocker", None)
        if blocker and blocker.name not in seen:
            seen.add(blocker.name)
            yield blocker, *_outcome(blocker, subject)
        yield check, status, exception


def _outcome(check, subject, reason=None):
    try:
        check(subject)
    except SkipTest as skipped:
        return "skipped", skipped
    except AssertionError as failure:
        return ("failed" if reason is None else "xfail"), failure
    if reason is None:
        return "passed", None
    return "failed", CheckFailed(
        check.name,
        f"{subject.name}: expected {check.name} to fail ({reason}); got a pass; take it out of "
        "expected_failed_checks.",
    )


def _reasons(expected_failed_checks):
    reasons = {} if expected_failed_checks is None else expected_failed_checks
    if not isinstance(reasons, dict):
        expected = "a dict from names of checks to reasons"
        raise ValueError(f"expected_failed_checks: expected {expected}; got {reasons!r}.")
    if unknown := sorted(set(reasons) - set(BY_NAME)):
        expected = f"names of checks (as in {_nearest(unknown, [CHECKS[0].name])})"
        got = ", ".join(unknown)
        raise ValueError(f"expected_failed_checks: expected {expected}; got {got}.")
    return reasons


def _demand_run(reasons, checks):
    if idle := sorted(set(reasons) - {check.name for check in checks}):
        raise ValueError(
            "expected_failed_checks: expected names of checks that are run here; got "
            f"{', '.join(idle)}, not run here; take it out, or let select and exclude leave it in."
        )


def _demand_many(cells, expected_failed_checks):
    if isinstance(cells, keras.layers.Layer) or not hasattr(cells, "__iter__"):
        expected = "a list of cells or of functions that make one"
        raise TypeError(
            f"parametrize_with_checks: expected {expected}; got {cells!r}; write [...]."
        )
    if not (expected_failed_checks is None or callable(expected_failed_checks)):
        raise TypeError(
            "parametrize_with_checks: expected_failed_checks: expected a function of a cell that "
            f"returns a dict; got {expected_failed_checks!r}; write lambda cell: ... before it."
        )
