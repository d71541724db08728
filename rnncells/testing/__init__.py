"""Proof: one line that compares two results, and a conformance kit for any Keras cell."""

from rnncells.testing.kit import check_cell, parametrize_with_checks
from rnncells.testing.proof import check
from rnncells.testing.report import Report
from rnncells.testing.sizes import check_sizes

__all__ = ["Report", "check", "check_cell", "check_sizes", "parametrize_with_checks"]
