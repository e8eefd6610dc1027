"""Pictures that are not what a decoder makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.contract import UserError
from bench.nn.training.data import load_pictures
from bench.pictures.images import picture_size, read_rgb, write_png

DEEP = np.full((6, 8, 3), 200, np.uint16) * 256
BYTES = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


def ppm(path: Path, brightest: int, samples: np.ndarray) -> None:
    kind = ">u2" if brightest > 255 else np.uint8
    path.write_bytes(b"P6\n# made by hand\n8 6\n%d\n" % brightest + samples.astype(kind).tobytes())


BAD = {
    "rgb16.tif": (lambda path: tifffile.imwrite(path, DEEP, photometric="rgb"), "more than 8 bits"),
    "grey16.tif": (lambda path: tifffile.imwrite(path, DEEP[..., 0]), "more than 8 bits"),
    "float.tif": (lambda path: tifffile.imwrite(path, DEEP[..., 0].astype(np.float32)), "more than 8 bits"),
    "signed.tif": (lambda path: tifffile.imwrite(path, BYTES[..., 0].astype(np.int8)), "signed or float"),
    "planar.tif": (
        lambda path: tifffile.imwrite(path, BYTES.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        "lie in planes",
    ),
    "pages.tif": (lambda path: tifffile.imwrite(path, np.stack([BYTES] * 2), photometric="rgb"), "2 frames"),
    "rgb16.ppm": (lambda path: ppm(path, 65535, DEEP), "more than 8 bits"),
    "rgb10.ppm": (lambda path: ppm(path, 1023, DEEP >> 6), "more than 8 bits"),
    "rgb7.ppm": (lambda path: ppm(path, 127, BYTES >> 1), "brightest value is not 255"),
    "rgb100.ppm": (lambda path: ppm(path, 100, BYTES % 100), "brightest value is not 255"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_hold_8_bits_a_channel_is_refused(name: str, tmp_path: Path) -> None:
    write, words = BAD[name]
    write(tmp_path / name)
    for read in (read_rgb, picture_size):
        with pytest.raises(UserError, match=words):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["plain.tif", "plain.ppm", "plain.png", "plain.bmp"])
def test_what_holds_8_bits_is_read_to_the_bit(name: str, tmp_path: Path) -> None:
    if name.endswith("tif"):
        tifffile.imwrite(tmp_path / name, BYTES, photometric="rgb")
    elif name.endswith("ppm"):
        ppm(tmp_path / name, 255, BYTES)
    else:
        Image.fromarray(BYTES).save(tmp_path / name)
    assert np.array_equal(read_rgb(tmp_path / name), BYTES)


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
@pytest.mark.parametrize(("orientation", "shown"), [(1, BYTES), (3, BYTES[::-1, ::-1]), (6, np.rot90(BYTES, -1))])
def test_orientation_is_one_for_all_formats_and_told(
    ending: str, orientation: int, shown: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, exif = tmp_path / f"turned.{ending}", Image.Exif()
    exif[274] = orientation
    Image.fromarray(BYTES).save(path, exif=exif, **({"lossless": True} if ending == "webp" else {}))
    assert np.array_equal(read_rgb(path), shown)
    assert picture_size(path) == (shown.shape[1], shown.shape[0])
    told = capsys.readouterr().err
    assert (f"{path} says it is to be turned (orientation {orientation})" in told) == (orientation != 1)


def test_test_pictures_are_no_training_pictures(shared: Path, tmp_path: Path) -> None:
    bird = next((shared / "data" / "Set5").rglob("bird.png"))
    Image.open(bird).save(tmp_path / "holiday.bmp")
    write_png(tmp_path / "own.png", np.tile(BYTES, (8, 8, 1)))
    with pytest.raises(UserError, match=r"holiday\.bmp \(published Set5\).*--allow-test-pictures"):
        load_pictures(tmp_path, 2)
    assert len(load_pictures(tmp_path, 2, may_be_test=True)) == 2
    (tmp_path / "holiday.bmp").unlink()
    assert len(load_pictures(tmp_path, 2)) == 1
