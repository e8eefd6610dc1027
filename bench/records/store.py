"""A folder of records. Writing is atomic; reading is strict; nothing that can be read is ever lost."""

from __future__ import annotations

import errno
import fcntl
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.contract import Cell, UserError
from bench.contract.atomic_files import write_atomic
from bench.records.record import Record, RecordError, from_text, relative_path, to_text
from bench.records.saved_pictures import FOLDER

SIDE_FOLDERS = (str(FOLDER), "logs", "report")
"""Folders beside the records inside a store: what tracks make on the side, tracebacks, pages."""


@dataclass
class Loaded:
    """All that a set of stores holds: good records in path order, and one message per unreadable file."""

    records: list[Record] = field(default_factory=list)
    problems: list[RecordError] = field(default_factory=list)


class Store:
    """Records under one root, one file per cell and seed (see `bench.records.record.relative_path`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, cell: Cell, machine: str | None, seed: int = 0) -> Path:
        return self.root / relative_path(cell, machine, seed)

    def read(self, path: Path) -> Record | None:
        """The record at ``path``; None when there is no file. Raises `RecordError` when it cannot be trusted."""
        again = "Run the same command again: the file is set aside as *.damaged and the cell measured anew"
        try:
            return from_text(path.read_text(encoding="utf-8"), path)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise RecordError("damaged", path, f"cannot be read ({error})", again) from None

    def files(self) -> Iterator[Path]:
        """Every file that claims to be a record, sorted. Leftovers of a killed run are not among them."""
        for path in sorted(self.root.glob("*/*/*.json")):
            if path.relative_to(self.root).parts[0] not in SIDE_FOLDERS and not path.name.startswith("."):
                yield path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store for one run: check that it can be written, lock out others, sweep a killed run's leftovers.

        The lock belongs to the process, so a killed run never blocks the next one, nor do its children.

        Raises:
            UserError: the folder cannot be made or written, or another run is writing to it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = open(self.root / ".lock", "a+b")  # noqa: SIM115 (closed below, after the run)
            with tempfile.NamedTemporaryFile(dir=self.root, prefix=".", suffix=".tmp"):
                pass
        except OSError as error:
            file = self.root.exists() and not self.root.is_dir()
            why = "it is a file" if file else error.strerror or error
            raise UserError(
                f"results folder {self.root} cannot be written ({why}). "
                "Nothing was measured. Free it, or choose another with --out DIR."
            ) from None
        with lock:
            try:
                # A record lock (not flock): worker processes that outlive a killed run must not hold it.
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                taken = error.errno in (errno.EACCES, errno.EAGAIN)
                why = "is in use by another run" if taken else f"cannot be locked ({error.strerror})"
                raise UserError(
                    f"results folder {self.root} {why}. "
                    "Wait until that run ends, or choose another folder, on a local disk, with --out DIR."
                ) from None
            for leftover in self.root.rglob(".*.tmp"):
                leftover.unlink(missing_ok=True)
            yield

    def write(self, record: Record) -> Path:
        """Put a record in its place (see `bench.contract.atomic_files.write_atomic`).

        An unreadable file that lies there is first set aside as ``*.damaged``; a good record that would give way to
        one without numbers is kept as ``*.previous``.

        Raises:
            UserError: the disk refused (full, read-only).
        """
        path = self.root / record.relative_path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._make_way(path, record)
            write_atomic(path, to_text(record).encode())
        except OSError as error:
            raise UserError(
                f"{path} cannot be written ({error.strerror or error}). Earlier records are safe; "
                "free space or fix the folder, then run the same command again."
            ) from None
        return path

    def _make_way(self, path: Path, record: Record) -> None:
        try:
            earlier = self.read(path)
        except RecordError:
            path.rename(_free_name(path, "damaged"))
        else:
            if earlier is not None and earlier.status == "ok" and record.status != "ok":
                path.rename(_free_name(path, "previous"))


def _free_name(path: Path, suffix: str) -> Path:
    numbers = itertools.chain([""], (f"{number}." for number in itertools.count(2)))
    return next(name for n in numbers if not (name := path.with_name(f"{path.name}.{n}{suffix}")).exists())


def load(roots: Sequence[Path]) -> Loaded:
    """Every record of the given stores; files that cannot be trusted are named in ``problems``."""
    loaded = Loaded()
    for root in roots:
        store = Store(root)
        for path in store.files():
            try:
                record = store.read(path)
            except RecordError as error:
                loaded.problems.append(error)
            else:
                if record is not None:
                    loaded.records.append(record)
    return loaded
