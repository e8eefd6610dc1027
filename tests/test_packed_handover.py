"""Bits handed from layer to layer: the same bits in the output, and nothing believed that is stale."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from packed_data import KERNELS, image_for, random_spec
from torch import Tensor, nn

from algorithms.bbcu.adapter import BBCU
from algorithms.bnn.adapter import BNN
from algorithms.e2fif.adapter import E2FIF
from algorithms.frb.adapter import FRB
from algorithms.reactnet.adapter import ReActNet
from bench.layer.spec import LayerSpec
from bench.nn.algorithm import Algorithm
from bench.nn.backbones import srresnet
from bench.packed import passed_bits as handover
from bench.packed.chain import single_layers
from bench.packed.kernels import KERNEL_VARIABLE
from bench.packed.layer import PackedLayer
from bench.packed.pack import pack


def chain(*specs: LayerSpec) -> nn.Sequential:
    return nn.Sequential(*map(PackedLayer, specs))


def alone(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Each layer on a tensor that no layer wrote."""
    for layer in layers:
        x = layer(x.clone())
    return x


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether a layer got its input packed, one entry a call."""
    seen: list[bool] = []
    take = handover.take

    def watched(x: Tensor, reader: PackedLayer) -> Tensor | None:
        found = take(x, reader)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(handover, "take", watched)
    return seen


SAME = {"padding": (1, 1)}
CHAINS = {
    "binary": [random_spec((c, c), seed=c + i, **SAME) for i, c in enumerate((65, 65, 65))],
    "bases, stride, 1x1": [
        random_spec((60, 130), (1, 1), bases=2),
        random_spec((130, 33), bases=3, stride=2, **SAME),
        random_spec((33, 64), (5, 1), padding=(2, 0)),
    ],
    "integers between": [
        random_spec((7, 70), weight_bits=4, input_bits=4, signed=True, **SAME),
        random_spec((70, 66), (1, 1)),
        random_spec((66, 5), weight_bits=4, **SAME),
        random_spec((5, 5), (1, 1)),
    ],
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("specs", CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_gives_the_same_with_and_without(
    specs: list[LayerSpec],
    kernel: str,
    threads: int,
    inference: bool,
    monkeypatch: pytest.MonkeyPatch,
    taken: list[bool],
) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, kernel)
    layers, x = chain(*specs), image_for(specs[0], 2, 9, 37)
    for layer in layers:
        layer.threads = threads
    with torch.inference_mode(inference):
        expected = alone(layers, x)
        taken.clear()
        for image in (0, 1):
            assert torch.equal(layers(x), expected)
            assert taken == [False] + [image == 1 and spec.binary for spec in specs[1:]]
            taken.clear()


CHANGES: dict[str, Callable[[Tensor], object]] = {
    "added to": lambda y: y.add_(1),
    "through a view": lambda y: y[:, 3].neg_(),
    "through what shares its memory": lambda y: y.detach().mul_(-1),
    "other memory": lambda y: setattr(y, "data", -y.data),
    "turned": lambda y: y.transpose_(2, 3),
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_tensor_changed_in_between_is_packed_anew(
    change: Callable[[Tensor], object], inference: bool, taken: list[bool]
) -> None:
    specs = CHAINS["binary"][:2]
    (first, second), x = chain(*specs), image_for(specs[0], 1, 8, 8)
    with torch.inference_mode(inference):
        second(first(x))
        y = first(x)
        change(y)
        taken.clear()
        assert torch.equal(second(y), second(y.clone()))
        assert not any(taken)


def test_a_copy_of_a_tensor_brings_nothing_along(taken: list[bool]) -> None:
    specs = CHAINS["binary"][:2]
    (first, second), x = chain(*specs), image_for(specs[0], 1, 8, 8)
    expected = second(first(x))
    y = first(x)
    taken.clear()
    for twin in (copy.deepcopy(y), pickle.loads(pickle.dumps(y)), y.clone(), y.view_as(y)):
        assert torch.equal(second(twin), expected)
    assert not any(taken)


def test_what_is_packed_for_one_layer_is_not_read_by_another(taken: list[bool]) -> None:
    """Two readers of one tensor, whose thresholds differ."""
    specs = [random_spec((64, 64), seed=seed, **SAME) for seed in (1, 2, 3)]
    first, second, third = chain(*specs)
    x = image_for(specs[0], 1, 8, 8)
    for _ in range(3):
        y = first(x)
        assert torch.equal(second(y), second(y.clone())) and torch.equal(third(y), third(y.clone()))
    assert any(taken)


def test_a_reader_that_is_gone_or_changed_is_not_packed_for() -> None:
    specs = CHAINS["binary"][:2]
    (first, second), x = chain(*specs), image_for(specs[0], 1, 8, 8)
    second(first(x))
    assert first._reader() is second
    other = PackedLayer(replace(specs[1], input=replace(specs[1].input, flip=None)))
    second.load_state_dict(other.state_dict(), strict=False)
    assert torch.equal(second(first(x)), second(first(x).clone()))
    del second
    assert first._reader() is None
    assert torch.equal(copy.deepcopy(first)(x), first(x))


@pytest.mark.parametrize("method, pairs", [(BNN, 0), (BBCU, 3), (E2FIF, 3), (ReActNet, 3), (FRB, 3)])
def test_networks_give_the_same_with_and_without(
    method: type[Algorithm], pairs: int, monkeypatch: pytest.MonkeyPatch, taken: list[bool]
) -> None:
    """Of four units in a row; ``pairs`` counts those that read what the one before wrote, and nothing done to it."""
    torch.manual_seed(0)
    network = pack(srresnet.build(method(), 4, channels=32, blocks=2))
    x = torch.rand(1, 3, 11, 13)
    with torch.inference_mode(), single_layers():
        network(x)
        taken.clear()
        handed = network(x)
        assert len(taken) == 4 and sum(taken) == pairs
        with monkeypatch.context() as patch:
            patch.setattr(handover, "take", lambda x, reader: None)
            assert torch.equal(network(x), handed)
