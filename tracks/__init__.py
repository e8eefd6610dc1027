"""One module per track: how one thing is measured."""
