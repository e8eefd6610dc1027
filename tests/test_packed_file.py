"""The file of a packed network: it comes back the same, or reading it ends in one clear error."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from packed_data import image_for, random_spec
from safetensors.torch import load, save
from torch import Tensor

from bench.contract import UserError
from bench.layer.spec import Epilogue
from bench.packed import fileformat
from bench.packed.fileformat import PackedHeader, load_packed, save_packed
from bench.packed.layer import PackedLayer

HEADER = PackedHeader("frb", "srresnet", 2, "0" * 64, {"note": ["any", 1, None]})
SPECS = {
    "body.0": random_spec(
        (65, 9), bases=2, padding=(1, 1), epilogue=Epilogue(torch.rand(2, 9), torch.randn(9), slope=torch.rand(9))
    ),
    "body/1.x": random_spec((9, 3), (1, 3), weight_bits=4, input_bits=3, stride=2),
}
FLOATS = {"head.weight": torch.randn(4, 3, 3, 3), "seen": torch.tensor(7), "layers/odd": torch.randn(2)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "network.safetensors"
    save_packed(path, HEADER, {name: PackedLayer(spec) for name, spec in SPECS.items()}, FLOATS)
    return path


def test_round_trip(path: Path) -> None:
    header, layers, floats = load_packed(path)
    assert header == HEADER
    assert list(layers) == list(SPECS) and floats.keys() == FLOATS.keys()
    for name, value in FLOATS.items():
        assert floats[name].dtype == value.dtype and torch.equal(floats[name], value)
    for name, spec in SPECS.items():
        x = image_for(spec, 1, 5, 6)
        assert torch.equal(layers[name](x), PackedLayer(spec)(x))


def test_the_file_is_as_small_as_its_bits(tmp_path: Path) -> None:
    """64 to 64 channels 3x3: 4,608 bytes of weights, 512 of threshold and scale; the rest is names and geometry."""
    path = tmp_path / "one"
    spec = random_spec((64, 64))
    save_packed(path, {"algorithm": "bnn", "backbone": "edsr", "scale": 4}, {"conv": PackedLayer(spec)}, {})
    assert 4608 + 512 < path.stat().st_size < 4608 + 512 + 1500


def test_floats_that_share_memory_are_stored(tmp_path: Path) -> None:
    shared = torch.randn(6)
    save_packed(tmp_path / "one", HEADER, {}, {"a": shared, "b": shared[2:], "c": shared.view(2, 3).T})
    _, _, floats = load_packed(tmp_path / "one")
    assert torch.equal(floats["b"], shared[2:]) and torch.equal(floats["c"], shared.view(2, 3).T)


def test_any_truncation_is_an_error(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    cut = tmp_path / "cut"
    for length in {0, 1, 7, 8, 9, 100, len(content) - 1, *random.Random(0).sample(range(len(content)), 60)}:
        cut.write_bytes(content[:length])
        with pytest.raises(UserError, match="cut is not a sound packed network"):
            load_packed(cut)


def test_any_changed_byte_is_an_error_or_changes_nothing(path: Path, tmp_path: Path) -> None:
    """White space in the JSON may change without a trace; anything else is caught."""
    content = path.read_bytes()
    _, layers, floats = load_packed(path)
    changed = tmp_path / "changed"
    dice = random.Random(1)
    harmless = 0
    for _ in range(400):
        edited = bytearray(content)
        for _ in range(dice.choice((1, 1, 1, 8))):
            edited[dice.randrange(len(edited))] ^= dice.randrange(1, 256)
        changed.write_bytes(edited)
        try:
            header, again, values = load_packed(changed)
        except UserError:
            continue
        harmless += 1
        assert header == HEADER and again.keys() == layers.keys()
        assert all(torch.equal(values[name], floats[name]) for name in floats)
        for name, layer in layers.items():
            stored, known = again[name].tensors(), layer.tensors()
            assert again[name].geometry == layer.geometry and stored.keys() == known.keys()
            assert all(torch.equal(stored[key], known[key]) for key in known)
    assert harmless < 40


def forge(path: Path, edit: Callable[[dict, dict[str, Tensor]], None]) -> None:
    """Change the content of a file and sign it again, as an attacker or a faulty writer would."""
    content = path.read_bytes()
    tensors = load(content)
    document = json.loads(fileformat._safetensors_header(content)[0]["bisrbench"])
    edit(document, tensors)
    text = json.dumps(document)
    path.write_bytes(save(tensors, {"bisrbench": text, "sha256": fileformat._digest(text, tensors)}))


def change(name: str, edit: Callable[[Tensor], Tensor]) -> Callable[[dict, dict[str, Tensor]], None]:
    return lambda document, tensors: tensors.update({name: edit(tensors[name])})


def geometry(**changes: object) -> Callable[[dict, dict[str, Tensor]], None]:
    return lambda document, tensors: document["layers"]["body.0"].update(changes)


def nan_first(value: Tensor) -> Tensor:
    value.view(-1)[0] = float("nan")
    return value


FORGERIES = {
    "NaN threshold": change("layers/body.0/threshold", nan_first),
    "NaN scale": change("layers/body.0/scale", nan_first),
    "infinite bias": change("layers/body.0/bias", lambda t: t / 0),
    "NaN float": change("floats/head.weight", nan_first),
    "half floats": change("floats/head.weight", Tensor.half),
    "half scale": change("layers/body.0/scale", Tensor.half),
    "short scale": change("layers/body.0/scale", lambda t: t[:1]),
    "bits past the last channel": change("layers/body.0/weights", lambda t: t | 1 << 62),
    "flip past the last channel": change("layers/body.0/flip", lambda t: t | 1 << 62),
    "words as bytes": change("layers/body.0/weights", lambda t: t.view(torch.uint8)),
    "missing weights": lambda document, tensors: tensors.pop("layers/body.0/weights"),
    "missing threshold": lambda document, tensors: tensors.pop("layers/body.0/threshold"),
    "unknown tensor": lambda document, tensors: tensors.update({"layers/body.0/extra": torch.zeros(1)}),
    "tensor of no layer": lambda document, tensors: tensors.update({"layers/none/scale": torch.zeros(1)}),
    "tensor of no kind": lambda document, tensors: tensors.update({"other": torch.zeros(1)}),
    "version": lambda document, tensors: document.update(format_version=99),
    "no version": lambda document, tensors: document.pop("format_version"),
    "version as text": lambda document, tensors: document.update(format_version="1"),
    "unknown field": lambda document, tensors: document.update(more=1),
    "network without algorithm": lambda document, tensors: document["network"].pop("algorithm"),
    "layers as a list": lambda document, tensors: document.update(layers=[]),
    "wider": geometry(in_channels=129),
    "narrower": geometry(in_channels=64),
    "no channels": geometry(in_channels=0),
    "negative channels": geometry(out_channels=-9),
    "enormous": geometry(in_channels=2**62, out_channels=2**62),
    "another kernel": geometry(kernel=[5, 5]),
    "no stride": geometry(stride=0),
    "negative padding": geometry(padding=[-1, 0]),
    "three paddings": geometry(padding=[1, 1, 1]),
    "enormous padding": geometry(padding=[2**40, 1]),
    "enormous dilation": geometry(dilation=2**31),
    "binary with other levels": geometry(weight_offset=0, weight_step=1),
    "levels past 8 bits": geometry(weight_offset=100, weight_step=100),
    "more planes": geometry(weight_bits=3),
    "another input": geometry(input="uniform"),
    "unknown input": geometry(input="ternary"),
    "unknown skip": geometry(skip="sideways"),
    "number as text": geometry(stride="1"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_signed_file_with_impossible_content_is_an_error(path: Path, forgery: str) -> None:
    forge(path, FORGERIES[forgery])
    with pytest.raises(UserError, match="is not a sound packed network"):
        load_packed(path)


def test_uniform_inputs_are_checked_too(path: Path) -> None:
    for changes in (
        {"input_step": 0.0},
        {"input_step": 1e-60},
        {"input_step": float("inf")},
        {"input_low": -1000},
        {"input_high": 2**40},
        {"input_low": 5, "input_high": 2},
        {"input_bits": 9},
    ):
        before = path.read_bytes()
        forge(path, lambda document, tensors, changes=changes: document["layers"]["body/1.x"].update(changes))
        with pytest.raises(UserError, match="is not a sound packed network"):
            load_packed(path)
        path.write_bytes(before)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]", b"GIF89a" * 9]
)
def test_other_files_are_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(UserError, match="is not a sound packed network"):
        load_packed(tmp_path / "other")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            load_packed(missing)


def test_what_cannot_be_stored_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "one"
    for floats in ({"a": torch.full((2,), float("nan"))}, {"a": torch.zeros(2).half()}):
        with pytest.raises(ValueError, match="a: "):
            save_packed(path, HEADER, {}, floats)
    with pytest.raises(TypeError, match="publisher"):
        save_packed(path, {"algorithm": "a", "backbone": "b", "scale": 2, "publisher": "c"}, {}, {})
    with pytest.raises(ValueError, match="scale"):
        save_packed(path, {"algorithm": "a", "backbone": "b", "scale": "2"}, {}, {})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UserError, match="No space left"):
        save_packed(path, HEADER, {}, FLOATS)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
