"""chapters/messages.md is what tools/pages/messages.py writes: made again, mistake by mistake."""

import keras
import pytest
import zoo

from tools.pages import messages

TEXT = messages.PAGE.read_text()

pytestmark = [
    pytest.mark.no_cover,  # tests/test_check_cell.py covers the same lines
    pytest.mark.skipif(
        f"Keras {keras.__version__} on" not in TEXT or keras.backend.backend() != "tensorflow",
        reason="the page quotes another Keras",
    ),
]


@pytest.mark.parametrize("mistake", zoo.MISTAKES, ids=lambda mistake: mistake.__name__)
def test_the_page_says_what_is_said(mistake):
    record = messages.record(mistake)
    assert messages.section(record) in TEXT, "run `make messages`"
    # A reader is sent to the mistake, and to none of its effects.
    assert record["check"][0] == mistake.caught_by[0]
    assert set(record["failed"]) == {mistake.caught_by[0], *mistake.also}


def test_the_page_has_nothing_else():
    """The counts and headings, from the page's own sections."""
    records = []
    for mistake in zoo.MISTAKES:
        title = f"### {messages.title(mistake)}\n"
        assert TEXT.count(title) == 1
        section = TEXT.split(title)[1].split("\n##")[0]
        keras_says, own = section.split("\nKeras\n: ")[1].split("\n\n`RNNCell`\n: ")
        stages = [stage(text.splitlines()[0]) for text in (keras_says, own)]
        kept = [stage and (stage, "") for stage in stages]
        records.append(dict(zip(("keras", "rnncell"), kept, strict=True)))
    assert messages.counts(records) in TEXT
    groups = [messages.checks_of(*group) for group in messages.GROUPS.items()]
    assert TEXT.endswith("\n".join(groups))
    assert TEXT.count("\n### ") == len(zoo.MISTAKES) + len(groups)


def stage(text):
    if text.startswith("This cannot happen"):
        return None
    return next((s for s in messages.STAGES if text.startswith(f"When {s}:")), messages.STAGES[-1])
