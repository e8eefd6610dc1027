"""A ground truth and what a network is given of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.pictures.images import pixel_sha256


@dataclass(frozen=True)
class Pair:
    """One picture of a test set, ready to score."""

    name: str
    truth: NDArray[np.uint8]
    """(H, W, 3) RGB, as the task's level cuts it"""
    given: NDArray[np.uint8]
    """The network's input, RGB: (H / factor, W / factor, 3)"""
    made: bool
    """True when the set has no file for the input and the protocol's rule made it."""
    exact: bool
    """True when the input is bit for bit what the protocol's rule makes."""
    verified: bool
    """True when the manifest knows the ground truth's pixels."""

    @property
    def sha256(self) -> str:
        """Hash of both pictures' sizes and pixels; names do not enter."""
        parts = (f"{image.shape[1]}x{image.shape[0]}:{pixel_sha256(image)}" for image in (self.truth, self.given))
        return hashlib.sha256("|".join(parts).encode()).hexdigest()
