"""What a row's numbers come from: seeds, machine, paper, code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from bench.records.record import Record
from reports.known import Known
from reports.table import Column, Entry
from reports.text import clean, safe_url

SEEDS = Column(
    "seeds",
    "Seeds",
    "Seeds behind the row. Of several: their mean, and in parentheses their standard deviation",
    text=True,
)
MACHINE = Column("machine", "Machine", "Whose timings these are; values of two machines are never compared", text=True)
PAPER = Column("paper", "Paper", "Where the method was published", text=True, shown=False)
YEAR = Column("year", "Year", "When the method was published", digits=0, shown=False)
CODE = Column("code", "Code", "Where the method's code is, as far as its card says", text=True, shown=False)
CODE_HOSTS = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "huggingface.co")
FACTS = (PAPER, YEAR, CODE)
"""Of the method; the reader asks for them."""


def origin_columns(records: Sequence[Record]) -> list[Column]:
    """Columns of a track's table; seeds and machine are shown at first where there are several."""
    several = len({record.provenance.seed for record in records}) > 1
    machines = {record.provenance.machine.id for record in records if record.machine_bound}
    return [replace(SEEDS, shown=several), replace(MACHINE, shown=len(machines) > 1), *FACTS]


def card_entries(algo: str, known: Known) -> dict[str, Entry]:
    """Where a method was published, when, and where its code is."""
    card = known.cards.get(algo)
    if card is None:
        return {}
    year = float(card.year) if card.year else None
    return {
        "paper": Entry(clean(card.paper, 120) or None),
        "year": Entry(year),
        "code": Entry(code_url(card.url) or None),
    }


def code_url(url: str) -> str:
    """A card's link where it leads to code; empty where it leads to a paper or nowhere."""
    return safe_url(url) if urlsplit(safe_url(url)).hostname in CODE_HOSTS else ""


def seeds_text(records: Sequence[Record]) -> str:
    """``0, 1, 2``; where cases differ, the fewer ones named: ``0, 1, 2 (Set14: 0)``."""
    by_case: dict[str, set[int]] = {}
    for record in records:
        by_case.setdefault(record.cell.case, set()).add(record.provenance.seed)
    most = max(by_case.values(), key=len)
    others = [f"{clean(case)}: {_listed(seeds)}" for case, seeds in by_case.items() if seeds != most]
    return _listed(most) + (f" ({'; '.join(others)})" if others else "")


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))
