"""Public names of a network's parameters, and how a table of them becomes the project's own.

A `Naming` is a table from the project's names to somebody else's. It is chosen by how many of its names a file holds,
and then checked in full: every parameter must be there in its shape, and nothing may be left but what the table itself
declares to be computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.contract import UserError

Tensors = Mapping[str, Tensor]
COUNTER = "num_batches_tracked"
"""Batch normalisation's counter, which evaluation does not use and old files lack"""


@dataclass(frozen=True)
class Naming:
    """Somebody else's names for the parameters of a backbone or a method."""

    title: str
    """Whose names they are, e.g. ``EDSR-PyTorch``"""
    rules: tuple[tuple[str, str], ...]
    """(ours, theirs), the first that fits is taken. A rule names a parameter, or a module and so each of its
    parameters; ``{i}`` stands for a number. ``=1`` in place of theirs: they lack this entry, which then is 1."""
    computed: tuple[str, ...] = ()
    """Their entries that are computed or stored twice, left aside; ``{i}`` as above, a module or a parameter."""
    convert: Callable[[Tensors], dict[str, Tensor]] | None = None
    """Changes their tensors before they are renamed, where a value is not the same but can be worked out. Raises
    UserError where it cannot."""

    def theirs(self, name: str) -> str | None:
        """Their name of our parameter ``name``; None where the table has none."""
        for ours, theirs in self.rules:
            for whole, leaf in ((name, ""), name.rpartition(".")[::2]):
                if match := _pattern(ours).fullmatch(whole):
                    return theirs.format(**match.groupdict()) + (f".{leaf}" if leaf else "")
        return None

    def is_computed(self, name: str) -> bool:
        """Is their entry ``name`` left aside?"""
        return any(
            _pattern(pattern).fullmatch(part) for pattern in self.computed for part in (name, name.rpartition(".")[0])
        )

    def rename(self, state: Tensors) -> dict[str, Tensor]:
        """A state of ours under their names, values unchanged. Raises KeyError for a parameter without a name."""
        names = {name: self.theirs(name) for name in state}
        if lacking := [name for name, theirs in names.items() if theirs is None]:
            raise KeyError(f"{self.title} has no name for {lacking[0]}")
        return {theirs: state[name] for name, theirs in names.items() if theirs and not theirs.startswith("=")}


OWN = Naming("this project's", (("{name}", "{name}"),))


@dataclass(frozen=True)
class Fit:
    """How a table of tensors fits a network, read in one naming."""

    naming: Naming
    state: dict[str, Tensor]
    """The network's state, as far as it was found"""
    problems: tuple[str, ...]
    """What does not fit, in the file's names; empty where all does"""
    left_aside: tuple[str, ...] = ()
    """Entries that were not needed: computed, or stored twice"""
    share: float = 0.0
    """Share of the network's parameters that the file has by name, 0 to 1"""


def fit(expected: Tensors, found: Tensors, namings: Iterable[Naming] = ()) -> Fit:
    """Read ``found`` as the state ``expected`` in the project's own names, or in that of the ``namings`` which names
    most of it. ``expected`` may lie on the meta device."""
    fits = [_fit(naming, expected, found) for naming in (OWN, *namings)]
    return max((one for one in fits if one is not None), key=lambda one: (one.share, -len(one.problems)))


def _fit(naming: Naming, expected: Tensors, found: Tensors) -> Fit | None:
    names = {name: naming.theirs(name) for name in expected}
    if None in names.values():
        return None
    wanted = {theirs for theirs in names.values() if not theirs.startswith("=")}
    share = len(wanted & found.keys()) / max(1, len(wanted))
    state: dict[str, Tensor] = {}
    problems = []
    tensors = dict(found)
    if naming.convert is not None and share == 1:
        try:
            tensors = naming.convert(found)
        except UserError as error:
            problems.append(str(error))
    for name, value in expected.items():
        theirs = names[name]
        if theirs.startswith("="):
            state[name] = torch.full(value.shape, float(theirs[1:])).to(value.dtype)
        elif theirs not in tensors and theirs.endswith(COUNTER):
            state[name] = torch.zeros(value.shape, dtype=value.dtype)
        elif theirs not in tensors:
            problems.append(f"{theirs}: missing, expected {tuple(value.shape)}")
        elif not _same_shape(tensors[theirs], value, naming is not OWN):
            problems.append(f"{theirs}: got {tuple(tensors[theirs].shape)}, expected {tuple(value.shape)}")
        else:
            state[name] = tensors[theirs].reshape(value.shape).to(value.dtype)
    rest = [name for name in tensors if name not in wanted]
    aside = [name for name in rest if naming.is_computed(name)]
    problems += [f"{name}: got {tuple(tensors[name].shape)}, expected none" for name in rest if name not in aside]
    return Fit(naming, state, tuple(problems), tuple(aside), share)


def _same_shape(got: Tensor, expected: Tensor, loosely: bool) -> bool:
    """Equal; ``loosely``, dimensions of size 1 do not count: many write (1, C, 1, 1) for a number a channel."""
    shapes = (got.shape, expected.shape)
    return shapes[0] == shapes[1] or (loosely and len({tuple(n for n in shape if n != 1) for shape in shapes}) == 1)


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _pattern(rule: str) -> re.Pattern[str]:
    if rule not in _PATTERNS:
        parts: Sequence[str] = re.split(r"(\{\w+\})", rule)
        texts = [
            re.escape(part) if part[:1] != "{" else f"(?P<{part[1:-1]}>{'.+' if part == '{name}' else r'[0-9]+'})"
            for part in parts
        ]
        _PATTERNS[rule] = re.compile("".join(texts))
    return _PATTERNS[rule]


def within(blocks: str, theirs: str, *pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Rules that share their beginnings: ``within("body.{i}", "layers.{i}", ("conv1", "conv.0"))``."""
    return tuple((f"{blocks}.{a}", f"{theirs}.{b}") for a, b in pairs)
