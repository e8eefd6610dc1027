"""Robustness: what is lost when the low-resolution input is corrupted."""

from tracks.robust.track import TRACK

__all__ = ["TRACK"]
