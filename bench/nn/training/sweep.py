"""The learning rate of a board training: the best of a few, each tried for a tenth of the run.

A paper's rate belongs to the paper's budget. At a three-hundredth of it, it decides more than the method does: BBCU-L
ends 0.8 dB higher after 600 iterations at 1e-3 with a cosine than at its paper's 1e-4. So every method gets the same
sweep, scored on training pictures that are held out for it and never on a test set.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from lightning_fabric import Fabric

from bench.contract import Unsupported, UserError
from bench.nn.training.checkpoint import RECORD, saved, write_whole
from bench.nn.training.data import Pictures
from bench.nn.training.loop import Listener
from bench.nn.training.run import Job, Trial, train
from bench.nn.training.step import Diverged
from bench.nn.training.validate import Validation

RATES = (1e-4, 3e-4, 1e-3, 3e-3)
SHARE = 10
"""A rate is tried for one iteration in so many of the run, along a cosine of that length."""
LEARNT_DB = 0.1
"""A sweep in which no trial gains so much on its start says nothing of the rates. It is run again twice as long, at
most half as long as the run: full precision on SRResNet stays at interpolation for the first hundred iterations."""
YARDSTICK_SHARE = 1
"""Of full precision, which every method is measured against: its rates are tried for the whole run. After a tenth it
still stands at interpolation at the rates that serve it best in the end, and a weak yardstick flatters all."""
RESULT = "sweep.json"
"""What a sweep leaves in the run's folder"""


def sweep(
    job: Job, fabric: Fabric, pictures: Pictures, held_out: Validation, listen: Callable[[Job], Listener]
) -> list[Trial] | None:
    """Try every rate for ``job``, whose own rate does not count; every trial made, or None when stopped.

    What is finished stays in the run's folder, so a sweep that was killed goes on with the rate it was at.
    """
    share = YARDSTICK_SHARE if job.algorithm.card.full_precision else SHARE
    iterations = max(1, job.plan.iterations // share)
    found = read(job.folder)
    while True:
        mine = [trial for trial in found if trial.iterations == iterations]
        for rate in RATES[len(mine) :]:
            trial = _trial(job, rate, iterations, fabric, pictures, held_out, listen)
            if trial is None:
                return None
            mine.append(trial)
            found.append(trial)
            if fabric.is_global_zero:
                text = json.dumps([asdict(trial) for trial in found], indent=1, allow_nan=False)
                write_whole(job.folder / RESULT, (text + "\n").encode())
                if iterations < job.plan.iterations:
                    shutil.rmtree(_folder(job, rate), ignore_errors=True)
        if any(map(_learnt, mine)) or 4 * iterations > job.plan.iterations or not any(map(_alive, mine)):
            return found
        iterations *= 2


def _alive(trial: Trial) -> bool:
    return trial.psnr_y is not None


def _learnt(trial: Trial) -> bool:
    start, end = trial.start_psnr_y, trial.psnr_y
    return start is not None and end is not None and end - start >= LEARNT_DB


def read(folder: Path) -> list[Trial]:
    """The trials that a run's folder knows of, shortest first and in the order of `RATES`.

    Raises UserError for a damaged file.
    """
    path = folder / RESULT
    if not path.is_file():
        return []
    try:
        found = [Trial(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}). Delete it; the sweep is then run again.") from None
    if any(trial.learning_rate != RATES[place % len(RATES)] for place, trial in enumerate(found)):
        raise UserError(f"{path} holds a sweep of other rates than {RATES}. Start anew in another folder with --out.")
    return found


def best_rate(trials: list[Trial], name: str) -> float:
    """The rate of the highest PSNR among the longest trials; of equal ones the smallest.

    Raises Unsupported when every one of them diverged.
    """
    longest = max(trial.iterations for trial in trials)
    alive = [trial for trial in trials if trial.iterations == longest and trial.psnr_y is not None]
    if not alive:
        rates = ", ".join(f"{rate:g}" for rate in RATES)
        raise Unsupported(f"{name} diverges at every learning rate of the sweep ({rates}): untrainable at this budget")
    return max(alive, key=lambda trial: (trial.psnr_y, -trial.learning_rate)).learning_rate


def adopt(job: Job) -> Job:
    """``job`` going on from its sweep's trial at the same rate, where that was as long as the run: its end already."""
    trial = _folder(job, job.plan.learning_rate)
    if not trial.is_dir():
        return job
    for path in saved(trial):
        path.replace(job.folder / path.name)
    for rate in RATES:
        shutil.rmtree(_folder(job, rate), ignore_errors=True)
    return replace(job, resume=True)


def _folder(job: Job, rate: float) -> Path:
    return job.folder / f"sweep-{rate:g}"


def _trial(
    job: Job,
    rate: float,
    iterations: int,
    fabric: Fabric,
    pictures: Pictures,
    held_out: Validation,
    listen: Callable[[Job], Listener],
) -> Trial | None:
    plan = replace(job.plan, iterations=iterations, learning_rate=rate)
    short = replace(job, plan=plan, folder=_folder(job, rate), resume=True, validate_every=iterations)
    listener = listen(short)
    try:
        if not train(short, fabric, pictures, held_out, listener):
            return None
    except Diverged as error:
        why = f"{error.what} is not finite in iteration {error.iteration}: {error.where}"
        return Trial(rate, None, why, iterations)
    finally:
        listener.close()
    scores = json.loads((short.folder / RECORD).read_text(encoding="utf-8"))["validation"]
    return Trial(rate, scores["psnr_y"], iterations=iterations, start_psnr_y=scores["psnr_y_start"])
