"""What a network hands back: a picture of the right kind, or one sentence about what it is instead."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.contract import UserError
from bench.contract.gates import gate

ODD_RANGE = "odd_range"
"""Flag of outputs that leave [0, 1] further than any picture's overshoot."""
MARGIN = 0.5
"""Values in [-0.5, 1.5] are overshoot; most of what lies beyond is no picture."""
SHARE = 0.001
"""Of the pixels that may lie beyond `MARGIN` before the range counts as odd."""
NEAR = 0.15
"""Root mean square distance from the enlarged input below which an output is a picture of it."""


@gate("refused", broken_by="tests/test_gates_output.py::test_an_output_of_another_kind_is_one_sentence")
def check_output(who: str, output: object, image: Tensor, scale: int) -> None:
    """A network answers an image with a finite float32 image of the enlarged shape, (N, 3, scale*H, scale*W) in [0, 1].
    Another type, dtype, layout or shape, and a picture in 0..255, is one sentence with what came and what was expected.

    ``who``: name of the class. Raises UserError.
    """
    n, _, height, width = image.shape
    expected = (n, 3, height * scale, width * scale)
    wanted = f"expected a float32 tensor (N, 3, scale*H, scale*W), here {expected}, with 0 as black and 1 as white"
    if not isinstance(output, Tensor):
        raise UserError(f"{who} returned a {type(output).__name__}; {wanted}. Return the picture alone.")
    shape = tuple(output.shape)
    if shape != expected:
        last = len(shape) == 4 and shape == (n, *expected[2:], 3)
        advice = "Its channels come last: permute(0, 3, 1, 2)." if last else "Check the upsampler and the scale."
        raise UserError(f"{who} returned shape {shape}; {wanted}. {advice}")
    if output.dtype != torch.float32:
        raise UserError(f"{who} returned {output.dtype}; {wanted}. Convert it with .float().")
    if not bool(torch.isfinite(output).all()):
        raise UserError(f"{who} returned NaN or infinity; {wanted}. Check its weights and its divisions.")
    if _distance(output / 255, image) < min(NEAR, _distance(output, image)):
        low, high = float(output.min()), float(output.max())
        raise UserError(f"{who} returned a picture in 0..255 ({low:.4g} to {high:.4g}); {wanted}. Divide it by 255.")


@gate("flagged", broken_by="tests/test_gates_output.py::test_a_range_that_no_picture_has_is_flagged")
def range_flags(output: Tensor) -> list[str]:
    """`odd_range`: a thousandth of an output's values or more lie below -0.5 or above 1.5, where no picture has any."""
    beyond = ((output < -MARGIN) | (output > 1 + MARGIN)).float().mean()
    return [ODD_RANGE] if float(beyond) >= SHARE else []


def _distance(output: Tensor, image: Tensor) -> float:
    """Root mean square distance from the input enlarged to the output's size."""
    enlarged = F.interpolate(image, output.shape[-2:], mode="bilinear", align_corners=False)
    return float((output - enlarged).square().mean().sqrt())
