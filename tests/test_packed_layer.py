"""The packed layer as a module: inputs it takes, copies, threads, kernels, and what it says when something is wrong."""

from __future__ import annotations

import copy
import importlib.util
import os
import pickle
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch
from packed_data import KERNELS, image_for, random_spec, reference_accumulators
from torch import Tensor

from bench.contract import Unsupported, UserError
from bench.layer.spec import Epilogue, LayerSpec, SignInput, UniformInput
from bench.packed import kernels
from bench.packed.kernels import KERNEL_VARIABLE, selected_kernel
from bench.packed.layer import PackedLayer

SPECS = [
    random_spec((65, 33), bases=2, padding=(1, 1)),
    random_spec((7, 5), weight_bits=4, input_bits=3, signed=True, padding=(1, 1)),
    random_spec((7, 5), weight_bits=8, padding=(1, 1)),
    random_spec((7, 5), input_bits=8, padding=(1, 1)),
]


def same(a: object, b: object) -> bool:
    """Equality of dataclasses that hold tensors."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, LayerSpec | Epilogue | SignInput | UniformInput):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.contiguous(),
        lambda x: x.double(),
        lambda x: x.clone().requires_grad_(),
        lambda x: x.repeat_interleave(2, dim=3)[..., ::2],
        lambda x: torch.cat([x, x], dim=1)[:, : x.shape[1]],
        lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    ],
    ids=["nchw", "float64", "gradient", "strided", "channel slice", "transposed"],
)
def test_any_memory_format_and_dtype_gives_the_same(change: Callable[[Tensor], Tensor]) -> None:
    layer = PackedLayer(SPECS[0])
    x = image_for(SPECS[0], 2, 6, 9)
    expected = layer(x)
    assert expected.is_contiguous(memory_format=torch.channels_last)
    assert expected.shape == (2, 33, 6, 9) and not expected.requires_grad
    assert torch.equal(layer(change(x)), expected)
    assert torch.equal(layer.accumulators(change(x)), layer.accumulators(x))


def test_a_channels_last_input_is_read_in_place() -> None:
    x = image_for(SPECS[0], 2, 6, 9)
    assert PackedLayer(SPECS[0])._image(x).data_ptr() == x.data_ptr()


def test_tokens_are_pixels_of_a_linear_layer() -> None:
    epilogue = Epilogue(torch.rand(1, 5), scale_map=True, skip="after")
    spec = random_spec((60, 5), (1, 1), epilogue=epilogue)
    layer = PackedLayer(spec)
    x = image_for(spec, 3, 11, 1)
    skip, scale_map = torch.randn(3, 5, 11, 1), torch.rand(3, 1, 11, 1)
    expected = layer(x, skip, scale_map).squeeze(-1).transpose(1, 2)

    def as_tokens(image: Tensor) -> Tensor:
        return image.squeeze(-1).transpose(1, 2)

    tokens = as_tokens(x)
    got = layer(tokens, as_tokens(skip), scale_map.view(3, 11))
    assert got.shape == (3, 11, 5) and torch.equal(got, expected)
    flat = layer(tokens.reshape(33, 60), as_tokens(skip).reshape(33, 5), scale_map.view(33))
    assert torch.equal(flat, expected.reshape(33, 5))
    assert torch.equal(layer.accumulators(tokens), layer.accumulators(x))


@pytest.mark.parametrize("spec", SPECS)
def test_the_spec_comes_back_from_the_packed_tensors(spec: LayerSpec) -> None:
    layer = PackedLayer(spec)
    assert same(layer.spec, spec)
    again = PackedLayer.from_tensors(layer.geometry, layer.tensors())
    x = image_for(spec, 1, 5, 6)
    assert again.geometry == layer.geometry and torch.equal(again(x), layer(x))


@pytest.mark.parametrize("spec", SPECS)
def test_copies_compute_the_same(spec: LayerSpec) -> None:
    layer = PackedLayer(spec, threads=1)
    x = image_for(spec, 1, 5, 6)
    expected = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.double().half()):
        assert twin.threads == 1 and torch.equal(twin(x), expected)


def test_loading_a_state_dict_changes_what_runs() -> None:
    one, other = (random_spec((65, 33), seed=seed, padding=(1, 1)) for seed in (1, 2))
    layer, x = PackedLayer(one), image_for(one, 1, 5, 6)
    layer.load_state_dict(PackedLayer(other).state_dict())
    assert torch.equal(layer.accumulators(x), reference_accumulators(other, x))


def test_bits_are_stored_as_bits() -> None:
    for weight_bits in (1, 2, 4, 8):
        spec = random_spec((128, 64), bases=2, weight_bits=weight_bits)
        weights = PackedLayer(spec).tensors()["weights"]
        assert weights.numel() * weights.element_size() * 8 == 2 * 128 * 64 * 9 * weight_bits


def test_odd_and_offset_weights_are_stored_in_their_bits() -> None:
    """DoReFa's -3, -1, 1, 3 are two bits although they do not fit two's complement."""
    spec = random_spec((64, 2), (1, 1), weight_bits=2)
    odd = replace(spec, weight=2 * spec.weight + 1)
    layer = PackedLayer(odd)
    assert layer.tensors()["weights"].shape[0] == 2 and torch.equal(layer.spec.weight, odd.weight)
    x = image_for(odd, 1, 3, 4)
    assert torch.equal(layer.accumulators(x), reference_accumulators(odd, x))


def test_many_callers_and_a_forked_child_share_the_threads() -> None:
    spec = random_spec((64, 64), padding=(1, 1))
    layer, x = PackedLayer(spec, threads=3), image_for(spec, 2, 24, 20)
    expected = layer.accumulators(x)
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(y, expected) for y in pool.map(lambda _: layer.accumulators(x), range(24)))
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs ends itself
        # NumPy compares: PyTorch's own threads do not survive a fork.
        os._exit(0 if (layer.accumulators(x).numpy() == expected.numpy()).all() else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_follow_pytorch_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    assert PackedLayer(SPECS[1])._threads() == 5
    assert PackedLayer(SPECS[1], threads=2)._threads() == 2


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_is_forced_by_name(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, kernel)
    assert selected_kernel() == kernel
    # A kernel may extend another and take its binary operations: neon_dot those of neon.
    assert kernel.startswith(PackedLayer(SPECS[0]).kernel)
    monkeypatch.setenv(KERNEL_VARIABLE, "")
    assert selected_kernel() == KERNELS[0]


def test_a_kernel_that_does_not_exist_is_named_with_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, "avx3")
    with pytest.raises(UserError, match=rf"{KERNEL_VARIABLE}: kernel 'avx3' is unknown: .*{', '.join(KERNELS)}"):
        PackedLayer(SPECS[0])


def test_a_kernel_beyond_this_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = sorted({"amx_int8", "avx512_vpopcnt", "avx2"} - set(KERNELS))
    if not beyond or "avx2" not in KERNELS:
        pytest.skip("this processor runs every kernel of its family, or none")
    monkeypatch.setenv(KERNEL_VARIABLE, beyond[0])
    with pytest.raises(UserError, match="does not run on this processor"):
        PackedLayer(SPECS[0])


def test_a_kernel_that_fails_its_self_check_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def select(name: str) -> str:
        if name == "fast":
            raise ValueError("kernel 'fast' failed its self-check on this processor (a binary 3x3 layer differs)")
        return "portable"

    fake = SimpleNamespace(select_kernel=select, failed_kernels=lambda: ["fast (a binary 3x3 layer differs)"])
    monkeypatch.setattr(kernels, "native", lambda: fake)
    monkeypatch.delenv(KERNEL_VARIABLE, raising=False)
    with pytest.warns(RuntimeWarning, match="not used: fast"):
        assert selected_kernel() == "portable"
    monkeypatch.setenv(KERNEL_VARIABLE, "fast")
    with pytest.raises(UserError, match="failed its self-check"):
        selected_kernel()


def test_missing_native_module_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install -e"):
        PackedLayer(SPECS[0])


def test_shapes_that_do_not_fit_are_refused() -> None:
    layer = PackedLayer(SPECS[0])
    x = image_for(SPECS[0], 1, 5, 6)
    with pytest.raises(ValueError, match="input"):
        layer(x[:, :64])
    with pytest.raises(ValueError, match="expected"):
        layer(x[0])
    with pytest.raises(ValueError, match="skip"):
        layer(x, x)
    with pytest.raises(ValueError, match="scale_map"):
        layer(x, None, torch.rand(1, 5, 6))
    with pytest.raises(ValueError, match="smaller than the kernel"):
        PackedLayer(random_spec((65, 33)))(x[..., :2])
    mapped = replace(SPECS[0], epilogue=replace(SPECS[0].epilogue, scale_map=True, skip="before"))
    with pytest.raises(ValueError, match="scale_map"):
        PackedLayer(mapped)(x, torch.rand(1, 33, 5, 6))
    with pytest.raises(ValueError, match="scale_map"):
        PackedLayer(mapped)(x, torch.rand(1, 33, 5, 6), torch.rand(1, 6, 5))
    with pytest.raises(ValueError, match="skip"):
        PackedLayer(mapped)(x, None, torch.rand(1, 5, 6))
    with pytest.raises(ValueError, match="skip"):
        PackedLayer(mapped)(x, torch.rand(1, 33, 5, 5), torch.rand(1, 5, 6))


def test_specs_that_do_not_fit_are_refused() -> None:
    spec = SPECS[0]
    ones = Epilogue(torch.ones(1, 1))
    with pytest.raises(Unsupported, match="7x7"):
        PackedLayer(random_spec((3, 3), (9, 9)))
    with pytest.raises(ValueError, match="holds only"):
        PackedLayer(replace(spec, weight=spec.weight * 0))
    with pytest.raises(ValueError, match="do not fit 2 bits"):
        PackedLayer(replace(random_spec((9, 3), weight_bits=4), weight_bits=2))
    with pytest.raises(ValueError, match="stride"):
        PackedLayer(replace(spec, stride=0))
    with pytest.raises(ValueError, match="NaN"):
        PackedLayer(replace(spec, epilogue=replace(spec.epilogue, bias=torch.full((33,), float("nan")))))
    with pytest.raises(ValueError, match="does not fit 3 bits"):
        rule = UniformInput(3, 0.1, 0, 8)
        PackedLayer(LayerSpec(rule, torch.ones((1, 1, 1, 1, 1), dtype=torch.int8), ones))
    with pytest.raises(ValueError, match="32 bits"):
        rule, weight = UniformInput(8, 0.1, 0, 255), torch.full((1, 1, 65536, 1, 2), -128, dtype=torch.int8)
        PackedLayer(LayerSpec(rule, weight, ones, weight_bits=8))
