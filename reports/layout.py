"""How each track's records become a table: which metrics, in which order, joined with what. Data, no drawing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.scoring.robust import CORRUPTED


@dataclass(frozen=True)
class Layout:
    """A track without a layout shows all its metrics in the order of its records."""

    order: tuple[str, ...] = ()
    """Metrics shown at first, in this order; empty: all. The others wait in the column chooser."""
    spread: Mapping[str, str] = field(default_factory=dict)
    """Metric -> the metric printed behind it in parentheses."""
    change: Mapping[str, str] = field(default_factory=dict)
    """Metric -> the same quantity in full precision, for the reduction in percent."""
    gate: str = ""
    """Without this metric no ``gated`` number of the record is shown."""
    gated: tuple[str, ...] = ()
    gate_reason: str = ""
    pivot: bool = False
    """True: one row a network, a group of columns for each case. False: one row a record."""
    joined: tuple[str, ...] = ()
    """Metrics of the comp track to put before the track's own."""
    main: str = ""
    """Metric that orders the rows; empty: the first shown."""
    unranked: tuple[str, ...] = ()
    """Metrics with a direction that are no contest: never marked best."""
    speed: tuple[str, ...] = ()
    """Metrics that count nothing for a network below the scoring rule's share of full precision's gain."""
    fold: re.Pattern[str] | None = None
    """Metrics that match are shown as one mean for each ``corruption`` in the pattern."""
    kernels: bool = False
    """True: a column with the native kernels that ran."""
    remark: str = ""
    """Printed under the table."""
    explained: bool = False
    """True: sentences under the table say where the time of a packed network goes (`reports.explain`)"""


PARTS_MS = ("head_ms", "body_ms", "upsampler_ms", "tail_ms")
PIECES = ("fp_parts_ms", "layers_ms", "layers_cached_ms", "over_bound", "over_pieces")

IN_TURNS = (
    "Rows stand by the ratio to full precision, timed in turn in the same run. Times of different runs also hold what "
    "else the machine did then: compare them with care."
)

LAYOUTS: dict[str, Layout] = {
    "accuracy": Layout(
        order=("psnr_y", "ssim_y"),
        pivot=True,
        joined=("params_k", "ops_g"),
        main="psnr_y",
    ),
    "robust": Layout(
        order=("psnr_clean", "psnr_corrupted", "gain_db", "gap_db", "relative_gap"),
        fold=CORRUPTED,
        main="gain_db",
        unranked=("psnr_corrupted", "gap_db", "gap_floored_db", "relative_gap"),  # who learns nothing loses nothing
    ),
    "train": Layout(
        order=(
            "step_ms", "train_speedup", "peak_memory_mb", "memory_ratio", "hyper_sd_db", "hyper_mean_db",
            "taught_nothing",
        ),
        main="train_speedup",
        remark=IN_TURNS,
        unranked=("hyper_sd_db", "fp32_hyper_sd_db"),  # a network that never learns has no spread
    ),
    "comp": Layout(
        order=("params_k", "ops_g", "compression", "speedup_theory", "params_k_paper", "ops_g_paper"),
        change={
            "params_k": "fp_params_k",
            "ops_g": "fp_ops_g",
        },
        main="ops_g",
    ),
    "infer": Layout(
        order=(
            "latency_ms", "fp32_latency_ms", "speedup", "over_peer", "speedup_theory", "file_bytes",
            "parity_max_abs", "peak_memory_mb",
        ),
        spread={"latency_ms": "latency_iqr_ms"},
        gate="parity_max_abs",
        gated=(
            "latency_ms", "fp32_latency_ms", "latency_iqr_ms", "latency_ci_low_ms", "latency_ci_high_ms",
            "latency_p99_ms", "speedup", *PARTS_MS, *PIECES, "over_peer",
        ),
        speed=("latency_ms", "speedup", "over_peer", "latency_p99_ms"),
        gate_reason="no parity check against the trained network in this run, so no number",
        main="speedup",
        remark=IN_TURNS,
        unranked=("parity_max_abs", "parity_psnr_db", *PARTS_MS, *PIECES),
        kernels=True,
        explained=True,
    ),
}  # fmt: skip

TRACK_ORDER = ("accuracy", "robust", "comp", "infer", "train")
"""Order of the tables on a page; other tracks follow by name."""

GENERIC = Layout()
