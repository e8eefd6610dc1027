"""What stands under a track's table, and why a speed-up is not what counting operations promises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from bench.records.record import Record
from reports.layout import Layout
from reports.text import clean

NEEDED = ("latency_ms", "fp_parts_ms", "layers_ms", "layers_cached_ms", "speedup", "speedup_theory", "parity_max_abs")


def notes_under(records: Sequence[Record], machines: Sequence[str], layout: Layout) -> list[str]:
    """The protocol and the machines under which the table's numbers hold, the layout's remark, and where time goes."""
    protocols = sorted({record.provenance.protocol for record in records if record.provenance.protocol})
    notes = [f"Protocol {clean(', '.join(protocols))}."] if protocols else []
    for machine in machines:
        example = next(r.provenance.machine for r in records if r.provenance.machine.id == machine)
        notes.append(clean(f"Machine {machine}: {example.cpu}, {example.cores} cores, {example.system}."))
        notes += time_goes_to(records, machine) if layout.explained else []
    return [*notes, *([layout.remark] if layout.remark else [])]


def time_goes_to(records: Iterable[Record], machine: str) -> list[str]:
    """Three sentences on one machine's packed networks, each with a share of a pass; none without such records.

    The packed layers' arithmetic is what they take with all activations in the cache; what they take beyond it, alone
    in turn in the same run, is memory. Figures are medians over networks, so they need not add up to the whole.
    """
    found = [
        {key: record.metrics[key].value for key in NEEDED}
        for record in records
        if record.provenance.machine.id == machine and record.metrics.keys() >= set(NEEDED)
    ]
    if not found:
        return []

    def share(part: list[float]) -> str:
        return f"{100 * median(ms / one['latency_ms'] for ms, one in zip(part, found, strict=True)):.0f}%"

    arithmetic = [min(one["layers_cached_ms"], one["layers_ms"]) for one in found]
    memory = [one["layers_ms"] - ms for one, ms in zip(found, arithmetic, strict=True)]
    promised, measured = (median(one[key] for one in found) for key in ("speedup_theory", "speedup"))
    count = f"median of {len(found)} networks" if len(found) > 1 else "one network"
    return [
        f"Counting operations promises {promised:.0f} times, measured on machine {clean(machine)} are {measured:.1f} "
        f"({count}): only {share(arithmetic)} of a packed pass is the arithmetic of few bits that the count is about.",
        f"{share(memory)} is memory: what the packed layers take in the network's own size beyond what they take on "
        "1/64 of the image, where all activations stay in the cache.",
        f"{share([one['fp_parts_ms'] for one in found])} is full-precision parts, which no kernel for few bits makes "
        "faster; the rest lies between modules.",
    ]
