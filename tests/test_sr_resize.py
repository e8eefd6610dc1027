"""Bicubic resizing: bit-exact with the published low-resolution files, and its defining properties."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.pictures.images import read_rgb
from bench.pictures.protocol import mod_crop
from bench.pictures.resize import contributions, resize

DATA = Path(__file__).parents[1].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "Set5").is_dir(), reason=f"no Set5 and Set14 under {DATA}")


@needs_data
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_legacy_is_bit_exact_with_the_published_files(name: str, scale: int) -> None:
    files = sorted((DATA / name / "HR").glob("*.png"))
    assert len(files) == {"Set5": 5, "Set14": 14}[name]
    for file in files:
        published = read_rgb(DATA / name / "LR_bicubic" / f"X{scale}" / f"{file.stem}x{scale}.png")
        ours = resize(mod_crop(read_rgb(file), scale), Fraction(1, scale), "legacy")
        assert np.array_equal(ours, published), file.stem


@needs_data
def test_modern_differs_from_legacy_as_reported() -> None:
    """11 to 15 % of the values over the sets, nearly all by one grey level."""
    hr = mod_crop(read_rgb(DATA / "Set5" / "HR" / "baby.png"), 2)
    legacy, modern = (resize(hr, Fraction(1, 2), rule).astype(int) for rule in ("legacy", "modern"))
    share = np.mean(legacy != modern)
    assert 0.05 < share < 0.25
    assert np.mean(np.abs(legacy - modern)[4:-4, 4:-4] > 1) < 1e-3


@given(
    length=st.integers(1, 40), up=st.integers(1, 5), down=st.integers(1, 5), rule=st.sampled_from(["legacy", "modern"])
)
def test_weights_sum_to_one_and_stay_inside(length: int, up: int, down: int, rule: str) -> None:
    weight, index = contributions(length, Fraction(up, down), rule)
    assert weight.shape == index.shape and weight.shape[0] == -(-length * up // down)
    np.testing.assert_allclose(weight.sum(axis=1), 1.0, atol=1e-12)
    assert index.min() >= 0 and index.max() < length


@pytest.mark.parametrize("scale", [Fraction(1, 4), Fraction(1, 3), Fraction(2), Fraction(3, 2)])
def test_linear_ramps_survive_away_from_the_border(scale: Fraction) -> None:
    """Keys' kernel reproduces linear functions; the sample centres of both grids must then line up."""
    ramp = np.arange(48, dtype=np.float64)[:, None] * np.ones((1, 48))
    out = resize(ramp, scale)
    expected = (np.arange(out.shape[0]) + 0.5) / float(scale) - 0.5
    inner = slice(out.shape[0] // 3, -(out.shape[0] // 3))
    np.testing.assert_allclose(out[inner, 5], expected[inner], atol=0.02)


def test_scale_one_is_the_identity() -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    assert np.array_equal(resize(image, 1, "modern"), image)
    assert np.array_equal(resize(image, 1, "legacy"), image)


def test_types_are_kept_and_only_uint8_is_clipped() -> None:
    step = np.zeros((8, 8))
    step[:, 4:] = 255.0
    assert resize(step, 2).max() > 255.0
    assert resize(step.astype(np.float32), 2).dtype == np.float32
    assert resize(step.astype(np.uint8), 2).max() == 255


@pytest.mark.parametrize(
    ("image", "scale", "rule"),
    [
        (np.zeros((4, 4)), 2, "legacy"),
        (np.zeros((4, 4), np.int32), 2, "modern"),
        (np.zeros((4, 4), np.uint8), 0, "modern"),
        (np.zeros((4, 4), np.uint8), 2, "cubic"),
        (np.zeros((0, 4), np.uint8), 2, "modern"),
    ],
)
def test_unsuited_arguments_are_refused(image: np.ndarray, scale: int, rule: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        resize(image, scale, rule)
