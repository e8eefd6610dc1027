"""Live progress on stderr, and TensorBoard logs where they are asked for."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, TextIO

from bench.contract import UserError

EVERY = 10.0
"""Seconds between two lines where there is no terminal"""


class Console:
    """A bar on a terminal, plain lines elsewhere: loss, PSNR, images per second, time left."""

    def __init__(self, total: int, batch: int, stream: TextIO | None = None, log: Path | None = None) -> None:
        """``batch`` images an iteration; ``log`` a folder for TensorBoard. Raises UserError without it."""
        self.total, self.batch, self.stream = total, batch, stream or sys.stderr
        self._first: int | None = None
        self._last_line = -EVERY
        self._bar: Any = None
        self._writer = None if log is None else _tensorboard(log)
        self._logged: float | None = None
        if self.stream.isatty():
            from tqdm import tqdm

            shape = "{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}  {desc}"
            self._bar = tqdm(total=total, file=self.stream, bar_format=shape, dynamic_ncols=True)

    def note(self, text: str) -> None:
        if self._bar is not None:
            self._bar.write(text, file=self.stream)
        else:
            self.stream.write(text + "\n")
            self.stream.flush()

    def progress(self, iteration: int, loss: float, psnr: float, seconds: float) -> None:
        if self._first is None:
            self._first = iteration - 1
        speed = (iteration - self._first) / seconds if seconds > 0 else 0.0
        left = (self.total - iteration) / speed if speed else 0.0
        text = f"loss {loss:.4f}  PSNR {psnr:.2f} dB  {speed * self.batch:.1f} images/s  {span(left)} left"
        if self._writer is not None:
            self._log(iteration, loss, psnr, speed * self.batch)
        if self._bar is not None:
            self._bar.n = iteration
            self._bar.set_description_str(text)
        elif time.monotonic() - self._last_line >= EVERY or iteration == self.total:
            self._last_line = time.monotonic()
            self.note(f"iteration {iteration}/{self.total}  {text}")

    def _log(self, iteration: int, loss: float, psnr: float, speed: float) -> None:
        self._writer.add_scalar("train/loss", loss, iteration)
        self._writer.add_scalar("train/images_per_second", speed, iteration)
        if psnr != self._logged:
            self._writer.add_scalar("validation/psnr_y", psnr, iteration)
            self._logged = psnr

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._writer is not None:
            self._writer.close()


class Silent:
    """Hears everything, says nothing."""

    def note(self, text: str) -> None:
        pass

    def progress(self, iteration: int, loss: float, psnr: float, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


def span(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("--tensorboard needs the package tensorboard: pip install tensorboard.") from None
    return SummaryWriter(str(folder))
