"""Ctrl-C and kill -9 in the middle of a grid: the same command finishes it, and the store shows no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bench.records.store import Store, load

WORDS = ("--algos", "all", "--track", "count,clock", "--scale", "2,3,4", "--preset", "smoke")
SLOW = (*WORDS, "--set", "count.sleep=0.15")


def wait_for(process: subprocess.Popen[str], store: Path, count: int) -> None:
    """Until the store holds ``count`` records."""
    deadline = time.monotonic() + 60
    while len(list(Store(store).files())) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def content(store: Path) -> dict[str, Any]:
    """Every record of a store without what differs between any two runs: the time of day, and timings."""
    loaded = load([store])
    assert loaded.problems == []
    records = {}
    for record in loaded.records:
        facts = json.loads(record.model_dump_json(exclude={"provenance": {"utc", "conditions"}}))
        if record.machine_bound:
            facts["metrics"] = sorted(facts["metrics"])
            facts["flags"] = [flag for flag in facts["flags"] if flag != "load_beside"]
            facts["samples"] = {name: len(series) for name, series in facts["samples"].items()}
        records[str(record.relative_path)] = facts
    return records


def files(store: Path) -> set[str]:
    pages = store / "report"
    found = (path for path in store.rglob("*") if path.is_file() and pages not in path.parents)
    return {path.relative_to(store).as_posix() for path in found}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from conftest import FAKES

    from bench.app.main import main

    store = tmp_path_factory.mktemp("undisturbed") / "store"
    assert main([*WORDS, "--out", str(store)], FAKES) == 0
    return store


def test_kill_9_then_the_same_command(spawn, bench, tmp_path: Path, undisturbed: Path) -> None:
    store = tmp_path / "store"
    for count in (1, 4):
        process = spawn([*SLOW, "--out", store])
        wait_for(process, store, count)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        missing = next(path for path in sorted(files(undisturbed)) if not (store / path).exists() and "/" in path)
        torn = (store / missing).with_name(f".{Path(missing).name}.torn.tmp")
        torn.parent.mkdir(parents=True, exist_ok=True)
        torn.write_text('{"schema_version": 1, "cell"')
    kept = {path: path.read_bytes() for path in Store(store).files()}
    assert 4 <= len(kept) < 12
    code, _, progress = bench(*WORDS, "--out", store)
    assert code == 0
    assert f"{len(kept)} cells done" in progress
    assert all(path.read_bytes() == text for path, text in kept.items()), "what was measured is not measured again"
    assert content(store) == content(undisturbed)
    assert files(store) == files(undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_cleanly_and_says_how_to_go_on(
    number: int, spawn, bench, tmp_path: Path, undisturbed: Path
) -> None:
    store = tmp_path / "store"
    process = spawn([*SLOW, "--out", store])
    wait_for(process, store, 2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    done = len(list(Store(store).files()))
    assert f"interrupted: {done} of 12 cells measured and kept" in errors
    assert "same command continues" in errors
    assert "Traceback" not in errors
    assert bench(*WORDS, "--out", store)[0] == 0
    assert content(store) == content(undisturbed)
    assert files(store) == files(undisturbed)


def test_two_runs_share_one_store(spawn, bench, tmp_path: Path, undisturbed: Path) -> None:
    store = tmp_path / "store"
    process = spawn([*SLOW, "--out", store])
    wait_for(process, store, 1)
    code, _, errors = bench(*WORDS, "--out", store)
    _, theirs = process.communicate(timeout=60)
    assert code == process.returncode == 0
    lines = [line for text in (errors, theirs) for line in text.splitlines() if line.startswith("[") and " ok" in line]
    cells = [line.split()[1] for line in lines]
    assert len(cells) == len(set(cells)) == 12, "no cell is measured twice"
    assert content(store) == content(undisturbed)
    assert files(store) == files(undisturbed)


def test_a_cell_in_other_hands_is_left_to_them(bench, tmp_path: Path, undisturbed: Path) -> None:
    store = Store(tmp_path / "store")
    cell = next(path.relative_to(undisturbed) for path in Store(undisturbed).files())
    with store.writing() as claims, claims.taking(store.root / cell) as mine:
        assert mine
        code, _, errors = bench(*WORDS, "--out", store.root)
        assert code == 0
        assert "not waited for: 1 cell" in errors and f"process {os.getpid()} on this machine" in errors
        assert len(list(store.files())) == 11 and not (store.root / cell).exists()
    assert bench(*WORDS, "--out", store.root)[0] == 0
    assert content(store.root) == content(undisturbed)
