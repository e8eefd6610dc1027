"""Theoretical complexity: parameters and operations by precision, under named conventions."""

from tracks.comp.track import TRACK

__all__ = ["TRACK"]
