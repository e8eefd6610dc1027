"""``mild-v1``: small damage of a low-resolution input, as pictures meet it before anybody enlarges them.

ImageNet-C's strengths leave nothing of what networks gain over interpolation. Here the weakest levels are next to
invisible and the strongest end about where interpolation catches up. Everything but JPEG is integer arithmetic on
integer tables, and noise comes from raw generator words, so that every machine makes the same pixels; `intact` tells
where it did not.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from math import exp
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.contract.damage_sets import MILD
from bench.pictures.images import pixel_sha256
from bench.pictures.resize import resize

Picture = NDArray[np.uint8]
"""(H, W, 3) RGB"""

NAME = MILD
BITS = 16
"""Weights of filters and colour matrices are whole numbers of 2^-16."""
ONE = 1 << BITS
NOISE_BITS = 10
"""Noise is a whole number of 2^-10 standard deviations."""
RADIUS = 3
"""Of the Gaussian, pixels"""
JPEG_SUBSAMPLING = "4:2:0"


@dataclass(frozen=True)
class Damage:
    """One kind of damage. Level 1 is the weakest."""

    key: str
    title: str
    unit: str
    """What a level's number is."""
    levels: tuple[float | str, ...]


DAMAGES = (
    Damage("noise", "Gaussian noise", "sigma, grey levels", (1, 2, 4, 8, 16)),
    Damage("jpeg", "JPEG", "quality", (98, 95, 90, 75, 50)),
    Damage("blur", "Gaussian blur", "sigma, pixels", (0.3, 0.4, 0.5, 0.6, 0.7)),
    Damage("kernel", "Wrong downsampling kernel", "Keys' a, right is -0.5", (-0.6, -0.75, -1.0)),
    Damage("gamma", "Gamma", "exponent", (1.01, 1.02, 1.05, 1.1)),
    Damage("colour", "8-bit YCbCr and back", "range and chroma", ("full", "studio", "studio 4:2:0")),
)
"""25 damaged inputs a picture."""


def damage(lr: Picture, hr: Picture, kind: str, level: int) -> Picture:
    """The damaged low-resolution picture, of the size of ``lr``. It depends on the arguments alone.

    Args:
        lr: the clean input.
        hr: its ground truth, sides multiples of those of ``lr``; only the wrong kernel looks at it.
        kind: key of one of `DAMAGES`.
        level: from 1 on.
    """
    value = next(one for one in DAMAGES if one.key == kind).levels[level - 1]
    return _kernel(lr, hr, value) if kind == "kernel" else _MAKERS[kind](lr, value)


