"""Reading pictures: what is accepted, and that each refusal names the file and the reason."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.contract import UserError
from bench.pictures.images import MAX_PIXELS, pixel_sha256, read_rgb, write_png

RGB = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG written by hand, for what the imaging library does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


def test_rgb_comes_back_as_written(tmp_path: Path) -> None:
    write_png(tmp_path / "new" / "a.png", RGB)
    assert np.array_equal(read_rgb(tmp_path / "new" / "a.png"), RGB)
    assert [f.name for f in (tmp_path / "new").iterdir()] == ["a.png"]


def test_pixels_not_the_container_make_the_hash(tmp_path: Path) -> None:
    for ending in ("png", "bmp", "tif", "ppm"):
        Image.fromarray(RGB).save(tmp_path / f"a.{ending}")
        assert pixel_sha256(read_rgb(tmp_path / f"a.{ending}")) == pixel_sha256(RGB)


def test_grey_is_replicated_and_palettes_are_looked_up(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0]).save(tmp_path / "grey.png")
    assert np.array_equal(read_rgb(tmp_path / "grey.png"), np.repeat(RGB[..., :1], 3, axis=2))
    palette = Image.fromarray(RGB).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_rgb(tmp_path / "palette.png"), np.array(palette.convert("RGB")))


def make_bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Kind -> (file, what the refusal must say)."""
    bad: dict[str, tuple[Path, str]] = {}

    def add(kind: str, says: str, content: bytes | Image.Image, ending: str = "png") -> None:
        path = folder / f"{kind}.{ending}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path)
        bad[kind] = (path, says)

    whole = folder / "whole.png"
    write_png(whole, RGB)
    add("truncated", "damaged or cut short", whole.read_bytes()[:-40])
    add("bad_jpeg", "damaged or cut short|not a picture", b"\xff\xd8\xff\xe0" + b"\x00" * 40, "jpg")
    add("text", "not a picture", b"this is no picture")
    add("empty", "empty", b"")
    add("rgba", "transparency", Image.fromarray(np.dstack([RGB, RGB[..., 0]])))
    add("grey_alpha", "transparency", Image.fromarray(RGB[..., 0]).convert("LA"))
    add("grey16", "more than 8 bits", Image.fromarray(RGB[..., 0].astype(np.uint16) * 257))
    add("rgb16", "more than 8 bits", png(2, 2, 16, 2, (b"\0" + b"\x12\x34" * 6) * 2))
    add("keyed", "transparency", png(2, 2, 8, 2, (b"\0" + b"\x12" * 6) * 2, chunk(b"tRNS", b"\0\x12" * 3)))
    add("cmyk", "colour mode CMYK", Image.fromarray(RGB).convert("CMYK"), "jpg")
    add("bomb", "limit", png(30_000, 30_000, 8, 2, b"\0" * 100))
    add("large", "limit", png(MAX_PIXELS // 8000 + 1, 8000, 8, 2, b"\0" * 100))
    frames = [Image.fromarray(np.roll(RGB, n, 0)) for n in range(3)]
    frames[0].save(folder / "moving.png", save_all=True, append_images=frames[1:])
    bad["moving"] = (folder / "moving.png", "frames")
    loop = folder / "loop.png"
    loop.symlink_to(loop)
    bad["loop"] = (loop, "symbolic link")
    (folder / "dir.png").mkdir()
    bad["dir"] = (folder / "dir.png", "a folder")
    os.mkfifo(folder / "pipe.png")
    bad["pipe"] = (folder / "pipe.png", "not a regular file")
    bad["missing"] = (folder / "missing.png", "cannot be read")
    return bad


KINDS = (
    "truncated",
    "bad_jpeg",
    "text",
    "empty",
    "rgba",
    "grey_alpha",
    "grey16",
    "rgb16",
    "keyed",
    "cmyk",
    "bomb",
    "large",
    "moving",
    "loop",
    "dir",
    "pipe",
    "missing",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("error")
def test_bad_files_are_named_and_explained(kind: str, tmp_path: Path) -> None:
    path, says = make_bad_files(tmp_path)[kind]
    with pytest.raises(UserError, match=says) as caught:
        read_rgb(path)
    assert str(path) in str(caught.value)
