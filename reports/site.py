"""A small static site: the leaderboard, one page a method, one page a track. Plain files, no server needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from bench.plan.command import command
from bench.records.record import Record
from reports.agreement import TITLE, agreement_tables
from reports.crops import NONE, Crops
from reports.html import Links, environment, policy, style_sheet
from reports.known import Known
from reports.payload import provenance
from reports.table import Column, Row, Table
from reports.tables import tracks_in
from reports.text import clean, safe_url

AGREEMENT = "checks/agreement.html"


def site_pages(records: Sequence[Record], tables: Sequence[Table], known: Known, crops: Crops = NONE) -> dict[str, str]:
    """Relative path -> text of every page but the first. Algorithm and track keys are safe file names."""
    algos = sorted({record.cell.algo for record in records})
    pages = {f"methods/{algo}.html": _method(algo, records, tables, known, crops) for algo in algos}
    pages |= {f"tracks/{table.key}.html": _track(table) for table in tables}
    checked = agreement_tables(records, known)
    return pages | ({AGREEMENT: _agreement(checked)} if checked else {})


def site_links(records: Sequence[Record], known: Known, pages: Collection[str]) -> Links:
    """Where the first page leads, out of the ``pages`` there are. Keys of cells are safe names."""
    algos = sorted({record.cell.algo for record in records}, key=lambda algo: (known.family(algo), algo))
    links = {
        "Methods": [(f"methods/{algo}.html", known.method(algo)) for algo in algos],
        "Tracks": [(f"tracks/{track}.html", known.track(track)) for track in tracks_in(records)],
        "Checks": [(AGREEMENT, TITLE)],
    }
    there = {heading: [link for link in found if link[0] in pages] for heading, found in links.items()}
    return {heading: found for heading, found in there.items() if found}


def _render(template: str, title: str, **values: Any) -> str:
    style = style_sheet()
    page = environment().get_template(template)
    return page.render(title=title, style=style, policy=policy(style), **values)


def _agreement(tables: Sequence[Table]) -> str:
    return _render("agreement.html.j2", TITLE, tables=tables)


def _track(table: Table) -> str:
    return _render("track.html.j2", table.title, table=table, rows=table.rows, columns=_shown(table, table.rows))


def _method(algo: str, records: Sequence[Record], tables: Sequence[Table], known: Known, crops: Crops) -> str:
    own = [record for record in records if record.cell.algo == algo]
    card = known.cards.get(algo)
    facts = [("Key", algo), ("Bits (W/A)", known.bits(algo)), ("Family", known.family(algo))]
    if card is not None:
        deploy = "; ".join(f"{runtime}: {reason or 'yes'}" for runtime, reason in card.deploy.items())
        facts += [
            ("Bases", str(card.bases)),
            ("Year", str(card.year or "")),
            ("Paper", clean(card.paper)),
            ("Formula", clean(card.formula)),
            ("Source of the facts", clean(card.provenance)),
            ("Deployable", clean(deploy)),
        ]
    sections = []
    for table in tables:
        rows = [row for row in table.rows if row.algo == algo]
        if rows:
            sections.append({"table": table, "rows": rows, "columns": _shown(table, rows)})
    commands = dict.fromkeys(str(command(record, card)) for record in own)
    return _render(
        "method.html.j2",
        known.method(algo),
        facts=[(name, value) for name, value in facts if value],
        urls=[url for url in [safe_url(card.url) if card is not None else ""] if url],
        sections=sections,
        free=crops.free,
        crops=[own_row for row in crops.rows if (own_row := row.of(algo)) is not None],
        commands=list(commands),
        provenance=[
            {"title": f"{record.cell}, seed {record.provenance.seed}", "facts": provenance(record)} for record in own
        ],
    )


def _source(record: Record) -> str:
    return f"{record.cell}, seed {record.provenance.seed}"


def _shown(table: Table, rows: Sequence[Row]) -> list[Column]:
    """The columns shown at first, without those that are empty in all of these rows."""
    return [
        column
        for column in table.columns
        if column.shown and any(table.entry(row, column).value not in (None, "") for row in rows)
    ]
