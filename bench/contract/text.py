"""Text from files that nobody has checked, made fit for a terminal and a report."""

from __future__ import annotations

from typing import Any

LONGEST = 120


def printable(text: str, longest: int = LONGEST) -> str:
    """One line without control characters, at most ``longest`` characters."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 3]}..."


def as_unicode(value: Any) -> Any:
    """The JSON value with bytes that were no UTF-8 (file names of other encodings) written as ``\\udce9``."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {as_unicode(key): as_unicode(item) for key, item in value.items()}
    return [as_unicode(item) for item in value] if isinstance(value, list) else value
