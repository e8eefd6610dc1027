"""The train track's measurements of one cell: iteration time, memory, sensitivity."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch

from bench.contract import Cell, Context, Outcome
from bench.nn.algorithm import Recipe
from bench.nn.build import build_network
from bench.nn.label import check_label, smooth_image
from bench.nn.subject import Subject
from bench.nn.training.data import SAMPLE, Sampler
from bench.nn.training.plan import Plan
from bench.nn.training.run import make_fabric
from bench.nn.training.step import Stepper
from bench.timing.memory import PeakMemory
from bench.timing.rounds import interleave, timing_flags
from tracks.train.sensitivity import sensitivity
from tracks.train.setting import FULL_PRECISION, Setting, data_of

WARMUPS = 1
MEMORY_STEPS = 2


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
        reference, _ = sensitivity(setting, FULL_PRECISION)
        context.progress("sweep", 0.6)
        runs, teacher = sensitivity(setting, cell.algo)
    pictures, validation = data_of(setting)
    own, full = np.array(times["step_ms"]), np.array(times["fp32_step_ms"])
    scores = np.array([run.psnr for run in runs])
    metrics = {
        "step_ms": float(np.median(own)),
        "image_ms": float(np.median(own)) / step[0],
        "recipe_h": _hours(algorithm.recipe, step, float(np.median(own))),
        "fp32_step_ms": float(np.median(full)),
        "train_speedup": float(np.median(full / own)),
        "peak_memory_mb": memory[cell.algo],
        "fp32_memory_mb": memory[FULL_PRECISION],
        "memory_ratio": memory[cell.algo] / memory[FULL_PRECISION],
        "hyper_sd_db": float(scores.std()),
        "fp32_hyper_sd_db": float(np.std([run.psnr for run in reference])),
        "hyper_mean_db": float(scores.mean()),
        "diverged": float(sum(bool(run.diverged) for run in runs)),
        "taught_nothing": float(sum(not run.taught for run in runs)),
    }
    details = {
        "step": dict(zip(("batch", "lr_patch"), step, strict=True)),
        "sweep": dict(zip(("iterations", "batch", "lr_patch"), sweep, strict=True)),
        "runs": [vars(run) for run in runs],
        "fp32_runs": [vars(run) for run in reference],
        "taught_nothing": [str(run) for run in runs if not run.taught],
        "fp32_taught_nothing": [str(run) for run in reference if not run.taught],
        "bicubic_db": validation.bicubic(),
        "teacher": teacher,
        "data": {"name": pictures.name, "pictures": len(pictures)},
    }
    flags = timing_flags(times["step_ms"])
    if np.mean([run.psnr for run in reference]) < validation.bicubic():
        flags.append("short_sweep")
    samples = {**times, "psnr_y": [run.psnr for run in runs]}
    return Outcome(metrics, samples, flags, details, dataset_sha256=pictures.sha256)


def _hours(recipe: Recipe, step: tuple[int, int], step_ms: float) -> float:
    """Hours of a method's own recipe, training or calibration, by the low-resolution pixels that it goes through."""
    batch, patch = step
    pixels = recipe.iterations * recipe.batch * recipe.lr_patch**2
    return pixels / (batch * patch**2) * step_ms / 3.6e6


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
    sampler = Sampler(data_of(setting)[0], batch, patch, setting.seed)
    return Stepper(make_fabric(setting.device), algorithm, network, plan, sampler, teacher)


@cache
def _memory(setting: Setting, algo: str) -> float:
    """Peak memory of training in MB (1e6 bytes): resident memory of a fresh process, or the GPU's allocator."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_memory_here, setting, algo).result()


def _memory_here(setting: Setting, algo: str) -> float:
    torch.set_num_threads(setting.threads)
    make_fabric(setting.device)
    data_of(setting)
    with PeakMemory() as memory:
        stepper = _timed(setting, algo)
        for iteration in range(MEMORY_STEPS):
            stepper.step(iteration)
    if stepper.fabric.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return memory.growth_mb


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
