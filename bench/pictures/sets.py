"""Test sets: which are there, and their ground truths, read and checked one picture at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import UserError
from bench.pictures import manifest
from bench.pictures.catalog import DATA_VARIABLE, SETS, SetInfo, resolve
from bench.pictures.images import read_rgb
from bench.pictures.layouts import Item, candidates, find_set, list_items
from bench.pictures.pair import Pair
from bench.pictures.protocol import mod_crop

SAMPLE_FILES = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png")
"""Photographs inside scikit-image's package folder. PNG only: JPEG decoders differ by a grey level."""

SAMPLE_SIDE = 240
"""The sample photographs are cut to this many pixels, centred: a multiple of 12, so of every scale."""


@dataclass(frozen=True)
class Truth:
    """A ground truth as read and checked."""

    name: str
    """In the manifest where the picture was recognised, else the file's"""
    image: NDArray[np.uint8]
    """(H, W, 3) RGB, H and W multiples of the factor"""
    verified: bool
    """True when the manifest knows the pixels."""
    item: Item


class Truths:
    """The ground truths of a test set, cut to multiples of ``factor``. Listing is done at once, pictures are read when
    asked for."""

    def __init__(self, info: SetInfo, factor: int, items: list[Item]) -> None:
        self.info, self.factor, self.items = info, factor, items
        self._seen: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Truth:
        """Read and check one picture.

        Raises `UserError` naming the file when it cannot be read, is not the published picture, or is there twice.
        """
        item = self.items[index]
        full = read_rgb(item.hr)
        if self.info.key == "sample":
            full, verdict = _centre(full, SAMPLE_SIDE), manifest.Verdict("ok", item.name)
        else:
            verdict = manifest.check(self.info.key, item.name, full, self.factor)
        if verdict.status == "wrong":
            raise UserError(
                f"{item.hr} is not the published {self.info.name} picture: {verdict.reason}. "
                "Replace it; `data check` lists every picture."
            )
        if (other := self._seen.setdefault(verdict.name, index)) != index:
            raise UserError(f"{item.hr} and {self.items[other].hr.name} hold the same picture. Keep one.")
        image = mod_crop(full, self.factor)
        if 0 in image.shape:
            raise UserError(f"{item.hr}: {full.shape[1]}x{full.shape[0]} pixels are too few for x{self.factor}.")
        return Truth(verdict.name, image, verdict.status == "ok", item)

    @property
    def listing(self) -> str:
        """Hash of file names and sizes: changes when files are exchanged, without reading them."""
        files = (file for item in self.items for file in (item.hr, item.lr) if file is not None)
        return hashlib.sha256("|".join(f"{file.name}:{_size(file)}" for file in files).encode()).hexdigest()


class Pairs:
    """A test set as a task wants it: every ground truth beside what `pair` makes of it."""

    def __init__(self, truths: Truths, pair: Callable[[Truth], Pair]) -> None:
        self.truths, self.pair = truths, pair
        self.info, self.listing = truths.info, truths.listing

    def __len__(self) -> int:
        return len(self.truths)

    def __iter__(self) -> Iterator[Pair]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Pair:
        """Raises `UserError` as `Truths` does, and for an input that is wrong."""
        return self.pair(self.truths[index])


def open_truths(name: str, factor: int, root: Path | None = None) -> Truths:
    """Open a test set by name or alias; ``sample`` needs no data root.

    Raises `UserError` when the name is unknown, the data root missing, the set not under it, its folders confused, or
    its number of pictures not the published one.
    """
    info = resolve(name)
    if info.key == "sample":
        return Truths(info, factor, _sample_items())
    folder = _folder(info, root)
    items = list_items(folder, factor)
    if len(items) != info.pictures:
        raise UserError(
            f"{folder}: {len(items)} pictures, expected the {info.pictures} of {info.name}, so a mean "
            f"would not compare with anybody's.{_name_gaps(info, items)}"
        )
    return Truths(info, factor, items)


def available(root: Path | None) -> list[str]:
    """Keys of the sets whose folder is under the data root; ``["sample"]`` when there are none."""
    if root is None:
        return ["sample"]
    return [info.key for info in SETS.values() if info.key != "sample" and candidates(root, info)] or ["sample"]


def present(names: Iterable[str], root: Path | None = None) -> tuple[str, ...]:
    """Keys of the named sets, each once. Raises `UserError` when one is unknown or has no folder under the root."""
    infos = list({info.key: info for info in map(resolve, names)}.values())
    for info in infos:
        if info.key != "sample":
            _folder(info, root)
    return tuple(info.key for info in infos)


def combined_sha256(hashes: Iterable[str]) -> str:
    """One hash for a set from its pairs' hashes, in any order."""
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


def _folder(info: SetInfo, root: Path | None) -> Path:
    """A set's folder under the data root, which must be given."""
    if root is None:
        raise UserError(
            f"{info.name} needs a data root: give --data-root or set {DATA_VARIABLE}. {info.how_to_get} "
            "Without data, the set 'sample' can be used."
        )
    return find_set(root, info)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # reading it will say what is wrong
        return -1


def _name_gaps(info: SetInfo, items: list[Item]) -> str:
    known = manifest.load().get(info.key)
    if not known:
        return ""
    names = {item.name.lower() for item in items}
    missing, extra = sorted(known.keys() - names), sorted(names - known.keys())
    if len(missing) == len(known):  # another naming scheme: every name would be listed
        return ""
    return "".join(
        f" {label}: {', '.join(some[:8])}{' ...' if len(some) > 8 else ''}."
        for label, some in (("Missing", missing), ("Not part of it", extra))
        if some
    )


def _sample_items() -> list[Item]:
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    files = [folder / name for name in SAMPLE_FILES]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"scikit-image {skimage.__version__} does not ship {', '.join(missing)}, of which the set "
            "'sample' is made. Install scikit-image 0.26, or give a data root."
        )
    return [Item(file.stem, file, None) for file in files]


def _centre(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]
