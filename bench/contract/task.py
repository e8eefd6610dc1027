"""What is restored: a task, and how strong its degradation is. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_LEVEL = re.compile(r"[a-z]+\d+")
_ENLARGES = re.compile(r"x([1-9]\d*)")


@dataclass(frozen=True)
class Level:
    """A strength of a task's degradation, e.g. ``x4``, ``s25`` (noise of deviation 25), ``q10`` (JPEG quality 10).

    A key belongs to one task alone, since records of all tasks share their folders. ``x`` and a number is kept for
    enlarging: the network's output is that many times larger than its input.
    """

    key: str
    title: str
    """As printed in tables."""

    def __post_init__(self) -> None:
        if not _LEVEL.fullmatch(self.key):
            raise ValueError(f"level {self.key!r}: expected lower-case letters and a whole number, e.g. x4 or s25")


def factor_of(level: str) -> int:
    """How many times larger than the input the output is: 4 at ``x4``, 1 at a level that does not enlarge."""
    match = _ENLARGES.fullmatch(level)
    return int(match[1]) if match else 1


class EvaluationProtocol(Protocol):
    """How two pictures become a score: named, hashed, printed under every table."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def describe(self) -> str: ...

    def quantize(self, output: Any) -> Any:
        """Network output (H, W, 3), 1.0 as white -> uint8. Raises ValueError on NaN and infinity."""


class Scorer(Protocol):
    """A ground-truth picture prepared once for many comparisons."""

    def score(self, picture: Any) -> Any:
        """PSNR (``psnr_y``, dB) and SSIM (``ssim_y``) of (H, W, 3) uint8 RGB."""

    def psnr(self, picture: Any) -> float:
        """PSNR alone, in dB."""


class Task(Protocol):
    """What is restored. A task is a package ``bench/tasks/<key>`` with an instance named TASK.

    Pictures are (H, W, 3) uint8 RGB. Importing the package must not import torch.
    """

    key: str
    title: str
    levels: tuple[Level, ...]
    usual: tuple[str, ...]
    """Keys of the levels that are measured when none is named"""
    protocol: EvaluationProtocol

    def open_set(self, name: str, level: str, root: Path | None) -> Any:
        """A test set as a sequence of `bench.pictures.pair.Pair`. Raises `UserError` when it is not there."""

    def fit(self, truth: Any, level: str) -> Any:
        """The part of a ground truth that the level can use, e.g. cut to a multiple of its factor."""

    def make_input(self, truth: Any, level: str) -> Any:
        """The degraded input of a ground truth that `fit` has cut. The same for the same picture, at all times."""

    def nothing(self, given: Any, level: str) -> Any:
        """What the input is worth without any network, at the output's size: interpolated, or the input itself."""

    def scorer(self, truth: Any, level: str) -> Scorer:
        """Raises `UserError` for a picture that is too small to be scored."""
