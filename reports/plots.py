"""Which charts a page shows, made from records: trade-offs, speed promised and measured, robustness, ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.records.record import Record
from bench.scoring.means import mean
from bench.scoring.robust import CLEAN, CORRUPTED
from bench.scoring.rule import ScoringRule
from reports import svg
from reports.axes import Axis
from reports.board import Board
from reports.known import Known, backbone_title
from reports.layout import PARTS_MS
from reports.tables import case_title, cases_in_order
from reports.text import clean

MOST_NETWORKS = 6
"""Networks drawn: those with the most records. A page of more would be slow and unread."""

Network = tuple[str, int]
"""(backbone, scale)"""


@dataclass(frozen=True)
class Figure:
    """One chart with its words."""

    key: str
    title: str
    caption: str
    picture: str
    """SVG"""
    backbone: str = ""
    """Filters of the page hide a figure of another backbone or scale; empty and 0: always shown."""
    scale: int = 0


def figures(records: Sequence[Record], known: Known) -> list[Figure]:
    """All charts that the records allow, in reading order."""
    counts = Counter((r.cell.backbone, r.cell.scale) for r in records if r.cell.backbone != "none")
    networks = sorted(network for network, _ in counts.most_common(MOST_NETWORKS))
    made = [
        draw(records, network, known)
        for draw in (_psnr_latency, _psnr_ops, _speedups, _parts, _robustness)
        for network in networks
    ]
    return [figure for figure in made if figure is not None and figure.picture]


def rank_figure(board: Board, known: Known) -> Figure | None:
    """Rank intervals of one scope's ranked methods."""
    stable = board.scores.stability
    if stable is None:
        return None
    rows = [(known.method(r.algo), r.rank, *stable.ranks[r.algo]) for r in board.scores.rows if r.rank is not None]
    caption = (
        "Dot: rank under the default weights. Line: ranks reached when one part is left out, or under 90 % of "
        f"{board.scores.rule.weight_draws} random weightings."
    )
    return Figure(f"ranks-{board.scope.key}", "How firm the ranking is", caption, svg.intervals("Rank ranges", rows))


def _psnr_latency(records: Sequence[Record], network: Network, known: Known) -> Figure | None:
    latency = _metric(records, network, "infer", "latency_ms", needs="parity_max_abs")
    return _trade_off(records, network, known, latency, "infer", "latency", "Latency (ms)", "ms")


def _psnr_ops(records: Sequence[Record], network: Network, known: Known) -> Figure | None:
    ops = _metric(records, network, "comp", "ops_g")
    return _trade_off(records, network, known, ops, "comp", "ops", "Ops (G, strict)", "G")


def _trade_off(
    records: Sequence[Record], network: Network, known: Known, cost: dict[str, float], table: str, key: str, axis: str,
    unit: str,
) -> Figure | None:  # fmt: skip
    quality, datasets = _quality(records, network, cost)
    networks = {algo: psnr for algo, psnr in quality.items() if not _without_network(records, algo)}
    if len(networks) < 2:
        return None
    levels = [(f"{known.method(algo)} {psnr:.2f}", psnr) for algo, psnr in quality.items() if algo not in networks]
    points = []
    for algo, psnr in networks.items():
        tip = f"{known.method(algo)}: {psnr:.2f} dB, {cost[algo]:.4g} {unit}"
        points.append(_point(known, algo, network, cost[algo], psnr, "accuracy", tip))
    names = [case_title(name) for name in datasets]
    over = f"mean over {', '.join(names)}" if len(names) > 1 else names[0]
    title = f"PSNR against {key}: {_title(network)}"
    picture = svg.scatter(title, points, Axis(axis, log=True), Axis("PSNR-Y (dB)"), front=True, levels=levels)
    caption = f"PSNR: {over}. Up and to the left is better; the line joins the methods that no other beats in both."
    return Figure(f"psnr-{key}", title, caption, picture, *network)


def _speedups(records: Sequence[Record], network: Network, known: Known) -> Figure | None:
    measured = _metric(records, network, "infer", "speedup", needs="parity_max_abs")
    theory = _metric(records, network, "infer", "speedup_theory") | _metric(records, network, "comp", "speedup_theory")
    points = [
        _point(known, algo, network, theory[algo], value, "infer",
               f"{known.method(algo)}: {theory[algo]:.2f} in theory, {value:.2f} measured")
        for algo, value in measured.items()
        if algo in theory and not known.reference(algo)
    ]  # fmt: skip
    title = f"Speed-up in theory and measured: {_title(network)}"
    axes = Axis("Theory: Ops FP / Ops", log=True), Axis("Measured speed-up", log=True)
    caption = "On the line a method is as fast as its operations promise; below it, time goes elsewhere."
    return Figure("speedup", title, caption, svg.scatter(title, points, *axes, diagonal=True), *network)


