"""What experiments of ours say of the causes of a finding, read strictly from ``results/experiments.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Set as AbstractSet
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.contract import UserError

FILE = Path(__file__).parents[2] / "results" / "experiments.toml"


class Experiment(BaseModel):
    """One experiment on why two methods stand as they do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    methods: tuple[str, str]
    """Keys of the pair."""
    backbone: str
    scale: int
    tried: str = Field(min_length=1)
    """What was changed, with budget and seeds."""
    found: str = Field(min_length=1)
    """What came out, with figures, and what it does not show."""
    where: str = Field(min_length=1)
    """Where it can be read up."""

    def about(self, pair: AbstractSet[str], backbone: str, scale: int) -> bool:
        return {*self.methods} == {*pair} and (self.backbone, self.scale) == (backbone, scale)


def load_experiments(file: Path = FILE) -> tuple[Experiment, ...]:
    """All experiments, in the file's order. Raises `UserError` naming the first entry that breaks the schema."""
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("experiment", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}). Restore it from the repository.") from error
    found = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(Experiment(**entry))
        except (ValidationError, TypeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            place = ".".join(map(str, first["loc"])) or "entry"
            raise UserError(f"{file}, experiment {number}, {place}: {first['msg']}. Correct the entry.") from error
    return tuple(found)
