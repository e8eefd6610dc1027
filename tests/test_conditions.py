"""Under what a timing was taken: who else ran, which CPUs there were."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bench.records.conditions import BESIDE, Conditions, Watch, affinity, as_list, batch_job, cgroup_limit
from bench.records.store import load

FACTS = {"host": "a" * 12, "cpus": "0-1", "cpus_allowed": 2.0, "load_before": 0.0, "load_after": 0.0}


def beside(monkeypatch: pytest.MonkeyPatch, ticks: list[float], own: list[float]) -> float | None:
    """What a watch of two seconds tells of a machine and a process with these CPU times at its start and end."""
    clock = iter([0.0, 2.0])
    monkeypatch.setattr("bench.records.conditions.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("bench.records.conditions._busy", iter(ticks).__next__)
    monkeypatch.setattr("bench.records.conditions._own", iter(own).__next__)
    return Watch().end().busy_beside


def test_what_others_keep_busy_is_all_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert beside(monkeypatch, [100.0, 103.0], [10.0, 12.0]) == 0.5
    assert beside(monkeypatch, [100.0, 101.9], [10.0, 12.0]) == 0.0, "ticks are coarse: never below nothing"


def test_a_child_that_was_waited_for_is_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.records import conditions

    before = conditions._own()
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert conditions._own() - before >= 0.01


def test_flags() -> None:
    quiet = Conditions(**FACTS, busy_beside=BESIDE - 0.01)
    assert quiet.flags(2) == []
    assert quiet.flags(3) == ["fewer_cpus"]
    assert Conditions(**FACTS, busy_beside=BESIDE).flags(1) == ["load_beside"]
    assert Conditions(**FACTS).flags(1) == [], "a cell too short to tell"


@pytest.mark.parametrize(("cpus", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 8], "0-2,8"), ([0, 2, 3], "0,2-3")])
def test_masks_are_told_as_linux_tells_them(cpus: list[int], text: str) -> None:
    assert as_list(cpus) == text


def test_the_affinity_mask_is_this_process_own(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = affinity()
    if not mask:
        pytest.skip("this system has no affinity masks")
    code = f"import os; os.sched_setaffinity(0, [{mask[-1]}]); from bench.records.conditions import Watch; "
    code += "told = Watch().end(); print(told.cpus, told.cpus_allowed, told.flags(2))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == f"{mask[-1]} 1.0 ['fewer_cpus']\n"


def test_limits_of_control_groups(tmp_path: Path) -> None:
    own, inner = tmp_path / "self", tmp_path / "root/job/step"
    inner.mkdir(parents=True)
    own.write_text("0::/job/step\n")
    assert cgroup_limit(tmp_path / "root", own) is None
    (inner / "cpu.max").write_text("max 100000\n")
    assert cgroup_limit(tmp_path / "root", own) is None
    (tmp_path / "root/job/cpu.max").write_text("150000 100000\n")
    assert cgroup_limit(tmp_path / "root", own) == 1.5, "the limit of a group above counts too"
    (tmp_path / "root/cpu").mkdir()
    (tmp_path / "root/cpu/cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "root/cpu/cpu.cfs_period_us").write_text("100000")
    assert cgroup_limit(tmp_path / "root", own) == 1.0


def test_batch_jobs() -> None:
    assert batch_job({}) == (None, None)
    array = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_RESTART_COUNT": "1"}
    assert batch_job(array) == ("7_3", 1)
    assert batch_job({"SLURM_JOB_ID": "9"}) == ("9", None)
    assert batch_job({"PBS_JOBID": "4.host"}) == ("4.host", None)


def test_records_of_timings_hold_them_and_others_do_not(bench, tmp_path: Path) -> None:
    assert bench("--algos", "alpha", "--track", "count,clock", "--preset", "smoke", "--out", tmp_path)[0] == 0
    told = {record.cell.track: record.provenance.conditions for record in load([tmp_path]).records}
    assert told["count"] is None and told["clock"] is not None
    counted, timed = (next(tmp_path.glob(f"*/{track}/*.json")).read_text() for track in ("count", "clock"))
    assert "conditions" not in json.loads(counted)["provenance"], "readable for earlier programs"
    assert platform.node() not in json.loads(timed)["provenance"]["conditions"].values()
