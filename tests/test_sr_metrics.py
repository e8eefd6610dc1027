"""PSNR and SSIM against independent implementations and the shared per-image bicubic scores."""

from __future__ import annotations

import csv
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from bench.contract import UserError
from bench.pictures.images import read_rgb
from bench.pictures.metrics import Reference, psnr, score, ssim
from bench.pictures.protocol import SR_Y_V1, mod_crop
from bench.pictures.resize import resize

SHARED = Path(__file__).parents[1].parent / "shared"
needs_data = pytest.mark.skipif(not (SHARED / "data" / "Set5").is_dir(), reason=f"no Set5 and Set14 under {SHARED}")


def photo_pair(scale: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A structured picture and its bicubic copy: (H, W, 3) uint8 twice."""
    y, x = np.mgrid[0:96, 0:120]
    hr = np.stack([127 + 120 * np.sin(x / 5 + c) * np.cos(y / 7 - c) for c in range(3)], axis=-1).astype(np.uint8)
    return resize(resize(hr, Fraction(1, scale), "legacy"), scale), hr


@needs_data
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_bicubic_equals_the_shared_scores_per_image(name: str, scale: int) -> None:
    with (SHARED / "protocol" / "bicubic.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["dataset"] == name and int(r["scale"]) == scale]
    assert len(rows) == {"Set5": 5, "Set14": 14}[name]
    for row in rows:
        hr = mod_crop(read_rgb(SHARED / "data" / name / "HR" / f"{row['file']}.png"), scale)
        reference = Reference(hr, scale)
        for rule, column in (("legacy", ""), ("modern", "_modernLR")):
            got = reference.score(resize(resize(hr, Fraction(1, scale), rule), scale, "modern"))
            assert got.psnr_y == pytest.approx(float(row[f"psnr_y{column}"]), abs=1e-5), row["file"]
            assert got.ssim_y == pytest.approx(float(row[f"ssim_y{column}"]), abs=1e-5), row["file"]


def test_agrees_with_scikit_image() -> None:
    sr, hr = photo_pair()
    a, b = (SR_Y_V1.crop_border(SR_Y_V1.luma(p), 4) for p in (sr, hr))
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), abs=1e-9)
    _, full = structural_similarity(
        a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert ssim(a, b) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-7)


def test_agrees_with_pyiqa() -> None:
    """PSNR through its factory; SSIM through its function on unrounded luma, since its metric rounds luma."""
    torch = pytest.importorskip("torch")
    pyiqa = pytest.importorskip("pyiqa")
    from pyiqa.archs.ssim_arch import ssim as pyiqa_ssim

    sr, hr = photo_pair()
    ours = score(sr, hr, 4)
    tensors = [torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in (sr, hr)]
    theirs = pyiqa.create_metric("psnr", test_y_channel=True, color_space="ycbcr", crop_border=4, eps=0.0, device="cpu")
    assert ours.psnr_y == pytest.approx(float(theirs(*tensors)), abs=1e-4)
    luma = [torch.from_numpy(SR_Y_V1.crop_border(SR_Y_V1.luma(p), 4))[None, None] for p in (sr, hr)]
    assert ours.ssim_y == pytest.approx(float(pyiqa_ssim(*luma, data_range=255)), abs=4e-6)


def test_a_perfect_copy_scores_the_cap_and_nothing_exceeds_it() -> None:
    _, hr = photo_pair()
    perfect = score(hr, hr, 4)
    assert perfect.psnr_y == SR_Y_V1.psnr_cap == 100.0
    assert perfect.ssim_y == pytest.approx(1.0, abs=1e-12)
    almost = np.full((20, 20), 100.0)
    assert psnr(almost, almost + 1e-6) == SR_Y_V1.psnr_cap


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(15, 40), width=st.integers(15, 40))
def test_scores_are_symmetric_finite_and_bounded(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    forward, backward = score(a, b, 2), score(b, a, 2)
    assert forward.psnr_y == pytest.approx(backward.psnr_y, abs=1e-9)
    assert forward.ssim_y == pytest.approx(backward.ssim_y, abs=1e-9)
    assert 0 < forward.psnr_y <= SR_Y_V1.psnr_cap and -1 <= forward.ssim_y <= 1


def test_the_border_is_not_scored() -> None:
    sr, hr = photo_pair()
    spoilt = sr.copy()
    spoilt[:4], spoilt[-4:], spoilt[:, :4], spoilt[:, -4:] = 0, 255, 0, 255
    assert score(spoilt, hr, 4) == score(sr, hr, 4)
    spoilt[4, 4] = 0
    assert score(spoilt, hr, 4) != score(sr, hr, 4)


def test_too_small_and_unequal_pictures_are_refused() -> None:
    with pytest.raises(UserError, match="at least 19x19"):
        Reference(np.zeros((18, 40, 3), np.uint8), 4)
    with pytest.raises(ValueError, match="expected that of the ground truth"):
        Reference(np.zeros((40, 40, 3), np.uint8), 4).score(np.zeros((40, 44, 3), np.uint8))


def test_protocol_hash_covers_every_constant() -> None:
    for change in ({"peak": 1.0}, {"border_per_scale": 0}, {"ssim_sigma": 1.0}, {"name": "x"}, {"lr_rule": "modern"}):
        assert replace(SR_Y_V1, **change).sha256 != SR_Y_V1.sha256, change
    assert replace(SR_Y_V1).sha256 == SR_Y_V1.sha256
    assert SR_Y_V1.name in SR_Y_V1.describe() and SR_Y_V1.sha256[:12] in SR_Y_V1.describe()


def test_luma_of_known_colours() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    np.testing.assert_allclose(SR_Y_V1.luma(colours), [[16.0, 235.0, 81.481]], atol=1e-9)


def test_quantize_rounds_halves_up_clips_and_refuses_nan() -> None:
    levels = np.array([-0.1, 0.5 / 255, 1.5 / 255, 254.4 / 255, 2.0], np.float32)
    assert SR_Y_V1.quantize(levels).tolist() == [0, 1, 2, 254, 255]
    with pytest.raises(ValueError, match="NaN"):
        SR_Y_V1.quantize(np.array([np.nan], np.float32))
