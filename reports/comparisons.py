"""Our PSNR beside the published one: which methods may be compared with which, per published table and training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.contract import Card
from bench.contract.weight_labels import BOARD, PRINTED, UNKNOWN, training_of
from bench.records.published import Published
from bench.records.record import Record
from bench.scoring.agreement import FEWEST, Agreement, agree
from reports.known import Known

FOOTINGS = {BOARD: "equal footing", PRINTED: "as printed", "": "papers' recipes"}
"""Training -> how our methods stood to each other: one recipe and start; one recipe and each paper's own start; each
paper's own recipe, cut short."""
FLOOR = "bilinear"
"""What SRResNet adds its details to"""
Seeds = dict[int, float]
"""Seed -> PSNR in dB"""
Bits = tuple[int, int]
"""Of weights and activations"""


@dataclass(frozen=True, order=True)
class Key:
    """What was compared with what."""

    paper: str
    table: str
    backbone: str
    scale: int
    dataset: str
    footing: str
    """One of `FOOTINGS`"""
    budget: str
    bits: Bits


@dataclass(frozen=True)
class Comparison:
    """Our ranking of trained quantizers of equal bits beside one published table's."""

    key: Key
    own: Mapping[str, Sequence[float]]
    """Method, with ``+`` behind it where self-ensembled -> PSNR of each seed, in dB; those that count."""
    published: Mapping[str, float]
    """The same and those apart"""
    apart: Mapping[str, float]
    """What counts for nothing: full precision, interpolation, rows rebuilt to match print -> our PSNR, in dB."""
    result: Agreement
    floor: float | None = None
    """PSNR of `FLOOR` on the same pictures, in dB."""


def comparisons(records: Iterable[Record], known: Known, papers: Sequence[str] = ()) -> list[Comparison]:
    """Every published table in which at least `FEWEST` methods of equal bits count that we trained alike.

    ``papers``: keys of publications to be compared with; empty for all.
    """
    tables = _tables(known.published, papers)
    found = []
    for place, trainings in _measured(records, known).items():
        backbone, scale, dataset = place
        free = trainings.get(None, {})
        for footing, budget, methods in _columns(trainings, known):
            for (paper, number), rows in tables.items():
                printed = _printed(rows, backbone, scale, dataset, {**free, **methods}, known)
                for bits, counted in _counted(printed, methods, known).items():
                    if len(counted) < FEWEST:
                        continue
                    key = Key(paper, number, backbone, scale, dataset, footing, budget, bits)
                    own = {name: list(methods[name].values()) for name in counted}
                    apart = {name: _mean(seeds) for name, seeds in {**free, **methods}.items() if name in printed
                             and not counts(name, known)}  # fmt: skip
                    shown = {name: printed[name] for name in printed if name in own or name in apart}
                    floor = _mean(free[FLOOR]) if FLOOR in free else None
                    found.append(Comparison(key, own, shown, apart, agree(own, shown), floor))
    return sorted(found, key=lambda comparison: comparison.key)


def counts(name: str, known: Known) -> bool:
    """Whether a method enters rank correlations: a quantizer that was trained, as its own authors describe it."""
    card = known.cards.get(name.removesuffix("+"))
    return card is not None and not (card.full_precision or card.backbone_free or card.rebuilt)


def _tables(published: Iterable[Published], papers: Sequence[str]) -> dict[tuple[str, str], list[Published]]:
    """(publication, table) -> its rows with a PSNR that can be compared."""
    found: dict[tuple[str, str], list[Published]] = {}
    for row in published:
        if row.kind == "value" and row.psnr_db is not None and (not papers or row.paper in papers):
            found.setdefault((row.paper, row.table), []).append(row)
    return found


def _measured(
    records: Iterable[Record], known: Known
) -> dict[tuple[str, int, str], dict[str | None, dict[str, Seeds]]]:
    """(backbone, scale, data set) -> training -> method -> PSNR by seed; the training of methods without one is None.

    Methods without a network stand beside every backbone.
    """
    found: dict[tuple[str, int, str], dict[str | None, dict[str, Seeds]]] = {}
    usable = [record for record in records if _usable(record, known)]
    backbones = {record.cell.backbone for record in usable} - {"none"}
    for record in usable:
        cell = record.cell
        free = cell.backbone == "none"
        training = None if free else training_of(record.flags) or UNKNOWN
        name = cell.algo + ("+" if cell.case.endswith("+") else "")
        for backbone in backbones if free else (cell.backbone,):
            trainings = found.setdefault((backbone, cell.scale, cell.case.removesuffix("+")), {})
            seeds = trainings.setdefault(training, {}).setdefault(name, {})
            seeds[record.provenance.seed] = record.metrics["psnr_y"].value
    return found


def _usable(record: Record, known: Known) -> bool:
    learnt = record.cell.track == "accuracy" and record.status == "ok" and "untrained" not in record.flags
    return learnt and "psnr_y" in record.metrics and record.cell.algo in known.cards


def _columns(
    trainings: Mapping[str | None, Mapping[str, Seeds]], known: Known
) -> Iterator[tuple[str, str, dict[str, Seeds]]]:
    """(footing, budget, methods) of each training.

    As printed, methods that have no other start of their own stand as on the board.
    """
    for training, methods in sorted((t, m) for t, m in trainings.items() if t is not None):
        recipe, _, budget = training.rpartition("-")
        if recipe != PRINTED:
            yield FOOTINGS.get(recipe, recipe), budget, dict(methods)
            continue
        board = dict(trainings.get(f"{BOARD}-{budget}", {}))
        yield FOOTINGS[PRINTED], budget, board | {_printed_of(name, known): seeds for name, seeds in methods.items()}


def _printed_of(name: str, known: Known) -> str:
    algo = name.removesuffix("+")
    return (known.cards[algo].printed_of or algo) + name[len(algo) :]


def _printed(
    rows: Iterable[Published], backbone: str, scale: int, dataset: str, methods: Iterable[str], known: Known
) -> dict[str, float]:
    """Method -> PSNR as one table prints it for a network, scale and data set."""
    found: dict[str, float] = {}
    wanted = {name: known.cards[name.removesuffix("+")] for name in methods}
    for row in rows:
        fits = (row.scale, row.dataset) == (scale, dataset) and row.backbone in (backbone, "none")
        if fits and row.psnr_db is not None and row.algo in wanted and _same_bits(row, wanted[row.algo]):
            found.setdefault(row.algo, row.psnr_db)
    return found


def _same_bits(row: Published, card: Card) -> bool:
    return row.bits_w is None or (row.bits_w, row.bits_a) == (card.bits_w, card.bits_a)


def _counted(printed: Iterable[str], methods: Iterable[str], known: Known) -> dict[Bits, list[str]]:
    """Bits -> methods that count: between bit widths the order needs no experiment."""
    found: dict[Bits, list[str]] = {}
    for name in sorted({*printed} & {*methods}):
        if counts(name, known):
            card = known.cards[name.removesuffix("+")]
            found.setdefault((card.bits_w, card.bits_a), []).append(name)
    return found


def _mean(seeds: Mapping[int, float]) -> float:
    return sum(seeds.values()) / len(seeds)
