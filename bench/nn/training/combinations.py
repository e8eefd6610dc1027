"""Which trainings one command asks for."""

from __future__ import annotations

from dataclasses import dataclass

from bench.contract.part import WHOLE, Part
from bench.nn.training.run import run_name


@dataclass(frozen=True)
class Training:
    """One network to train."""

    scale: int
    backbone: str
    seed: int
    key: str
    preset: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return run_name(self.key, self.backbone, self.scale, self.preset, self.seed)


@dataclass(frozen=True)
class Grid:
    """Every combination is a training; scales outermost, so that pictures are read once a scale."""

    algos: list[str]
    backbones: list[str]
    scales: list[int]
    seeds: list[int]
    preset: str
    part: Part = WHOLE

    def trainings(self) -> list[Training]:
        """Those of the grid, or of its part. Raises UserError for a ``--cell`` that is none of them."""
        every = [
            Training(scale, backbone, seed, key, self.preset)
            for scale in self.scales
            for backbone in self.backbones
            for seed in self.seeds
            for key in self.algos
        ]
        return self.part.take(every, lambda one: one.name)
