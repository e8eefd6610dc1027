"""A file of weights as a table of tensors: wrappers opened, prefixes taken off, what is no such file refused.

Read are safetensors and PyTorch files that hold tensors, whatever their suffix. No code in a file is run.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from bench.contract import UserError
from bench.contract.own_weights import split_table
from bench.contract.text import printable
from bench.nn.weight_storage import expand

PREFERRED = ("params_ema", "state_dict_ema", "model_ema", "ema", "params", "state_dict", "model", "net", "network")
"""Tables that a file may hold, the first that is there is taken: averaged weights before the last iteration's."""
PREFIXES = ("module", "model", "net", "network", "netG", "net_g", "generator", "student", "_orig_mod", "ema_model")
"""First parts of names, by which a network is told from the other modules of a training (losses, teachers)."""
DEEPEST = 4
"""Tables within tables are looked for so far down."""
LARGEST_HEADER = 100_000_000
"""Bytes of a safetensors header; the format allows no more."""
HARMLESS = [argparse.Namespace]
"""Classes beside tensors that trainings store and that run nothing."""


@dataclass(frozen=True)
class WeightsTable:
    """The tensors of a file, float32, and what was done to get them."""

    tensors: dict[str, Tensor]
    table: str = ""
    """Where in the file they lay: ``params_ema``, ``state_dict/params``; empty where the file is the table"""
    others: tuple[str, ...] = ()
    """Other tables in the file, not taken"""
    prefix: str = ""
    """What every name began with, e.g. ``module.``"""
    dropped: tuple[str, ...] = ()
    """Names of other modules beside the network's, left aside"""
    kinds: tuple[str, ...] = ()
    """Number types that became float32, e.g. ``float16``"""
    longer: tuple[dict[str, Tensor], ...] = field(default=(), repr=False)
    """The table with less of the prefix taken off, for networks whose own names begin alike"""

    def remarks(self) -> list[str]:
        """What a user should know about the reading, a sentence each."""
        told = [f"The table {printable(self.table)!r} was taken" if self.table else ""]
        if self.others:
            names = ", ".join(repr(printable(name)) for name in self.others)
            told[0] += f", not {names}; choose with FILE#TABLE"
        told += [f"{self.prefix!r} was taken off, unless the network's own names begin so"] if self.prefix else []
        told += [f"{len(self.dropped)} tensors of other modules were left aside"] if self.dropped else []
        told += [f"{kind} became float32" for kind in self.kinds]
        return [f"{sentence}." for sentence in told if sentence]


def read_weights(path: Path) -> WeightsTable:
    """The weights in a file; ``FILE#TABLE`` names one of several tables.

    Raises UserError: missing, no file of tensors, cut off, holding code, or NaN, or nothing but constants; or a table
    that is not there, or several of which none is preferred.
    """
    file, wanted = split_table(path)
    found = _opened(file)
    table, others = ("", ()) if not found[1] else _choose(file, found[1], wanted)
    stored = found[1][table] if found[1] else found[0]
    kinds = sorted({str(v.dtype)[6:] for v in stored.values() if v.is_floating_point() and v.dtype != torch.float32})
    whole = expand({name: value.float() if value.is_floating_point() else value for name, value in stored.items()})
    _check_values(file, whole)
    tensors, prefix, dropped, longer = _without_prefix(whole)
    return WeightsTable(tensors, table, others, prefix, dropped, tuple(kinds), longer)


def _opened(file: Path) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """(the file's own table, or else tables by where they lie)."""
    start, size = _start(file)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < LARGEST_HEADER:
        return _safetensors(file, size, int.from_bytes(start[:8], "little")), {}
    if start[:2] == b"PK" or start[:1] == b"\x80":
        content = _pickle(file, zipped=start[:2] == b"PK")
        tables = dict(_tables(content))
        return (tables[""], {}) if "" in tables else ({}, _nonempty(file, tables))
    raise UserError(f"{file} holds no weights: {_what(start, size)}. Expected a .safetensors or PyTorch file.")


def _start(file: Path) -> tuple[bytes, int]:
    if file.is_dir():
        raise UserError(f"{file} is a folder. Give the weights file inside it.")
    try:
        with file.open("rb") as stream:
            return stream.read(512), file.stat().st_size
    except FileNotFoundError:
        raise UserError(f"no weights file at {file}. Give an existing .safetensors or PyTorch file.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}). Give a file that can.") from None


