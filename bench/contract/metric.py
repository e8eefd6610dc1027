"""A measured quantity, and what a track hands back for a cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True)
class Metric:
    """One measured quantity. Unit and direction travel inside every record."""

    key: str
    unit: str
    """Plain text: ``ms``, ``dB``, ``K``, ``G``, ``x``, ``bytes``, or empty for a pure number."""
    better: Better
    title: str = ""
    """Column heading; the key when empty."""
    help: str = ""
    """One sentence for the reader: what is measured, under which convention."""
    digits: int = 2
    """Digits after the point in tables. Records keep full precision."""


@dataclass
class Outcome:
    """What a track hands back for a cell; plumbing turns it into a record."""

    metrics: dict[str, float] = field(default_factory=dict)
    """Metric key -> value. Keys must be declared by the track. A value that is unknown is left out."""
    samples: dict[str, list[float]] = field(default_factory=dict)
    """Raw series, every sample kept, e.g. ``latency_ms`` or ``psnr_y`` per image."""
    flags: list[str] = field(default_factory=list)
    """Short warnings that travel with the number: ``unstable``, ``short_sample``, ``untrained``."""
    details: dict[str, Any] = field(default_factory=dict)
    """Track-specific JSON (per-layer tables, kernels per layer, image names). No NaN or infinity."""
    kernels: dict[str, str] = field(default_factory=dict)
    """Packed layer name -> native kernel that ran it."""
    weights_sha256: str | None = None
    """Hash of the weights that were measured; None when there are none."""
    dataset_sha256: str | None = None
    """Hash of the input data; None when there is none."""
