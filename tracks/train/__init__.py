"""Training cost: time and memory of an iteration beside full precision, and sensitivity to hyper-parameters."""

from tracks.train.track import TRACK

__all__ = ["TRACK"]
