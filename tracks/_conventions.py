"""Counting rules: from counted layers to the Params and Ops that a table prints. Pure arithmetic, no torch.

Common to all: one multiply-accumulate is one operation; the input is the low-resolution image; interpolation,
activations and normalisation cost nothing unless a rule says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracks._complexity import LayerCount, NetworkCount


def storage_divisor(layer: LayerCount) -> float:
    """32-bit words per stored weight word of one base: 32 for 1 bit, 8 for 4 bits."""
    return 32 / layer.bits_w


def speed_divisor(layer: LayerCount) -> float:
    """Multiply-accumulates that one 64-bit operation stands for: 64 for signs on both sides, else 32 / bits."""
    return 64 if layer.bits_w == layer.bits_a == 1 else 32 / max(layer.bits_w, layer.bits_a)


@dataclass(frozen=True)
class Convention:
    name: str
    about: str
    params: Callable[[NetworkCount], float]
    """Float32-equivalent parameters"""
    ops: Callable[[NetworkCount], float]


def _weights_only(net: NetworkCount, bases: bool) -> float:
    return sum(layer.weights * (layer.bases if bases else 1) / storage_divisor(layer) for layer in net.layers)


def _macs_only(net: NetworkCount, bases: bool) -> float:
    return sum(layer.macs * (layer.bases if bases else 1) / speed_divisor(layer) for layer in net.layers)


def _everything(net: NetworkCount) -> float:
    total = float(net.other_floats)
    for layer in net.layers:
        if layer.full_precision:
            total += layer.weights + layer.biases
        else:
            total += layer.weights * layer.bases / storage_divisor(layer) + layer.floats
    return total


STRICT = Convention(
    "strict",
    "Every base and every float a deployment keeps is counted: biases, scales, thresholds, slopes. "
    "1-bit weights count 1/32 and 1-bit operations 1/64 per base; b-bit layers b/32 for both.",
    _everything,
    lambda net: _macs_only(net, bases=True),
)

PAPERS = {
    "bbcu": Convention(
        "paper:bbcu",
        "As in BBCU's Table 1 and FRB's Table 3: convolution weights only, no biases, thresholds or scales; "
        "1-bit weights 1/32, operations 1/64, and one base whatever the method uses.",
        lambda net: _weights_only(net, bases=False),
        lambda net: _macs_only(net, bases=False),
    ),
    "bbcu-bases": Convention(
        "paper:bbcu, every base",
        "As paper:bbcu, but every base is counted.",
        lambda net: _weights_only(net, bases=True),
        lambda net: _macs_only(net, bases=True),
    ),
}
