"""Who is at work on which cell of a store that several processes write, on one machine or on many.

A claim is a small file that is created exclusively, which network file systems do rightly too; there is no lock. It
says who holds it. Its time of change is renewed as long as its owner lives.

A claim whose owner is gone is not deleted but outnumbered: the next one is created exclusively with the number above
it, so of several that see the same dead claim a single one gets the cell, and one that died while taking over is taken
over in turn. An owner that was only believed dead writes its record all the same, whole, and deletes only its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

FOLDER = ".claims"
"""Inside a store."""
BEAT = 20.0
"""Seconds after which the owner of claims shows again that it lives."""
PATIENCE = 180.0
"""Seconds without a sign of life after which the claim of another machine may be taken over."""
UNWRITTEN = 10.0
"""The same for a claim that says nothing: its owner died between creating and writing it."""


@dataclass(frozen=True)
class Owner:
    """A process, told apart from all others of all machines and of all times."""

    place: str
    """Hash over host name, boot and process namespace: inside one, process numbers can be compared."""
    pid: int
    life: str | None
    """When the process began, in clock ticks since boot; None where the system does not say."""
    since: str
    """When it claimed, ISO 8601."""

    @property
    def dead(self) -> bool:
        """Surely so; False for processes of another place."""
        return self.place == place() and self.life is not None and life(self.pid) != self.life

    def __str__(self) -> str:
        here = "this machine" if self.place == place() else f"machine {self.place}"
        return f"process {self.pid} on {here} since {self.since}"


@cache
def place() -> str:
    """Where this process's number means something."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def life(pid: int) -> str | None:
    """When a process of this place began, in ticks since boot; None when there is none, or only its corpse."""
    try:
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except (OSError, ValueError):
        return None
    return None if state in ("Z", "X") else rest[18]


class Claims:
    """The claims of this process on the cells of one store, and a look at those of others."""

    def __init__(self, store: Path) -> None:
        self.store, self.folder = store, store / FOLDER
        self._held: set[Path] = set()
        self._closed = threading.Event()
        self._pulse: threading.Thread | None = None

    @contextmanager
    def taking(self, record: Path) -> Iterator[bool]:
        """Hold a record's cell inside the block, where that yields True; False: another process holds it."""
        claim = self._take(self._name(record))
        try:
            yield claim is not None
        finally:
            if claim is not None:
                self._release(claim)

    def holder(self, record: Path) -> str:
        """Who holds a record's cell, in words; empty when nobody does."""
        newest = self._newest(self._name(record))
        owner = None if newest is None else _read(newest)[0]
        return "" if newest is None else str(owner or "an unnamed process")

    def abandoned(self, records: Sequence[Path]) -> list[Path]:
        """Those records whose cells' claims were left behind by dead owners."""
        newest: dict[str, int] = {}
        for name, number in self._all():
            newest[name] = max(number, newest.get(name, 0))
        left = {name for name, number in newest.items() if self._stale(self.folder / f"{name}.{number}")}
        return [record for record in records if self._name(record) in left] if left else []

    def close(self) -> None:
        self._closed.set()

    def _name(self, record: Path) -> str:
        return hashlib.sha256(record.relative_to(self.store).as_posix().encode()).hexdigest()[:24]

    def _all(self) -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                name, _, number = entry.name.partition(".")
                if number.isdecimal():
                    yield name, int(number)

    def _newest(self, name: str) -> Path | None:
        numbers = [number for other, number in self._all() if other == name]
        return self.folder / f"{name}.{max(numbers)}" if numbers else None

    def _take(self, name: str) -> Path | None:
        newest = self._newest(name)
        if newest is not None and not self._stale(newest):
            return None
        claim = self.folder / f"{name}.{0 if newest is None else int(newest.suffix[1:]) + 1}"
        owner = Owner(place(), os.getpid(), life(os.getpid()), datetime.now(UTC).isoformat(timespec="seconds"))
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with open(claim, "x", encoding="utf-8") as file:
                file.write(json.dumps(asdict(owner)))
        except FileExistsError:
            return None
        self._held.add(claim)
        if self._pulse is None:
            self._pulse = threading.Thread(target=self._beat, daemon=True)
            self._pulse.start()
        return claim

    def _release(self, claim: Path) -> None:
        self._held.discard(claim)
        name, number = claim.stem, int(claim.suffix[1:])
        for other, below in list(self._all()):
            if other == name and below <= number:
                (self.folder / f"{other}.{below}").unlink(missing_ok=True)

    def _stale(self, claim: Path) -> bool:
        try:
            owner, changed = _read(claim)
        except FileNotFoundError:
            return True  # given back a moment ago
        if owner is not None and owner.place == place() and owner.life is not None:
            return owner.dead
        return self._now() - changed > (UNWRITTEN if owner is None else PATIENCE)

    def _now(self) -> float:
        """By the clock of the file system, which gave the claims their times."""
        with tempfile.TemporaryFile(dir=self.folder) as file:
            return os.fstat(file.fileno()).st_mtime

    def _beat(self) -> None:
        while not self._closed.wait(BEAT):
            for claim in list(self._held):
                with suppress(OSError):
                    os.utime(claim)


def _read(claim: Path) -> tuple[Owner | None, float]:
    """A claim's owner, None where it says nothing, and when it last showed life."""
    with open(claim, encoding="utf-8", errors="replace") as file:
        changed = os.fstat(file.fileno()).st_mtime
        try:
            return Owner(**json.loads(file.read())), changed
        except (ValueError, TypeError):
            return None, changed
