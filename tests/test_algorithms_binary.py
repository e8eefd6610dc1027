"""The binary methods: two forms that agree, a step of training, schedules and losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from algorithms.abcnet.adapter import ABCNet
from algorithms.bam.adapter import BAM
from algorithms.bbcu.adapter import BBCU, BBCUM
from algorithms.bireal.adapter import BiReal, BiRealUnscaled
from algorithms.bnn.adapter import BNN, BNNInPlace
from algorithms.bnnplus.adapter import BNNPlus
from algorithms.btm.adapter import BTM
from algorithms.e2fif.adapter import E2FIF, E2FIFRepeat
from algorithms.fda.adapter import FDA
from algorithms.fp32.adapter import FullPrecision
from algorithms.frb.adapter import BETA, FRB
from algorithms.ibtm.adapter import IBTM
from algorithms.irnet.adapter import IRNet
from algorithms.reactnet.adapter import ReActNet
from algorithms.recu.adapter import ReCU
from algorithms.xnor.adapter import XNOR
from algorithms.xnorpp.adapter import XNORPlusPlus
from bench.conformance import perturb
from bench.nn.algorithm import Algorithm, parts_of, tagged
from bench.nn.backbones import srresnet
from bench.nn.binarizers import NoisyActSign, NoisySign, RectifiedSign
from bench.nn.build import build_network
from bench.nn.unit import Unit
from bench.packed.parity import relative_error

METHODS: tuple[type[Algorithm], ...] = (
    ABCNet, BAM, BBCU, BBCUM, BiReal, BiRealUnscaled, BNN, BNNInPlace, BNNPlus, BTM, E2FIF, E2FIFRepeat, FDA, FRB,
    IBTM, IRNet, ReActNet, ReCU, XNOR, XNORPlusPlus,
)  # fmt: skip
READINGS: dict[str, Algorithm] = {method.__name__: method() for method in METHODS} | {
    "ABC-Net, per layer": ABCNet(per_layer=True),
    "Bi-Real, magnitude-aware": BiReal(magnitude_aware=True),
    "BTM, poly weights": BTM(poly_weights=True),
    "FRB, per layer, no shift": FRB(per_layer=True, shift=False),
    "IR-Net, t of the paper": IRNet(t_first=0.1),
    "XNOR-Net, one factor per image": XNOR(per_image=True),
    "XNOR++, per channel": XNORPlusPlus(spatial=False),
}
"""Every method, and every option of one"""


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def small(algorithm: Algorithm, scale: int = 2, blocks: int = 2) -> nn.Module:
    return srresnet.build(algorithm, scale, channels=16, blocks=blocks)


PLACED = [(name, place) for name, a in READINGS.items() for place in ("body", "upsample", "linear") if place in a.scope]


@pytest.mark.parametrize(("name", "place"), PLACED)
def test_deployed_form_equals_training_form(name: str, place: str) -> None:
    algorithm = READINGS[name]
    kernel, cout = (1, 48) if place == "linear" else (3, 64 if place == "upsample" else 16)
    layer = perturb(algorithm.conv(16, cout, kernel, place=place)).eval()
    x = torch.randn(2, 99, 16) if place == "linear" else torch.randn(2, 16, 9, 11)
    trained = layer(x)
    with torch.no_grad():
        deployed = layer(x)
    assert trained.requires_grad and not deployed.requires_grad
    assert deployed.shape == ((2, 99, cout) if place == "linear" else (2, cout, 9, 11))
    assert relative_error(deployed, trained.detach()) < 1e-5


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("method", METHODS)
def test_builds_and_runs_at_every_scale(method: type[Algorithm], scale: int) -> None:
    network = build_network(method(), "srresnet", scale).eval()
    with torch.no_grad():
        y = network(torch.rand(1, 3, 5, 4))
    assert y.shape == (1, 3, 5 * scale, 4 * scale) and torch.isfinite(y).all()
    assert sum(not claim.full_precision for _, _, claim in tagged(network)) >= 32


@pytest.mark.parametrize("method", METHODS)
def test_trains_a_step(method: type[Algorithm]) -> None:
    algorithm = method()
    network, teacher = build_network(algorithm, "srresnet", 2).train(), None
    if algorithm.needs_teacher:
        teacher = build_network(FullPrecision(), "srresnet", 2, 1).eval()
    optimizer = torch.optim.Adam(algorithm.parameter_groups(network, 1e-3))
    lr, hr = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)
    algorithm.on_progress(network, 0.3)
    algorithm.loss(network, lr, hr, teacher).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    latent = [u.weight.clone() for u in parts_of(network, Unit)]
    optimizer.step()
    algorithm.after_step(network)
    moved = [not torch.equal(u.weight, before) for u, before in zip(parts_of(network, Unit), latent, strict=True)]
    if isinstance(algorithm, BNNInPlace):  # unscaled integers lie outside the estimator's window: no gradient behind
        del moved[::2]
    assert all(moved) and torch.isfinite(algorithm.loss(network, lr, hr, teacher))


@pytest.mark.parametrize("method", METHODS)
def test_cards_say_which_runtimes_deploy_them(method: type[Algorithm]) -> None:
    assert set(method.card.deploy) == {"Larq", "daBNN"}
    larq = {ABCNet, BAM, FRB, XNOR, XNORPlusPlus}
    assert bool(method.card.deploy["Larq"]) == (method in larq)
    assert bool(method.card.deploy["daBNN"]) == (method in larq | {BBCU, BBCUM, ReActNet})


# Schedules and latent weights


def test_recu_schedule() -> None:
    algorithm, network = ReCU(), small(ReCU())
    seen = []
    for progress in (0.0, 0.5, 1.0):
        algorithm.on_progress(network, progress)
        (tau,) = {quantizer.tau for quantizer in parts_of(network, RectifiedSign)}
        seen.append(tau)
    assert np.allclose(seen, [0.85, 0.85 + 0.14 * (math.sqrt(math.e) - 1) / (math.e - 1), 0.99])


def test_irnet_schedule() -> None:
    network = small(IRNet())
    for algorithm, ends in ((IRNet(), (1e-3, 0.1, 10)), (IRNet(t_first=0.1), (0.1, 1, 10))):
        for progress, t in zip((0.0, 0.5, 1.0), ends, strict=True):
            algorithm.on_progress(network, progress)
            units = list(parts_of(network, Unit))
            assert np.allclose([u.quantize_weight.estimator.t for u in units], t)
            assert np.allclose([u.quantize_act.estimator.t for u in units], t)


def test_fda_schedule_ends_with_a_binary_network() -> None:
    algorithm, network = FDA(), small(FDA())
    seen = []
    for progress in (0.0, 0.559, 0.999):
        algorithm.on_progress(network, progress)
        quantizers = [*parts_of(network, NoisySign), *parts_of(network, NoisyActSign)]
        assert len(quantizers) == 8
        ((terms, strength),) = {(q.estimator.terms, q.strength) for q in quantizers}
        seen.append((terms, round(strength, 9)))
    assert seen == [(9, 0.099975328), (13, 0.040630934), (17, 0.0)]
    unit = next(parts_of(network.train(), Unit))
    assert unit.quantize_act(torch.randn(1, 16, 5, 5)).unique().tolist() == [-1, 1]
    assert torch.equal(unit.quantize_weight(unit.weight).sign(), unit.weight.sign())


def test_what_training_alone_needs_is_not_stored() -> None:
    """Noise branches vanish, learned scales fold: as BNN, a scale and an offset per output channel are left."""
    for method in (BNN(), FDA(), ReCU(), XNORPlusPlus(spatial=False)):
        assert method.conv(16, 8, 3, place="body").stored_floats() == 2 * 8
    assert XNORPlusPlus().conv(16, 8, 3, place="body").stored_floats() == 2 * 8 + 2 * 32


def test_latent_weights_after_a_step() -> None:
    for algorithm in (BNN(), XNOR()):
        network = small(algorithm)
        units = list(parts_of(network, Unit))
        for unit in units:
            unit.weight.data.normal_(0.5, 2.0)
        expected = [u.weight - u.weight.mean(1, keepdim=True) * isinstance(algorithm, XNOR) for u in units]
        algorithm.after_step(network)
        for unit, weight in zip(units, expected, strict=True):
            assert torch.equal(unit.weight, weight.clamp(-1, 1)) and unit.weight.abs().max() == 1


# Losses


def test_bnnplus_regulariser() -> None:
    algorithm, network = BNNPlus(), small(BNNPlus()).eval()
    lr, hr = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)
    weights = [u.weight.detach().numpy() for u in parts_of(network, Unit)]
    distance = sum(np.abs(np.abs(w) - np.abs(w).mean((1, 2, 3), keepdims=True)).sum() for w in weights)
    for progress, strength in ((0.0, 1e-7), (1.0, 1e-6)):
        algorithm.on_progress(network, progress)
        extra = (algorithm.loss(network, lr, hr) - F.l1_loss(network(lr), hr)).detach()
        assert distance > 100 and math.isclose(float(extra), strength * distance, rel_tol=2e-2)


def test_frb_distils_every_block() -> None:
    algorithm = FRB()
    network, teacher = small(algorithm), small(FullPrecision()).eval()
    lr, hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 16, 16)

    def features(net: nn.Module) -> list[np.ndarray]:
        x, outputs = net.head(lr * net.image_range), []
        for block in net.body:
            x = block(x)
            outputs.append(x.detach().double().numpy().reshape(2, -1) ** 2)
        return [f / np.linalg.norm(f, axis=1, keepdims=True) for f in outputs]

    pairs = list(zip(features(network), features(teacher), strict=True))
    distillation = sum(np.linalg.norm(a - b, axis=1).mean() for a, b in pairs)
    plain = F.l1_loss(network(lr), hr)
    assert len(pairs) == 2 and distillation > 0.1
    extra = ((algorithm.loss(network, lr, hr, teacher) - plain) / BETA).detach()
    assert math.isclose(float(extra), distillation, rel_tol=5e-3)
    assert torch.equal(algorithm.loss(network, lr, hr), plain)


def test_ibtm_learns_from_the_teachers_output() -> None:
    algorithm = IBTM()
    network, teacher = small(algorithm), small(FullPrecision()).eval()
    lr, hr = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)
    sr = network(lr)
    expected = F.l1_loss(sr, hr) + F.l1_loss(sr, teacher(lr))
    assert torch.allclose(algorithm.loss(network, lr, hr, teacher), expected)
