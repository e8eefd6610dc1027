"""Records of earlier schemas, which stay readable for ever.

1: a cell had a ``scale``, a whole number; super-resolution was the only task.
2: a cell has a task and one of its levels.

``python -m bench.records.earlier_schemas DIR`` writes every record under a folder anew in today's form.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
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


def main(argv: list[str]) -> int:
    """Rewrite the records of a store that are not of today's schema; the exit code."""
    from bench.contract.atomic_files import write_atomic
    from bench.records.record import from_text, to_text
    from bench.records.store import Store

    if len(argv) != 1 or not Path(argv[0]).is_dir():
        sys.stderr.write("usage: python -m bench.records.earlier_schemas DIR\nDIR: a folder of records.\n")
        return 2
    changed = 0
    for path in Store(Path(argv[0])).files():
        before = path.read_text(encoding="utf-8")
        if (after := to_text(from_text(before, path))) != before:
            write_atomic(path, after.encode())
            changed += 1
    sys.stdout.write(f"{changed} records written anew.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
