"""Text from files that nobody has checked, made fit for a terminal and a report."""

from __future__ import annotations

LONGEST = 120


def printable(text: str, longest: int = LONGEST) -> str:
    """One line without control characters, at most ``longest`` characters."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 3]}..."
