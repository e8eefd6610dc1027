"""The one pure function from records to scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.scoring.challenge import challenge_part
from bench.scoring.evidence import RecordLike, TrackEvidence, gather
from bench.scoring.means import saving
from bench.scoring.parts import Part, metric, quality_parts, quotient, ratio_part, sensitivity
from bench.scoring.robust import robust_parts
from bench.scoring.rule import PARTS, ScoringRule
from bench.scoring.stability import Stability, ranks_of, stability, weighted


@dataclass(frozen=True)
class ScoreRow:
    """All scores of one algorithm."""

    algo: str
    reference: bool
    """Full precision or bicubic: shown, never ranked."""
    parts: Mapping[str, Part]
    """The six headline parts, and beside them ``task_psnr``, ``task_ssim``, ``arch_psnr``, ``robust_uncapped``."""
    scaled: Mapping[str, float]
    """Headline part -> value on the overall score's scale; only parts that exist."""
    overall: float | None
    """Weighted mean of the scaled parts times 100; None when a part that carries weight is missing."""
    overall_reason: str
    rank: int | None
    challenge: Part


@dataclass(frozen=True)
class ScoreTable:
    """Scores of all algorithms under one rule."""

    rule: ScoringRule
    weights: Mapping[str, float]
    """The rule's weights, 0 for parts that nobody was measured on."""
    rows: tuple[ScoreRow, ...]
    """Ranked methods first, then those without an overall score, then references; by key where equal."""
    stability: Stability | None


def score(records: Iterable[RecordLike], rule: ScoringRule | None = None) -> ScoreTable:
    """Scores from measured records. Reads no file, imports no torch, changes nothing it is given.

    A record of status other than ok, or with a flag that the rule bars, leaves its square empty. Parts that need
    timings are missing when the records come from several machines: choose one machine's records first.
    """
    rule = rule or ScoringRule()
    tracks = gather(records, rule)
    algos = sorted({algo for evidence in tracks.values() for algo in evidence.values} | _without_numbers(tracks))
    references = (rule.full_precision, rule.baseline)
    parts = {algo: _parts(tracks, algo, rule) for algo in algos}
    scored = [algo for algo in algos if algo not in references]
    present = {part.key for part in PARTS if any(parts[algo][part.key].value is not None for algo in scored)}
    weights = {key: weight if key in present else 0.0 for key, weight in rule.weights.items()}
    scaled = {algo: _scaled(parts[algo]) for algo in algos}
    overall = {algo: _overall(scaled[algo], weights) for algo in algos}
    ranked = {algo: value for algo in scored if (value := overall[algo]) is not None}
    ranks = ranks_of(ranked)
    rows = [
        ScoreRow(
            algo=algo,
            reference=algo in references,
            parts=parts[algo],
            scaled=scaled[algo],
            overall=overall[algo],
            overall_reason="" if overall[algo] is not None else _why_no_overall(parts[algo], weights),
            rank=ranks.get(algo),
            challenge=challenge_part(tracks, algo, rule),
        )
        for algo in algos
    ]
    rows.sort(key=lambda row: (row.reference, row.rank is None, row.rank or 0, row.algo))
    spread = stability({algo: scaled[algo] for algo in ranked}, weights, rule.weight_draws, rule.draw_seed)
    return ScoreTable(rule, weights, tuple(rows), spread)


def _without_numbers(tracks: Mapping[str, TrackEvidence]) -> set[str]:
    return {algo for evidence in tracks.values() for algo, _ in evidence.reasons}


def _parts(tracks: Mapping[str, TrackEvidence], algo: str, rule: ScoringRule) -> dict[str, Part]:
    none = TrackEvidence()
    quality = quality_parts(tracks.get("accuracy", none), algo, rule)
    robust = robust_parts(tracks.get("robust", none), algo, rule)
    comp = ratio_part(
        tracks.get("comp", none),
        algo,
        rule,
        [metric("speedup_theory", "compute compression"), metric("compression", "storage compression")],
    )
    train = _timed(
        lambda evidence: ratio_part(
            evidence, algo, rule, [metric("train_speedup", "training time"), sensitivity(rule)]
        ),
        tracks.get("train", none),
    )
    infer = _timed(
        lambda evidence: ratio_part(
            evidence,
            algo,
            rule,
            [metric("speedup", "measured speed-up"), quotient("fp32_file_bytes", "file_bytes", "file size")],
        ),
        tracks.get("infer", none),
    )
    return {**quality, **robust, "comp": comp, "train": train, "infer": infer}


def _timed(compute: Callable[[TrackEvidence], Part], evidence: TrackEvidence) -> Part:
    if len(evidence.machines) > 1:
        return Part(reason=f"records of several machines ({', '.join(sorted(evidence.machines))}): choose one")
    return compute(evidence)


def _scaled(parts: Mapping[str, Part]) -> dict[str, float]:
    scaled = {}
    for rule in PARTS:
        value = parts[rule.key].value
        if value is not None:
            scaled[rule.key] = value if rule.scale == "share" else saving(value)
    return scaled


def _overall(scaled: Mapping[str, float], weights: Mapping[str, float]) -> float | None:
    needed = [key for key, weight in weights.items() if weight > 0]
    return weighted(scaled, weights) if needed and all(key in scaled for key in needed) else None


def _why_no_overall(parts: Mapping[str, Part], weights: Mapping[str, float]) -> str:
    missing = [key for key, weight in weights.items() if weight > 0 and parts[key].value is None]
    return "; ".join(f"{key}: {parts[key].reason}" for key in missing) or "nothing was measured"
