"""What is known of a method before its code is imported. Standard library only, so importing a card costs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bench.contract.errors import UserError

KEY_PATTERN = re.compile(r"[a-z0-9][a-z0-9_+-]{0,39}")
"""What a key may look like: it becomes a folder name, a file name and an HTML id."""


@dataclass(frozen=True)
class Card:
    """What is known about an algorithm before any of its code is imported."""

    key: str
    """Identity, e.g. ``frb``; also the folder's name. Matches `KEY_PATTERN`."""
    name: str
    """Name as printed in tables, e.g. ``FRB``."""
    adapter: str
    """``module:Class`` of the adapter, imported only when the algorithm is selected."""
    bits_w: int
    """Weight bits of the layers it quantizes; 32 for full precision."""
    bits_a: int
    """Activation bits of the layers it quantizes; 32 for full precision."""
    bases: int = 1
    """Binary bases per weight: a weight takes at most 2**(bits_w * bases) values per output channel."""
    paper: str = ""
    """Citation: authors, title, venue."""
    year: int | None = None
    url: str = ""
    provenance: str = ""
    """How sure the facts are: official code, paper only, or our interpretation; and the reading chosen."""
    start: str = ""
    """How its latent weights begin in its own code, and where that stands; empty when nothing is known."""
    printed_of: str = ""
    """Key of the method whose paper's own start and image range this entry has; it stands beside that method as what
    the paper printed, and in no ranking."""
    rebuilt: bool = False
    """True for our reconstruction of a row that tables print, rather than of a method; it counts in no comparison of
    orders."""
    backbone_free: bool = False
    """True for a method that is no network (bicubic): its cells carry the backbone ``none``."""
    family: str = ""
    """Group for filters: ``reference``, ``binary``, ``low-bit``."""
    formula: str = ""
    """Forward rule of the weight and activation quantizers in one line of plain text."""
    convention: str = "bbcu"
    """Name of the counting rule its paper follows (see bench/nn/conventions.py)."""
    deploy: Mapping[str, str] = field(default_factory=dict)
    """Runtime name -> why it cannot deploy the method; an empty text means that it can."""
    xfail: Mapping[str, str] = field(default_factory=dict)
    """Conformance check -> reason why it is known to fail (strict: it must then fail)."""

    def __post_init__(self) -> None:
        if not KEY_PATTERN.fullmatch(self.key):
            raise UserError(
                f"card key {self.key!r} is not allowed: expected lower-case letters, digits, '_', '+' or '-' "
                "(at most 40, no path). Rename the algorithm's folder and its CARD.key."
            )
        object.__setattr__(self, "deploy", MappingProxyType(dict(self.deploy)))
        object.__setattr__(self, "xfail", MappingProxyType(dict(self.xfail)))

    def as_printed(self, adapter: str) -> Card:
        """The card of this method begun as in its own paper; ``adapter`` names a class with ``as_printed`` set."""
        return replace(
            self,
            key=f"{self.key}_printed",
            name=f"{self.name}, as printed",
            adapter=adapter,
            printed_of=self.key,
            provenance=f"{self.provenance}. Latents and image range begin as in its own code, not on equal footing",
        )

    @property
    def full_precision(self) -> bool:
        return self.bits_w == 32 and self.bits_a == 32