def _noise(lr: Picture, sigma: float) -> Picture:
    """One draw a picture, scaled: the levels differ by their strength alone."""
    seed = hashlib.sha256(f"{NAME}|{lr.shape[1]}x{lr.shape[0]}|{pixel_sha256(lr)}".encode()).digest()[:8]
    words = np.random.PCG64(int.from_bytes(seed, "little")).random_raw(-(-lr.size // 4))
    draws = _quantiles()[words.astype("<u8").view("<u2")[: lr.size].reshape(lr.shape)]
    return _clipped(lr + ((draws * int(sigma) + (1 << (NOISE_BITS - 1))) >> NOISE_BITS))


@cache
def _quantiles() -> NDArray[np.int64]:
    """16 random bits -> a normal value, in units of 2^-NOISE_BITS."""
    normal = NormalDist()
    upper = [round(normal.inv_cdf((place + 0.5) / ONE) * (1 << NOISE_BITS)) for place in range(ONE // 2, ONE)]
    return np.array([-value for value in reversed(upper)] + upper)


def _jpeg(lr: Picture, quality: float) -> Picture:
    file = io.BytesIO()
    Image.fromarray(lr).save(file, "JPEG", quality=int(quality), subsampling=JPEG_SUBSAMPLING)
    return np.array(Image.open(file).convert("RGB"))


def _blur(lr: Picture, sigma: float) -> Picture:
    """The picture is mirrored at its border."""
    weights = [round(ONE * exp(-((tap / sigma) ** 2) / 2)) for tap in range(1, RADIUS + 1)]
    total = ONE + 2 * sum(weights)
    sides = [weight * ONE // total for weight in weights]
    taps = [*sides[::-1], ONE - 2 * sum(sides), *sides]
    padded = np.pad(lr, ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)), mode="symmetric").astype(np.int64)
    height, width = lr.shape[:2]
    rows = sum(weight * padded[tap : tap + height] for tap, weight in enumerate(taps))
    both = sum(weight * rows[:, tap : tap + width] for tap, weight in enumerate(taps))
    return _clipped((both + (1 << (2 * BITS - 1))) >> (2 * BITS))


def _kernel(lr: Picture, hr: Picture, a: float) -> Picture:
    """The protocol's rule with another slope of the cubic: what OpenCV's or a sharper resizing would have given."""
    return resize(hr, Fraction(lr.shape[0], hr.shape[0]), "legacy", a)


def _gamma(lr: Picture, exponent: float) -> Picture:
    return np.array([round(255 * (value / 255) ** exponent) for value in range(256)], np.uint8)[lr]


def _colour(lr: Picture, kind: str) -> Picture:
    """BT.601, rounded to 8 bits in between; studio range has 219 steps of luma and 224 of chroma."""
    luma, chroma = (255, 255) if kind == "full" else (219, 224)
    red, blue = 0.299, 0.114
    forward = [
        [red * luma, (1 - red - blue) * luma, blue * luma],
        [-red / (1 - blue) / 2 * chroma, -(1 - red - blue) / (1 - blue) / 2 * chroma, chroma / 2],
        [chroma / 2, -(1 - red - blue) / (1 - red) / 2 * chroma, -blue / (1 - red) / 2 * chroma],
    ]
    across, down = 2 * (1 - red) / chroma, 2 * (1 - blue) / chroma
    green = 1 - red - blue
    backward = [
        [1 / luma, 0, across],
        [1 / luma, -down * blue / green, -across * red / green],
        [1 / luma, down, 0],
    ]
    offset = np.array([0 if kind == "full" else 16, 128, 128])
    ycc = np.clip(_product(lr.astype(np.int64), forward, 1 / 255) + offset, 0, 255) - offset
    if kind.endswith("4:2:0"):
        ycc[..., 1:] = _halved(ycc[..., 1:])
    return _clipped(_product(ycc, backward, 255))


def _product(values: NDArray[np.int64], matrix: list[list[float]], factor: float) -> NDArray[np.int64]:
    """Every pixel's colours times the matrix, rounded."""
    table = np.array([[round(entry * factor * ONE) for entry in row] for row in matrix])
    return (values @ table.T + ONE // 2) >> BITS


def _halved(chroma: NDArray[np.int64]) -> NDArray[np.int64]:
    """Means of 2x2 pixels, each repeated."""
    height, width = chroma.shape[:2]
    even = np.pad(chroma, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    means = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2] + 2) >> 2
    return means.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def _clipped(values: NDArray[np.int64]) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)


_MAKERS: dict[str, Callable[..., Picture]] = {
    "noise": _noise, "jpeg": _jpeg, "blur": _blur, "gamma": _gamma, "colour": _colour,
}  # fmt: skip


@cache
def definition_sha256() -> str:
    """Hash of the set's name, damages and constants. A change to any makes another set, with another name."""
    facts = [NAME, [asdict(one) for one in DAMAGES], BITS, NOISE_BITS, RADIUS, JPEG_SUBSAMPLING]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


PIXELS_SHA256 = "cb7a3041d7d42350ebca8068d39dfaa17bf0e0d765669f58b81098b00177607c"
"""Hash of what the set makes of `chart`."""


@cache
def intact() -> bool:
    """Whether this machine's libraries make the set's pixels, tried on a small drawn chart."""
    return made_sha256() == PIXELS_SHA256


def made_sha256() -> str:
    """Hash of all damaged versions of the chart, as made here."""
    hr = chart()
    lr = resize(hr, Fraction(1, 2), "legacy")
    made = (damage(lr, hr, one.key, level + 1) for one in DAMAGES for level in range(len(one.levels)))
    return hashlib.sha256("".join(map(pixel_sha256, made)).encode()).hexdigest()


def chart() -> Picture:
    """Edges, ramps and fine texture in colour, 62x46 pixels, from whole numbers alone."""
    y, x = np.mgrid[0:46, 0:62]
    red = 4 * x + (y % 7) * 9
    green = np.where((x // 9 + y // 6) % 2, 40 + 3 * y, 215 - 2 * x)
    blue = (x * x + 3 * y * y) % 256
    return np.stack([red, green, blue], axis=-1).clip(0, 255).astype(np.uint8)
