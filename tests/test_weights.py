"""Stored weights, their labels, and who is measured with which."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from train_kit import SCALE, Small, make_pictures
from train_kit import run as train

from bench.contract import Card, Cell, Settings, UserError
from bench.contract.weight_labels import budget_of, label, own_training, seed_of, spent, training_of
from bench.nn import weights
from bench.nn.build import build_network, hash_tensors, load_weights
from bench.nn.training.run import RECORD, WEIGHTS
from bench.nn.weight_storage import LEVELS, SMALLEST, compact, expand
from bench.plan.discover import load_class

KIT = Path(__file__).parent / "train_kit.py"


@given(
    rows=st.lists(st.floats(-4, 4, width=32), min_size=2, max_size=9),
    scale=st.floats(1e-6, 1e3),
)
@settings(max_examples=50, deadline=None)
def test_ten_bits_keep_every_sign_and_stay_close(rows: list[float], scale: float) -> None:
    value = (torch.tensor(rows) * scale).repeat(SMALLEST // len(rows) + 1, 3).float()
    assume(value.abs().max() > 1e-20)  # below, a step is no float any more
    back = expand(compact({"w": value}))["w"]
    assert back.shape == value.shape
    assert torch.equal((back >= 0) | (value == 0), (value >= 0))
    assert ((back - value).abs() <= value.abs().amax(1, keepdim=True) * 2 / LEVELS * 1.001).all()


def test_small_and_integer_tensors_are_stored_as_they_are() -> None:
    state = {"bias": torch.randn(64), "count": torch.tensor(7), "few": torch.randn(3, 5)}
    packed = compact({**state, "many": torch.randn(16, 33, 3, 3)})
    assert all(torch.equal(packed[name], value) for name, value in state.items())
    large = sum(tensor.nbytes for name, tensor in packed.items() if name.startswith("many@"))
    assert large < 16 * 33 * 9 * 1.27 + 16 * 4 + 64


@pytest.mark.parametrize(("count", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4)])
def test_few_values_a_channel_are_stored_exactly(count: int, bits: int) -> None:
    generator = torch.Generator().manual_seed(count)
    values = torch.randn(31, count, generator=generator)
    weight = values.gather(1, torch.randint(count, (31, 15 * 9), generator=generator)).view(31, 15, 3, 3)
    assert weight.numel() >= SMALLEST and weight.numel() % 8  # the last byte is not full
    packed = compact({"w": weight})
    assert torch.equal(expand(packed)["w"], weight)
    assert packed["w@codes"].nbytes == -(-weight.numel() * bits // 8)


def test_a_channel_with_one_value_more_takes_ten_bits() -> None:
    weight = torch.arange(17.0).repeat(32, 16)
    packed = compact({"w": weight})
    assert "w@codes" not in packed and "w@high" in packed


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    """A method in a package of its own, as in algorithms/."""
    package = tmp_path / "their_method"
    package.mkdir()
    (package / "__init__.py").touch()
    source = KIT.read_text(encoding="utf-8")
    card = 'Small.card = Card("small", "Small", "their_method.adapter:Small", 1, 1)'
    (package / "adapter.py").write_text(f"{source}\nfrom bench.contract import Card\n{card}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield load_class("their_method.adapter:Small").card
    for name in ("their_method", "their_method.adapter"):
        sys.modules.pop(name, None)


LEVEL = f"x{SCALE}"
CELL = Cell("accuracy", "small", "srresnet", LEVEL, "set5")


def stored(
    method: Card, tmp_path: Path, budget: str, seed: int = 0, network_seed: int = 3, training: str = "board"
) -> Path:
    """Stored weights as a finished run would leave them."""
    from safetensors.torch import save_file

    algorithm = load_class(method.adapter)()
    state = build_network(algorithm, "srresnet", SCALE, network_seed).state_dict()
    save_file(state, tmp_path / "run.safetensors")
    record = {
        "backbone": "srresnet",
        "scale": SCALE,
        "training": training,
        "budget": budget,
        "plan": {"seed": seed},
    }
    return weights.store_weights(algorithm, tmp_path / "run.safetensors", record)


def test_stored_weights_are_of_the_board_the_largest_budget_and_the_first_seed(method: Card, tmp_path: Path) -> None:
    assert weights.stored_weights(method, "srresnet", LEVEL) is None
    stored(method, tmp_path, "90000x16x48", training="reference")
    stored(method, tmp_path, "1000x4x24")
    best = stored(method, tmp_path, "6000x16x24")
    stored(method, tmp_path, "6000x16x24", seed=1)
    stored(method, tmp_path, "20000x1x24")
    assert weights.stored_weights(method, "srresnet", LEVEL) == best
    assert weights.label_of(best) == "board-6000x16x24"
    assert weights.stored_weights(method, "srresnet", "x4") is None
    assert weights.stored_weights(method, "edsr", LEVEL) is None
    second = weights.stored_weights(method, "srresnet", LEVEL, seed=1)
    assert second is not None and weights.label_of(second) == "board-6000x16x24-s1"
    assert weights.stored_weights(method, "srresnet", LEVEL, seed=7) == best
    variant = replace(method, key="another_of_the_folder")
    assert weights.stored_weights(variant, "srresnet", LEVEL) is None


def test_own_weights_beside_the_record_of_their_training_say_what_was_spent(method: Card, tmp_path: Path) -> None:
    Small.card = method
    train(tmp_path / "run", make_pictures(tmp_path / "pictures"))
    found = tmp_path / "run" / WEIGHTS
    budget = json.loads((tmp_path / "run" / RECORD).read_text())["budget"]
    assert weights.own_label(found) == f"own-{budget}" and budget_of([f"own-{budget}"]) == budget
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(found.read_bytes())
    assert weights.own_label(moved) == "own-unknown"
    found.write_bytes(found.read_bytes() + b" ")
    assert weights.own_label(found) == "own-unknown"  # the record is of another file


@pytest.mark.parametrize("record", ["[]", "{", '{"file_sha256": 1}', '{"file_sha256": "SHA", "budget": "<b>"}', "\0"])
def test_a_record_that_says_nothing_leaves_the_budget_unknown(record: str, tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    path.write_bytes(b"weights")
    (tmp_path / RECORD).write_text(record.replace("SHA", sha256(b"weights").hexdigest()))
    assert weights.own_label(path) == "own-unknown"


def test_labels_say_whose_and_how_long() -> None:
    second = label("board", "6000x16x24", 1)
    assert second == "board-6000x16x24-s1" and label("own", "10x4x24") == "own-10x4x24"
    words = (second, "reference-6000x16x24", "own-10x4x24", "own-board-10x4x24", "unstable")
    assert [seed_of(word) for word in words] == [1, 0, None, None, None]
    assert [training_of(["unstable", word]) for word in words] == [
        "board-6000x16x24", "6000x16x24", "10x4x24", "board-10x4x24", None,
    ]  # fmt: skip
    assert training_of(["own-unknown"]) == "unknown" and own_training("board") == "own-board"
    assert [budget_of(flags) for flags in (["unstable", second], ["own-unknown"], ["unstable"], [])] == [
        "6000x16x24", "unknown", None, None,
    ]  # fmt: skip
    assert [spent("6000x16x24"), spent("unknown")] == [6000 * 16 * 24**2, 0]


def test_a_wrong_hash_and_a_missing_record_are_refused(method: Card, tmp_path: Path) -> None:
    path = stored(method, tmp_path, "10x1x8")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="not the file that its record describes"):
        weights.stored_weights(method, "srresnet", LEVEL)
    weights.record_of(path).unlink()
    with pytest.raises(UserError, match="nobody knows"):
        weights.stored_weights(method, "srresnet", LEVEL)


def test_own_weights_before_stored_weights_before_none(method: Card, tmp_path: Path) -> None:
    algorithm = load_class(method.adapter)()
    drawn, drawn_sha, label = weights.prepare_network(algorithm, CELL, Settings(seed=5))
    assert label is None and not drawn.training
    assert drawn_sha == hash_tensors(build_network(algorithm, "srresnet", SCALE, 5).state_dict())
    path = stored(method, tmp_path, "10x1x8")
    _, reference_sha, label = weights.prepare_network(algorithm, CELL, Settings())
    assert label == "board-10x1x8" and reference_sha != drawn_sha
    assert weights.check_record(path)["weights_sha256"] == reference_sha
    own = Settings(weights={"small": tmp_path / "run.safetensors"})
    _, own_sha, label = weights.prepare_network(algorithm, CELL, own)
    assert label == "own-unknown"
    assert own_sha == hash_tensors(load_file(tmp_path / "run.safetensors"))
    again = build_network(algorithm, "srresnet", SCALE)
    load_weights(again, path)
    assert hash_tensors(again.state_dict()) == reference_sha


def test_interpolation_needs_no_weights() -> None:
    algorithm = load_class("algorithms.bicubic.adapter:Bicubic")()
    cell = Cell("accuracy", "bicubic", "none", LEVEL, "set5")
    _, sha, label = weights.prepare_network(algorithm, cell, Settings())
    assert (sha, label) == (None, weights.NONE_NEEDED)


def test_a_finished_run_becomes_stored_weights(method: Card, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    Small.card = method
    data = make_pictures(tmp_path / "pictures")
    train(tmp_path / "run", data)
    record = json.loads((tmp_path / "run" / RECORD).read_text())
    path = weights.store_weights(Small(), tmp_path / "run" / WEIGHTS, record)
    assert path.parent == tmp_path / "their_method" / "weights"
    assert weights.check_record(path)["curves"] == record["curves"]
    assert weights.stored_weights(method, "srresnet", LEVEL) == path
