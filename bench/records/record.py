"""The record of one cell: what a result file may hold, and how strictly it is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, ValidationError, model_validator

from bench.contract import KEY_PATTERN, Better, Cell, Metric, Outcome, UserError
from bench.contract.text import as_unicode
from bench.records.conditions import Conditions
from bench.records.earlier_schemas import SCHEMA, upgraded
from bench.records.plausible import contradictions

Status = Literal["ok", "unsupported", "failed"]
Damage = Literal["damaged", "misplaced", "future"]


class RecordError(UserError):
    """A result file that cannot be trusted. ``damage`` and ``what`` say in which way, ``path`` which file."""

    def __init__(self, damage: Damage, path: Path, what: str, then: str) -> None:
        super().__init__(f"{path}: {what}. {then}")
        self.damage: Damage = damage
        self.path = path
        self.what = what


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def check_cell(cell: Any) -> Any:
    """Raise ValueError unless the names in a cell (or its JSON) can safely become part of a path."""
    values = asdict(cell) if isinstance(cell, Cell) else cell
    expected = {item.name for item in fields(Cell)}
    if not isinstance(values, dict) or set(values) != expected:
        raise ValueError(f"a cell has exactly the fields {', '.join(sorted(expected))}")
    for name in ("track", "algo", "backbone", "level", "case", "task"):
        if not isinstance(values[name], str) or not KEY_PATTERN.fullmatch(values[name]):
            raise ValueError(f"{name} {values[name]!r}: expected lower-case letters, digits, '_', '+' or '-'")
    return cell


class Measured(_Strict):
    """One metric's value with all that a table needs to print it without importing the track."""

    value: float
    unit: str
    better: Better
    title: str = ""
    help: str = ""
    digits: int = 2


class Machine(_Strict):
    """The computer, as far as it explains a number. No host or user names."""

    id: str
    """Short slug, also the folder of machine-bound records."""
    cpu: str
    cores: int
    arch: str
    system: str


class CardNote(_Strict):
    """What later readers need to know of an algorithm that only its user has."""

    name: str
    adapter: str
    """``my_algo.py:MyAlgo`` without folders, or ``package.module:Class``."""
    bits_w: int
    bits_a: int
    bases: int
    family: str = ""
    provenance: str = ""
    url: str = ""


class Provenance(_Strict):
    """Where a number comes from: enough to repeat it, and to notice that it went stale."""

    utc: str
    """When the measurement finished, ISO 8601, whole seconds."""
    commit: str | None
    """Git commit of the program; None outside a git checkout."""
    dirty: bool | None
    """True when the checkout had uncommitted changes; None outside a git checkout."""
    version: str
    """Version of the installed package."""
    track_version: int
    protocol: str | None = None
    """Named protocol of image scores, e.g. ``sr-y-v1``, when the track states one among its inputs."""
    adapter_sha256: str
    """Hash over all code that the cell runs through but the packed runtime's."""
    native_sha256: str | None = None
    """Hash over the packed runtime's sources; None where the cell does not run them."""
    rooms: dict[str, str] = {}
    """Room of the program -> hash over its files that the cell runs through; empty in records of earlier programs."""
    weights_sha256: str | None = None
    dataset_sha256: str | None = None
    seed: int
    device: str
    threads: int
    isa: list[str]
    """SIMD extensions of the CPU that matter to the kernels."""
    packages: dict[str, str]
    machine: Machine
    settings: dict[str, JsonValue]
    """What the track named as deciding this cell's numbers."""
    conditions: Conditions | None = None
    """Under what a timing was taken; None for numbers that no machine changes, and in records of earlier programs."""
    card: CardNote | None = None
    """The algorithm's card where its key does not lead to it (a user's own class); then only is it in the file."""
    fingerprint: str
    """Hash over everything that decides the numbers; equal fingerprints need no second measurement."""


class Record(_Strict):
    """One cell's result. Identity is `relative_path`; the file additionally holds a hash over its content."""

    schema_version: int = SCHEMA
    cell: Annotated[Cell, BeforeValidator(check_cell)]
    origin: Literal["measured", "published"] = "measured"
    status: Status
    reason: str = ""
    """Why there are no numbers; empty exactly when the status is ok."""
    machine_bound: bool
    metrics: dict[str, Measured] = {}
    samples: dict[str, list[float]] = {}
    flags: list[str] = []
    details: dict[str, JsonValue] = {}
    kernels: dict[str, str] = {}
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Record:
        if self.schema_version != SCHEMA:
            raise ValueError(f"schema_version {self.schema_version}, expected {SCHEMA}")
        if (self.status == "ok") == bool(self.reason):
            raise ValueError(f"status {self.status!r} with reason {self.reason!r}: a reason is for what has no result")
        if self.status != "ok" and self.metrics:
            raise ValueError(f"status {self.status!r} cannot carry metrics")
        return self

    @property
    def relative_path(self) -> Path:
        """Path inside a store: ``<machine|any>/<track>/<algo>.<backbone>.<level>.<case>[.s<seed>].json``."""
        machine = self.provenance.machine.id if self.machine_bound else None
        return relative_path(self.cell, machine, self.provenance.seed)


