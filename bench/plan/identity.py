"""Where numbers come from: the program, the method's files, the machine. No torch, no host or user names."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.contract import Cell, Outcome, Settings, Track, UserError
from bench.plan.discover import Found, Registry
from bench.records.machine import ROOT, cpu_isa, git_state, this_machine, version_of, versions
from bench.records.record import CardNote, Machine, Provenance, Record, sha256

_NOT_CONTENT = ("__pycache__", ".so", ".pyc")


@dataclass(frozen=True)
class Identity:
    """Everything that decides the numbers of a cell. Equal identities need no second measurement."""

    cell: Cell
    track_version: int
    adapter_sha256: str
    native_sha256: str | None
    settings: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        cell, *rest = (self.cell, self.track_version, self.adapter_sha256, self.native_sha256, self.settings)
        return sha256([str(cell), *rest])

    def differences(self, record: Record) -> list[str]:
        """What changed since the record was made, in words; empty when its numbers still hold."""
        made = record.provenance
        if made.fingerprint == self.fingerprint:
            return []
        pairs = {
            f"track version {made.track_version} -> {self.track_version}": made.track_version != self.track_version,
            "the algorithm's code or the shared network code changed": made.adapter_sha256 != self.adapter_sha256,
            "the packed runtime's code changed": made.native_sha256 != self.native_sha256,
        }
        old, new = made.settings, self.settings
        changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        settings = [f"{name} {_short(old.get(name))} -> {_short(new.get(name))}" for name in changed]
        return [text for text, differs in pairs.items() if differs] + settings or ["its fingerprint differs"]


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
    _hashes: dict[str, str] = field(default_factory=dict)

    def identity(self, cell: Cell, track: Track) -> Identity:
        """What decides this cell's numbers now.

        Raises:
            UserError: a named weights file is missing, or what the track itself finds wrong with its settings.
        """
        inputs = dict(track.inputs(cell, self.settings))
        if cell.algo in self.settings.weights:
            inputs["weights_file_sha256"] = self._hash([self.settings.weights[cell.algo]])
        adapter = self._hash([*_sources(self.registry.algorithms[cell.algo]), ROOT / "bench/layer", ROOT / "bench/nn"])
        native = self._hash([ROOT / "bench/layer", ROOT / "bench/packed"]) if track.machine_bound else None
        return Identity(cell, track.version, adapter, native, inputs)

    def provenance(self, identity: Identity, outcome: Outcome) -> Provenance:
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
            weights_sha256=outcome.weights_sha256,
            dataset_sha256=outcome.dataset_sha256,
            seed=self.settings.seed,
            device=self.settings.device,
            threads=self.settings.threads,
            isa=self.isa,
            packages=self.packages,
            machine=self.machine,
            settings=identity.settings,
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


def _sources(found: Found) -> list[Path]:
    """The method's own folder or file, and its adapter's when that lies elsewhere (an installed package)."""
    module = found.card.adapter.rpartition(":")[0]
    if module.endswith(".py"):
        return [found.source]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UserError(f"{found.origin}: its adapter's module {module} does not exist. Correct CARD.adapter.")
    adapter = Path(spec.origin).parent if spec.parent else Path(spec.origin)
    return sorted({found.source, adapter})


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
