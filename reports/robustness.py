"""Robustness as small charts: one a damage, every network's gain over the baseline by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from bench.records.record import Record
from bench.scoring.means import mean
from bench.scoring.robust import CLEAN, CORRUPTED
from bench.scoring.rule import ScoringRule
from reports.known import Known
from reports.multiples import Line, panel
from reports.text import clean

MOST_NAMES = 3
"""Methods named under a chart; the others are counted."""
LEAST_DB = 0.05
"""Lines closer than this at the strongest level have not parted."""
Points = dict[tuple[str, int], float]
"""(damage, level), or (`CLEAN`, 0) -> PSNR in dB"""


@dataclass(frozen=True)
class Damage:
    """One chart's axis."""

    key: str
    title: str
    unit: str
    """What a level's number is"""
    levels: tuple[tuple[int, str], ...]
    """(level, its number in words), weakest first"""


def robustness_panels(records: Sequence[Record], known: Known, rule: ScoringRule) -> str:
    """HTML of all charts; empty where the rule's baseline was not damaged too, or nobody else was.

    ``records`` are those of one network and one set of damages. The baseline's PSNR is the zero; full precision's line
    is what others are held against where it is there.
    """
    base, curves = rule.baseline, _curves(records)
    level = curves.get(base, {})
    gains = {algo: {at: v - level[at] for at, v in points.items() if at in level} for algo, points in curves.items()}
    if not level or len(gains) < 2:
        return ""
    return "".join(_panel(damage, gains, known, rule) for damage in _damages(records))


def crossing(upper: Sequence[float], lower: Sequence[float]) -> tuple[int, float] | None:
    """Where the first line, above the second or level with it at first, falls below it for good, by `LEAST_DB` or more.

    Returns:
        The place before it, and how far between that place and the next, in [0, 1); None where it never does.
    """
    apart = [a - b for a, b in zip(upper, lower, strict=True)]
    if apart[0] < 0 or apart[-1] > -LEAST_DB:
        return None
    place = max(number for number, (a, b) in enumerate(pairwise(apart)) if a >= 0 > b)
    return place, apart[place] / (apart[place] - apart[place + 1])


def _curves(records: Sequence[Record]) -> dict[str, Points]:
    """Algorithm -> its PSNR, mean over seeds and the data sets that all have."""
    cases: dict[str, set[str]] = {}
    for record in records:
        cases.setdefault(record.cell.algo, set()).add(record.cell.case)
    common = set.intersection(*cases.values()) if cases else set()
    found: dict[str, dict[tuple[str, int], list[float]]] = {}
    for record in records:
        for key, measured in record.metrics.items() if record.cell.case in common else ():
            match = CORRUPTED.fullmatch(key)
            place = (match["corruption"], int(match["severity"])) if match else (key, 0)
            if match or key == CLEAN:
                found.setdefault(record.cell.algo, {}).setdefault(place, []).append(measured.value)
    return {algo: {place: mean(values) for place, values in places.items()} for algo, places in found.items()}


def _damages(records: Sequence[Record]) -> list[Damage]:
    """The damages in the records, in the set's order, with titles and numbers where a record notes them."""
    details = next((record.details for record in records if "titles" in record.details), {})
    titles, values = details.get("titles"), details.get("values")
    found: dict[str, set[int]] = {}
    for record in records:
        for match in filter(None, map(CORRUPTED.fullmatch, record.metrics)):
            found.setdefault(match["corruption"], set()).add(int(match["severity"]))
    made = []
    for key, levels in found.items():
        ordered, words = sorted(levels), key.replace("_", " ")
        title, unit = titles.get(key, [words, "severity"]) if isinstance(titles, Mapping) else (words, "severity")
        numbers = values.get(key) if isinstance(values, Mapping) else None
        numbers = numbers if isinstance(numbers, list) and len(numbers) == len(ordered) else ordered
        pairs = tuple((level, clean(str(number), 20)) for level, number in zip(ordered, numbers, strict=True))
        made.append(Damage(key, clean(str(title), 40), clean(str(unit), 40), pairs))
    return made


def _panel(damage: Damage, gains: Mapping[str, Points], known: Known, rule: ScoringRule) -> str:
    places = [(CLEAN, 0), *((damage.key, level) for level, _ in damage.levels)]
    whole = {algo: [points[at] for at in places] for algo, points in gains.items() if points.keys() >= {*places}}
    ticks, met = ["clean", *(words for _, words in damage.levels)], _crossings(whole, rule)
    roles = {rule.full_precision: "full", rule.baseline: "base"}
    lines = [
        Line(known.method(algo), known.hue(algo), algo, tuple(ys), roles.get(algo, ""), met.get(algo))
        for algo, ys in whole.items()
    ]
    chart = panel(f"{damage.title}: gain over {known.method(rule.baseline)}", lines, ticks, damage.unit)
    words = _words(whole, met, known, rule, ticks) if rule.full_precision in whole else ""
    return f'<div class="panel"><h4>{escape(damage.title)}</h4>{chart}<p>{escape(words)}</p></div>'


def _crossings(whole: Mapping[str, Sequence[float]], rule: ScoringRule) -> dict[str, tuple[int, float]]:
    """Full precision -> where it falls below the baseline; method that has something to lose -> where below that."""
    full, base = rule.full_precision, rule.baseline
    if full not in whole:
        return {}
    rivals = {algo: ys for algo, ys in whole.items() if algo not in (full, base) and ys[0] > rule.robust_min_gain_db}
    held = {full: whole[base], **rivals}
    return {algo: met for algo, ys in held.items() if (met := crossing(whole[full], ys)) is not None}


def _words(
    whole: Mapping[str, Sequence[float]],
    met: Mapping[str, tuple[int, float]],
    known: Known,
    rule: ScoringRule,
    ticks: Sequence[str],
) -> str:
    full, base = known.method(rule.full_precision), known.method(rule.baseline)
    own = met.get(rule.full_precision)
    fate = f"falls below {base} between {ticks[own[0]]} and {ticks[own[0] + 1]}" if own else f"stays above {base}"
    passing = sorted((algo for algo in met if algo != rule.full_precision), key=lambda algo: -whole[algo][-1])
    if not passing:
        return f"{full} {fate}."
    rest = f" and {len(passing) - MOST_NAMES} more" if len(passing) > MOST_NAMES else ""
    return f"{full} {fate}. Above it in the end: {', '.join(map(known.method, passing[:MOST_NAMES]))}{rest}."
