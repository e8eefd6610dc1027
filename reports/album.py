"""Saved pictures, read from the stores' folders and trusted by their pixels alone."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.contract import Cell
from bench.records.saved_pictures import FOLDER, picture_path, truth_path

MAX_PIXELS = 64_000_000
"""Larger files are not decoded: no benchmark picture comes near it."""

Pixels = NDArray[np.uint8]
"""(H, W, 3) RGB"""


class Album:
    """The pictures beside the records of some stores. A file counts when its pixels have the hash asked for."""

    def __init__(self, store_dirs: Sequence[Path] = ()) -> None:
        self._folders = [folder / FOLDER for folder in store_dirs]

    def output(self, cell: Cell, name: str, sha256: str) -> Pixels | None:
        """The super-resolved picture of a cell; None where no store holds it with these pixels."""
        return self._find(picture_path(cell, name), sha256)

    def truth(self, cell: Cell, name: str, sha256: str) -> Pixels | None:
        """The ground truth of a picture; None where no store holds it with these pixels."""
        return self._find(truth_path(cell, name), sha256)

    def _find(self, path: Path, sha256: str) -> Pixels | None:
        found = (_read(folder / path) for folder in self._folders)
        return next((p for p in found if p is not None and hashlib.sha256(p.tobytes()).hexdigest() == sha256), None)


def _read(path: Path) -> Pixels | None:
    """A PNG file as pixels; None for what is missing, damaged, another format or far too large."""
    if not path.is_file():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                return np.array(image.convert("RGB"))
    except Exception:  # decoders raise whatever they trip over: OSError, SyntaxError, struct.error, ...
        return None
