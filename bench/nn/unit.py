"""The unit: quantize the input, convolve, normalise, bend, add the shortcut. Most methods are one composition of it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.layer.reference import run_spec
from bench.layer.spec import Epilogue, LayerSpec, Skip
from bench.layer.unit_base import UnitShell
from bench.nn.algorithm import Place
from bench.nn.quantizers import ActQuantizer, Levels, WeightQuantizer


class RPReLU(nn.Module):
    """PReLU(x + before) + after, per channel; shifts start at 0, slope at 0.25 (ReActNet, ECCV 2020, eq. 6)."""

    def __init__(self, channels: int):
        super().__init__()
        self.before = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), 0.25))
        self.after = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x + self.before.view(-1, 1, 1), self.slope) + self.after.view(-1, 1, 1)


def skip_for(cin: int, cout: int, place: Place, where: Skip = "after") -> Skip:
    """``where`` for a unit whose own shortcut makes sense at ``place``, else ``"none"``.

    A shortcut needs ``cin == cout``; ahead of a pixel shuffle (``upsample``) a multiple will do, because repeated
    channels are then nearest-neighbour upsampling. Elsewhere the backbone's own structure carries the information:
    concatenation and local skips in RDN, the residual branches around a transformer layer's linear layers in SwinIR.
    """
    fits = cout % cin == 0 if place == "upsample" else cin == cout and place != "linear"
    return where if fits else "none"


class Unit(UnitShell):
    """One quantized convolution with everything that surrounds it.

    ``skip`` adds the unit's input to its output, before or after the nonlinearity. With ``cout = m * cin`` the input's
    channels are repeated m times each; ahead of a pixel shuffle this is nearest-neighbour upsampling of the input.
    ``branch_scale`` multiplies the normalised convolution before anything is added to it (EDSR's res_scale, 0.1).

    The unit has two forms. While gradients flow it computes the method's own differentiable expression. In evaluation
    (``eval()`` and ``no_grad``) it computes the same function the way it is deployed: integer accumulators, which
    float32 holds exactly, then the epilogue of its `LayerSpec`. Both forms agree to rounding (the conformance kit
    checks it), and the deployed form is what makes trained and packed networks comparable to the last bit: otherwise
    rounding flips signs, and a deep binary network amplifies each flip.

    Input (N, Ci, H, W), or tokens (N, L, Ci) when the kernel is 1; output alike with Co.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int | tuple[int, int] = 3,
        *,
        weight: WeightQuantizer,
        act: ActQuantizer,
        bias: bool = False,
        norm: nn.BatchNorm2d | None = None,
        nonlinearity: nn.Module | None = None,
        scale_map: nn.Module | None = None,
        skip: Skip = "none",
        dilation: int = 1,
        branch_scale: float = 1.0,
    ):
        super().__init__(cin, cout, skip, scale_map)
        kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.weight = nn.Parameter(torch.empty(cout, cin, kh, kw))
        nn.init.kaiming_normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(cout)) if bias else None
        self.quantize_weight, self.quantize_act = weight, act
        self.norm, self.nonlinearity = norm, nonlinearity
        self.padding = (dilation * (kh // 2), dilation * (kw // 2))
        self.dilation, self.branch_scale = dilation, branch_scale

    def compute(self, x: Tensor, shortcut: Tensor | None, scale_map: Tensor | None) -> Tensor:
        if not self.training and not torch.is_grad_enabled():
            try:
                return run_spec(self.spec(), x, shortcut, scale_map)
            except Unsupported:  # not deployable, hence nothing packed to agree with
                pass
        return self.differentiable(x, shortcut, scale_map)

    def differentiable(self, x: Tensor, shortcut: Tensor | None, scale_map: Tensor | None) -> Tensor:
        """The method's training expression."""
        y = F.conv2d(self.quantize_act(x), self.quantize_weight(self.weight), None, 1, self.padding, self.dilation)
        if scale_map is not None:
            y = y * scale_map
        if self.bias is not None:
            y = y + self.bias.view(-1, 1, 1)
        if self.norm is not None:
            y = self.norm(y)
        if self.branch_scale != 1.0:
            y = y * self.branch_scale
        if self.skip == "before":
            y = y + shortcut
        if self.nonlinearity is not None:
            y = self.nonlinearity(y)
        return y + shortcut if self.skip == "after" else y

    def stored_floats(self) -> int:
        """Floats a deployment keeps beside the integer weights: scales, folded bias, thresholds, slopes and shifts.

        Whatever the weight quantizer learns is folded into the scales; a module with ``training_only`` set is dropped.
        """
        folded = {id(p) for p in (self.weight, self.bias)}
        for module in self.modules():
            if module in (self.norm, self.quantize_weight) or getattr(module, "training_only", False):
                folded |= {id(p) for p in module.parameters()}
        own = sum(p.numel() for p in self.parameters() if id(p) not in folded)
        has_bias = self.bias is not None or self.norm is not None
        return own + self.cout * (self.quantize_weight.bases + has_bias)

    def spec(self) -> LayerSpec:
        """This unit as a packed layer. Raises Unsupported, with the reason, when the format cannot hold it."""
        levels = self.quantize_weight.export(self.weight.detach())
        quantized = self.quantize_act.export(self.cin)
        scale = levels.scale if quantized.step == 1 else levels.scale * quantized.step
        bias = None if self.bias is None else self.bias.detach().float()
        if quantized.offset:
            bias = self._constant(levels, quantized.offset) + (0 if bias is None else bias)
        if self.norm is not None:
            gain = self.norm.weight.detach() / torch.sqrt(self.norm.running_var + self.norm.eps)
            shifted = -self.norm.running_mean if bias is None else bias - self.norm.running_mean
            scale, bias = scale * gain, shifted * gain + self.norm.bias.detach()
        if self.branch_scale != 1.0:
            scale, bias = scale * self.branch_scale, None if bias is None else bias * self.branch_scale
        pre, slope, post = _bend(self.nonlinearity, self.cout)
        epilogue = Epilogue(scale, bias, self.scale_map is not None, pre, slope, post, self.skip)
        return LayerSpec(
            quantized.input, levels.integers, epilogue, self.quantize_weight.bits, 1, self.padding, self.dilation
        )

    def _constant(self, levels: Levels, offset: float) -> Tensor:
        """What an ``offset`` on every input adds to each output channel."""
        if levels.integers.shape[3:] != (1, 1):
            raise Unsupported("inputs have no level at 0, so zero padding would need a bias that differs at the border")
        return offset * (levels.scale * levels.integers.sum((2, 3, 4))).sum(0)


def plain_unit(
    cin: int, cout: int, kernel: int, weight: WeightQuantizer, act: ActQuantizer, skip: Skip = "none"
) -> Unit:
    """A unit in place of a convolution and nothing more but ``skip``: with bias, both starting as PyTorch's own do.

    Weights and biases are uniform within +-1 / sqrt(fan-in), as in the official code of PAMS, CADyQ and QuantSR.
    `Unit`'s own, wider start suits units that normalise; without, a residual network's features would grow with every
    block.
    """
    unit = Unit(cin, cout, kernel, weight=weight, act=act, bias=True, skip=skip)
    bound = unit.weight[0].numel() ** -0.5
    nn.init.uniform_(unit.weight, -bound, bound)
    nn.init.uniform_(unit.bias, -bound, bound)
    return unit


def _bend(module: nn.Module | None, channels: int) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """(pre, slope, post), each float32 [channels] or None, of a piecewise-linear nonlinearity."""
    match module:
        case None | nn.Identity():
            return None, None, None
        case RPReLU():
            return tuple(p.detach().float() for p in (module.before, module.slope, module.after))
        case nn.PReLU():
            return None, module.weight.detach().float().expand(channels).contiguous(), None
        case nn.LeakyReLU():
            return None, torch.full((channels,), float(module.negative_slope)), None
        case nn.ReLU():
            return None, torch.zeros(channels), None
    raise Unsupported(f"the packed epilogue holds ReLU, LeakyReLU, PReLU and RPReLU, not {type(module).__name__}")