def relative_path(cell: Cell, machine: str | None, seed: int = 0) -> Path:
    """Where a cell's record lies inside a store; ``machine`` is None for tracks that are not machine-bound.

    Every seed has a file of its own, so that one never takes another's place; seed 0 is not named.
    """
    return Path(machine or "any") / cell.track / f"{cell.name}{f'.s{seed}' if seed else ''}.json"


def canonical(value: Any) -> str:
    """The one JSON text of a value, for hashing. Raises ValueError on NaN, TypeError on what is not JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(value: Any) -> str:
    """Hash of a JSON value's canonical text."""
    return hashlib.sha256(canonical(value).encode(errors="surrogatepass")).hexdigest()


def measured(outcome: Outcome, metrics: tuple[Metric, ...]) -> dict[str, Measured]:
    """The outcome's values joined with the track's declarations, in the track's order.

    Raises:
        ValueError: a value that the track does not declare, or that is not finite.
    """
    declared = {metric.key: metric for metric in metrics}
    if undeclared := sorted(set(outcome.metrics) - set(declared)):
        raise ValueError(f"the track gave values that it does not declare: {', '.join(undeclared)}")
    values = {key: float(outcome.metrics[key]) for key in declared if key in outcome.metrics}
    if endless := sorted(key for key, value in values.items() if not isfinite(value)):
        raise ValueError(f"not a finite number: {', '.join(endless)}. Leave out what is unknown")
    return {key: Measured(value=value, **_printing(declared[key])) for key, value in values.items()}


def _printing(metric: Metric) -> dict[str, Any]:
    return {name: value for name, value in asdict(metric).items() if name != "key"}


def to_text(record: Record) -> str:
    """The file's text: indented JSON whose last entry is the hash over all others."""
    content = as_unicode(record.model_dump(mode="json"))
    for name in ("card", "conditions"):
        if content["provenance"][name] is None:
            del content["provenance"][name]  # readable for earlier programs, which know no such entry
    return json.dumps({**content, "sha256": sha256(content)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_text(text: str, path: Path) -> Record:
    """Read a record strictly. ``path`` is where it lies: its last three parts must match its cell.

    Raises:
        RecordError: cut short, edited, of a later schema, contradicting itself, or in the wrong place.
    """
    again = "Run the same command again: the file is set aside as *.damaged and the cell measured anew"
    try:
        content = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RecordError("damaged", path, f"not a complete JSON record ({error})", again) from None
    if not isinstance(content, dict) or type(content.get("schema_version")) is not int:
        raise RecordError("damaged", path, "not a record: no schema_version", again)
    if content["schema_version"] > SCHEMA:
        then = "Update this program, or choose another folder with --out"
        what = f"written by a later version (schema {content['schema_version']}, this program reads {SCHEMA})"
        raise RecordError("future", path, what, then)
    if content != as_unicode(content):
        raise RecordError("damaged", path, "holds text that is no Unicode (a lone surrogate)", again)
    if content.pop("sha256", None) != sha256(content):
        raise RecordError("damaged", path, "changed after it was written (its hash does not match)", again)
    try:
        record = Record.model_validate(upgraded(content))
    except ValidationError as error:
        raise RecordError("damaged", path, f"not a valid record ({_first(error)})", again) from None
    figures = {name: metric.value for name, metric in record.metrics.items()}
    if wrong := contradictions(figures, record.samples):
        raise RecordError("damaged", path, f"its figures contradict each other ({wrong[0]})", again)
    if path.parts[-3:] != record.relative_path.parts:
        then = f"Move it to {record.relative_path} inside its store, or delete it"
        raise RecordError("misplaced", path, f"holds the record of {record.cell}, in the wrong place", then)
    return record


def _refuse(constant: str) -> Mapping[str, Any]:
    raise ValueError(f"{constant} is not allowed")


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'record'}: {problem['msg']}"
