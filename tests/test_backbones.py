"""The backbones: parameters as published, shapes, initialisation, and what they ask of a method."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from algorithms.bbcu.adapter import BBCU
from algorithms.fp32.adapter import FullPrecision
from bench.contract import Card, Unsupported
from bench.contract.backbones import BACKBONES
from bench.nn.algorithm import Algorithm, Place, ResidualBlock, parts_of, tagged
from bench.nn.backbones import edsr, rcan, rdn, swinir_s
from bench.nn.build import build_network
from bench.nn.shapes import ShapesOnly
from bench.nn.unit import RPReLU, Unit, skip_for

PARAMETERS = {
    "srresnet": (1_369_859, 1_554_499, 1_517_571),
    "edsr": (1_369_859, 1_554_499, 1_517_571),
    "edsr_large": (40_729_603, 43_680_003, 43_089_923),
    "rdn": (22_123_395, 22_308_035, 22_271_107),
    "rcan": (15_444_643, 15_629_283, 15_592_355),
    "swinir_s": (910_152, 918_267, 929_628),
}
"""Backbone -> parameters at x2, x3, x4"""


@pytest.fixture(autouse=True)
def one_seed() -> None:
    torch.manual_seed(0)


def on_shapes(backbone: str, scale: int, algorithm: Algorithm | None = None) -> nn.Module:
    with torch.device("meta"), ShapesOnly():
        return build_network(algorithm or FullPrecision(), backbone, scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_parameters_are_the_published_ones_and_odd_sizes_are_kept(backbone: str, scale: int) -> None:
    network = on_shapes(backbone, scale)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[backbone][scale - 2]
    with ShapesOnly(), torch.no_grad():
        out = network(torch.empty(2, 3, 17, 23, device="meta"))
    assert out.shape == (2, 3, 17 * scale, 23 * scale)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_fresh_network_computes_something_finite(backbone: str) -> None:
    network = build_network(FullPrecision(), backbone, 2).eval()
    with torch.no_grad():
        out = network(torch.rand(1, 3, 5, 3))
    assert out.isfinite().all() and out.std() > 0


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (8, 8), (9, 7), (5, 16)])
def test_swinir_takes_images_smaller_than_its_window(size: tuple[int, int]) -> None:
    network = swinir_s.build(FullPrecision(), 2, channels=12, groups=1, layers=2).eval()
    with torch.no_grad():
        out = network(torch.rand(1, 3, *size))
    assert out.shape == (1, 3, 2 * size[0], 2 * size[1]) and out.isfinite().all()


def test_originals_initialisations() -> None:
    swinir = build_network(FullPrecision(), "swinir_s", 2)
    linears = [module for module in swinir.modules() if isinstance(module, nn.Linear)]
    weights = torch.cat([module.weight.detach().flatten() for module in linears])
    assert len(linears) == 24 * 4 and not any(module.bias.any() for module in linears)
    assert float(weights.std()) == pytest.approx(0.02, rel=0.02) and abs(float(weights.mean())) < 1e-3
    attentions = parts_of(swinir, swinir_s.WindowAttention)
    tables = torch.cat([attention.bias_table.detach().flatten() for attention in attentions])
    assert float(tables.std()) == pytest.approx(0.02, rel=0.05)
    conv = build_network(FullPrecision(), "edsr", 2).body[0].conv1  # PyTorch's default: uniform within 1 / sqrt(fan-in)
    bound = (64 * 9) ** -0.5
    assert 0.99 * bound < float(conv.weight.detach().abs().max()) <= bound
    assert 0.9 * bound < float(conv.bias.detach().abs().max()) <= bound


class Recorder(Algorithm):
    """Quantizes convolutions and linear layers of the body, and writes down what it is asked for."""

    card = Card("recorder", "Recorder", "tests:Recorder", 1, 1)
    scope = frozenset({"body", "linear"})

    def __init__(self) -> None:
        self.asked: Counter[tuple[Place, int, int, int]] = Counter()

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        self.asked[place, cin, cout, kernel] += 1
        layer = nn.Linear(cin, cout) if place == "linear" else nn.Conv2d(cin, cout, kernel, padding=kernel // 2)
        return nn.Sequential(layer)


ASKED = {
    "edsr": {("body", 64, 64, 3): 32},
    "edsr_large": {("body", 256, 256, 3): 64},
    "rcan": {("body", 64, 64, 3): 410},
    "rdn": {("body", 64 * i, 64, 3): 16 for i in range(2, 9)}
    | {("body", 64, 64, 3): 17, ("body", 576, 64, 1): 16, ("body", 1024, 64, 1): 1},
    "swinir_s": {
        ("body", 60, 60, 3): 4,
        ("linear", 60, 180, 1): 24,
        ("linear", 60, 60, 1): 24,
        ("linear", 60, 120, 1): 24,
        ("linear", 120, 60, 1): 24,
    },
}


@pytest.mark.parametrize("backbone", ASKED)
def test_a_method_is_asked_for_the_layers_of_the_body(backbone: str) -> None:
    recorder = Recorder()
    network = on_shapes(backbone, 2, recorder)
    assert recorder.asked == ASKED[backbone]
    assert sum(not claim.full_precision for _, _, claim in tagged(network)) == sum(recorder.asked.values())


@pytest.mark.parametrize(
    ("cin", "cout", "place", "skip"),
    [
        (64, 64, "body", "after"),
        (128, 64, "body", "none"),
        (576, 64, "body", "none"),
        (60, 180, "linear", "none"),
        (60, 60, "linear", "none"),  # the transformer layer's own residual goes around it
        (64, 256, "upsample", "after"),
        (64, 3, "tail", "none"),
    ],
)
def test_where_a_units_own_shortcut_makes_sense(cin: int, cout: int, place: Place, skip: str) -> None:
    assert skip_for(cin, cout, place) == skip
    assert skip_for(cin, cout, place, "before") == ("before" if skip == "after" else "none")


def silence(network: nn.Module) -> None:
    """Make every unit's branch exactly 0, so that only its shortcut is left."""
    for module in network.modules():
        if isinstance(module, Unit):
            nn.init.zeros_(module.weight)
        if isinstance(module, RPReLU):
            nn.init.zeros_(module.before)
            nn.init.zeros_(module.after)


