"""kill -9 in the middle of a real infer grid: no process is left, and the same command measures what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from conftest import ROOT

from bench.records.store import Store, load

WORDS = ("--algos", "bnn,frb", "--track", "infer", "--preset", "smoke", "--lr-size", "24x16", "--repeats", "2")


def start(store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "run_bench.py"), *WORDS, "--out", str(store)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ
    )


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kill_9_while_a_cell_is_measured(tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = start(store)
    parent = psutil.Process(process.pid)

    def second_cell_runs() -> bool:
        return bool(list(Store(store).files())) and bool(parent.children())

    wait_until(second_cell_runs, process)
    workers = parent.children(recursive=True)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive, "a measuring process outlives the run that started it"
    (first,) = Store(store).files()
    before = first.read_bytes()

    again = start(store)
    _, progress = again.communicate(timeout=300)
    assert again.returncode == 0, progress
    assert first.read_bytes() == before, "what was measured is not measured again"
    loaded = load([store])
    assert loaded.problems == []
    assert {record.cell.algo for record in loaded.records} == {"bnn", "frb"}
    for record in loaded.records:
        assert record.status == "ok" and record.metrics["latency_ms"].value > 0
        assert len(record.samples["packed_ms"]) == 2
