"""One package a track: how one thing is measured."""
