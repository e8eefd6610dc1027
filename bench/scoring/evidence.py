"""Records put in order for scoring: per track, what was measured for each algorithm on each square of the grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.contract import Cell
from bench.contract.weight_labels import PRINTED, training_of
from bench.scoring.means import mean
from bench.scoring.rule import ScoringRule

BICUBIC = "bicubic_db"
"""Detail of a train record: bicubic's PSNR on the sweep's validation picture; read as if it were a metric."""
UNTRAINED = "untrained"
"""Flag of records made with weights that nobody trained; they never displace what was measured with trained ones."""
LEARNT = ("accuracy", "robust")
"""Tracks whose numbers depend on what was learnt"""
Square = tuple[str, str, str]
"""(backbone, level, case): one square of a track's grid, common to all algorithms."""
_Network = tuple[str, str, str, int]
"""(algorithm, backbone, level, seed): what one training makes."""


class _HasValue(Protocol):
    @property
    def value(self) -> float: ...


class RecordLike(Protocol):
    """What scoring reads of a `bench.records.record.Record`."""

    @property
    def cell(self) -> Cell: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def machine_bound(self) -> bool: ...
    @property
    def metrics(self) -> Mapping[str, _HasValue]: ...
    @property
    def flags(self) -> list[str]: ...
    @property
    def details(self) -> Mapping[str, Any]: ...
    @property
    def provenance(self) -> Any: ...


@dataclass
class Measured:
    """One algorithm on one square: a set of values for each seed."""

    by_seed: dict[int, dict[str, float]] = field(default_factory=dict)

    def value(self, key: str, seed: int | None = None) -> float | None:
        """The metric's mean over seeds, or of one seed; None where it was not measured."""
        values = self.by_seed.values() if seed is None else [self.by_seed.get(seed, {})]
        found = [entry[key] for entry in values if key in entry]
        return mean(found) if found else None

    def keys(self) -> set[str]:
        return {key for entry in self.by_seed.values() for key in entry}


@dataclass
class TrackEvidence:
    """All of one track: algorithm -> square -> values, and why a square is empty."""

    values: dict[str, dict[Square, Measured]] = field(default_factory=dict)
    reasons: dict[tuple[str, Square], str] = field(default_factory=dict)
    machines: set[str] = field(default_factory=set)
    samples: set[Square] = field(default_factory=set)
    """Squares measured on sample pictures instead of a published test set."""

    def at(self, algo: str, square: Square) -> Measured | None:
        """The values of an algorithm on a square. Methods without a network are filed under backbone ``none``."""
        of_algo = self.values.get(algo, {})
        return of_algo.get(square) or of_algo.get(("none", square[1], square[2]))

    def why_missing(self, algo: str, square: Square) -> str:
        backbone, level, case = square
        place = f"{backbone} {level} {case}"
        reason = self.reasons.get((algo, square)) or self.reasons.get((algo, ("none", level, case)))
        return f"{place}: {reason}" if reason else f"{place}: not measured"

    def grid(self, references: Iterable[str], among: Callable[[Square], bool] = lambda _: True) -> list[Square]:
        """Squares on which at least one scored network has numbers: what every algorithm must then have.

        ``among`` chooses which squares are looked at. Sample pictures count only where no published set was measured,
        and self-ensembled cases (``set5+``) never: they are another way to use a network, which not every method need
        be measured with.
        """
        scored = {square for algo, squares in self.values.items() if algo not in set(references) for square in squares}
        networks = {s for s in filter(among, scored) if s[0] != "none" and not s[2].endswith("+")}
        return sorted(networks - self.samples or networks)

    def seeds(self, algo: str, squares: Iterable[Square]) -> list[int]:
        """Seeds that an algorithm has on every one of the squares."""
        found = [self.at(algo, square) for square in squares]
        sets = [set(measured.by_seed) for measured in found if measured is not None]
        return sorted(set.intersection(*sets)) if sets and len(sets) == len(found) else []


