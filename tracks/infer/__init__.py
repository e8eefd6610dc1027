"""Real latency of the packed network on this CPU, beside full precision in the same run."""

from tracks.infer.track import TRACK

__all__ = ["TRACK"]
