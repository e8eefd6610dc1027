"""Values of one cell as table entries: mean over seeds, spread, reduction, published values, reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bench.records.published import Published, matching
from bench.records.record import Measured, Record
from bench.scoring.means import mean, sample_sd
from reports.known import Known
from reports.layout import Layout
from reports.table import Entry, Quote
from reports.text import clean


def metrics_of(record: Record, layout: Layout) -> Mapping[str, Measured]:
    """A record's metrics under plain names, those that the layout folds replaced by their means."""
    kept: dict[str, Measured] = {}
    folded: dict[str, list[tuple[int, Measured]]] = {}
    for key, measured in record.metrics.items():
        if match := layout.fold and layout.fold.fullmatch(key):
            folded.setdefault(match["corruption"], []).append((int(match["severity"]), measured))
        else:
            kept[re.sub(r"[^\w.+-]", "_", key, flags=re.ASCII)[:80]] = measured
    for name, members in folded.items():
        severities = ", ".join(str(severity) for severity, _ in sorted(members))
        facts = {"title": name.replace("_", " "), "help": f"Mean over levels {severities}", "better": "neither"}
        value = mean(measured.value for _, measured in members)
        kept[f"mean_{name}"] = members[0][1].model_copy(update={"value": value, **facts})
    return kept


def measured_entries(records: list[Record], layout: Layout, known: Known) -> dict[str, Entry]:
    """Entries of one cell from the records of its seeds; absent values carry the reason."""
    usable = [record for record in records if record.status == "ok"]
    metrics = [metrics_of(record, layout) for record in usable]
    keys = dict.fromkeys(key for found in metrics for key in found)
    entries: dict[str, Entry] = {}
    for key in keys:
        values = [found[key].value for found in metrics if key in found]
        if key in layout.gated and any(gated(record, layout) for record in usable):
            entries[key] = Entry(note=layout.gate_reason)
            continue
        kb = any(found[key].unit == "bytes" for found in metrics if key in found)
        value = mean(values) / (1000 if kb else 1)
        spread = sample_sd(values)
        if spread is None and (other := usable[0].metrics.get(layout.spread.get(key, ""))) is not None:
            spread = other.value
        entries[key] = Entry(value, spread=spread, change=_change(usable[0], key, value, layout, known))
    quotes = _quotes(records[0], known)
    for key, found in quotes.items():
        if key in entries:
            entries[key] = replace(entries[key], quotes=found)
    if not usable:
        note = clean(f"{records[0].status}: {records[0].reason}", 300)
        entries = {key: Entry(note=note) for key in layout.order}
    return entries


def _change(record: Record, key: str, value: float, layout: Layout, known: Known) -> float | None:
    full = record.metrics.get(layout.change.get(key, ""))
    if full is None or full.value <= 0 or known.reference(record.cell.algo):
        return None
    return 100 * (value / full.value - 1)


def _quotes(record: Record, known: Known) -> dict[str, tuple[Quote, ...]]:
    """Published values of the same cell, by the metric they belong to."""
    cell, card = record.cell, known.cards.get(record.cell.algo)
    if card is None or not known.published:
        return {}
    if cell.track == "accuracy":
        bits = (card.bits_w, card.bits_a)
        found = matching(known.published, cell.algo, cell.backbone, cell.scale, cell.case, bits)
        return {
            "psnr_y": tuple(_quote(row, row.psnr_db) for row in found if row.psnr_db is not None),
            "ssim_y": tuple(_quote(row, row.ssim) for row in found if row.ssim is not None),
        }
    if cell.track == "comp":
        same = [row for row in known.published if row.kind == "value" and _same_network(row, record, known)]
        return {
            "params_k_paper": _distinct(_quote(row, row.params_k) for row in same if row.params_k is not None),
            "ops_g_paper": _distinct(_quote(row, row.ops_g) for row in same if row.ops_g is not None),
        }
    return {}


def _same_network(row: Published, record: Record, known: Known) -> bool:
    card = known.cards[record.cell.algo]
    cited = (row.algo, row.backbone, row.scale, row.bits_w, row.bits_a)
    return cited == (*network(record), card.bits_w, card.bits_a)


def _quote(row: Published, value: float) -> Quote:
    return Quote(value, row.paper, f"{row.method}, table {row.table}")


def _distinct(quotes: Iterable[Quote]) -> tuple[Quote, ...]:
    return tuple(dict.fromkeys(quotes))


def gated(record: Record, layout: Layout) -> bool:
    """True for a result whose numbers may not be shown: the metric that vouches for them is absent."""
    return record.status == "ok" and bool(layout.gate) and layout.gate not in record.metrics


def network(record: Record) -> tuple[str, str, int]:
    """(algorithm, backbone, scale) of a record."""
    return record.cell.algo, record.cell.backbone, record.cell.scale
