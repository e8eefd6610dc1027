"""Nouns, plumbing and shared building blocks of the benchmark (see DESIGN in README)."""
