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
from bench.scoring.seeds import Parting, parting
from bench.scoring.stability import Stability, ranks_of, stability, weighted


@dataclass(frozen=True)
class ScoreRow:
    """All scores of one algorithm."""

    algo: str
    reference: bool
    """Full precision or bicubic: shown, never ranked."""
    parts: Mapping[str, Part]
    """The six headline parts, and beside them ``task_psnr``, ``task_ssim``, ``arch_psnr``, ``robust_imagenet``,
    ``robust_uncapped``, and the two that make up ``infer``: ``speedup`` and ``file_reduction``."""
    scaled: Mapping[str, float]
    """Headline part -> value on the overall score's scale; only parts that exist."""
    overall: float | None
    """Weighted mean of the scaled parts times 100; None when a part that carries weight is missing."""
    overall_reason: str
    rank: int | None
    challenge: Part
    speed_gate: str = ""
    """Why speed and size count nothing for this network; empty where they count."""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of all algorithms under one rule."""

    rule: ScoringRule
    weights: Mapping[str, float]
    """The rule's weights, 0 for parts that nobody was measured on."""
    rows: tuple[ScoreRow, ...]
    """Ranked methods first, then those without an overall score, then references; by key where equal."""
    stability: Stability | None
    parting: Parting | None
    """What the seeds cannot part; None where no ranked method has two seeds."""


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
    gates = {algo: _speed_gate(parts[algo]["task"], rule) for algo in algos}
    scaled = {algo: _scaled(parts[algo], gated=bool(gates[algo])) for algo in algos}
    overall = {algo: _overall(scaled[algo], weights, rule) for algo in algos}
    ranked = {algo: value for algo in scored if (value := overall[algo]) is not None}
    ranks = ranks_of(ranked)
    rows = [
        ScoreRow(
            algo=algo,
            reference=algo in references,
            parts=parts[algo],
            scaled=scaled[algo],
            overall=overall[algo],
            overall_reason="" if overall[algo] is not None else _why_no_overall(parts[algo], weights, rule),
            rank=ranks.get(algo),
            challenge=challenge_part(tracks, algo, rule),
            speed_gate=gates[algo],
        )
        for algo in algos
    ]
    rows.sort(key=lambda row: (row.reference, row.rank is None, row.rank or 0, row.algo))
    spread = stability({algo: scaled[algo] for algo in ranked}, weights, rule.weight_draws, rule.draw_seed)
    by_seed = {algo: _by_seed(parts[algo], scaled[algo], weights) for algo in ranked}
    return ScoreTable(rule, weights, tuple(rows), spread, parting(ranked, by_seed, ranks, rule.seeds_level))


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
    faster = metric("speedup", "measured speed-up")
    smaller = quotient("fp32_file_bytes", "file_bytes", "file size")
    timed = {
        key: _timed(lambda evidence, ratios=ratios: ratio_part(evidence, algo, rule, ratios), tracks.get("infer", none))
        for key, ratios in {"infer": [faster, smaller], "speedup": [faster], "file_reduction": [smaller]}.items()
    }
    return {**quality, **robust, "comp": comp, "train": train, **timed}


def _timed(compute: Callable[[TrackEvidence], Part], evidence: TrackEvidence) -> Part:
    if len(evidence.machines) > 1:
        return Part(reason=f"records of several machines ({', '.join(sorted(evidence.machines))}): choose one")
    return compute(evidence)


def speed_gates(records: Iterable[RecordLike], rule: ScoringRule | None = None) -> dict[tuple[str, str, str], str]:
    """(algorithm, backbone, level) -> why the speed of that network alone counts nothing; the others are left out."""
    rule, records = rule or ScoringRule(), list(records)
    found = {}
    for backbone, level in {(r.cell.backbone, r.cell.level) for r in records if r.cell.backbone != "none"}:
        own = [r for r in records if r.cell.backbone in (backbone, "none") and r.cell.level == level]
        evidence = gather(own, rule).get("accuracy", TrackEvidence())
        for algo in {record.cell.algo for record in own if record.cell.backbone == backbone}:
            if why := _speed_gate(quality_parts(evidence, algo, rule)["task"], rule):
                found[algo, backbone, level] = why
    return found


def _speed_gate(task: Part, rule: ScoringRule) -> str:
    if task.value is None or task.value >= rule.speed_gate:
        return ""
    kept = f"keeps {task.value:.0%} of {rule.full_precision}'s gain over {rule.baseline}"
    return f"{kept} (gate {rule.speed_gate:.0%}): not ranked by speed"


def _scaled(parts: Mapping[str, Part], gated: bool) -> dict[str, float]:
    scaled = {}
    for rule in PARTS:
        value = parts[rule.key].value
        if value is not None:
            scaled[rule.key] = value if rule.scale == "share" else saving(value)
    if gated and "infer" in scaled:
        scaled["infer"] = min(0.0, scaled["infer"])
    return scaled


def _needed(weights: Mapping[str, float], rule: ScoringRule) -> list[str]:
    return [key for key, weight in weights.items() if weight > 0 or key in rule.required]


def _overall(scaled: Mapping[str, float], weights: Mapping[str, float], rule: ScoringRule) -> float | None:
    complete = any(weights.values()) and all(key in scaled for key in _needed(weights, rule))
    return weighted(scaled, weights) if complete else None


def _by_seed(parts: Mapping[str, Part], scaled: Mapping[str, float], weights: Mapping[str, float]) -> list[float]:
    """The overall score of each seed that the task was measured with; what depends on no seed stays as it is."""
    shares = {part.key: parts[part.key].by_seed for part in PARTS if part.scale == "share"}
    return [
        weighted({**scaled, **{key: found[seed] for key, found in shares.items() if seed in found}}, weights)
        for seed in parts["task"].by_seed
    ]


def _why_no_overall(parts: Mapping[str, Part], weights: Mapping[str, float], rule: ScoringRule) -> str:
    missing = [key for key in _needed(weights, rule) if parts[key].value is None]
    return "; ".join(f"{key}: {parts[key].reason}" for key in missing) or "no part carries weight"
