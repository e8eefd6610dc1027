"""From records to tables and pages. Needs no torch and changes no number.

What a format needs is imported when it is made, so that a broken package costs that format alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contract import Card, UserError
from bench.contract.atomic_files import write_atomic
from bench.records.merging import conflicts, key, slow_nodes
from bench.records.record import Record
from bench.records.store import Loaded, load
from bench.scoring.rule import ScoringRule
from reports.formats import formats
from reports.known import Known
from reports.known import known as everything_known
from reports.tables import track_table, tracks_in

if TYPE_CHECKING:
    from reports.board import Board
    from reports.crops import Crops
    from reports.html import Links
    from reports.table import Table

FILES = {"html": "index.html", **{name: made.FILE for name, made in formats().items()}}
"""Format -> name of the file it makes."""
SITE = "site"
"""The format of several pages: the leaderboard, each method, each track."""


def table_text(
    records: Sequence[Record],
    track: str,
    cards: Mapping[str, Card] | None = None,
    width: int | None = None,
    colour: bool = False,
) -> str:
    """The table of one track as text for a terminal. ``cards`` adds methods that are not installed.

    ``width`` and ``colour`` as in `reports.console.console_text`.
    """
    from reports.console import console_text

    return console_text(track_table(records, track, everything_known(cards, records)), width, colour)


def build(
    store_dirs: Sequence[Path], out: Path, formats: Sequence[str], cards: Mapping[str, Card] | None = None,
    crops: Collection[str] | None = None,
) -> list[Path]:  # fmt: skip
    """Make pages from all records of the stores; where two stores hold the same cell and seed, the later store counts.

    Args:
        store_dirs: Folders of records.
        out: Folder for the pages; made if need be.
        formats: Some of ``html``, ``latex``, ``md``, ``site``.
        cards: Further methods, beside those installed.
        crops: Data sets of which enlarged parts of saved pictures are shown; None shows all that were saved. Pictures
            of published sets may not be passed on: a page for others shows ``sample`` alone.

    Returns:
        The files written, in the order of ``formats``, a site's last.

    Raises:
        UserError: an unknown format, no records, or a folder that cannot be written.
    """
    for name in formats:
        if name not in (*FILES, SITE):
            raise UserError(f"unknown report format {name!r}. Known: {', '.join((*FILES, SITE))}.")
    loaded = load(store_dirs)
    records = latest(loaded.records)
    if not records:
        raise UserError(f"no records in {', '.join(map(str, store_dirs))}. Run a track first, or name another --store.")
    material = _Material(records, everything_known(cards, records), [*map(str, loaded.problems), *remarks(loaded)])
    single = [name for name in formats if name != SITE]
    written = [_write(out / FILES[name], _text(name, material, store_dirs, crops)) for name in single]
    if SITE in formats:
        written += [_write(out / name, text) for name, text in _site(material, store_dirs, crops).items()]
    return written


class _Material:
    """What every format is made of; tables and boards are made once."""

    def __init__(self, records: Sequence[Record], known: Known, problems: Sequence[str]) -> None:
        self.records, self.known, self.problems = records, known, problems

    @cached_property
    def tables(self) -> list[Table]:
        return [track_table(self.records, track, self.known) for track in tracks_in(self.records)]

    @cached_property
    def boards(self) -> list[Board]:
        from reports.board import boards

        return boards(self.records, ScoringRule(), self.known)


def _text(name: str, material: _Material, stores: Sequence[Path], crops: Collection[str] | None) -> str:
    """One of the formats that are a single file."""
    tables = (material.boards[0].table, *material.tables)
    if (made_of_tables := formats().get(name)) is not None:
        return made_of_tables.text(tables)
    return _page(material, _pictures(material, stores, crops))


def _site(material: _Material, stores: Sequence[Path], crops: Collection[str] | None) -> dict[str, str]:
    """Every page of a site by its path."""
    from reports.site import site_links, site_pages

    pictures = _pictures(material, stores, crops)
    pages = site_pages(material.records, material.tables, material.known, pictures)
    first = _page(material, pictures, site_links(material.records, material.known, pages))
    return {FILES["html"]: first, **pages}


def _page(material: _Material, pictures: Crops, links: Links | None = None) -> str:
    from reports.html import page

    return page(
        material.records, material.tables, material.boards, ScoringRule(), material.known, material.problems, links,
        pictures,
    )  # fmt: skip


def _pictures(material: _Material, stores: Sequence[Path], crops: Collection[str] | None) -> Crops:
    from reports.album import Album
    from reports.crops import crop_rows

    return crop_rows(material.records, Album(stores), material.known, crops)


def remarks(loaded: Loaded) -> list[str]:
    """What a reader of several stores must know: where they disagree, and which node is slow."""
    return [*conflicts(loaded), *slow_nodes(latest(loaded.records))]


def latest(records: Sequence[Record]) -> list[Record]:
    """One record for each cell, seed and machine: the last of those given. In a fixed order."""
    chosen = {key(record): record for record in records}
    return [chosen[key] for key in sorted(chosen)]


def _write(path: Path, text: str) -> Path:
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Free the folder or choose another with --out."
        ) from None
    return path
