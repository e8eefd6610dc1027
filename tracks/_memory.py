"""Resident memory of a piece of work, sampled while it runs."""

from __future__ import annotations

import threading

import psutil


class PeakMemory:
    """Context manager; afterwards ``growth_mb`` is the peak resident memory inside, over that at entry (1e6 bytes)."""

    def __enter__(self) -> PeakMemory:
        self._process = psutil.Process()
        self._start = self._peak = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._peak = max(self._peak, self._process.memory_info().rss)
        self.growth_mb = (self._peak - self._start) / 1e6
