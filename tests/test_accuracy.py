"""The accuracy track: bicubic equals the shared scores, per-picture records, weights, packed engine, refusals."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sr_networks import Binary, Conv, cell, context
from torch import nn

from bench.app.main import main
from bench.contract import Outcome, Settings, Unsupported, UserError
from bench.nn.build import build_network, hash_tensors
from bench.pictures.images import read_rgb
from bench.pictures.metrics import score
from bench.pictures.sets import combined_sha256
from bench.tasks.sr.datasets import open_set
from tracks._quality import trained as _trained
from tracks.accuracy import track as accuracy
from tracks.accuracy.track import TRACK

needs_kernels = pytest.mark.skipif(find_spec("bench.packed._native") is None, reason="native kernels are not built")


def run(algo: str, case: str = "sample", scale: int = 2, **more: Any) -> Outcome:
    return TRACK.run(cell("accuracy", algo, case, scale), context(allow_untrained=True, **more))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_bicubic_equals_the_shared_scores_per_picture(name: str, scale: int, shared: Path) -> None:
    with (shared / "protocol" / "bicubic.csv").open() as file:
        rows = {r["file"].lower(): r for r in csv.DictReader(file)
                if r["dataset"] == name and int(r["scale"]) == scale}  # fmt: skip
    outcome = run("bicubic", name.lower(), scale, data_root=shared / "data")
    pictures = outcome.details["pictures"]
    assert sorted(pictures) == sorted(rows)
    for key, tolerance in (("psnr_y", 1e-3), ("ssim_y", 1e-4)):
        expected = [float(rows[picture][key]) for picture in pictures]
        np.testing.assert_allclose(outcome.samples[key], expected, atol=tolerance, rtol=0)
        assert outcome.metrics[key] == pytest.approx(np.mean(expected), abs=tolerance / 10)
    assert outcome.flags == [] and outcome.weights_sha256 is None


def test_a_record_holds_every_picture_and_where_it_comes_from() -> None:
    outcome = run("conv")
    pairs = list(open_set("sample", 2))
    assert outcome.details["pictures"] == [pair.name for pair in pairs]
    assert len(outcome.samples["psnr_y"]) == len(outcome.samples["ssim_y"]) == len(pairs)
    assert outcome.metrics["psnr_y"] == pytest.approx(np.mean(outcome.samples["psnr_y"]))
    assert outcome.dataset_sha256 == combined_sha256(pair.sha256 for pair in pairs)
    assert set(outcome.flags) == {"untrained", "sample_data"}
    assert outcome.details["protocol"].startswith("Protocol sr-y-v1")
    assert outcome.metrics.keys() <= {metric.key for metric in TRACK.metrics}
    again = run("conv")
    assert again.samples == outcome.samples and again.weights_sha256 == outcome.weights_sha256


def test_random_weights_are_refused_with_what_to_do() -> None:
    with pytest.raises(Unsupported, match=r"no trained weights .*train, --weights KEY=FILE, or --allow-untrained"):
        TRACK.run(cell("accuracy", "conv"), context())


def test_weights_of_one_seed_are_not_scored_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_network(Conv(), "small", 2)
    monkeypatch.setattr(_trained, "prepare_network", lambda *_: (network, "0" * 64, "reference-9x1x8-s1"))
    with pytest.raises(Unsupported, match="no reference weights of seed 5, only of seed 1"):
        TRACK.run(cell("accuracy", "conv"), context(seed=5))
    assert TRACK.run(cell("accuracy", "conv"), context(seed=1)).flags.count("reference-9x1x8-s1") == 1


def test_own_weights_are_used_and_those_of_another_scale_named(tmp_path: Path) -> None:
    own = build_network(Conv(), "small", 2, seed=7)
    save_file(own.state_dict(), tmp_path / "own.safetensors")
    weights = {"conv": tmp_path / "own.safetensors"}
    outcome = TRACK.run(cell("accuracy", "conv"), context(weights=weights))
    assert outcome.weights_sha256 == hash_tensors(own.state_dict())
    assert "untrained" not in outcome.flags and outcome.details["weights"] == "own-unknown" in outcome.flags
    assert outcome.samples == run("conv", seed=7).samples != run("conv").samples
    with pytest.raises(UserError, match="another network"):
        TRACK.run(cell("accuracy", "conv", scale=3), context(weights=weights))


def test_self_ensemble_is_a_case_of_its_own() -> None:
    settings = Settings(extra={"accuracy.self_ensemble": True})
    (only,) = TRACK.cells([Conv.card], ["small"], ["x2"], settings)
    assert only.case == "sample+"
    plus, plain = run("bicubic", "sample+"), run("bicubic")
    assert "self_ensemble" in plus.flags and "self_ensemble" not in plain.flags
    np.testing.assert_allclose(plus.samples["psnr_y"], plain.samples["psnr_y"], atol=0.01)  # symmetric but for rounding
    assert run("conv", "sample+").samples != run("conv").samples


def test_pictures_are_saved_as_they_were_scored(tmp_path: Path) -> None:
    outcome = run("bicubic", out=tmp_path, extra={"accuracy.save_images": True})
    folder = tmp_path / "accuracy" / "bicubic.none.x2.sample"
    for pair, psnr in zip(open_set("sample", 2), outcome.samples["psnr_y"], strict=True):
        assert score(read_rgb(folder / f"{pair.name}.png"), pair.truth, 2).psnr_y == psnr


def test_further_metrics_are_recorded_and_impossible_ones_refused_before_the_run() -> None:
    outcome = run("bicubic", extra={"accuracy.metrics": "gmsd, vsi"})
    assert len(outcome.samples["gmsd"]) == len(outcome.samples["vsi"]) == 5
    for name, says in (("gmds", "Did you mean 'gmsd'"), ("pieapp", "weights are not on this machine")):
        with pytest.raises(UserError, match=says):
            TRACK.cells([Conv.card], ["small"], ["x2"], Settings(extra={"accuracy.metrics": name}))


@pytest.mark.parametrize(("name", "value", "says"), [
    ("engine", "fast", "engine=fast: expected trained or packed"),
    ("self_ensemble", "yes", "self_ensemble=yes: expected true or false"),
    ("save_images", 1, "save_images=1: expected true or false"),
    ("memory_mb", "much", "memory_mb=much: expected a number above 0"),
    ("memory_mb", True, "memory_mb=true: expected a number above 0"),
    ("metrics", 5, "unknown metric '5'"),
])  # fmt: skip
def test_options_of_another_kind_are_refused_before_the_run(name: str, value: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        TRACK.cells([Conv.card], ["small"], ["x2"], Settings(extra={f"accuracy.{name}": value}))


@needs_kernels
def test_the_packed_network_is_scored_and_agrees() -> None:
    outcome = run("binary", extra={"accuracy.engine": "packed"})
    assert outcome.details["engine"] == "packed" and len(outcome.kernels) == 1
    assert outcome.metrics["engine_difference_db"] <= accuracy.ENGINE_TOLERANCE
    assert outcome.metrics["psnr_y"] == pytest.approx(run("binary").metrics["psnr_y"], abs=1e-3)


def test_a_packed_network_that_differs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control, without native kernels: another network in place of the packed one."""
    other = build_network(Binary(), "small", 2, seed=1).eval()
    monkeypatch.setattr("bench.packed.pack.pack", lambda network: other)
    with pytest.raises(RuntimeError, match=r"differ by .* dB on astronaut"):
        run("binary", extra={"accuracy.engine": "packed"})


