"""Finding the pictures of a test set in the folder layouts that are in use.

=============  ======================================================================================
EDSR, RCAN     ``Set5/HR/baby.png`` and ``Set5/LR_bicubic/X2/babyx2.png`` (``LR/X2``, ``LR_x2``, ``X2``; plain names
               too, and ``baby_HR_x2.png`` with ``baby_LRBI_x2.png``)
BasicSR, KAIR  ``Set5/GTmod12/baby.png`` (or ``GT``, ``original``) and ``Set5/LRbicx2/baby.png``
SelfExSR       ``Set5/image_SRF_2/img_001_SRF_2_HR.png`` and ``..._LR.png``
plain          ``Set5/baby.png``
=============  ======================================================================================

Names of folders are compared without case. Hidden files and files that are no pictures by their ending are skipped.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bench.contract import UserError
from bench.pictures.catalog import SetInfo
from bench.pictures.folders import folders_in, hr_name, lr_name, pictures_in
from bench.pictures.images import picture_size

HR_FOLDERS = ("hr", "gt", "original", "gtmod12")
_SRF_FOLDER = re.compile(r"image_srf_(\d+)", re.IGNORECASE)
_SRF_FILE = re.compile(r"(?P<name>.+)_srf_(?P<scale>\d+)_(?P<kind>hr|lr)", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One picture of a set on disk."""

    name: str
    hr: Path
    lr: Path | None
    """The data set's own low-resolution file for the scale; None: it has to be made."""


def candidates(root: Path, info: SetInfo) -> list[Path]:
    """Folders under a data root that carry the set's name: ``root/Set5``, ``root/benchmark/Set5``, or the root itself.

    Raises `UserError` when the root is no folder.
    """
    if not root.is_dir():
        raise UserError(f"data root {root}: no such folder. Give the folder that holds {info.name}/ and the like.")
    wanted = {name.lower() for name in (info.key, info.name, *info.aliases)}
    parents = [root, *(path for path in folders_in(root) if path.name.lower() == "benchmark")]
    found = [path for parent in parents for path in folders_in(parent) if path.name.lower() in wanted]
    return found or ([root] if root.resolve().name.lower() in wanted else [])


def find_set(root: Path, info: SetInfo) -> Path:
    """The set's folder under a data root. Raises `UserError` when there is none, or more than one."""
    found = candidates(root, info)
    if not found:
        there = ", ".join(path.name for path in folders_in(root)[:12]) or "no folders"
        raise UserError(
            f"{root} has no {info.name}: found {there}, expected a folder named "
            f"{' or '.join((info.name, *info.aliases))}. {info.how_to_get}"
        )
    if len(found) > 1:
        raise UserError(f"{info.name} is there more than once: {', '.join(map(str, found))}. Keep one.")
    return found[0]


def list_items(folder: Path, scale: int) -> list[Item]:
    """The pictures of a set for one scale, sorted by name.

    Raises `UserError` for an empty folder and for mixed content: two layouts at once, two files for one picture,
    low-resolution files beside their originals, or a low-resolution folder that lacks pictures.
    """
    children = {path.name.lower(): path for path in folders_in(folder)}
    srf = {int(m[1]): path for name, path in children.items() if (m := _SRF_FOLDER.fullmatch(name))}
    hr_folders = [children[name] for name in HR_FOLDERS if name in children]
    loose = pictures_in(folder)
    layouts = [
        name
        for name, there in (
            ("image_SRF_*", srf),
            ("/".join(p.name for p in hr_folders), hr_folders),
            ("pictures directly inside", loose),
        )
        if there
    ]
    if len(layouts) > 1:
        raise UserError(
            f"{folder}: mixed content ({' and '.join(layouts)}), so it is not clear which pictures count. "
            "Keep one layout."
        )
    if srf:
        return _self_ex_sr(srf, scale)
    hr_folder = hr_folders[0] if hr_folders else folder
    originals = {hr_name(stem): path for stem, path in _by_stem(hr_folder).items()}
    if not originals:
        raise UserError(
            f"{hr_folder}: no pictures. Expected {folder.name}/HR/*.png, {folder.name}/image_SRF_*/ or "
            f"{folder.name}/*.png."
        )
    _refuse_lr_among(originals, hr_folder)
    reduced = _lr_files(folder, children, scale)
    missing = sorted(originals.keys() - reduced.keys()) if reduced else []
    if missing:
        raise UserError(
            f"{next(iter(reduced.values())).parent}: no low-resolution file for {', '.join(missing[:5])} "
            f"({len(missing)} missing). Complete the folder, or remove it and it is made."
        )
    return [Item(name, path, reduced.get(name)) for name, path in sorted(originals.items())]


def scales_with_lr(folder: Path) -> list[int]:
    """Scales for which the folder brings its own low-resolution files."""
    children = {path.name.lower(): path for path in folders_in(folder)}
    return [
        scale
        for scale in range(2, 9)
        if f"image_srf_{scale}" in children or _lr_folder(folder, children, scale) is not None
    ]


def _self_ex_sr(srf: dict[int, Path], scale: int) -> list[Item]:
    """The ground truth is the largest copy of a picture: the others are cropped, or (Urban100, x2) halved."""
    hr: dict[str, dict[int, Path]] = defaultdict(dict)
    lr: dict[str, dict[int, Path]] = defaultdict(dict)
    for path in (path for folder in srf.values() for path in pictures_in(folder)):
        if (m := _SRF_FILE.fullmatch(path.stem)) is not None:
            (hr if m["kind"].lower() == "hr" else lr)[m["name"].lower()][int(m["scale"])] = path
    if not hr:
        raise UserError(f"{next(iter(srf.values()))}: no *_SRF_*_HR files. Get the set again.")
    items = []
    for name, copies in sorted(hr.items()):
        sizes = {s: picture_size(path) for s, path in copies.items()}
        largest = max(sizes, key=lambda s: (sizes[s][0] * sizes[s][1], s == scale))
        expected = tuple(side // scale for side in sizes[largest])
        own = lr[name].get(scale)
        items.append(Item(name, copies[largest], own if own and picture_size(own) == expected else None))
    return items


def _lr_folder(folder: Path, children: dict[str, Path], scale: int) -> Path | None:
    for parent in ("lr_bicubic", "lr"):
        if parent in children:
            for path in folders_in(children[parent]):
                if path.name.lower() == f"x{scale}":
                    return path
    names = (f"lrbicx{scale}", f"lr_bicubic_x{scale}", f"lr_x{scale}", f"lrx{scale}", f"x{scale}")
    return next((children[name] for name in names if name in children), None)


def _lr_files(folder: Path, children: dict[str, Path], scale: int) -> dict[str, Path]:
    found = _lr_folder(folder, children, scale)
    if found is None:
        return {}
    files = {}
    for stem, path in _by_stem(found).items():
        files[lr_name(stem, scale) or stem] = path
    if not files:
        raise UserError(f"{found}: no pictures. Fill the folder, or remove it and it is made.")
    return files


def _refuse_lr_among(originals: dict[str, Path], folder: Path) -> None:
    for stem in originals:
        if lr_name(stem) in originals or _SRF_FILE.fullmatch(stem):
            raise UserError(
                f"{folder}: {originals[stem].name} looks like a low-resolution copy beside the originals. "
                f"Put originals into HR/ and copies into LR_bicubic/X2/ and so on."
            )


def _by_stem(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in pictures_in(folder):
        other = files.setdefault(path.stem.lower(), path)
        if other is not path:
            raise UserError(f"{folder}: {other.name} and {path.name} claim to be the same picture. Keep one.")
    return files
