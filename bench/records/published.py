"""Published numbers with their source, read strictly from ``results/published/*.csv``.

They are shown beside measured numbers with the difference. Nothing here enters a score.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.contract import KEY_PATTERN, UserError

FOLDER = Path(__file__).parents[2] / "results" / "published"
KEY = rf"^(?:{KEY_PATTERN.pattern})?$"

Bits = Literal["ternary"] | int | None
PREFERENCE = ("frb_paper", "bbcu_figure", "e2fif_paper", "pams_paper", "quantsr_slides", "frb_slides")
"""Which source is quoted in a table when several print the same cell: papers first, slides last."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(_Row):
    """A publication whose figures are quoted."""

    paper: str = Field(pattern=KEY, min_length=1)
    citation: str = Field(min_length=1)
    year: int = Field(ge=1990, le=2100)
    url: str = Field(pattern=r"^(https?://\S+)?$")
    how_read: str = Field(min_length=1)


class Published(_Row):
    """One method, scale and data set of one published super-resolution table."""

    paper: str = Field(pattern=KEY, min_length=1)
    table: str = Field(min_length=1)
    """Number of the table in the source."""
    method: str = Field(min_length=1)
    """As printed."""
    algo: str = Field(pattern=KEY)
    """Key of our algorithm, with a ``+`` behind it where the row is self-ensembled; empty when it is none of ours."""
    network: str
    """Backbone as printed; papers use one name for different networks."""
    backbone: str = Field(pattern=KEY)
    """Key of our backbone with the same layout; empty when there is none, ``none`` for bicubic."""
    scale: Literal[2, 3, 4]
    bits_w: Bits
    bits_a: Bits
    dataset: Literal["set5", "set14", "b100", "urban100", "manga109", ""]
    """Empty in rows that only state complexity."""
    psnr_db: float | None
    """PSNR in dB on the luma channel; in rows of kind ``gap`` a difference in dB."""
    ssim: float | None
    params_k: float | None = Field(ge=0)
    """Parameters in thousands under the source's own convention."""
    ops_g: float | None = Field(ge=0)
    """Operations in units of 1e9 under the source's own convention."""
    kind: Literal["value", "ablation", "gap", "suspect"]
    """Only ``value`` rows are compared: ``gap`` is a difference, ``suspect`` a printing error (see the note)."""
    note: str


class Matting(_Row):
    """One row of a published video-matting table: binarization outside super-resolution, for reference."""

    paper: str = Field(pattern=KEY, min_length=1)
    table: str = Field(min_length=1)
    dataset: Literal["VM", "D646", "AIM"]
    resolution: str
    method: str = Field(min_length=1)
    bits: int = Field(ge=1, le=32)
    flops_g: float = Field(ge=0)
    params_m: float = Field(ge=0)
    mad: float | None
    sad: float | None
    mse: float | None
    grad: float | None
    conn: float | None
    dtssd: float | None
    fg_mse: float | None
    note: str


Row = TypeVar("Row", bound=_Row)


def load(folder: Path = FOLDER) -> list[Published]:
    """All published super-resolution rows, file by file in name order.

    Raises `UserError` naming file, line and column of the first row that breaks the schema or cites an unknown source.
    """
    known = sources(folder)
    rows: list[Published] = []
    for path in _files(folder):
        if path.name != "sources.csv" and not path.name.startswith("bimatting"):
            rows += _read(path, Published, set(known))
    return rows


def load_matting(folder: Path = FOLDER) -> list[Matting]:
    """All published video-matting rows; the same checks as `load`."""
    known = set(sources(folder))
    return [row for path in _files(folder) if path.name.startswith("bimatting") for row in _read(path, Matting, known)]


def sources(folder: Path = FOLDER) -> dict[str, Source]:
    """Source key -> publication, from ``sources.csv``."""
    return {source.paper: source for source in _read(folder / "sources.csv", Source, None)}


def matching(
    rows: Iterable[Published], algo: str, backbone: str, scale: int, dataset: str, bits: tuple[int, int]
) -> list[Published]:
    """Published values of the same method, network layout, scale, data set and bits (W, A), preferred source first.

    A data set that ends in ``+`` asks for the method with self-ensemble.
    """
    algo, dataset = (f"{algo}+", dataset[:-1]) if dataset.endswith("+") else (algo, dataset)
    found = [
        row
        for row in rows
        if row.kind == "value"
        and (row.algo, row.backbone, row.scale, row.dataset) == (algo, backbone, scale, dataset)
        and (row.bits_w is None or (row.bits_w, row.bits_a) == bits)
        and row.psnr_db is not None
    ]
    order = {paper: place for place, paper in enumerate(PREFERENCE)}
    return sorted(found, key=lambda row: order.get(row.paper, len(order)))


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UserError(f"no published numbers in {folder}: expected *.csv. Restore the folder from the repository.")
    return files


def _read(path: Path, model: type[Row], known: set[str] | None) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _check_header(path, header, list(model.model_fields))
            return [_row(path, reader.line_num, header, values, model, known) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}). Expected a UTF-8 CSV file.") from error


def _check_header(path: Path, header: Sequence[str], expected: Sequence[str]) -> None:
    if list(header) != list(expected):
        raise UserError(f"{path}, line 1: columns {','.join(header)!r}, expected {','.join(expected)!r}.")


def _row(
    path: Path, line: int, header: Sequence[str], values: Sequence[str], model: type[Row], known: set[str] | None
) -> Row:
    if len(values) != len(header):
        raise UserError(f"{path}, line {line}: {len(values)} columns, expected {len(header)} ({', '.join(header)}).")
    cells = {name: _parse(text, name, model) for name, text in zip(header, values, strict=True)}
    try:
        row = model(**cells)
    except ValidationError as error:
        first = error.errors()[0]
        column = str(first["loc"][0])
        got = dict(zip(header, values, strict=True))[column]
        raise UserError(
            f"{path}, line {line}, column {column}: got {got!r}, expected: {first['msg']}. Correct the cell."
        ) from error
    if known is not None and row.paper not in known:  # type: ignore[attr-defined]
        raise UserError(
            f"{path}, line {line}, column paper: got {cells['paper']!r}, expected a source listed in sources.csv "
            f"({', '.join(sorted(known))})."
        )
    return row


def _parse(text: str, column: str, model: type[_Row]) -> object:
    """CSV holds text only: empty means unknown, and digits become numbers where the column holds numbers."""
    if model.model_fields[column].annotation is str or column == "dataset":
        return text
    if text == "":
        return None
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
