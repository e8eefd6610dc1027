"""How the heap of a process that times networks behaves."""

from __future__ import annotations

STEADY_HEAP = {"MALLOC_MMAP_THRESHOLD_": str(2**34), "MALLOC_TRIM_THRESHOLD_": str(2**34)}
"""Environment in which glibc keeps what a pass freed. By default it hands large blocks back to the system, and the next
pass pays a page fault and 4 kB of zeros for every page of every activation. Both sides of a comparison get it. It is
read when a process starts."""
