"""The timed rounds of a cell: a picture that changes from round to round, every output and every layer call checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from bench.contract.gates import gate
from bench.nn.calls import CallCount, shortfall
from bench.packed.pack import packed_units
from bench.packed.parity import LayerParity, Parity, worst_parity
from bench.timing.clock import now
from bench.timing.rounds import interleave

WARMUPS = 2


class WorkWatch:
    """Context manager over a packed network: inside it, every pass must make the calls that were ``counted``."""

    def __init__(self, packed: nn.Module, counted: dict[str, int]):
        self.counted, self.problem = counted, ""
        self._layers = {name: unit.layer for name, unit in packed_units(packed).items()}
        self._others = CallCount(packed, leave=frozenset(self._layers))

    def __enter__(self) -> WorkWatch:
        self._others.__enter__()
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._others.__exit__()

    @gate("refused", broken_by="tests/test_gates_infer.py::test_a_network_that_does_less_while_timed_gets_no_number")
    def passed(self) -> None:
        """Packed layers count the runs of their kernels, claimed layers their calls. In every pass, timed or warming
        up, each must run as often as complexity counted for the same network and input size.
        """
        self.problem = self.problem or shortfall(self._take(), self.counted)

    def _take(self) -> dict[str, int]:
        calls = self._others.take()
        for name, layer in self._layers.items():
            calls[name], layer.runs[0] = layer.runs[0], 0
        return calls


class Slide:
    """The input of all networks: one tensor whose content is another picture in every round."""

    def __init__(self, pictures: Sequence[Tensor], followers: Callable[[], None] = lambda: None):
        self.pictures, self.followers = pictures, followers
        self.image = pictures[0].clone()

    @gate("refused", broken_by="tests/test_gates_infer.py::test_a_network_that_remembers_its_outputs_gets_no_number")
    def show(self, turn: int) -> None:
        """The input varies: rounds take turns through several crops of one photograph, written into the same memory
        before the clock starts. An output kept from an earlier picture fails the comparison with the trained network.
        """
        self.image.copy_(self.pictures[turn % len(self.pictures)])
        self.followers()


def run_rounds(
    runs: dict[str, Callable[[], Any]],
    slide: Slide,
    expected: Sequence[LayerParity],
    work: WorkWatch,
    repeats: int,
    heard: Callable[[str, int], None],
) -> tuple[dict[str, list[float]], dict[str, list[int]], Parity, float]:
    """Samples (ms), page faults, the worst parity of all outputs of ``packed``, and the seconds that it all took.

    ``expected``: the trained network's answer to each picture; ``heard(name, turn)`` is called after each pass.
    Raises RuntimeError where an output or a layer's calls are not what they must be.
    """
    outcomes: list[Parity] = []

    def after(name: str, turn: int, output: Any) -> None:
        if name == "packed":
            work.passed()
            outcomes.append(expected[turn % len(expected)].with_output(output))
        heard(name, turn)

    start = now()
    with work:
        samples, faults = interleave(runs, WARMUPS, repeats, after, slide.show)
    seconds = (now() - start) / 1e9
    parity = worst_parity(outcomes)
    if work.problem:
        raise RuntimeError(f"the timed network does other work than was counted, so no number: {work.problem}")
    if not parity.passed:
        raise RuntimeError(f"no parity, so no number: {parity.reason()}")
    return samples, faults, parity, seconds
