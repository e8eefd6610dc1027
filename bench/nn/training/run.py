"""A training run from start to finish: its pieces put together, its result written down."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from safetensors.torch import save
from torch import nn

from bench.contract import UserError
from bench.contract import weight_labels as labels
from bench.nn.algorithm import Algorithm
from bench.nn.build import build_network, hash_tensors
from bench.nn.training import checkpoint
from bench.nn.training.checkpoint import RECORD, WEIGHTS
from bench.nn.training.data import Pictures, Sampler
from bench.nn.training.folder import held
from bench.nn.training.loop import Listener, Trainer
from bench.nn.training.plan import Plan
from bench.nn.training.step import Stepper
from bench.nn.training.validate import Validation
from bench.records.machine import ROOT, git_state, versions

VALIDATIONS = 10
"""Validations over a run, unless told otherwise; as many checkpoints."""


@dataclass(frozen=True)
class Job:
    """One training: what, on what, where to."""

    algorithm: Algorithm
    backbone: str
    scale: int
    preset: str
    plan: Plan
    folder: Path
    teacher: nn.Module | None = None
    """The trained full-precision network of the same backbone, where the method needs it"""
    resume: bool = False
    """Go on from the newest checkpoint. A folder that holds none starts from the beginning"""
    validate_every: int | None = None
    checkpoint_every: int | None = None
    deadline: float = math.inf
    """Time (of `time.monotonic`) at which to stop after a checkpoint, as a signal would"""
    trials: tuple[Trial, ...] = ()
    """The sweep that found the learning rate, where there was one"""


@dataclass(frozen=True)
class Trial:
    """One learning rate of a sweep."""

    learning_rate: float
    psnr_y: float | None
    """dB on the held-out pictures at the end of the trial; None when it diverged"""
    diverged: str = ""
    """Why it has no PSNR"""
    iterations: int = 0
    """Length of the trial"""
    start_psnr_y: float | None = None
    """dB on the same pictures of the untrained network"""

    def __str__(self) -> str:
        score = "diverged" if self.psnr_y is None else f"{self.psnr_y:.2f} dB"
        return f"{self.learning_rate:g} {score} after {self.iterations}"


def make_fabric(device: str = "cpu", devices: int = 1, precision: str = "fp32", processes: str = "own") -> Fabric:
    """Fabric on one CPU process, one or several GPUs (DDP). ``device``: cpu, cuda or auto.

    ``processes``: who starts those of several devices, this program (``own``) or ``srun``. Left to itself, Lightning
    takes the variables of any Slurm job for a sign that srun did. What torchrun started, it knows by itself.

    Raises UserError when the device is not there.
    """
    for name in ("lightning.fabric", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and torch.cuda.device_count() < devices:
        raise UserError(f"{devices} GPU(s) wanted, {torch.cuda.device_count()} found. Use --device cpu or fewer.")
    fabric = Fabric(
        accelerator=device,
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        plugins=_environment(processes),
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )
    fabric.launch()
    return fabric


def _environment(processes: str) -> list[ClusterEnvironment]:
    if processes == "srun":
        return [SLURMEnvironment()]
    return [] if TorchElasticEnvironment.detect() else [LightningEnvironment()]


def train(job: Job, fabric: Fabric, pictures: Pictures, validation: Validation, listener: Listener) -> bool:
    """Run a job to its end and write ``weights.safetensors`` and ``record.json`` into its folder; False when stopped.

    Raises Unsupported when the method does not fit the backbone; UserError for a folder in use by another run, a
    missing teacher, a disk that refuses; Diverged.
    """
    with held(job.folder, fabric):
        return _train(job, fabric, pictures, validation, listener)


def _train(job: Job, fabric: Fabric, pictures: Pictures, validation: Validation, listener: Listener) -> bool:
    plan, algorithm = job.plan, job.algorithm
    commit, dirty = git_state(ROOT)  # now: the checkout may move on while this process runs what it has loaded
    if not job.resume and checkpoint.saved(job.folder):
        raise UserError(
            f"{job.folder} holds a training already. Continue it with --resume, or choose another folder with --out."
        )
    network = build_network(algorithm, job.backbone, job.scale, plan.seed)
    if not any(True for _ in network.parameters()):
        raise UserError(f"{algorithm.card.name} has no parameters, so there is nothing to train. Leave it out.")
    if algorithm.needs_teacher and job.teacher is None:
        raise UserError(f"{algorithm.card.name} learns from a full-precision network; none was given. See --teacher.")
    teacher = job.teacher if algorithm.needs_teacher else None
    if teacher is not None and algorithm.recipe.from_teacher:
        listener.note(f"{algorithm.take_over(network, teacher)} tensors taken over from the teacher")
    if fabric.device.type == "cuda" or plan.precision == "bf16":
        network = network.to(memory_format=torch.channels_last)
    torch.manual_seed(plan.seed)
    sampler = Sampler(pictures, plan.batch, plan.lr_patch, plan.seed)
    description = {
        "algorithm": algorithm.card.key,
        "backbone": job.backbone,
        "scale": job.scale,
        "plan": _plain(asdict(plan)),
        "data_sha256": pictures.sha256,
        "teacher_sha256": None if teacher is None else hash_tensors(teacher.state_dict()),
    }
    every = max(1, plan.iterations // VALIDATIONS)
    trainer = Trainer(
        Stepper(fabric, algorithm, network, plan, sampler, teacher),
        validation,
        job.folder,
        description,
        listener,
        validate_every=job.validate_every or every,
        checkpoint_every=job.checkpoint_every or every,
        deadline=job.deadline,
    )
    if job.resume and checkpoint.saved(job.folder):
        trainer.resume()
    complete = trainer.run()
    if complete and fabric.is_global_zero:
        made = {**description, "commit": commit, "dirty": dirty}
        _write_result(job, trainer, pictures, validation, fabric, made)
    return complete


def _write_result(
    job: Job,
    trainer: Trainer,
    pictures: Pictures,
    validation: Validation,
    fabric: Fabric,
    made: Mapping[str, Any],
) -> None:
    state = {name: value.detach().cpu().contiguous() for name, value in trainer.stepper.raw.state_dict().items()}
    content = save(state)
    record = {
        "schema": 1,
        **made,
        "data": {"name": pictures.name, "pictures": len(pictures)},
        "preset": job.preset,
        "training": _training(job),
        "budget": job.plan.budget,
        "recipe": _plain(asdict(job.algorithm.recipe)),
        "start": _start(job.algorithm, trainer.stepper.raw),
        "sweep": [asdict(trial) for trial in job.trials],
        "weights_sha256": hash_tensors(state),
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "validation": {
            "pictures": len(validation.pairs),
            "psnr_y_bicubic": validation.bicubic(),
            "psnr_y_start": trainer.curves.psnr[0][1],
            "psnr_y": trainer.curves.psnr[-1][1],
        },
        "curves": {"loss": trainer.curves.loss, "psnr_y": trainer.curves.psnr},
        "seconds": round(trainer.curves.seconds, 1),
        "threads": torch.get_num_threads(),
        "device": str(fabric.device.type),
        "processes": fabric.world_size,
        "packages": versions(),
    }
    checkpoint.write_whole(job.folder / WEIGHTS, content)
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    checkpoint.write_whole(job.folder / RECORD, text.encode())


def _training(job: Job) -> str:
    """What the label of the weights says of how they were made (`bench.contract.weight_labels`)."""
    if job.preset != labels.BOARD:
        return labels.REFERENCE
    return labels.PRINTED if job.algorithm.card.printed_of else labels.BOARD


def _start(algorithm: Algorithm, network: nn.Module) -> dict[str, Any]:
    """What a reader must know of where a training began, besides the seed."""
    latents = {place: algorithm.start_at(place) or "own" for place in sorted(algorithm.scope)}
    return {"latents": latents, "image_range": getattr(network, "image_range", 1.0)}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """The value as JSON would give it back (tuples become lists), so that it compares equal after a round trip."""
    return json.loads(json.dumps(value))


def run_name(key: str, backbone: str, scale: int, preset: str, seed: int) -> str:
    """Folder name of a run."""
    return f"{key}.{backbone}.x{scale}.{preset}-s{seed}"
