"""The infer track on a small input: real packed kernels, real parity, a real worker process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imsave

from bench.contract import Context, Outcome, Settings, UserError
from bench.nn.weights import stored_weights
from bench.plan.discover import discover
from tracks.infer.photo import BUILT_IN, photo
from tracks.infer.track import TRACK

SMALL = Settings(lr_size=(40, 24), repeats=3)


def measure(algo: str, settings: Settings = SMALL, backbone: str = "srresnet") -> Outcome:
    registry = discover()
    (cell,) = TRACK.cells([registry.cards[algo]], [backbone], ["x2"], settings)
    return TRACK.run(cell, Context(settings, registry.loader, registry.cards))


def test_a_packed_network_is_measured_with_parity_beside_full_precision() -> None:
    outcome = measure("frb")
    metrics = outcome.metrics
    assert metrics["parity_max_abs"] <= 1e-5
    assert outcome.details["parity"]["layers"] == 32
    assert len(outcome.kernels) == 32
    assert len(outcome.samples["packed_ms"]) == len(outcome.samples["fp32_ms"]) == 3
    assert metrics["speedup"] == pytest.approx(
        np.median(np.array(outcome.samples["fp32_ms"]) / np.array(outcome.samples["packed_ms"]))
    )
    assert all(len(outcome.samples[f"packed_{part}_ms"]) == 3 for part in ("head", "body", "upsampler", "tail"))
    parts = sum(metrics[f"{part}_ms"] for part in ("head", "body", "upsampler", "tail"))
    assert parts <= 1.5 * metrics["latency_ms"]
    assert metrics["speedup_theory"] == pytest.approx(85.4323 / 19.608, rel=1e-3)
    # 1.18 M binary weights in two bases need 295 kB; the rest of the network about 1 MB; full precision 5.5 MB.
    assert 0.9e6 < metrics["file_bytes"] < 1.3e6 < 5e6 < metrics["fp32_file_bytes"]
    weights = stored_weights(discover().cards["frb"], "srresnet", "x2")
    assert ("untrained" in outcome.flags) == (weights is None)
    assert set(metrics) <= {metric.key for metric in TRACK.metrics}


def test_peers_take_turns_with_the_packed_network() -> None:
    outcome = measure("bbcu", Settings(lr_size=(24, 16), repeats=2, extra={"infer.baseline": "torch-int8"}))
    metrics, samples = outcome.metrics, outcome.samples
    full, peer, packed = (np.array(samples[f"{name}_ms"]) for name in ("fp32", "torch_int8", "packed"))
    assert len(peer) == 2
    assert metrics["torch_int8_speedup"] == pytest.approx(np.median(full / peer))
    fastest = min((full, peer), key=np.median)
    assert metrics["over_peer"] == pytest.approx(np.median(fastest / packed))
    assert metrics["torch_int8_psnr_db"] > 30
    assert outcome.details["peers"]["torch-int8"]["library"].startswith("torch ")
    assert metrics["over_pieces"] > 0 and metrics["over_bound"] > 0
    assert set(metrics) <= {metric.key for metric in TRACK.metrics}


def test_an_unknown_peer_is_told_before_anything_is_measured() -> None:
    (cell,) = TRACK.cells([discover().cards["bbcu"]], ["srresnet"], ["x2"], SMALL)
    with pytest.raises(UserError, match="baseline 'tensorflow'"):
        TRACK.inputs(cell, Settings(extra={"infer.baseline": "tensorflow"}))


def test_bicubic_has_no_network_to_compare_with() -> None:
    outcome = measure("bicubic")
    assert outcome.metrics["latency_ms"] > 0
    assert "speedup" not in outcome.metrics and not outcome.kernels and "untrained" not in outcome.flags


def test_lost_parity_is_a_failure_and_no_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A quantizer whose export is not its forward: the worker must refuse to give a latency."""
    (tmp_path / "wrong.py").write_text(
        "import torch\nfrom bench.nn.algorithm import Algorithm\n"
        "from bench.nn.quantizers import ChannelScaledSign, QuantizedInput, Sign\n"
        "from bench.nn.unit import Unit\nfrom bench.layer.spec import SignInput\n"
        "class Shifted(Sign):\n"
        "    def export(self, channels):\n"
        "        return QuantizedInput(SignInput(torch.full((channels,), 0.5)))\n"
        "class Wrong(Algorithm):\n"
        "    def conv(self, cin, cout, kernel, *, place):\n"
        "        return Unit(cin, cout, kernel, weight=ChannelScaledSign(), act=Shifted())\n"
    )
    registry, key = discover().with_class(f"{tmp_path}/wrong.py:Wrong")
    (cell,) = TRACK.cells([registry.cards[key]], ["srresnet"], ["x2"], SMALL)
    with pytest.raises(RuntimeError, match="no parity, so no number"):
        TRACK.run(cell, Context(SMALL, registry.loader, registry.cards))


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    from safetensors.torch import save_file

    save_file({"head.0.weight": torch.randn(8, 3, 3, 3)}, path)
    with pytest.raises(UserError, match=r"head\.0\.weight: got \(8, 3, 3, 3\), expected \(64, 3, 3, 3\)"):
        measure("bnn", Settings(lr_size=(40, 24), repeats=1, weights={"bnn": path}))


def test_photo_is_a_crop_of_the_picture() -> None:
    image, first = photo((320, 180), None)
    assert image.shape == (1, 3, 180, 320) and image.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= float(image.min()) < float(image.max()) <= 1
    assert photo((320, 180), str(BUILT_IN))[1] == first
    assert photo((700, 500), None)[0].shape == (1, 3, 500, 700)


def test_a_picture_smaller_than_the_input_is_refused(tmp_path: Path) -> None:
    imsave(tmp_path / "small.png", np.zeros((30, 40, 3), np.uint8), check_contrast=False)
    with pytest.raises(UserError, match="40x30, smaller than the input size 64x48"):
        photo((64, 48), str(tmp_path / "small.png"))


def test_cells_name_size_threads_and_picture() -> None:
    cards = [discover().cards["bicubic"], discover().cards["bbcu"]]
    cells = TRACK.cells(cards, ["srresnet"], ["x2", "x4"], Settings(threads=2))
    assert [str(cell) for cell in cells] == [
        "infer/bicubic.none.x2.320x180-t2",
        "infer/bicubic.none.x4.320x180-t2",
        "infer/bbcu.srresnet.x2.320x180-t2",
        "infer/bbcu.srresnet.x4.320x180-t2",
    ]


def test_a_kernel_that_cannot_run_is_told_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BISRBENCH_KERNEL", "no_such_kernel")
    (cell,) = TRACK.cells([discover().cards["bbcu"]], ["srresnet"], ["x2"], SMALL)
    with pytest.raises(UserError, match=r"expected one of .*portable"):
        TRACK.inputs(cell, SMALL)
