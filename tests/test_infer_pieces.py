"""A packed network's pieces, and its full-precision parts in bfloat16."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bench.contract import Context, Settings, UserError
from bench.layer.unit_base import repeat_channels
from bench.nn.build import build_network
from bench.nn.calls import CallCount
from bench.packed.chain import chains_of, single_layers
from bench.packed.layer import PackedLayer
from bench.packed.pack import pack, packed_units
from bench.packed.parity import check_parity
from bench.packed.peers import PEERS, missing
from bench.plan.discover import discover
from tracks.infer.engine import run_in_bf16
from tracks.infer.measure import piece_metrics
from tracks.infer.openvino_parts import run_on_openvino
from tracks.infer.photo import photo
from tracks.infer.pieces import shrunk, take_apart
from tracks.infer.track import TRACK

SMALL = (24, 16)


def trained(algo: str, backbone: str = "srresnet") -> nn.Module:
    network = build_network(discover().loader(algo), backbone, 2, 0).eval()
    return network.to(memory_format=torch.channels_last)


def test_layers_are_taken_apart_one_by_one_where_chains_are_off() -> None:
    packed = pack(trained("bbcu_m"))
    image, _ = photo(SMALL, None)
    with single_layers():
        pieces = take_apart(packed, image)
    assert [call.module for call in pieces.layers] == [unit.layer for unit in packed_units(packed).values()]
    assert [call.module for call in pieces.full_precision] == [
        call.module for call in take_apart(packed, image).full_precision
    ]


@pytest.mark.parametrize("algo", ["bbcu_m", "frb"])
def test_every_parameter_belongs_to_exactly_one_piece(algo: str) -> None:
    packed = pack(trained(algo))
    image, _ = photo(SMALL, None)
    pieces = take_apart(packed, image)
    chained = {layer for chain in chains_of(packed).values() for layer in chain.layers}
    alone = [unit.layer for unit in packed_units(packed).values() if unit.layer not in chained]
    assert [call.module for call in pieces.layers] == [*chains_of(packed).values(), *alone]
    found = [id(p) for call in pieces.full_precision for p in call.module.parameters()]
    assert sorted(found) == sorted(id(p) for p in packed.parameters())
    for call in pieces.full_precision:
        assert not any(isinstance(part, PackedLayer) for part in call.module.modules())
    with torch.no_grad():
        for call in (*pieces.full_precision, *pieces.layers):
            assert torch.isfinite(call()).all()


def test_the_whole_is_compared_with_its_pieces_round_by_round() -> None:
    samples = {"packed": [11.0, 22.0, 12.0], "fp_parts": [8.0, 16.0, 8.0], "layers": [2.0, 4.0, 2.0]}
    metrics = piece_metrics(samples)
    assert metrics == {"fp_parts_ms": 8.0, "layers_ms": 2.0, "over_pieces": 1.1, "over_bound": 1.375}
    binary = piece_metrics({**samples, "openvino-binary": [3.0, 6.0, 3.0]})
    assert (binary["openvino_binary_ms"], binary["openvino_binary_ratio"]) == (3.0, 1.5)
    assert piece_metrics({"packed": [1.0]}) == {}
    small = {"layers_small": [0.13, 0.12, 0.13], "layers_least": [0.1, 0.1, 0.11]}
    assert piece_metrics({**samples, **small})["layers_cached_ms"] == pytest.approx(64 * 0.02)


def test_small_calls_keep_what_they_call_and_its_channels() -> None:
    packed = pack(trained("bbcu_m"))
    image, _ = photo((48, 40), None)
    layers = take_apart(packed, image).layers
    small = shrunk(layers, 8)
    assert [call.module for call in small] == [call.module for call in layers]
    for before, after in zip(layers, small, strict=True):
        (n, channels, height, width), got = before.arguments[0].shape, after.arguments[0]
        assert got.shape == (n, channels, height // 8, width // 8)
        assert got.data_ptr() != before.arguments[0].data_ptr()
        with torch.no_grad():
            assert after().shape[2:] == got.shape[2:]


@pytest.mark.parametrize(
    ("algo", "backbone"), [("frb", "srresnet"), ("pams_int4", "srresnet"), ("bbcu", "swinir_s"), ("fp32", "swinir_s")]
)
def test_bf16_parts_keep_parity_and_change_the_output(algo: str, backbone: str) -> None:
    network = trained(algo, backbone)
    packed = pack(network)
    image, _ = photo(SMALL, None)
    with torch.no_grad():
        in_float = packed(image)
    run_in_bf16(network), run_in_bf16(packed)
    seen = {}
    convs = {name: part for name, part in packed.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)}
    for name, part in convs.items():
        part.register_forward_hook(lambda _, inputs, out, n=name: seen.update({n: (inputs[0].dtype, out.dtype)}))
    parity = check_parity(network, packed, image)
    assert parity.passed, parity.reason()
    assert set(seen) == set(convs) and set(seen.values()) == {(torch.bfloat16, torch.bfloat16)}
    with torch.no_grad():
        output = packed(image)
    assert output.dtype == torch.float32
    assert 0 < float((output - in_float).abs().mean()) < 0.5


needs_openvino = pytest.mark.skipif(bool(missing(PEERS["openvino-fp32"])), reason="needs OpenVINO and onnx")


@needs_openvino
@pytest.mark.parametrize(
    "algo, backbone, parts", [("bbcu_m", "srresnet", 2), ("bbcu", "srresnet", 3), ("frb", "edsr", 4)]
)
def test_openvino_parts_keep_parity_and_stay_near_float32(algo: str, backbone: str, parts: int) -> None:
    network = trained(algo, backbone)
    packed = pack(network)
    image, _ = photo(SMALL, None)
    with torch.no_grad():
        in_float = packed(image)
    run_on_openvino(network, "openvino-fp32", 1), run_on_openvino(packed, "openvino-fp32", 1)
    on_it = [name for name, part in packed.named_modules() if getattr(part.forward, "as_one", False)]
    assert len(on_it) == parts
    assert on_it == [name for name, part in network.named_modules() if getattr(part.forward, "as_one", False)]
    parity = check_parity(network, packed, image)
    assert parity.passed, parity.reason()
    with torch.no_grad():
        first, again = packed(image), packed(image / 2)
        assert torch.equal(packed(image), first) and not torch.equal(first, again)  # nothing of an earlier pass is left
        assert torch.equal(copy.deepcopy(packed)(image), first)
        assert torch.isfinite(packed(torch.rand(2, 3, 9, 11))).all()  # another shape
    assert float((first - in_float).abs().mean()) < 0.05


@needs_openvino
def test_layers_that_openvino_runs_as_one_are_counted() -> None:
    network = run_on_openvino(pack(trained("bbcu")), "openvino-fp32", 1)
    image, _ = photo(SMALL, None)
    with torch.no_grad():
        network(image)  # compiles
        with CallCount(network) as count:
            network(image)
    expected = {name for name, part in network.named_modules() if isinstance(part, nn.Conv2d)}
    assert expected and {name: n for name, n in count.take().items() if name in expected} == dict.fromkeys(expected, 1)


@needs_openvino
def test_a_cell_on_openvino_says_so() -> None:
    registry = discover()
    settings = Settings(lr_size=SMALL, repeats=2, extra={"infer.fp_engine": "openvino-fp32"})
    (cell,) = TRACK.cells([registry.cards["bbcu"]], ["srresnet"], ["x2"], settings)
    assert cell.case == "24x16-t1-openvino-fp32"
    outcome = TRACK.run(cell, Context(settings, registry.loader, registry.cards))
    assert "full precision in openvino-fp32" in outcome.flags
    assert outcome.metrics["engine_psnr_db"] > 30
    assert [how["layers"] for how in outcome.details["chains"]] == [32]


def test_an_engine_has_its_own_cell_label_and_fingerprint() -> None:
    registry = discover()
    settings = Settings(lr_size=SMALL, repeats=2, extra={"infer.fp_engine": "bf16"})
    (cell,) = TRACK.cells([registry.cards["bbcu"]], ["srresnet"], ["x2"], settings)
    assert cell.case == "24x16-t1-bf16"
    assert TRACK.inputs(cell, settings) != TRACK.inputs(cell, Settings(lr_size=SMALL, repeats=2))
    outcome = TRACK.run(cell, Context(settings, registry.loader, registry.cards))
    assert "full precision in bf16" in outcome.flags and outcome.details["fp_engine"] == "bf16"
    assert 10 < outcome.metrics["engine_psnr_db"] < 120
    assert outcome.metrics["parity_max_abs"] <= 1e-5


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UserError, match="expected fp32 or bf16 or openvino-fp32"):
        TRACK.cells([discover().cards["bbcu"]], ["srresnet"], ["x2"], Settings(extra={"infer.fp_engine": "fp16"}))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_repeated_channels_stay_in_their_memory_format(memory_format: torch.memory_format) -> None:
    x = torch.randn(2, 5, 3, 4).contiguous(memory_format=memory_format)
    repeated = repeat_channels(x, 4)
    assert torch.equal(repeated, x.repeat_interleave(4, dim=1))
    assert repeated.is_contiguous(memory_format=memory_format)


def test_activations_work_in_place_only_on_what_was_made_for_them() -> None:
    def leaky() -> nn.Module:
        return nn.LeakyReLU(0.1)

    made = nn.Sequential(nn.Conv2d(3, 4, 1), leaky(), nn.PixelShuffle(2), leaky())
    given = nn.Sequential(leaky(), nn.Identity(), leaky())
    packed = pack(nn.ModuleDict({"made": made, "given": given}))
    assert [m.inplace for m in packed["made"] if isinstance(m, nn.LeakyReLU)] == [True, True]
    assert [m.inplace for m in packed["given"] if isinstance(m, nn.LeakyReLU)] == [False, False]
    assert not any(m.inplace for m in made if isinstance(m, nn.LeakyReLU))
    x = torch.randn(1, 3, 4, 4)
    before = x.clone()
    with torch.no_grad():
        torch.testing.assert_close(packed["made"](x), made(x))
    assert torch.equal(x, before)
