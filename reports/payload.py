"""What the page's program reads: tables, scores, methods and provenance as compact JSON."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.plan.command import command
from bench.records.conditions import Conditions
from bench.records.record import Record, canonical
from bench.scoring import PARTS
from reports.board import Board
from reports.flags import legend
from reports.known import Known, backbone_title
from reports.origins import code_url
from reports.table import Column, Entry, Row, Table
from reports.text import LATEX, PREAMBLE, clean, fixed, safe_url

MOST_SAMPLES = 8000
"""More numbers than these stay in the record files, so that a page stays small."""
SERIES = 2
"""Series of samples shown for a record."""
DERIVED = ("method", "bits", "backbone", "scale", "case", "machine", "paper", "year", "code")
"""Columns whose entries the page takes from the row itself."""


class Pool:
    """Values that many records share, kept once; records hold their places."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        key = canonical(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


@dataclass(frozen=True)
class Shared:
    """Pools of all tables: where published values stand, and notes."""

    places: Pool
    notes: Pool


def page_data(records: Sequence[Record], tables: Sequence[Table], boards: Sequence[Board], known: Known) -> dict:
    """Everything that the page shows besides words and charts. Untrusted text has been cleaned, not escaped."""
    facts, lists, words, pool = Pool(), Pool(), Pool(), Shared(Pool(), Pool())
    numbers = sum(len(series) for record in records for series in _series(record).values())
    keep = numbers <= MOST_SAMPLES
    return {
        "methods": {algo: _method(algo, known) for algo in sorted({record.cell.algo for record in records})},
        "backbones": {name: backbone_title(name) for name in sorted({record.cell.backbone for record in records})},
        "tables": [{"key": table.key, "columns": _columns(table), "rows": _rows(table, pool)} for table in tables],
        "boards": [_board(board, pool) for board in boards],
        "boardColumns": _columns(boards[0].table) if boards else [],
        "parts": [{"key": part.key, "title": part.title, "help": part.help} for part in PARTS],
        "weights": dict(boards[0].scores.rule.weights) if boards else {},
        "presets": {name: dict(w) for name, w in boards[0].scores.rule.weight_presets.items()} if boards else {},
        "records": [_record(record, known, (facts, lists, words), keep) for record in records],
        "facts": facts.values,
        "factLists": lists.values,
        "words": words.values,
        "places": pool.places.values,
        "notes": pool.notes.values,
        "sources": {key: [clean(source.citation), safe_url(source.url)] for key, source in known.sources.items()},
        "latex": LATEX,
        "preamble": PREAMBLE,
        "flags": _flags(tables),
        "required": list(boards[0].scores.rule.required) if boards else [],
        "samplesLeftOut": not keep,
    }


def _method(algo: str, known: Known) -> dict[str, Any]:
    card = known.cards.get(algo)
    named = {"name": known.method(algo), "family": known.family(algo), "bits": known.bits(algo)}
    if algo in known.untrained:
        named["bare"] = True
    if card is None:
        return {**named, "facts": []}
    deploy = "; ".join(f"{runtime}: {reason or 'yes'}" for runtime, reason in card.deploy.items())
    facts = {
        "Bases": str(card.bases) if card.bases > 1 else "",
        "Formula": clean(card.formula, 300),
        "Source of the facts": clean(card.provenance, 600),
        "Deployable": clean(deploy, 300),
    }
    about = {"paper": clean(card.paper, 300), "year": card.year, "url": safe_url(card.url), "code": code_url(card.url)}
    return {**named, **about, "facts": [[k, v] for k, v in facts.items() if v]}


def _flags(tables: Sequence[Table]) -> dict[str, str]:
    """Flag -> what it says."""
    return dict(legend(flag for table in tables for row in table.rows for flag in row.flags))


def _columns(table: Table) -> list[dict[str, Any]]:
    return [_column(column) for column in table.columns]


def _rows(table: Table, pool: Shared) -> list[dict[str, Any]]:
    return [_row(row, table.columns, pool) for row in table.rows]


def _board(board: Board, pool: Shared) -> dict[str, Any]:
    rows = board.scores.rows
    return {
        "scope": board.scope.key,
        "title": board.scope.title,
        "rows": [*_rows(board.table, pool), *_rows(replace(board.rest, columns=board.table.columns), pool)],
        "scaled": {row.algo: {key: round(value, 9) for key, value in row.scaled.items()} for row in rows},
        "unranked": [row.algo for row in rows if row.reference],
    }


def _column(column: Column) -> dict[str, Any]:
    facts = {
        "key": column.key, "title": column.title, "help": column.help, "unit": column.unit, "group": column.group,
        "better": "" if column.better == "neither" else column.better, "digits": column.digits, "text": column.text,
        "hidden": not column.shown, "roomy": column.roomy,
    }  # fmt: skip
    return {key: value for key, value in facts.items() if value not in ("", False)}


