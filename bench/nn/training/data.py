"""Training pictures in memory and the patches cut from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.contract import UserError
from bench.contract.gates import gate
from bench.pictures import manifest
from bench.pictures.catalog import SETS
from bench.pictures.folders import training_pictures
from bench.pictures.images import pixel_sha256, read_rgb
from bench.pictures.pair import Pair
from bench.pictures.protocol import SR_Y_V1, mod_crop
from bench.pictures.resize import resize
from bench.tasks.sr.datasets import open_set

SAMPLE = "sample"
"""In place of a folder: the photographs that scikit-image ships."""


@dataclass(frozen=True)
class Pictures:
    """Ground truth and low resolution, uint8, decoded once and kept."""

    name: str
    scale: int
    hr: tuple[NDArray[np.uint8], ...]
    """(H, W, 3) RGB each, sides multiples of the scale"""
    lr: tuple[NDArray[np.uint8], ...]
    """(H / scale, W / scale, 3) RGB each, by the protocol's rule"""
    sha256: str
    """Hash of the ground truth's pixels, in order"""

    def __len__(self) -> int:
        return len(self.hr)

    def split(self, held_out: int) -> tuple[Pictures, Pictures]:
        """(all but the last ``held_out``, the last ``held_out``)."""
        return self._divide(range(len(self) - held_out, len(self)))

    def hold_out(self, count: int) -> tuple[Pictures, Pictures]:
        """(the rest, at most ``count`` pictures at equal distances in name order, at least one and at most half)."""
        count = max(1, min(count, len(self) // 2))
        return self._divide({(2 * i + 1) * len(self) // (2 * count) for i in range(count)})

    def _divide(self, held_out: Collection[int]) -> tuple[Pictures, Pictures]:
        sides = ([i for i in range(len(self)) if (i in held_out) == wanted] for wanted in (False, True))
        rest, held = (
            _pictures(self.name, self.scale, [self.hr[i] for i in side], [self.lr[i] for i in side]) for side in sides
        )
        return rest, held


def load_pictures(
    source: str | Path,
    scale: int,
    *,
    workers: int = 1,
    note: Callable[[str], None] = lambda text: None,
    may_be_test: bool = False,
) -> Pictures:
    """Every ground-truth picture under a folder (see `training_pictures`), or the built-in `SAMPLE`.

    All files are decoded before training starts, so that a damaged one cannot end a run that is under way. Low
    resolution is made by the protocol's rule. ``note`` hears what is going on: pictures left out, and pictures that are
    there twice. ``may_be_test``: pictures of test sets are welcome, as for validation.

    Raises UserError for a missing or empty folder, a file that cannot be read (named), and a test set's picture.
    """
    if str(source) == SAMPLE:
        pairs = list(open_set(SAMPLE, scale))
        return _pictures(SAMPLE, scale, [p.truth for p in pairs], [p.given for p in pairs])
    folder = Path(source)
    files = training_pictures(folder, note)
    note(f"reading {len(files)} pictures from {folder}")

    def read(file: Path) -> tuple[str, NDArray[np.uint8], NDArray[np.uint8]]:
        full = read_rgb(file)
        hr = mod_crop(full, scale)
        if 0 in hr.shape:
            raise UserError(f"{file}: fewer than {scale} pixels a side. Remove it from the training folder.")
        return pixel_sha256(full), hr, resize(hr, Fraction(1, scale), SR_Y_V1.lr_rule)

    with ThreadPoolExecutor(workers) as pool:
        full, hr, lr = zip(*pool.map(read, files), strict=True)
    _name_twins(files, full, note)
    if not may_be_test:
        _refuse_test_pictures(files, full)
    return _pictures(folder.name, scale, hr, lr)


def _name_twins(files: Sequence[Path], hashes: Sequence[str], note: Callable[[str], None]) -> None:
    """Tell which files hold the same pixels: such a picture is seen twice as often as others."""
    first: dict[str, Path] = {}
    for file, sha256 in zip(files, hashes, strict=True):
        if (other := first.setdefault(sha256, file)) is not file:
            note(f"{file} holds the same picture as {other}: it is learnt from twice as often")


@gate("refused", broken_by="tests/test_gates_pictures.py::test_test_pictures_are_no_training_pictures")
def _refuse_test_pictures(files: Sequence[Path], hashes: Sequence[str]) -> None:
    """Pictures of published test sets among the training pictures are known by the hash of their pixels, whatever their
    names and formats, also when cropped to a multiple of the scale; they are named and refused unless asked for.

    Raises UserError.
    """
    known = {entry.sha256: name for name, sets in manifest.load().items() for each in sets.values() for entry in each}
    found = [(file, known[sha256]) for file, sha256 in zip(files, hashes, strict=True) if sha256 in known]
    if found:
        names = ", ".join(f"{file} (published {SETS[name].name})" for file, name in found[:5])
        raise UserError(
            f"{len(found)} training pictures are those of a test set, so scores on it would say nothing: {names}"
            f"{', ...' if len(found) > 5 else ''}. Take them out of the training folder, or ask for "
            "it with --allow-test-pictures."
        )


def _pictures(name: str, scale: int, hr: Iterable[NDArray], lr: Iterable[NDArray]) -> Pictures:
    hr = tuple(hr)
    parts = (f"{image.shape[1]}x{image.shape[0]}:{pixel_sha256(image)}" for image in hr)
    return Pictures(name, scale, hr, tuple(lr), hashlib.sha256("|".join(parts).encode()).hexdigest())


def to_pairs(pictures: Pictures, side: int) -> list[Pair]:
    """Validation pairs: each picture's centre, at most ``side`` high-resolution pixels a side."""
    pairs = []
    for i, (hr, lr) in enumerate(zip(pictures.hr, pictures.lr, strict=True)):
        height, width = (min(length, side // pictures.scale) for length in lr.shape[:2])
        top, left = (lr.shape[0] - height) // 2, (lr.shape[1] - width) // 2
        s = pictures.scale
        part = hr[top * s : (top + height) * s, left * s : (left + width) * s]
        pairs.append(Pair(str(i), part, lr[top : top + height, left : left + width], True, True, False))
    return pairs


class Sampler:
    """Random patch pairs, augmented by the 8 symmetries of the square. Every patch position is equally likely.

    Its state is its generator's: saved and restored, it goes on with the very next batch.
    """

    def __init__(self, pictures: Pictures, batch: int, lr_patch: int, seed: int) -> None:
        """Pictures smaller than the patch are left out. Raises UserError when none is left."""
        self.pictures, self.batch, self.patch = pictures, batch, lr_patch
        self.usable = [i for i, lr in enumerate(pictures.lr) if min(lr.shape[:2]) >= lr_patch]
        if not self.usable:
            side = lr_patch * pictures.scale
            raise UserError(
                f"no training picture is as large as a patch: {side}x{side} pixels are needed at "
                f"x{pictures.scale}. Use larger pictures or a smaller --patch."
            )
        sizes = [pictures.lr[i].shape for i in self.usable]
        self._columns = [width - lr_patch + 1 for _, width, _ in sizes]
        rows = [height - lr_patch + 1 for height, _, _ in sizes]
        self._ends = np.cumsum([r * c for r, c in zip(rows, self._columns, strict=True)])
        self._generator = np.random.default_rng(seed)

    def draw(self) -> tuple[Tensor, Tensor]:
        """The next batch: (N, 3, p, p) low and (N, 3, scale*p, scale*p) high resolution, uint8."""
        places = self._generator.integers(int(self._ends[-1]), size=self.batch)
        turns = self._generator.integers(8, size=self.batch)
        patches = [self._cut(int(place), int(turn)) for place, turn in zip(places, turns, strict=True)]
        lr, hr = (torch.from_numpy(np.stack(side)).permute(0, 3, 1, 2) for side in zip(*patches, strict=True))
        return lr, hr

    def _cut(self, place: int, turn: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        which = int(np.searchsorted(self._ends, place, side="right"))
        offset = place - (int(self._ends[which - 1]) if which else 0)
        top, left = divmod(offset, self._columns[which])
        image, p, s = self.usable[which], self.patch, self.pictures.scale
        low = self.pictures.lr[image][top : top + p, left : left + p]
        high = self.pictures.hr[image][top * s : (top + p) * s, left * s : (left + p) * s]
        return _turned(low, turn), _turned(high, turn)

    def state(self) -> dict[str, Any]:
        """The generator's state, as JSON."""
        return self._generator.bit_generator.state

    def restore(self, state: dict[str, Any]) -> None:
        self._generator.bit_generator.state = state


def _turned(image: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """One of the 8 symmetries: ``turn`` % 4 quarter turns, mirrored when ``turn`` >= 4."""
    image = np.rot90(image, turn % 4)
    return image[:, ::-1] if turn >= 4 else image
