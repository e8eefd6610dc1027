"""Records of earlier schemas, which stay readable for ever.

1: a cell had a ``scale``, a whole number; super-resolution was the only task.
2: a cell has a task and one of its levels.

`bench.records.upgrade` writes a store anew in today's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = 2
"""Raised when the file format changes. A record of a later schema is refused, never guessed at."""


def upgraded(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a record in today's form. What was wrong stays wrong, for the reader to refuse."""
    content = dict(content)
    if content.get("schema_version") == 1:
        content |= {"schema_version": SCHEMA, "cell": _with_level(content.get("cell"))}
    return content


def _with_level(cell: Any) -> Any:
    if not isinstance(cell, dict) or type(cell.get("scale")) is not int or cell["scale"] < 1:
        return cell
    rest = {name: value for name, value in cell.items() if name != "scale"}
    return {**rest, "level": f"x{cell['scale']}", "task": "sr"}
