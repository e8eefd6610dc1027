"""Test sets of super-resolution: ground truth beside low resolution, the set's own or made."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import UserError
from bench.pictures.images import read_rgb
from bench.pictures.layouts import Item
from bench.pictures.pair import Pair
from bench.pictures.protocol import SR_Y_V1, Protocol
from bench.pictures.resize import resize
from bench.pictures.sets import Pairs, Truth, open_truths

LR_TOLERANCE = 0.45
"""Largest mean absolute difference, in grey levels, between a given low-resolution file and one made from its ground
truth. Other bicubic implementations of the same kernel stay below 0.35; another kernel, JPEG or a shift exceeds 0.55.
"""


def open_set(name: str, scale: int, root: Path | None = None, protocol: Protocol = SR_Y_V1) -> Pairs:
    """Open a test set by name or alias; ``sample`` needs no data root.

    Raises `UserError` as `open_truths` does; reading a picture, also when its low-resolution file is another picture's,
    of a wrong size, or made by another rule.
    """
    return Pairs(open_truths(name, scale, root), partial(_pair, scale, protocol))


def _pair(scale: int, protocol: Protocol, truth: Truth) -> Pair:
    if min(truth.image.shape[:2]) < (least := protocol.smallest(scale)):
        height, width = truth.image.shape[:2]
        raise UserError(
            f"{truth.item.hr}: {width}x{height} pixels are too small to score at x{scale}: the protocol "
            f"{protocol.name} needs {least}x{least}. Replace the picture, or use a smaller scale."
        )
    made = resize(truth.image, Fraction(1, scale), protocol.lr_rule)
    own = truth.item.lr
    lr = made if own is None else _check_lr(read_rgb(own), made, truth.item, scale)
    return Pair(truth.name, truth.image, lr, own is None, np.array_equal(lr, made), truth.verified)


def _check_lr(lr: NDArray[np.uint8], made: NDArray[np.uint8], item: Item, scale: int) -> NDArray[np.uint8]:
    if lr.shape != made.shape:
        raise UserError(
            f"{item.lr}: {lr.shape[1]}x{lr.shape[0]} pixels, expected {made.shape[1]}x{made.shape[0]} "
            f"(a {scale}th of {item.hr.name}). It belongs to another picture or another crop; replace it, "
            "or remove the low-resolution folder and it is made."
        )
    difference = float(np.mean(np.abs(lr.astype(np.int16) - made)))
    if difference > LR_TOLERANCE:
        raise UserError(
            f"{item.lr} does not belong to {item.hr.name} or was not made by MATLAB's bicubic rule: it "
            f"differs by {difference:.2f} grey levels on average, at most {LR_TOLERANCE} are expected. "
            "Replace it, or remove the low-resolution folder and it is made."
        )
    return lr
