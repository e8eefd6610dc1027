"""The file of a packed network: safetensors, with a JSON header and a digest in its metadata.

Tensors are named ``layers/<layer>/<tensor>`` (bits as 64-bit words, see `bench.packed.encoding`) and
``floats/<name>`` (everything that stays full precision). The file's size is what the benchmark reports as storage.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from bench.contract import Unsupported, UserError
from bench.contract.atomic_files import write_atomic
from bench.packed.chain import ChainRecord
from bench.packed.encoding import LayerGeometry
from bench.packed.layer import PackedLayer

FORMAT_VERSION = 1
"""Raised when a reader of the previous version would misread the file."""

_KEY, _DIGEST = "bisrbench", "sha256"
_DTYPES = ("F32", "I64", "I32", "BOOL")
_MAX_ELEMENTS = 2**40
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class PackedHeader:
    """Where a packed network comes from, and which of its layers run as one."""

    __pydantic_config__ = _STRICT

    algorithm: str
    """Key of the algorithm, e.g. ``frb``"""
    backbone: str
    scale: Annotated[int, Field(ge=1, le=64)]
    """Super-resolution factor"""
    weights_sha256: str | None = None
    """Hash of the trained weights it was packed from"""
    details: dict[str, Any] = field(default_factory=dict)
    """Any further JSON"""
    chains: tuple[ChainRecord, ...] | None = None
    """Layers that advance together, as packing found them; None in files that do not tell"""


@dataclass(frozen=True)
class _Header:
    """All of the JSON in the metadata."""

    __pydantic_config__ = _STRICT

    format_version: int
    network: PackedHeader
    layers: dict[str, LayerGeometry]


_HEADER = TypeAdapter(_Header)


def save_packed(
    path: Path,
    header: PackedHeader | Mapping[str, Any],
    layers: Mapping[str, PackedLayer],
    floats: Mapping[str, Tensor],
) -> None:
    """Write a packed network, whole or not at all.

    ``layers``: name -> packed layer. ``floats``: name -> any other tensor of the network, float32, or an integer or
    boolean buffer. Raises ValueError when a name or a tensor does not fit, TypeError when the header has other fields
    than `PackedHeader`, UserError when the disk refuses.
    """
    network = header if isinstance(header, PackedHeader) else PackedHeader(**header)
    tensors = {
        f"layers/{name}/{key}": value for name, layer in layers.items() for key, value in layer.tensors().items()
    }
    for name, value in floats.items():
        _check_plain(name, value)
        # A copy of its own: safetensors refuses tensors that share memory.
        tensors[f"floats/{name}"] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    geometries = {name: layer.geometry for name, layer in layers.items()}
    # A field of a wrong type is reported by the parser below.
    text = _HEADER.dump_json(_Header(FORMAT_VERSION, network, geometries), warnings=False).decode()
    _parse_header(text)
    metadata = {_KEY: text, _DIGEST: _digest(text, tensors)}
    _write(Path(path), save(tensors, metadata))


def load_packed(path: Path) -> tuple[PackedHeader, dict[str, PackedLayer], dict[str, Tensor]]:
    """Read a file written by `save_packed`: (header, layers by name, other tensors by name).

    Raises UserError, naming the file and the fault, when it is missing, truncated, edited, of another version, or holds
    values that no packed network can have.
    """
    path = Path(path)
    try:
        return _load(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a packed network") from error
    except (SafetensorError, ValueError, Unsupported) as error:
        raise UserError(f"{path} is not a sound packed network: {error}. Pack the network again.") from error


def _load(content: bytes) -> tuple[PackedHeader, dict[str, PackedLayer], dict[str, Tensor]]:
    metadata, shapes = _safetensors_header(content)
    if not {_KEY, _DIGEST} <= metadata.keys():
        raise ValueError("it lacks the header of this benchmark")
    version = _version(metadata[_KEY])
    if version != FORMAT_VERSION:
        raise ValueError(f"it has format version {version}, expected {FORMAT_VERSION}")
    for name, entry in shapes.items():
        _check_entry(name, entry)
    tensors = load(content)
    if _digest(metadata[_KEY], tensors) != metadata[_DIGEST]:
        raise ValueError("its digest does not match: it was damaged or edited")
    header = _parse_header(metadata[_KEY])

    parts: dict[str, dict[str, Tensor]] = {name: {} for name in header.layers}
    floats: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if match := re.fullmatch(r"layers/(.*)/(\w+)", name):
            if match[1] not in parts:
                raise ValueError(f"tensor {name} belongs to no layer of the header")
            parts[match[1]][match[2]] = value
        elif name.startswith("floats/"):
            plain = name.removeprefix("floats/")
            _check_plain(plain, value)
            floats[plain] = value
        else:
            raise ValueError(f"tensor {name} is neither a layer's nor a float")
    layers = {}
    for name, geometry in header.layers.items():
        try:
            layers[name] = PackedLayer.from_tensors(geometry, parts[name])
        except (ValueError, Unsupported) as error:
            raise ValueError(f"layer {name}: {error}") from error
    return header.network, layers, floats


def _safetensors_header(content: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    """(metadata, entries of the tensors): an 8-byte little-endian length, then JSON. Raises ValueError."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 + length:
        raise ValueError("it is truncated, or no safetensors file")
    document = _json(content[8 : 8 + length])
    metadata = document.pop("__metadata__", {}) if isinstance(document, dict) else {}
    if not isinstance(metadata, dict):
        raise ValueError("its safetensors metadata is no JSON object")
    return {k: v for k, v in metadata.items() if isinstance(v, str)}, document


def _check_entry(name: str, entry: object) -> None:
    """What PyTorch cannot hold is refused before PyTorch sees it; safetensors checks the rest."""
    dtype, shape = (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else (None, None)
    if dtype not in _DTYPES:
        raise ValueError(f"{name}: got dtype {dtype!r}, expected one of {', '.join(_DTYPES)}")
    sizes = shape if isinstance(shape, list) else [None]
    # An empty dimension hides the size of the others from whoever only counts bytes.
    if not all(isinstance(d, int) and d >= 0 for d in sizes) or math.prod(max(1, d) for d in sizes) > _MAX_ELEMENTS:
        raise ValueError(f"{name}: got shape {shape}, expected sizes of a tensor")


def _json(text: str | bytes) -> Any:
    """Parsed JSON in which no name stands twice. Raises ValueError."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise ValueError(f"its header names {name!r} twice")
            found[name] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"its header is no JSON: {error}") from error


def _version(text: str) -> object:
    document = _json(text)
    return document.get("format_version") if isinstance(document, dict) else None


def _parse_header(text: str) -> _Header:
    try:
        return _HEADER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"header field {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _check_plain(name: str, value: Tensor) -> None:
    """Full-precision tensors are float32 and finite; counters and index tables may be integers or booleans."""
    if value.dtype not in (torch.float32, torch.int64, torch.int32, torch.bool):
        raise ValueError(f"{name}: got {value.dtype}, expected float32, or an integer or boolean buffer")
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name}: holds NaN or infinity")


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the header and every tensor's name, dtype, shape and bytes, in order of name."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(np.ascontiguousarray(value.numpy()).data)
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}); free space or choose another folder"
        ) from error
