"""What a run does in numbers: a recipe, shortened by a preset in proportion and never changed in kind."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from bench.contract import UserError
from bench.nn.algorithm import Recipe


@dataclass(frozen=True)
class Plan:
    """Everything that decides the weights besides method, network, pictures and thread count. All fields are JSON."""

    iterations: int
    batch: int
    lr_patch: int
    """Low-resolution patch side, pixels"""
    learning_rate: float
    halve_at: tuple[int, ...] = ()
    """Iterations after which the learning rate is halved (schedule ``step``)"""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam; the first is the momentum of SGD"""
    optimizer: Literal["adam", "sgd"] = "adam"
    schedule: Literal["step", "cosine"] = "step"
    seed: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: the network runs under autocast; weights, optimizer and loss stay float32"""

    @property
    def budget(self) -> str:
        """Short name of what was spent: iterations x batch x low-resolution patch."""
        return f"{self.iterations}x{self.batch}x{self.lr_patch}"

    def rate(self, iteration: int) -> float:
        """Factor on the learning rate of ``iteration`` (from 0). A function of it alone, so nothing has to be saved."""
        if self.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * iteration / self.iterations))
        return 0.5 ** sum(iteration >= at for at in self.halve_at)


@dataclass(frozen=True)
class Budget:
    """What a preset puts in the place of a recipe's size."""

    iterations: int
    batch: int
    lr_patch: dict[int, int]
    """Scale -> low-resolution patch side"""
    equal: bool = False
    """One optimizer and schedule for every method, Adam and a cosine to zero, and a learning rate that is found by a
    sweep (`bench.nn.training.sweep`) instead of the paper's, which belongs to the paper's budget"""


PRESETS: dict[str, Budget | None] = {
    "paper": None,
    "board": Budget(1_000, 8, {2: 24, 3: 24, 4: 24}, equal=True),
    "quick": Budget(500, 8, {2: 24, 3: 24, 4: 24}),
    "smoke": Budget(300, 4, {2: 16, 3: 14, 4: 12}),
}
"""The names of a run's presets. ``paper`` is the recipe itself. The others spend the same on every method."""


def is_equal(preset: str) -> bool:
    """Whether a preset trains every method by one recipe, with a learning rate that has to be found first."""
    budget = PRESETS[preset]
    return budget is not None and budget.equal


def make_plan(recipe: Recipe, preset: str, scale: int, **changes: object) -> Plan:
    """The plan of a preset. ``changes`` overrides fields of `Plan` (None: no change); the schedule stays in proportion.

    Raises UserError for an unknown preset or a size below 1.
    """
    if preset not in PRESETS:
        raise UserError(f"unknown training preset {preset!r}. Known: {', '.join(PRESETS)}.")
    changes = {name: value for name, value in changes.items() if value is not None}
    budget = PRESETS[preset] or Budget(recipe.iterations, recipe.batch, {})
    iterations = changes.pop("iterations", budget.iterations)
    plan = Plan(
        iterations=iterations,
        batch=budget.batch,
        lr_patch=budget.lr_patch.get(scale, recipe.lr_patch),
        learning_rate=recipe.learning_rate,
        halve_at=tuple(at * iterations // recipe.iterations for at in recipe.halve_at),
        betas=recipe.betas,
    )
    if budget.equal:
        plan = replace(plan, halve_at=(), schedule="cosine")
    if budget.equal and not recipe.calibration:
        plan = replace(plan, betas=Plan.betas)
    plan = replace(plan, **changes)
    for name in ("iterations", "batch", "lr_patch"):
        if getattr(plan, name) < 1:
            raise UserError(f"{name} is {getattr(plan, name)}, expected at least 1.")
    return plan