@pytest.mark.parametrize(
    "part",
    [
        lambda method: ResidualBlock(method, 8),
        lambda method: ResidualBlock(method, 8, res_scale=0.1),
        lambda method: ResidualBlock(method, 8, attention=rcan.ChannelAttention(8, 2)),
        lambda method: rcan.ResidualGroup(method, 16, blocks=3),
    ],
    ids=["block", "scaled block", "block with attention", "group"],
)
def test_units_with_shortcuts_leave_one_identity_path(part) -> None:
    module = part(BBCU()).eval()
    silence(module)
    x = torch.randn(1, 16 if isinstance(module, rcan.ResidualGroup) else 8, 5, 5)
    torch.testing.assert_close(module(x), x, rtol=0, atol=0)


def test_a_transformer_group_has_one_identity_path() -> None:
    class Bodies(BBCU):
        scope = frozenset({"body"})

    group = swinir_s.TransformerGroup(Bodies(), 12, layers=1).eval()
    silence(group)
    for linear in (group.layers[0].attention.proj, group.layers[0].mlp[2]):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    tokens = torch.randn(1, 64, 12)
    torch.testing.assert_close(group(tokens, (8, 8)), tokens, rtol=0, atol=0)


def test_full_precision_blocks_scale_and_attend_to_their_branch() -> None:
    block = ResidualBlock(FullPrecision(), 8, res_scale=0.1, attention=rcan.ChannelAttention(8, 2))
    x = torch.randn(1, 8, 5, 5)
    branch = block.conv2(block.conv1(x).relu())
    torch.testing.assert_close(block(x), x + 0.1 * branch * block.attention.gate(branch))


def test_rcan_refuses_a_block_without_room_for_attention() -> None:
    class OwnBlock(FullPrecision):
        def block(self, channels: int, res_scale: float = 1.0) -> nn.Module:
            return ResidualBlock(self, channels, res_scale)

    with pytest.raises(Unsupported, match="does not say where RCAN's channel attention goes"):
        build_network(OwnBlock(), "rcan", 2)


def test_the_larger_image_range_wins() -> None:
    assert edsr.build(BBCU(), 2, blocks=1).image_range == 255
    assert edsr.build(BBCU(), 2, channels=256, blocks=1).image_range == 520
    assert rdn.build(FullPrecision(), 2, blocks=1).image_range == 255


@pytest.mark.parametrize("shift", [0, 4])
def test_window_attention_against_its_definition(shift: int) -> None:
    """Positions attend to each other when one (shifted) window holds both and no image border lies between them."""
    height, width, channels, depth = 16, 24, 12, 2
    layer = swinir_s.WindowAttention(FullPrecision(), channels, shift).double()
    tokens = torch.randn(2, height * width, channels, dtype=torch.float64)
    y, x = (axis.flatten() for axis in torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"))
    cell = torch.stack(((y + shift) // 8, (x + shift) // 8))
    together = (cell[:, :, None] == cell[:, None, :]).all(0)
    offset = ((y[:, None] - y + 7) * 15 + x[:, None] - x + 7).where(together, 0)

    def heads(z: Tensor) -> Tensor:
        return z.unflatten(-1, (swinir_s.HEADS, depth)).transpose(1, 2)

    q, k, v = (heads(z) for z in layer.qkv(tokens).chunk(3, dim=-1))
    scores = q @ k.transpose(-1, -2) / depth**0.5 + layer.bias_table[offset].permute(2, 0, 1)
    mixed = scores.masked_fill(~together, -torch.inf).softmax(-1) @ v
    expected = layer.proj(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(tokens, (height, width)), expected)


def test_masks_are_kept_per_size_and_made_where_they_are_used() -> None:
    cpu = torch.device("cpu")
    assert swinir_s.shift_mask(16, 8, 4, cpu) is swinir_s.shift_mask(16, 8, 4, cpu)
    assert swinir_s.shift_mask(16, 8, 4, torch.device("meta")).is_meta
    assert swinir_s.shift_mask(8, 16, 4, cpu).shape == (2, 64, 64)
