"""Bicubic resizing as MATLAB's ``imresize`` does it, by two named rules.

``legacy``
    The rule behind the low-resolution files that the field passes around (old MATLAB): Keys' cubic with a = -0.5,
    antialiased when shrinking, rows before columns, rounded and clipped to uint8 **between** the passes, indices
    beyond the border clamped to it. Bit-exact with the published files of Set5, Set14, B100 and Urban100.
``modern``
    Today's ``imresize``: the same kernel, the image mirrored at its border, one rounding at the end for uint8 and
    none for floating point.

The two differ in 11 to 15 % of the low-resolution values, mostly by one grey level, most at the border.

Source of the kernel: R. Keys, "Cubic convolution interpolation for digital image processing", 1981, eq. 15.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["legacy", "modern"]


KEYS_A = -0.5
"""The slope of Keys' kernel at 1 that MATLAB takes; OpenCV and PyTorch take -0.75."""


def keys_cubic(x: NDArray[np.float64], a: float = KEYS_A) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with slope ``a`` at 1; zero for |x| > 2."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@lru_cache(maxsize=256)
def contributions(
    length: int, scale: Fraction, rule: Rule, a: float = KEYS_A
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Which inputs make an output, along one axis.

    Args:
        length: number of input samples.
        scale: output samples per input sample; below 1 the kernel is widened (antialiasing).
        rule: how indices beyond the border are brought back inside.
        a: slope of the kernel (`keys_cubic`).

    Returns:
        Weights (float64, rows sum to 1) and input indices, both of shape (ceil(length * scale), taps). Read-only.
    """
    out_length = ceil(length * scale)
    shrink = min(float(scale), 1.0)
    width = 4.0 / shrink
    # Sample centres of the output in the coordinates of the input, pixel i covering [i, i + 1].
    centre = (np.arange(out_length) + 0.5) / float(scale) - 0.5
    first = np.floor(centre - width / 2).astype(np.intp) + 1
    index = first[:, None] + np.arange(ceil(width) + 1)
    weight = keys_cubic((centre[:, None] - index) * shrink, a)
    weight /= weight.sum(axis=1, keepdims=True)
    if rule == "legacy":
        index = np.clip(index, 0, length - 1)
    else:
        index = np.mod(index, 2 * length)
        index = np.where(index < length, index, 2 * length - 1 - index)
    used = np.any(weight != 0, axis=0)
    weight, index = np.ascontiguousarray(weight[:, used]), np.ascontiguousarray(index[:, used])
    weight.flags.writeable = index.flags.writeable = False
    return weight, index


def round_to_uint8(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Nearest integer, halves away from zero as in MATLAB, clipped to 0..255."""
    return np.floor(np.clip(values, 0.0, 255.0) + 0.5).astype(np.uint8)


def resize(image: NDArray, scale: Fraction | int, rule: Rule = "modern", a: float = KEYS_A) -> NDArray:
    """Resize an image by one factor along both axes.

    Args:
        image: (H, W) or (H, W, C). uint8, or float32/float64 (``modern`` only: ``legacy`` rounds between passes and
            is therefore defined for uint8 alone).
        scale: 2, 3, 4 enlarge; ``Fraction(1, 4)`` shrinks.
        rule: see the module's text.
        a: slope of the kernel (`keys_cubic`); another than -0.5 is neither rule's.

    Returns:
        (ceil(H * scale), ceil(W * scale)[, C]), of the input's type. Floating-point values are not clipped.

    Raises:
        ValueError: unknown rule, scale not positive, unsuited type, or an empty image.
    """
    scale = Fraction(scale)
    if rule not in ("legacy", "modern"):
        raise ValueError(f"rule: got {rule!r}, expected 'legacy' or 'modern'")
    if scale <= 0:
        raise ValueError(f"scale: got {scale}, expected a positive number")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"image: got shape {image.shape}, expected a non-empty (H, W) or (H, W, C)")
    if image.dtype != np.uint8 and (rule == "legacy" or image.dtype not in (np.float32, np.float64)):
        wanted = "uint8" if rule == "legacy" else "uint8, float32 or float64"
        raise ValueError(f"image: got {image.dtype}, expected {wanted} for the rule {rule!r}")

    rows = _along_axis(image, 0, scale, rule, a)
    if rule == "legacy":
        return round_to_uint8(_along_axis(round_to_uint8(rows), 1, scale, rule, a))
    both = _along_axis(rows, 1, scale, rule, a)
    return round_to_uint8(both) if image.dtype == np.uint8 else both.astype(image.dtype, copy=False)


def _along_axis(image: NDArray, axis: int, scale: Fraction, rule: Rule, a: float) -> NDArray[np.float64]:
    weight, index = contributions(image.shape[axis], scale, rule, a)
    shape = [1] * image.ndim
    shape[axis] = -1
    total = 0.0
    for tap in range(weight.shape[1]):
        total = total + weight[:, tap].reshape(shape) * np.take(image, index[:, tap], axis=axis)
    return total
