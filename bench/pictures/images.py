"""Reading pictures: 8-bit RGB or a clear refusal."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from glob import escape
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.contract import UserError
from bench.contract.atomic_files import leftovers, write_atomic
from bench.pictures.picture_layout import check_layout, size_as_shown, turned

T = TypeVar("T")

ABANDONED = 3600.0
"""Seconds after which a half-written picture has no writer any more."""

MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: no benchmark picture comes near it, decompression bombs do."""

SUFFIXES = frozenset({".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pnm"})
"""File name endings that count as pictures when a folder is listed."""

_REPLICATED = {"1", "L"}
_DIRECT = {"RGB", "P"}
_ALPHA = {"RGBA", "LA", "PA", "La", "RGBa"}


def read_rgb(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 RGB.

    Grey pictures are replicated to three channels, palettes are looked up. Refused by a `UserError` that names the
    file: transparency (scores would depend on what lies behind it), more or fewer than 8 bits a channel, CMYK and other
    colour spaces, animations, more than `MAX_PIXELS`, and whatever cannot be decoded completely. A picture that says it
    is to be turned is turned, whatever its format, and the user is told.
    """
    return _opened(Path(path), lambda image: np.array(turned(Path(path), image).convert("RGB")))


def picture_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(width, height) from the header alone, under the checks of `read_rgb`."""
    return _opened(Path(path), size_as_shown)


def pixel_sha256(rgb: NDArray[np.uint8]) -> str:
    """SHA-256 of the row-major RGB bytes: equal for equal pixels, whatever the file format."""
    return hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest()


def write_png(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 RGB; parent folders are made. The file appears complete or not at all.

    What a killed process left half written of this picture is swept once it is an hour old: somebody else may be
    writing the same ground truth right now.
    """
    content = BytesIO()
    Image.fromarray(rgb).save(content, format="PNG")
    write_atomic(path, content.getvalue())
    for left in (*leftovers(path), *path.parent.glob(f".{escape(path.name)}.*.part")):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()


def _opened(path: Path, use: Callable[[Image.Image], T]) -> T:
    _check_is_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            _check_content(path, image)
            return use(image)
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(path, "far too many pixels") from error
    except Image.UnidentifiedImageError as error:
        raise UserError(
            f"{path}: not a picture in a known format. Expected PNG, BMP, JPEG, TIFF, WebP or PPM; "
            "remove the file from the folder or replace it."
        ) from error
    except Exception as error:  # decoders raise whatever they trip over: OSError, SyntaxError, struct.error, ...
        raise UserError(f"{path}: the picture is damaged or cut short ({error}). Fetch or copy it again.") from error


def _check_is_file(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        if path.is_symlink():
            raise UserError(
                f"{path}: a symbolic link that leads nowhere or back to itself. Remove or repair the link."
            ) from error
        raise UserError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from error
    if not os.path.isfile(path):
        kind = "a folder" if os.path.isdir(path) else "not a regular file"
        raise UserError(f"{path}: {kind}, expected a picture.")
    if status.st_size == 0:
        raise UserError(f"{path}: the file is empty. Fetch or copy it again.")


def _check_content(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(path, f"{image.width}x{image.height} pixels")
    check_layout(path, image)
    if image.mode in _ALPHA or "transparency" in image.info:
        raise UserError(
            f"{path}: the picture has transparency, and scores would depend on what is put behind it. "
            "Flatten it to RGB yourself."
        )
    if image.mode not in _REPLICATED | _DIRECT:
        raise UserError(f"{path}: colour mode {image.mode}, expected 8-bit RGB, grey or palette. Convert it to RGB.")
    if getattr(image, "n_frames", 1) > 1:
        raise UserError(f"{path}: {image.n_frames} frames, expected a still picture.")


def _too_large(path: Path, size: str) -> UserError:
    return UserError(
        f"{path}: {size}; the limit is {MAX_PIXELS:,}. This is no benchmark picture; it "
        "may be a decompression bomb. Remove it."
    )
