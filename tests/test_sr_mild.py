"""mild-v1: its exact pixels, what each damage does, and that another set of pixels is noticed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from test_sr_corruptions import photo

from bench.contract import Settings
from bench.contract.damage_sets import OTHER, PARTIAL
from bench.contract.options import Options
from bench.pictures import mild
from bench.pictures.images import pixel_sha256
from bench.pictures.resize import resize
from tracks.robust.damages import damages
from tracks.robust.track import TRACK

GOLDEN = {
    "noise 1": "0ec4132586fc",
    "noise 2": "5091de62c3a2",
    "noise 3": "ea271b3b12e4",
    "noise 4": "cfbae26bd9de",
    "noise 5": "ff4e63dd7eaa",
    "jpeg 1": "dfad78397826",
    "jpeg 2": "a97ce445a795",
    "jpeg 3": "78971a76059e",
    "jpeg 4": "80e4ebccad67",
    "jpeg 5": "e55e56ee52f5",
    "blur 1": "0321d21f58ec",
    "blur 2": "1d9f28cc0a71",
    "blur 3": "8bc339e24d01",
    "blur 4": "d3a66277a737",
    "blur 5": "ec6f5a33b835",
    "kernel 1": "777b3e65f50c",
    "kernel 2": "3dd8cc71fee2",
    "kernel 3": "238607f62b46",
    "gamma 1": "56923ae0fb0f",
    "gamma 2": "3b9f9a69353d",
    "gamma 3": "631f8996ebdd",
    "gamma 4": "0cb965d1afd4",
    "colour 1": "565f7c7fbd31",
    "colour 2": "53edf4ab9da8",
    "colour 3": "8718a7ebdd0a",
}
"""Damage and level -> the first digits of the pixels' hash."""
HR = np.tile(mild.chart(), (2, 2, 1))
LR = resize(HR, Fraction(1, 2), "legacy")
POINTS = [(one.key, level) for one in mild.DAMAGES for level in range(1, len(one.levels) + 1)]


def made(kind: str, level: int) -> np.ndarray:
    return mild.damage(LR, HR, kind, level)


def error(kind: str, level: int) -> float:
    return float(np.mean((made(kind, level).astype(float) - LR) ** 2))


def test_every_pixel_is_that_of_the_set() -> None:
    assert {f"{kind} {level}": pixel_sha256(made(kind, level))[:12] for kind, level in POINTS} == GOLDEN
    assert len(POINTS) == len(set(GOLDEN.values())) == 25
    assert mild.made_sha256() == mild.PIXELS_SHA256
    assert mild.definition_sha256()[:12] == "3c4e6382ea5d", "a changed set needs another name"


@pytest.mark.parametrize("one", mild.DAMAGES, ids=lambda one: one.key)
def test_damage_grows_and_sizes_stay(one: mild.Damage) -> None:
    grown = [error(one.key, level) for level in range(1, len(one.levels) + 1)]
    assert grown == sorted(grown) and grown[0] > 0
    for height, width in ((46, 62), (22, 18)):
        hr = photo(height, width)
        lr = resize(hr, Fraction(1, 2), "legacy")
        result = mild.damage(lr, hr, one.key, 3)
        assert result.shape == lr.shape and result.dtype == np.uint8


@pytest.mark.parametrize("level", [1, 3, 5])
def test_noise_has_its_deviation_and_one_draw(level: int) -> None:
    grey = np.full((200, 300, 3), 128, np.uint8)
    sigma = mild.DAMAGES[0].levels[level - 1]
    noise = mild.damage(grey, grey, "noise", level).astype(float) - 128
    assert noise.std() == pytest.approx((sigma**2 + 1 / 12) ** 0.5, rel=0.01)
    assert abs(noise.mean()) < 0.02 * sigma
    assert np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1] == pytest.approx(0, abs=0.02)
    strongest = mild.damage(grey, grey, "noise", 5).astype(float) - 128
    assert np.corrcoef(noise.ravel(), strongest.ravel())[0, 1] > 0.9


def test_noise_depends_on_the_picture_and_on_nothing_else() -> None:
    other = LR.copy()
    other[0, 0, 0] ^= 1
    np.random.seed(1)
    first = made("noise", 4)
    np.random.seed(2)
    assert np.array_equal(first, made("noise", 4))
    ours = made("noise", 4).astype(int) - LR
    assert not np.array_equal(ours, mild.damage(other, HR, "noise", 4).astype(int) - other)


def test_flat_pictures_keep_their_grey_under_blur_kernel_and_colour() -> None:
    for grey in (0, 7, 128, 255):
        flat = np.full((20, 26, 3), grey, np.uint8)
        for kind, level in (("blur", 1), ("blur", 5), ("kernel", 3)):
            assert np.array_equal(mild.damage(flat, np.full((40, 52, 3), grey, np.uint8), kind, level), flat)
        for level in (1, 2, 3):
            assert np.abs(mild.damage(flat, flat, "colour", level).astype(int) - grey).max() <= 1


def test_blur_is_the_gaussian() -> None:
    point = np.zeros((9, 9, 3), np.uint8)
    point[4, 4] = 255
    row = mild.damage(point, point, "blur", 5)[4, :, 0] / 255
    expected = np.exp(-((np.arange(-3, 4) / 0.7) ** 2) / 2)
    assert row[1:8] == pytest.approx(expected / expected.sum() * expected.max() / expected.sum(), abs=0.003)


def test_the_right_kernel_would_change_nothing() -> None:
    assert np.array_equal(mild._kernel(LR, HR, -0.5), LR)


def test_other_pixels_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    options = Options(TRACK, settings)
    assert damages("mild-v1", settings, options).flags() == []
    assert damages("mild-v1", Settings(preset="smoke"), options).flags() == [PARTIAL]
    monkeypatch.setitem(mild._MAKERS, "jpeg", lambda lr, quality: lr)
    mild.intact.cache_clear()
    try:
        assert damages("mild-v1", settings, options).flags() == [OTHER]
    finally:
        mild.intact.cache_clear()
