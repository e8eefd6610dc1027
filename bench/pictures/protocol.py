"""The evaluation protocol as one named, hashed object.

``sr-y-v1`` is what reproduces published model scores: against the official outputs of RCAN on Set5 it agrees with
the authors' MATLAB script to 1e-6 dB. Change a constant and the hash changes with it; give the result a new name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.pictures.resize import Rule, round_to_uint8


@dataclass(frozen=True)
class Protocol:
    """Everything that turns two pictures into a score. Luma constants: ITU-R BT.601, studio range."""

    name: str
    luma_weights: tuple[float, float, float]
    """For R, G, B in 0..255, before division by 255."""
    luma_offset: float
    peak: float
    """PSNR's peak and SSIM's dynamic range L, in grey levels."""
    border_per_scale: int
    """Pixels cut from each side before scoring, times the scale."""
    ssim_window: int
    """Side of the Gaussian window in pixels; only positions where it fits count."""
    ssim_sigma: float
    ssim_k1: float
    ssim_k2: float
    lr_rule: Rule
    """How low-resolution inputs are made where the data set does not bring them (`bench.pictures.resize`)."""
    psnr_cap: float
    """dB: what a perfect copy scores, so that records hold no infinity."""

    @cached_property
    def sha256(self) -> str:
        """Hash of all constants, the name included."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def describe(self) -> str:
        """One paragraph for printing under a table."""
        r, g, b = self.luma_weights
        return (
            f"Protocol {self.name} ({self.sha256[:12]}): network output x 255, rounded and clipped to 8 bits; ground "
            f"truth cropped at its lower right to a multiple of the scale; "
            f"Y = {self.luma_offset:g} + ({r:g} R + {g:g} G + {b:g} B) / 255, not rounded; "
            f"{_times(self.border_per_scale)} pixels cut from each side; PSNR with peak {self.peak:g}, "
            f"capped at {self.psnr_cap:g} dB; SSIM with a {self.ssim_window}x{self.ssim_window} Gaussian window "
            f"(sigma {self.ssim_sigma:g}), valid positions, K = {self.ssim_k1:g} and {self.ssim_k2:g}, population "
            f"covariance; mean over images. Low-resolution inputs: those of the data set, else bicubic by the rule "
            f"'{self.lr_rule}', which is bit-exact with the published files."
        )

    def luma(self, rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(H, W, 3) uint8 RGB -> (H, W) float64 luma in 16..235, not rounded."""
        weights = np.asarray(self.luma_weights) / 255.0
        return rgb.reshape(-1, 3).astype(np.float64).dot(weights).reshape(rgb.shape[:2]) + self.luma_offset

    def crop_border(self, image: NDArray, scale: int) -> NDArray:
        """Cut the unscored border from each side of (H, W[, C])."""
        border = self.border_per_scale * scale
        return image[border:-border, border:-border] if border else image

    def smallest(self, scale: int) -> int:
        """Sides below this many pixels leave nothing to score once the border is cut."""
        return self.ssim_window + 2 * self.border_per_scale * scale

    def quantize(self, output: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Network output with 1.0 as white -> uint8. Raises ValueError on NaN and infinity: a net that diverged."""
        if not np.isfinite(output).all():
            raise ValueError("the network's output holds NaN or infinity")
        return round_to_uint8(output * np.float32(255.0))


def mod_crop(image: NDArray, scale: int) -> NDArray:
    """Cut (H, W[, C]) at the right and the bottom so that both sides are multiples of ``scale``."""
    return image[: image.shape[0] // scale * scale, : image.shape[1] // scale * scale]


def _times(border_per_scale: int) -> str:
    return "scale" if border_per_scale == 1 else f"{border_per_scale} x scale"


SR_Y_V1 = Protocol(
    name="sr-y-v1",
    luma_weights=(65.481, 128.553, 24.966),
    luma_offset=16.0,
    peak=255.0,
    border_per_scale=1,
    ssim_window=11,
    ssim_sigma=1.5,
    ssim_k1=0.01,
    ssim_k2=0.03,
    lr_rule="legacy",
    psnr_cap=100.0,
)
