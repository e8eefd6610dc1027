"""How far a run is, on stderr: a bar on a terminal, plain lines elsewhere (a log file, CI)."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from bench.contract import Cell


def _is_terminal(stream: TextIO) -> bool:
    """True for a terminal that has a size; one without (some containers) would show no bar at all."""
    try:
        return stream.isatty() and os.get_terminal_size(stream.fileno()).lines > 1
    except OSError:
        return False


class Progress:
    """Counts cells, and fractions of the one that runs; estimates the time left from both."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total, self.ended, self.cell = total, 0, ""
        self.stream = stream if stream is not None else sys.stderr
        self.started = self.cell_started = time.monotonic()
        self.bar = None
        if _is_terminal(self.stream):
            from tqdm import tqdm

            shape = "{percentage:3.0f}% |{bar}| {elapsed}, {remaining} left  {desc}"
            self.bar = tqdm(total=total, file=self.stream, bar_format=shape, dynamic_ncols=True)

    def begin(self, cell: Cell) -> None:
        self.cell, self.cell_started = str(cell), time.monotonic()
        if self.bar is None:
            self._line(f"[{self.ended + 1}/{self.total}] {cell} ...")
        self.update("", 0.0)

    def update(self, text: str, fraction: float) -> None:
        """What is happening inside the cell, and how much of it is done in [0, 1]."""
        if self.bar is not None:
            self.bar.n = min(self.ended + max(0.0, min(fraction, 1.0)), self.total)
            self.bar.set_description_str(f"{self.cell} {text}".rstrip())

    def end(self, status: str, reason: str = "") -> None:
        """The current cell is over; failures and gaps stay readable above the bar."""
        self.ended += 1
        text = f"{status}: {reason}" if reason else status
        if self.bar is None:
            seconds = time.monotonic() - self.cell_started
            self._line(f"[{self.ended}/{self.total}] {self.cell} {text} ({seconds:.1f} s{self._left()})")
            return
        if reason:
            self.bar.write(f"{self.cell} {text}", file=self.stream)
        self.bar.n = self.ended
        self.bar.refresh()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def _left(self) -> str:
        left = self.total - self.ended
        if not left:
            return ""
        seconds = (time.monotonic() - self.started) / self.ended * left
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"

    def _line(self, text: str) -> None:
        self.stream.write(text + "\n")
        self.stream.flush()
