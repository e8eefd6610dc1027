"""What the measurements of a train cell share: which network, and on which pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bench.contract import factor_of
from bench.nn.algorithm import Algorithm
from bench.nn.training.data import SAMPLE, Pictures, load_pictures, to_pairs
from bench.nn.training.validate import Validation
from bench.plan.discover import Loader

FULL_PRECISION = "fp32"


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


@cache
def _read(data: str, scale: int) -> tuple[Pictures, Validation]:
    pictures = load_pictures(data, scale)
    sample = load_pictures(SAMPLE, scale)
    rest, last = sample.split(1)
    return (rest if data == SAMPLE else pictures), Validation(to_pairs(last, 240), scale)


def data_of(setting: Setting) -> tuple[Pictures, Validation]:
    """Training pictures, and the last built-in photograph to score on (never trained on)."""
    return _read(setting.data, setting.scale)
