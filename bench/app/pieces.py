"""Which pieces a run and a grid of trainings are launched in."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.app.launch import Batch, check_launcher, launch_local, launch_slurm
from bench.contract import Track
from bench.plan.cells import PlannedCell
from bench.records.conditions import affinity
from bench.records.store import Store


def run_in_pieces(
    flags: argparse.Namespace, tracks: Iterable[Track], planned: Sequence[PlannedCell], store: Store
) -> int | None:
    """Launch a run's pieces; its exit code, or None where it goes on in this process with what is left.

    Cells that are timed stay apart: on Slurm they get nodes to themselves, here they are left to this process, one
    after another, once the pieces have ended. Raises UserError.
    """
    check_launcher(flags)
    store.root.mkdir(parents=True, exist_ok=True)
    timed = {track.name: track.machine_bound for track in tracks}
    todo = [item for item in planned if item.fate != "done"]
    batches = [
        Batch("timed" if bound else "untimed", [*flags.words, "--track", names], len(mine), exclusive=bound)
        for bound in (False, True)
        if (mine := [item for item in todo if timed[item.cell.track] == bound])
        and (names := ",".join(dict.fromkeys(item.cell.track for item in mine)))
    ]
    if flags.launcher == "slurm":
        jobs = launch_slurm(batches, flags, store.root / "logs" / "slurm")
        _say_how_to_go_on(jobs, f"run_bench.py report --store {store.root}")
        return 0
    waiting = [item.path for item in todo if not timed[item.cell.track]]
    loose = [batch for batch in batches if not batch.exclusive and batch.cells > 1]
    launch_local(loose, *_local(flags), store.root / "logs" / "pieces", _counter(waiting, "cells"))
    flags.force = False  # what the pieces have measured is not measured again
    return None


def train_in_pieces(flags: argparse.Namespace, keys: Sequence[str], names: Sequence[str], teacher: str) -> int | None:
    """The same for trainings, each a piece: the teachers of others first. Raises UserError.

    ``names``: of the folders of all trainings, the method first.
    """
    from bench.nn.training.checkpoint import RECORD
    from bench.nn.training.grid import RUNS

    check_launcher(flags)
    root = (flags.out or RUNS).expanduser().resolve()
    groups = [[key for key in keys if key == teacher], [key for key in keys if key != teacher]]
    batches = [
        Batch(title, [*flags.words, "--resume", "--algos", ",".join(group)], count)
        for title, group in zip(("teachers", "methods"), groups, strict=True)
        if (count := sum(name.partition(".")[0] in group for name in names))
    ]
    logs = root / "logs"
    if flags.launcher == "slurm":
        flags.jobs = flags.jobs or len(names)
        jobs = launch_slurm(batches, flags, logs, in_order=True)
        _say_how_to_go_on(jobs, "the same command without --launcher, with --resume")
        return 0
    launch_local(batches, *_local(flags), logs, _counter([root / name / RECORD for name in names], "trainings"))
    flags.resume = True
    return None


def _local(flags: argparse.Namespace) -> tuple[int, int]:
    """(pieces, how many at the same time)."""
    jobs = flags.jobs or max(1, (len(affinity()) or os.cpu_count() or 1) // flags.threads)
    return jobs, flags.at_once or jobs


def _counter(paths: Sequence[Path], what: str) -> Callable[[], str]:
    """How many of the files have been written since now, and how long the others may take."""
    began, wall = time.monotonic(), time.time()

    def told() -> str:
        there = sum(path.is_file() and path.stat().st_mtime >= wall for path in paths)
        left = (time.monotonic() - began) / there * (len(paths) - there) / 60 if there else None
        return f"{there} of {len(paths)} {what}" + ("" if left is None else f", about {left:.0f} min left")

    return told


def _say_how_to_go_on(jobs: Sequence[str], command: str) -> None:
    numbers = ",".join(jobs)
    sys.stderr.write(
        f"submitted: {numbers}. Nothing waits for it here. How far it is: squeue -j {numbers}. "
        f"Once it has ended, or at any time for what is there: {command}\n"
        if jobs
        else f"nothing to submit: all is there. See: {command}\n"
    )
