"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path


def write_atomic(path: Path, content: bytes) -> None:
    """Put a file in its place: temporary file in the same folder, fsync, rename, fsync of the folder.

    What lay there before stays until the new content is safely on the disk. A killed process leaves at most a hidden
    ``.tmp`` file (see `leftovers`). Raises OSError when the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_hidden(path), suffix=".tmp")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, 0o644)
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def leftovers(path: Path) -> Iterator[Path]:
    """What killed processes left beside a file that they were about to write, for whoever may write it now."""
    yield from path.parent.glob(f"{escape(_hidden(path))}*.tmp")


def _hidden(path: Path) -> str:
    return f".{path.name[:200]}."