def gather(records: Iterable[RecordLike], rule: ScoringRule) -> dict[str, TrackEvidence]:
    """Track name -> its evidence. Of records with equal cell, seed and machine the latest counts.

    A network's records count only where they were made with its latest weights: what was measured before it was trained
    anew is of another network. What was learnt counts only beside full precision trained as long.
    """
    ordered = sorted(records, key=lambda record: record.provenance.utc)
    latest = _latest(ordered, rule.full_precision)
    tracks: dict[str, TrackEvidence] = {}
    for record in ordered:
        cell, evidence = record.cell, tracks.setdefault(record.cell.track, TrackEvidence())
        square = (cell.backbone, cell.level, cell.case)
        barred = _why_barred(record, rule, latest)
        if barred:
            evidence.reasons[cell.algo, square] = barred
            continue
        measured = evidence.values.setdefault(cell.algo, {}).setdefault(square, Measured())
        if "sample_data" in record.flags:
            evidence.samples.add(square)
        values = {key: entry.value for key, entry in record.metrics.items()}
        if isinstance(bicubic := record.details.get(BICUBIC), float):
            values[BICUBIC] = bicubic
        measured.by_seed[record.provenance.seed] = values
        if record.machine_bound:
            evidence.machines.add(record.provenance.machine.id)
    return tracks


@dataclass
class _Latest:
    """What the last record says of a network's weights, and of full precision's training."""

    weights: dict[_Network, str] = field(default_factory=dict)
    trainings: dict[tuple[str, str], str] = field(default_factory=dict)
    """(backbone, level) -> full precision's training, as `training_of` names it"""


def _latest(ordered: Sequence[RecordLike], full_precision: str) -> _Latest:
    """Weights of another training than full precision's, and of none, never displace a network's own."""
    found = _Latest()
    own = [record for record in ordered if record.cell.algo == full_precision and record.status == "ok"]
    for record in sorted(own, key=lambda record: not _as_printed(record)):
        if training := _training(record):
            found.trainings[record.cell.backbone, record.cell.level] = training
    for record in ordered:
        if (weights := _weights(record)) and UNTRAINED not in record.flags and not _other_training(record, found):
            found.weights[_network(record)] = weights
    return found


def _network(record: RecordLike) -> _Network:
    return record.cell.algo, record.cell.backbone, record.cell.level, record.provenance.seed


def _weights(record: RecordLike) -> str | None:
    return record.provenance.weights_sha256 if record.status == "ok" else None


def _training(record: RecordLike) -> str | None:
    """The training of a record's weights: from its flags, or what it noted where it does not depend on them."""
    noted = record.details.get("weights")
    return training_of([*record.flags, *([noted] if isinstance(noted, str) else [])])


def _as_printed(record: RecordLike) -> bool:
    return (_training(record) or "").startswith(PRINTED)


def _other_training(record: RecordLike, latest: _Latest) -> str:
    """Why a record's training is not full precision's; empty where it is, or where nobody knows."""
    training, full = _training(record), latest.trainings.get((record.cell.backbone, record.cell.level))
    if training is None or full is None or training == full:
        return ""
    return f"training {training}, full precision's {full} (iterations x batch x patch): train both alike"


def _why_barred(record: RecordLike, rule: ScoringRule, latest: _Latest) -> str:
    """Why a record is not scored; empty for one that is."""
    flagged = sorted({*rule.unscored_flags.get(record.cell.track, ())} & {*record.flags})
    if record.status != "ok" or flagged:
        return record.reason or f"not scored: {', '.join(flagged)}"
    learnt = record.cell.track in LEARNT or _as_printed(record)
    if learnt and (other := _other_training(record, latest)):
        return other
    own, last = _weights(record), latest.weights.get(_network(record))
    if own and last and own != last:
        return f"made with other weights ({own[:8]}) than the network's latest ({last[:8]}): measure it again"
    return ""
