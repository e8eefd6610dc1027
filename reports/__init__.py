"""From records to tables and pages. Needs no torch and changes no number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bench.files import write_atomic
from bench.nouns import Card, UserError
from bench.record import Record
from bench.scoring import ScoringRule
from bench.store import load
from reports.album import Album
from reports.board import boards
from reports.console import console_text, markdown_text
from reports.crops import NONE, crop_rows
from reports.html import page
from reports.known import known as everything_known
from reports.latex import latex_document
from reports.site import site_links, site_pages
from reports.tables import track_table, tracks_in

FILES = {"html": "index.html", "latex": "tables.tex", "md": "tables.md"}
"""Format -> name of the file it makes."""
SITE = "site"
"""The format of several pages: the leaderboard, each method, each track."""


def console(records: Sequence[Record], track: str, cards: Mapping[str, Card] | None = None) -> str:
    """The table of one track as text for a terminal. ``cards`` adds methods that are not installed."""
    return console_text(track_table(records, track, everything_known(cards, records)))


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
    known = everything_known(cards, records)
    rule = ScoringRule()
    scored = boards(records, rule, known)
    tables = [track_table(records, track, known) for track in tracks_in(records)]
    problems = [str(problem) for problem in loaded.problems]
    pictures = crop_rows(records, Album(store_dirs), known, crops) if {"html", SITE} & set(formats) else NONE
    texts = {
        "html": lambda: page(records, tables, scored, rule, known, problems, crops=pictures),
        "latex": lambda: latex_document([scored[0].table, *tables]),
        "md": lambda: "\n".join(markdown_text(table) for table in (scored[0].table, *tables)),
    }
    written = [_write(out / FILES[name], texts[name]()) for name in formats if name != SITE]
    if SITE in formats:
        pages = site_pages(records, tables, known, pictures)
        first = page(records, tables, scored, rule, known, problems, site_links(records, known, pages), pictures)
        written += [_write(out / name, text) for name, text in {FILES["html"]: first, **pages}.items()]
    return written


def latest(records: Sequence[Record]) -> list[Record]:
    """One record for each cell, seed and machine: the last of those given. In a fixed order."""
    chosen = {
        (record.cell, record.provenance.seed, record.provenance.machine.id if record.machine_bound else ""): record
        for record in records
    }
    return [chosen[key] for key in sorted(chosen)]


def _write(path: Path, text: str) -> Path:
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Free the folder or choose another with --out."
        ) from None
    return path
