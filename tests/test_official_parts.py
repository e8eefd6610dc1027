"""Figures of the official code for what is no single unit: losses, weight quantizers, super-nets, bit selectors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from official_kit import SCALARS, Comparison, Figures, arrays_in, fill, run
from torch import Tensor, nn

from algorithms.cadyq.adapter import CADyQ
from algorithms.cadyq.selector import BITS, BitSelector, recorded_bits
from algorithms.dorefa.adapter import DoReFa, DoReFa1, DoReFa2, DoReFa4
from algorithms.frb.adapter import BETA, FRB, block_transfer
from algorithms.pams.adapter import PAMS4
from algorithms.quantsr.adapter import QuantSR4
from algorithms.quantsr.slimmable import DEPTHS, ShortcutBlock, Slimmable
from bench.nn.algorithm import parts_of
from bench.nn.transfer import structured_transfer
from bench.nn.unit import Unit


def test_dorefa_weights_of_one_bit_are_the_authors() -> None:
    figures = Figures("dorefa_1_weight")
    quantize = DoReFa1().conv(8, 8, 3, place="body").quantize_weight
    weight = figures["weight"].clone().requires_grad_()
    values = quantize(weight)
    (values * figures["g"]).sum().backward()
    compared = Comparison(figures)
    compared.value("weight_quantized", values)
    compared.gradient("weight", weight.grad)
    compared.close(DoReFa1.card)


@pytest.mark.parametrize("method", [DoReFa2(), DoReFa4()], ids=lambda m: m.card.key)
def test_dorefa_of_several_bits_is_the_authors(method: DoReFa) -> None:
    figures = Figures(f"dorefa_{method.card.bits_w}")
    assert figures.number("bits") == method.card.bits_w
    unit = method.conv(8, 8, 3, place="body")
    tensors = arrays_in(unit)
    fill(tensors, figures)
    compared = run(unit, figures, tensors)
    compared.value("weight_quantized", unit.quantize_weight(unit.weight))
    compared.value("x_quantized", unit.quantize_act(figures["x"]))
    compared.close(method.card)


class Features(nn.Module):
    """A network whose body gives the case's features, whatever the image."""

    def __init__(self, features: Tensor):
        super().__init__()
        self.body = nn.Identity()
        self.features = features

    def forward(self, image: Tensor) -> Tensor:
        self.body(self.features)
        return image


def test_pams_transfer_is_the_official_one() -> None:
    figures = Figures("pams_skt")
    student = figures["student"].clone().requires_grad_()
    image = torch.rand(1, 3, 4, 4)
    networks = Features(student), Features(figures["teacher"])
    loss = structured_transfer(networks[0], image, image, networks[1], weight=1.0)
    loss.backward()
    compared = Comparison(figures)
    compared.value("loss", loss)
    compared.gradient("student", student.grad)
    whole = PAMS4().loss(networks[0], image, image, networks[1])
    compared.value("weight", whole / loss)
    compared.close(PAMS4.card)


def test_frb_transfer_over_the_whole_batch_is_that_of_quantsrs_repository() -> None:
    figures = Figures("frb_dbt")
    student = figures["student"].clone().requires_grad_()
    loss = block_transfer(student, figures["teacher"], whole_batch=True)
    loss.backward()
    compared = Comparison(figures)
    compared.value("loss", loss)
    compared.gradient("student", student.grad)
    pairs = zip(student, figures["teacher"], strict=True)
    compared.value("loss_per_block", torch.stack([block_transfer([a], [b], whole_batch=True) for a, b in pairs]))
    compared.value("weight", torch.tensor(BETA))
    compared.close(FRB.card)


def test_quantsr_trains_three_depths_as_the_official_step() -> None:
    figures = Figures("quantsr_joint")
    method = QuantSR4()
    assert figures.number("bits") == method.card.bits_w
    blocks = [method.block(8) for _ in figures["shortcut"]]
    named = [block_arrays(block, figures, i) for i, block in enumerate(blocks)]
    chain = Slimmable(blocks, one_more=True)
    compared, losses = Comparison(figures), []
    for depth in DEPTHS:
        chain.depth = depth
        kept = chain.kept()
        compared.value(f"kept_{depth}", torch.tensor([i in kept for i in range(len(blocks))]), bound=0)
        with torch.no_grad():
            compared.value(f"y_eval_{depth}", chain.eval()(figures["x"]))
        losses.append(F.l1_loss(chain.train()(figures["x"]), figures["target"]))
        compared.value(f"loss_{depth}", losses[-1])
    joint = sum(losses) / len(losses)
    joint.backward()
    compared.value("loss_joint", joint)
    for name in named[0]:
        compared.gradient(name, torch.stack([tensors[name].grad for tensors in named]))
    compared.close(method.card)


def block_arrays(block: ShortcutBlock, figures: Figures, index: int) -> dict[str, Tensor]:
    """Set a block to the case's one with this index; its tensors by name."""
    tensors = {**arrays_in(block), "shortcut": block.learned_shortcut}
    for name, tensor in tensors.items():
        tensor.data.copy_(figures[name][index].view_as(tensor))
    for number, unit in enumerate(parts_of(block, Unit), start=1):
        unit.quantize_act.signed.fill_(bool(figures[f"signed_{number}"][index]))
        for quantizer in (unit.quantize_act, unit.quantize_weight):
            quantizer.initialised.fill_(True)
    return tensors


def selector_arrays(selector: BitSelector, number: int) -> dict[str, Tensor]:
    ranges = zip(BITS, selector.quantizers, strict=True)
    logits = {f"logits_{name}_{number}": getattr(selector.logits, name) for name in ("weight", "bias")}
    return {f"alpha_{bits}bit_{number}": quantizer.alpha for bits, quantizer in ranges} | logits


def test_cadyq_block_and_its_selectors_are_the_official_ones() -> None:
    figures = Figures("cadyq_block")
    method = CADyQ()
    block = method.block(8)
    method.on_progress(block, 0.5)
    selectors = [block.select1, block.select2]
    chosen = [selector_arrays(selector, i) for i, selector in enumerate(selectors, start=1)]
    tensors = arrays_in(block) | {"alpha_out": block.act_out.alpha} | chosen[0] | chosen[1]
    fill(tensors, figures)
    means = method.gradients(figures["image"])
    assert torch.equal(method.gradients.means, means)
    compared = run(block, figures, {name: t for name, t in tensors.items() if not name.startswith("logits")})
    compared.value("image_gradients", means)
    logits = {name: tensor for name, tensor in tensors.items() if name.startswith("logits")}
    for name, tensor in logits.items():
        compared.gradient(name, tensor.grad, SCALARS)
        tensor.grad = None
    bits = []
    hooks = [s.logits.register_forward_hook(lambda m, i, out: bits.append(out.argmax(1))) for s in selectors]
    with recorded_bits(block) as record:
        block(figures["x"])
    for hook in hooks:
        hook.remove()
    compared.value("weighted_bits", sum(record))
    compared.value("bits_chosen", sum(torch.tensor(BITS)[choice] for choice in bits), bound=0)
    sum(record).sum().backward()
    for name, tensor in logits.items():
        compared.value(f"d{name}_from_bits", tensor.grad, SCALARS)
    compared.close(method.card)
