"""Enlarged parts of pictures side by side, as super-resolution papers show them, from what the accuracy track saved.

For each data set and network, one picture and one box in it: where the networks' outputs differ most, that is the
window with the largest mean variance between them. A picture is shown only where its pixels are those that the record
vouches for, so that none stands beside a number that is not its own.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from bench.records.record import Record
from bench.records.saved_pictures import saved_pictures
from reports.album import Album, Pixels
from reports.choose import Box, choose, output_of, score, truth_hash
from reports.known import Known, backbone_title
from reports.tables import case_title
from reports.text import DASH, clean, fixed

OVERVIEW = 256
"""Longest side of the whole picture beside its parts, pixels."""
RED = (226, 30, 30)
FREE = "sample"
"""The one data set whose pictures anybody may pass on."""

Network = tuple[str, str, int]
"""(case, backbone, scale)"""


@dataclass(frozen=True)
class Crop:
    """One enlarged part with what stands beneath it."""

    algo: str
    """Empty for the ground truth."""
    name: str
    scores: str
    """PSNR / SSIM of the whole picture."""
    picture: str
    """``data:`` address of a PNG; empty where the file is missing or not the record's."""
    reference: bool = False
    flags: str = ""


@dataclass(frozen=True)
class CropRow:
    """One picture of one data set through the methods of one network."""

    title: str
    caption: str
    case: str
    backbone: str
    scale: int
    overview: str
    """``data:`` address of the whole picture, reduced, with the box."""
    crops: tuple[Crop, ...]
    """Ground truth, references, then methods by PSNR of this picture, best first."""

    def of(self, algo: str) -> CropRow | None:
        """The row for one method's page: ground truth, references and the method; None where it is not in it."""
        kept = tuple(crop for crop in self.crops if crop.reference or crop.algo in ("", algo))
        there = any(crop.algo == algo for crop in kept)
        return CropRow(**{**vars(self), "crops": kept}) if there else None


@dataclass(frozen=True)
class Crops:
    """All rows of a page, and what was vouched for but could not be shown."""

    rows: tuple[CropRow, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def free(self) -> bool:
        """True when every picture may be passed on."""
        return all(row.case.removesuffix("+") == FREE for row in self.rows)


NONE = Crops()
"""No pictures."""


def crop_rows(records: Sequence[Record], album: Album, known: Known, sets: Collection[str] | None = None) -> Crops:
    """A row for every data set and network of which pictures were saved. ``sets`` limits the data sets."""
    rows, problems = [], []
    for network, members in sorted(_networks(records, sets).items()):
        name, box = choose(members, album)
        if name:
            rows.append(_row(network, name, box, members, album, known))
        else:
            case, backbone, scale = network
            problems.append(f"{case_title(case)} \N{MULTIPLICATION SIGN}{scale}, {backbone_title(backbone)}")
    return Crops(tuple(rows), tuple(problems))


def _networks(records: Sequence[Record], sets: Collection[str] | None) -> dict[Network, list[Record]]:
    """Records with saved pictures by data set and network; a method without a network belongs to all of its scale."""
    own: dict[Network, dict[str, Record]] = {}
    free: dict[tuple[str, int], dict[str, Record]] = {}
    for record in records:
        cell = record.cell
        wanted = sets is None or cell.case.removesuffix("+") in sets
        if record.status != "ok" or cell.track != "accuracy" or not wanted or not saved_pictures(record.details):
            continue
        if cell.backbone == "none":
            free.setdefault((cell.case, cell.scale), {}).setdefault(cell.algo, record)
        else:
            own.setdefault((cell.case, cell.backbone, cell.scale), {}).setdefault(cell.algo, record)
    for case, scale in free:
        if not any(key[0] == case and key[2] == scale for key in own):
            own[case, "none", scale] = {}
    return {key: [*free.get((key[0], key[2]), {}).values(), *found.values()] for key, found in own.items()}


def _row(network: Network, name: str, box: Box, members: Sequence[Record], album: Album, known: Known) -> CropRow:
    case, backbone, scale = network
    expected = truth_hash(members, name)
    truth = album.truth(members[0].cell, name, expected)
    assert truth is not None, "the picture was chosen because it can be read"
    fitting = [record for record in _in_order(members, name, known) if _fits(record, name, expected)]
    shown = [Crop("", "Original", "PSNR / SSIM", _png(_cut(truth, box)))]
    shown += [_crop(record, name, box, truth, album, known) for record in fitting]
    left_out = [known.method(record.cell.algo) for record in members if not _fits(record, name, expected)]
    where = f"{backbone_title(backbone)} " if backbone != "none" else ""
    size = f"{box[2]} \N{MULTIPLICATION SIGN} {box[2]} pixels"
    words = [f"{clean(name, 60)}. Enlarged: the {size} in which the networks differ most."]
    words += [f"Not shown, for want of this picture with the same original: {', '.join(left_out)}."] if left_out else []
    return CropRow(
        title=f"{case_title(case)}, {where}\N{MULTIPLICATION SIGN}{scale}",
        caption=" ".join(words),
        case=case,
        backbone="" if backbone == "none" else backbone,
        scale=scale,
        overview=_overview(truth, box),
        crops=tuple(shown),
    )


def _fits(record: Record, name: str, expected: str) -> bool:
    """True for a record that saved this picture and scored it against the same original."""
    saved = saved_pictures(record.details).get(name)
    return saved is not None and saved.hr == expected


def _in_order(members: Sequence[Record], name: str, known: Known) -> list[Record]:
    """References (without a network first), then methods by PSNR of this picture, best first."""

    def place(record: Record) -> tuple[bool, bool, float, str]:
        algo = record.cell.algo
        psnr = score(record, "psnr_y", name) or 0.0
        return not known.reference(algo), record.cell.backbone != "none", -psnr, algo

    return sorted(members, key=place)


def _crop(record: Record, name: str, box: Box, truth: Pixels, album: Album, known: Known) -> Crop:
    algo = record.cell.algo
    output = output_of(record, name, album)
    usable = output is not None and output.shape == truth.shape
    values = [(score(record, key, name), digits) for key, digits in (("psnr_y", 2), ("ssim_y", 4))]
    texts = [DASH if value is None else fixed(value, digits) for value, digits in values]
    return Crop(
        algo=algo,
        name=known.method(algo),
        scores=f"{texts[0]} / {texts[1]}",
        picture=_png(_cut(output, box)) if usable and output is not None else "",
        reference=known.reference(algo),
        flags="untrained" if "untrained" in record.flags else "",
    )


def _cut(picture: Pixels, box: Box) -> Pixels:
    left, top, side = box
    return picture[top : top + side, left : left + side]


def _overview(picture: Pixels, box: Box) -> str:
    """The whole picture, reduced, with the box in red. JPEG: it shows where, and is judged by nobody."""
    image = Image.fromarray(picture)
    share = min(1.0, OVERVIEW / max(image.size))
    image = image.resize([max(1, round(length * share)) for length in image.size], Image.Resampling.LANCZOS)
    left, top, side = (value * share for value in box)
    edges = (max(0, left - 1), max(0, top - 1), min(image.width - 1, left + side), min(image.height - 1, top + side))
    ImageDraw.Draw(image).rectangle([round(edge) for edge in edges], outline=RED, width=2)
    return _address(image, "JPEG", quality=88)


def _png(pixels: Pixels) -> str:
    return _address(Image.fromarray(np.ascontiguousarray(pixels)), "PNG", optimize=True)


def _address(image: Image.Image, kind: str, **how: int | bool) -> str:
    """``data:`` address of a picture."""
    file = BytesIO()
    image.save(file, format=kind, **how)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
