"""Nouns, plumbing and shared building blocks of the benchmark (the whole stands in README.md)."""
