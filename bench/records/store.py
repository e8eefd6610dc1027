"""A folder of records. Writing is atomic; reading is strict; nothing that can be read is ever lost.

Several processes may write one store, on one machine or on many: each holds a cell's claim while it measures it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.contract import Cell, UserError
from bench.contract.atomic_files import leftovers, write_atomic
from bench.records.claims import Claims
from bench.records.record import Record, RecordError, from_text, relative_path, to_text
from bench.records.saved_pictures import FOLDER

SIDE_FOLDERS = (str(FOLDER), "logs", "report", "train")
"""Folders beside the records inside a store: what tracks make on the side, tracebacks, pages; and trainings, which
earlier versions kept there."""


@dataclass
class Loaded:
    """All that a set of stores holds: good records in path order, and one message per unreadable file."""

    records: list[Record] = field(default_factory=list)
    problems: list[RecordError] = field(default_factory=list)
    stores: list[Path] = field(default_factory=list)
    """Of each record, the root of the store that it lies in."""


class Store:
    """Records under one root, one file per cell and seed (see `bench.records.record.relative_path`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, cell: Cell, machine: str | None, seed: int = 0) -> Path:
        return self.root / relative_path(cell, machine, seed)

    def read(self, path: Path) -> Record | None:
        """The record at ``path``; None when there is no file. Raises `RecordError` when it cannot be trusted.

        What cannot be trusted is read once more: a network file system may show an older state of a file for a moment.
        """
        try:
            return self._read(path)
        except RecordError as error:
            if error.damage == "future":
                raise
            return self._read(path)

    def _read(self, path: Path) -> Record | None:
        again = "Run the same command again: the file is set aside as *.damaged and the cell measured anew"
        try:
            return from_text(path.read_text(encoding="utf-8"), path)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise RecordError("damaged", path, f"cannot be read ({error})", again) from None

    def reread(self, path: Path) -> Record | None:
        """The same after asking for the folder anew, which network file systems remember for a while; None also for a
        record that cannot be trusted."""
        with suppress(OSError):
            next(path.parent.iterdir(), None)
        try:
            return self.read(path)
        except RecordError:
            return None

    def files(self) -> Iterator[Path]:
        """Every file that claims to be a record, sorted. Leftovers of a killed run are not among them."""
        for path in sorted(self.root.glob("*/*/*.json")):
            if path.relative_to(self.root).parts[0] not in SIDE_FOLDERS and not path.name.startswith("."):
                yield path

    @contextmanager
    def writing(self) -> Iterator[Claims]:
        """The claims of one run, which shares the store with others (see `bench.records.claims`).

        Raises:
            UserError: the folder cannot be made or written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            file = self.root.exists() and not self.root.is_dir()
            why = "it is a file" if file else error.strerror or error
            raise UserError(
                f"results folder {self.root} cannot be written ({why}). "
                "Nothing was measured. Free it, or choose another with --out DIR."
            ) from None
        claims = Claims(self.root)
        try:
            yield claims
        finally:
            claims.close()

    def write(self, record: Record) -> Path:
        """Put a record in its place (see `bench.contract.atomic_files.write_atomic`).

        An unreadable file that lies there is first set aside as ``*.damaged``; a good record that would give way to
        one without numbers is kept as ``*.previous``. Whoever writes holds the cell's claim, and sweeps what killed
        owners of it left half written.

        Raises:
            UserError: the disk refused (full, read-only).
        """
        path = self.root / record.relative_path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._make_way(path, record)
            write_atomic(path, to_text(record).encode())
            self.sweep(path)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written ({error.strerror or error}). Earlier records are safe; "
                "free space or fix the folder, then run the same command again."
            ) from None
        return path

    def sweep(self, path: Path) -> None:
        """Remove what killed owners of a record's cell left half written. Its claim must be held."""
        for leftover in leftovers(path):
            leftover.unlink(missing_ok=True)

    def tidy(self, claims: Claims, paths: Sequence[Path]) -> None:
        """Remove what killed runs left of finished cells: their claims, and halves of records beside whole ones."""
        for path in claims.abandoned(paths):
            with claims.taking(path) as mine:
                if mine:
                    self.sweep(path)

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
                    loaded.stores.append(root)
    return loaded
