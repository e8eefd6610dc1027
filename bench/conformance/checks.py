"""The checks. Each is a plain function ``check_x(subject) -> None`` that raises AssertionError with what it saw."""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from bench.contract import KEY_PATTERN, Unsupported
from bench.nn.algorithm import tagged
from bench.nn.build import build_network, hash_tensors
from bench.nn.label import check_label
from bench.nn.subject import ODD, SEED, Subject, perturb
from bench.plan.discover import discover


def check_card(subject: Subject) -> None:
    """The card is complete, and importing it does not import torch."""
    card = subject.card
    assert KEY_PATTERN.fullmatch(card.key), f"key {card.key!r}"
    for name in ("name", "adapter", "provenance"):
        assert getattr(card, name), f"the card's {name} is empty"
    assert card.bits_w in range(1, 33) and card.bits_a in range(1, 33), f"bits {card.bits_w}/{card.bits_a}"
    module = card.adapter.split(":")[0]
    if module.startswith("algorithms."):
        package = ".".join(module.split(".")[:2])
        code = f"import sys, {package}; assert 'torch' not in sys.modules, 'importing the card imports torch'"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2]
        )
        assert done.returncode == 0, done.stderr.strip().splitlines()[-1]


def check_seed(subject: Subject) -> None:
    """The same seed gives the same weights."""
    first, second = (hash_tensors(subject.fresh().state_dict()) for _ in range(2))
    assert first == second, "two networks of one seed differ"


def check_output(subject: Subject) -> None:
    """Output shape at an odd size, float32, finite, and the same twice."""
    with torch.no_grad():
        out, again = subject.network(subject.image), subject.network(subject.image)
    expected = (2, 3, ODD[0] * subject.scale, ODD[1] * subject.scale)
    assert tuple(out.shape) == expected, f"output {tuple(out.shape)}, expected {expected}"
    assert out.dtype == torch.float32, f"output is {out.dtype}"
    assert bool(torch.isfinite(out).all()), "the output holds NaN or infinity"
    assert torch.equal(out, again), "two evaluations of one image differ"


def check_bits(subject: Subject) -> None:
    """Every convolution and linear layer holds what its claim says and runs as often as it is counted."""
    try:
        check_label(subject.card, subject.network, subject.image)
    except Unsupported as reason:
        raise AssertionError(str(reason)) from None


def check_gradients(subject: Subject) -> None:
    """Every trainable parameter receives a gradient."""
    network = perturb(subject.fresh()).train()
    teacher = None
    if subject.algorithm.needs_teacher:
        teacher = build_network(discover().loader("fp32"), subject.backbone, subject.scale, SEED).eval()
    target = torch.rand(2, 3, ODD[0] * subject.scale, ODD[1] * subject.scale)
    for _ in range(2):  # the first batch may be the one that sets ranges
        network.zero_grad()
        loss = subject.algorithm.loss(network, subject.image, target, teacher)
        if loss.requires_grad:
            loss.backward()
    # A gate of channel attention has so few hidden units that all its ReLUs may be off on one picture.
    gates = {id(p) for _, m, claim in tagged(network) if claim.place == "attention" for p in m.parameters()}
    trainable = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    dead = [n for n, p in trainable if p.grad is None or not (bool(p.grad.any()) or id(p) in gates)]
    assert not dead, f"no gradient reaches {len(dead)} parameter(s), e.g. {', '.join(dead[:3])}"


def check_batch(subject: Subject) -> None:
    """An image's result does not depend on the batch it is in (float64, so that rounding flips no sign)."""
    network = copy.deepcopy(subject.network).double()
    x = subject.image.double()
    with torch.enable_grad():
        together, alone = network(x)[:1], network(x[:1])
    gap = float((together - alone).detach().abs().max())
    assert gap < 1e-9, f"alone and in a batch, one image differs by {gap:.2g}"


def check_round_trip(subject: Subject) -> None:
    """A state dict survives safetensors, and the reloaded network computes the same."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "weights.safetensors"
        save_file({k: v.contiguous() for k, v in subject.network.state_dict().items()}, path)
        other = subject.fresh(SEED + 1).eval()
        other.load_state_dict(load_file(path))
        assert torch.equal(other(subject.image), subject.network(subject.image)), "the reloaded network differs"


def check_counted(subject: Subject) -> None:
    """Every convolution is claimed, the count agrees with torch's, and operations grow with the input's area."""
    from bench.nn.complexity import count_network

    small, large = (count_network(subject.fresh(), size) for size in ((48, 32), (96, 64)))
    assert small.parameters == sum(p.numel() for p in subject.fresh().parameters()), (
        "parameter count disagrees with torch"
    )
    macs = [sum(layer.macs for layer in net.layers) for net in (small, large)]
    assert macs[0] == macs[1] == 0 or 3.5 < macs[1] / macs[0] < 4.5, (
        f"four times the area, {macs[1] / macs[0]:.2f} times the work"
    )


def check_packed(subject: Subject) -> None:
    """The packed network equals the trained one: integers with ==, floats within 1e-5; or it says why it cannot be."""
    from bench.packed.pack import pack, packed_units
    from bench.packed.parity import check_parity

    network = copy.deepcopy(subject.network).to(memory_format=torch.channels_last)
    try:
        packed = pack(network)
    except Unsupported as reason:
        assert len(str(reason)) > 20, f"refuses to pack without a reason: {reason!s}"
        return
    if not subject.card.full_precision:
        assert packed_units(packed), "claims few bits, but nothing was packed"
    parity = check_parity(network, packed, subject.image.contiguous(memory_format=torch.channels_last))
    assert parity.passed, parity.reason()


def check_refusals(subject: Subject) -> None:
    """A backbone or scale it does not have is refused with a reason."""
    if subject.card.backbone_free:
        return
    for backbone, scale in (("no_such_backbone", subject.scale), (subject.backbone, 7)):
        try:
            build_network(subject.algorithm, backbone, scale)
        except Unsupported as reason:
            assert str(reason), "refused without a reason"
        else:
            raise AssertionError(f"built {backbone} x{scale}, which does not exist")
