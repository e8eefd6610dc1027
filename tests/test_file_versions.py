"""Files of every version that was ever written are read, and mean what they meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bench.contract import UserError
from bench.packed.fileformat import FORMAT_VERSION, load_packed

FOLDER = Path(__file__).parent / "packed_versions"
VERSIONS = sorted(path for path in FOLDER.glob("v*.safetensors") if not path.name.endswith(".outputs.safetensors"))


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_packed_file_gives_what_it_gave_when_it_was_written(path: Path) -> None:
    header, layers, floats = load_packed(path)
    assert header.algorithm == "bnn" and header.scale == 2 and floats["seen"] == 7
    kept = load_file(path.with_name(f"{path.stem}.outputs.safetensors"))
    assert len(layers) == 4
    for name, layer in layers.items():
        assert torch.equal(layer(kept[f"{name}/x"], kept.get(f"{name}/skip")), kept[f"{name}/y"]), name


def test_every_version_has_its_file() -> None:
    assert [path.stem for path in VERSIONS] == [f"v{number}" for number in range(1, FORMAT_VERSION + 1)]


def test_a_later_version_is_refused_with_both_numbers(tmp_path: Path) -> None:
    path = VERSIONS[-1]
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    header = json.loads(metadata["bisrbench"]) | {"format_version": FORMAT_VERSION + 1}
    save_file(load_file(path), tmp_path / "later", {**metadata, "bisrbench": json.dumps(header)})
    with pytest.raises(UserError, match=f"format version {FORMAT_VERSION + 1}, expected {FORMAT_VERSION}"):
        load_packed(tmp_path / "later")
