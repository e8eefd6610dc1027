"""How a picture lies in its file: bits, planes, orientation. Read from the file, never the decoder's guess."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from PIL import Image, ImageOps

from bench.contract import UserError
from bench.contract.gates import gate

_DEEP = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_BITS, _PLANES, _SAMPLE_FORMAT, _ORIENTATION = 258, 284, 339, 274
"""Tags of TIFF (TIFF 6.0, section 8; EXIF 2.3 for the last one)."""
_UPRIGHT = (None, 0, 1)
_told: set[Path] = set()


@gate("refused", broken_by="tests/test_gates_pictures.py::test_what_does_not_hold_8_bits_a_channel_is_refused")
def check_layout(path: Path, image: Image.Image) -> None:
    """A picture's file says how many bits a channel it holds. Decoders turn 10 and 16 bits into 8 without a word, each
    in its own way; so PNG, TIFF and PPM with other than 8 bits (or 1), signed or float samples, and planes that lie one
    behind the other are refused.

    Raises UserError.
    """
    bits = bits_of(path, image)
    if bits > 8 or image.mode in _DEEP:
        raise UserError(
            f"{path}: more than 8 bits a channel. The protocol scores 8-bit pictures, and there is more "
            "than one way to reduce them: convert the file to 8 bits yourself."
        )
    if image.format == "PPM" and bits not in (1, 8):
        raise UserError(f"{path}: its brightest value is not 255. Convert it to 8 bits a channel yourself.")
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANES, 1) != 1 and len(image.getbands()) > 1:
        raise UserError(f"{path}: its channels lie in planes, one behind the other. Save it with interleaved channels.")
    if any(kind != 1 for kind in _several(tags.get(_SAMPLE_FORMAT, 1))):
        raise UserError(f"{path}: its samples are signed or float, expected unsigned 8 bits. Convert it yourself.")


def bits_of(path: Path, image: Image.Image) -> float:
    """Bits a channel as the file says: of PNG, TIFF and PPM; 8 for formats that hold nothing else.

    Of a PPM whose brightest value is no power of two less one, a fraction.
    """
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]
    if image.format == "PPM":
        return _ppm_bits(path)
    tags = getattr(image, "tag_v2", {})
    return max(_several(tags.get(_BITS, 8))) if tags else 8


def size_as_shown(image: Image.Image) -> tuple[int, int]:
    """(width, height) once it is turned as it says; TIFF's decoder has done so already."""
    width, height = image.size
    across = image.format != "TIFF" and (_orientation(image) or 1) >= 5
    return (height, width) if across else (width, height)


@gate("flagged", broken_by="tests/test_gates_pictures.py::test_orientation_is_one_for_all_formats_and_told")
def turned(path: Path, image: Image.Image) -> Image.Image:
    """A picture that says it is to be turned or mirrored (EXIF or TIFF orientation) is, whatever its format; otherwise
    one photograph would be two pictures, depending on how it was saved. The user is told.
    """
    if _orientation(image) in _UPRIGHT:
        return image
    if path not in _told:
        _told.add(path)
        sys.stderr.write(f"note: {path} says it is to be turned (orientation {_orientation(image)}), and is read so.\n")
    return ImageOps.exif_transpose(image)


def _orientation(image: Image.Image) -> int | None:
    return image.getexif().get(_ORIENTATION)


def _ppm_bits(path: Path) -> float:
    with path.open("rb") as file:
        head = re.sub(rb"#[^\n]*\n", b" ", file.read(4096))
    match = re.match(rb"P([1-6])\s+\d+\s+\d+\s+(\d+)?", head)
    if match is None or match[1] in (b"1", b"4"):  # bitmaps name no brightest value
        return 1
    brightest = int(match[2] or 0)
    return brightest.bit_length() if (brightest + 1) & brightest == 0 else brightest.bit_length() - 0.5


def _several(value: object) -> tuple:
    return value if isinstance(value, tuple) else (value,)
