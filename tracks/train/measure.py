"""The train track's measurements of one cell: iteration time, memory, sensitivity."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import nn

from bench.contract import Cell, Context, Outcome, factor_of
from bench.nn.algorithm import Algorithm
from bench.nn.build import build_network, load_weights
from bench.nn.label import check_label, smooth_image
from bench.nn.subject import Subject
from bench.nn.training.data import SAMPLE, Pictures, Sampler, load_pictures, to_pairs
from bench.nn.training.plan import Plan
from bench.nn.training.run import make_fabric
from bench.nn.training.step import Diverged, Stepper
from bench.nn.training.validate import Validation
from bench.nn.weights import label_of, stored_weights
from bench.plan.discover import Loader
from bench.timing.memory import PeakMemory
from bench.timing.rounds import interleave, timing_flags

FULL_PRECISION = "fp32"
RATES = (("adam", 1e-3), ("adam", 2e-4), ("adam", 1e-4), ("sgd", 1e-2))
SCHEDULES = ("cosine", "step")
FALL = 3.0
"""A run that ends so many dB below its start has diverged, though its numbers stayed finite."""
WARMUPS = 1
MEMORY_STEPS = 2


@dataclass(frozen=True)
class Setting:
    """What the measurements of a cell and those of full precision share. Hashable, so results can be remembered."""

    adapters: tuple[tuple[str, str], ...]
    """(algorithm key, ``module:Class``)"""
    backbone: str
    level: str
    seed: int
    device: str
    threads: int
    data: str
    step: tuple[int, int]
    """(batch, low-resolution patch) of the timed iteration"""
    sweep: tuple[int, int, int]
    """(iterations, batch, low-resolution patch) of each short run"""

    @property
    def scale(self) -> int:
        return factor_of(self.level)

    def load(self, algo: str) -> Algorithm:
        return Loader(dict(self.adapters))(algo)


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


def measure(cell: Cell, context: Context, step: tuple[int, int], sweep: tuple[int, int, int]) -> Outcome:
    """Everything the track says of one network. Raises Unsupported, UserError."""
    s = context.settings
    data = str(s.extra.get("train.data", SAMPLE))
    adapters = tuple(context.load_algorithm.adapters.items())
    setting = Setting(adapters, cell.backbone, cell.level, s.seed, s.device, s.threads, data, step, sweep)
    algorithm = setting.load(cell.algo)
    with _threads(s.threads):
        check_label(algorithm.card, Subject(algorithm, cell.backbone, cell.scale).network, smooth_image())
        context.progress("iteration time", 0.0)
        times = _times(setting, cell.algo, s.repeats)
        context.progress("memory", 0.2)
        memory = {name: _memory(setting, name) for name in dict.fromkeys((cell.algo, FULL_PRECISION))}
        context.progress("sweep of full precision", 0.3)
        reference, _ = _sensitivity(setting, FULL_PRECISION)
        context.progress("sweep", 0.6)
        runs, teacher = _sensitivity(setting, cell.algo)
    pictures, validation = _data(setting)
    own, full = np.array(times["step_ms"]), np.array(times["fp32_step_ms"])
    scores = np.array([run.psnr for run in runs])
    metrics = {
        "step_ms": float(np.median(own)),
        "image_ms": float(np.median(own)) / step[0],
        "fp32_step_ms": float(np.median(full)),
        "train_speedup": float(np.median(full / own)),
        "peak_memory_mb": memory[cell.algo],
        "fp32_memory_mb": memory[FULL_PRECISION],
        "memory_ratio": memory[cell.algo] / memory[FULL_PRECISION],
        "hyper_sd_db": float(scores.std()),
        "fp32_hyper_sd_db": float(np.std([run.psnr for run in reference])),
        "hyper_mean_db": float(scores.mean()),
        "diverged": float(sum(bool(run.diverged) for run in runs)),
    }
    details = {
        "step": dict(zip(("batch", "lr_patch"), step, strict=True)),
        "sweep": dict(zip(("iterations", "batch", "lr_patch"), sweep, strict=True)),
        "runs": [vars(run) for run in runs],
        "fp32_runs": [vars(run) for run in reference],
        "bicubic_db": validation.bicubic(),
        "teacher": teacher,
        "data": {"name": pictures.name, "pictures": len(pictures)},
    }
    flags = timing_flags(times["step_ms"])
    if np.mean([run.psnr for run in reference]) < validation.bicubic():
        flags.append("short_sweep")
    samples = {**times, "psnr_y": [run.psnr for run in runs]}
    return Outcome(metrics, samples, flags, details, dataset_sha256=pictures.sha256)


def _times(setting: Setting, algo: str, repeats: int) -> dict[str, list[float]]:
    """Samples in ms of the method's and of full precision's iteration, in turn."""
    steppers = {"step_ms": _timed(setting, algo), "fp32_step_ms": _timed(setting, FULL_PRECISION)}
    runs = {name: (lambda stepper=stepper: _stepped(stepper)) for name, stepper in steppers.items()}
    samples, _ = interleave(runs, WARMUPS, repeats, lambda *_: None)
    return samples


def _stepped(stepper: Stepper) -> None:
    stepper.step(0)
    if stepper.fabric.device.type == "cuda":
        torch.cuda.synchronize()


def _timed(setting: Setting, algo: str) -> Stepper:
    """A network ready to train at the timed size; a teacher's weights do not change how long it takes."""
    batch, patch = setting.step
    plan = Plan(iterations=1000, batch=batch, lr_patch=patch, learning_rate=1e-4, seed=setting.seed)
    algorithm = setting.load(algo)
    network = build_network(algorithm, setting.backbone, setting.scale, setting.seed)
    teacher = None
    if algorithm.needs_teacher:
        teacher = build_network(setting.load(FULL_PRECISION), setting.backbone, setting.scale, setting.seed)
    sampler = Sampler(_data(setting)[0], batch, patch, setting.seed)
    return Stepper(make_fabric(setting.device), algorithm, network, plan, sampler, teacher)


@cache
def _memory(setting: Setting, algo: str) -> float:
    """Peak memory of training in MB (1e6 bytes): resident memory of a fresh process, or the GPU's allocator."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_memory_here, setting, algo).result()


def _memory_here(setting: Setting, algo: str) -> float:
    torch.set_num_threads(setting.threads)
    make_fabric(setting.device)
    _data(setting)
    with PeakMemory() as memory:
        stepper = _timed(setting, algo)
        for iteration in range(MEMORY_STEPS):
            stepper.step(iteration)
    if stepper.fabric.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return memory.growth_mb


@cache
def _sensitivity(setting: Setting, algo: str) -> tuple[list[Run], str | None]:
    """The eight runs of the sweep, and where the teacher came from when the method needs one."""
    teacher, origin = None, None
    if setting.load(algo).needs_teacher:
        teacher, origin = _teacher(setting)
    validation = _data(setting)[1]
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
            runs.append(Run(optimizer, rate, schedule, psnr, diverged))
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
    sampler = Sampler(_data(setting)[0], plan.batch, plan.lr_patch, setting.seed)
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


@cache
def _read(data: str, scale: int) -> tuple[Pictures, Validation]:
    pictures = load_pictures(data, scale)
    sample = load_pictures(SAMPLE, scale)
    rest, last = sample.split(1)
    return (rest if data == SAMPLE else pictures), Validation(to_pairs(last, 240), scale)


def _data(setting: Setting) -> tuple[Pictures, Validation]:
    """Training pictures, and the last built-in photograph to score on (never trained on)."""
    return _read(setting.data, setting.scale)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
