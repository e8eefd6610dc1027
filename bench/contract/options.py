"""Options of a track (``--set track.option=value``): each has a kind, and is read in one way only."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bench.contract.errors import UserError
from bench.contract.names import comma_separated
from bench.contract.settings import Settings

Kind = Callable[[str], Any]
"""Text -> value. Raises ValueError whose message says what is expected."""


@dataclass(frozen=True)
class Option:
    """What a track may be told besides its cells."""

    help: str
    kind: Kind
    default: Any

    def __str__(self) -> str:
        return self.help


def switch(text: str) -> bool:
    """``true`` or ``false``."""
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number, 1 or more")
    return int(text)


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ValueError("a number above 0")
    return value


def size(text: str) -> tuple[int, int]:
    """``WIDTHxHEIGHT`` in pixels."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise ValueError("WIDTHxHEIGHT in pixels, e.g. 320x180")
    return int(match[1]), int(match[2])


def names(text: str) -> list[str]:
    """``a, b`` -> ["a", "b"]."""
    return comma_separated(text)


def one_of(*choices: str) -> Kind:
    """One of a few words."""

    def kind(text: str) -> str:
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text

    return kind


class _HasOptions(Protocol):
    name: str
    options: Mapping[str, Option]


class Options:
    """The options of one track under some settings, by name. `UserError` for a value of another kind."""

    def __init__(self, track: _HasOptions, settings: Settings) -> None:
        self.track, self.extra = track, settings.extra

    def __getitem__(self, name: str) -> Any:
        key, option = f"{self.track.name}.{name}", self.track.options[name]
        return read(key, option, self.extra[key]) if key in self.extra else option.default

    def check(self) -> None:
        """Raise `UserError` for the first value of another kind."""
        for name in self.track.options:
            _ = self[name]


def read(key: str, option: Option, value: Any) -> Any:
    """The value of an option from its text, or from what a program gave in the text's place."""
    text = as_text(value)
    try:
        return option.kind(text)
    except ValueError as error:
        raise UserError(f"--set {key}={text}: expected {error}.") from None


def as_text(value: Any) -> str:
    """A value as ``--set`` takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
