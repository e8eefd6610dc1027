"""``python -m bench.records.upgrade DIR`` writes every record under a folder anew in the form of today's schema."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.contract.atomic_files import write_atomic
from bench.records.record import from_text, to_text
from bench.records.store import Store


def main(argv: list[str]) -> int:
    """Rewrite the records of a store that are not of today's schema; the exit code."""
    if len(argv) != 1 or not Path(argv[0]).is_dir():
        sys.stderr.write("usage: python -m bench.records.upgrade DIR\nDIR: a folder of records.\n")
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
