"""One training iteration, as the trainer runs it and the train track measures it."""

from __future__ import annotations

import math

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from bench.contract import UserError
from bench.nn.algorithm import Algorithm
from bench.nn.training.data import Sampler
from bench.nn.training.divergence import broken_activation, broken_gradient, broken_weight, finite
from bench.nn.training.plan import Plan


class Diverged(UserError):
    """Loss, gradient or weight is not finite any more. The newest checkpoint is from before."""

    def __init__(self, iteration: int, what: str, where: str) -> None:
        super().__init__(
            f"training diverged: {what} is not finite in iteration {iteration}; first in {where}. "
            "Lower the learning rate (--learning-rate), or take another --seed."
        )
        self.iteration, self.what, self.where = iteration, what, where


class Stepper:
    """Network, optimizer and patches, ready to step."""

    def __init__(
        self,
        fabric: Fabric,
        algorithm: Algorithm,
        network: nn.Module,
        plan: Plan,
        sampler: Sampler,
        teacher: nn.Module | None = None,
    ) -> None:
        """``network`` is trained in place. Raises UserError when the batch does not divide among the processes."""
        if plan.batch % fabric.world_size:
            raise UserError(f"a batch of {plan.batch} does not divide among {fabric.world_size} processes.")
        self.fabric, self.algorithm, self.plan, self.sampler = fabric, algorithm, plan, sampler
        self.raw = network.train()
        groups = algorithm.parameter_groups(network, plan.learning_rate)
        self.network, self.optimizer = fabric.setup(self.raw, _optimizer(groups, plan))
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.teacher = None
        if teacher is not None:
            self.teacher = fabric.setup_module(teacher.eval().requires_grad_(False))

    def step(self, iteration: int) -> float:
        """Run ``iteration`` (from 0); the loss. Raises Diverged."""
        self.algorithm.on_progress(self.raw, iteration / self.plan.iterations)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.plan.rate(iteration)
        lr, hr = self._batch()
        self.optimizer.zero_grad()
        loss = self._loss(lr, hr)
        value = self.fabric.all_reduce(loss.detach(), reduce_op="mean").item()
        if not math.isfinite(value):
            where = broken_weight(self.raw) or broken_activation(self.raw, lambda: self._loss(lr, hr))
            raise Diverged(iteration, "the loss", where or "the loss itself, while every layer's output is finite")
        self.fabric.backward(loss)
        if not finite(p.grad for p in self.raw.parameters()):
            raise Diverged(iteration, "a gradient", f"{broken_gradient(self.raw)} (gradient)")
        self.optimizer.step()
        self.algorithm.after_step(self.raw)
        if not finite(self.raw.parameters()):  # a binary layer would hide it: the sign of NaN is a number
            raise Diverged(iteration, "a weight", f"{broken_weight(self.raw)}")
        return value

    def _loss(self, lr: Tensor, hr: Tensor) -> Tensor:
        return self.algorithm.loss(self.network, lr, hr, self.teacher)

    def _batch(self) -> tuple[Tensor, Tensor]:
        # Every process draws the whole batch and keeps its share: the patches do not depend on how many there are.
        share = slice(self.fabric.global_rank, None, self.fabric.world_size)
        lr, hr = (side[share].to(self.fabric.device) for side in self.sampler.draw())
        return lr.float().div_(255), hr.float().div_(255)


def _optimizer(groups: list[dict[str, object]], plan: Plan) -> torch.optim.Optimizer:
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=plan.betas[0])
    return torch.optim.Adam(groups, betas=plan.betas)
