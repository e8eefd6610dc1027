"""The training loop: iterations, validation, checkpoints, resuming."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from bench.contract import UserError
from bench.nn.training import checkpoint
from bench.nn.training.checkpoint import Checkpoint
from bench.nn.training.step import Stepper
from bench.nn.training.validate import Validation


class Listener(Protocol):
    """Who hears how a run goes."""

    def note(self, text: str) -> None: ...

    def progress(self, iteration: int, loss: float, psnr: float, seconds: float) -> None:
        """After each iteration: how many are done, its loss, the last validation, seconds since this start."""

    def close(self) -> None: ...


@dataclass
class Curves:
    """What a run has shown so far. Saved with it."""

    loss: list[tuple[int, float]] = field(default_factory=list)
    """(iterations done, mean loss since the entry before)"""
    psnr: list[tuple[int, float]] = field(default_factory=list)
    """(iterations done, validation PSNR in dB); the first is the untrained network"""
    pending: list[float] = field(default_factory=list)
    """Losses since the last entry"""
    seconds: float = 0.0
    """Time spent in iterations and validation, over all starts"""


class Trainer:
    """A run in a folder. `run` goes from wherever the run stands to its end."""

    def __init__(
        self,
        stepper: Stepper,
        validation: Validation,
        folder: Path,
        description: Mapping[str, Any],
        listener: Listener,
        *,
        validate_every: int,
        checkpoint_every: int,
        deadline: float = math.inf,
    ) -> None:
        """``description`` (JSON) says what the run is; a checkpoint of another description is not resumed."""
        self.stepper, self.validation, self.folder, self.listener = stepper, validation, folder, listener
        self.description = dict(description)
        self.validate_every, self.checkpoint_every, self.deadline = validate_every, checkpoint_every, deadline
        self.done, self.curves = 0, Curves()
        self._stop = False

    def resume(self) -> None:
        """Go back to the newest checkpoint. Raises UserError when there is none, or when it is of another run."""
        found = checkpoint.newest(self.folder, self.listener.note)
        theirs = found.state["description"]
        wrong = [name for name in self.description if theirs.get(name) != self.description[name]]
        if wrong:
            name = wrong[0]
            raise UserError(
                f"{self.folder} holds another run: {name} is {theirs.get(name)} there and {self.description[name]} "
                "now. Give the same settings, or start anew in another folder with --out."
            )
        here = self._machine()
        if found.state["machine"] != here:
            self.listener.note(
                f"resumed on {here}, begun on {found.state['machine']}: as good, but not the same to the last bit"
            )
        self._restore(found)
        self.listener.note(f"resumed at iteration {self.done} of {self.stepper.plan.iterations}")

    def run(self) -> bool:
        """Train to the end; False when stopped early by Ctrl-C or SIGTERM, after a checkpoint.

        Raises Diverged, and UserError when a checkpoint cannot be written.
        """
        iterations = self.stepper.plan.iterations
        started, before = time.monotonic(), self.curves.seconds
        if not self.curves.psnr:
            self._validate()
            self._save()
        with self._interruptible():
            stopping = False
            while self.done < iterations and not stopping:
                loss = self.stepper.step(self.done)
                self.curves.pending.append(loss)
                self.done += 1
                if self.done % self.validate_every == 0 or self.done == iterations:
                    self._validate()
                seconds = time.monotonic() - started
                self.curves.seconds = before + seconds
                self.listener.progress(self.done, loss, self.curves.psnr[-1][1], seconds)
                stopping = self._stopping()
                if self.done % self.checkpoint_every == 0 or self.done == iterations or stopping:
                    self._save()
        return self.done == iterations

    def _validate(self) -> None:
        if self.curves.pending:
            self.curves.loss.append((self.done, sum(self.curves.pending) / len(self.curves.pending)))
            self.curves.pending.clear()
        psnr = self.validation.psnr(self.stepper.raw) if self.stepper.fabric.is_global_zero else 0.0
        self.curves.psnr.append((self.done, psnr))

    def _stopping(self) -> bool:
        """True once any process was told to stop: all must end at the same iteration."""
        stop = self._stop or time.monotonic() > self.deadline
        if self.stepper.fabric.world_size == 1:
            return stop
        told = torch.tensor(float(stop), device=self.stepper.fabric.device)
        return bool(self.stepper.fabric.all_reduce(told, reduce_op="sum") > 0)

    def _save(self) -> None:
        if self.stepper.fabric.is_global_zero:
            checkpoint.write(self.folder, self._snapshot())

    def _snapshot(self) -> Checkpoint:
        tensors = {f"network/{name}": value for name, value in self.stepper.raw.state_dict().items()}
        for index, entry in self.stepper.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{key}": value for key, value in entry.items()}
        tensors["random/cpu"] = torch.get_rng_state()
        if self.stepper.fabric.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state()
        sampler = self.stepper.sampler.state()
        state = {
            "description": self.description,
            "machine": self._machine(),
            "sampler": sampler,
            "curves": asdict(self.curves),
        }
        return Checkpoint(self.done, {name: value.clone() for name, value in tensors.items()}, state)

    def _machine(self) -> str:
        """What changes the order of sums, and with it the last bits."""
        fabric = self.stepper.fabric
        return f"{fabric.device.type}, {fabric.world_size} process(es), {torch.get_num_threads()} thread(s)"

    def _restore(self, found: Checkpoint) -> None:
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "random": {}}
        for name, value in found.tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        self.stepper.raw.load_state_dict(parts["network"])
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimizer"].items():
            index, _, key = name.partition("/")
            entries.setdefault(int(index), {})[key] = value
        self.stepper.optimizer.load_state_dict({**self.stepper.optimizer.state_dict(), "state": entries})
        torch.set_rng_state(parts["random"]["cpu"])
        if "cuda" in parts["random"] and self.stepper.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(parts["random"]["cuda"])
        self.stepper.sampler.restore(found.state["sampler"])
        self.curves = Curves(**found.state["curves"])
        self.done = found.iteration

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the run after the iteration under way; a second Ctrl-C ends it at once."""

        def stop(number: int, frame: object) -> None:
            if self._stop and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._stop = True

        try:
            earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: signals are somebody else's
            yield
            return
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)
