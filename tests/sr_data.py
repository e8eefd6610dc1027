"""Small pictures and writable copies of Set5 for several test files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parents[1].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "Set5").is_dir(), reason=f"no Set5 and Set14 under {DATA}")


def picture(seed: int, height: int = 25, width: int = 31) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def copy_set5(root: Path, *, lr: bool = True) -> Path:
    """A writable copy of Set5 under a data root."""
    folder = root / "Set5"
    shutil.copytree(DATA / "Set5" / "HR", folder / "HR", copy_function=shutil.copyfile)
    if lr:
        shutil.copytree(DATA / "Set5" / "LR_bicubic", folder / "LR_bicubic", copy_function=shutil.copyfile)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder
