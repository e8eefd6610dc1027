"""The table of single layers in results/README.md, from a file of ``python -m bench.packed.microbench --json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.text import DASH, clean, fixed


def microbench_text(path: Path) -> str:
    """A table for each number of threads: a row an engine, a column a layer; reasons for gaps and provenance beneath.

    The fastest time of a column is bold. Without the file: the command that makes it.
    """
    if not path.is_file():
        command = f"python -m bench.packed.microbench --json results/reference/{path.name}"
        return f"Not measured yet: `{command}`.\n"
    content = json.loads(path.read_text(encoding="utf-8"))
    parts = [_table(content, int(threads)) for threads in content["fp32_matrix_gmacs"]]
    return "\n\n".join([*parts, *_notes(content)]) + "\n"


def _table(content: dict[str, Any], threads: int) -> str:
    rows = [row for row in content["rows"] if row["threads"] == threads]
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    engines = list(dict.fromkeys(row["title"] for row in rows if row["ms"] is not None))
    found = {(row["title"], row["shape"]): row for row in rows if row["ms"] is not None}
    best = {shape: min(row["ms"] for (_, own), row in found.items() if own == shape) for shape in shapes}
    head = [f"{threads} thread{'s' * (threads > 1)}: ms a layer (speed-up)", *map(clean, shapes)]
    lines = [head, ["---"] + ["--:"] * len(shapes)]
    for engine in engines:
        cells = [_cell(found.get((engine, shape)), best[shape]) for shape in shapes]
        lines.append([clean(engine), *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: dict[str, Any] | None, best: float) -> str:
    if row is None:
        return DASH
    text = f"{fixed(row['ms'], 2)} ({fixed(row['speedup'], 1)})"
    return f"**{text}**" if row["ms"] == best else text


def _notes(content: dict[str, Any]) -> list[str]:
    machine, peers = content["machine"], content["peers"]
    rates = ", ".join(
        f"{fixed(rate, 0)} GMAC/s with {count} thread{'s' * (count != '1')}"
        for count, rate in content["fp32_matrix_gmacs"].items()
    )
    notes = _gaps(content["rows"])
    libraries = ", ".join(sorted(set(peers.values())))
    return [
        *(["\n".join(notes)] if notes else []),
        f"Machine {clean(machine['id'])}: {clean(machine['cpu'])}, {machine['cores']} cores, "
        f"{clean(machine['system'])}. "
        f"Medians of {content['rounds']} interleaved rounds. PyTorch's own fp32 matrix product reaches {rates} on it. "
        f"Libraries: {clean(libraries)}.",
    ]


def _gaps(rows: list[dict[str, Any]]) -> list[str]:
    """Why an engine has no time: its first reason, and the layers concerned where it has a time for others."""
    timed = {row["title"] for row in rows if row["ms"] is not None}
    missing: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["ms"] is None:
            missing.setdefault(row["title"], {}).setdefault(row["shape"], row["reason"])
    return [
        f"- {clean(title)}{' on ' + clean('; '.join(reasons)) if title in timed else ''}: "
        f"{clean(next(iter(reasons.values())))}"
        for title, reasons in missing.items()
    ]
