"""Many trainings with one command: what they share, and one after another."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from lightning_fabric import Fabric
from torch import nn

from bench.contract import Card, Unsupported, UserError
from bench.nn.algorithm import Algorithm
from bench.nn.build import build_network, load_weights
from bench.nn.training.checkpoint import RECORD, WEIGHTS
from bench.nn.training.combinations import Grid
from bench.nn.training.console import Console, Silent
from bench.nn.training.data import SAMPLE, Pictures, load_pictures, to_pairs
from bench.nn.training.loop import Listener
from bench.nn.training.plan import is_equal, make_plan
from bench.nn.training.run import Job, run_name, train
from bench.nn.training.step import Diverged
from bench.nn.training.sweep import adopt, best_rate, sweep
from bench.nn.training.validate import Validation
from bench.nn.weights import store_weights, stored_weights

ROOT = Path(__file__).resolve().parents[3]
RUNS = ROOT / "results" / "trainings"
TEACHER = "fp32"
VALIDATION_SIDE = 240
"""Validation pictures are cut to this many high-resolution pixels a side."""
HELD_OUT = 8
"""Training pictures that a board training keeps for its sweep and its validation."""

Load = Callable[[str], Algorithm]


class NoTeacher(UserError):
    """A method learns from a trained network that is not there, or not yet."""


def run_grid(
    grid: Grid, flags: argparse.Namespace, cards: Mapping[str, Card], load: Load, precision: str, fabric: Fabric
) -> int:
    """Train every network of the grid; the exit code. ``load`` gives a fresh instance of a method.

    A method that cannot be trained does not keep the others from it. Raises UserError, and Diverged, Unsupported or
    NoTeacher where there is a single network.
    """
    deadline = math.inf if flags.time_limit is None else time.monotonic() + 60 * flags.time_limit
    failed = False
    chosen = grid.trainings()
    for scale in dict.fromkeys(one.scale for one in chosen):
        session = Session(flags, cards, load, scale, grid.preset, precision, fabric, deadline)
        for run in (Run(session, one.key, one.backbone, one.seed) for one in chosen if one.scale == scale):
            try:
                complete = run.train()
            except (Diverged, Unsupported, NoTeacher) as error:
                if len(chosen) == 1:
                    raise
                session.say(f"{run.name}: {error}")
                failed = True
                continue
            if not complete:
                session.say("stopped after a checkpoint. The same command with --resume goes on from here.")
                return 130
    return int(failed)


class Session:
    """What the runs of one command share at one scale: device, pictures, output folder."""

    def __init__(
        self,
        flags: argparse.Namespace,
        cards: Mapping[str, Card],
        load: Load,
        scale: int,
        preset: str,
        precision: str,
        fabric: Fabric,
        deadline: float = math.inf,
    ) -> None:
        self.flags, self.cards, self.load, self.fabric = flags, cards, load, fabric
        self.scale, self.preset, self.precision, self.deadline = scale, preset, precision, deadline
        self.root = (flags.out or RUNS).expanduser().resolve()
        test = flags.allow_test_pictures
        pictures = load_pictures(flags.data, scale, workers=flags.threads, note=self.say, may_be_test=test)
        self.held_out: Validation | None = None
        if is_equal(self.preset):
            pictures, held = pictures.hold_out(HELD_OUT)
            self.held_out = self._validation(held)
        self.pictures, self.validation = self._validated(pictures)

    def _validated(self, pictures: Pictures) -> tuple[Pictures, Validation]:
        """Training pictures and the validation of a run: --validate, else those held out, else photographs built in."""
        if self.flags.validate is not None:
            reading = {"workers": self.flags.threads, "note": self.say, "may_be_test": True}
            return pictures, self._validation(load_pictures(self.flags.validate, self.scale, **reading))
        if self.held_out is not None:
            return pictures, self.held_out
        if self.flags.data == SAMPLE:
            rest, held = pictures.split(1)
            return rest, self._validation(held)
        return pictures, self._validation(load_pictures(SAMPLE, self.scale))

    def _validation(self, pictures: Pictures) -> Validation:
        return Validation(to_pairs(pictures, VALIDATION_SIDE), self.scale)

    def listener(self, job: Job) -> Listener:
        if not self.fabric.is_global_zero:
            return Silent()
        log = job.folder / "tensorboard" if self.flags.tensorboard else None
        return Console(job.plan.iterations, job.plan.batch, log=log)

    def say(self, text: str) -> None:
        if self.fabric.is_global_zero:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


class Run:
    """One training of a session: its sweep where the preset asks for one, the training itself, what it leaves."""

    def __init__(self, session: Session, key: str, backbone: str, seed: int) -> None:
        self.session, self.key, self.backbone, self.seed = session, key, backbone, seed
        self.name = run_name(key, backbone, session.scale, session.preset, seed)
        self.folder = session.root / self.name

    def train(self) -> bool:
        """To its end; False when it was stopped. A run that is already complete is left alone with --resume.

        Raises UserError, Diverged, Unsupported.
        """
        s = self.session
        job = self._job()
        if s.flags.resume and (self.folder / RECORD).is_file():
            s.say(f"{self.name}: complete already")
            self._store(job)
            return True
        sweeping = is_equal(s.preset) and not job.algorithm.recipe.calibration
        if sweeping and s.flags.learning_rate is None:
            swept = self._swept(job)
            if swept is None:
                return False
            job = swept
        plan = job.plan
        s.say(
            f"{self.name}: {plan.iterations} iterations of {plan.batch} patches of {plan.lr_patch}x{plan.lr_patch} low-"
            f"resolution pixels at {plan.learning_rate:g}, from {len(s.pictures)} pictures; {plan.precision} on "
            f"{s.fabric.device.type}, in {job.folder}"
        )
        listener = s.listener(job)
        try:
            complete = train(job, s.fabric, s.pictures, s.validation, listener)
        finally:
            listener.close()
        if complete and s.fabric.is_global_zero:
            self._report(job)
        return complete

    def _job(self) -> Job:
        s, flags = self.session, self.session.flags
        algorithm = s.load(self.key)
        plan = make_plan(
            algorithm.recipe,
            s.preset,
            s.scale,
            iterations=flags.iterations,
            batch=flags.batch,
            lr_patch=flags.patch,
            learning_rate=flags.learning_rate,
            seed=self.seed,
            precision=s.precision,
        )
        return Job(
            algorithm=algorithm,
            backbone=self.backbone,
            scale=s.scale,
            preset=s.preset,
            plan=plan,
            folder=self.folder,
            teacher=self._teacher() if algorithm.needs_teacher else None,
            resume=flags.resume,
            validate_every=flags.validate_every,
            checkpoint_every=flags.checkpoint_every,
            deadline=s.deadline,
        )

    def _swept(self, job: Job) -> Job | None:
        """The job with the sweep's learning rate; None when the sweep was stopped."""
        s = self.session
        assert s.held_out is not None
        trials = sweep(job, s.fabric, s.pictures, s.held_out, s.listener)
        if trials is None:
            return None
        rate = best_rate(trials, job.algorithm.card.name)
        s.say(f"{self.name}: learning rate {rate:g}; tried: {', '.join(map(str, trials))}")
        return adopt(replace(job, plan=replace(job.plan, learning_rate=rate), trials=tuple(trials)))

    def _teacher(self) -> nn.Module:
        """The full-precision network: --teacher, else a finished run beside this one, else the stored weights."""
        s = self.session
        beside = s.root / run_name(TEACHER, self.backbone, s.scale, s.preset, self.seed) / WEIGHTS
        path = s.flags.teacher or (beside if beside.is_file() else None)
        path = path or stored_weights(s.cards[TEACHER], self.backbone, f"x{s.scale}")
        if path is None:
            raise NoTeacher(
                "this method learns from a trained full-precision network of the same backbone, and there is none. "
                f"Name one with --teacher FILE, or train it first: --algos {TEACHER},... with the same flags."
            )
        teacher = build_network(s.load(TEACHER), self.backbone, s.scale)
        load_weights(teacher, path)
        s.say(f"teacher: {path}")
        return teacher

    def _report(self, job: Job) -> None:
        scores = json.loads((job.folder / RECORD).read_text(encoding="utf-8"))["validation"]
        sys.stdout.write(
            f"{job.folder.name}: PSNR {scores['psnr_y_start']:.2f} dB at the start, {scores['psnr_y']:.2f} dB at the "
            f"end, bicubic {scores['psnr_y_bicubic']:.2f} dB ({scores['pictures']} validation pictures)\n"
            f"Weights: {job.folder / WEIGHTS}\n"
        )
        self._store(job)

    def _store(self, job: Job) -> None:
        """In the method's folder, where the user asked for that."""
        if self.session.flags.store_weights:
            record = json.loads((job.folder / RECORD).read_text(encoding="utf-8"))
            path = store_weights(job.algorithm, job.folder / WEIGHTS, record)
            sys.stdout.write(f"Stored weights: {path}\n")
