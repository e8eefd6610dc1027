"""The README's pictures: taken from records, small, and never of a published test set."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from browser_page import needs_browser
from fake_pictures import picture_store
from fake_records import record
from PIL import Image

from bench.records.store import Store
from reports import pictures

INFER = {"latency_ms": 100.0, "speedup": 2.5, "speedup_theory": 4.6, "parity_max_abs": 0.0, "latency_iqr_ms": 1.0}


def open_rgb(path: Path) -> np.ndarray:
    return np.array(Image.open(path).convert("RGB"), dtype=int)


@needs_browser
def test_all_four_are_made_and_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = picture_store(tmp_path / "store", ("sample", "set5"))
    for number, algo in enumerate(("frb", "bbcu", "bnn")):
        store.write(record("infer", algo, "srresnet", 2, "320x180-t1", {**INFER, "speedup": 2 + number / 5}))
    code = pictures.main([str(store.root), str(tmp_path / "out")])
    assert code == 0, capsys.readouterr().err
    made = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert sorted(made) == ["crops.png", "leaderboard-dark.png", "leaderboard-light.png", "speedup.png"]
    assert all(path.stat().st_size <= pictures.LIMIT for path in made.values())
    light, dark = open_rgb(made["leaderboard-light.png"]), open_rgb(made["leaderboard-dark.png"])
    assert light.shape == dark.shape == (900, 1400, 3)
    assert light.mean() > 200 and dark.mean() < 60
    crops = open_rgb(made["crops.png"])
    red = np.all(np.abs(crops - (226, 30, 30)) < 40, axis=2)
    assert crops.shape[1] > 1000 and red.any(), "the box is in the picture"
    assert open_rgb(made["speedup.png"]).std() > 5


@needs_browser
def test_what_the_records_do_not_allow_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = picture_store(tmp_path / "store", ("set5",))
    assert pictures.main([str(store.root), str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "not made: speedup.png" in told and "not made: crops.png: no saved pictures of the set sample" in told
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "leaderboard-dark.png",
        "leaderboard-light.png",
    ]


def test_a_wrong_command_and_a_missing_browser(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pictures.main([]) == pictures.main([str(tmp_path / "nowhere"), "x"]) == 2
    assert capsys.readouterr().err.startswith("usage: ")
    store = Store(tmp_path / "store")
    store.write(record("infer", "frb", "srresnet", 2, "320x180-t1", INFER))
    pytest.importorskip("playwright")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert pictures.main([str(store.root), str(tmp_path / "out")]) == 2
    assert "apt-get install chromium" in capsys.readouterr().err


def test_a_picture_too_rich_loses_colours_until_it_fits() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    plain = Image.new("RGB", (1400, 900), (1, 2, 3))
    assert len(pictures.small_png(Image.fromarray(noise))) <= pictures.LIMIT
    assert len(pictures.small_png(plain)) < 10_000
