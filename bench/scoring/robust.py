"""OM robust: full precision's loss under corruption over the method's, larger is better (BiBench's OM robust)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.contract.damage_sets import IMAGENET_C, damages_of
from bench.scoring.evidence import Measured, TrackEvidence
from bench.scoring.means import mean, quadratic_mean
from bench.scoring.parts import Part
from bench.scoring.rule import ScoringRule

CLEAN = "psnr_clean"
"""Metric of a robust record: PSNR-Y in dB without corruption."""
CORRUPTED = re.compile(r"psnr_(?P<corruption>.+)_s(?P<severity>[1-5])")
"""Metrics of a robust record: PSNR-Y in dB under a corruption of the LR image at a severity."""


@dataclass(frozen=True)
class Curve:
    """One network on one data set: clean PSNR and PSNR under each corruption and severity, all in dB."""

    clean: float
    corrupted: Mapping[str, Mapping[int, float]]


def curve(measured: Measured) -> Curve | None:
    """The curve in a robust record's metrics (mean over seeds); None without the clean value."""
    clean = measured.value(CLEAN)
    corrupted: dict[str, dict[int, float]] = {}
    for key in sorted(measured.keys()):
        found, value = CORRUPTED.fullmatch(key), measured.value(key)
        if found and value is not None:
            corrupted.setdefault(found["corruption"], {})[int(found["severity"])] = value
    return None if clean is None else Curve(clean, corrupted)


def robust_parts(evidence: TrackEvidence, algo: str, rule: ScoringRule) -> dict[str, Part]:
    """OM robust (relative, capped: the headline) and BiBench's own form (absolute, uncapped)."""
    grid = [s for s in evidence.grid((rule.full_precision, rule.baseline)) if damages_of(s[2]) == IMAGENET_C]
    headline: dict[str, list[float]] = {}
    uncapped: dict[str, list[float]] = {}
    reason = "" if grid else "not measured"
    for square in grid:
        place = f"{square[0]} x{square[1]} {square[2]}"
        curves = {}
        for name in (algo, rule.full_precision, rule.baseline):
            measured = evidence.at(name, square)
            found = curve(measured) if measured else None
            if found is None:
                reason = f"{name}: {evidence.why_missing(name, square)}"
                break
            curves[name] = found
        else:
            own, full, base = curves[algo], curves[rule.full_precision], curves[rule.baseline]
            for corruption, severities in full.corrupted.items():
                for severity in severities:
                    if severity not in own.corrupted.get(corruption, {}):
                        reason = f"{place}: no {corruption} at severity {severity}"
                        continue
                    uncapped.setdefault(corruption, []).append(uncapped_ratio(own, full, corruption, severity, rule))
                    try:
                        ratio = robust_ratio(own, full, base, corruption, severity, rule)
                        headline.setdefault(corruption, []).append(ratio)
                    except ValueError as error:
                        reason = f"{place}: {error}"
    if reason:
        return {"robust": Part(reason=reason), "robust_uncapped": Part(reason=reason)}
    return {
        "robust": Part(join(headline), entries=len(grid)),
        "robust_uncapped": Part(join(uncapped), entries=len(grid)),
    }


def robust_ratio(curve: Curve, full: Curve, base: Curve, corruption: str, severity: int, rule: ScoringRule) -> float:
    """Relative loss of full precision over that of the method, at most 1.

    Loss G = clean - corrupted, at least the rule's floor, over the clean gain above bicubic. Without the second step a
    collapsed network, which has little left to lose, would come out as the most robust of all.

    Raises:
        ValueError: full precision itself has no gain to compare with.
    """
    gain, full_gain = curve.clean - base.clean, full.clean - base.clean
    if full_gain <= rule.robust_min_gain_db:
        raise ValueError(f"full precision gains at most {rule.robust_min_gain_db:g} dB over {rule.baseline}")
    if gain <= rule.robust_min_gain_db:
        return 0.0
    own = _gap(curve, corruption, severity, rule) / gain
    return min(1.0, _gap(full, corruption, severity, rule) / full_gain / own)


def uncapped_ratio(curve: Curve, full: Curve, corruption: str, severity: int, rule: ScoringRule) -> float:
    """G of full precision over G of the method, as BiBench defines it, with the floor only."""
    return _gap(full, corruption, severity, rule) / _gap(curve, corruption, severity, rule)


def join(ratios: Mapping[str, list[float]]) -> float:
    """Mean over severities (and networks, scales, data sets), quadratic mean over corruptions."""
    return quadratic_mean(mean(values) for values in ratios.values())


def _gap(curve: Curve, corruption: str, severity: int, rule: ScoringRule) -> float:
    return max(curve.clean - curve.corrupted[corruption][severity], rule.robust_min_gap_db)
