"""From records to one neutral table a track."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bench.contract import Metric
from bench.contract.damage_sets import damages_of, dataset_of
from bench.contract.weight_labels import budget_of
from bench.records.record import Measured, Record
from bench.scoring import speed_gates
from reports.entries import gated, measured_entries, metrics_of, network
from reports.explain import notes_under
from reports.flags import without_seed
from reports.known import Known, backbone_title
from reports.layout import GENERIC, LAYOUTS, TRACK_ORDER, Layout
from reports.origins import card_entries, origin_columns, seeds_text
from reports.table import Column, Entry, Row, Table, marked
from reports.text import clean

METHOD = Column("method", "Method", "Name of the method", text=True)
BITS = Column("bits", "Bits", "Bits of weights / activations in the quantized layers", "W/A", text=True)
BACKBONE = Column("backbone", "Backbone", "The network whose layers the method quantizes", text=True)
SCALE = Column("scale", "Scale", "Upscaling factor", digits=0)
CASE = Column("case", "Case", "Data set or setting", text=True)
KERNEL = Column("kernel", "Kernel", "Native kernels that ran the packed layers", text=True)
FLAGS = Column("flags", "Flags", "Warnings that travel with the numbers, and why a number is absent", text=True)

DATASETS = {"set5": "Set5", "set14": "Set14", "b100": "B100", "urban100": "Urban100", "manga109": "Manga109"}

Indexed = tuple[int, Record]


def case_title(case: str) -> str:
    """``Set5`` for ``set5``, ``Set5+`` for its self-ensembled case; other cases as they are.

    ``Set5, mild-v1`` where its pictures were damaged by that set.
    """
    name = case.removesuffix("+")
    if name in DATASETS or (dataset := dataset_of(name)) == name:
        return DATASETS.get(name, name) + case[len(name) :]
    return f"{DATASETS.get(dataset, dataset)}, {damages_of(name)}"


def tracks_in(records: Iterable[Record]) -> list[str]:
    """Tracks that the records come from, in the order of their tables."""
    order = {name: place for place, name in enumerate(TRACK_ORDER)}
    found = {record.cell.track for record in records}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def track_table(records: Sequence[Record], track: str, known: Known) -> Table:
    """The table of one track. A cell measured with several seeds shows the mean and, in parentheses, the deviation."""
    layout = LAYOUTS.get(track, GENERIC)
    own = [(place, record) for place, record in enumerate(records) if record.cell.track == track]
    comp = [(place, record) for place, record in enumerate(records) if record.cell.track == "comp"]
    machines = sorted({record.provenance.machine.id for _, record in own if record.machine_bound})
    metrics = _metrics(own, layout)
    rows: list[Row] = []
    gates = speed_gates(records) if layout.speed else {}
    for name, members in _grouped(own, layout, len(machines) > 1).items():
        row = _row(name, members, comp if layout.joined else [], layout, known)
        cell = members[0][1].cell
        rows.append(_slow_to_count(row, layout, gates.get((cell.algo, cell.backbone, cell.level), "")))
    columns = _columns(own, comp, metrics, layout)
    alone = len({row.backbone for row in rows} - {"none"}) == 1
    ordered = sorted(rows, key=lambda row: _order(row, columns, layout, alone))
    done = marked(ordered, columns, lambda row: (row.backbone, row.scale, row.bits, row.case, row.machine))
    about = clean(known.tracks[track][1]) if track in known.tracks else ""
    notes = tuple(notes_under([record for _, record in own], machines, layout))
    return Table(track, known.track(track), tuple(columns), tuple(done), about, notes)


def _slow_to_count(row: Row, layout: Layout, why: str) -> Row:
    """The row with its speed out of the contest, and the reason beside it, where there is one."""
    if not why:
        return row
    speed = {key: replace(row.entries[key], barred=True, note=why) for key in layout.speed if key in row.entries}
    told = "; ".join(filter(None, [str(row.entries["flags"].value or ""), why]))
    return replace(row, entries={**row.entries, **speed, "flags": Entry(told)})


def _grouped(own: list[Indexed], layout: Layout, by_machine: bool) -> dict[str, list[Indexed]]:
    groups: dict[str, list[Indexed]] = {}
    for place, record in own:
        cell = record.cell
        name = f"{cell.algo}.{cell.backbone}.x{cell.scale}" if layout.pivot else cell.name
        if by_machine:
            name += f"@{record.provenance.machine.id}"
        groups.setdefault(name, []).append((place, record))
    return groups


def _metrics(own: list[Indexed], layout: Layout) -> dict[str, Measured]:
    """Metric key -> one example of it, for its title, unit, direction and digits."""
    found: dict[str, Measured] = {}
    for _, record in own:
        for key, measured in metrics_of(record, layout).items():
            found.setdefault(key, measured)
    return found


def cases_in_order(cases: Iterable[str]) -> list[str]:
    """The usual order of test sets; other cases follow by name."""
    order = {name: place for place, name in enumerate(DATASETS)}
    return sorted(set(cases), key=lambda case: (order.get(dataset_of(case.removesuffix("+")), len(order)), case))


def _columns(own: list[Indexed], comp: list[Indexed], metrics: Mapping[str, Measured], layout: Layout) -> list[Column]:
    spreads = set(layout.spread.values())
    shown = [key for key in layout.order if key in metrics] or [key for key in metrics if key not in spreads]
    rest = [key for key in metrics if key not in shown]
    described = _metrics(comp, LAYOUTS["comp"])
    columns = [METHOD, BITS, BACKBONE, SCALE]
    columns += [
        metric_column(f"comp:{key}", described[key], LAYOUTS["comp"]) for key in layout.joined if key in described
    ]
    cases = cases_in_order(record.cell.case for _, record in own)
    if layout.pivot:
        for case in cases:
            title = case_title(case)
            columns += [metric_column(f"{case}:{key}", metrics[key], layout, title) for key in shown]
            columns += [metric_column(f"{case}:{key}", metrics[key], layout, title, shown=False) for key in rest]
        return [*columns, *origin_columns([record for _, record in own]), FLAGS]
    columns += [replace(CASE, shown=len(cases) > 1)]
    columns += [metric_column(key, metrics[key], layout) for key in shown]
    columns += [metric_column(key, metrics[key], layout, shown=False) for key in rest]
    return [*columns, *([KERNEL] if layout.kernels else []), *origin_columns([record for _, record in own]), FLAGS]


def metric_column(key: str, metric: Measured | Metric, layout: Layout, group: str = "", shown: bool = True) -> Column:
    """A metric as a report shows it: its unit, direction and words; ``key`` may lead with the case, ``case:metric``."""
    bytes_to_kb = metric.unit == "bytes"
    name = key.rpartition(":")[2]
    title = clean(metric.title, 40) or name
    words = clean(metric.help)
    if name in layout.spread:
        words = f"{words.rstrip('.')}. In parentheses: interquartile range."
    return Column(
        key=key,
        title=title,
        help=words,
        unit="kB" if bytes_to_kb else clean(metric.unit, 12),
        better="neither" if name in layout.unranked else metric.better,
        digits=0 if bytes_to_kb else metric.digits,
        group=group,
        shown=shown,
    )


def _row(name: str, members: list[Indexed], comp: list[Indexed], layout: Layout, known: Known) -> Row:
    first = members[0][1]
    cell = first.cell
    entries = {
        "method": Entry(known.method(cell.algo)),
        "bits": Entry(known.bits(cell.algo) or None),
        "backbone": Entry(backbone_title(cell.backbone)),
        "scale": Entry(float(cell.scale)),
        "case": Entry(case_title(cell.case)),
        "machine": Entry(name.partition("@")[2] or None),
        "seeds": Entry(seeds_text([record for _, record in members])),
        **card_entries(cell.algo, known),
    }
    same = [(i, r) for i, r in comp if (r.cell.algo, r.cell.backbone, r.cell.scale) == network(first)]
    if same:
        costs = measured_entries([record for _, record in same], LAYOUTS["comp"], known)
        entries |= {f"comp:{key}": costs[key] for key in layout.joined if key in costs}
    by_case: dict[str, list[Record]] = {}
    for _, record in members:
        by_case.setdefault(record.cell.case, []).append(record)
    for case, records in by_case.items():
        prefix = f"{case}:" if layout.pivot else ""
        found = measured_entries(records, layout, known)
        entries |= {prefix + key: entry for key, entry in found.items()}
    words = (without_seed(flag) for _, record in members for flag in record.flags)
    flags = tuple(clean(flag, 60) for flag in dict.fromkeys(words))
    reasons = _reasons([record for _, record in members], layout)
    if layout.kernels:
        entries["kernel"] = Entry(kernels_text(first.kernels) or None)
    entries["flags"] = Entry("; ".join([*flags, *reasons]) or "")
    return Row(
        id=name,
        algo=cell.algo,
        backbone=cell.backbone,
        scale=cell.scale,
        entries=entries,
        case="" if layout.pivot else cell.case,
        bits=known.bits(cell.algo),
        family=known.family(cell.algo),
        reference=known.reference(cell.algo),
        machine=first.provenance.machine.id if first.machine_bound else "",
        threads=tuple(sorted({record.provenance.threads for _, record in members})),
        budget=budget_of(flags) or "",
        flags=flags,
        records=tuple(place for place, _ in [*members, *same]),
    )


def _reasons(records: list[Record], layout: Layout) -> list[str]:
    several = layout.pivot and len({record.cell.case for record in records}) > 1
    told = {}
    for record in records:
        reason = record.reason or (layout.gate_reason if gated(record, layout) else "")
        if reason:
            words = f"{record.status}: {reason}" if record.reason else reason
            told.setdefault(clean(words, 300), []).append(case_title(record.cell.case))
        if silent := silent_runs(record):
            told.setdefault(f"taught nothing: {silent}", []).append(case_title(record.cell.case))
    return [f"{words} ({', '.join(cases)})" if several else words for words, cases in told.items()]


def silent_runs(record: Record) -> str:
    """The runs of a sweep over hyper-parameters that taught the network nothing, by name."""
    names = record.details.get("taught_nothing")
    return clean(", ".join(map(str, names)), 300) if isinstance(names, list) else ""


def kernels_text(kernels: Mapping[str, str]) -> str:
    """Which native kernels ran how many layers: ``avx2`` or ``avx2 30, portable 2``."""
    counts = Counter(clean(re.sub(r"[^\w.+-]", " ", name), 30) for name in kernels.values())
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _order(row: Row, columns: Sequence[Column], layout: Layout, alone: bool) -> tuple:
    """Network by network, the main metric with the best first; what has no number comes last.

    References stand at their place among the others, so that whoever is worse than doing nothing is seen to be; with
    several backbones (not ``alone``) those without a network stand before all.
    """
    ranked = [column for column in columns if not column.text and column.better != "neither"]
    named = (column for column in ranked if column.key.rpartition(":")[2] == layout.main)
    main = next(named, ranked[0] if ranked else None)
    value = row.entries.get(main.key, Entry()).value if main else None
    number = value if isinstance(value, float) else None
    sign = -1 if main is not None and main.better == "higher" else 1
    network = (row.scale, row.backbone if row.backbone != "none" and not alone else "")
    return (*network, row.machine, row.case, number is None, sign * (number or 0.0), row.id)
