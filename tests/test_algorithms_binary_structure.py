"""The binary methods: what their networks are made of, and the costs their papers print."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from algorithms.abcnet.adapter import ABCNet
from algorithms.bam.adapter import BAM
from algorithms.bbcu.adapter import BBCU, BBCUM
from algorithms.bireal.adapter import BiReal
from algorithms.bnn.adapter import BNN, BNNInPlace
from algorithms.btm.adapter import BTM
from algorithms.e2fif.adapter import E2FIF, E2FIFRepeat
from algorithms.frb.adapter import BLOCKS, FRB
from algorithms.ibtm.adapter import IBTM
from algorithms.irnet.adapter import IRNet
from algorithms.reactnet.adapter import ReActNet
from algorithms.recu.adapter import ReCU
from algorithms.xnorpp.adapter import XNORPlusPlus
from bench.conformance import perturb
from bench.nn.algorithm import ALIGNMENT, Algorithm, ResidualBlock, parts_of, tagged
from bench.nn.backbones import edsr, srresnet
from bench.nn.build import build_network, load_weights
from bench.nn.complexity import count_network
from bench.nn.conventions import PAPERS
from bench.nn.unit import RPReLU, Unit
from bench.nn.weights import stored_weights
from bench.packed.parity import relative_error


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


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
    layer = count_network(srresnet.build(ABCNet(), 2, channels=16, blocks=2), (16, 16)).layers[1]
    assert layer.macs == 3 * 16 * 16 * 16 * 16 * 9 and layer.bases == 3 and layer.weights == 16 * 16 * 9


def test_xnorpp_is_not_position_tied_beyond_the_training_patch() -> None:
    layer = perturb(XNORPlusPlus().conv(8, 8, 3, place="body")).eval()
    x = torch.ones(1, 8, 60, 60)
    with torch.no_grad():
        y = layer(x)
    assert torch.equal(y[..., 33:40, 33:40], y[..., 45:52, 45:52])
    assert not torch.allclose(y[..., 3:10, 3:10], y[..., 15:22, 15:22])


def test_btm_works_on_normalised_images() -> None:
    printed = type("Printed", (BTM,), {"as_printed": True})()
    network = build_network(printed, "srresnet", 2)
    image = torch.rand(1, 3, 6, 6)
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    x = (image - mean) / 0.25
    inner = network.tail(network.upsampler(network.body(network.head(x))))
    enlarged = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(network(image), (inner + enlarged) * 0.25 + mean, atol=1e-5)
    equal = build_network(BTM(), "srresnet", 2)
    assert torch.equal(equal.mean, network.mean) and equal.image_range == ALIGNMENT


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


def test_bnn_in_place_loses_the_image_behind_the_relu() -> None:
    def branch(algorithm: Algorithm) -> torch.Tensor:
        block = algorithm.block(16).eval()
        y = block.conv2(block.nonlinearity(block.conv1(torch.randn(2, 16, 9, 9))))
        return y[0] - y[1]

    assert branch(BNNInPlace()).abs().max() == 0 < branch(BNN()).abs().max()


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


def test_e2fif_has_its_long_skip_and_its_start_on_srresnet_too() -> None:
    network = build_network(E2FIF(), "srresnet", 2)
    head = network.head[0]
    bound = head.weight[0].numel() ** -0.5
    assert 0.95 * bound < float(head.weight.detach().abs().max()) <= bound and head.bias.abs().max() > 0
    for unit in parts_of(network.body, Unit):
        nn.init.zeros_(unit.norm.weight)
    x = torch.rand(1, 64, 5, 5)
    assert torch.equal(network.body(x), x + x)


def test_irnet_and_recu_bound_every_sum_and_start_inside() -> None:
    for method in (IRNet(), ReCU()):
        network = build_network(method, "srresnet", 2).eval()
        x = 3 * torch.randn(1, 64, 5, 5)
        assert network.body[0](x).abs().max() == 1
        for unit in parts_of(network.body[0], Unit):
            nn.init.zeros_(unit.norm.weight)
        assert torch.equal(network.body[0](x), x.clamp(-1, 1))
        network = build_network(method, "srresnet", 2)
        assert all(bool((unit.norm.weight == 1 / 32).all()) for unit in parts_of(network, Unit))
        inside = network.head(torch.rand(1, 3, 24, 24) * network.image_range).abs() < 1
        assert network.image_range == 10 and inside.float().mean() > 0.8
        assert build_network(method, "edsr", 2).image_range == 1


class E2FIFApart(E2FIF):
    """With the nonlinearity between the units instead of in the first."""

    block = Algorithm.block


@torch.no_grad()
def test_e2fif_bends_in_its_first_unit_what_stands_between_them_in_the_paper() -> None:
    path = stored_weights(E2FIF.card, "srresnet", "x4")
    together, apart = (build_network(method(), "srresnet", 4).eval() for method in (E2FIF, E2FIFApart))
    assert isinstance(apart.body[0].nonlinearity, nn.LeakyReLU)
    assert [(unit.skip, type(unit.nonlinearity).__name__) for unit in parts_of(together.body[0], Unit)] == [
        ("before", "LeakyReLU"),
        ("after", "NoneType"),
    ]
    for network in (together, apart):
        load_weights(network, path)
    x = torch.rand(1, 3, 12, 11)
    assert torch.equal(together(x), apart(x))


def test_e2fif_trains_as_with_the_nonlinearity_between_its_units() -> None:
    together, apart = (build_network(method(), "edsr", 2) for method in (E2FIF, E2FIFApart))
    apart.load_state_dict(together.state_dict())
    x = torch.rand(2, 3, 8, 9)
    for network in (together, apart):
        network(x).square().mean().backward()
    assert torch.equal(together(x), apart(x))
    gradients = [[parameter.grad for parameter in network.parameters()] for network in (together, apart)]
    assert all(torch.equal(own, other) for own, other in zip(*gradients, strict=True))


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
