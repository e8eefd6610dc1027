"""Claims: one owner a cell, whoever dies when."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.records import claims as module
from bench.records.claims import FOLDER, PATIENCE, UNWRITTEN, Claims, Owner, life, place

ROOT = Path(__file__).resolve().parents[1]
CELL = Path("any/comp/frb.srresnet.x2.set5.json")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / FOLDER).mkdir()
    return tmp_path


def free(store: Path) -> bool:
    with Claims(store).taking(store / CELL) as mine:
        return mine


def claimed(store: Path, owner: Owner | None, age: float = 0.0, number: int = 0) -> Path:
    """A claim that somebody else wrote ``age`` seconds ago."""
    path = store / FOLDER / f"{Claims(store)._name(store / CELL)}.{number}"
    path.write_text("" if owner is None else json.dumps(asdict(owner)))
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))
    return path


def far(pid: int = 1) -> Owner:
    return Owner("another", pid, "1", "2026-01-01T00:00:00+00:00")


def near(pid: int, began: str | None) -> Owner:
    return Owner(place(), pid, began, "2026-01-01T00:00:00+00:00")


def test_one_owner_and_nothing_stays(store: Path) -> None:
    with Claims(store).taking(store / CELL) as mine:
        assert mine and not free(store)
        assert Claims(store).holder(store / CELL).startswith(f"process {os.getpid()} on this machine since ")
    assert free(store)
    assert list((store / FOLDER).iterdir()) == []
    assert Claims(store).holder(store / CELL) == ""


@pytest.mark.parametrize(("owner", "age", "expected"), [
    (far(), 0, False), (far(), PATIENCE - 30, False), (far(), PATIENCE + 30, True),
    (near(os.getpid(), life(os.getpid())), 10 * PATIENCE, False), (near(os.getpid(), "1"), 0, True),
    (near(os.getpid(), None), 0, False), (None, 0, False), (None, UNWRITTEN + 5, True),
])  # fmt: skip
def test_who_is_taken_over(store: Path, owner: Owner | None, age: float, expected: bool) -> None:
    """Another machine's after a told time without a sign of life, this machine's as soon as the process is gone."""
    claimed(store, owner, age)
    assert free(store) is expected


def test_a_killed_process_is_taken_over_at_once_even_before_it_is_buried(store: Path) -> None:
    code = f"""if True:
        import sys; from pathlib import Path; from bench.records.claims import Claims
        with Claims(Path({str(store)!r})).taking(Path({str(store / CELL)!r})) as mine:
            print(mine, flush=True); sys.stdin.read()
    """
    pipe = subprocess.PIPE
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    try:
        assert holder.stdout.readline() == "True\n" and not free(store)
    finally:
        os.kill(holder.pid, 9)
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert Claims(store).abandoned([store / CELL, store / "other.json"]) == [store / CELL]
    assert free(store), "a corpse holds nothing"
    holder.communicate()
    assert list((store / FOLDER).iterdir()) == [], "whoever takes over sweeps"


def test_of_many_that_see_a_dead_claim_one_gets_it(store: Path) -> None:
    claimed(store, far(), PATIENCE + 30, number=3)
    start, taken = threading.Barrier(16), []

    def contend(stack: ExitStack) -> None:
        start.wait()
        taken.append(stack.enter_context(Claims(store).taking(store / CELL)))

    with ExitStack() as stack:
        threads = [threading.Thread(target=contend, args=(stack,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [False] * 15 + [True]


def test_an_owner_believed_dead_leaves_its_heir_alone(store: Path) -> None:
    with Claims(store).taking(store / CELL) as mine:
        assert mine
        heir = claimed(store, far(), number=1)
    assert heir.exists() and not free(store)


def test_a_living_owner_shows_that_it_lives(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    claims, renewed = Claims(store), threading.Event()
    with claims.taking(store / CELL):
        claim = next((store / FOLDER).iterdir())
        os.utime(claim, (0, 0))
        for _ in range(500):
            if claim.stat().st_mtime > 0:
                break
            renewed.wait(0.01)
        assert claim.stat().st_mtime > 0
    claims.close()


def test_processes_that_are_killed_at_random_leave_the_store_of_one() -> None:
    """The light form of tests/store_stress.py."""
    done = subprocess.run(
        [sys.executable, "tests/store_stress.py", "4", "6", "0"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"[1-9]\d* killed, .* 12 after", done.stdout), done.stdout
