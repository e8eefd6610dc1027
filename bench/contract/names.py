"""Names as people type them: in one text, with commas between."""

from __future__ import annotations


def comma_separated(text: str | None) -> list[str]:
    """``"a, b,"`` -> ``["a", "b"]``; nothing, for nothing but commas and spaces or None."""
    return [name for name in (part.strip() for part in (text or "").split(",")) if name]