def _row(row: Row, columns: Iterable[Column], pool: Shared) -> dict[str, Any]:
    usual = ".".join(filter(None, [row.algo, row.backbone, f"x{row.scale}" if row.scale else "", row.case]))
    own = [column for column in columns if column.key not in DERIVED]
    facts = {
        "id": "" if row.id == usual else row.id, "m": row.algo, "b": row.backbone, "s": row.scale, "c": row.case,
        "f": list(row.flags), "r": ranges(row.records), "ref": row.reference, "at": row.machine,
        "t": list(row.threads), "g": row.budget,
        "e": [_entry(row.entries.get(column.key, Entry()), column, pool) for column in own],
    }  # fmt: skip
    return {key: value for key, value in facts.items() if value not in ("", 0, [], False)}


def _entry(entry: Entry, column: Column, pool: Shared) -> Any:
    value = number(entry.value, column.digits) if isinstance(entry.value, float) else entry.value
    facts: dict[str, Any] = {"v": value}
    if entry.note:
        facts["n"] = pool.notes.place(entry.note)
    if entry.spread is not None:
        facts["s"] = number(entry.spread, column.digits)
    if entry.change is not None:
        facts["d"] = number(entry.change, 1)
    if entry.barred:
        facts["o"] = 1
    if entry.mark:
        facts["k"] = 1 if entry.mark == "best" else 2
    if entry.quotes:
        facts["p"] = [[q.value, pool.places.place([q.source, clean(q.where, 120)])] for q in entry.quotes]
    return value if len(facts) == 1 else facts


def ranges(places: Iterable[int]) -> list[int]:
    """Runs of consecutive numbers as first, length, first, length ..."""
    runs: list[int] = []
    for place in sorted(places):
        if runs and place == runs[-2] + runs[-1]:
            runs[-1] += 1
        else:
            runs += [place, 1]
    return runs


def number(value: float, digits: int) -> float:
    """The value with a few digits more than are printed, so that it still prints as the full value does."""
    if digits >= 6:
        return float(f"{value:.4g}") if fixed(float(f"{value:.4g}"), digits) == fixed(value, digits) else value
    for more in (2, 4, 8):
        short = round(value, digits + more)
        if fixed(short, digits) == fixed(value, digits):
            return short
    return value


def _record(record: Record, known: Known, pools: tuple[Pool, Pool, Pool], samples: bool) -> list[Any]:
    """[case, provenance, six pieces of the command, and a status other than ok, kernels and samples if any]"""
    facts, lists, words = pools
    made = command(record, known.cards.get(record.cell.algo))
    pieces = (made.environment, made.algo, made.track, made.backbone, made.level, made.options)
    told = {
        "why": "" if record.status == "ok" else clean(f"{record.status}: {record.reason}", 1000),
        "k": [[clean(name, 40), count] for name, count in Counter(record.kernels.values()).items()],
        "t": _series(record) if samples else {},
    }
    return [
        words.place(record.cell.case),
        lists.place([facts.place([name, value]) for name, value in provenance(record).items()]),
        *(words.place(piece) for piece in pieces),
        *([more] if (more := {key: value for key, value in told.items() if value}) else []),
    ]


def _series(record: Record) -> dict[str, list[float]]:
    """The first few series of samples, to four significant digits."""
    chosen = list(record.samples.items())[:SERIES]
    return {clean(key, 40): [float(f"{value:.4g}") for value in values] for key, values in chosen if values}


def _conditions(told: Conditions | None) -> str:
    """Under what a timing was taken, in one line."""
    if told is None:
        return ""
    beside = None if told.busy_beside is None else f"{told.busy_beside:g} CPUs busy beside it"
    parts = [
        f"node {told.host}", f"{told.cpus_allowed:g} CPUs allowed ({told.cpus})", beside,
        f"load {told.load_before:g} before and {told.load_after:g} after",
        told.governor and f"governor {told.governor}", told.job and f"job {told.job}",
        told.restarts and f"restarted {told.restarts} times",
    ]  # fmt: skip
    return ", ".join(part for part in parts if part)


def provenance(record: Record) -> dict[str, str]:
    """Where a record comes from, as lines of name and value. Hashes are cut to sixteen digits."""
    made, machine = record.provenance, record.provenance.machine
    state = {True: " with uncommitted changes", False: "", None: ""}[made.dirty]
    settings = ", ".join(f"{key}={shlex.quote(str(value))}" for key, value in made.settings.items())
    lines = {
        "Finished": made.utc,
        "Commit": f"{(made.commit or 'unknown')[:12]}{state}",
        "Version": made.version,
        "Track version": str(made.track_version),
        "Protocol": made.protocol or "",
        "Machine": f"{machine.id}: {machine.cpu}, {machine.cores} cores, {machine.arch}, {machine.system}",
        "Conditions": _conditions(made.conditions),
        "Instruction sets": " ".join(made.isa),
        "Device": f"{made.device}, {made.threads} thread{'s' if made.threads != 1 else ''}",
        "Seed": str(made.seed),
        "Settings": settings,
        "Packages": ", ".join(f"{name} {version}" for name, version in made.packages.items()),
        "Weights": (made.weights_sha256 or "")[:16],
        "Data": (made.dataset_sha256 or "")[:16],
        "Method's code": made.adapter_sha256[:16],
        "Runtime's code": (made.native_sha256 or "")[:16],
        "Fingerprint": made.fingerprint[:16],
    }
    return {name: clean(value, 400) for name, value in lines.items() if value}
