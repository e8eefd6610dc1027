"""Multi-bit methods: structure, losses, schedules, and the conformance kit on networks of a few channels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lowbit_kit import batch
from torch import nn

import algorithms.cadyq
import algorithms.dorefa
import algorithms.pact
import algorithms.pams
import algorithms.quantsr
import algorithms.rtn
import algorithms.tflite
from algorithms.dorefa.adapter import DoReFa1, DoReFa4
from algorithms.pact.adapter import PACT4
from algorithms.rtn.adapter import RTN, TernaryAct, TernaryWeight
from algorithms.tflite.adapter import TFLite8
from bench.conformance import CHECKS, Subject, perturb
from bench.contract import Card, Unsupported
from bench.nn.algorithm import Algorithm, parts_of, tagged
from bench.nn.uniform_act import PactRange, RunningRange
from bench.nn.unit import Unit
from bench.plan.discover import load_class

PACKAGES = ("cadyq", "dorefa", "pact", "pams", "quantsr", "rtn", "tflite")
CARDS: dict[str, Card] = {
    card.key: card
    for package in (getattr(algorithms, name) for name in PACKAGES)
    for card in getattr(package, "CARDS", None) or (package.CARD,)
}
REFUSES = {"pams_2", "pams_4", "pams_8", "cadyq"}
"""Methods that no packed format of fixed integers holds"""


def load(key: str) -> Algorithm:
    return load_class(CARDS[key].adapter)()


def started(network: nn.Module, image: torch.Tensor) -> nn.Module:
    """After the first training batch, which sets ranges, and a random move of every parameter; for evaluation."""
    network.train()(image)
    return perturb(network).eval()


def test_the_bits_a_user_can_choose() -> None:
    bits = {key: (card.bits_w, card.bits_a) for key, card in CARDS.items()}
    assert {key for key, (w, a) in bits.items() if w == a} == set(CARDS)
    assert {w for key, (w, _) in bits.items() if key.startswith("dorefa_")} == {1, 2, 4, 8}
    assert {w for key, (w, _) in bits.items() if key.startswith("pams_int")} == {2, 4, 8}
    assert {"quantsr_2", "quantsr_4", "pact_2", "pact_4", "tflite_4", "tflite_8", "rtn", "cadyq"} <= set(bits)
    assert all(load_class(card.adapter).card is card for card in CARDS.values())


@pytest.mark.parametrize("key", CARDS)
def test_conformance_kit_on_a_tiny_network(tiny: None, key: str) -> None:
    subject = Subject(load(key), "srresnet")
    subject.__dict__["network"] = started(subject.fresh(), subject.image)
    for check in CHECKS:
        if check.__name__ != "check_card":  # one process an import; test_conformance does it
            check(subject)


@pytest.mark.parametrize("key", CARDS)
def test_every_body_layer_is_claimed_at_the_cards_bits(key: str) -> None:
    algorithm = load(key)
    for scale in (2, 3, 4):
        with torch.device("meta"):
            network = algorithm.build("srresnet", scale)
        low = [tag for _, module, tag in tagged(network) if isinstance(module, Unit)]
        count = 64 if key.startswith("quantsr") else 32
        assert len(low) == count and {tag.bits_w for tag in low} == {algorithm.card.bits_w}


@pytest.mark.parametrize("key", CARDS)
def test_what_packs_and_what_says_why_not(tiny: None, key: str) -> None:
    units = list(parts_of(load(key).build("srresnet", 2).eval(), Unit))
    if key in REFUSES:
        with pytest.raises(Unsupported, match=r"no integer grid holds|chosen for each image"):
            [unit.spec() for unit in units]
    else:
        assert all(unit.spec().weight_bits == CARDS[key].bits_w for unit in units)


# PAMS


def test_one_bit_dorefa_scales_signs_by_layer_or_by_channel() -> None:
    weight = torch.tensor([[0.1, -0.3], [0.5, 0.7]]).view(2, 2, 1, 1)
    layer, channel = (DoReFa1(per_channel=p).conv(2, 2, 1, place="body").quantize_weight for p in (False, True))
    torch.testing.assert_close(layer(weight).flatten(), torch.tensor([0.4, -0.4, 0.4, 0.4]))
    torch.testing.assert_close(channel(weight).flatten(), torch.tensor([0.2, -0.2, 0.6, 0.6]))
    assert isinstance(DoReFa1().nonlinearity(8), nn.Hardtanh) and isinstance(DoReFa4().nonlinearity(8), nn.ReLU)


@pytest.mark.parametrize(("backbone", "height"), [("srresnet", 1.0), ("edsr", 255.0)])
def test_pact_starts_at_the_images_range_and_pays_for_height(backbone: str, height: float) -> None:
    algorithm = PACT4(decay=0.25)
    network = algorithm.build(backbone, 2).eval()
    acts = list(parts_of(network, PactRange))
    assert len(acts) == 32 and {act.alpha.item() for act in acts} == {height}
    lr, hr = (x[..., :4, :4] for x in batch(1))
    hr = F.interpolate(hr, scale_factor=2)
    acts[0].alpha.data.mul_(3)
    with torch.no_grad():
        assert algorithm.loss(network, lr, hr).item() == pytest.approx(
            F.l1_loss(network(lr), hr).item() + 0.25 * (31 + 9), rel=1e-5
        )


def test_tflite_watches_before_it_quantizes(tiny: None) -> None:
    algorithm = TFLite8()
    network = algorithm.build("srresnet", 2)
    acts = list(parts_of(network, RunningRange))
    for progress, expected in ((0.0, True), (0.099, True), (0.1, False)):
        algorithm.on_progress(network, progress)
        assert all(act.delayed is expected for act in acts)
    assert TFLite8(affine_weights=True).conv(8, 8, 3, place="body").quantize_weight.grid(torch.ones(1, 1, 1, 1))[1] == 0


def test_rtn_by_hand() -> None:
    quantizer = TernaryWeight()
    weight = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 5, 1, 1)  # deviation sqrt(5): -1.34, -0.45, 0, ...
    torch.testing.assert_close(quantizer.eval()(weight).flatten(), torch.tensor([-3.0, 0, 0, 0, 3]))
    assert not quantizer.initialised
    quantizer.train()(weight)
    assert quantizer.scale.item() == pytest.approx(3)
    quantizer.offset.data.fill_(0.5)
    quantizer(weight * 2)
    levels = quantizer.export(weight)
    assert levels.integers.flatten(1).tolist() == [[-1, 0, 0, 0, 1], [1] * 5]
    torch.testing.assert_close(levels.scale.flatten(), torch.tensor([3.0, 1.5]))
    act = TernaryAct()
    y = act.train()(torch.tensor([-2.0, -0.9, 0.0, 1.1]).view(1, 1, 1, 4))  # mean 1: reach 2, thresholds +-1
    torch.testing.assert_close(y.flatten(), torch.tensor([-2.0, 0, 0, 2]))
    act.scale.data.fill_(-0.7)
    y = act(torch.tensor([-5.0, 1.2]).view(1, 1, 1, 2))
    torch.testing.assert_close(y.flatten(), torch.tensor([0.7, -0.7]))
    assert act.export(1).step == pytest.approx(-0.7) and act.export(1).input.step == pytest.approx(2)


def test_rtn_layer_equals_its_planes() -> None:
    unit = RTN().conv(6, 4, 3, place="body").train()
    unit(torch.randn(1, 6, 5, 5))
    with torch.no_grad():
        unit.quantize_weight.offset.fill_(-0.3)
        unit.quantize_act.scale.fill_(0.4)
    unit.eval()
    x = torch.randn(2, 6, 7, 8)
    with torch.no_grad():
        torch.testing.assert_close(unit(x), unit.differentiable(x, None, None), rtol=1e-5, atol=1e-5)
        assert unit.quantize_weight(unit.weight).unique().numel() == 3
