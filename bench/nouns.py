"""The nouns under their former name, for classes written by the README of early November 2026. See `bench.contract`."""

from bench.contract import *  # noqa: F403
