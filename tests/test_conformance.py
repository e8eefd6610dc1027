"""The kit must pass honest algorithms and catch each kind of lie."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from algorithms.bbcu.adapter import BBCU
from bench.conformance import CHECKS, Subject, examine
from bench.contract import Card
from bench.layer.spec import SignInput
from bench.nn.algorithm import Algorithm, Place
from bench.nn.backbones import srresnet
from bench.nn.estimators import poly, sign
from bench.nn.quantizers import ActQuantizer, ChannelScaledSign, QuantizedInput, Sign, WeightQuantizer
from bench.nn.unit import Unit


def card(**changes: object) -> Card:
    facts = {"key": "liar", "name": "Liar", "adapter": "tests:Liar", "bits_w": 1, "bits_a": 1, "provenance": "a test"}
    return Card(**(facts | changes))


class OneUnit(Algorithm):
    """An honest 1-bit method, on a small network, that the liars below spoil in one place each."""

    card = card()
    backbones = ("srresnet",)

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(cin, cout, kernel, weight=self.weight(), act=self.act())

    def build(self, backbone: str, scale: int) -> nn.Module:
        super().build(backbone, scale)  # refuses what does not exist
        return srresnet.build(self, scale, channels=16, blocks=1)

    def weight(self) -> WeightQuantizer:
        return ChannelScaledSign()

    def act(self) -> ActQuantizer:
        return Sign(poly)


class Ternary(WeightQuantizer):
    def forward(self, weight: Tensor) -> Tensor:
        return torch.sign(weight) * (weight.abs() > 0.02) + weight * 0


class TernaryWeights(OneUnit):
    def weight(self) -> WeightQuantizer:
        return Ternary()


class HalfSign(ActQuantizer):
    def forward(self, x: Tensor) -> Tensor:
        return sign(x, poly) + 0.5 * sign(x - 0.01, poly)


class FourLevelInputs(OneUnit):
    def act(self) -> ActQuantizer:
        return HalfSign()


class WrongThreshold(Sign):
    def export(self, channels: int) -> QuantizedInput:
        return QuantizedInput(SignInput(torch.full((channels,), 0.05)))


class ExportsAnotherNetwork(OneUnit):
    def act(self) -> ActQuantizer:
        return WrongThreshold(poly)


class DeadParameter(OneUnit):
    def act(self) -> ActQuantizer:
        act = Sign(poly)
        act.unused = nn.Parameter(torch.zeros(1))
        return act


class BatchMean(ActQuantizer):
    def forward(self, x: Tensor) -> Tensor:
        return sign(x - x.mean(), poly)


class LooksAtTheBatch(OneUnit):
    def act(self) -> ActQuantizer:
        return BatchMean()


class Unclaimed(OneUnit):
    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Conv2d(channels, channels, 1)


class Unseeded(OneUnit):
    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        network.head[0].weight.data.add_(torch.rand(1, generator=torch.Generator().manual_seed(torch.seed() % 2**31)))
        return network


class NotAUnit(OneUnit):
    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        class Opaque(nn.Conv2d):
            def forward(self, x: Tensor) -> Tensor:
                return 0.02 * self._conv_forward(sign(x, poly), sign(self.weight), None)

        return Opaque(cin, cout, kernel, padding=kernel // 2, bias=False)


def failures(algorithm: type[Algorithm]) -> dict[str, str]:
    return {v.check: v.detail for v in examine(Subject(algorithm(), "srresnet")) if not v.passed}


@pytest.mark.parametrize(
    ("liar", "check", "words"),
    [
        (TernaryWeights, "bits", "weight values in one output channel"),
        (FourLevelInputs, "bits", "input values"),
        (ExportsAnotherNetwork, "packed", "differs from its training expression"),
        (DeadParameter, "gradients", "unused"),
        (LooksAtTheBatch, "batch", "alone and in a batch"),
        (Unclaimed, "counted", "carries no claim"),
        (Unseeded, "seed", "differ"),
    ],
)
def test_each_lie_is_caught(liar: type[Algorithm], check: str, words: str) -> None:
    found = failures(liar)
    assert words in found.get(check, ""), found


def test_an_honest_method_passes() -> None:
    assert failures(OneUnit) == {}


def test_a_method_outside_the_packed_format_says_why() -> None:
    assert failures(NotAUnit) == {}  # refusing to pack with a reason is honest


def test_known_failures_are_strict() -> None:
    class Known(OneUnit):
        card = card(xfail={"bits": "a reason"})

    assert "but passed" in failures(Known)["bits"]


def test_checks_have_distinct_names() -> None:
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS) >= 10


def test_a_unit_refuses_an_impossible_shortcut() -> None:
    with pytest.raises(ValueError, match="multiple of cin"):
        Unit(64, 96, 3, weight=ChannelScaledSign(), act=Sign(), skip="after")


def test_bbcu_aligns_residuals() -> None:
    network = BBCU().build("srresnet", 2)
    assert network.image_range == 130
