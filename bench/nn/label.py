"""Does a network do what its card and its claims say? Asked of the very network that a track is about to measure."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.contract import Card, Unsupported
from bench.contract.gates import gate
from bench.nn.algorithm import tagged
from bench.nn.calls import CallCount, shortfall
from bench.nn.complexity import count_as_run
from bench.nn.running_layer import ClaimStack, LevelWatch

SIDE = 24
"""Largest side of the picture on which a label is checked, low-resolution pixels."""


def small(image: Tensor) -> Tensor:
    """The upper left part of the first image, (1, 3, h, w) with sides of at most `SIDE`."""
    return image[:1, :, :SIDE, :SIDE].contiguous(memory_format=torch.channels_last)


def smooth_image(height: int = 11, width: int = 14, seed: int = 7) -> Tensor:
    """A smooth random picture, (1, 3, H, W) in [0, 1]."""
    coarse = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)


@gate("refused", broken_by="tests/test_gates_label.py::test_a_label_that_is_not_kept_is_refused_in_every_track")
def label_problems(network: nn.Module, image: Tensor) -> list[str]:
    """Layers that claim few bits hold no more values than that: weights and inputs, at PyTorch's dispatcher, with
    gradients and without. Every layer that was counted runs in either form, and again on the same picture.

    ``network`` in evaluation mode; ``image`` (N, 3, H, W) in [0, 1]. What is wrong, in words; empty when nothing is.
    """
    low = {name for name, _, claim in tagged(network) if not claim.full_precision}
    counted = _counted(network, image)
    for grad, again in ((True, False), (False, False), (False, True)):
        # In this order: the watch must lie innermost, and the count's hooks must see the call first.
        with torch.set_grad_enabled(grad), ClaimStack(network) as stack, CallCount(network) as count:
            with LevelWatch(stack, values=not again) as watch:
                network(image)
            calls = count.take()
        counted = calls if counted is None else counted
        problems = list(dict.fromkeys(watch.problems))
        problems += [f"{name}: ran without a convolution or product" for name in low & calls.keys() - watch.checked]
        problems += [short] if (short := shortfall(calls, counted)) else []
        if problems:
            return problems
    return []


def _counted(network: nn.Module, image: Tensor) -> dict[str, int] | None:
    """Calls as complexity counts them; None for a network that looks at values and so cannot run on shapes alone."""
    try:
        return count_as_run(network, (image.shape[-1], image.shape[-2])).calls
    except Exception:  # whatever its code meets where there are no values
        return None


def check_label(card: Card, network: nn.Module, image: Tensor) -> None:
    """Raise Unsupported, with the reason, for a network that does not do what ``card`` and its claims say."""
    low = [claim for _, _, claim in tagged(network) if not claim.full_precision]
    if not card.full_precision and not low:
        raise Unsupported(f"the card says {_bits(card)}, but no layer of the network claims fewer than 32 bits")
    if problems := label_problems(network, small(image)):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Unsupported(f"the label is not kept: {problems[0]}{more}. The card says {_bits(card)}")


def _bits(card: Card) -> str:
    return f"{card.bits_w}/{card.bits_a} bit" + (f" in {card.bases} bases" if card.bases > 1 else "")
