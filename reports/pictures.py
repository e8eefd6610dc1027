"""Pictures of the page for the README: ``python -m reports.pictures RESULTS OUT``. Needs Chromium and playwright.

Pictures of test sets are taken from the set ``sample`` alone, since those of published sets may not be passed on.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from bench.contract import UserError
from bench.contract.atomic_files import write_atomic
from reports import build
from reports.crops import FREE

WIDTH, HEIGHT = 1400, 900
LIMIT = 150_000
"""Largest file, bytes."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
USAGE = "usage: python -m reports.pictures RESULTS OUT\nRESULTS: a folder of records. OUT: where PNG files go.\n"
MARGIN = 12
"""Around a plot or a row of pictures, pixels of the page."""


def take(results: Path, out: Path) -> tuple[list[Path], list[str]]:
    """Write ``leaderboard-light.png``, ``leaderboard-dark.png``, ``speedup.png`` and ``crops.png`` into ``out``.

    Returns:
        The files written, and a line for each that the records do not allow.

    Raises:
        UserError: no records, no browser, or a folder that cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder, _browser() as browser:
        (page,) = build([results], Path(folder), ["html"], crops=[FREE])
        shots = {f"leaderboard-{scheme}.png": _leaderboard(browser, page, scheme) for scheme in ("light", "dark")}
        shots["speedup.png"] = _plot(browser, page)
        shots["crops.png"] = _crops(browser, page)
    try:
        for name, image in shots.items():
            if image is not None:
                write_atomic(out / name, small_png(image))
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}). Choose another folder.") from None
    why = {"speedup.png": "no timed methods beside full precision", "crops.png": f"no saved pictures of the set {FREE}"}
    missing = [f"{name}: {why.get(name, 'nothing scored')}" for name, image in shots.items() if image is None]
    return [out / name for name, image in shots.items() if image is not None], missing


def small_png(image: Image.Image) -> bytes:
    """A PNG of at most `LIMIT` bytes: as it is, or with as many colours as fit."""
    for colours in (0, 256, 128, 64, 32, 16):
        file = BytesIO()
        kept = image.quantize(colours, dither=Image.Dither.NONE) if colours else image
        kept.save(file, format="PNG", optimize=True)
        if file.tell() <= LIMIT:
            return file.getvalue()
    raise UserError(f"a picture of {image.width}x{image.height} pixels does not fit into {LIMIT} bytes.")


@contextmanager
def _browser() -> Iterator[Any]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError("the package playwright is missing: pip install -e '.[test]'.") from None
    if path is None:
        raise UserError(f"no browser: none of {', '.join(BROWSERS)} is installed. apt-get install chromium.")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def _opened(browser: Any, file: Path, tab: str, scheme: str = "light", zoom: float = 1) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, device_scale_factor=zoom
    )
    page = context.new_page()
    page.goto(f"{file.as_uri()}#tab={tab}")
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    context.close()


def _leaderboard(browser: Any, file: Path, scheme: str) -> Image.Image | None:
    with _opened(browser, file, "_score", scheme) as page:
        return _image(page.screenshot()) if page.locator("#panel-_score").count() else None


def _plot(browser: Any, file: Path) -> Image.Image | None:
    with _opened(browser, file, "_plots", zoom=1.5) as page:
        plot = page.locator("figure.fig-speedup:visible").first
        return _framed(page, plot, [plot.bounding_box()]) if plot.count() else None


def _crops(browser: Any, file: Path) -> Image.Image | None:
    """The first line of the first row: the whole picture, the original, the references and the best methods."""
    with _opened(browser, file, "_crops") as page:
        figures = page.locator(".crops:visible .parts").first.locator("figure")
        if not figures.count():
            return None
        boxes = [figure.bounding_box() for figure in figures.all()]
        line = [box for box in boxes if box["y"] == boxes[0]["y"]]
        for place in range(len(line)):
            figures.nth(place).locator("img").evaluate_all("(images) => Promise.all(images.map((one) => one.decode()))")
        return _framed(page, figures.first, line)


def _framed(page: Any, first: Any, boxes: Sequence[dict[str, float]]) -> Image.Image:
    """What lies in the boxes, with a margin; ``first`` is the element of the first box."""
    first.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
    left, top = (min(box[at] for box in boxes) for at in ("x", "y"))
    right, bottom = (max(box[at] + box[size] for box in boxes) for at, size in (("x", "width"), ("y", "height")))
    top += (moved := first.bounding_box()["y"] - boxes[0]["y"])
    size = {"width": right - left + 2 * MARGIN, "height": bottom + moved - top + 2 * MARGIN}
    return _image(page.screenshot(clip={"x": left - MARGIN, "y": top - MARGIN, **size}))


def _image(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


def main(argv: Sequence[str]) -> int:
    """Exit code 0, 1 when a picture could not be made, 2 when the command was wrong."""
    if len(argv) != 2 or not Path(argv[0]).is_dir():
        sys.stderr.write(USAGE)
        return 2
    try:
        written, missing = take(Path(argv[0]), Path(argv[1]))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("".join(f"{path}: {path.stat().st_size // 1000} kB\n" for path in written))
    sys.stderr.write("".join(f"not made: {line}\n" for line in missing))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
