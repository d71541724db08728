"""pytest's plugin for ``rnncells.testing.parametrize_with_checks``: what the checks said, by cell.

pytest finds it when the package is installed. It imports nothing, so that a run without cells
is not slower.

    pytest --cell-report=cells.md       also writes it into a file, as a table
"""


def pytest_addoption(parser):
    group = parser.getgroup("rnncells")
    help = "write what parametrize_with_checks found, a Markdown table for each cell, into FILE"
    group.addoption("--cell-report", metavar="FILE", help=help)


def pytest_collection_modifyitems(items):
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        cell, check = parameters.get("cell"), parameters.get("check")
        if hasattr(cell, "outcomes") and hasattr(check, "group"):
            number = item.callspec.id.partition("-")[0]
            item.user_properties.append(("rnncells", [f"{cell.name} ({number})", check.name]))


def pytest_terminal_summary(terminalreporter, config):
    cells = {}
    for outcome in ("passed", "failed", "error", "skipped", "xfailed", "xpassed"):
        for report in terminalreporter.stats.get(outcome, []):
            for cell, check in [v for k, v in report.user_properties if k == "rnncells"]:
                file = report.nodeid.partition("::")[0]
                cells.setdefault(f"{file}: {cell}", []).append(
                    (check, outcome, said(report, check))
                )
    path = config.getoption("cell_report")
    if not cells and not path:
        return
    terminalreporter.section("cells")
    if not cells:
        terminalreporter.line(f"no test of parametrize_with_checks was run: {path} is not written")
        return
    for cell, rows in cells.items():
        terminalreporter.line(f"{cell}: {counts(rows)}")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(table(cell, rows) for cell, rows in cells.items()))
        terminalreporter.line(f"written: {path}")


def counts(rows):
    found = [outcome for _, outcome, _ in rows]
    return ", ".join(f"{found.count(outcome)} {outcome}" for outcome in dict.fromkeys(found))


def said(report, check):
    """The sentence of a failure, or the reason of a skip."""
    if str(report.longrepr).startswith("[XPASS(strict)] "):
        reason = str(report.longrepr).removeprefix("[XPASS(strict)] ")
        took = "got a pass; take it out of expected_failed_checks"
        return f"expected {check} to fail ({reason}); {took}."
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message if crash else getattr(report, "wasxfail", "")
    lines = message.splitlines() or [""]
    return lines[0].rpartition("CheckFailed: ")[2]


def table(cell, rows):
    lines = [f"### {cell}", "", counts(rows), ""]
    rows = [row for row in rows if row[1] != "passed"]
    if rows:
        lines += ["| check | outcome | what came |", "|---|---|---|"]
    for check, outcome, what in rows:
        lines.append(f"| `{check}` | {outcome} | {what.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"
