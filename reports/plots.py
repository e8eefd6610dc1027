"""Which charts a page shows, made from records: trade-offs, speed promised and measured, robustness, ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.contract.damage_sets import IMAGENET_C, MILD, damages_of
from bench.records.record import Record
from bench.scoring.means import mean
from bench.scoring.rule import ScoringRule
from reports import svg
from reports.axes import Axis
from reports.board import Board
from reports.known import Known, backbone_title
from reports.layout import PARTS_MS
from reports.robustness import robustness_panels
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
        draw(records, network, known) for draw in (_psnr_latency, _psnr_ops, _speedups, _parts) for network in networks
    ]
    made += [_robustness(records, network, damages, known) for network in networks for damages in (MILD, IMAGENET_C)]
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


def _robustness(records: Sequence[Record], network: Network, damages: str, known: Known) -> Figure | None:
    """One small chart a damage: the gain over the baseline on the same damaged pictures, which most damage dwarfs."""
    rule = ScoringRule()
    own = [record for record in _of(records, network, "robust") if damages_of(record.cell.case) == damages]
    drawn = robustness_panels(own, known, rule)
    if not drawn:
        return None
    title = f"{'What mild damage leaves' if damages == MILD else 'Under ImageNet-C'}: {_title(network)}"
    full, base = known.method(rule.full_precision), known.method(rule.baseline)
    caption = (
        f"PSNR-Y minus {base}'s on the same damaged pictures, in dB ({damages}). Dashed: {full}; dotted: {base}. Ring: "
        f"{full} meets {base}; dot: a method meets {full}. What begins below {base} has nothing to "
        "lose; where it leaves a chart it runs along the edge."
    )
    return Figure("robustness", title, caption, drawn, *network)


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
    return svg.Point(x, y, known.method(algo), known.hue(algo), row, tip)


def _title(network: Network) -> str:
    return clean(f"{backbone_title(network[0])} \N{MULTIPLICATION SIGN}{network[1]}")
