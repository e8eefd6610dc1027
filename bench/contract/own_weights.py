"""Which of the user's weights files belongs to which network: ``fp32=FILE``, ``fp32@edsr=FILE``, ``fp32@edsr.x2=FILE``.

A file may hold several tables of weights; ``FILE#TABLE`` names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def own_weights(weights: Mapping[str, Path], algo: str, backbone: str, level: str) -> Path | None:
    """The file of a network: one that names backbone and level (``x2``) before one for the whole method."""
    names = (f"{algo}@{backbone}.{level}", f"{algo}@{backbone}", f"{algo}@{level}", algo)
    return next((weights[name] for name in names if name in weights), None)


def split_target(target: str) -> tuple[str, str, str]:
    """(method, backbone, ``x2``) of ``fp32@edsr.x2``; what is not named is empty."""
    algo, _, rest = target.partition("@")
    if rest[:1].isalpha() and rest[1:].isdecimal():
        return algo, "", rest
    backbone, _, level = rest.partition(".")
    return algo, backbone, level


def split_table(path: Path) -> tuple[Path, str]:
    """(file, table) of ``FILE#TABLE``; a file of that very name comes first. Without a table it is empty."""
    text = str(path)
    ends = [] if path.exists() else [end for end, char in enumerate(text) if char == "#"]
    found = next((end for end in ends if Path(text[:end]).is_file()), None)
    return (path, "") if found is None else (Path(text[:found]), text[found + 1 :])
