"""Packed files of other networks, all of whose tensors may fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract import UserError
from bench.nn.build import build_network, hash_tensors
from bench.packed.pack import load_into, pack, packed_units, save
from bench.plan.discover import discover


def header(**other: object) -> dict[str, object]:
    return {"algorithm": "bnn", "backbone": "srresnet", "scale": 2, "weights_sha256": "a" * 64} | other


@pytest.mark.parametrize(
    ("field", "value"),
    [("algorithm", "xnor"), ("backbone", "edsr"), ("scale", 4), ("weights_sha256", "b" * 64), ("weights_sha256", None)],
)
def test_a_file_of_another_network_is_refused(field: str, value: object, tiny: None, tmp_path: Path) -> None:
    network = build_network(discover().loader("bnn"), "srresnet", 2).eval()
    save(pack(network), tmp_path / "packed", header(**{field: value}))
    with pytest.raises(UserError, match=f"belongs to another network: {field.replace('_', ' ')} is "):
        load_into(network, tmp_path / "packed", header())


def test_its_own_file_loads(tiny: None, tmp_path: Path) -> None:
    network = build_network(discover().loader("bnn"), "srresnet", 2).eval()
    mine = header(weights_sha256=hash_tensors(network.state_dict()))
    save(pack(network), tmp_path / "packed", mine)
    assert packed_units(load_into(network, tmp_path / "packed", mine))
