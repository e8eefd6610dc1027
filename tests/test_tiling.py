"""Tiles: the receptive field is found, tiled equals untiled, and what cannot be tiled is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sr_networks import Conv, DeepBinary, Pooled, Windowed
from torch import nn

from bench.contract import UserError
from bench.nn.build import build_network
from bench.plan.discover import discover
from bench.tasks.sr.datasets import open_set
from tracks._quality import tiling as _tiling
from tracks._quality.tiling import footprint, run_tiled, tiles
from tracks._quality.upscale import Upscaler, pick_device

CPU = torch.device("cpu")


def network(algorithm: type = Conv, scale: int = 2) -> nn.Module:
    return build_network(algorithm(), "small", scale).eval()


def picture(height: int = 70, width: int = 90) -> np.ndarray:
    return open_set("sample", 2)[0].given[:height, :width]


def megabytes(net: nn.Module, pixels: int) -> float:
    """The memory limit at which so many low-resolution pixels are run at once."""
    return (pixels + 0.5) * footprint(net, CPU).bytes_per_pixel / 1e6


def test_reach_is_that_of_the_operations() -> None:
    stack = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=2, dilation=2),  # 2
        nn.Conv2d(4, 12, 5, padding=2),  # 2
        nn.PixelShuffle(2),
        nn.Conv2d(3, 3, 3, padding=1),  # half a low-resolution pixel
    )
    assert footprint(stack, CPU).reach == 5 + 1
    parallel = nn.ModuleList([nn.Conv2d(3, 3, 7, padding=3), nn.Conv2d(3, 3, 3, padding=1)])
    parallel.forward = lambda x: parallel[0](x) + parallel[1](x)
    assert footprint(parallel, CPU).reach == 3 + 1
    assert footprint(network(Pooled), CPU).reach is None
    srresnet = build_network(discover().loader("fp32"), "srresnet", 2).eval()
    assert footprint(srresnet, CPU).reach == 36  # head, 32 of the body, upsampler, then half pixels; one to spare


def test_memory_estimate_covers_what_must_be_alive_at_once() -> None:
    """The widest step of this network holds two 64-channel maps."""
    channels = [(3, 64), (64, 64), (64, 3)]
    wide = nn.Sequential(*(nn.Conv2d(cin, cout, 3, padding=1) for cin, cout in channels))
    needed = footprint(wide, CPU).bytes_per_pixel
    assert 2 * 64 * 4 <= needed < 4 * 64 * 4


@pytest.mark.parametrize("algorithm", [Conv, DeepBinary])
@pytest.mark.parametrize("scale", [2, 3])
def test_tiled_equals_untiled(algorithm: type, scale: int) -> None:
    net, lr = network(algorithm, scale), picture()
    whole, pieces = Upscaler(net, scale, CPU), Upscaler(net, scale, CPU, memory_mb=megabytes(net, 45 * 45))
    expected, got = whole(lr), pieces(lr)
    assert pieces.tiled and not whole.tiled
    assert got.shape == (70 * scale, 90 * scale, 3)
    np.testing.assert_allclose(got, expected, atol=1e-6, rtol=0)


def test_too_little_overlap_would_be_seen() -> None:
    """The control: with an overlap below the reach the result changes."""
    net, lr = network(), picture()
    image = torch.from_numpy(lr.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        whole = net(image)
        exact = run_tiled(net, image, 2, tiles(70, 90, 4, 1024))
        wrong = run_tiled(net, image, 2, tiles(70, 90, 1, 1024))
    assert float((exact - whole).abs().max()) <= 1e-6 < float((wrong - whole).abs().max())


@pytest.mark.parametrize(
    ("height", "width", "reach", "limit"), [(70, 90, 4, 900), (31, 17, 2, 400), (20, 20, 3, 10**6)]
)
def test_cores_cover_the_picture_once(height: int, width: int, reach: int, limit: int) -> None:
    covered = np.zeros((height, width), int)
    for tile in tiles(height, width, reach, limit):
        top, bottom, left, right = tile.region
        a, b, c, d = tile.core
        assert (bottom - top) * (right - left) <= limit
        assert top == max(0, a - reach) and bottom == min(height, b + reach)
        assert left == max(0, c - reach) and right == min(width, d + reach)
        covered[a:b, c:d] += 1
    assert (covered == 1).all()


def test_what_cannot_be_tiled_is_refused() -> None:
    for algorithm, why in ((Pooled, "statistic over the whole picture"), (Windowed, "depends on more than 3 pixels")):
        net = network(algorithm)
        with pytest.raises(UserError, match=why):
            Upscaler(net, 2, CPU, memory_mb=megabytes(net, 900))(picture())
        assert np.isfinite(Upscaler(net, 2, CPU)(picture())).all()
    with pytest.raises(UserError, match="takes at least 576"):
        Upscaler(network(), 2, CPU, memory_mb=megabytes(network(), 575))(picture())


def test_a_reach_that_was_missed_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations that the observer cannot follow must not lead to wrong tiles."""
    monkeypatch.setattr(_tiling._Observer, "_own", lambda *args: 0.0)
    with pytest.raises(UserError, match="depends on more than 1 pixels"):
        Upscaler(network(), 2, CPU, memory_mb=megabytes(network(), 900))(picture())


def test_self_ensemble_turns_with_the_picture() -> None:
    """Averaging over all eight poses makes any network equivariant; alone this one is not."""
    net, lr = network(), picture(20, 30)
    turned = np.ascontiguousarray(np.rot90(lr))
    plain, plus = Upscaler(net, 2, CPU), Upscaler(net, 2, CPU, self_ensemble=True)
    np.testing.assert_allclose(plus(turned), np.rot90(plus(lr)), atol=1e-6)
    np.testing.assert_allclose(plus(np.ascontiguousarray(lr[:, ::-1])), plus(lr)[:, ::-1], atol=1e-6)
    assert np.abs(plain(turned) - np.rot90(plain(lr))).max() > 1e-3


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_device_that_is_not_there_is_named() -> None:
    assert pick_device("auto") == CPU
    with pytest.raises(UserError, match="no GPU"):
        pick_device("cuda")
    with pytest.raises(UserError, match="expected auto"):
        pick_device("abacus")
