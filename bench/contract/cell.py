"""A square of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.contract.card import Card
from bench.contract.task import factor_of


@dataclass(frozen=True, order=True)
class Cell:
    """One square of the grid: what a track measures in one go, and the identity of its record."""

    track: str
    algo: str
    backbone: str
    level: str
    """How strong the task's degradation is: ``x4`` enlarges four times (see `bench.contract.task.Level`)."""
    case: str
    """Data set or setting within the track, e.g. ``set5`` or ``320x180-t1``. Same alphabet as keys."""
    task: str = "sr"

    @property
    def name(self) -> str:
        return f"{self.algo}.{self.backbone}.{self.level}.{self.case}"

    @property
    def scale(self) -> int:
        """How many times larger than the input the output is; 1 at a level that does not enlarge."""
        return factor_of(self.level)

    def __str__(self) -> str:
        return f"{self.track}/{self.name}"


def combinations(
    cards: Iterable[Card], backbones: Iterable[str], levels: Iterable[str]
) -> Iterator[tuple[Card, str, str]]:
    """Every (card, backbone, level) of a selection; a backbone-free card appears once a level, as ``none``."""
    backbones, levels = list(backbones), list(levels)
    for card in cards:
        for backbone in ["none"] if card.backbone_free else backbones:
            for level in levels:
                yield card, backbone, level
