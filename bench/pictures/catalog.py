"""The test sets by name. Standard library only."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from bench.contract import UserError

DATA_VARIABLE = "BISRBENCH_DATA"
"""Environment variable that the command line reads where no data root is given."""


@dataclass(frozen=True)
class SetInfo:
    """What is known about a test set before any file is read."""

    key: str
    name: str
    """As printed, and the folder's usual name."""
    pictures: int
    aliases: tuple[str, ...] = ()
    """Other folder names; case does not matter."""
    source: str = ""
    """Paper and home page."""
    how_to_get: str = ""
    """Where a user finds it."""
    fetchable: bool = True
    """False where the set's terms forbid it, or there is nothing to fetch."""


_SELF_EX_SR = (
    "The repository github.com/jbhuang0604/SelfExSR holds Set5, Set14, BSD100 and Urban100 under data/; that folder "
    "works as a data root as it is."
)

SETS: dict[str, SetInfo] = {
    info.key: info
    for info in (
        SetInfo("set5", "Set5", 5, (), "Bevilacqua et al., BMVC 2012", _SELF_EX_SR),
        SetInfo("set14", "Set14", 14, (), "Zeyde et al., Curves and Surfaces 2010", _SELF_EX_SR),
        SetInfo("b100", "B100", 100, ("BSD100", "BSDS100"), "Martin et al., ICCV 2001, test part", _SELF_EX_SR),
        SetInfo("urban100", "Urban100", 100, (), "Huang et al., CVPR 2015", _SELF_EX_SR),
        SetInfo(
            "manga109",
            "Manga109",
            109,
            (),
            "Matsui et al., Multimedia Tools and Applications 2017",
            "Its terms forbid passing the pictures on, so it is never fetched here. Ask for it at www.manga109.org, "
            "then put the 109 pictures into Manga109/HR under the data root.",
            fetchable=False,
        ),
        SetInfo("sample", "sample", 5, (), "photographs that scikit-image ships", "It is always there.", False),
    )
}


def resolve(name: str) -> SetInfo:
    """The set of that name or alias, whatever its case. Raises `UserError` for an unknown one."""
    known = {alias.lower(): info for info in SETS.values() for alias in (info.key, info.name, *info.aliases)}
    info = known.get(name.strip().lower())
    if info is None:
        near = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f" Did you mean {known[near[0]].key!r}?" if near else ""
        raise UserError(f"unknown data set {name!r}.{hint} Known: {', '.join(SETS)}.")
    return info