def _what(start: bytes, size: int) -> str:
    """In words, what a file is instead."""
    text = start.lstrip().lower()
    if not size:
        return "it is empty; get it again"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "it is a web page, as a download link gives instead of the file; get the file itself"
    if text.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS; get the file itself, with git lfs pull"
    header = int.from_bytes(start[:8], "little")
    if start[8:9] == b"{":
        return f"its header claims {header} bytes, of {size} in the file and {LARGEST_HEADER} allowed"
    return "it begins like no such file"


def _safetensors(file: Path, size: int, header: int) -> dict[str, Tensor]:
    if header + 8 > size:
        raise UserError(f"{file} is cut off: its header alone takes {header} bytes, the file has {size}. Get it again.")
    try:
        return load(file.read_bytes())
    except SafetensorError as error:
        raise UserError(
            f"{file} is cut off or damaged: not a readable safetensors file ({printable(str(error))}). Get it again."
        ) from None


def _pickle(file: Path, zipped: bool) -> Any:
    if zipped and b"PK\x05\x06" not in _end(file):
        raise UserError(f"{file} is cut off: the end of its archive is missing. Get it again.")
    try:
        # The open file, not its name: by a name's suffix torch decides what is in it.
        with torch.serialization.safe_globals(HARMLESS), file.open("rb") as stream:
            return torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever damaged bytes lead it to
        raise UserError(f"{file} was refused: {_refusal(str(error))}") from None


def _end(file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 70_000))
        return stream.read()


def _refusal(text: str) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", text) or re.search(r"\b(?:class|function) ([\w.]+)", text)
    if named or "unsupported" in text.lower():
        what = f"it asks for {named[1]}, " if named else "it asks for "
        return (
            f"{what}which is code and no tensor. A pickle can run any program, so only tensors are loaded. Where you "
            "trust its source, save its table of tensors alone: "
            "safetensors.torch.save_file(torch.load(FILE, weights_only=False)[TABLE], 'weights.safetensors')."
        )
    return f"it is damaged or no file of tensors ({printable(text.splitlines()[0] if text else 'no reason given')})."


def _tables(content: Any, at: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """(where it lies, table) of everything in ``content`` that is a table of tensors by name."""
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors and len(tensors) == len(content):
        yield at, tensors
        return
    for name, value in content.items():
        if isinstance(name, str):
            yield from _tables(value, f"{at}/{name}" if at else name, depth + 1)


def _nonempty(file: Path, tables: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    if not tables:
        raise UserError(f"{file} holds no table of tensors by name. Expected a state dict, as network.state_dict().")
    return tables


def _choose(file: Path, tables: Mapping[str, object], wanted: str) -> tuple[str, tuple[str, ...]]:
    """(the table to take, the others)."""
    names = ", ".join(repr(printable(name)) for name in tables)
    if wanted and wanted not in tables:
        raise UserError(f"{file} has no table {wanted!r}. It has: {names}.")
    ranked = sorted(tables, key=_rank)
    chosen = wanted or ranked[0]
    if not wanted and len(tables) > 1 and _rank(chosen) == _rank("") and _rank(ranked[1]) == _rank(""):
        raise UserError(f"{file} holds several tables: {names}. Choose one with {file.name}#TABLE.")
    return chosen, tuple(name for name in tables if name != chosen)


def _rank(table: str) -> int:
    ranks = [PREFERRED.index(part) for part in table.split("/") if part in PREFERRED]
    return min(ranks, default=len(PREFERRED))


def _without_prefix(
    tensors: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], str, tuple[str, ...], tuple[dict[str, Tensor], ...]]:
    """(tensors by their bare names, the prefix of all of them, names of other modules' tensors, the steps before)."""
    found, prefix, dropped, longer = dict(tensors), "", [], []
    while found:
        first = {name.partition(".")[0] for name in found}
        known = [part for part in PREFIXES if part in first]
        part = min(first) if len(first) == 1 else known[0] if known else ""
        inside = {name.partition(".")[2]: value for name, value in found.items() if name.startswith(f"{part}.")}
        few = 2 * len(inside) < len(found) or (part not in PREFIXES and len(found) < 4)
        if not part or few or "" in inside:
            break
        dropped += [name for name in found if not name.startswith(f"{part}.")]
        longer.append(found)
        found, prefix = inside, f"{prefix}{part}."
    return found, prefix, tuple(dropped), tuple(longer)


def _check_values(file: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UserError(
                f"{file}: {printable(name)} holds NaN or infinity, so the network gives no picture. "
                "The training that made it failed; take an earlier checkpoint."
            )
    kernels = [value for value in tensors.values() if value.dim() > 1 and value.numel() > 1]
    if kernels and all(bool((value == value.flatten()[0]).all()) for value in kernels):
        raise UserError(
            f"{file}: every kernel holds one number throughout, so nothing was trained. Give trained weights."
        )
