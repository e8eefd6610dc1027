"""Small real parts for tests of the plumbing: two algorithms and two tracks, quick and deterministic."""
