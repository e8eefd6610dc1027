"""Errors that are meant for the user."""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Iterable
from pathlib import Path

_PROGRAM = tuple(f"{Path(__file__).resolve().parents[2] / room}{os.sep}" for room in ("bench", "tracks", "reports"))
"""Where a fault is this program's own"""


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


def line_of(error: BaseException, inside: str = "") -> str:
    """``file, line N``: the last line reached in a file whose path holds ``inside``, or else the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = ([frame for frame in frames if inside in frame.filename] or frames)[-1]
    return f"{frame.filename}, line {frame.lineno}"


def method_line(error: BaseException) -> str:
    """`` (my_algo.py, line N in conv)`` where an error passed through a method's own file; empty where through none.

    The name of the file alone: a record holds no path of the machine.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_PROGRAM) and not _installed(frame.filename)]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno} in {own[-1].name})" if own else ""


def _installed(file: str) -> bool:
    """True for a library's file, and for code that has no file."""
    return file.startswith(("<", os.path.dirname(os.__file__))) or "site-packages" in Path(file).parts
