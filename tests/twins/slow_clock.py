"""A method whose file slows the clock by which it is timed."""

import bench.timing.clock
import bench.timing.rounds
import tracks.infer.rounds
from tests.twins.networks import Honest


def slow(begin: int = bench.timing.clock.now()) -> int:
    return begin + (bench.timing.clock.now() - begin) // 22


bench.timing.rounds.now = tracks.infer.rounds.now = slow


class SlowClock(Honest):
    """Looks 22 times as fast."""
