"""A part of a grid, for a machine of its own: every machine that is given the same command deals the same parts."""

from __future__ import annotations

import argparse
import difflib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.contract.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Part ``number`` of ``of``, or the members called ``names``; by itself, the whole."""

    number: int = 1
    of: int = 1
    names: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return self.of == 1 and not self.names

    def take(self, items: Sequence[T], name: Callable[[T], str]) -> list[T]:
        """Those of ``items`` that belong to this part, in the order of ``items``.

        Members are dealt out one by one in the order of a hash of their names, so that parts are equally long, no part
        gets all that is slow, and the order in which the user typed lists changes nothing.

        Raises:
            UserError: a name that none of ``items`` has; the nearest is offered.
        """
        by_name = {name(item): item for item in items}
        for wanted in self.names:
            if wanted not in by_name:
                near = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0.4)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise UserError(f"--cell {wanted}: none of the {len(by_name)} selected cells.{hint} See --dry-run.")
        dealt = sorted(by_name, key=lambda text: hashlib.sha256(text.encode()).digest())[self.number - 1 :: self.of]
        mine = {*dealt} & ({*self.names} or {*dealt})
        return [item for text, item in by_name.items() if text in mine]

    def __str__(self) -> str:
        return ", ".join(self.names) or f"part {self.number} of {self.of}"


WHOLE = Part()


def part_of(flags: argparse.Namespace) -> Part:
    """What ``--cells I/N`` and ``--cell NAME`` say."""
    number, of = flags.cells or (1, 1)
    return Part(number, of, tuple(flags.cell))


def fraction(text: str) -> tuple[int, int]:
    """``3/8`` -> (3, 8): the third of eight parts (an argparse type)."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected I/N with I from 1 to N, e.g. 3/8 for the third of eight")
    return int(number), int(of)
