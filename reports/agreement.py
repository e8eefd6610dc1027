"""Does the harness tell the truth? Our order of methods beside the published one, as tables of a page.

Only networks of equal training, start and bits are compared; what was not trained, or was rebuilt to match print,
counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.records.experiments import Experiment
from bench.records.record import Record
from bench.scoring.agreement import FEWEST_DRAWN, MOST_ORDERS, Flip
from reports.comparisons import FLOOR, Comparison, Key, comparisons
from reports.known import Known, backbone_title
from reports.table import Column, Entry, Row, Table
from reports.tables import BACKBONE, METHOD, SCALE, case_title, cases_in_order
from reports.text import clean

TITLE = "Does the order agree with the papers?"
ROUNDING_DB = 0.0051
"""Two decimals are printed."""

SOURCE = Column("source", "Publication", "Where the published values are printed, and the table's number", text=True)
DATASET = Column("dataset", "Data set", "Test set", text=True)
FOOTING = Column("footing", "Ours", "How our methods stood to each other in training", text=True)
BUDGET = Column("budget", "Budget", "What our training spent: iterations x batch x patch side", text=True)

SUMMARY = (
    SOURCE, BACKBONE, SCALE, DATASET,
    Column("bits", "Bits", "Weights / activations of the methods compared", "W/A", text=True),
    FOOTING, BUDGET,
    Column("methods", "n", "Trained quantizers with a value in both; full precision, interpolation and rebuilt rows "
           "count for nothing", digits=0),
    Column("kendall", "Kendall", "tau-b of our PSNR and the published PSNR, -1 to 1", better="higher"),
    Column("interval", "95 %", "Of Kendall, by drawing the methods anew (bootstrap)", text=True),
    Column("chance", "By chance", "Share of all orders that agree at least as well; exact up to "
           f"{MOST_ORDERS} methods", digits=3),
    Column("spearman", "Spearman", "Rank correlation of the same, -1 to 1", better="higher", shown=False),
    Column("flips", "Flips", "Pairs of methods that stand the other way round here", better="lower", digits=0),
    Column("beyond", "Beyond seeds", "Flips larger than the standard deviation between seeds explains", digits=0),
)  # fmt: skip
FLIPS = (
    SOURCE, SCALE, DATASET, FOOTING,
    Column("better", "Published better", "Better in the publication", text=True),
    Column("worse", "Ours better", "Better here", text=True),
    Column("published_db", "Published gap", "Advantage in the publication", "dB"),
    Column("own_db", "Our gap", "Advantage here, the other way round", "dB"),
    Column("spread_db", "Seeds", "Standard deviation between seeds of such a difference", "dB"),
    Column("why", "Experiment", "Number of the experiment below that looked for the cause", text=True),
)  # fmt: skip
NO_EXPERIMENT = "none"


def agreement_tables(records: Sequence[Record], known: Known, papers: Sequence[str] = ()) -> list[Table]:
    """Summary, values and flips; empty when no published table can be compared. ``papers`` as in `comparisons`."""
    found = comparisons(records, known, papers)
    if not found:
        return []
    summary = Table("agreement", "Our order beside the published order", SUMMARY, tuple(_summary(c) for c in found))
    told = _experiments(found, known)
    flips = [
        _row(c, number, _flip(flip, c.key, told, known)) for c in found for number, flip in enumerate(c.result.flips)
    ]  # fmt: skip
    notes = (*_notes(found), *(_told(number, one, known) for number, one in enumerate(told, 1)))
    pairs = Table("flips", "Pairs that stand the other way round", FLIPS, tuple(flips), notes=notes)
    return [summary, *_values(found, known), *([pairs] if flips else [])]


def _notes(found: Sequence[Comparison]) -> tuple[str, ...]:
    seeds = sorted({name for c in found for name, values in c.own.items() if len(values) > 1})
    known = f"Trained with several seeds: {', '.join(seeds)}." if seeds else "No method was trained twice."
    return (f"{known} A method trained once takes the quadratic mean of the others' deviations.",)


def _row(comparison: Comparison, number: object, entries: Mapping[str, Entry], algo: str = "") -> Row:
    key = comparison.key
    common = {
        "source": Entry(_source(key)), "backbone": Entry(backbone_title(key.backbone)), "scale": Entry(key.scale),
        "dataset": Entry(case_title(key.dataset)), "footing": Entry(key.footing), "budget": Entry(key.budget),
        "bits": Entry(_bits(key)),
    }  # fmt: skip
    place = (key.paper, key.table, key.backbone, key.scale, key.dataset, key.footing, key.budget, _bits(key), number)
    return Row(".".join(map(str, place)), algo, key.backbone, key.scale, {**common, **entries})


def _source(key: Key) -> str:
    return f"{key.paper}, table {key.table}"


def _bits(key: Key) -> str:
    return f"{key.bits[0]}/{key.bits[1]}"


def _summary(comparison: Comparison) -> Row:
    result = comparison.result
    beyond = [flip.beyond_spread for flip in result.flips]
    entries = {
        "methods": Entry(len(result.methods)),
        "kendall": Entry(result.kendall),
        "interval": Entry(note=f"fewer than {FEWEST_DRAWN} methods")
        if result.interval is None
        else Entry("{:.2f} to {:.2f}".format(*result.interval)),
        "chance": Entry(result.chance),
        "spearman": Entry(result.spearman),
        "flips": Entry(len(result.flips)),
        "beyond": Entry(note="no method has two seeds") if None in beyond else Entry(beyond.count(True)),
    }
    return _row(comparison, "", entries)


def _experiments(found: Sequence[Comparison], known: Known) -> list[Experiment]:
    """Those that are about a flip, in the file's order."""
    flips = [({flip.better, flip.worse}, c.key) for c in found for flip in c.result.flips]
    return [
        one for one in known.experiments if any(one.about(pair, key.backbone, key.scale) for pair, key in flips)
    ]  # fmt: skip


