"""Units and blocks against figures of the official code: outputs in both modes and every gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from official_kit import COPIES, SHARED, Comparison, Figures, arrays_in, fill, folders, run
from torch import nn

from algorithms.bbcu.adapter import BBCU, BBCUM
from algorithms.bireal.adapter import BiReal
from algorithms.bnn.adapter import BNN
from algorithms.dorefa.adapter import DoReFa1
from algorithms.e2fif.adapter import E2FIF, E2FIFRepeat
from algorithms.fda.adapter import FDA
from algorithms.irnet.adapter import IRNet
from algorithms.pams.adapter import PAMS2, PAMS4
from algorithms.quantsr.adapter import QuantSR2, QuantSR4
from algorithms.reactnet.adapter import ReActNet
from algorithms.recu.adapter import ReCU
from algorithms.xnor.adapter import XNOR
from algorithms.xnorpp.adapter import XNORPlusPlus
from bench.nn.algorithm import Algorithm, parts_of
from bench.nn.estimators import identity
from bench.nn.unit import Unit

Make = Callable[[Algorithm, Figures], nn.Module]


def conv(method: Algorithm, figures: Figures) -> Unit:
    """The bare convolution of a unit: no norm, nonlinearity or shortcut."""
    cout, cin = figures["weight"].shape[:2]
    made = method.conv(cin, cout, 3, place="body")
    unit = next(parts_of(made, Unit))
    unit.norm, unit.nonlinearity, unit.skip = None, None, "none"
    return unit


def unit(method: Algorithm, figures: Figures) -> nn.Module:
    return method.conv(8, 8, 3, place="body")


def block(method: Algorithm, figures: Figures) -> nn.Module:
    return method.block(8)


def scaled_block(method: Algorithm, figures: Figures) -> nn.Module:
    return method.block(8, figures.number("res_scale"))


def leaky_block(method: Algorithm, figures: Figures) -> nn.Module:
    assert figures.number("leaky_slope") == pytest.approx(0.1)
    return scaled_block(method, figures)


def stage(method: Algorithm, figures: Figures) -> nn.Module:
    return method.upsample_stage(8, int(figures.number("factor")), nn.LeakyReLU(0.1))


def ending(method: E2FIFRepeat, figures: Figures) -> nn.Module:
    return nn.Sequential(*method.ending(8, int(figures.number("factor"))))


def sharpened(make: Make) -> Make:
    """IR-Net's estimator at the case's t; k follows from it."""

    def made(method: Algorithm, figures: Figures) -> nn.Module:
        module = make(method, figures)
        for part in parts_of(module, Unit):
            part.quantize_weight.estimator.t = part.quantize_act.estimator.t = t = figures.number("t")
            assert figures.number("k") == pytest.approx(max(1 / t, 1))
        return module

    return made


def clamped(make: Make) -> Make:
    """ReCU at the case's share of the training."""

    def made(method: Algorithm, figures: Figures) -> nn.Module:
        module = make(method, figures)
        method.on_progress(module, figures.number("progress"))
        for part in parts_of(module, Unit):
            assert part.quantize_weight.tau == pytest.approx(figures.number("tau"), rel=1e-6)
        return module

    return made


def noisy(method: Algorithm, figures: Figures) -> nn.Module:
    made = conv(method, figures)
    for quantizer in (made.quantize_weight, made.quantize_act):
        assert quantizer.estimator.omega == pytest.approx(figures.number("omega"))
        quantizer.estimator.terms, quantizer.strength = int(figures.number("n")), figures.number("strength")
    return made


CASES: dict[str, tuple[Algorithm, Make]] = {
    "bbcu_unit": (BBCU(), unit),
    "bbcu_block": (BBCU(), block),
    "bbcu_m_upsampler": (BBCUM(), stage),
    "bbcu_m_upsampler_x3": (BBCUM(), stage),
    "e2fif_block": (E2FIF(), leaky_block),
    "e2fif_block_res01": (E2FIF(), leaky_block),
    "e2fif_repeat_tail": (E2FIFRepeat(), ending),
    "reactnet_block": (ReActNet(), block),
    "react_conv": (ReActNet(), conv),
    "bireal_block": (BiReal(), block),
    "bireal_conv": (BiReal(), conv),
    "irnet_conv": (IRNet(), sharpened(conv)),
    "irnet_conv_late": (IRNet(), sharpened(conv)),
    "irnet_block": (IRNet(), sharpened(block)),
    "recu_conv": (ReCU(), clamped(conv)),
    "recu_block": (ReCU(), clamped(block)),
    "fda_conv": (FDA(), noisy),
    "fda_conv_noise": (FDA(), noisy),
    "bnn_conv": (BNN(), conv),
    "dorefa_1_conv": (DoReFa1(per_channel=True), conv),
    "xnor_conv": (XNOR(per_image=True), conv),
    "xnorpp_conv": (XNORPlusPlus(), conv),
}


def compare(name: str, figures: Figures) -> Comparison:
    method, make = CASES[name]
    module = make(method, figures)
    tensors = arrays_in(module)
    if "tail_weight" in figures:
        tensors |= {"tail_weight": module[1].weight, "tail_bias": module[1].bias}
    fill(tensors, figures)
    return run(module, figures, tensors)


@pytest.mark.parametrize("name", CASES)
def test_unit_or_block_is_the_official_one(name: str) -> None:
    compare(name, Figures(name)).close(CASES[name][0].card)


