"""Eight short runs of one network: how much the hyper-parameters decide, and which of them taught it nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import nn

from bench.nn.build import build_network, load_weights
from bench.nn.training.data import Sampler
from bench.nn.training.plan import Plan
from bench.nn.training.run import make_fabric
from bench.nn.training.step import Diverged, Stepper
from bench.nn.training.sweep import LEARNT_DB
from bench.nn.weights import label_of, stored_weights
from tracks.train.setting import FULL_PRECISION, Setting, data_of

RATES = (("adam", 1e-3), ("adam", 2e-4), ("adam", 1e-4), ("sgd", 1e-2))
SCHEDULES = ("cosine", "step")
FALL = 3.0
"""A run that ends so many dB below its start has diverged, though its numbers stayed finite."""


@dataclass(frozen=True)
class Run:
    """One run of the sweep."""

    optimizer: str
    learning_rate: float
    schedule: str
    psnr: float
    """dB, as counted: bicubic's when diverged"""
    diverged: str
    """Why it counts as diverged; empty when it does not"""
    taught: bool
    """Whether the network ended at least `LEARNT_DB` above its start"""

    def __str__(self) -> str:
        return f"{self.optimizer} {self.learning_rate:g} {self.schedule}"


@cache
def sensitivity(setting: Setting, algo: str) -> tuple[list[Run], str | None]:
    """The eight runs of the sweep, and where the teacher came from when the method needs one."""
    teacher, origin = None, None
    if setting.load(algo).needs_teacher:
        teacher, origin = _teacher(setting)
    validation = data_of(setting)[1]
    bicubic = validation.bicubic()
    start = validation.psnr(build_network(setting.load(algo), setting.backbone, setting.scale, setting.seed))
    runs = []
    for optimizer, rate in RATES:
        for schedule in SCHEDULES:
            plan = replace(_plan(setting), optimizer=optimizer, learning_rate=rate, schedule=schedule)
            network, diverged = _train(setting, algo, plan, teacher)
            psnr = bicubic if diverged else validation.psnr(network)
            if not psnr >= start - FALL:
                psnr, diverged = bicubic, f"ended {start - psnr:.1f} dB below its start"
            taught = not diverged and psnr >= start + LEARNT_DB
            runs.append(Run(optimizer, rate, schedule, psnr, diverged, taught))
    return runs, origin


def _plan(setting: Setting) -> Plan:
    iterations, batch, patch = setting.sweep
    halve_at = (iterations // 2, iterations * 3 // 4)
    return Plan(iterations, batch, patch, learning_rate=2e-4, halve_at=halve_at, seed=setting.seed)


def _train(setting: Setting, algo: str, plan: Plan, teacher: nn.Module | None) -> tuple[nn.Module, str]:
    """One short run: the network, and where it stopped being finite (empty when it did not)."""
    algorithm = setting.load(algo)
    network = build_network(algorithm, setting.backbone, setting.scale, setting.seed)
    torch.manual_seed(setting.seed)
    sampler = Sampler(data_of(setting)[0], plan.batch, plan.lr_patch, setting.seed)
    stepper = Stepper(make_fabric(setting.device), algorithm, network, plan, sampler, teacher)
    try:
        for iteration in range(plan.iterations):
            stepper.step(iteration)
    except Diverged as error:
        return network, f"not finite in iteration {error.iteration}: {error.where}"
    return network, ""


@cache
def _teacher(setting: Setting) -> tuple[nn.Module, str]:
    """Full precision: the reference weights, else trained here on the sweep's own budget."""
    algorithm = setting.load(FULL_PRECISION)
    path = stored_weights(algorithm.card, setting.backbone, setting.level)
    if path is None:
        network, _ = _train(setting, FULL_PRECISION, _plan(setting), None)
        return network, "trained here on the sweep's budget"
    network = build_network(algorithm, setting.backbone, setting.scale, setting.seed)
    load_weights(network, path)
    return network, label_of(path)
