"""One reader of picture folders, for training and for testing: names of files and folders, links, copies, DIV2K.

A low-resolution copy is known by its name: ``babyx2``, ``baby_x2``, ``baby-x2``, ``baby_LR``, ``baby_LRBI_x2``; or by
its folder's: ``LR``, ``LR_bicubic``, ``LR_x2``, ``LRbicx2``, ``X2``, ``DIV2K_train_LR_bicubic``. Case does not matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.contract import UserError
from bench.pictures.images import SUFFIXES

_LR_STEM = re.compile(r"(?P<name>.+?)(?P<lr>[_-]lr(?:bi|bd|dn)?)?(?P<by>[_-]?x(?P<scale>[2-8]))?", re.IGNORECASE)
_HR_STEM = re.compile(r"(?P<name>.+?)[_-]hr(?:[_-]?x[2-8])?", re.IGNORECASE)
_LR_FOLDER = re.compile(r"(?:.*_)?lr(?:[_-]?(?:bic|bi|x\d|mild|wild|difficult|unknown).*)?|x[2-8]", re.IGNORECASE)
_VALIDATION = re.compile(r"(?P<set>.*)_valid_hr", re.IGNORECASE)


def folders_in(folder: Path) -> list[Path]:
    """Folders directly inside, without hidden ones, in name order."""
    return [path for path in _entries(folder) if path.is_dir() and not path.name.startswith(".")]


def pictures_in(folder: Path) -> list[Path]:
    """Pictures directly inside, by their endings, without hidden ones, in name order."""
    return [path for path in _entries(folder) if _is_picture(path) and not path.is_dir()]


def lr_name(stem: str, scale: int | None = None) -> str:
    """The picture that a low-resolution file is a copy of, by its name; empty where the name says nothing of a copy.

    With ``scale``, a name that speaks of another scale is no name of a copy.
    """
    found = _LR_STEM.fullmatch(stem)
    if found is None or not (found["lr"] or found["by"]):
        return ""
    return found["name"] if scale is None or found["scale"] in (None, str(scale)) else ""


def hr_name(stem: str) -> str:
    """The picture's name without the ``_HR`` or ``_HR_x2`` that some sets put behind it."""
    found = _HR_STEM.fullmatch(stem)
    return found["name"] if found else stem


def is_lr_folder(name: str) -> bool:
    """True for a folder that holds low-resolution copies, by its name."""
    return _LR_FOLDER.fullmatch(name) is not None


def training_pictures(folder: Path, note: Callable[[str], None]) -> list[Path]:
    """Every ground-truth picture under a folder, searched deeply, links followed, in name order.

    Left out, each told to ``note``: low-resolution copies, the validation part of DIV2K and its like beside the
    training part, and a second way to the same file.

    Raises:
        UserError: no such folder, a link that leads nowhere, or no picture.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Give a folder of pictures.")
    found, files = [*_walk(folder, set(), note)], {}
    for path in sorted(found):
        first = files.setdefault(path.resolve(), path)
        if first is not path:
            note(f"{path} is the same file as {first}: taken once")
    if not files:
        raise UserError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}). Give the folder that does.")
    return sorted(files.values())


def _walk(folder: Path, seen: set[Path], note: Callable[[str], None]) -> Iterator[Path]:
    seen.add(folder.resolve())
    yield from _originals(folder, note)
    inside = folders_in(folder)
    names = {path.name.lower() for path in inside}
    for path in inside:
        kept = _VALIDATION.fullmatch(path.name)
        if is_lr_folder(path.name):
            note(f"{path}: low-resolution copies, left out")
        elif kept and f"{kept['set']}_train_hr".lower() in names:
            note(f"{path}: the validation part, left out (--validate {path} scores on it)")
        elif path.resolve() not in seen:
            yield from _walk(path, seen, note)
        else:
            note(f"{path}: a link to {path.resolve()}, which is read already, left out")


def _originals(folder: Path, note: Callable[[str], None]) -> list[Path]:
    """Pictures directly inside without the copies of others among them. Raises UserError for a link without an end."""
    for path in _entries(folder):
        if path.is_symlink() and not path.exists():
            raise UserError(f"{path}: a symbolic link that leads nowhere. Remove or repair it.")
    pictures = pictures_in(folder)
    names = {hr_name(path.stem).lower() for path in pictures}
    copies = [path for path in pictures if lr_name(path.stem).lower() in names]
    if copies:
        note(f"{folder}: {len(copies)} low-resolution copies ({copies[0].name} ...) beside their originals, left out")
    return [path for path in pictures if path not in copies]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder / name for name in os.listdir(folder))
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror}). Check its permissions.") from error
