"""What a terminal can show: its encoding, its width, its colours. Standard library only."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
import unicodedata
from typing import TextIO

PLAIN = {
    "\N{UPWARDS ARROW}": "^", "\N{DOWNWARDS ARROW}": "v", "\N{RIGHTWARDS ARROW}": "->", "\N{EN DASH}": "-",
    "\N{EM DASH}": "-", "\N{MINUS SIGN}": "-", "\N{MULTIPLICATION SIGN}": "x", "\N{PLUS-MINUS SIGN}": "+-",
    "\N{HORIZONTAL ELLIPSIS}": "...", "\N{MIDDLE DOT}": ".",
}  # fmt: skip
"""What stands for a character that an encoding lacks; of others the letter without its accents, else ``?``."""
WIDTH = 80
"""Columns where nobody says how many there are."""
_ERRORS = "bisrbench.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_stand_in, error.object[error.start : error.end])), error.end


def _stand_in(char: str) -> str:
    return PLAIN.get(char) or unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode() or "?"


def prepare_streams() -> None:
    """From now on, whatever the encoding of stdout and stderr, writing to them loses no line."""
    codecs.register_error(_ERRORS, _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ERRORS)


def width() -> int:
    """Columns of the terminal; `WIDTH` where there is none. The environment's COLUMNS counts first."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def colours(stream: TextIO) -> bool:
    """True for a terminal whose user has not refused colours (NO_COLOR, TERM=dumb)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
