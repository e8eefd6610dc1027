"""Training cost: time and memory of an iteration beside full precision, and sensitivity to hyper-parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings, Unsupported, UserError, combinations
from bench.contract.options import Option, Options, count
from bench.pictures.folders import training_pictures

STEP = (8, 24)
"""Patches and side of the input's patch of the timed iteration: those of the training preset ``board``, which a test
compares."""

SWEEPS = {"smoke": (120, 1, 12), "quick": (300, 2, 16), "paper": (2000, 16, 32)}
"""Preset -> (iterations, batch, low-resolution patch) of each run of the sweep."""


class Train:
    name = "train"
    version = 2
    machine_bound = True
    companions = ("fp32",)
    title = "Training cost"
    about = (
        f"A training iteration ({STEP[0]} patches of {STEP[1]}x{STEP[1]}, as on the board) is timed in turn with full "
        "precision's (A B A B), forward, loss, backward and optimizer; each network's memory is measured in a process "
        "of its own. Sensitivity: population standard deviation of the PSNR that eight short runs reach, {Adam 1e-3, "
        "2e-4, 1e-4, SGD 1e-2} x {cosine, step}, the same for every method, on the built-in photographs unless the "
        "option train.data names a folder. A run that diverges counts with bicubic's PSNR. Short runs say how a method "
        "starts, not where it ends; the flag short_sweep marks a budget at which even full precision stays below "
        "bicubic on average, where a small spread may only mean that nothing was learnt. For the same reason the score "
        "gives nothing for the spread of a method whose own mean stays there. Losses, gradients, starts and image "
        "range are those of a board training. Runs that taught nothing (less than 0.1 dB above the untrained network, "
        "or diverged) are counted and named."
    )
    metrics = (
        Metric("step_ms", "ms", "lower", "Iteration", "Median time of one training iteration", 1),
        Metric("image_ms", "ms", "lower", "Per image", "Median time of one iteration over the batch", 2),
        Metric("recipe_h", "h", "lower", "Whole recipe", "Time of the paper's own recipe, by the pixels it sees", 1),
        Metric("fp32_step_ms", "ms", "neither", "FP iteration", "Median of full precision in the same run", 1),
        Metric("train_speedup", "x", "higher", "Training speed", "Median over rounds of FP time / the method's time"),
        Metric("peak_memory_mb", "MB", "lower", "Memory", "Growth of resident memory while training (1e6 bytes)", 0),
        Metric("fp32_memory_mb", "MB", "neither", "FP memory", "The same for full precision", 0),
        Metric("memory_ratio", "x", "lower", "Memory / FP", "The method's memory over full precision's"),
        Metric("hyper_sd_db", "dB", "lower", "Sensitivity", "std of PSNR over the eight runs, diverged at bicubic", 3),
        Metric("fp32_hyper_sd_db", "dB", "neither", "FP sensitivity", "The same for full precision", 3),
        Metric("hyper_mean_db", "dB", "higher", "Mean PSNR", "Mean over the eight runs, diverged at bicubic"),
        Metric("diverged", "", "lower", "Diverged", "Runs of eight that diverged", 0),
        Metric(
            "taught_nothing", "", "lower", "Taught nothing", "Runs of eight that end less than 0.1 dB up or diverge", 0
        ),
    )
    options: ClassVar[dict[str, Option]] = {
        "iterations": Option("iterations of each run of the sweep", count, None),
        "batch": Option("patches an iteration of the sweep", count, None),
        "patch": Option("low-resolution patch side of the sweep, pixels", count, None),
        "data": Option("folder of training pictures; default: the built-in photographs", str, "sample"),
    }

    def extras(self, settings: Settings) -> tuple[str, ...]:
        return ("train",)

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        """One a network. The case names the sweep's budget and the threads."""
        iterations, batch, patch = self._sweep(settings)
        case = f"{iterations}x{batch}x{patch}-t{settings.threads}"
        grid = combinations(cards, backbones, levels)
        return [Cell(self.name, c.key, backbone, level, case, settings.task) for c, backbone, level in grid]

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, object]:
        return {
            "seed": settings.seed,
            "threads": settings.threads,
            "device": settings.device,
            "repeats": settings.repeats,
            "step": list(STEP),
            "sweep": list(self._sweep(settings)),
            "data": _listing(Options(self, settings)["data"]),
        }

    def again(self, cell: Cell, made: Mapping[str, Any], flags: Sequence[str]) -> list[str]:
        sweep = dict(zip(("iterations", "batch", "patch"), made.get("sweep") or (), strict=False))
        if made.get("data", "sample") != "sample":
            sweep["data"] = "DIR"
        return [word for name, value in sweep.items() for word in ("--set", f"train.{name}={value}")]

    def run(self, cell: Cell, context: Context) -> Outcome:
        if context.cards[cell.algo].backbone_free:
            raise Unsupported(f"{context.cards[cell.algo].name} has no parameters: there is nothing to train")
        from tracks.train.measure import measure

        return measure(cell, context, STEP, self._sweep(context.settings))

    def _sweep(self, settings: Settings) -> tuple[int, int, int]:
        preset = SWEEPS.get(settings.preset, SWEEPS["quick"])
        options = Options(self, settings)
        iterations, batch, patch = (
            options[name] or usual for name, usual in zip(("iterations", "batch", "patch"), preset, strict=True)
        )
        return iterations, batch, patch


def _listing(data: str) -> str:
    """``sample``, or a hash of the folder's file names and sizes. Raises UserError when there is no such folder."""
    if data == "sample":
        return data
    folder = Path(data)
    if not folder.is_dir():
        raise UserError(f"train.data={data}: no such folder. Give a folder of pictures, or leave the option out.")
    files = training_pictures(folder, lambda text: None)
    names = (f"{file.relative_to(folder).as_posix()}:{file.stat().st_size}" for file in files)
    return hashlib.sha256("|".join(names).encode()).hexdigest()


TRACK = Train()