def low_bit_arrays(module: nn.Module, figures: Figures) -> dict[str, torch.Tensor]:
    """QuantSR: signs and steps are set, so nothing is left to start from data."""
    tensors = arrays_in(module)
    for i, part in enumerate(parts_of(module, Unit), start=1):
        suffix = f"_{i}" if "signed_1" in figures else ""
        part.quantize_act.signed.fill_(bool(figures[f"signed{suffix}"]))
        for quantizer in (part.quantize_act, part.quantize_weight):
            assert quantizer.bits == figures.number("bits")
            quantizer.initialised.fill_(True)
    return tensors


@pytest.mark.parametrize("method", [QuantSR2(), QuantSR4()], ids=lambda m: m.card.key)
def test_quantsr_block_is_the_official_one(method: Algorithm) -> None:
    figures = Figures(f"quantsr_block_{method.card.bits_w}bit")
    module = method.block(8)
    tensors = {**low_bit_arrays(module, figures), "shortcut": module.learned_shortcut}
    fill(tensors, figures)
    run(module, figures, tensors).close(method.card)


@pytest.mark.parametrize("method", [QuantSR2(), QuantSR4()], ids=lambda m: m.card.key)
def test_quantsr_conv_starts_from_its_first_batch_and_is_the_official_one(method: Algorithm) -> None:
    figures = Figures(f"quantsr_conv_{method.card.bits_w}bit")
    module = method.conv(8, 8, 3, place="body")
    tensors = arrays_in(module)
    learned = ("step_a", "step_w")
    fill({name: tensor for name, tensor in tensors.items() if name not in learned}, figures)
    with torch.no_grad():
        module.train()(figures["x"])
    assert bool(module.quantize_act.signed) is bool(figures["signed"])
    compared = run(module, figures, low_bit_arrays(module, figures))
    for name in learned:
        compared.value(name, tensors[name])
    compared.close(method.card)


@pytest.mark.parametrize("method", [PAMS2(decay=0), PAMS4(decay=0)], ids=lambda m: m.card.key)
def test_pams_block_is_the_official_one_and_calibrates_as_its_first_batch(method: Algorithm) -> None:
    figures = Figures(f"pams_block_{method.card.bits_w}bit")
    assert figures.number("bits") == method.card.bits_w
    module = method.block(8)
    ranges = {"alpha_in": module.act_in, "alpha_mid": module.conv2.quantize_act, "alpha_out": module.act_out}
    alphas = {name: act.alpha for name, act in ranges.items()}
    fill(arrays_in(module), figures)
    with torch.no_grad():
        module.train()(figures["x"])
    first = {name: alpha.detach().clone() for name, alpha in alphas.items()}
    method.on_progress(module, 0.5)
    fill(alphas, figures)
    compared = run(module, figures, arrays_in(module) | alphas)
    for name, alpha in first.items():
        compared.value(f"{name}_first_batch", alpha)
    compared.close(method.card)


# The gate itself


def test_a_wrong_gradient_is_told() -> None:
    figures = Figures("bnn_conv", [COPIES])
    module = conv(BNN(), figures)
    module.quantize_weight.estimator = identity
    fill(arrays_in(module), figures)
    with pytest.raises(AssertionError, match=r"beyond the bounds: \{'dweight': "):
        run(module, figures, arrays_in(module)).close(BNN.card)


def test_a_known_failure_has_to_fail() -> None:
    card = replace(BNN.card, xfail={"official.bnn_conv.dx": "why"})
    with pytest.raises(AssertionError, match=r"known on the card of bnn: \['dx'\]"):
        compare("bnn_conv", Figures("bnn_conv", [COPIES])).close(card)


def test_an_array_left_out_is_told() -> None:
    figures = Figures("bnn_conv", [COPIES])
    compared = Comparison(figures)
    compared.value("y_eval", figures["y_eval"])
    with pytest.raises(AssertionError, match=r"nothing was compared with or set to: .*'y_train'"):
        compared.close(BNN.card)


def test_another_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BISRBENCH_FIXTURES", str(tmp_path))
    assert folders() == [tmp_path]
    with pytest.raises(pytest.skip.Exception, match=r"no bnn_conv\.npz in"):
        Figures("bnn_conv")
    np.savez(tmp_path / "bnn_conv.npz", x=np.ones(3, np.float32))
    assert list(Figures("bnn_conv")) == ["x"]
    monkeypatch.setenv("BISRBENCH_FIXTURES", str(tmp_path / "mistyped"))
    with pytest.raises(pytest.fail.Exception, match="no such folder"):
        Figures("bnn_conv")


def test_copied_figures_are_those_of_the_shared_folder() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED}")
    copies = sorted(COPIES.glob("*.npz"))
    assert len(copies) >= 4
    for path in copies:
        assert path.read_bytes() == (SHARED / path.name).read_bytes(), path.name


def test_every_file_has_a_test() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED}")
    blocks = {f"{block}_{bits}bit" for block in ("pams_block", "quantsr_block", "quantsr_conv") for bits in (2, 4)}
    parts = {"dorefa_1_weight", "dorefa_2", "dorefa_4", "pams_skt", "frb_dbt", "quantsr_joint", "cadyq_block"}
    assert {path.stem for path in SHARED.glob("*.npz")} == set(CASES) | blocks | parts