def _flip(flip: Flip, key: Key, told: Sequence[Experiment], known: Known) -> dict[str, Entry]:
    pair = {flip.better, flip.worse}
    numbers = [str(n) for n, one in enumerate(told, 1) if one.about(pair, key.backbone, key.scale)]
    return {
        "better": Entry(_title(flip.better, known)),
        "worse": Entry(_title(flip.worse, known)),
        "published_db": Entry(flip.published_db),
        "own_db": Entry(flip.own_db),
        "spread_db": Entry(flip.spread_db),
        "why": Entry(", ".join(numbers) or NO_EXPERIMENT),
    }


def _told(number: int, experiment: Experiment, known: Known) -> str:
    pair = " and ".join(_title(name, known) for name in experiment.methods)
    place = f"{backbone_title(experiment.backbone)} x{experiment.scale}"
    words = f"{pair}, {place}: {experiment.tried}. {experiment.found} ({experiment.where})."
    return clean(f"Experiment {number}. {words}", 700)


def _title(name: str, known: Known) -> str:
    algo = name.removesuffix("+")
    return known.method(algo) + name[len(algo) :]


def _values(found: Sequence[Comparison], known: Known) -> list[Table]:
    """One for each published table, backbone, scale, bits and training: a method a row, ours beside theirs by set."""
    groups: dict[tuple[object, ...], dict[str, Comparison]] = {}
    for c in found:
        key = c.key
        place = (key.paper, key.table, key.backbone, key.scale, key.bits, key.footing, key.budget)
        groups.setdefault(place, {})[key.dataset] = c
    return [_value_table(by_set, known) for by_set in groups.values()]


def _value_table(by_set: Mapping[str, Comparison], known: Known) -> Table:
    sets = cases_in_order(by_set)
    first = by_set[sets[0]]
    columns, rows = [METHOD], {}
    for dataset in sets:
        group = case_title(dataset)
        columns += [
            Column(f"{dataset}:own", "Ours", "Our PSNR on Y, mean over seeds", "dB", "higher", group=group),
            Column(f"{dataset}:published", "Published", "PSNR as printed", "dB", "higher", group=group),
            Column(f"{dataset}:rank", "Rank", "Our rank / published rank; apart: counts for nothing", group=group,
                   text=True),
        ]  # fmt: skip
        for name, entries in _ranked(by_set[dataset], dataset).items():
            rows.setdefault(name, {"method": Entry(_title(name, known))}).update(entries)
    key = first.key
    title = (
        f"{backbone_title(key.backbone)} x{key.scale}, {_source(key)}, {_bits(key)} bits, {key.footing}, {key.budget}"
    )
    lines = [_row(first, name, entries, name.removesuffix("+")) for name, entries in rows.items()]
    source = known.sources.get(key.paper)
    about = clean(source.citation) if source else ""
    words = (key.paper, key.table, key.backbone, f"x{key.scale}", *map(str, key.bits), key.footing, key.budget)
    name = "-".join(("values", *(word.replace(" ", "_").replace("'", "") for word in words)))
    return Table(name, title, tuple(columns), tuple(lines), about, _silent(by_set, known))


def _silent(by_set: Mapping[str, Comparison], known: Known) -> tuple[str, ...]:
    """A note on each method that is printed with the values of the interpolation SRResNet adds its details to."""

    def adds_nothing(name: str) -> bool:
        own = [c for c in by_set.values() if name in c.published]
        return all(c.floor is not None and abs(c.published[name] - c.floor) < ROUNDING_DB for c in own)

    names = [name for c in by_set.values() for name in c.published if name != FLOOR]
    said = _misnamed(next(iter(by_set.values())).key, known)
    return said + tuple(
        f"{_title(name, known)} is printed with the values of bilinear interpolation, to the last digit: the published "
        "network adds nothing to the enlarged input."
        for name in filter(adds_nothing, dict.fromkeys(names))
    )


def _misnamed(key: Key, known: Known) -> tuple[str, ...]:
    """A note on a row that its table calls bicubic and that holds the values of bilinear interpolation."""
    rows = (row for row in known.published if (row.paper, row.table) == (key.paper, key.table) and row.algo == FLOOR)
    names = dict.fromkeys(row.method for row in rows if row.method.lower() != FLOOR)
    return tuple(
        f"What this table prints as {clean(name)} is bilinear interpolation, to the digit: it stands as that here."
        for name in names
    )


def _ranked(c: Comparison, dataset: str) -> dict[str, dict[str, Entry]]:
    """Rows by published PSNR; ranks among those that count."""
    means = {name: sum(values) / len(values) for name, values in c.own.items()}

    def rank(name: str) -> str:
        ours = 1 + sum(other > means[name] for other in means.values())
        return f"{ours} / {1 + sum(c.published[other] > c.published[name] for other in means)}"

    return {
        name: {
            f"{dataset}:own": Entry(means.get(name, c.apart.get(name))),
            f"{dataset}:published": Entry(c.published[name]),
            f"{dataset}:rank": Entry(rank(name) if name in means else "apart"),
        }
        for name in sorted(c.published, key=lambda name: (-c.published[name], name))
    }
