"""The nouns under the name that they had in the README until 2026-11, for classes written by it. See `bench.contract`."""

from bench.contract import *  # noqa: F403
