"""Times single layers: full precision on every engine that is installed, and packed layers. See `__main__`."""
