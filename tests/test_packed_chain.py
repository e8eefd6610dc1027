"""Chains give the bits of their layers one at a time: every group length, strip, band, kernel, and odd image."""

from __future__ import annotations

import copy
import random
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from packed_data import KERNELS, image_for, random_epilogue, random_spec
from torch import Tensor, nn

from algorithms.bnn.adapter import BNN
from bench.contract import UserError
from bench.layer.spec import LayerSpec
from bench.layer.unit_base import UnitShell
from bench.nn.backbones import srresnet
from bench.packed.chain import Chain, ChainLimits, chains_of, single_layers, told_chains, unequal_chains
from bench.packed.fileformat import load_packed, save_packed
from bench.packed.find_chains import join_chains
from bench.packed.kernels import KERNEL_VARIABLE, native
from bench.packed.layer import PackedLayer
from bench.packed.pack import PackedUnit, load_into, pack, packed_units, save


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch):
    """Sets `Chain.limits` for one test."""
    monkeypatch.setattr(Chain, "limits", Chain.limits)
    return lambda **changes: setattr(Chain, "limits", replace(Chain.limits, **changes))


def unit(spec: LayerSpec) -> PackedUnit:
    return PackedUnit(PackedLayer(spec), spec.in_channels, spec.out_channels, spec.epilogue.skip, None)


def spec_of(channels: tuple[int, int], draw: random.Random, *, skip: bool = False, kernel=None) -> LayerSpec:
    bits = draw.choice([(1, 1), (1, 1), (1, 1), (4, 4), (2, 1), (1, 3)])
    kernel = kernel or draw.choice([(3, 3), (3, 3), (1, 1), (5, 5), (1, 3)])
    dilation, bases, seed = draw.choice([1, 1, 2]), draw.choice([1, 1, 2]), draw.randrange(2**31)
    present = {name for name in ("bias", "pre", "slope", "post") if draw.random() < 0.6}
    where = draw.choice(["before", "after"]) if skip else "none"
    return random_spec(
        channels,
        kernel,
        bases=bases,
        weight_bits=bits[0],
        input_bits=bits[1],
        epilogue=random_epilogue(bases, channels[1], present, scale_map=False, skip=where, seed=seed),
        padding=tuple(dilation * (side // 2) for side in kernel),
        dilation=dilation,
        seed=seed,
    )


class Block(nn.Module):
    """A shortcut around two units, as BNN has it."""

    def __init__(self, channels: int, draw: random.Random):
        super().__init__()
        wide = channels + draw.choice([0, 0, 3])
        self.conv1, self.conv2 = unit(spec_of((channels, wide), draw)), unit(spec_of((wide, channels), draw))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x))


def network(seed: int) -> tuple[nn.ModuleDict, Tensor]:
    """A random body, and an image for it."""
    draw = random.Random(seed)
    channels = draw.choice([1, 3, 31, 33, 60, 64, 65, 96, 130])
    kinds = [draw.choice(["own", "block", "plain"]) for _ in range(draw.randint(2, 5))]
    body = nn.Sequential(
        *(
            Block(channels, draw) if kind == "block" else unit(spec_of((channels, channels), draw, skip=kind == "own"))
            for kind in kinds
        )
    )
    first = next(part for part in body.modules() if isinstance(part, PackedLayer)).spec
    size = draw.choice([1, 2, 5, 9, 17]), draw.choice([1, 3, 20, 37, 64, 70, 131])
    joined = nn.ModuleDict({"body": body})
    join_chains(joined)
    return joined, image_for(first, draw.choice([1, 1, 2]), *size, seed=seed)


def same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.nan_to_num(nan=1.25), b.nan_to_num(nan=1.25))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(12))
def test_every_group_length_strip_and_band_gives_the_same_bits(seed: int, kernel: str, monkeypatch, limits) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, kernel)
    nets, x = network(seed)
    (chain,) = chains_of(nets).values()
    with single_layers():
        expected = nets["body"](x)
    for group in range(len(chain.layers) + 1):
        for strip, bands, threads in [(0, 0, 1), (1, 0, 1), (16, 3, 3), (33, 0, 2)]:
            limits(group=group, strip=strip, bands=bands, caches=(1000, 30000) if group == 1 else None)
            for layer in chain.layers:
                layer.threads = threads
            assert same(nets["body"](x), expected), (group, strip, bands, threads, chain.told)
            assert sum(chain.told["groups"]) == len(chain.layers)


