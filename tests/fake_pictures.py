"""A store of invented accuracy records with saved pictures whose differences are known."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from fake_records import record
from numpy.typing import NDArray
from PIL import Image

from bench.records.record import Record
from bench.records.saved_pictures import FOLDER, SAVED, picture_path, truth_path
from bench.records.store import Store

Pixels = NDArray[np.uint8]
NAMES = ("calm", "busy")
BOX = (37, 21, 64)
"""Left, top and side of the square of "busy" in which the networks differ."""
PSNR = {"bicubic": 25.0, "fp32": 30.0, "frb": 29.5, "bnn": 28.25}
HEIGHT, WIDTH = 108, 140


def truth(name: str) -> Pixels:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = 128 + 60 * np.sin((rows + (7 if name == "busy" else 0)) / 9) * np.cos(columns / 11)
    return np.stack([waves, waves * 0.8, 255 - waves], axis=2).astype(np.uint8)


def output(algo: str, name: str) -> Pixels:
    """The truth, shifted by a level of the method's own inside the box of "busy" (and everywhere for bicubic)."""
    picture = truth(name).copy()
    level = 3 * list(PSNR).index(algo)
    if algo == "bicubic":
        return (picture // 2 + 40).astype(np.uint8)
    left, top, side = BOX
    if name == "busy":
        picture[top : top + side, left : left + side] = np.clip(picture[top : top + side, left : left + side], 0, 200)
        picture[top : top + side, left : left + side] += np.uint8(5 * level)
    else:
        picture[5:9, 5:9] = level
    return picture


def psnr_of(algo: str, name: str) -> float:
    """PSNR that the record claims for one picture."""
    return PSNR[algo] + NAMES.index(name) * (1 + list(PSNR).index(algo) / 10)


def accuracy(
    algo: str,
    root: Path,
    case: str = "sample",
    scale: int = 2,
    names: tuple[str, ...] = NAMES,
) -> Record:
    """A record whose pictures are written beside it; ``names`` are the pictures' names in order."""
    backbone = "none" if algo == "bicubic" else "srresnet"
    saved = {}
    one = record("accuracy", algo, backbone, scale, case)
    for name, plain in zip(names, NAMES, strict=True):
        pictures = {"sr": output(algo, plain), "hr": truth(plain)}
        saved[name] = {kind: hashlib.sha256(pixels.tobytes()).hexdigest() for kind, pixels in pictures.items()}
        for path, pixels in ((picture_path, pictures["sr"]), (truth_path, pictures["hr"])):
            file = root / FOLDER / path(one.cell, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    values = [psnr_of(algo, name) for name in NAMES]
    return record(
        "accuracy", algo, backbone, scale, case,
        {"psnr_y": sum(values) / 2, "ssim_y": (0.9123 + 0.8765) / 2},
        samples={"psnr_y": values, "ssim_y": [0.9123, 0.8765]}, details={"pictures": list(names), SAVED: saved},
    )  # fmt: skip


def picture_store(root: Path, cases: tuple[str, ...] = ("sample",), scales: tuple[int, ...] = (2,)) -> Store:
    """A store with all methods of `PSNR` on every case and scale."""
    store = Store(root)
    for case in cases:
        for scale in scales:
            for algo in PSNR:
                store.write(accuracy(algo, root, case, scale))
    return store