@pytest.mark.parametrize(("bad", "says"), [
    (nn.Upsample(scale_factor=3), r"Conv returned shape .*expected a float32 tensor"),
    (nn.Sequential(nn.Upsample(scale_factor=2), nn.Threshold(2.0, float("nan"))), "NaN"),
])  # fmt: skip
def test_networks_that_break_the_interface_get_no_number(bad: nn.Module, says: str, monkeypatch) -> None:
    monkeypatch.setattr(Conv, "build", lambda self, backbone, scale: bad)
    with pytest.raises(UserError, match=says):
        run("conv")


def test_cells_follow_the_data(tmp_path: Path) -> None:
    def cases(settings: Settings) -> list[str]:
        return [c.case for c in TRACK.cells([Conv.card], ["small"], ["x2"], settings)]

    assert cases(Settings(datasets=("set5", "set14"))) == ["sample"]  # no data root
    (tmp_path / "BSD100").mkdir()
    (tmp_path / "Set5").mkdir()
    assert cases(Settings(data_root=tmp_path)) == ["set5", "b100"]
    assert cases(Settings(data_root=tmp_path, datasets=("Set14", "SET5"))) == ["set14", "set5"]
    with pytest.raises(UserError, match="unknown data set"):
        cases(Settings(data_root=tmp_path, datasets=("set7",)))


def test_the_fingerprint_follows_what_changes_numbers(tmp_path: Path) -> None:
    one = cell("accuracy", "conv")
    base = TRACK.inputs(one, Settings())
    assert base["protocol"] == "sr-y-v1" and base == TRACK.inputs(one, Settings(extra={"accuracy.memory_mb": 9}))
    changes = [Settings(seed=1), Settings(allow_untrained=True),
               *(Settings(extra={f"accuracy.{k}": v}) for k, v in
                 (("engine", "packed"), ("metrics", "vsi"), ("save_images", True), ("device", "cuda")))]  # fmt: skip
    different = [base, *(TRACK.inputs(one, settings) for settings in changes)]
    assert all(a != b for i, a in enumerate(different) for b in different[:i])
    missing = TRACK.inputs(replace(one, case="set5"), Settings(data_root=tmp_path))
    assert missing["data"] is None
    with pytest.raises(UserError, match="has no Set5"):
        TRACK.run(cell("accuracy", "bicubic", "set5"), context(data_root=tmp_path))


def test_global_switches_are_put_back() -> None:
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    run("bicubic", threads=before[0] + 1)
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == before


def test_from_the_command_line_with_no_data_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--algos", "bicubic", "--track", "accuracy", "--out", str(tmp_path), "--report", "md"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "Bicubic" in out and "sample" in out
    assert main(words) == 0
    assert "1 cell done" in capsys.readouterr().err
