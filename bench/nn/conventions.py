"""Counting rules: from counted layers to the Params and Ops that a table prints. Pure arithmetic, no torch.

Common to all: one multiply-accumulate is one operation; the input is the low-resolution image; interpolation,
activations, softmax and normalisation that folds cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from bench.contract import UserError

if TYPE_CHECKING:
    from bench.nn.complexity import LayerCount, NetworkCount

WEIGHTS = frozenset({"weights"})
WITH_BIASES = frozenset({"weights", "biases"})
EVERYTHING = frozenset({"weights", "biases", "extras"})
"""Fields of a `LayerCount` that a rule adds up as parameters."""


@dataclass(frozen=True)
class Convention:
    """A rule as data. Layers fall into two parts, quantized and not; each rule says what it counts of either."""

    name: str
    about: str
    quantized: frozenset[str] | None = None
    """Places of the quantized part; None takes the layers that claim few bits. Empty in a full-precision network."""
    every_base: bool = False
    """Count each base of a weight; else one, whatever the method uses."""
    divisors: Mapping[int, float] = field(default_factory=dict)
    """Weight bits -> divisor of parameters and operations, where the rule departs from 32 / bits (1-bit: 32 and 64)."""
    params_quantized: frozenset[str] = WEIGHTS
    """Counted of quantized layers, divided"""
    params_other: frozenset[str] = WEIGHTS
    """Counted of the other layers, undivided"""
    params_full: frozenset[str] = WEIGHTS
    """Counted of a network that has no quantized layer"""
    stored_floats: bool = False
    """Add what a deployment keeps in float: scales, thresholds, slopes, folded biases."""
    norm_ops: int = 0
    """Operations per element of a normalisation that does not fold (layer normalisation)"""
    bias_ops: bool = False
    """One operation per bias added outside the quantized part"""
    prints_ops: bool = True
    """False for a paper that prints parameters only."""
    transformer: str = ""
    """Name of the rule that takes over on transformer backbones; empty: this one holds there too."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "divisors", MappingProxyType(dict(self.divisors)))

    def params(self, net: NetworkCount) -> float:
        """Float32-equivalent parameters."""
        low = _lowest(net)
        total = float(net.other_floats) if self.stored_floats else 0.0
        for layer in net.layers:
            if self._quantizes(layer, low):
                total += _sum(layer, self.params_quantized) / self._storage(layer, low)
                total += layer.floats if self.stored_floats else 0
            else:
                total += _sum(layer, self.params_other if low else self.params_full)
        return total

    def ops(self, net: NetworkCount) -> float | None:
        """Operations; None where the paper prints none."""
        if not self.prints_ops:
            return None
        low, total = _lowest(net), 0.0
        for layer in net.layers:
            work = layer.macs + self.norm_ops * layer.normalised
            if self._quantizes(layer, low):
                total += work / self._speed(layer, low)
            else:
                total += work + (layer.outputs if self.bias_ops and layer.biases else 0)
        return total

    def _quantizes(self, layer: LayerCount, low: LayerCount | None) -> bool:
        if low is None or self.quantized is None:
            return not layer.full_precision
        return layer.place in self.quantized

    def _storage(self, layer: LayerCount, low: LayerCount) -> float:
        claim = low if layer.full_precision else layer
        return self.divisors.get(claim.bits_w, 32 / claim.bits_w) / (claim.bases if self.every_base else 1)

    def _speed(self, layer: LayerCount, low: LayerCount) -> float:
        claim = low if layer.full_precision else layer
        binary = claim.bits_w == claim.bits_a == 1
        plain = 64 if binary else 32 / max(claim.bits_w, claim.bits_a)
        return self.divisors.get(claim.bits_w, plain) / (claim.bases if self.every_base else 1)


def _lowest(net: NetworkCount) -> LayerCount | None:
    """The layer whose claim stands for the method: of the quantized ones, the one with most weights."""
    return max((x for x in net.layers if not x.full_precision), key=lambda layer: layer.weights, default=None)


def _sum(layer: LayerCount, fields: frozenset[str]) -> int:
    return sum(getattr(layer, name) for name in fields)


STRICT = Convention(
    "strict",
    "Every base and every float a deployment keeps is counted: biases, scales, thresholds, slopes, position tables. "
    "1-bit weights count 1/32 and 1-bit operations 1/64 per base, b-bit layers b/32 for both; layer normalisation "
    "counts 5 operations per element; attention's products are full precision.",
    every_base=True,
    params_other=EVERYTHING,
    params_full=EVERYTHING,
    stored_floats=True,
    norm_ops=5,
)

PAPERS = {
    "bbcu": Convention(
        "paper:bbcu",
        "As in BBCU's Table 1 and FRB's Table 3 (CNN, input 320x180): weights only, no biases, thresholds or scales; "
        "1-bit weights 1/32, operations 1/64, and one base whatever the method uses.",
        transformer="frb-transformer",
    ),
    "bbcu-bases": Convention(
        "paper:bbcu, every base",
        "As paper:bbcu, but every base is counted.",
        every_base=True,
    ),
    "frb-transformer": Convention(
        "paper:frb-transformer",
        "As in FRB's Table 3 (SwinIR-S, input 320x180): the whole transformer body is counted at 1/32 (operations "
        "1/64) per base, every base, with its biases, normalisation, position tables and attention products, "
        "quantized or not; layer normalisation counts 5 operations per element; the input is padded to whole windows.",
        quantized=frozenset({"body", "linear", "attention"}),
        every_base=True,
        params_quantized=EVERYTHING,
        params_other=EVERYTHING,
        params_full=EVERYTHING,
        norm_ops=5,
    ),
    "quantsr": Convention(
        "paper:quantsr",
        "As in QuantSR's Table 3 (input 256x256): the body and the convolution after it at 1/8 for 4 bits and 1/128 "
        "for 2 bits (1/16 would be right), weights only; other layers with biases, each bias addition one operation. "
        "Full precision: weights only, with bias additions.",
        quantized=frozenset({"body", "after_body", "linear"}),
        divisors={2: 128},
        params_other=WITH_BIASES,
        bias_ops=True,
    ),
    "pams": Convention(
        "paper:pams",
        "As in PAMS's Table 3: every parameter, biases included; those of the quantized layers times bits / 32. "
        "The paper prints no operations.",
        params_quantized=WITH_BIASES,
        params_other=EVERYTHING,
        params_full=EVERYTHING,
        prints_ops=False,
    ),
}


def paper_rule(name: str, family: str = "cnn") -> Convention:
    """The rule called ``name`` (a card's ``convention``) on a backbone of ``family``.

    Raises UserError for a name that does not exist.
    """
    if name not in PAPERS:
        raise UserError(f"unknown counting convention {name!r}. Known: {', '.join(PAPERS)}. Correct the card.")
    rule = PAPERS[name]
    return PAPERS[rule.transformer] if family == "transformer" and rule.transformer else rule
