"""Modules that stand for `tracks/`."""
