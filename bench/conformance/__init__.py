"""The checks every algorithm must pass to be believed. Importable; `run_bench.py --check KEY` runs them.

A known failure is named on the card (``xfail``) with its reason, and must then really fail.
"""

from bench.conformance.kit import CHECKS, Verdict, examine, run_checks
from bench.nn.subject import Subject, perturb

__all__ = ["CHECKS", "Subject", "Verdict", "examine", "perturb", "run_checks"]
