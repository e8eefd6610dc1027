"""Where numbers come from: the program, the method's files, the machine. No torch, no host or user names."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.contract import Cell, Outcome, Settings, Track, UserError
from bench.contract.gates import gate
from bench.contract.own_weights import own_weights, split_table
from bench.contract.surroundings import arithmetic_variables
from bench.plan.closure import NATIVE, Closures
from bench.plan.discover import Found, Registry
from bench.records.conditions import Conditions
from bench.records.machine import ROOT, cpu_isa, git_state, this_machine, version_of, versions
from bench.records.record import CardNote, Machine, Provenance, Record, sha256

PACKED = "bench.packed"
RUNTIME = "bench.packed.kernels"
"""Who imports this runs native code."""
WEIGHTS = "bench.nn.weights"
"""Who imports this takes weights that come with a method."""
_NOT_CONTENT = ("__pycache__", ".so", ".pyc")


@dataclass(frozen=True)
class Identity:
    """Everything that decides the numbers of a cell. Equal identities need no second measurement."""

    cell: Cell
    track_version: int
    rooms: dict[str, str]
    """Room -> hash over its files in the cell's import closure (`bench.plan.closure`)"""
    settings: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return sha256([self.cell.task, str(self.cell), self.track_version, self.rooms, self.settings])

    @property
    def adapter_sha256(self) -> str:
        """Of all code but the packed runtime's."""
        return sha256({room: code for room, code in self.rooms.items() if room not in (PACKED, NATIVE)})

    @property
    def native_sha256(self) -> str | None:
        """Of the packed runtime; None where the cell does not run it."""
        return sha256([self.rooms[room] for room in (PACKED, NATIVE)]) if NATIVE in self.rooms else None

    @gate("refused", broken_by="tests/test_gates_own_files.py::test_a_helper_edited_later_makes_the_cell_stale")
    def differences(self, record: Record) -> list[str]:
        """A record holds as long as nothing that decides its numbers has changed: the code that it ran through, room by
        room, a user's file and all that the file imports from beside it, weights, data, settings, and environment
        variables that change arithmetic. Otherwise the cell is measured again.

        What changed since the record was made, in words; empty when its numbers still hold.
        """
        made = record.provenance
        if made.fingerprint == self.fingerprint:
            return []
        version = f"track version {made.track_version} -> {self.track_version}"
        told = [version] if made.track_version != self.track_version else []
        if made.rooms:
            told += [f"{room} changed" for room in _changed(made.rooms, self.rooms)]
        elif made.adapter_sha256 != self.adapter_sha256:
            told.append("the code changed, or an earlier version of this program told it by other files")
        old, new = made.settings, self.settings
        told += [f"{name} {_short(old.get(name))} -> {_short(new.get(name))}" for name in _changed(old, new)]
        return told or ["its fingerprint differs"]


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 20 else text[:17] + "..."


