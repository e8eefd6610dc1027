"""The page "What this benchmark checks before it believes a number": ``python -m reports.checks`` writes CHECKS.md.

It is read from the marks in the code (`bench.contract.gates`), without importing what they mark.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CHECKS.md"
ROOMS = ("bench", "tracks", "reports")
HEADS = {
    "refused": "Refused: there is no number, and the record says why",
    "flagged": "Told: the number stands, with a flag or a note",
}
INTRODUCTION = """\
# What this benchmark checks before it believes a number

Each line is one gate, from the function that makes the check, with the test that breaks it on purpose. An honest
network passes all of them; for each there is a dishonest twin or a spoilt input under `tests/` that is stopped.

What no gate can stop is code that rewrites this program in memory while it runs: a method is code, and whoever judges
it reads it. This page is written by `python -m reports.checks`.
"""


@dataclass(frozen=True)
class Gate:
    """One check that numbers go through."""

    then: str
    """``refused`` or ``flagged``"""
    about: str
    """What is checked, one paragraph"""
    place: str
    """``bench/packed/parity.py``, the file that makes the check"""
    function: str
    broken_by: str
    """``tests/file.py::test``"""


def gates(root: Path = ROOT) -> list[Gate]:
    """Every marked function, in the order of files. Raises ValueError for one that does not say what it checks."""
    return [gate for room in ROOMS for path in sorted((root / room).rglob("*.py")) for gate in _of_file(root, path)]


def page(found: list[Gate]) -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION]
    for then, head in HEADS.items():
        parts.append(f"\n## {head}\n\n")
        parts += [_line(gate) for gate in found if gate.then == then]
    return "".join(parts)


def _line(gate: Gate) -> str:
    test = gate.broken_by.partition("::")
    return (
        f"- {gate.about} ([`{gate.function}`]({gate.place}); broken by "
        f"[`{test[2].removeprefix('test_').replace('_', ' ')}`]({test[0]}))\n"
    )


def _of_file(root: Path, path: Path) -> Iterator[Gate]:
    text = path.read_text(encoding="utf-8")
    if "@gate(" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "gate":
                about = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                if len(about) < 40:
                    raise ValueError(f"{path}: the gate {node.name} does not say in its docstring what it checks")
                broken_by = next(word.value for word in mark.keywords if word.arg == "broken_by")
                then = ast.literal_eval(mark.args[0])
                place = path.relative_to(root).as_posix()
                yield Gate(then, about, place, node.name, ast.literal_eval(broken_by))


def main() -> int:
    PAGE.write_text(page(gates()), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
