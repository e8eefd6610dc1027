"""Under what a timing was taken: which CPUs the process could have, what else ran, which node of a cluster it was."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from bench.contract import UserError
from bench.contract.gates import gate

BESIDE = 0.25
"""CPUs kept busy by others, on average over a cell, from which a timing was taken beside load."""

JOBS = (("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"), ("SLURM_JOB_ID",), ("PBS_JOBID",), ("LSB_JOBID",), ("JOB_ID",))
"""Variables that name a batch job: of an array first."""
RESTARTS = "SLURM_RESTART_COUNT"


class Conditions(BaseModel):
    """What decides a timing besides the machine's kind. No host or user names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str
    """Hash of the host's name: tells nodes of one kind apart."""
    cpus: str
    """The affinity mask as Linux writes lists of CPUs: ``0-3,8``; empty where the system does not say."""
    cpus_allowed: float
    """CPUs that the process may use: those of the mask, or fewer by its control group."""
    cgroup_cpus: float | None = None
    """The control group's limit, where there is one."""
    job: str | None = None
    """Number of the batch job, an array's with the task's: ``1234_7``."""
    restarts: int | None = None
    """How often the scheduler had started this job anew."""
    load_before: float
    """Load average of one minute when the cell began."""
    load_after: float
    busy_beside: float | None = None
    """CPUs that others kept busy meanwhile, on average: other processes, and the hypervisor's other guests."""
    governor: str | None = None
    """Frequency governor of the first CPU of the mask."""

    def flags(self, threads: int) -> list[str]:
        """``fewer_cpus`` and ``load_beside`` where a timing deserves them."""
        flags = ["fewer_cpus"] if self.cpus_allowed < threads else []
        return flags + (["load_beside"] if (self.busy_beside or 0.0) >= BESIDE else [])


class Watch:
    """From the moment that it is made to `end`: what went on beside this process and its children."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._began, self._all, self._own = time.monotonic(), _busy(), _own()

    def end(self) -> Conditions:
        """The conditions since. Children count as our own once they have been waited for."""
        seconds = time.monotonic() - self._began
        others = (_busy() - self._all) - (_own() - self._own)
        allowed = affinity()
        job, restarts = batch_job(os.environ)
        return Conditions(
            host=hashlib.sha256(platform.node().encode()).hexdigest()[:12],
            cpus=as_list(allowed),
            cpus_allowed=cpus_allowed(),
            cgroup_cpus=cgroup_limit(),
            job=job,
            restarts=restarts,
            load_before=round(self._load, 2),
            load_after=round(os.getloadavg()[0], 2),
            busy_beside=round(max(0.0, others / seconds), 2) if seconds >= 0.1 else None,
            governor=_governor(allowed[0] if allowed else 0),
        )


def cpus_allowed() -> float:
    """CPUs that this process may use: its affinity mask, and its control groups' share where there is one."""
    cpus, limit = float(len(affinity()) or os.cpu_count() or 1), cgroup_limit()
    return cpus if limit is None else min(cpus, limit)


@gate("refused", broken_by="tests/test_gates_surroundings.py::test_more_threads_than_cpus_are_refused")
def check_threads(threads: int) -> None:
    """More threads than the CPUs that the process may use (affinity, control groups) would take turns on them, and a
    timing of so many threads would be none.

    Raises UserError.
    """
    if threads > (most := math.ceil(cpus_allowed())):
        cpus = "1 CPU" if most == 1 else f"{most} CPUs"
        raise UserError(
            f"--threads {threads}: this process may use {cpus}, so that many threads would only take turns. "
            f"Give --threads {most} or fewer."
        )


def affinity() -> list[int]:
    """CPUs of this process's mask, ascending; empty where the system has none."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def as_list(cpus: Sequence[int]) -> str:
    """``[0, 1, 2, 8]`` -> ``0-2,8``."""
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def cgroup_limit(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """CPUs that the control groups of this process give it (version 2, or version 1 as containers see it)."""
    limits = [*_version_2(root, own), *_version_1(root)]
    return min(limits) if limits else None


def _version_2(root: Path, own: Path) -> Iterator[float]:
    with suppress(OSError):
        inside = next((line[3:] for line in own.read_text().splitlines() if line.startswith("0::")), "/")
        group = root / inside.strip("/")
        for folder in (group, *group.parents):
            if folder == root or root in folder.parents:
                with suppress(OSError, ValueError):
                    quota, period = (folder / "cpu.max").read_text().split()
                    yield int(quota) / int(period)  # "max" is no number: no limit here


def _version_1(root: Path) -> Iterator[float]:
    with suppress(OSError, ValueError):
        quota = int((root / "cpu/cpu.cfs_quota_us").read_text())
        if quota > 0:
            yield quota / int((root / "cpu/cpu.cfs_period_us").read_text())


def batch_job(environment: Mapping[str, str]) -> tuple[str | None, int | None]:
    """(number of the batch job that this is, how often it was started anew); None outside one."""
    for names in JOBS:
        if all(environment.get(name) for name in names):
            restarts = environment.get(RESTARTS, "")
            return "_".join(environment[name] for name in names), int(restarts) if restarts.isdecimal() else None
    return None, None


def _busy() -> float:
    """CPU seconds of everything on this machine since it started, stolen ones included."""
    times = psutil.cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))


def _own() -> float:
    return sum(os.times()[:4])


def _governor(cpu: int) -> str | None:
    with suppress(OSError):
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor").read_text().strip() or None
    return None
