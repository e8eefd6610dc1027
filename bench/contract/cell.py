"""A square of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.contract.card import Card


@dataclass(frozen=True, order=True)
class Cell:
    """One square of the grid: what a track measures in one go, and the identity of its record."""

    track: str
    algo: str
    backbone: str
    scale: int
    case: str
    """Data set or setting within the track, e.g. ``set5`` or ``320x180-t1``. Same alphabet as keys."""

    @property
    def name(self) -> str:
        return f"{self.algo}.{self.backbone}.x{self.scale}.{self.case}"

    def __str__(self) -> str:
        return f"{self.track}/{self.name}"


def combinations(
    cards: Iterable[Card], backbones: Iterable[str], scales: Iterable[int]
) -> Iterator[tuple[Card, str, int]]:
    """Every (card, backbone, scale) of a selection; a backbone-free card appears once a scale, as ``none``."""
    backbones, scales = list(backbones), list(scales)
    for card in cards:
        for backbone in ["none"] if card.backbone_free else backbones:
            for scale in scales:
                yield card, backbone, scale
