"""What a check finds, and an error in one line."""

import re
import textwrap
from unittest import SkipTest


class Found(Exception):
    """What came instead of what a check expects."""

    def __init__(self, got, repair=None):
        super().__init__(got)
        self.got, self.repair = got, repair


class NotReached(SkipTest):
    """A check is not run, because another one, ``blocker``, has failed."""

    def __init__(self, blocker):
        super().__init__(f"{blocker.name} failed first")
        self.blocker = blocker


def gist(error):
    """An exception in one line, without the lines that Keras puts around it."""
    text = re.sub(r"\x1b\[\d+m|\{\{.*?\}\} | \[Op:.*", "", str(error))
    text = re.split(r"(?:Exception|Error) encountered: ?", text)[-1]
    text = re.sub(r"_\d+(?=[_/':`])", "", text)  # Keras counts its layers
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered when calling")]
    said = textwrap.shorten(lines[0].rstrip("."), 200, placeholder=" …") if lines else ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
