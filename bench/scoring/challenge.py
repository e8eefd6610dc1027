"""The PSNR-gated efficiency score of the NTIRE 2025 efficient super-resolution challenge."""

from __future__ import annotations

from math import exp

from bench.scoring.evidence import Square, TrackEvidence
from bench.scoring.means import mean
from bench.scoring.parts import Part
from bench.scoring.rule import ChallengeRule, ScoringRule


def challenge_score(runtime: float, ops: float, params: float, rule: ChallengeRule) -> float:
    """Score of one network from its run time, operations and parameters over those of the baseline; lower is better.

    Ren et al.: The Tenth NTIRE 2025 Efficient Super-Resolution Challenge Report, CVPR Workshops 2025.
    """
    weighted = ((rule.weight_runtime, runtime), (rule.weight_ops, ops), (rule.weight_params, params))
    return sum(weight * exp(rule.sharpness * share) for weight, share in weighted)


def challenge_part(tracks: dict[str, TrackEvidence], algo: str, rule: ScoringRule) -> Part:
    """Mean of `challenge_score` over all (backbone, level) that the method was timed on, if PSNR passes the gate."""
    none = TrackEvidence()
    accuracy, comp, infer = (tracks.get(name, none) for name in ("accuracy", "comp", "infer"))
    networks = sorted({square[:2] for square in infer.grid((rule.full_precision, rule.baseline))})
    if not networks:
        return Part(reason="not timed")
    scores = []
    for backbone, level in networks:
        runtime = _mean(infer, algo, backbone, level, "speedup")
        ops = _mean(comp, algo, backbone, level, "speedup_theory")
        params = _mean(comp, algo, backbone, level, "compression")
        below = _below(accuracy, algo, backbone, level, rule)
        place = f"{backbone} {level}"
        missing = {"run time": runtime, "operations": ops, "parameters": params, "PSNR beside full precision": below}
        absent = [name for name, value in missing.items() if value is None]
        if runtime is None or ops is None or params is None or below is None:
            return Part(reason=f"{place}: no {', '.join(absent)}")
        if below > rule.challenge.gate_db:
            gate = rule.challenge.gate_db
            return Part(reason=f"{place}: {below:.2f} dB below full precision, the gate is {gate:g} dB")
        scores.append(challenge_score(1 / runtime, 1 / ops, 1 / params, rule.challenge))
    return Part(mean(scores), entries=len(scores))


def _squares(evidence: TrackEvidence, algo: str, backbone: str, level: str) -> list[Square]:
    return [square for square in evidence.values.get(algo, {}) if square[:2] == (backbone, level)]


def _mean(evidence: TrackEvidence, algo: str, backbone: str, level: str, key: str) -> float | None:
    found = [evidence.values[algo][square].value(key) for square in _squares(evidence, algo, backbone, level)]
    values = [value for value in found if value is not None and value > 0]
    return mean(values) if values and len(values) == len(found) else None


def _below(evidence: TrackEvidence, algo: str, backbone: str, level: str, rule: ScoringRule) -> float | None:
    """Mean over the grid's data sets of full precision's PSNR minus the method's, in dB."""
    grid = [s for s in evidence.grid((rule.full_precision, rule.baseline)) if s[:2] == (backbone, level)]
    below = []
    for square in grid:
        own, full = evidence.at(algo, square), evidence.at(rule.full_precision, square)
        values = [measured.value("psnr_y") if measured else None for measured in (full, own)]
        if values[0] is None or values[1] is None:
            return None
        below.append(values[0] - values[1])
    return mean(below) if below else None