def own(count: int, channels: int = 64) -> nn.ModuleDict:
    """Binary units with their own shortcuts, in one chain."""
    specs = (
        random_spec(
            (channels, channels),
            epilogue=random_epilogue(1, channels, {"bias", "slope"}, scale_map=False, skip="after", seed=i),
            padding=(1, 1),
            seed=i,
        )
        for i in range(count)
    )
    nets = nn.ModuleDict({"body": nn.Sequential(*map(unit, specs))})
    join_chains(nets)
    return nets


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (3, 8300), (40, 1), (2, 33)])
@pytest.mark.parametrize("threads", [1, 64])
def test_narrow_flat_and_very_wide_images(size: tuple[int, int], threads: int, limits) -> None:
    """More threads than rows, images narrower than a strip, of one row, and wider than 8192 columns."""
    limits(caches=(32768, 262144))
    nets = own(5, 32)
    (chain,) = chains_of(nets).values()
    for layer in chain.layers:
        layer.threads = threads
    x = torch.randn(1, 32, *size)
    with single_layers():
        expected = nets["body"](x)
    assert torch.equal(nets["body"](x), expected)
    assert chain.told["strip"] <= size[1] and chain.told["bands"] <= size[0]


def test_small_caches_lead_to_short_groups_and_strips_within_them(limits) -> None:
    (chain,) = chains_of(own(8)).values()
    told = []
    for second in (2**16, 2**18, 2**20, 2**24):
        limits(caches=(32768, second))
        chain(torch.randn(1, 64, 24, 320))
        told.append(chain.told)
        if second >= 2**18:
            assert chain.told["scratch_bytes"] - 2 * 4 * 64 * 24 * 320 <= second
    assert len(told[0]["groups"]) > len(told[-1]["groups"]) == 1
    assert min(how["strip"] for how in told) < told[-1]["strip"] == 320


def test_memory_that_cannot_be_had_is_said_and_the_layers_run_one_at_a_time(limits, monkeypatch) -> None:
    nets, x = own(3), torch.randn(1, 64, 9, 40)
    expected = nets["body"](x)
    limits(most_bytes=1000)
    with pytest.warns(RuntimeWarning, match="3 packed layers run one at a time: .* beyond the limit of 1000"):
        assert torch.equal(nets["body"](x), expected)
    assert "one_at_a_time" in told_chains(nets)[0]
    limits(most_bytes=2**31)

    class Refusing:
        def __init__(self, chain):
            self.plan = chain.plan

        def run(self, *_):
            raise MemoryError

    (chain,) = chains_of(nets).values()
    refusing = Refusing(chain._native())
    monkeypatch.setattr(chain, "_native", lambda: refusing)
    with pytest.warns(RuntimeWarning, match="could not be had"):
        assert torch.equal(nets["body"](x), expected)


def test_a_chain_whose_memory_suffices_says_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own(3)["body"](torch.randn(1, 64, 9, 40))


