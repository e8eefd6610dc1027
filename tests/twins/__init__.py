"""Methods that do not do what they say: for each gate of the benchmark one that it must stop."""
