"""Folders that stand for `algorithms/`."""
