"""Spoilt test sets: whatever is wrong with a picture is named, not averaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sr_data import copy_set5, needs_data, picture

from bench.contract import UserError
from bench.pictures.images import read_rgb, write_png
from bench.pictures.protocol import mod_crop
from bench.tasks.sr.datasets import open_set


def spoil_reencode(folder: Path) -> None:
    image = read_rgb(folder / "HR" / "bird.png")
    Image.fromarray(image).save(folder / "bird.jpg", quality=95)
    write_png(folder / "HR" / "bird.png", read_rgb(folder / "bird.jpg"))
    (folder / "bird.jpg").unlink()


def spoil_crop(folder: Path) -> None:
    write_png(folder / "HR" / "bird.png", read_rgb(folder / "HR" / "bird.png")[:-20])


def spoil_mod12(folder: Path) -> None:
    write_png(folder / "HR" / "baby.png", mod_crop(read_rgb(folder / "HR" / "baby.png"), 12))


def spoil_swap(folder: Path) -> None:
    shutil.copyfile(folder / "HR" / "baby.png", folder / "HR" / "bird.png")


def spoil_rename(folder: Path) -> None:
    (folder / "HR" / "bird.png").rename(folder / "HR" / "other.png")
    write_png(folder / "HR" / "other.png", picture(1, 288, 288))
    shutil.rmtree(folder / "LR_bicubic")


def spoil_missing(folder: Path) -> None:
    (folder / "HR" / "bird.png").unlink()


def spoil_extra(folder: Path) -> None:
    write_png(folder / "HR" / "extra.png", picture(2))
    shutil.rmtree(folder / "LR_bicubic")


def spoil_twice(folder: Path) -> None:
    shutil.copyfile(folder / "HR" / "bird.png", folder / "HR" / "bird.bmp")


def spoil_same_pixels(folder: Path) -> None:
    """Under names that are not the manifest's, one picture twice."""
    for number, file in enumerate(sorted((folder / "HR").iterdir())):
        file.rename(folder / "HR" / f"p{number}.png")
    shutil.copyfile(folder / "HR" / "p0.png", folder / "HR" / "p1.png")
    shutil.rmtree(folder / "LR_bicubic")


def spoil_mixed(folder: Path) -> None:
    shutil.copyfile(folder / "HR" / "bird.png", folder / "bird.png")


def spoil_lr_size(folder: Path) -> None:
    write_png(folder / "LR_bicubic" / "X2" / "birdx2.png", picture(3, 50, 50))


def spoil_lr_of_another(folder: Path) -> None:
    lr = read_rgb(folder / "LR_bicubic" / "X2" / "birdx2.png")
    write_png(folder / "LR_bicubic" / "X2" / "birdx2.png", lr[:, ::-1])


def spoil_lr_rule(folder: Path) -> None:
    """Made without antialiasing, as some libraries do by default."""
    hr = Image.fromarray(read_rgb(folder / "HR" / "butterfly.png"))
    write_png(folder / "LR_bicubic" / "X2" / "butterflyx2.png", np.array(hr)[::2, ::2])


def spoil_lr_missing(folder: Path) -> None:
    (folder / "LR_bicubic" / "X2" / "birdx2.png").unlink()


def spoil_lr_empty(folder: Path) -> None:
    shutil.rmtree(folder / "LR_bicubic" / "X2")
    (folder / "LR_bicubic" / "X2").mkdir()


def spoil_truncated(folder: Path) -> None:
    file = folder / "HR" / "bird.png"
    file.write_bytes(file.read_bytes()[:-3000])


def spoil_loop(folder: Path) -> None:
    (folder / "HR" / "bird.png").unlink()
    (folder / "HR" / "bird.png").symlink_to(folder / "HR" / "bird.png")


def spoil_empty(folder: Path) -> None:
    for file in (folder / "HR").iterdir():
        file.unlink()


def spoil_copies_beside(folder: Path) -> None:
    shutil.copyfile(folder / "LR_bicubic" / "X2" / "birdx2.png", folder / "HR" / "birdx2.png")


SPOILT = {
    spoil_reencode: r"bird\.png.*other pixels",
    spoil_crop: r"bird\.png.*cropped or resized: got 288x268, expected 288x288",
    spoil_mod12: r"baby\.png.*a copy of 504x504 instead of 512x512",
    spoil_swap: r"bird\.png.*holds the pixels of 'baby'",
    spoil_rename: r"other\.png.*matches no picture",
    spoil_missing: "4 pictures, expected the 5.*Missing: bird",
    spoil_extra: "6 pictures, expected the 5.*Not part of it: extra",
    spoil_twice: r"bird\.bmp and bird\.png claim to be the same",
    spoil_same_pixels: r"p1\.png and p0\.png hold the same picture",
    spoil_mixed: "mixed content",
    spoil_lr_size: r"birdx2\.png: 50x50 pixels, expected 144x144",
    spoil_lr_of_another: r"birdx2\.png does not belong to bird\.png",
    spoil_lr_rule: r"butterflyx2\.png does not belong.*or was not made by",
    spoil_lr_missing: "no low-resolution file for bird",
    spoil_lr_empty: "X2: no pictures",
    spoil_truncated: r"bird\.png.*damaged or cut short",
    spoil_loop: r"bird\.png: a symbolic link that leads nowhere",
    spoil_empty: "HR: no pictures",
    spoil_copies_beside: r"birdx2\.png looks like a low-resolution copy",
}


@needs_data
@pytest.mark.parametrize("spoil", SPOILT, ids=lambda f: f.__name__)
def test_what_is_wrong_is_named_not_averaged(spoil, tmp_path: Path) -> None:
    spoil(copy_set5(tmp_path))
    with pytest.raises(UserError, match=f"(?s){SPOILT[spoil]}"):
        pictures = open_set("set5", 2, tmp_path)
        assert pictures.listing
        list(pictures)
