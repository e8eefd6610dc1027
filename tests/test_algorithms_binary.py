"""The binary methods: two forms that agree, schedules, losses, structure, and the costs their papers print."""

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
from algorithms.bireal.adapter import BiReal
from algorithms.bnn.adapter import BNN
from algorithms.bnnplus.adapter import BNNPlus
from algorithms.btm.adapter import BTM, DEVIATION
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
from bench.nn.algorithm import Algorithm, ResidualBlock, parts_of, tagged
from bench.nn.backbones import edsr, srresnet
from bench.nn.binarizers import NoisyActSign, NoisySign, RectifiedSign
from bench.nn.build import build_network
from bench.nn.unit import RPReLU, Unit
from bench.packed.parity import relative_error
from tracks._complexity import count_network
from tracks._conventions import PAPERS

METHODS: tuple[type[Algorithm], ...] = (
    ABCNet, BAM, BBCU, BBCUM, BiReal, BNN, BNNPlus, BTM, E2FIF, E2FIFRepeat, FDA, FRB, IBTM, IRNet, ReActNet, ReCU,
    XNOR, XNORPlusPlus,
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
    for progress in (0.0, 0.5, 1.0):
        algorithm.on_progress(network, progress)
        quantizers = [*parts_of(network, NoisySign), *parts_of(network, NoisyActSign)]
        assert len(quantizers) == 8
        ((terms, strength),) = {(q.estimator.terms, q.strength) for q in quantizers}
        seen.append((terms, round(strength, 9)))
    assert seen == [(9, 0.1), (14, 0.05), (18, 0.0)]
    unit = next(parts_of(network.train(), Unit))
    assert unit.quantize_act(torch.randn(1, 16, 5, 5)).unique().tolist() == [-1, 1]
    assert torch.equal(unit.quantize_weight(unit.weight).sign(), unit.weight.sign())


def test_fda_stores_nothing_of_its_noise_branch() -> None:
    assert FDA().conv(16, 16, 3, place="body").stored_floats() == BNN().conv(16, 16, 3, place="body").stored_floats()


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
        x, outputs = net.head(lr), []
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


# Structure


def test_abcnet_is_a_sum_over_all_pairs_of_bases() -> None:
    layer = perturb(ABCNet().conv(4, 6, 3, place="body")).eval()
    x = torch.randn(2, 4, 7, 5)
    levels = layer.unit.quantize_weight.export(layer.unit.weight.detach())
    expected = torch.zeros(2, 6, 7, 5)
    for shift, factor in zip(layer.shift, layer.factor, strict=True):
        inputs = torch.where((layer.norm(x) + shift).clamp(0, 1) >= 0.5, 1.0, -1.0)
        for plane, alpha in zip(levels.integers, levels.scale, strict=True):
            expected += factor * alpha.view(-1, 1, 1) * F.conv2d(inputs, plane.float(), padding=1)
    with torch.no_grad():
        assert relative_error(layer(x), expected) < 1e-5


def test_abcnet_is_charged_for_nine_convolutions() -> None:
    layer = count_network(small(ABCNet()), (16, 16)).layers[1]
    assert layer.macs == 3 * 16 * 16 * 16 * 16 * 9 and layer.bases == 3 and layer.weights == 16 * 16 * 9


def test_xnorpp_is_not_position_tied_beyond_the_training_patch() -> None:
    layer = perturb(XNORPlusPlus().conv(8, 8, 3, place="body")).eval()
    x = torch.ones(1, 8, 60, 60)
    with torch.no_grad():
        y = layer(x)
    assert torch.equal(y[..., 33:40, 33:40], y[..., 45:52, 45:52])
    assert not torch.allclose(y[..., 3:10, 3:10], y[..., 15:22, 15:22])


def test_btm_works_on_normalised_images() -> None:
    network = build_network(BTM(), "srresnet", 2)
    image = torch.rand(1, 3, 6, 6)
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    x = (image - mean) / DEVIATION
    inner = network.tail(network.upsampler(network.body(network.head(x))))
    enlarged = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(network(image), (inner + enlarged) * DEVIATION + mean, atol=1e-5)


def test_ibtm_sees_four_receptive_fields_with_fewer_weights() -> None:
    block = IBTM().block(16)
    branches = block.conv1.branches
    assert [(tuple(b.weight.shape), b.dilation) for b in branches] == [
        ((4, 16, 1, 5), 1),
        ((4, 16, 5, 1), 1),
        ((4, 16, 1, 5), 2),
        ((4, 16, 5, 1), 2),
    ]
    reach = torch.zeros(1, 16, 9, 9)
    reach[..., 4, 4] = 1.0
    x = torch.full((1, 16, 9, 9), 1.0)
    changed = (block.conv1(x) != block.conv1(x - 2 * reach)).any(0).any(0)
    line = [True, False, True, True, True, True, True, False, True]  # up to 2 away, and 4 with dilation
    assert changed[4].tolist() == line and changed[:, 4].tolist() == line and changed.sum() == 13


def test_e2fif_has_one_full_precision_path() -> None:
    network = build_network(E2FIF(), "edsr", 4)
    assert not any(claim.place == "after_body" for _, _, claim in tagged(network))
    assert isinstance(network.upsampler, nn.Identity)
    assert [(claim.place, m.out_channels) for _, m, claim in tagged(network.tail)] == [("tail", 48)]
    assert network.image_range == 255
    block = network.body[0]
    for unit in (block.conv1, block.conv2):
        nn.init.zeros_(unit.norm.weight)
    x = torch.rand(1, 64, 5, 5)
    assert torch.equal(block(x), x)  # positive, so LeakyReLU lets it through


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_e2fif_repeat_tail_upsamples_the_features_in_one_stage(scale: int) -> None:
    network = build_network(E2FIFRepeat(), "edsr", scale).eval()
    (unit,) = parts_of(network.upsampler, Unit)
    nn.init.zeros_(unit.norm.weight)
    x = torch.randn(1, 64, 5, 6)
    assert unit.cout == 64 * scale**2
    assert torch.equal(network.upsampler(x), F.interpolate(x, scale_factor=scale, mode="nearest"))


def test_bbcu_m_is_binary_from_the_second_to_the_last_but_one_convolution() -> None:
    network = build_network(BBCUM(), "srresnet", 4)
    places = {claim.place: claim.full_precision for _, _, claim in tagged(network)}
    assert places == {"head": True, "body": False, "upsample": False, "conv_hr": False, "tail": True}
    assert not any(parts_of(network.upsampler, nn.LeakyReLU)) and any(parts_of(network.tail, nn.LeakyReLU))
    assert sum(1 for _ in parts_of(network.upsampler, RPReLU)) == 2


def test_units_of_a_transformer_have_no_shortcut_and_no_bend() -> None:
    for method in (BBCU, BiReal, BNN, FRB, ReActNet):
        unit = method().conv(16, 16, 1, place="linear")
        assert unit.skip == "none" and unit.nonlinearity is None
        assert (unit.bias is not None) != (unit.norm is not None)  # one of them carries the linear layer's offset


@pytest.mark.parametrize("method", [BBCU, BiReal, BNN, FRB, ReActNet])
def test_swinir_is_binary_but_for_its_ends_and_its_attention(method: type[Algorithm]) -> None:
    claims = list(tagged(build_network(method(), "swinir_s", 2)))
    assert {c.place for _, _, c in claims if not c.full_precision} == {"body", "linear"}
    assert sum(not c.full_precision for _, _, c in claims) == 4 * 6 * 4 + 4


def test_frb_blocks_are_found_on_every_backbone() -> None:
    from algorithms.frb.adapter import BLOCKS

    expected = {"srresnet": 16, "edsr": 16, "edsr_large": 32, "rdn": 16, "rcan": 200, "swinir_s": 4}
    for backbone, count in expected.items():
        with torch.device("meta"):
            network = FRB().build(backbone, 2)
        assert sum(isinstance(m, BLOCKS) for m in network.modules()) == count


def test_res_scale_of_a_wide_network_acts_on_the_branch() -> None:
    network = edsr.build(BiReal(), 2, channels=8, blocks=1, res_scale=0.1)
    block = next(parts_of(network, ResidualBlock))
    x = torch.randn(1, 8, 5, 5)
    assert torch.allclose(block(x), x + 0.1 * (block.conv2(block.conv1(x)) - x), atol=1e-5)


# Costs: what the papers print, through the product's own counter


@pytest.mark.parametrize(
    ("method", "scale", "params_k", "ops_g"),
    [
        (BiReal, 2, "225", "18.55"),
        (BiReal, 4, "372", "79.19"),
        (BBCUM, 2, "46", "1.82"),
        (BBCUM, 4, "51", "3.95"),
        (BAM, 2, "226", "20.52"),
        (BAM, 4, "373", "81.17"),
    ],
)
def test_costs_of_the_plain_binary_network_and_of_bam(
    method: type[Algorithm], scale: int, params_k: str, ops_g: str
) -> None:
    """BBCU, Table 1: BAM costs 1.97 G operations and 1 K parameters more than the plain net at both scales.

    Two of the table's figures round up once more: 79.195 is printed as 79.20, 1.825 as 1.83.
    """
    net = count_network(build_network(method(), "srresnet", scale), (320, 180))
    paper = PAPERS["bbcu"]
    assert f"{paper.params(net) / 1e3:.0f}" == params_k and f"{paper.ops(net) / 1e9:.2f}" == ops_g


def test_extra_cost_of_bam_is_the_same_at_both_scales() -> None:
    for scale in (2, 4):
        bam, plain = (count_network(build_network(method(), "srresnet", scale), (320, 180)) for method in (BAM, BiReal))
        paper = PAPERS["bbcu"]
        assert 1.97e9 - 0.01e9 < paper.ops(bam) - paper.ops(plain) < 1.97e9 + 0.01e9
        assert paper.params(bam) - paper.params(plain) == 1073
