"""CONTRIBUTING's examples, each done in a copy of the repository, and its table of what an addition touches."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.records.store import load

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = {part.splitlines()[0]: part for part in TEXT.split("\n### ")[1:]}
BLOCK = re.compile(r"<!-- (?P<kind>file|line|run)(?:: (?P<what>.+?))? -->\n```\w+\n(?P<text>.*?)```", re.DOTALL)
TABLE = {"A method": 0, "A backbone": 1, "A track": 0, "A task": 0, "A report format": 0}
"""Section -> lines that it may add to files that are there already"""
BARE = """
import runpy, sys
sys.meta_path = [finder for finder in sys.meta_path if "Editable" not in type(finder).__name__ + type(finder).__module__
                 and "Redirecting" not in type(finder).__name__]
sys.path.insert(0, {root!r})
sys.argv = {words!r}
runpy.run_path({script!r}, run_name="__main__")
"""
"""Runs a copy's own code, although this checkout is the one that is installed."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    skip = shutil.ignore_patterns("__pycache__", "weights", "*.cc", "local", "reference")
    for name in ("bench", "algorithms", "tracks", "reports", "results"):
        shutil.copytree(ROOT / name, root / name, ignore=skip)
    shutil.copy(ROOT / "run_bench.py", root)
    native = find_spec("bench.packed._native")
    if native is not None and native.origin is not None:
        shutil.copy(native.origin, root / "bench" / "packed")
    return root


def run(root: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    code = BARE.format(root=str(root), words=words, script=str(root / "run_bench.py"))
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("section", TABLE)
def test_an_example_is_added_and_runs(section: str, copy: Path, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(copy, root)
    new, lines, command = [], 0, []
    for block in BLOCK.finditer(SECTIONS[section]):
        if block["kind"] == "file":
            path = root / block["what"]
            assert not path.exists(), "the example's files are its own"
            path.parent.mkdir(exist_ok=True)
            path.write_text(block["text"])
            new.append(path)
        elif block["kind"] == "line":
            name, _, after = block["what"].partition(" after ")
            added = block["text"].splitlines(keepends=True)
            old = (root / name).read_text().splitlines(keepends=True)
            (place,) = [number for number, line in enumerate(old, 1) if after in line]
            (root / name).write_text("".join(old[:place] + added + old[place:]))
            lines += len(added)
        else:
            command = shlex.split(block["text"])[1:]
    assert new and len({path.parent for path in new}) == 1 and lines == TABLE[section]
    done = run(root, [*command, "--out", str(tmp_path / "out")])
    assert done.returncode == 0, done.stdout + done.stderr
    records = load([tmp_path / "out"]).records
    assert records and {record.status for record in records} == {"ok"}
    if section == "A task":
        places = {(r.cell.track, r.cell.task, r.cell.level) for r in records}
        assert places == {(track, "gray", level) for track in ("accuracy", "comp") for level in ("c25", "c50")}
        nothing = {
            r.cell.level: r.metrics["psnr_y"].value
            for r in records
            if r.cell.algo == "bicubic" and "psnr_y" in r.metrics
        }
        assert nothing["c25"] < nothing["c50"]
    if section == "A report format":
        assert "fp32" in (tmp_path / "out" / "report" / "tables.csv").read_text()


def test_the_table_is_the_one_that_is_tested() -> None:
    rows = re.findall(r"^\| (\w[\w ]*) \| (1 [^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
    told = {f"A {name}": int(elsewhere.split(",")[0].split()[0]) for name, _, elsewhere in rows if name != "kernel"}
    assert told == TABLE


def test_without_the_example_its_command_is_refused(copy: Path) -> None:
    done = run(copy, ["run_bench.py", "--algos", "median_sign", "--track", "comp"])
    assert done.returncode == 2 and "unknown algorithm 'median_sign'" in done.stderr