def _parts(records: Sequence[Record], network: Network, known: Known) -> Figure | None:
    timed = {key: _metric(records, network, "infer", key, needs="parity_max_abs") for key in PARTS_MS}
    algos = [algo for algo in timed[PARTS_MS[0]] if all(algo in timed[key] for key in PARTS_MS)]
    algos.sort(key=lambda algo: sum(timed[key][algo] for key in PARTS_MS))
    rows = [(known.method(a), [(key.removesuffix("_ms"), timed[key][a]) for key in PARTS_MS]) for a in algos]
    title = f"Where the time goes: {_title(network)}"
    caption = "Median time in the four parts of the network. What stays in full precision bounds any speed-up."
    return Figure("parts", title, caption, svg.stacked(title, rows, "ms"), *network)


def _robustness(records: Sequence[Record], network: Network, known: Known) -> Figure | None:
    """PSNR over severity, as the gain over the baseline where that was damaged too: most damage dwarfs the methods."""
    baseline = ScoringRule().baseline
    curves = _curves(records, network)
    level = curves.get(baseline)
    charts: dict[str, list[svg.Series]] = {}
    for algo, values in curves.items():
        shown = {place: v - level[place] for place, v in values.items() if place in level} if level else values
        for corruption in dict.fromkeys(name for name, _ in shown if name != CLEAN):
            spots = {severity: v for (name, severity), v in shown.items() if name in (corruption, CLEAN)}
            xs = tuple(sorted(spots))
            one = svg.Series(known.method(algo), _family(known, algo), algo, xs, tuple(spots[x] for x in xs))
            charts.setdefault(corruption, []).append(one)
    name = known.method(baseline)
    axis = Axis(f"over {name} (dB)" if level else "PSNR-Y (dB)")
    pictures = []
    for corruption, series in sorted(charts.items()):
        words = corruption.replace("_", " ")
        pictures.append(svg.lines(words, series, Axis(words), axis))
    title = f"Robustness over severity: {_title(network)}"
    what = f"PSNR-Y minus {name}'s on the same damaged pictures" if level else "PSNR-Y"
    caption = f"{what}, as the low-resolution input is corrupted; severity 0 is the clean input."
    return Figure("robustness", title, caption, "".join(pictures), *network)


def _curves(records: Sequence[Record], network: Network) -> dict[str, dict[tuple[str, int], float]]:
    """Algorithm -> (corruption, severity), or (`CLEAN`, 0) -> PSNR, mean over seeds and the data sets that all have."""
    own = _of(records, network, "robust")
    cases: dict[str, set[str]] = {}
    for record in own:
        cases.setdefault(record.cell.algo, set()).add(record.cell.case)
    common = set.intersection(*cases.values()) if cases else set()
    found: dict[str, dict[tuple[str, int], list[float]]] = {}
    for record in own:
        for key, measured in record.metrics.items() if record.cell.case in common else ():
            match = CORRUPTED.fullmatch(key)
            place = (match["corruption"], int(match["severity"])) if match else (key, 0)
            if match or key == CLEAN:
                found.setdefault(record.cell.algo, {}).setdefault(place, []).append(measured.value)
    return {algo: {place: mean(values) for place, values in places.items()} for algo, places in found.items()}


def _quality(records: Sequence[Record], network: Network, others: Iterable[str]) -> tuple[dict[str, float], list[str]]:
    """Mean PSNR over the data sets that every trained network with a cost has, and those data sets.

    Methods without a network (bicubic) need no cost.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for record in _of(records, network, "accuracy"):
        if "psnr_y" in record.metrics and "untrained" not in record.flags:
            per_set = values.setdefault(record.cell.algo, {})
            per_set.setdefault(record.cell.case, []).append(record.metrics["psnr_y"].value)
    costly = set(others)
    plotted = {a: sets for a, sets in values.items() if a in costly or _without_network(records, a)}
    common = cases_in_order(set.intersection(*(set(sets) for sets in plotted.values()))) if plotted else []
    if not common:
        return {}, []
    return {algo: mean(mean(sets[name]) for name in common) for algo, sets in plotted.items()}, common


def _without_network(records: Sequence[Record], algo: str) -> bool:
    return any(record.cell.backbone == "none" for record in records if record.cell.algo == algo)


def _metric(
    records: Sequence[Record], network: Network, track: str, key: str, needs: str | None = None
) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for record in _of(records, network, track):
        if key in record.metrics and (needs is None or needs in record.metrics):
            found.setdefault(record.cell.algo, []).append(record.metrics[key].value)
    return {algo: mean(values) for algo, values in found.items() if all(value > 0 for value in values)}


def _of(records: Sequence[Record], network: Network, track: str) -> list[Record]:
    places: tuple[Network, ...] = (network, ("none", network[1]))
    return [
        record
        for record in records
        if record.status == "ok" and record.cell.track == track and (record.cell.backbone, record.cell.scale) in places
    ]


def _point(known: Known, algo: str, network: Network, x: float, y: float, table: str, tip: str) -> svg.Point:
    row = f"{table}/{algo}.{network[0]}.x{network[1]}"
    return svg.Point(x, y, known.method(algo), _family(known, algo), row, tip)


def _family(known: Known, algo: str) -> str:
    family = known.family(algo)
    return family if family in ("reference", "binary", "low-bit") else "other"


def _title(network: Network) -> str:
    return clean(f"{backbone_title(network[0])} \N{MULTIPLICATION SIGN}{network[1]}")