@dataclass
class Stamp:
    """What all cells of one run share. Made once: git and the CPU are asked a single time."""

    settings: Settings
    registry: Registry
    machine: Machine = field(default_factory=lambda: this_machine())
    isa: list[str] = field(default_factory=lambda: cpu_isa())
    packages: dict[str, str] = field(default_factory=lambda: versions())
    git: tuple[str | None, bool | None] = field(default_factory=lambda: git_state(ROOT))
    sources: Closures = field(default_factory=lambda: Closures())
    environment: dict[str, str] = field(default_factory=arithmetic_variables)
    _hashes: dict[str, str] = field(default_factory=dict)
    _closures: dict[str, tuple[dict[str, str], bool]] = field(default_factory=dict)

    def identity(self, cell: Cell, track: Track) -> Identity:
        """What decides this cell's numbers now.

        Raises:
            UserError: a named weights file is missing, or what the track itself finds wrong with its settings.
        """
        inputs = dict(track.inputs(cell, self.settings))
        if self.environment:
            inputs["environment"] = self.environment
        own = own_weights(self.settings.weights, cell.algo, cell.backbone, cell.level)
        if own is not None:
            file, table = split_table(own)
            inputs["weights_file_sha256"] = self._hash([file])
            inputs |= {"weights_table": table} if table else {}
        return Identity(cell, track.version, self._rooms(cell, track), inputs)

    def _rooms(self, cell: Cell, track: Track) -> dict[str, str]:
        """What the cell runs through: the track, the methods, the backbone; the task and weights where it asks them."""
        keys = (cell.algo, *getattr(track, "companions", ()))
        found = [self.registry.algorithms[key] for key in keys if key in self.registry.algorithms]
        roots = [type(track).__module__, *map(_root, found)]
        if cell.backbone in self.registry.backbones:
            roots.append(self.registry.backbones[cell.backbone].module)
        without = track.without(cell, self.settings) if hasattr(track, "without") else ()
        key = "|".join((*roots, *without, cell.task))
        if key not in self._closures:
            files = self.sources.files(roots, without)
            more = [f"bench.tasks.{cell.task}"] if "bench.tasks" in files else []
            rooms = self.sources.rooms([*roots, *more], without)
            if RUNTIME in files:
                rooms[NATIVE] = self._hash([ROOT / NATIVE])
            self._closures[key] = rooms, WEIGHTS in files
        rooms, weighs = self._closures[key]
        return rooms | ({"weights": self._weights(found[0], cell)} if weighs else {})

    def _weights(self, found: Found, cell: Cell) -> str:
        """Of the weights that come with a method, those that the cell may take."""
        folder = (found.source if found.source.is_dir() else found.source.parent) / "weights"
        return self._hash(sorted(folder.glob(f"{cell.algo}.{cell.backbone}.{cell.level}.*.safetensors")))

    def provenance(self, identity: Identity, outcome: Outcome, conditions: Conditions | None = None) -> Provenance:
        """The provenance of a measurement that has just ended."""
        protocol = identity.settings.get("protocol")
        return Provenance(
            utc=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=self.git[0],
            dirty=self.git[1],
            version=version_of("bisrbench") or "not installed",
            track_version=identity.track_version,
            protocol=None if protocol is None else str(protocol),
            adapter_sha256=identity.adapter_sha256,
            native_sha256=identity.native_sha256,
            rooms=identity.rooms,
            weights_sha256=outcome.weights_sha256,
            dataset_sha256=outcome.dataset_sha256,
            seed=self.settings.seed,
            device=self.settings.device,
            threads=self.settings.threads,
            isa=self.isa,
            packages=self.packages,
            machine=self.machine,
            settings=identity.settings,
            conditions=conditions,
            card=_note(self.registry.algorithms[identity.cell.algo]),
            fingerprint=identity.fingerprint,
        )

    def _hash(self, paths: list[Path]) -> str:
        name = "|".join(map(str, paths))
        if name not in self._hashes:
            self._hashes[name] = hash_files(paths)
        return self._hashes[name]


def _note(found: Found) -> CardNote | None:
    """A user's own class in a few words; no folder names, which are nobody's business."""
    if not found.own:
        return None
    target, _, name = found.card.adapter.rpartition(":")
    adapter = f"{Path(target).name if target.endswith('.py') else target}:{name}"
    facts = {key: getattr(found.card, key) for key in CardNote.model_fields if key != "adapter"}
    return CardNote(adapter=adapter, **facts)


def _root(found: Found) -> str:
    """The module or file of the adapter. Raises UserError when there is none."""
    module = found.card.adapter.rpartition(":")[0]
    if not module.endswith(".py") and importlib.util.find_spec(module) is None:
        raise UserError(f"{found.origin}: its adapter's module {module} does not exist. Correct CARD.adapter.")
    return module


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 over names (relative to each path) and contents of files, folders taken whole without build products.

    Raises:
        UserError: a path does not exist or cannot be read.
    """
    digest = hashlib.sha256()
    for root in paths:
        try:
            for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
                if file.is_dir() or str(file).endswith(_NOT_CONTENT) or "__pycache__" in file.parts:
                    continue
                name = file.relative_to(root).as_posix()
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{name}\0{content}\n".encode())
        except OSError as error:
            what = f"{error.filename or root} cannot be read ({error.strerror})"
            raise UserError(f"{what}. Give an existing file.") from None
    return digest.hexdigest()
