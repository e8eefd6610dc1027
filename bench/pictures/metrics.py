"""PSNR and SSIM on luma, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench.contract import UserError
from bench.pictures.protocol import SR_Y_V1, Protocol


@dataclass(frozen=True)
class Scores:
    """Scores of one image; higher is better for both."""

    psnr_y: float
    """dB, at most `Protocol.psnr_cap`"""
    ssim_y: float
    """-1 to 1"""


class Reference:
    """A ground-truth picture prepared once for many comparisons (corruptions, algorithms, ensembles)."""

    def __init__(self, hr: NDArray[np.uint8], scale: int, protocol: Protocol = SR_Y_V1) -> None:
        """``hr``: (H, W, 3) uint8 RGB, already cropped to a multiple of ``scale``.

        Raises `UserError` when nothing is left to score after the border is cut.
        """
        self.protocol, self.scale, self.shape = protocol, scale, hr.shape
        self._y = protocol.crop_border(protocol.luma(hr), scale)
        if min(self._y.shape) < protocol.ssim_window:
            needed = protocol.smallest(scale)
            raise UserError(
                f"picture of {hr.shape[1]}x{hr.shape[0]} pixels is too small to score at x{scale}: the protocol "
                f"{protocol.name} needs at least {needed}x{needed}. Leave the picture out or use a smaller scale."
            )

    def score(self, sr: NDArray[np.uint8]) -> Scores:
        """Compare (H, W, 3) uint8 RGB of the same size. Raises ValueError when the sizes differ."""
        y = self._luma(sr)
        return Scores(psnr(y, self._y, self.protocol), ssim(y, self._y, self.protocol))

    def psnr(self, sr: NDArray[np.uint8]) -> float:
        """PSNR alone, in dB."""
        return psnr(self._luma(sr), self._y, self.protocol)

    def _luma(self, sr: NDArray[np.uint8]) -> NDArray[np.float64]:
        if sr.shape != self.shape:
            raise ValueError(f"sr: got shape {sr.shape}, expected that of the ground truth, {self.shape}")
        return self.protocol.crop_border(self.protocol.luma(sr), self.scale)


def score(sr: NDArray[np.uint8], hr: NDArray[np.uint8], scale: int, protocol: Protocol = SR_Y_V1) -> Scores:
    """Score one picture against its ground truth: both (H, W, 3) uint8 RGB of the same size."""
    return Reference(hr, scale, protocol).score(sr)


def psnr(a: NDArray[np.float64], b: NDArray[np.float64], protocol: Protocol = SR_Y_V1) -> float:
    """Peak signal-to-noise ratio in dB of two (H, W) float64 luma images; equal images score the cap."""
    error = float(np.mean((a - b) ** 2))
    if error == 0.0:
        return protocol.psnr_cap
    return min(10.0 * log10(protocol.peak**2 / error), protocol.psnr_cap)


def ssim(a: NDArray[np.float64], b: NDArray[np.float64], protocol: Protocol = SR_Y_V1) -> float:
    """Structural similarity (Wang et al. 2004, eq. 13) of two (H, W) float64 luma images: mean over valid positions.

    Only the sum of the two variances enters the formula, so four blurred maps are enough.
    """
    c1, c2 = (protocol.ssim_k1 * protocol.peak) ** 2, (protocol.ssim_k2 * protocol.peak) ** 2
    window = _gaussian(protocol.ssim_window, protocol.ssim_sigma)
    mean_a, mean_b, square, product = (_blur(m, window) for m in (a, b, a * a + b * b, a * b))
    mean_product = mean_a * mean_b
    mean_square = mean_a * mean_a + mean_b * mean_b
    numerator = (2 * mean_product + c1) * (2 * (product - mean_product) + c2)
    return float(np.mean(numerator / ((mean_square + c1) * (square - mean_square + c2))))


def _gaussian(side: int, sigma: float) -> NDArray[np.float64]:
    x = np.arange(side) - (side - 1) / 2
    window = np.exp(-(x**2) / (2 * sigma**2))
    return window / window.sum()


def _blur(image: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = sliding_window_view(image, len(window), axis=0) @ window
    return sliding_window_view(rows, len(window), axis=1) @ window
