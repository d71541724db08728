"""Proof: one line that compares two results, and a conformance kit for any Keras cell."""

from rnncells.testing.kit import Report, check_cell, parametrize_with_checks
from rnncells.testing.proof import check

__all__ = ["Report", "check", "check_cell", "parametrize_with_checks"]
