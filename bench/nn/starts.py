"""How the latent weights of quantized layers begin: named rules that a method chooses from.

A start belongs to a method as its gradient does: with an estimator's window of 1 and a learning rate of 1e-3 it decides
how many signs a training can still turn.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from bench.contract import unknown

Start = Callable[[Tensor], object]


def kaiming(weight: Tensor) -> None:
    """Normal, deviation sqrt(2 / fan-in) (He et al., ICCV 2015)."""
    nn.init.kaiming_normal_(weight)


def narrow(weight: Tensor) -> None:
    """A tenth of `kaiming`, as SRResNet's and EDSR's own layers start in BasicSR."""
    nn.init.kaiming_normal_(weight)
    weight.data.mul_(0.1)


def fan_in(weight: Tensor) -> None:
    """Uniform within +-1 / sqrt(fan-in), PyTorch's own start of a convolution: +-1/24 for 64 channels and 3x3."""
    nn.init.kaiming_uniform_(weight, a=5**0.5)


def positive(weight: Tensor) -> None:
    """Uniform from 0 to 0.001: every sign is +1 at first, and all are free to turn."""
    nn.init.uniform_(weight, 0, 0.001)


def xavier(weight: Tensor) -> None:
    """Uniform within +-sqrt(6 / (fan-in + fan-out)) (Glorot and Bengio, AISTATS 2010)."""
    nn.init.xavier_uniform_(weight)


STARTS: dict[str, Start] = {rule.__name__: rule for rule in (kaiming, narrow, fan_in, positive, xavier)}


def start_named(name: str) -> Start:
    """The rule called ``name``. Raises UserError, with the nearest name, when there is none."""
    if name not in STARTS:
        raise unknown("start", name, sorted(STARTS))
    return STARTS[name]
