"""check_cell from a shell, for those who have no test yet.

    python -m rnncells.testing package.module:Cell units=8
    python -m rnncells.testing cells.py:MyCell 8 --exclude masks --markdown > report.md

Arguments of the cell are written as Python writes them; what is no Python value is a string.
"""

import argparse
import ast
import contextlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path

import keras

from rnncells.testing import check_cell


def main(arguments=None):
    options = parser().parse_intermixed_args(arguments)
    try:
        report = check_cell(
            cell_of(options.cell, options.arguments),
            input_shape=options.input_shape,
            select=options.select,
            exclude=options.exclude,
            expected_failed_checks=dict(options.expect),
            at_least=options.at_least,
            on_fail=None,
        )
    except (TypeError, ValueError) as error:
        parser().exit(2, f"{error}\n")
    forms = {"json": report.to_json, "markdown": report.to_markdown, "text": report.__str__}
    print(forms[options.form]())
    return any(result["status"] == "failed" for result in report)


def parser():
    result = argparse.ArgumentParser(
        prog="python -m rnncells.testing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("cell", metavar="MODULE:CELL", help="package.module:Cell or file.py:Cell")
    result.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of the cell: 8, units=8")
    shape = {"type": shape_of, "default": (5, 3), "metavar": "STEPS,FEATURES"}
    result.add_argument("--input-shape", **shape, help="of the sequences to try (default: 5,3)")
    result.add_argument("--select", action="append", metavar="NAME", help="a check or a group")
    result.add_argument("--exclude", action="append", metavar="NAME", help="a check or a group")
    expect = {"type": expected, "action": "append", "default": [], "metavar": "CHECK=REASON"}
    result.add_argument("--expect", **expect, help="a check that fails on purpose, and why")
    result.add_argument("--at-least", type=int, metavar="N", help="checks that must be run")
    form = result.add_mutually_exclusive_group()
    for name in ("json", "markdown"):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name)
    result.set_defaults(form="text")
    return result


def shape_of(text):
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected ints, as in 5,3; got {text!r}") from None


def expected(text):
    name, equals, reason = text.partition("=")
    if not (equals and reason):
        raise argparse.ArgumentTypeError(f"expected CHECK=REASON; got {text!r}")
    return name, reason


def cell_of(where, arguments):
    """A cell that the module holds, or a function that makes one."""
    module_name, _, name = where.rpartition(":")
    if not (module_name and name):
        raise ValueError(f"expected MODULE:CELL, as in cells.py:MyCell; got {where!r}.")
    cell = getattr(module(module_name), name, None)
    if cell is None:
        raise ValueError(f"expected a cell in {module_name}; got {name!r}, which is not there.")
    if not isinstance(cell, keras.layers.Layer):
        given = [pair.partition("=") for pair in arguments]
        args = [value(name) for name, equals, _ in given if not equals]
        kwargs = {name: value(text) for name, equals, text in given if equals}
        return lambda: cell(*args, **kwargs)
    if arguments:
        expected = f"no arguments for {name}, which is a cell already"
        raise ValueError(f"expected {expected}; got {' '.join(arguments)}.")
    return cell


def module(name):
    try:
        return imported(name)
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise ValueError(f"expected a module that can be imported; got {name}: {got}.") from error


def imported(name):
    if not name.endswith(".py"):
        sys.path.insert(0, os.getcwd())
        return importlib.import_module(name)
    if not Path(name).is_file():
        raise FileNotFoundError("no such file")
    sys.path.insert(0, str(Path(name).parent.resolve()))
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    result = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = result
    spec.loader.exec_module(result)
    return result


def value(text):
    with contextlib.suppress(ValueError, SyntaxError):
        return ast.literal_eval(text)
    return text


if __name__ == "__main__":
    sys.exit(main())
