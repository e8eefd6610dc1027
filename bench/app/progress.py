"""How far a run is, on stderr: a bar on a terminal, plain lines elsewhere (a log file, CI)."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TextIO

from bench.contract import Cell


def _is_terminal(stream: TextIO) -> bool:
    """True for a terminal that has a size; one without (some containers) would show no bar at all."""
    try:
        return stream.isatty() and os.get_terminal_size(stream.fileno()).lines > 1
    except OSError:
        return False


EVERY = 30.0
"""Seconds between two lines of a cell that runs, where there is no terminal."""


class Progress:
    """Counts cells, and fractions of the one that runs; estimates the time left from both.

    Without a terminal a thread writes a line every ``every`` seconds, whatever the cell is doing meanwhile.
    """

    def __init__(self, total: int, stream: TextIO | None = None, every: float = EVERY) -> None:
        self.total, self.ended, self.cell = total, 0, ""
        self.doing, self.fraction = "", 0.0
        self._over = threading.Event()
        self.stream = stream if stream is not None else sys.stderr
        self.started = self.cell_started = time.monotonic()
        self.bar = None
        if _is_terminal(self.stream):
            from tqdm import tqdm

            shape = "{percentage:3.0f}% |{bar}| {elapsed}, {remaining} left  {desc}"
            self.bar = tqdm(total=total, file=self.stream, bar_format=shape, dynamic_ncols=True)
        else:
            threading.Thread(target=self._tell, args=(every,), daemon=True).start()

    def begin(self, cell: Cell) -> None:
        self.cell, self.cell_started = str(cell), time.monotonic()
        if self.bar is None:
            self._line(f"[{self.ended + 1}/{self.total}] {cell} ...")
        self.update("", 0.0)

    def update(self, text: str, fraction: float) -> None:
        """What is happening inside the cell, and how much of it is done in [0, 1]."""
        self.doing, self.fraction = text, max(0.0, min(fraction, 1.0))
        if self.bar is not None:
            self.bar.n = min(self.ended + self.fraction, self.total)
            self.bar.set_description_str(f"{self.cell} {text}".rstrip())

    def end(self, status: str, reason: str = "") -> None:
        """The current cell is over; failures and gaps stay readable above the bar."""
        self.ended += 1
        cell, self.cell = self.cell, ""
        text = f"{status}: {reason}" if reason else status
        if self.bar is None:
            seconds = time.monotonic() - self.cell_started
            self._line(f"[{self.ended}/{self.total}] {cell} {text} ({seconds:.1f} s{self._left()})")
            return
        if reason:
            self.bar.write(f"{cell} {text}", file=self.stream)
        self.bar.n = self.ended
        self.bar.refresh()

    def leave(self) -> None:
        """One cell fewer: another process has measured it."""
        self.total -= 1
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.refresh()

    def close(self) -> None:
        self._over.set()
        if self.bar is not None:
            self.bar.close()

    def _tell(self, every: float) -> None:
        while not self._over.wait(every):
            if self.cell:
                seconds = time.monotonic() - self.cell_started
                doing = f" {self.doing}" if self.doing else ""
                done = f"{100 * self.fraction:.0f} % after {seconds:.0f} s"
                self._line(f"[{self.ended + 1}/{self.total}] {self.cell}{doing}: {done}")

    def _left(self) -> str:
        left = self.total - self.ended
        if not left:
            return ""
        seconds = (time.monotonic() - self.started) / self.ended * left
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"

    def _line(self, text: str) -> None:
        self.stream.write(text + "\n")
        self.stream.flush()
