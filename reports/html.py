"""The page: one self-contained file that opens from disk, without network and without a server."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.records.record import Record
from bench.scoring import PARTS, ScoringRule
from reports.board import Board
from reports.crops import NONE, Crops
from reports.flags import legend
from reports.known import Known
from reports.payload import page_data
from reports.plots import Figure, figures, rank_figure
from reports.table import Table
from reports.text import clean, safe_url
from reports.worth import worth

TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("page.css", "table.css", "drawer.css", "crops.css")
SCRIPTS = ("core.js", "table.js", "board.js", "drawer.js", "download.js", "crops.js", "main.js")
Links = Mapping[str, Sequence[tuple[str, str]]]
"""Heading -> (address relative to the page, title)"""


@dataclass(frozen=True)
class Panel:
    """One tab of the page."""

    key: str
    """A track, or a name with a leading underscore, which no track can have."""
    title: str
    template: str = "table.html.j2"
    about: str = ""
    notes: tuple[str, ...] = ()
    flags: tuple[tuple[str, str], ...] = ()
    """(flag, what it says)"""


def page(
    records: Sequence[Record], tables: Sequence[Table], boards: Sequence[Board], rule: ScoringRule, known: Known,
    problems: Sequence[str] = (), links: Links | None = None, crops: Crops = NONE,
) -> str:  # fmt: skip
    """The whole page. The same records give the same bytes. ``links``: the other pages of the site it is part of."""
    style = style_sheet()
    script = Markup("\n".join(_source(name) for name in SCRIPTS))
    charts = figures(records, known)
    ranks = [(board.scope.key, found) for board in boards if (found := rank_figure(board, known)) is not None]
    values: dict[str, Any] = {
        "style": style,
        "script": script,
        "policy": policy(style, script),
        "facts": _facts(records, known),
        "panels": _panels(tables, bool(boards), charts, crops),
        "crops": crops,
        "scored_pictures": any(table.key == "accuracy" for table in tables),
        "boards": boards,
        "figures": list(enumerate(charts)),
        "ranks": [(scope, place, figure) for place, (scope, figure) in enumerate(ranks, len(charts))],
        "rule": rule.sentences(),
        "worth": worth(records, known),
        "required": ", ".join(part.title for part in PARTS if part.key in rule.required),
        "sources": [{**source.model_dump(), "url": safe_url(source.url)} for source in known.sources.values()],
        "problems": [clean(problem) for problem in (*known.problems, *problems)],
        "links": links or {},
    }
    pictures = [figure.picture for figure in (*charts, *(figure for _, figure in ranks))]
    data = page_data(records, tables, boards, known)
    values["data"] = compressed({**data, "pictures": pictures, "site": links is not None})
    return environment().get_template("page.html.j2").render(values)


def compressed(data: Mapping[str, Any]) -> str:
    """JSON, compressed (RFC 1950), as base64: a thousand rows with their provenance stay far below 300 kB."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def environment() -> Environment:
    """Templates with every value escaped, and an error for a value that is not there."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style_sheet() -> Markup:
    """The style of all pages."""
    return Markup("\n".join(_source(name) for name in STYLES))


def _source(name: str) -> str:
    """A style sheet or script without indentation, empty lines and comment lines."""
    lines = (line.strip() for line in (TEMPLATES / name).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def policy(style: str, script: str = "") -> str:
    """Content security policy: the page's own style and script and nothing else; no network, no forms."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    scripts = f"script-src 'sha256-{digest(script)}'; " if script else ""
    return (
        f"default-src 'none'; {scripts}style-src 'sha256-{digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _panels(tables: Sequence[Table], scored: bool, charts: Sequence[Figure], crops: Crops) -> list[Panel]:
    panels = [Panel("_score", "Leaderboard", "board.html.j2")] if scored else []
    panels += [
        Panel(table.key, table.title, about=table.about, notes=table.notes, flags=_legend(table)) for table in tables
    ]
    panels += [Panel("_plots", "Plots", "plots.html.j2")] if charts else []
    panels += [Panel("_crops", "Pictures", "crops.html.j2")] if crops.rows else []
    return [*panels, Panel("_about", "About", "about.html.j2")]


def _legend(table: Table) -> tuple[tuple[str, str], ...]:
    return tuple(legend(flag for row in table.rows for flag in row.flags))


def _facts(records: Sequence[Record], known: Known) -> list[str]:
    """What the page covers, in a few words each."""
    cells = [record.cell for record in records]
    methods = {cell.algo for cell in cells}
    scales = " ".join(f"\N{MULTIPLICATION SIGN}{scale}" for scale in sorted({cell.scale for cell in cells}))
    latest = max((record.provenance.utc for record in records), default="")[:10]
    machines = sorted({record.provenance.machine.cpu for record in records if record.machine_bound})
    return [
        f"{len(methods)} methods",
        scales,
        f"{len(cells)} records",
        *(clean(machine, 60) for machine in machines[:2]),
        f"latest {latest}",
    ]
