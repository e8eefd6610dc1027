"""The ImageNet-C corruptions (Hendrycks and Dietterich, ICLR 2019) on 8-bit pictures, reproducible.

The corruptions themselves are those of the package ``imagecorruptions-imaug``. Its strengths were chosen for pictures
of about 224 pixels; applied to low-resolution inputs they are what they are, and the same for every algorithm.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.contract import UserError
from bench.contract.extras import install_command
from bench.contract.names import comma_separated
from bench.pictures.images import pixel_sha256

STANDARD = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow",
    "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
"""The benchmark's 15 corruptions, in its order."""

EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The four further ones, meant for validation."""

SEVERITIES = (1, 2, 3, 4, 5)

MIN_SIDE = 32
"""The package refuses smaller pictures; they are mirrored up to this side and cut back afterwards."""

_TAKES_SEED = frozenset({"impulse_noise", "glass_blur"})


@dataclass(frozen=True)
class Corrupted:
    """A corrupted picture and what was done besides."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB, of the input's size"""
    padded: bool
    """True when the picture was smaller than `MIN_SIDE` and was mirrored for the corruption."""


def select(names: Sequence[str] | str = "standard") -> tuple[str, ...]:
    """``standard`` (15), ``all`` (19), or a list of names in any order. Raises `UserError` for an unknown name."""
    groups = {"standard": STANDARD, "all": STANDARD + EXTRA}
    if isinstance(names, str):
        names = groups.get(names) or comma_separated(names)
    unknown = [name for name in names if name not in STANDARD + EXTRA]
    if unknown or not names:
        raise UserError(
            f"unknown corruption {', '.join(unknown) or '(none given)'}. Known: {', '.join(STANDARD)}; "
            f"further: {', '.join(EXTRA)}; or 'standard' or 'all'."
        )
    return tuple(dict.fromkeys(names))


def seed_of(image: NDArray[np.uint8], corruption: str, severity: int, seed: int = 0) -> int:
    """The 32-bit seed for one picture (by its pixels), corruption and severity."""
    text = f"{seed}|{image.shape[1]}x{image.shape[0]}|{pixel_sha256(image)}|{corruption}|{severity}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def corrupt(image: NDArray[np.uint8], corruption: str, severity: int, seed: int = 0) -> Corrupted:
    """Corrupt (H, W, 3) uint8 RGB. The result depends on the arguments alone, in every process.

    Args:
        severity: 1 to 5, as in the benchmark.

    Raises:
        UserError: unknown corruption or severity, or the package is not installed.
    """
    select([corruption])
    if severity not in SEVERITIES:
        raise UserError(f"severity {severity}: expected 1, 2, 3, 4 or 5.")
    package_corrupt = _package()
    height, width = image.shape[:2]
    padding = [(0, max(0, MIN_SIDE - height)), (0, max(0, MIN_SIDE - width)), (0, 0)]
    padded = np.pad(image, padding, mode="symmetric")
    number = seed_of(image, corruption, severity, seed)
    extra = {"seed": number} if corruption in _TAKES_SEED else {}
    with _numpy_seeded(number), contextlib.redirect_stdout(io.StringIO()):
        result = package_corrupt(padded, corruption_name=corruption, severity=severity, **extra)
    return Corrupted(np.ascontiguousarray(result[:height, :width]), padded.shape != image.shape)


@contextlib.contextmanager
def _numpy_seeded(seed: int):
    """The package draws from numpy's global generator: seed it, and put it back as it was."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)


def _package():
    try:
        from imagecorruptions import corrupt as package_corrupt
    except ImportError as error:
        raise UserError(
            f"the package imagecorruptions-imaug cannot be imported ({error}). In the repository, run: "
            f"{install_command(['robust'])}"
        ) from error
    return package_corrupt
