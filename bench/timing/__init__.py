"""Timing in turn, memory, the heap: for anything that is measured."""
