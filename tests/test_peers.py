"""Peers against PyTorch's own float32, and OpenVINO's binary convolution against ours, on the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.contract import Unsupported, UserError
from bench.layer.spec import LayerSpec, SignInput
from bench.packed.layer import PackedLayer
from bench.packed.microbench.shapes import Shape, random_spec
from bench.packed.peers import BINARY, PEERS, REFERENCE, Peer, build_peer, missing, pick_peers
from bench.packed.peers.source import Source
from tracks.infer.peers import FLOOR_DB, Peers, peer_metrics, psnr_db, vouch

NETWORKS = [key for key in PEERS if key != BINARY]


@pytest.fixture(scope="module")
def source() -> Source:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(16, 12, 3, padding=1))
    image = torch.rand(1, 3, 12, 20).contiguous(memory_format=torch.channels_last)
    network.add_module("shuffle", nn.PixelShuffle(2))
    return Source(network.eval().to(memory_format=torch.channels_last), image, 1)


def built(key: str, source: Source) -> Callable[[], Tensor]:
    if lacking := missing(PEERS[key]):
        pytest.skip(f"{', '.join(lacking)} not installed")
    try:
        return build_peer(PEERS[key], source)
    except Unsupported as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("key", NETWORKS)
@torch.no_grad()
def test_a_peer_computes_the_same_network(key: str, source: Source) -> None:
    run, expected = built(key, source), source.network(source.image)
    first = run().clone()
    assert first.shape == expected.shape
    near = psnr_db(first, expected)
    assert near > (100 if key.endswith("fp32") else 35)
    assert key.endswith("fp32") or near < 120, "it does not compute in fewer bits"
    assert torch.equal(run(), first)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_a_network_that_a_peer_cannot_take_is_refused_with_the_reason(source: Source) -> None:
    with pytest.raises(Unsupported, match="does not take it: symbolically traced"):
        build_peer(PEERS["torch-int8"], Source(Branching(), source.image, 1))


def test_picking_peers() -> None:
    assert pick_peers("torch-bf16, torch-int8,torch-bf16") == [REFERENCE, "torch-bf16", "torch-int8"]
    assert pick_peers("") == [REFERENCE]
    assert set(pick_peers("all")) == {key for key, peer in PEERS.items() if not missing(peer)}
    with pytest.raises(UserError, match="torch-int8"):
        pick_peers("torch-int9")


def test_a_missing_library_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "absent", Peer("absent", "Absent", "", ("no_such_library_here",)))
    with pytest.raises(UserError, match=r"needs no_such_library_here.*pip install -e \"\.\[peers\]\""):
        pick_peers("absent")
    assert "absent" not in pick_peers("all")


def test_a_peer_that_computes_something_else_is_refused() -> None:
    reference = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert vouch(reference + 0.01, reference) == pytest.approx(40, abs=0.01)
    with pytest.raises(Unsupported, match="no longer the same network"):
        vouch(reference + 10 ** (-(FLOOR_DB - 1) / 20), reference)
    with pytest.raises(Unsupported, match="not all finite"):
        vouch(reference.log().log(), reference)
    with pytest.raises(Unsupported, match="8, 7"):
        vouch(reference[..., :7], reference)


def test_the_fastest_peer_is_what_the_packed_network_is_held_against() -> None:
    samples = {"packed": [10.0, 10.0], "fp32": [30.0, 40.0], "torch-int8": [5.0, 5.0], "torch-bf16": [20.0, 20.0]}
    peers = Peers(psnr={"torch-int8": 50.0, "torch-bf16": 60.0})
    metrics, flags = peer_metrics(samples, peers)
    assert metrics["over_peer"] == 0.5 and flags == ["slower than torch-int8"]
    assert (metrics["torch_int8_ms"], metrics["torch_int8_speedup"], metrics["torch_int8_psnr_db"]) == (5.0, 7.0, 50.0)
    assert peer_metrics({**samples, "torch-int8": [15.0, 15.0]}, peers)[1] == []
    assert peer_metrics(samples, Peers()) == ({}, [])


def spec_on_a_grid(channels: int, bases: int, kernel: int, skip: str) -> LayerSpec:
    """Thresholds that inputs meet exactly."""
    shape = Shape(channels, channels, kernel, 9, 7, "")
    spec = random_spec(shape, bases, 1, torch.Generator().manual_seed(channels))
    threshold = torch.randint(-1, 2, (channels,), generator=torch.Generator().manual_seed(1)).float()
    epilogue = replace(spec.epilogue, skip=skip)
    return replace(spec, input=SignInput(threshold), epilogue=epilogue)


@pytest.mark.parametrize(
    ("channels", "bases", "kernel", "skip"),
    [(64, 1, 3, "after"), (64, 2, 3, "after"), (32, 1, 3, "before"), (128, 1, 1, "none"), (72, 1, 3, "none")],
)
def test_openvinos_binary_convolution_gives_our_result(channels: int, bases: int, kernel: int, skip: str) -> None:
    pytest.importorskip("openvino", reason="openvino not installed")
    from bench.packed.peers.binary import openvino_layer

    spec = spec_on_a_grid(channels, bases, kernel, skip)
    x = torch.randint(-2, 3, (1, channels, 7, 9), generator=torch.Generator().manual_seed(2)).float()
    x = x.contiguous(memory_format=torch.channels_last)
    shortcut = None if skip == "none" else x
    expected = PackedLayer(spec, 1)(x, shortcut)
    actual = openvino_layer(spec, x, shortcut, 1)()
    assert float((actual - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_what_openvinos_binary_convolution_cannot_express_is_said() -> None:
    pytest.importorskip("openvino", reason="openvino not installed")
    from bench.packed.peers.binary import openvino_layer

    with pytest.raises(Unsupported, match="1-bit weights"):
        openvino_layer(
            random_spec(Shape(64, 64, 3, 4, 4, ""), 1, 4, torch.Generator()), torch.zeros(1, 64, 4, 4), None, 1
        )
