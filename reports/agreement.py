"""Does the harness tell the truth? Our order of methods beside the published one, per publication, scale and data set.

Only records of equal training budget are compared with each other; methods without parameters join every budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.contract.weight_labels import UNKNOWN, budget_of
from bench.records.published import Published
from bench.records.record import Record
from bench.scoring.agreement import FEWEST, Agreement, Flip, agree
from reports.known import Known, backbone_title
from reports.table import Column, Entry, Row, Table
from reports.tables import BACKBONE, METHOD, SCALE, case_title, cases_in_order
from reports.text import clean

TITLE = "Does the order agree with the papers?"
ANY_BUDGET = ""
FLOOR = "bilinear"
"""What SRResNet adds its details to"""
ROUNDING_DB = 0.0051
"""Two decimals are printed."""
Key = tuple[str, str, int, str, str]
"""(publication, backbone, scale, data set, budget)"""

SOURCE = Column("source", "Publication", "Where the published values are printed", text=True)
DATASET = Column("dataset", "Data set", "Test set", text=True)
BUDGET = Column("budget", "Our budget", "What our training spent: iterations x batch x patch side", text=True)

SUMMARY = (
    SOURCE, BACKBONE, SCALE, DATASET, BUDGET,
    Column("methods", "Methods", "Methods with a value in both, full precision and bicubic included", digits=0),
    Column("spearman", "Spearman", "Rank correlation of our PSNR with the published PSNR, -1 to 1", better="higher"),
    Column("kendall", "Kendall", "tau-b of the same, -1 to 1", better="higher"),
    Column("flips", "Flips", "Pairs of methods that stand the other way round here", better="lower", digits=0),
    Column("beyond", "Beyond seeds", "Flips larger than the standard deviation between seeds explains", digits=0),
)  # fmt: skip
FLIPS = (
    SOURCE, SCALE, DATASET,
    Column("better", "Published better", "Better in the publication", text=True),
    Column("worse", "Ours better", "Better here", text=True),
    Column("published_db", "Published gap", "Advantage in the publication", "dB"),
    Column("own_db", "Our gap", "Advantage here, the other way round", "dB"),
    Column("spread_db", "Seeds", "Standard deviation between seeds of such a difference", "dB"),
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """One ranking of ours beside one published ranking."""

    key: Key
    own: Mapping[str, Sequence[float]]
    """Method, with ``+`` behind it where self-ensembled -> PSNR of each seed, in dB."""
    published: Mapping[str, float]
    result: Agreement
    floor: float | None = None
    """PSNR of `FLOOR` on the same pictures, in dB."""


def comparisons(records: Iterable[Record], known: Known, papers: Sequence[str] = ()) -> list[Comparison]:
    """Every published table that shares at least `FEWEST` methods with our records of one budget.

    ``papers``: keys of publications to be compared with; empty for all.
    """
    own: dict[tuple[str, int, str, str], dict[str, dict[int, float]]] = {}
    bits: dict[str, tuple[int, int]] = {}
    for record in records:
        found = _psnr(record)
        if found is None or (card := known.cards.get(record.cell.algo)) is None:
            continue
        cell, (budget, value) = record.cell, found
        name = cell.algo + ("+" if cell.case.endswith("+") else "")
        bits[name] = (card.bits_w, card.bits_a)
        place = (cell.backbone, cell.scale, cell.case.removesuffix("+"), budget)
        own.setdefault(place, {}).setdefault(name, {})[record.provenance.seed] = value
    made = []
    for (backbone, scale, dataset, budget), methods in sorted(own.items()):
        if budget == ANY_BUDGET:
            continue
        without_parameters = own.get(("none", scale, dataset, ANY_BUDGET), {})
        joined = {**methods, **without_parameters}
        floor = next(iter(without_parameters.get(FLOOR, {}).values()), None)
        for paper in papers or dict.fromkeys(row.paper for row in known.published):
            rows = (row for row in known.published if row.paper == paper)
            theirs = _printed(rows, backbone, scale, dataset, bits)
            seeds = {name: list(joined[name].values()) for name in joined if name in theirs}
            if len(seeds) >= FEWEST:
                key = (paper, backbone, scale, dataset, budget)
                made.append(Comparison(key, seeds, theirs, agree(seeds, theirs), floor))
    return made


def _psnr(record: Record) -> tuple[str, float] | None:
    """(budget, PSNR) of a record that says something about a method; None for others."""
    measured = record.metrics.get("psnr_y")
    if record.cell.track != "accuracy" or record.status != "ok" or measured is None or "untrained" in record.flags:
        return None
    if record.cell.backbone == "none":
        return ANY_BUDGET, measured.value
    return budget_of(record.flags) or UNKNOWN, measured.value


def _printed(
    rows: Iterable[Published], backbone: str, scale: int, dataset: str, bits: Mapping[str, tuple[int, int]]
) -> dict[str, float]:
    """Method -> PSNR as one publication prints it for a network, scale and data set."""
    found: dict[str, float] = {}
    for row in rows:
        if row.kind != "value" or row.psnr_db is None or row.backbone not in (backbone, "none"):
            continue
        if (row.scale, row.dataset) != (scale, dataset) or row.algo not in bits:
            continue
        if row.bits_w is None or (row.bits_w, row.bits_a) == bits[row.algo]:
            found.setdefault(row.algo, row.psnr_db)
    return found


def agreement_tables(records: Sequence[Record], known: Known, papers: Sequence[str] = ()) -> list[Table]:
    """Summary, values and flips; empty when no published table can be compared. ``papers`` as in `comparisons`."""
    found = comparisons(records, known, papers)
    if not found:
        return []
    summary = Table("agreement", "Our order beside the published order", SUMMARY, tuple(_summary(c) for c in found))
    flips = [
        _row(c, number, _flip(flip, known)) for c in found for number, flip in enumerate(c.result.flips)
    ]  # fmt: skip
    pairs = Table("flips", "Pairs that stand the other way round", FLIPS, tuple(flips), notes=_notes(found))
    return [summary, *_values(found, known), *([pairs] if flips else [])]


def _notes(found: Sequence[Comparison]) -> tuple[str, ...]:
    seeds = sorted({name for c in found for name, values in c.own.items() if len(values) > 1})
    known = f"Trained with several seeds: {', '.join(seeds)}." if seeds else "No method was trained twice."
    return (f"{known} A method trained once takes the quadratic mean of the others' deviations.",)


def _row(comparison: Comparison, number: object, entries: Mapping[str, Entry], algo: str = "") -> Row:
    paper, backbone, scale, dataset, budget = comparison.key
    common = {
        "source": Entry(paper), "backbone": Entry(backbone_title(backbone)), "scale": Entry(scale),
        "dataset": Entry(case_title(dataset)), "budget": Entry(budget),
    }  # fmt: skip
    return Row(".".join(map(str, (*comparison.key, number))), algo, backbone, scale, {**common, **entries})


def _summary(comparison: Comparison) -> Row:
    result = comparison.result
    beyond = [flip.beyond_spread for flip in result.flips]
    entries = {
        "methods": Entry(len(result.methods)),
        "spearman": Entry(result.spearman),
        "kendall": Entry(result.kendall),
        "flips": Entry(len(result.flips)),
        "beyond": Entry(note="no method has two seeds") if None in beyond else Entry(beyond.count(True)),
    }
    return _row(comparison, "", entries)


def _flip(flip: Flip, known: Known) -> dict[str, Entry]:
    return {
        "better": Entry(_title(flip.better, known)),
        "worse": Entry(_title(flip.worse, known)),
        "published_db": Entry(flip.published_db),
        "own_db": Entry(flip.own_db),
        "spread_db": Entry(flip.spread_db),
    }


def _title(name: str, known: Known) -> str:
    algo = name.removesuffix("+")
    return known.method(algo) + name[len(algo) :]


def _values(found: Sequence[Comparison], known: Known) -> list[Table]:
    """One table for each publication, backbone, scale and budget: a method a row, ours beside theirs by data set."""
    groups: dict[tuple[str, str, int, str], dict[str, Comparison]] = {}
    for c in found:
        paper, backbone, scale, dataset, budget = c.key
        groups.setdefault((paper, backbone, scale, budget), {})[dataset] = c
    tables = []
    for (paper, backbone, scale, budget), by_set in groups.items():
        sets = cases_in_order(by_set)
        columns, rows = [METHOD], {}
        for dataset in sets:
            c, group = by_set[dataset], case_title(dataset)
            columns += [
                Column(f"{dataset}:own", "Ours", "Our PSNR on Y, mean over seeds", "dB", "higher", group=group),
                Column(f"{dataset}:published", "Published", "PSNR as printed", "dB", "higher", group=group),
                Column(f"{dataset}:rank", "Rank", "Our rank / published rank", group=group, text=True),
            ]
            for name, entries in _ranked(c, dataset).items():
                rows.setdefault(name, {"method": Entry(_title(name, known))}).update(entries)
        title = f"{backbone_title(backbone)} x{scale}, {paper}, {budget}"
        first = by_set[sets[0]]
        lines = [_row(first, name, entries, name.removesuffix("+")) for name, entries in rows.items()]
        source = known.sources.get(paper)
        about = clean(source.citation) if source else ""
        key = f"values-{paper}-{backbone}-x{scale}"
        tables.append(Table(key, title, tuple(columns), tuple(lines), about, _silent(by_set, known)))
    return tables


def _silent(by_set: Mapping[str, Comparison], known: Known) -> tuple[str, ...]:
    """A note on each method that is printed with the values of the interpolation SRResNet adds its details to."""

    def adds_nothing(name: str) -> bool:
        own = [c for c in by_set.values() if name in c.result.methods]
        return all(c.floor is not None and abs(c.published[name] - c.floor) < ROUNDING_DB for c in own)

    names = dict.fromkeys(name for c in by_set.values() for name in c.result.methods)
    return tuple(
        f"{_title(name, known)} is printed with the values of bilinear interpolation, to the last digit: the published "
        "network adds nothing to the enlarged input."
        for name in filter(adds_nothing, names)
    )


def _ranked(c: Comparison, dataset: str) -> dict[str, dict[str, Entry]]:
    means = {name: sum(c.own[name]) / len(c.own[name]) for name in c.result.methods}
    return {
        name: {
            f"{dataset}:own": Entry(value),
            f"{dataset}:published": Entry(c.published[name]),
            f"{dataset}:rank": Entry(
                f"{1 + sum(other > value for other in means.values())} / "
                f"{1 + sum(c.published[other] > c.published[name] for other in means)}"
            ),
        }
        for name, value in means.items()
    }
