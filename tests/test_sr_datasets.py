"""Test sets: layouts, the manifest's verdicts, low-resolution checks, and what is refused."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sr_data import DATA, copy_set5, needs_data, picture

from bench.app.data import main
from bench.contract import UserError
from bench.pictures import manifest
from bench.pictures.catalog import SETS, resolve
from bench.pictures.images import pixel_sha256, read_rgb, write_png
from bench.pictures.layouts import list_items, scales_with_lr
from bench.pictures.protocol import mod_crop
from bench.pictures.resize import resize
from bench.pictures.sets import SAMPLE_SIDE, available, combined_sha256
from bench.tasks.sr.datasets import open_set


def read_all(root: Path, scale: int = 2) -> list:
    return list(open_set("set5", scale, root))


@needs_data
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_shared_sets_are_recognised_and_their_lr_is_exact(scale: int) -> None:
    for key in ("set5", "set14"):
        pairs = list(open_set(key, scale, DATA))
        assert len(pairs) == SETS[key].pictures
        assert all(p.verified and p.exact and not p.made for p in pairs)
        assert all(tuple(n * scale for n in p.given.shape[:2]) == p.truth.shape[:2] for p in pairs)


@needs_data
def test_layouts_give_the_same_pixels(tmp_path: Path) -> None:
    """EDSR, BasicSR, SelfExSR and plain folders; aliases and case of names; with and without LR files."""
    expected = combined_sha256(p.sha256 for p in read_all(DATA))
    edsr, plain, kair, self_ex = (tmp_path / n for n in ("edsr", "plain", "kair", "selfex"))
    copy_set5(edsr / "benchmark")
    (edsr / "benchmark" / "Set5").rename(edsr / "benchmark" / "SET5")
    shutil.copytree(copy_set5(tmp_path) / "HR", plain / "set5")
    kair_set = copy_set5(kair, lr=False)
    (kair_set / "HR").rename(kair_set / "original")
    (kair_set / "LRbicx2").mkdir()
    for scale in (2, 3, 4):
        for number, file in enumerate(sorted((DATA / "Set5" / "HR").iterdir()), 1):
            hr = mod_crop(read_rgb(file), scale)
            lr = resize(hr, Fraction(1, scale), "legacy")
            name = f"Set5/image_SRF_{scale}/img_{number:03d}_SRF_{scale}"
            write_png(self_ex / f"{name}_HR.png", hr)
            write_png(self_ex / f"{name}_LR.png", lr)
            write_png(self_ex / f"{name}_SRCNN.png", hr)
            if scale == 2:
                write_png(kair_set / "LRbicx2" / f"{file.stem}.png", lr)
    for root in (edsr, plain, kair, self_ex):
        pairs = read_all(root)
        assert combined_sha256(p.sha256 for p in pairs) == expected, root.name
        assert sorted(p.name for p in pairs) == ["baby", "bird", "butterfly", "head", "woman"], root.name
        assert {p.made for p in pairs} == {root == plain}
    assert scales_with_lr(self_ex / "Set5") == [2, 3, 4]


def test_self_ex_sr_takes_the_largest_copy_and_makes_lr_where_the_given_one_does_not_fit(tmp_path: Path) -> None:
    """As with Urban100, whose copy for x2 is halved."""
    full = picture(0, 64, 80)
    for scale, hr in ((2, resize(full, Fraction(1, 2))), (4, full)):
        stem = tmp_path / f"image_SRF_{scale}" / f"img_001_SRF_{scale}"
        write_png(stem.with_name(f"{stem.name}_HR.png"), hr)
        write_png(stem.with_name(f"{stem.name}_LR.png"), resize(hr, Fraction(1, scale), "legacy"))
    (at_x2,), (at_x4,) = list_items(tmp_path, 2), list_items(tmp_path, 4)
    assert at_x2.hr == at_x4.hr and read_rgb(at_x2.hr).shape == full.shape
    assert at_x2.lr is None and at_x4.lr is not None


@needs_data
def test_other_containers_and_harmless_neighbours_are_fine(tmp_path: Path) -> None:
    folder = copy_set5(tmp_path)
    for file in (folder / "HR").glob("*.png"):
        Image.fromarray(read_rgb(file)).save(file.with_suffix(".bmp"))
        file.unlink()
    (folder / "HR" / "readme.txt").write_text("x")
    (folder / "HR" / ".hidden.png").write_text("x")
    (folder / "loop").symlink_to(folder)
    assert all(p.verified for p in read_all(tmp_path))


@needs_data
def test_a_line_more_than_the_manifest_is_recognised(tmp_path: Path) -> None:
    """As with B100, whose common copies have a 481st line; scored pixels are the same."""
    hr = read_rgb(DATA / "Set5" / "HR" / "bird.png")
    longer = np.concatenate([hr, picture(0, 1, 288)])
    assert manifest.check("set5", "bird", longer, 2).status == "ok"
    much_longer = np.concatenate([hr, picture(0, 2, 288)])
    assert manifest.check("set5", "bird", much_longer, 2).status == "wrong"


def test_manifest_is_complete_and_starts_with_the_full_picture() -> None:
    table = manifest.load()
    assert {key: len(names) for key, names in table.items()} == {
        key: SETS[key].pictures for key in ("set5", "set14", "b100", "urban100")
    }
    for names in table.values():
        for entries in names.values():
            assert entries[0].width * entries[0].height == max(e.width * e.height for e in entries)
            assert all(len(e.sha256) == 64 for e in entries)
    hashes = [e.sha256 for names in table.values() for entries in names.values() for e in entries]
    assert len(set(hashes)) == len(hashes)


def test_sets_without_a_manifest_are_scored_but_not_called_verified(tmp_path: Path) -> None:
    for number in range(SETS["manga109"].pictures):
        write_png(tmp_path / "Manga109" / f"m{number}.png", picture(number))
    pairs = open_set("Manga109", 3, tmp_path)
    assert len(pairs) == 109
    assert not pairs[0].verified and pairs[0].made and pairs[0].truth.shape == (24, 30, 3)


def test_sample_needs_no_data_root() -> None:
    for scale in (2, 3, 4):
        pairs = list(open_set("sample", scale))
        assert {p.truth.shape for p in pairs} == {(SAMPLE_SIDE, SAMPLE_SIDE, 3)} and len(pairs) == 5
        assert len({pixel_sha256(p.truth) for p in pairs}) == 5
    assert available(None) == ["sample"]


def test_names_and_roots(tmp_path: Path) -> None:
    assert resolve("BSD100").key == resolve("bsds100").key == resolve(" B100 ").key == "b100"
    with pytest.raises(UserError, match="Did you mean 'set14'"):
        resolve("set1")
    with pytest.raises(UserError, match="needs a data root"):
        open_set("set5", 2)
    with pytest.raises(UserError, match="no such folder"):
        open_set("set5", 2, tmp_path / "none")
    with pytest.raises(UserError, match="has no Set5: found Other"):
        (tmp_path / "Other").mkdir()
        open_set("set5", 2, tmp_path)
    loop = tmp_path / "Set5"
    os.symlink(loop, loop)
    with pytest.raises(UserError, match="has no Set5"):
        open_set("set5", 2, tmp_path)
    loop.unlink()
    (tmp_path / "Set5").mkdir()
    (tmp_path / "set5").mkdir()
    with pytest.raises(UserError, match="more than once"):
        open_set("set5", 2, tmp_path)
    assert available(tmp_path) == ["set5"]
    assert available(tmp_path / "Other") == ["sample"]


@needs_data
def test_data_check_lists_every_problem_and_prepare_makes_exact_files(tmp_path: Path, capsys) -> None:
    folder = copy_set5(tmp_path, lr=False)
    root = ["--data-root", str(tmp_path)]
    assert main(["check", *root]) == 0
    assert "5 of 5 ok" in capsys.readouterr().out
    assert main(["prepare", "set5", "--scales", "2", "3", *root]) == 0
    capsys.readouterr()
    for scale in (2, 3):
        for file in sorted((DATA / "Set5" / "LR_bicubic" / f"X{scale}").iterdir()):
            assert np.array_equal(read_rgb(file), read_rgb(folder / "LR_bicubic" / f"X{scale}" / file.name))
    assert main(["check", *root]) == 0
    assert "10 of 10 bit-exact" in capsys.readouterr().out
    write_png(folder / "HR" / "bird.png", read_rgb(folder / "HR" / "bird.png") ^ 1)
    shutil.copyfile(folder / "HR" / "baby.png", folder / "HR" / "head.png")
    assert main(["check", *root]) == 1
    out = capsys.readouterr().out
    assert "bird.png" in out and "head.png" in out and "3 of 5 ok" in out
    assert main(["prepare", *root, "--scales", "2"]) == 0
    assert "left as they are" in capsys.readouterr().out


def test_data_needs_a_root_and_says_how_to_get_manga109(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BISRBENCH_DATA", raising=False)
    with pytest.raises(UserError, match="no data root"):
        main(["check"])
    monkeypatch.setenv("BISRBENCH_DATA", str(tmp_path))
    assert main(["check", "sample"]) == 0
    for words in ([], ["--url", "https://x.invalid/a.zip", "--sha256", "0" * 64]):
        with pytest.raises(UserError, match=r"cannot be fetched.*manga109\.org") as caught:
            main(["fetch", "manga109", *words])
        assert "--url" not in str(caught.value)
    with pytest.raises(UserError, match="SelfExSR"):
        main(["fetch", "urban100"])
