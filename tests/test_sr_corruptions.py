"""Corruptions: reproducible in every process, sizes kept, the global random state untouched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.contract import UserError
from bench.pictures.corruptions import EXTRA, MIN_SIDE, STANDARD, corrupt, seed_of, select
from bench.pictures.images import pixel_sha256

FAST = tuple(name for name in STANDARD + EXTRA if name != "glass_blur")
"""glass_blur compiles itself for several seconds; it runs uncompiled in the two processes below."""


def photo(height: int = 40, width: int = 57) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([127 + 120 * np.sin(x / 5 + c) * np.cos(y / 7 - c) for c in range(3)], axis=-1).astype(np.uint8)


SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from tests.test_sr_corruptions import photo
from bench.pictures.corruptions import EXTRA, STANDARD, corrupt
from bench.pictures.images import pixel_sha256
names = STANDARD + EXTRA
names = names[::-1] if sys.argv[2] == "backwards" else names
print(json.dumps({f"{n}{s}": pixel_sha256(corrupt(photo(), n, s).image) for n in names for s in (1, 4)}))
"""


def test_all_nineteen_are_equal_in_two_processes_and_any_order() -> None:
    root = str(Path(__file__).parents[1])
    environment = dict(os.environ, NUMBA_DISABLE_JIT="1")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, root, order], env=environment, cwd=root, stdout=subprocess.PIPE, text=True
        )
        for order in ("forwards", "backwards")
    ]
    first, second = (json.loads(process.communicate()[0]) for process in running)
    assert len(first) == 38 and first == second
    assert len(set(first.values())) == 38
    here = {f"{n}{s}": pixel_sha256(corrupt(photo(), n, s).image) for n in FAST for s in (1, 4)}
    assert here == {key: value for key, value in first.items() if not key.startswith("glass_blur")}


@pytest.mark.parametrize("name", FAST)
def test_size_and_type_are_kept_and_the_global_state_is_put_back(name: str) -> None:
    for height, width in ((MIN_SIDE, MIN_SIDE + 13), (19, 50), (7, 9)):
        np.random.seed(1)
        result = corrupt(photo(height, width), name, 5)
        after = np.random.random()
        np.random.seed(1)
        assert after == np.random.random()
        assert result.image.shape == (height, width, 3) and result.image.dtype == np.uint8
        assert result.padded == (height < MIN_SIDE or width < MIN_SIDE)


@pytest.mark.parametrize("name", ["gaussian_noise", "impulse_noise", "motion_blur", "spatter"])
def test_random_corruptions_depend_on_seed_picture_and_severity(name: str) -> None:
    base = corrupt(photo(), name, 3, seed=0).image
    assert np.array_equal(base, corrupt(photo(), name, 3, seed=0).image)
    assert not np.array_equal(base, corrupt(photo(), name, 3, seed=1).image)
    other = photo()
    other[0, 0, 0] ^= 1
    seeds = {seed_of(p, name, s, seed) for p in (photo(), other) for s in (1, 2) for seed in (0, 1)}
    assert len(seeds) == 8


@pytest.mark.parametrize("name", ["gaussian_noise", "jpeg_compression", "defocus_blur", "contrast", "brightness"])
def test_damage_grows_with_severity(name: str) -> None:
    clean = photo(64, 64).astype(float)
    damage = [np.mean((corrupt(photo(64, 64), name, s).image - clean) ** 2) for s in (1, 3, 5)]
    assert damage == sorted(damage) and damage[0] < damage[2]


def test_selection_and_refusals() -> None:
    assert select() == STANDARD and len(STANDARD) == 15
    assert len(select("all")) == 19
    assert select("fog, snow") == ("fog", "snow")
    with pytest.raises(UserError, match="unknown corruption rain"):
        select(["fog", "rain"])
    with pytest.raises(UserError, match="severity 6"):
        corrupt(photo(), "fog", 6)