class Outside(nn.Module):
    """The last unit's sum takes something that is no tensor of the chain."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (unit(random_spec((8, 8), padding=(1, 1), seed=i)) for i in range(3))
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + self.c(self.b(self.a(x)))


class Tapped(Outside):
    """A tensor in the middle is wanted outside."""

    def forward(self, x: Tensor) -> Tensor:
        middle = self.b(self.a(x))
        return self.conv(middle) + self.c(middle)


class Shaped(Outside):
    """Code that depends on the image."""

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) if x.mean() > 0 else self.b(x)


@pytest.mark.parametrize("part, layers", [(Outside, ["body.a", "body.b", "body.c"]), (Tapped, ["body.a", "body.b"])])
def test_a_chain_ends_where_another_tensor_comes_in_or_is_wanted(part: type[nn.Module], layers: list[str]) -> None:
    nets = nn.ModuleDict({"body": part()})
    join_chains(nets)
    (chain,) = chains_of(nets).values()
    assert [step.layer for step in chain.record.steps] == layers
    assert not any(step.added for step in chain.record.steps)
    x = torch.randn(1, 8, 5, 6)
    with single_layers():
        expected = nets["body"](x)
    assert torch.equal(nets["body"](x), expected)
    assert {name for name, m in nets.named_modules() if isinstance(m, UnitShell)} == {"body.a", "body.b", "body.c"}


def test_code_that_depends_on_the_image_is_left_as_it_is() -> None:
    nets = nn.ModuleDict({"body": Shaped()})
    join_chains(nets)
    assert type(nets["body"]) is Shaped and not chains_of(nets)


def test_what_is_wrong_in_a_chain_is_named(monkeypatch) -> None:
    """The check that parity rests on: a chain that computes something else."""
    nets, x = own(3), torch.randn(1, 64, 9, 40)
    assert unequal_chains(nets, lambda: nets["body"](x)) == ()
    real = Chain.forward

    def off(self: Chain, x: Tensor) -> Tensor:
        out = real(self, x)
        if self.enabled:
            out[0, 5, 3, 7] = torch.nextafter(out[0, 5, 3, 7], torch.tensor(9.0))
        return out

    monkeypatch.setattr(Chain, "forward", off)
    assert unequal_chains(nets, lambda: nets["body"](x)) == ("body.chain_0",)


def test_a_copy_and_a_layer_with_other_weights_are_followed() -> None:
    nets, x = own(3), torch.randn(1, 64, 9, 40)
    expected = nets["body"](x)
    twin = copy.deepcopy(nets)
    state = own(6).state_dict()
    changed = {name: state[name.replace("body.1", "body.5")] for name in state if name.startswith("body.1")}
    nets.load_state_dict(changed, strict=False)
    with single_layers():
        single = nets["body"](x)
    assert torch.equal(nets["body"](x), single) and not torch.equal(single, expected)
    assert torch.equal(twin["body"](x), expected)


def test_the_native_side_refuses_what_does_not_fit() -> None:
    layers = [PackedLayer(random_spec((8, 8), padding=(1, 1), seed=i)) for i in range(2)]
    one, two = (layer._layer for layer in layers)
    smaller = PackedLayer(random_spec((8, 8)))._layer
    wide = PackedLayer(random_spec((8, 9), padding=(1, 1)))._layer
    for steps in (
        (),
        ((one, 1, -1),),
        ((one, -1, -1),),
        ((one, 0, 0),),
        ((one, 0, -1), (two, 1, 3)),
        ((smaller, 0, -1),),
        ((wide, 0, -1), (two, 1, -1)),
        ((one, 0, -1), (two, 0, -1)),
    ):
        with pytest.raises(ValueError, match="chain, step"):
            native().chain(steps)
    chain, other = native().chain(((one, 0, -1), (two, 1, -1))), native().chain(((two, 0, -1),))
    x, out = torch.zeros(1, 4, 5, 8), torch.zeros(1, 4, 5, 8)
    plan = chain.plan(1, 4, 5, 2)
    chain.run(x, out, plan, 2)
    for bad in ((x[:, :3].contiguous(), out, plan, 2), (x, out[..., :7].contiguous(), plan, 2), (x, out, plan, 1),
                (x, out, other.plan(1, 4, 5, 2), 2), (x, out, plan, 0)):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            chain.run(*bad)
    for bad in ((0, 4, 5, 1), (1, 4, 2**21, 1), (1, 4, 5, 0), (1, 4, 5, 1, (-1, 0, 0))):
        with pytest.raises(ValueError):
            chain.plan(*bad)


def test_a_file_tells_its_chains_and_another_networks_are_refused(tmp_path: Path) -> None:
    network = srresnet.build(BNN(), 2, channels=8, blocks=2).eval()
    packed, path = pack(network), tmp_path / "net"
    where = {"algorithm": "bnn", "backbone": "srresnet", "scale": 2, "weights_sha256": "a" * 64}
    save(packed, path, where)
    (record,) = load_packed(path)[0].chains
    assert [(s.layer, s.input, s.shortcut, s.added) for s in record.steps] == [
        ("body.0.conv1", 0, -1, False),
        ("body.0.conv2", 1, 0, True),
        ("body.1.conv1", 2, -1, False),
        ("body.1.conv2", 3, 2, True),
    ]
    x = torch.rand(1, 3, 7, 9)
    with torch.inference_mode():
        assert torch.equal(load_into(network, path, where)(x), packed(x))
    layers = {name: unit.layer for name, unit in packed_units(packed).items()}
    floats = load_packed(path)[2]
    save_packed(path, where, layers, floats)  # a file that does not tell
    assert list(chains_of(load_into(network, path, where))) == ["body.chain_0"]
    save_packed(path, where | {"chains": (replace(record, steps=record.steps[:2]),)}, layers, floats)
    with pytest.raises(UserError, match=r"its chains are body.0.conv1 to body.0.conv2, the network's"):
        load_into(network, path, where)


def test_limits_are_those_of_the_processor() -> None:
    assert ChainLimits() == Chain.limits
    first, second = native().caches()
    assert 2**14 <= first <= second <= 2**31
