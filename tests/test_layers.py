"""The rooms of the design, held apart by reading imports with `ast`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("bench", "algorithms", "tracks", "reports")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
HEAVY = {"torch", "torchvision", "pyiqa"}
WITH_TORCH = ("bench/nn/", "bench/packed/", "bench/sr/", "bench/conformance")
LIMIT, TEST_LIMIT = 250, 350


def imports(path: Path, top_level: bool = False) -> Iterator[str]:
    """Dotted names that a file imports; with ``top_level`` only what importing the file runs."""
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if typing_only or (top_level and isinstance(node, ast.FunctionDef)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        nodes.extend(ast.iter_child_nodes(node))


def violations(path: Path) -> list[str]:
    file = path.relative_to(ROOT).as_posix()
    room = file.split("/")[0]
    cli = file.startswith("bench/cli")
    torch_free = room == "bench" and not file.startswith(WITH_TORCH)
    wrong = []
    for name in imports(path):
        top = name.split(".")[0]
        other = top in ROOMS and top not in (room, "bench")
        if other and not (cli and top == "reports"):
            wrong.append(f"{file}: {room}/ imports {name}")
        if room == "algorithms" and top == "algorithms" and name.split(".")[1] != file.split("/")[1]:
            wrong.append(f"{file}: one algorithm imports another, {name}")
        network = name.startswith(("bench.nn", "bench.packed", "bench.sr", "bench.conformance"))
        if room == "reports" and (top in HEAVY or network):
            wrong.append(f"{file}: reports import no torch, nor what does: {name}")
        if torch_free and top in HEAVY:
            wrong.append(f"{file}: torch is for {', '.join(WITH_TORCH)}")
    track = room == "tracks" and not file.startswith("tracks/_")
    light = torch_free or track or (room == "algorithms" and path.name == "__init__.py")
    if light and (heavy := [name for name in imports(path, top_level=True) if name.split(".")[0] in HEAVY]):
        wrong.append(f"{file}: imported for lists and plans, so it must not import {heavy[0]} on top level")
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_rooms_are_held_apart(path: Path) -> None:
    assert violations(path) == []


def test_the_check_sees_a_breach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_layers.ROOT", tmp_path)
    for name, text in {
        "reports/a.py": "import torch",
        "reports/b.py": "def f():\n    from bench.nn import build",
        "bench/c.py": "import algorithms.frb",
        "bench/d.py": "import torch.nn",
        "algorithms/e/adapter.py": "from algorithms.frb import CARD",
        "algorithms/g/adapter.py": "from ..frb import CARD",
        "tracks/f.py": "import torch",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        assert violations(path), name


@pytest.mark.parametrize("code", ["import bench.cli_run, bench.cli_list", "import reports", "discover()"])
def test_no_torch_even_indirectly(code: str) -> None:
    code = f"import sys; from bench.discover import discover; {code}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda path: path.name)
def test_files_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    limit = LIMIT if path in FILES else TEST_LIMIT
    assert lines <= limit, f"{path.relative_to(ROOT)} has {lines} lines; split it by meaning (limit {limit})"
