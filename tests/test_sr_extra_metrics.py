"""Further metrics: those without weights run, learned ones only with their files; no network in either case."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.contract import UserError
from bench.pictures import extra_metrics
from bench.pictures.extra_metrics import LEARNED, WEIGHT_FREE, ExtraMetrics, check_names, weights_files
from bench.tasks.sr.datasets import open_set


def pair(side: int = 180) -> tuple[np.ndarray, np.ndarray]:
    hr = open_set("sample", 2)[0].truth[:side, :side]
    noise = np.random.default_rng(0).normal(0, 12, hr.shape)
    return np.clip(hr + noise, 0, 255).astype(np.uint8), hr


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("tried to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for both libraries."""
    from pyiqa.utils import download_util

    previous = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path))
    monkeypatch.setattr(download_util, "DEFAULT_CACHE_DIR", str(tmp_path / "pyiqa"))
    yield tmp_path
    torch.hub.set_dir(previous)


def test_weight_free_metrics_run_and_prefer_the_original(no_network: None) -> None:
    sr, hr = pair()
    metrics = ExtraMetrics(WEIGHT_FREE)
    noisy, perfect = metrics.score(sr, hr, 2), metrics.score(hr, hr, 2)
    assert noisy.keys() == WEIGHT_FREE.keys()
    for name, metric in WEIGHT_FREE.items():
        better = noisy[name] < perfect[name] if metric.better == "higher" else noisy[name] > perfect[name]
        assert better, name


def test_the_border_is_cut_before_scoring(no_network: None) -> None:
    sr, hr = pair(64)
    spoilt = sr.copy()
    spoilt[:4] = 0
    metrics = ExtraMetrics(["gmsd"])
    assert metrics.score(spoilt, hr, 4) == metrics.score(sr, hr, 4)
    assert metrics.score(spoilt, hr, 2) != metrics.score(sr, hr, 2)


@pytest.mark.parametrize("name", LEARNED)
def test_learned_metrics_without_files_say_where_they_belong(name: str, hub: Path, no_network: None) -> None:
    files = weights_files(name)
    assert files and all(hub in file.parents for file in files)
    with pytest.raises(UserError) as caught:
        ExtraMetrics([name])
    assert all(str(file) in str(caught.value) for file in files)
    assert not list(hub.iterdir())


def test_a_learned_metric_runs_with_its_files_and_names_damaged_ones(hub: Path, no_network: None) -> None:
    """Random weights in place of trained ones: what is tested is that nothing else is needed."""
    from pyiqa.archs.lpips_arch import LPIPS

    calibration, backbone = weights_files("lpips")
    for file in (calibration, backbone):
        file.parent.mkdir(parents=True, exist_ok=True)
    import torchvision

    torch.save(torchvision.models.alexnet().state_dict(), backbone)
    lins = {k: v for k, v in LPIPS(net="alex", pretrained=False).state_dict().items() if k.startswith("lin")}
    torch.save(lins, calibration)
    sr, hr = pair(64)
    assert np.isfinite(ExtraMetrics(["lpips"]).score(sr, hr, 2)["lpips"])
    calibration.write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be built"):
        ExtraMetrics(["lpips"])


def test_unknown_names_and_too_small_pictures_are_refused() -> None:
    with pytest.raises(UserError, match="Did you mean 'lpips'"):
        check_names(["lpip"])
    assert check_names(["vsi", "gmsd", "vsi"]) == ["vsi", "gmsd"]
    sr, hr = pair(60)
    with pytest.raises(UserError, match="'ms_ssim' has no value for a picture of 60x60"):
        ExtraMetrics(["ms_ssim"]).score(sr, hr, 2)


def test_every_learned_metric_names_its_files() -> None:
    assert extra_metrics._FILES.keys() == LEARNED.keys()
