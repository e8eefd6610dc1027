"""Errors that are meant for the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user. The message says what was wrong, got, expected, and what to do next.

    The command line prints it without a traceback and exits with code 2.
    """


class Unsupported(Exception):
    """A method cannot do what a cell asks. The reason becomes a record, shown as such."""


def unknown(kind: str, got: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist: nearest name and all that do."""
    names = list(known)
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UserError(f"unknown {kind} {got!r}.{hint} Known: {', '.join(names) or 'none'}.")
