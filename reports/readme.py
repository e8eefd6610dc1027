"""Generated tables of the README pages: ``python -m reports.readme`` writes them, ``--check`` says if they are current.

A section stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.contract import Card
from bench.contract.backbones import BACKBONES
from bench.plan.discover import discover
from bench.records.store import load
from reports import latest
from reports.agreement import agreement_tables
from reports.console import markdown_text
from reports.known import known
from reports.layout import LAYOUTS
from reports.microbench import microbench_text
from reports.tables import metric_column, track_table
from reports.text import markdown

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / name / "README.md" for name in (".", "algorithms", "tracks", "results")]
PACKING = ROOT / "results" / "reference" / "packing.json"
MICROBENCH = ROOT / "results" / "reference" / "microbench.json"
SECTION = re.compile(r"(?<=<!-- generated: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
MARKS = {"packed": "packed", "unsupported": "no", "undefined": "·", "failed": "FAILED"}


def packing() -> str:
    """A row a method, a column a backbone; reasons beneath."""
    pairs = json.loads(PACKING.read_text(encoding="utf-8"))["pairs"]
    notes: dict[str, int] = {}
    rows = []
    for card in _low_bit():
        row = pairs.get(card.key, {})
        rows.append([f"`{card.key}`", *(_mark(row.get(backbone, {}), notes) for backbone in BACKBONES)])
    table = _table(rows, ["method", *(item.title for item in BACKBONES.values())])
    reasons = "\n".join(f"{number}. {reason}" for reason, number in notes.items())
    legend = "`packed`: exact parity. `no`: outside the packed format, see below. `·`: the method is not defined on it."
    return f"{table}\n\n{legend}\n\n{reasons}\n"


def _mark(verdict: dict[str, Any], notes: dict[str, int]) -> str:
    status = verdict.get("status")
    if status is None:
        return "?"
    if status != "unsupported":
        return MARKS[status]
    # Layer names differ between backbones; the reason behind them is one.
    reason = re.sub(r"^[\w.]+(?=[: ])", "A layer", verdict["reason"])
    return f"{MARKS[status]} ({notes.setdefault(reason, len(notes) + 1)})"


def deployment() -> str:
    """Which 1-bit methods Larq and daBNN can deploy, and why not, from the cards."""
    runtimes = sorted({name for card in _low_bit() for name in card.deploy})
    rows = [
        [f"`{card.key}`", *("yes" if card.deploy.get(name) == "" else card.deploy.get(name, "?") for name in runtimes)]
        for card in _low_bit()
        if card.deploy and card.bits_w == card.bits_a == 1
    ]
    return _table(rows, ["method", *runtimes]) + "\n"


def methods() -> str:
    """Every method with its bits and where its facts come from."""
    rows = [
        [f"`{card.key}`", card.name, f"{card.bits_w}/{card.bits_a}", card.bases, card.paper or "-", card.provenance]
        for card in discover().cards.values()
        if not card.printed_of
    ]
    return _table(rows, ["key", "name", "bits W/A", "bases", "paper", "reading"]) + "\n"


def latency() -> str:
    """The infer table of the committed records."""
    table = track_table(load([PACKING.parent]).records, "infer", known())
    grid = markdown_text(replace(table, about="", notes=())).partition("\n")[2].strip()
    return "\n\n".join([grid, *(markdown(note) for note in table.notes)]) + "\n"


def agreement() -> str:
    """Our order of methods beside that of FRB's table 1, from the committed records."""
    tables = agreement_tables(latest(load([PACKING.parent]).records), known(), ["frb_paper"])
    texts = [re.sub(r"\A## (.*)", r"**\1**", markdown_text(table)) for table in tables]
    return "\n".join(texts) or "No published table shares enough methods with the records yet.\n"


def columns(track: str) -> str:
    """The columns that a track's table shows at first, in its metrics' own words."""
    metrics = {metric.key: metric for metric in discover().tracks[track].metrics}
    layout = LAYOUTS[track]
    shown = [metric_column(key, metrics[key], layout) for key in layout.order]
    return _table([[column.title, column.unit, column.help] for column in shown], ["column", "unit", "meaning"]) + "\n"


SECTIONS = {
    "latency": latency,
    "agreement": agreement,
    "microbench": lambda: microbench_text(MICROBENCH),
    "packing": packing,
    "deployment": deployment,
    "methods": methods,
    **{f"{track}_columns": partial(columns, track) for track in ("infer", "comp", "robust", "train")},
}


def generated(text: str) -> str:
    """``text`` with every generated section made anew. Raises KeyError for a section that nobody makes."""
    return SECTION.sub(lambda match: f"{match[1]}{match[2]}\n{SECTIONS[match[1]]()}\n", text)


def _low_bit() -> list[Card]:
    cards = discover().cards.values()
    return [card for card in cards if not card.full_precision and not card.printed_of]


def _table(rows: list[list[Any]], headers: list[str]) -> str:
    """A GitHub table without padding: the widest cell would stretch every line."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def main(argv: list[str]) -> int:
    before = {page: page.read_text(encoding="utf-8") for page in PAGES}
    after = {page: generated(text) for page, text in before.items()}
    if argv == ["--check"]:
        return int(after != before)
    for page, text in after.items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
