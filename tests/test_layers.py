"""The floors of the house, held apart by reading imports with `ast`: an arrow points down, never up or in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOPS = ("bench", "algorithms", "tracks", "reports")
FILES = sorted(path for top in TOPS for path in (ROOT / top).rglob("*.py"))
FORMER = "bench.former_names"
"""It stands outside the rooms, since it knows of all."""
FLOORS = (
    ("bench.contract", "bench.layer", "bench.timing"),
    ("bench.pictures", "bench.records", "bench.scoring"),
    ("bench.tasks", "bench.nn"),
    ("bench.packed", "bench.plan", "algorithms"),
    ("bench.conformance", "tracks", "reports"),
    ("bench.app",),
)
"""The ground first."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}
HEAVY = {"torch", "torchvision", "pyiqa"}
LIGHT = ("bench.contract", "bench.records", "bench.scoring", "bench.plan", "bench.app", "reports")
"""Rooms that no list, plan or page should pay for with the import of torch."""
LIMIT, TEST_LIMIT = 250, 350


def imports(path: Path, top_level: bool = False) -> Iterator[str]:
    """Dotted names that a file imports; with ``top_level`` only what importing the file runs."""
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if top_level and (typing_only or isinstance(node, ast.FunctionDef)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        nodes.extend(ast.iter_child_nodes(node))


def module_of(path: Path) -> str:
    """The dotted name of a file; of a package, its folder's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str | None:
    """The room that a dotted name lies in; None outside the house."""
    return next((room for room in FLOOR if name == room or name.startswith(f"{room}.")), None)


def violations(path: Path) -> list[str]:
    file, module = path.relative_to(ROOT).as_posix(), module_of(path)
    room = room_of(module)
    if room is None:
        return [] if module in (*TOPS, FORMER) else [f"{file}: in no room; the floors are {FLOORS}"]
    wrong = []
    for name in imports(path):
        other = room_of(name)
        if other and FLOOR[other] > FLOOR[room]:
            wrong.append(f"{file}: {room} (floor {FLOOR[room]}) imports {name} (floor {FLOOR[other]})")
        apart = FLOOR[room] == 5 or room == "algorithms"
        if apart and other and FLOOR[other] == FLOOR[room] and _folder(name) not in (_folder(module), "_quality"):
            wrong.append(f"{file}: one {room} imports another, {name}")
        if room == "reports" and (name.split(".")[0] in HEAVY or other in ("bench.nn", "bench.packed")):
            wrong.append(f"{file}: reports import no torch, nor what does: {name}")
    card = room == "algorithms" and path.name == "__init__.py"
    track = room == "tracks" and path.name in ("__init__.py", "track.py")
    at_once = [name for name in imports(path, top_level=True) if name.split(".")[0] in HEAVY]
    if (card or track or (room in LIGHT and path.name != "train.py")) and at_once:
        wrong.append(f"{file}: imported for lists and plans, so it must not import {at_once[0]} on top level")
    return wrong


def _folder(name: str) -> str:
    """What stands apart on its floor: a method's folder, a track's, the reports, the conformance kit."""
    room = room_of(name) or ""
    inside = name.removeprefix(room).lstrip(".").split(".")[0]
    return inside if room in ("algorithms", "tracks") else room


def arrows(files: Iterable[Path], whole_rooms: bool) -> dict[str, set[str]]:
    """Who imports whom, as modules or as rooms. Imports inside functions and for types count too."""
    modules = {module_of(path): path for path in files}
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        for name in imports(path):
            target = name if name in modules else name.rpartition(".")[0]
            ends = (room_of(module), room_of(target)) if whole_rooms else (module, target)
            if target in modules and None not in ends and ends[0] != ends[1]:
                found.setdefault(str(ends[0]), set()).add(str(ends[1]))
    return found


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """A circle of arrows, empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_arrows_point_down(path: Path) -> None:
    assert violations(path) == []


@pytest.mark.parametrize("whole_rooms", [True, False], ids=["rooms", "modules"])
def test_no_circle(whole_rooms: bool) -> None:
    graph = arrows(FILES, whole_rooms)
    assert len(graph) > (8 if whole_rooms else 100)
    assert circle(graph) == []


def test_the_check_sees_a_breach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_layers.ROOT", tmp_path)
    for name, text in {
        "reports/a.py": "import torch",
        "reports/b.py": "def f():\n    from bench.nn import build",
        "reports/h.py": "import tracks.infer",
        "bench/c.py": "import json",
        "bench/records/c.py": "import algorithms.frb",
        "bench/contract/d.py": "import torch.nn",
        "bench/layer/d.py": "from bench.nn.unit import Unit",
        "algorithms/e/adapter.py": "from algorithms.frb import CARD",
        "algorithms/g/adapter.py": "from ..frb import CARD",
        "tracks/f/track.py": "import torch",
        "tracks/f/measure.py": "from tracks.infer.photo import photo",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        assert violations(path), name


def test_the_check_sees_a_circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_layers.ROOT", tmp_path)
    files = [tmp_path / "bench" / room / "a.py" for room in ("nn", "packed")]
    for path, other in zip(files, ("packed", "nn"), strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(f"def f():\n    from bench.{other}.a import g")
    assert circle(arrows(files, whole_rooms=True)) and circle(arrows(files, whole_rooms=False))


@pytest.mark.parametrize("code", ["import bench.app.run, bench.app.listing", "import reports", "discover()"])
def test_no_torch_even_indirectly(code: str) -> None:
    code = f"import sys; from bench.plan.discover import discover; {code}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda path: path.name)
def test_files_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    limit = LIMIT if path in FILES else TEST_LIMIT
    assert lines <= limit, f"{path.relative_to(ROOT)} has {lines} lines; split it by meaning (limit {limit})"
