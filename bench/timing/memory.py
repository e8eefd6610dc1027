"""Memory that a piece of work takes."""

from __future__ import annotations

import ctypes
import resource
import threading

import psutil


class PeakMemory:
    """Context manager; afterwards ``growth_mb`` is the peak resident memory inside, over that at entry (1e6 bytes)."""

    def __enter__(self) -> PeakMemory:
        _give_back_free_memory()
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


def page_faults() -> int:
    """Page faults of this process so far that needed no disk."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _give_back_free_memory() -> None:
    """What is free inside the heap would hide as much of the growth. Nothing happens on a C library without it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
