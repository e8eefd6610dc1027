"""The page of gates: made from the code, and each gate has a test that exists and breaks it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from reports.checks import PAGE, ROOT, gates, page

GATES = gates()


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(GATES), "run: python -m reports.checks"


def test_there_are_gates_of_both_kinds() -> None:
    assert len(GATES) >= 18 and {gate.then for gate in GATES} == {"refused", "flagged"}


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.function)
def test_the_test_that_breaks_a_gate_exists_and_asserts_something(gate) -> None:
    file, _, name = gate.broken_by.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    raises = [node for node in ast.walk(found) if isinstance(node, ast.Attribute) and node.attr == "raises"]
    assert raises or [node for node in ast.walk(found) if isinstance(node, ast.Assert)]


def test_a_gate_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "bench" / "mute.py"
    file.parent.mkdir()
    file.write_text('@gate("refused", broken_by="tests/x.py::test_y")\ndef check() -> None:\n    pass\n')
    with pytest.raises(ValueError, match="does not say in its docstring what it checks"):
        gates(tmp_path)
