"""The full-precision network on other engines, and what is said about them in a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.packed.peers import BINARY, PEERS, REFERENCE, SLOW, build_peer, version
from bench.packed.peers.source import Source

PSNR_CAP_DB = 150.0
"""Of equal outputs."""
FLOOR_DB = 25.0
"""An output this far from full precision's is not the same network any more, and its time says nothing."""


def psnr_db(output: Tensor, reference: Tensor) -> float:
    """PSNR of one image batch against another, (N, 3, H, W) with peak 1, at most `PSNR_CAP_DB`."""
    error = float((output.double() - reference.double()).square().mean())
    return PSNR_CAP_DB if error == 0 else min(PSNR_CAP_DB, -10 * float(np.log10(error)))


@dataclass
class Peers:
    """Peers that can run, those that cannot with the reason, and how near their outputs are."""

    runs: dict[str, Callable[[], Tensor]] = field(default_factory=dict)
    psnr: dict[str, float] = field(default_factory=dict)
    """dB against the float32 output of the same network"""
    reasons: dict[str, str] = field(default_factory=dict)
    follow: Callable[[], None] = lambda: None
    """To be called when the image has changed: brings every peer's own form of it up to date"""

    def details(self) -> dict[str, dict[str, Any]]:
        """Peer -> its library and version, and its reason or the PSNR of its output."""
        told = {key: {"library": version(PEERS[key])} for key in [*self.runs, *self.reasons]}
        for key, reason in self.reasons.items():
            told[key]["reason"] = reason
        for key, value in self.psnr.items():
            told[key]["psnr_db"] = value
        return told


@torch.no_grad()
def prepare_peers(
    keys: list[str], network: nn.Module, image: Tensor, threads: int, tell: Callable[[str], None]
) -> Peers:
    """Build the peers of a full-precision network (channels_last); ``tell`` hears which one is being built."""
    source = Source(network, image, threads)
    peers = Peers(follow=source.follow)
    network(image)
    reference, expected = _timed(lambda: network(image))
    for key in keys:
        if key in (REFERENCE, BINARY):
            continue
        tell(key)
        try:
            run = build_peer(PEERS[key], source)
            output, elapsed = _timed(run)
            peers.psnr[key] = vouch(output, reference)
            if elapsed > SLOW * expected and (elapsed := _timed(run)[1]) > SLOW * expected:
                raise Unsupported(f"emulated: {elapsed / expected:.0f} times full precision's time in one pass")
            peers.runs[key] = run
        except Unsupported as reason:
            peers.reasons[key] = str(reason)
    return peers


def _timed(run: Callable[[], Tensor]) -> tuple[Tensor, float]:
    start = time.perf_counter()
    return run(), time.perf_counter() - start


def vouch(output: Tensor, reference: Tensor) -> float:
    """PSNR of a peer's output. Raises Unsupported for one that is not finite or not near the reference."""
    if output.shape != reference.shape or not bool(torch.isfinite(output).all()):
        raise Unsupported(f"its output is {tuple(output.shape)} and not all finite, or not {tuple(reference.shape)}")
    near = psnr_db(output, reference)
    if not near >= FLOOR_DB:
        raise Unsupported(f"its output is {near:.1f} dB from the float32 output: no longer the same network")
    return near


def peer_metrics(samples: Mapping[str, list[float]], peers: Peers) -> tuple[dict[str, float], list[str]]:
    """Metrics of every peer that ran, and a flag naming the fastest where it beats the packed network.

    ``samples``: ``packed``, ``fp32`` and every peer's key -> milliseconds, a sample a round.
    """
    packed, full = np.asarray(samples["packed"]), np.asarray(samples["fp32"])
    metrics, fastest = {}, {REFERENCE: full}
    for key, near in peers.psnr.items():
        if key not in samples:
            continue
        series, name = np.asarray(samples[key]), PEERS[key].metric
        metrics[f"{name}_ms"] = float(np.median(series))
        metrics[f"{name}_speedup"] = float(np.median(full / series))
        metrics[f"{name}_psnr_db"] = near
        fastest[key] = series
    if len(fastest) == 1:
        return metrics, []
    best = min(fastest, key=lambda key: float(np.median(fastest[key])))
    metrics["over_peer"] = float(np.median(fastest[best] / packed))
    return metrics, [f"slower than {best}"] if metrics["over_peer"] < 1 else []
