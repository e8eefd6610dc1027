"""``run_bench.py train``: flags to training runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.app.train_flags import training_parser
from bench.contract import UserError
from bench.contract.extras import require
from bench.plan.cells import pick, pick_algorithms, pick_scales
from bench.plan.discover import Registry, discover

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import nn

    from bench.nn.training.data import Pictures
    from bench.nn.training.run import Job

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "results" / "local" / "train"
TEACHER = "fp32"
VALIDATION_SIDE = 240
"""Validation pictures are cut to this many high-resolution pixels a side."""


def main(argv: Sequence[str]) -> int:
    """Train every selected algorithm, one after another; the exit code. Raises UserError."""
    flags = training_parser().parse_args(argv)
    require({"training": ("train",)})
    registry, keys = pick_algorithms(flags.algos, discover())
    (backbone,) = _one(pick("backbone", flags.backbone, list(registry.backbones)), "--backbone")
    (scale,) = _one(pick_scales(flags.scale, registry, [4]), "--scale")
    for name in ("data", "validate"):
        source = getattr(flags, name)
        if source != "sample" and source is not None and not Path(source).is_dir():
            raise UserError(f"--{name} {source}: no such folder. Give a folder of pictures, or sample.")

    import torch

    from bench.nn.training.run import make_fabric

    torch.set_num_threads(flags.threads)
    precision = _precision(flags.precision, flags.device)
    fabric = make_fabric(flags.device, flags.devices, precision)
    session = _Session(flags, registry, backbone, scale, precision, fabric)
    for key in keys:
        if not session.train(key):
            sys.stderr.write("stopped after a checkpoint. The same command with --resume goes on from here.\n")
            return 130
    return 0


class _Session:
    """What the runs of one command share: device, pictures, output folder."""

    def __init__(
        self, flags: argparse.Namespace, registry: Registry, backbone: str, scale: int, precision: str, fabric: Fabric
    ) -> None:
        from bench.nn.training.data import SAMPLE, load_pictures, to_pairs
        from bench.nn.training.validate import Validation

        self.flags, self.registry, self.fabric = flags, registry, fabric
        self.backbone, self.scale, self.precision = backbone, scale, precision
        self.root = (flags.out or RUNS).expanduser().resolve()
        pictures = load_pictures(flags.data, scale, workers=flags.threads, note=self._say)
        if flags.validate is not None:
            held = load_pictures(flags.validate, scale, workers=flags.threads, note=self._say)
        elif flags.data == SAMPLE:
            pictures, held = pictures.split(1)
        else:
            held = load_pictures(SAMPLE, scale)
        self.pictures: Pictures = pictures
        self.validation = Validation(to_pairs(held, VALIDATION_SIDE), scale)

    def train(self, key: str) -> bool:
        """One run; False when it was stopped. A run that is already complete is left alone with --resume."""
        from bench.nn.training.console import Console, Silent
        from bench.nn.training.run import RECORD, train

        job = self._job(key)
        name = job.folder.name
        if self.flags.resume and (job.folder / RECORD).is_file():
            self._say(f"{name}: complete already")
            self._keep(job)
            return True
        plan = job.plan
        self._say(
            f"{name}: {plan.iterations} iterations of {plan.batch} patches of {plan.lr_patch}x{plan.lr_patch} low-"
            f"resolution pixels, from {len(self.pictures)} pictures; {plan.precision} on {self.fabric.device.type}, "
            f"in {job.folder}"
        )
        log = job.folder / "tensorboard" if self.flags.tensorboard else None
        zero = self.fabric.is_global_zero
        listener = Console(plan.iterations, plan.batch, log=log) if zero else Silent()
        try:
            complete = train(job, self.fabric, self.pictures, self.validation, listener)
        finally:
            listener.close()
        if complete and zero:
            self._report(job, key)
        return complete

    def _job(self, key: str) -> Job:
        from bench.nn.training.plan import make_plan
        from bench.nn.training.run import Job, run_name

        flags = self.flags
        algorithm = self.registry.loader(key)
        preset = flags.preset or ("smoke" if flags.data == "sample" else "reference")
        plan = make_plan(
            algorithm.recipe,
            preset,
            self.scale,
            iterations=flags.iterations,
            batch=flags.batch,
            lr_patch=flags.patch,
            learning_rate=flags.learning_rate,
            seed=flags.seed,
            precision=self.precision,
        )
        return Job(
            algorithm=algorithm,
            backbone=self.backbone,
            scale=self.scale,
            preset=preset,
            plan=plan,
            folder=self.root / run_name(key, self.backbone, self.scale, preset, flags.seed),
            teacher=self._teacher(preset) if algorithm.needs_teacher else None,
            resume=flags.resume,
            validate_every=flags.validate_every,
            checkpoint_every=flags.checkpoint_every,
        )

    def _teacher(self, preset: str) -> nn.Module:
        """The full-precision network: --teacher, else a finished run beside this one, else the reference weights."""
        from bench.nn.build import build_network, load_weights
        from bench.nn.training.run import WEIGHTS, run_name
        from bench.nn.weights import reference_weights

        beside = self.root / run_name(TEACHER, self.backbone, self.scale, preset, self.flags.seed) / WEIGHTS
        card = self.registry.cards[TEACHER]
        path = self.flags.teacher or (beside if beside.is_file() else None)
        path = path or reference_weights(card, self.backbone, self.scale)
        if path is None:
            raise UserError(
                "this method learns from a trained full-precision network of the same backbone, and there is none. "
                f"Name one with --teacher FILE, or train it first: --algos {TEACHER},... with the same flags."
            )
        teacher = build_network(self.registry.loader(TEACHER), self.backbone, self.scale)
        load_weights(teacher, path)
        self._say(f"teacher: {path}")
        return teacher

    def _report(self, job: Job, key: str) -> None:
        from bench.nn.training.run import RECORD, WEIGHTS

        scores = json.loads((job.folder / RECORD).read_text(encoding="utf-8"))["validation"]
        sys.stdout.write(
            f"{job.folder.name}: PSNR {scores['psnr_y_start']:.2f} dB at the start, {scores['psnr_y']:.2f} dB at the "
            f"end, bicubic {scores['psnr_y_bicubic']:.2f} dB ({scores['pictures']} validation pictures)\n"
            f"Weights: {job.folder / WEIGHTS}\n"
        )
        self._keep(job)

    def _keep(self, job: Job) -> None:
        """As reference weights, where the user asked for that."""
        from bench.nn.training.run import RECORD, WEIGHTS
        from bench.nn.weights import keep_as_reference

        if self.flags.store_reference:
            record = json.loads((job.folder / RECORD).read_text(encoding="utf-8"))
            path = keep_as_reference(job.algorithm, job.folder / WEIGHTS, record)
            sys.stdout.write(f"Reference weights: {path}\n")

    def _say(self, text: str) -> None:
        if self.fabric.is_global_zero:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def _one(values: list, flag: str) -> list:
    if len(values) != 1:
        raise UserError(f"{flag}: a training has one, got {', '.join(map(str, values))}.")
    return values


def _precision(wanted: str, device: str) -> str:
    """``auto`` is bf16 on a GPU; on a CPU fp32, which is exact from run to run."""
    import torch

    if wanted != "auto":
        return wanted
    return "bf16" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "fp32"
