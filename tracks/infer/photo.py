"""The picture the infer track feeds to networks: real activations, not noise."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import skimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.contract import UserError
from bench.pictures.images import read_rgb

BUILT_IN = Path(skimage.__file__).parent / "data" / "coffee.png"
"""A 600x400 photograph inside the scikit-image package."""


def photo(lr_size: tuple[int, int], file: str | None) -> tuple[Tensor, str]:
    """The central crop of a picture as (1, 3, H, W) float32 in [0, 1], channels_last, and its pixels' SHA-256.

    ``lr_size`` is (width, height). The built-in photograph continues by reflection where the crop is larger than it.
    Raises UserError when the user's ``file`` cannot be read or is smaller than the crop.
    """
    crop = _centre(_pixels(lr_size, file), lr_size)
    return _tensor(crop), hashlib.sha256(crop.tobytes()).hexdigest()


def photos(lr_size: tuple[int, int], file: str | None) -> tuple[list[Tensor], str]:
    """Three crops of one picture, the central one first, each as `photo` gives it, and one SHA-256 over their pixels.

    The others are the upper left and the lower right corner, mirrored, so that they differ also where the picture is no
    larger than the crop.
    """
    width, height = lr_size
    pixels = _pixels(lr_size, file)
    corners = pixels[:height, :width][:, ::-1], pixels[-height:, -width:][::-1]
    crops = [np.ascontiguousarray(crop) for crop in (_centre(pixels, lr_size), *corners)]
    return [_tensor(crop) for crop in crops], hashlib.sha256(b"".join(crop.tobytes() for crop in crops)).hexdigest()


def _pixels(lr_size: tuple[int, int], file: str | None) -> NDArray[np.uint8]:
    width, height = lr_size
    pixels = read_rgb(Path(file) if file else BUILT_IN)
    down, right = max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1])
    if (down or right) and file:
        raise UserError(
            f"{file} is {pixels.shape[1]}x{pixels.shape[0]}, smaller than the input size {width}x{height}. "
            "Give a larger picture or a smaller --lr-size."
        )
    return np.pad(pixels, ((0, down), (0, right), (0, 0)), mode="symmetric")


def _centre(pixels: NDArray[np.uint8], lr_size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = lr_size
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def _tensor(crop: NDArray[np.uint8]) -> Tensor:
    image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
    return image.contiguous(memory_format=torch.channels_last)
