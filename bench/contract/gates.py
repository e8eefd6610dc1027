"""Gates: what this benchmark checks before it believes a number. Each is the function that makes the check, marked.

`python -m reports.checks` writes CHECKS.md from these marks; a test of the page opens every test that they name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

Verdict = Literal["refused", "flagged"]
Function = TypeVar("Function", bound=Callable[..., object])


def gate(then: Verdict, *, broken_by: str) -> Callable[[Function], Function]:
    """Mark a function as a gate; its docstring's first paragraph is what the page says of it.

    ``then``: what becomes of a number that does not pass. ``broken_by``: ``tests/file.py::test``, which breaks it on
    purpose.
    """
    del then, broken_by  # read from the source, so that the page needs none of the code it describes
    return lambda function: function
