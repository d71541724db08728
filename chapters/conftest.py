"""A pytest plugin on nbval: numbers that depend on the machine are compared within a tolerance.

A code cell declares it in its metadata, measured with ``make ulp`` and a little larger than that:

    "tolerance": {"absolute": 0.01, "relative": 0.1}

Either may be left out. It holds for each number of the cell's outputs that has a decimal point, an
exponent or a percent sign: it may differ from the stored number by absolute + relative * |stored|,
where 81 % is 0.81.
In such a cell runs of blanks count as one, since a number may need another column. Everything else,
whole numbers among it, and every cell without a declaration, is compared to the last character.
"""

import copy
import re
from functools import partial

# A sign belongs to a number unless it joins two words or numbers, as in 28-64.
NUMBER = re.compile(r"((?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?:\s?%)?)")
KINDS = ("absolute", "relative")
TEXTS = ("text", "evalue", "traceback")


def pytest_collection_modifyitems(items):
    for item in items:
        declared = getattr(item, "cell", {}).get("metadata", {}).get("tolerance")
        if declared is not None:
            item.compare_outputs = partial(compare, item.compare_outputs, item.name, declared)


def check_declaration(declared, name):
    """Raises a ValueError where a tolerance is not one."""
    fine = isinstance(declared, dict) and declared and set(declared) <= set(KINDS)
    if not fine or not all(is_positive(number) for number in declared.values()):
        raise ValueError(
            f"{name}: tolerance: expected a dict of positive numbers with the keys absolute and"
            f" relative, or one of them; got {declared!r}: correct the cell's metadata."
        )


def is_positive(number):
    return isinstance(number, int | float) and not isinstance(number, bool) and number > 0


def compare(compare_outputs, name, declared, test, ref, **options):
    """nbval's comparison, once what lies within the tolerance is replaced by what is stored."""
    check_declaration(declared, name)  # here and not before, so that the cell fails with it
    if len(test) == len(ref):
        test = [near(new, stored, declared) for new, stored in zip(test, ref, strict=True)]
    return compare_outputs(test, ref, **options)


def near(new, stored, declared):
    """An output with the stored text wherever only numbers within the tolerance differ."""
    new = copy.deepcopy(new)
    texts = [(new, stored, key) for key in TEXTS]
    if "data" in new and "data" in stored:
        texts += [(new["data"], stored["data"], key) for key in new["data"]]
    for to, origin, key in texts:
        if isinstance(to.get(key), str) and isinstance(origin.get(key), str):
            to[key] = near_text(to[key], origin[key], declared)
    return new


def near_text(new, stored, declared):
    """``new`` with each part taken from ``stored`` that is the same to within the tolerance."""
    parts, stored_parts = NUMBER.split(new), NUMBER.split(stored)
    if len(parts) != len(stored_parts):
        return new
    pairs = enumerate(zip(parts, stored_parts, strict=True))
    return "".join(
        b if (is_near(a, b, declared) if place % 2 else same_words(a, b)) else a
        for place, (a, b) in pairs
    )


def same_words(new, stored):
    return re.sub("[ \t]+", " ", new) == re.sub("[ \t]+", " ", stored)


def is_near(new, stored, declared):
    if not (is_inexact(new) and is_inexact(stored)) or ("%" in new) != ("%" in stored):
        return new == stored
    a, b = map(value, (new, stored))
    allowed = declared.get("absolute", 0.0) + declared.get("relative", 0.0) * abs(b)
    return abs(a - b) <= allowed * (1 + 1e-9)  # 0.95 - 0.94 is a little more than 0.01


def value(text):
    """0.81 for 81 %, so that a tolerance means the same for both."""
    return float(text.rstrip("% ")) / (100 if "%" in text else 1)


def is_inexact(text):
    return any(mark in text for mark in ".eE%")
