"""Files and arguments that nobody writes by accident: one clear error each, no crash, no gigabytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from packed_data import random_spec
from safetensors.torch import save

from bench.contract import UserError
from bench.packed import fileformat
from bench.packed.encoding import decode, encode
from bench.packed.fileformat import load_packed
from bench.packed.layer import PackedLayer

HERE = Path(__file__).resolve().parent


def fuzz(what: str, count: int) -> tuple[int, int, str]:
    """(taken, refused, log) of the fuzzer, run in a process of its own: a crash there is a failure here."""
    done = subprocess.run(
        [sys.executable, HERE / "packed_fuzz.py", what, str(count)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(HERE.parent)},
    )
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-3000:]}"
    taken, refused = map(int, done.stdout.split())
    return taken, refused, done.stderr


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits memory as Linux does")
@pytest.mark.parametrize("what, count", [("files", 500), ("native", 3000)])
def test_wild_input_is_taken_or_refused(what: str, count: int) -> None:
    taken, refused, log = fuzz(what, count)
    assert taken + refused == count and taken > 0 and refused > count / 2, log[-3000:]


def container(header: bytes, body: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def with_tensor(dtype: str, shape: str, size: int = 0) -> bytes:
    """A container of one tensor, with metadata like ours."""
    metadata = json.dumps({"bisrbench": '{"format_version": 1}', "sha256": ""})
    entry = f'"t": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": [0, {size}]}}'
    return container(f'{{"__metadata__": {metadata}, {entry}}}'.encode(), bytes(size))


DEEP = b"[" * 200_000
CONTAINERS = {
    "deep header": (container(DEEP), "nested too deeply"),
    "deep metadata": (container(b'{"__metadata__": ' + b'{"a":' * 100_000), "nested too deeply"),
    "deep header of ours": (
        container(b'{"__metadata__": {"sha256": "", "bisrbench": "' + DEEP + b'"}}'),
        "nested too deeply",
    ),
    "longer than the file": (b"\xff" * 8 + b"{}", "truncated"),
    "not UTF-8": (container(b'{"a\xff": 1}'), "is no JSON"),
    "lone surrogate": (container(b'{"__metadata__": {"bisrbench": "\\ud800", "sha256": ""}}'), "is no JSON"),
    "a list": (container(b"[]"), "lacks the header"),
    "metadata as a list": (container(b'{"__metadata__": []}'), "no JSON object"),
    "one name twice": (container(b'{"__metadata__": {}, "t": {}, "t": {}}'), "names 't' twice"),
    "bfloat16": (with_tensor("BF16", "[2]", 4), "t: got dtype 'BF16'"),
    "8-bit floats": (with_tensor("F8_E8M0", "[2]", 2), "t: got dtype 'F8_E8M0'"),
    "no such type": (with_tensor("I99", "[2]", 4), "t: got dtype 'I99'"),
    "beyond 63 bits": (with_tensor("F32", "[0, 18446744073709551615]"), "t: got shape"),
    "enormous and empty": (with_tensor("F32", "[0, 9223372036854775807, 3]"), "t: got shape"),
    "enormous": (with_tensor("F32", "[1099511627777]", 4), "t: got shape"),
    "larger than the file": (with_tensor("F32", "[1000000]", 4), "invalid shape"),
    "negative size": (with_tensor("F32", "[-1]", 4), "t: got shape"),
    "fractional size": (with_tensor("F32", "[1.5]", 4), "t: got shape"),
    "no sizes": (with_tensor("F32", "null", 4), "t: got shape"),
}


@pytest.mark.parametrize("case", CONTAINERS)
def test_a_container_of_nonsense_is_named(case: str, tmp_path: Path) -> None:
    content, fault = CONTAINERS[case]
    (tmp_path / "net").write_bytes(content)
    with pytest.raises(UserError, match=f"net is not a sound packed network: .*{fault}"):
        load_packed(tmp_path / "net")


def test_a_layer_named_twice_is_refused(tmp_path: Path) -> None:
    """JSON would silently keep the second."""
    spec = random_spec((3, 2), (1, 1))
    layer, twin = PackedLayer(spec), PackedLayer(spec)
    path, header = tmp_path / "net", {"algorithm": "a", "backbone": "b", "scale": 2}
    fileformat.save_packed(path, header, {"conv": layer, "twin": twin}, {})
    metadata, _ = fileformat._safetensors_header(path.read_bytes())
    text = metadata["bisrbench"].replace('"twin"', '"conv"')
    tensors = {f"layers/conv/{name}": value for name, value in layer.tensors().items()}
    path.write_bytes(save(tensors, {"bisrbench": text, "sha256": fileformat._digest(text, tensors)}))
    with pytest.raises(UserError, match="names 'conv' twice"):
        load_packed(path)


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"out_channels": 0}, "out_channels: got 0, expected 1 to 65536"),
        ({"in_channels": 0}, "in_channels: got 0, expected 1 to 65536"),
        ({"bases": 0}, "bases: got 0, expected 1 to 64"),
        ({"bases": 65}, "bases: got 65, expected 1 to 64"),
        ({"kernel": (0, 3)}, "kernel: got"),
        ({"weight_bits": 0}, "weight_bits: got 0, expected 1 to 8"),
        ({"weight_step": 10**30}, "weight_step: got 10+, expected 1 to 255"),
        ({"weight_step": 0}, "weight_step: got 0, expected 1 to 255"),
        ({"weight_offset": 2**40}, "weight_offset: got 1099511627776, expected -128 to 127"),
    ],
)
def test_numbers_that_agree_with_their_tensors_but_make_no_layer(changes: dict[str, object], fault: str) -> None:
    """Tensors of the very shape that the numbers ask for, as a consistent forger would write them."""
    geometry, _ = encode(random_spec((5, 3), weight_bits=4, input_bits=3))
    geometry = replace(geometry, **changes)
    words = -(-geometry.in_channels // 64)
    planes = (geometry.weight_bits, geometry.bases, geometry.out_channels, *geometry.kernel, words)
    tensors = {
        "weights": torch.zeros(planes, dtype=torch.int64),
        "scale": torch.ones(geometry.bases, geometry.out_channels),
    }
    with pytest.raises(ValueError, match=fault):
        decode(geometry, tensors)
