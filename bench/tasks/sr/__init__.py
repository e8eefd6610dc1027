"""Super-resolution: enlarge a picture that was made smaller by MATLAB's bicubic rule."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Level, factor_of
from bench.pictures.metrics import Reference
from bench.pictures.protocol import SR_Y_V1, mod_crop
from bench.pictures.resize import resize
from bench.pictures.sets import Pairs
from bench.tasks.sr.datasets import open_set


class SuperResolution:
    """See `bench.contract.Task`."""

    key = "sr"
    title = "Super-resolution"
    levels = tuple(Level(f"x{factor}", f"x{factor}") for factor in range(2, 9))
    usual = ("x2",)
    protocol = SR_Y_V1

    def open_set(self, name: str, level: str, root: Path | None = None) -> Pairs:
        return open_set(name, factor_of(level), root)

    def fit(self, truth: NDArray[np.uint8], level: str) -> NDArray[np.uint8]:
        return mod_crop(truth, factor_of(level))

    def make_input(self, truth: NDArray[np.uint8], level: str) -> NDArray[np.uint8]:
        return resize(truth, Fraction(1, factor_of(level)), SR_Y_V1.lr_rule)

    def nothing(self, given: NDArray[np.uint8], level: str) -> NDArray[np.uint8]:
        """Bicubic interpolation, (H, W, 3) -> (factor * H, factor * W, 3)."""
        return resize(given, factor_of(level))

    def scorer(self, truth: NDArray[np.uint8], level: str) -> Reference:
        return Reference(truth, factor_of(level))


TASK = SuperResolution()
